"""What turns a network's output into an answer, or into a loss, where Keras has nothing for it."""

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


@keras.saving.register_keras_serializable("zoo")
class OfClasses(keras.losses.Loss):
    """A loss that Keras computes of one-hot rows, for classes told by their numbers.

    `y_true`: numbers, (batch, ...) or (batch, ..., 1). `y_pred`: probabilities, (batch, ..., classes). What Keras
    computes of the numbers themselves gets those.
    """

    def __init__(self, loss: keras.losses.Loss, **arguments: Any) -> None:
        super().__init__(**{"name": loss.name, "reduction": loss.reduction, **arguments})
        self.loss = loss

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The losses of the rows."""
        numbers = keras.ops.reshape(keras.ops.cast(y_true, "int32"), keras.ops.shape(y_pred)[:-1])
        if isinstance(self.loss, keras.losses.CategoricalGeneralizedCrossEntropy):
            return self.loss.call(numbers, y_pred)
        return self.loss.call(keras.ops.one_hot(numbers, y_pred.shape[-1], dtype=y_pred.dtype), y_pred)

    def get_config(self) -> dict[str, Any]:
        """The config, the loss included."""
        return {**super().get_config(), "loss": keras.saving.serialize_keras_object(self.loss)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> OfClasses:
        """The loss of a config."""
        return cls(**{**config, "loss": keras.saving.deserialize_keras_object(config["loss"])})


@keras.saving.register_keras_serializable("zoo")
class Huber(keras.losses.Huber):
    """Keras's Huber loss, its `delta` in the config: Keras 3.15 leaves it out, and a reloaded model would have 1."""

    def __init__(self, delta: float = 1.0, **arguments: Any) -> None:
        super().__init__(delta, **arguments)
        self.delta = delta

    def get_config(self) -> dict[str, Any]:
        """The config, `delta` included."""
        return {**super().get_config(), "delta": self.delta}
