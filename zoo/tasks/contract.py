"""The contract that every task keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from zoo.datasets.dataset import Part
from zoo.datasets.description import Description
from zoo.datasets.mapped import Array
from zoo.language.spec import Spec


@dataclass(frozen=True)
class Endpoint:
    """One thing that a served model does: its inputs by name as (shape with None for the batch, type), and how."""

    inputs: Mapping[str, tuple[tuple[int | None, ...], str]]
    function: Callable[..., dict[str, Any]]


UNUSUAL = ("float16", "bfloat16", "float64")
"""Types of numbers that a network may compute in, and that are not served."""


def whole(answer: Any) -> Any:
    """An answer of such a type as one of float32, which every file and every reader of one knows."""
    import tensorflow as tf

    return tf.cast(answer, tf.float32) if answer.dtype.name in UNUSUAL else answer


@dataclass(frozen=True)
class Pieces:
    """The models that an answer goes through: `prepare` and `network`, and the name of the network's last layer."""

    prepare: Any
    network: Any
    output: str


class Task(ABC):
    """What a network is for, for one spec that has met one data set.

    `metrics` names what can be an objective, with its direction; the first is the default. None holds the penalty.
    """

    metrics: ClassVar[Mapping[str, str]]
    activation: str = ""
    """The activation that the network's answer must have, or an empty text where any will do."""
    guess: str = ""
    """What `naive` answers, in words; an empty text where it answers nothing."""

    def __init__(self, spec: Spec, description: Description, steps: Sequence[Mapping[str, Any]]) -> None:
        self.spec, self.description, self.steps = spec, description, steps

    @property
    def entry(self) -> str:
        """The name of the network's first input, under which raw rows are served."""
        return next(iter(self.spec.inputs))

    def inputs(self, part: Part, features: np.ndarray) -> Any:
        """What the network reads of a part whose features are given: those, or a tuple for several inputs."""
        return features if self.spec.label is None else (features, part.y)

    @abstractmethod
    def targets(self, part: Part, features: np.ndarray) -> np.ndarray | None:
        """What the network is to answer for a part whose features are given; None if its loss is in the graph."""

    @abstractmethod
    def compiled(self, objective: str = "") -> dict[str, Any]:
        """The `loss` and `metrics` that `keras.Model.compile` gets; what takes time is among them if it is wanted."""

    def trained_on(self, loss: Any) -> Any:
        """A loss that the spec names in place of the task's own, for targets as `targets` gives them."""
        return loss

    @abstractmethod
    def shape(self) -> tuple[int | None, ...]:
        """The shape of the network's answer for one row."""

    @abstractmethod
    def answer(self, pieces: Pieces) -> Any:
        """The third model: from the network's output to what people are told, {name: tensor}."""

    @abstractmethod
    def endpoints(self, pieces: Pieces) -> dict[str, Endpoint]:
        """What a served model does; `serve` comes first."""

    def evidence(self, pieces: Pieces, part: Part) -> dict[str, np.ndarray]:
        """What figures are computed from, one row each: `answer`, what the network's output serves, and `truth`."""
        serve = self.endpoints(pieces)["serve"].function
        found = answers(lambda x: {"answer": serve(**{self.entry: x})[pieces.output]}, part.x)
        assert part.y is not None, "a task without targets has evidence of its own"
        return {**found, "truth": np.asarray(part.y)}

    def naive(self, pieces: Pieces, learned: Part, part: Part) -> dict[str, np.ndarray] | None:
        """The evidence of who knows the rows that were `learned` from and looks at none of a part; None: no such."""
        return None

    @abstractmethod
    def figures(self, evidence: Mapping[str, np.ndarray]) -> dict[str, float]:
        """The figures that people are told, by scikit-learn where it knows them; the only place they are computed."""

    @abstractmethod
    def rows(self, evidence: Mapping[str, np.ndarray], metric: str) -> np.ndarray | None:
        """One value a row whose mean is the metric, or None where a metric is no mean over rows."""

    def raw_input(self) -> dict[str, tuple[tuple[int | None, ...], str]]:
        """The input of an endpoint that takes raw rows, as the data hold them."""
        label = {} if self.spec.label is None else {self.spec.label: ((None,), "int32")}
        return {self.entry: ((None, *self.description.x.shape), self.description.x.dtype), **label}


def in_batches(function: Callable[..., Any], *arrays: Array, size: int = 256) -> Iterator[Any]:
    """The results of a function over batches of rows."""
    for begin in range(0, len(arrays[0]), size):
        yield function(*(array[begin : begin + size] for array in arrays))


def answers(function: Callable[..., dict[str, Any]], *arrays: Array) -> dict[str, np.ndarray]:
    """All answers of a function of batches for the rows, as arrays."""
    import tensorflow as tf

    signature = [tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in arrays]
    traced = tf.function(function, input_signature=signature)
    traced._omit_frequent_tracing_warning = True  # each model is traced once, and all by this line
    found = [{key: whole(value).numpy() for key, value in batch.items()} for batch in in_batches(traced, *arrays)]
    return {key: np.concatenate([batch[key] for batch in found]) for key in found[0]}
