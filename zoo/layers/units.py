"""Errors of standardised values, told in the units of the data."""

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
