"""What turns a network's output into an answer, where Keras has no layer for it."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("zoo")
class Label(keras.layers.Layer):
    """The label of the most probable class, as the data wrote it.

    Input: probabilities, (batch, classes). Output: (batch,), text or int64 as the labels are.
    """

    def __init__(self, labels: list[Any], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.labels = list(labels)

    @property
    def kind(self) -> str:
        """The type of the labels."""
        return "string" if isinstance(self.labels[0], str) else "int64"

    def call(self, inputs: Any) -> Any:
        """Look the labels up."""
        return tf.gather(tf.constant(list(self.labels), self.kind), tf.argmax(inputs, axis=-1))

    def compute_output_spec(self, inputs: Any) -> Any:
        """One label a row."""
        return keras.KerasTensor(inputs.shape[:-1], dtype=self.kind)

    def get_config(self) -> dict[str, Any]:
        """The config, the labels included."""
        return {**super().get_config(), "labels": list(self.labels)}
