"""What a network is for: its loss, metrics, objective, answers, endpoints and figures, one class a task.

The classes need no Keras until a method that builds something is called.
"""

from __future__ import annotations

from zoo.tasks.classification import Classification
from zoo.tasks.contract import Endpoint, Task, in_batches
from zoo.tasks.generation import Generation
from zoo.tasks.labelling import LABELLING
from zoo.tasks.reconstruction import Reconstruction
from zoo.tasks.regression import Forecasting, Regression

TASKS: dict[str, type[Task]] = {
    "classification": Classification,
    **LABELLING,
    "regression": Regression,
    "forecasting": Forecasting,
    "reconstruction": Reconstruction,
    "generation": Generation,
}
"""The tasks by name; the head that a spec gets without `head` stands in `language/families.py`."""

__all__ = ["TASKS", "Endpoint", "Task", "in_batches"]
