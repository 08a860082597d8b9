"""Metrics that Keras has not: errors of standardised values in the units of the data, and F1 of class numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class ErrorInUnits(keras.metrics.MeanMetricWrapper):
    """The mean absolute (`mae`) or mean squared (`mse`) error, by `scale` in the units of the data.

    Targets and answers are standardised; `scale` holds the standard deviation of each feature, the last axis.
    """

    def __init__(self, error: str, scale: Sequence[float], name: str | None = None, dtype: Any = None) -> None:
        super().__init__(self._errors, name=name or error, dtype=dtype)
        self.error, self.scale = error, [float(one) for one in scale]

    def _errors(self, truth: Any, answer: Any) -> Any:
        away = (ops.cast(truth, answer.dtype) - answer) * ops.convert_to_tensor(self.scale, dtype=answer.dtype)
        return ops.mean(ops.abs(away) if self.error == "mae" else ops.square(away), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The config: which error, and the scale."""
        return {"error": self.error, "scale": self.scale, "name": self.name, "dtype": self.dtype}


@keras.saving.register_keras_serializable("zoo")
class MacroF1(keras.metrics.Metric):
    """The mean over `classes` of F1, 2 TP / (2 TP + FP + FN); 0 for a class that neither is there nor is answered.

    Targets are the numbers of the classes, (rows,) or one for each place; answers their probabilities. It is what
    scikit-learn's `f1_score(average="macro", zero_division=0)` gives for all classes.
    """

    def __init__(self, classes: int, name: str = "f1_macro", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.classes, self._direction = classes, "up"  # which callbacks of Keras ask for
        self.right, self.there, self.told = (
            self.add_variable((classes,), "zeros", name=each) for each in ("right", "there", "told")
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch; each place by its row's weight, if there are weights."""
        truth = ops.reshape(ops.one_hot(ops.cast(y_true, "int32"), self.classes), (-1, self.classes))
        told = ops.reshape(ops.one_hot(ops.argmax(y_pred, axis=-1), self.classes), (-1, self.classes))
        if sample_weight is not None:
            weight = ops.reshape(ops.cast(sample_weight, truth.dtype), (-1, 1))
            truth = truth * weight
        for one, counted in ((self.right, truth * told), (self.there, truth)):
            one.assign_add(ops.sum(counted, axis=0))
        counted = told if sample_weight is None else told * weight
        self.told.assign_add(ops.sum(counted, axis=0))

    def result(self) -> Any:
        """The mean of the classes."""
        both = self.there + self.told
        return ops.mean(ops.where(both > 0, 2 * self.right / ops.maximum(both, 1e-7), 0.0))

    def get_config(self) -> dict[str, Any]:
        """The config: how many classes there are."""
        return {"classes": self.classes, "name": self.name, "dtype": self.dtype}
