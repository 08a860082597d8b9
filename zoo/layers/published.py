"""Layers of published networks that Keras does not offer as layers: an index, a learnt scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class Take(keras.layers.Layer):
    """Take parts of the input along an axis: one by its index, or several in the order of a list.

    Input: (batch, ...). Output: the input's shape with `len(indices)` along `axis`; without `axis` for a single index.
    `indices: [2, 1, 0]` turns red, green, blue around; `indices: -1, axis: 1` is the last step of a sequence.
    `axis` counts the batch as 0; default -1, the last.
    """

    def __init__(self, indices: int | Sequence[int], axis: int = -1, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.indices, self.axis = indices, axis

    def build(self, input_shape: Any) -> None:
        """Refuse what is not there: TensorFlow reads the last part instead, without a word."""
        rank = len(input_shape)
        if not -rank <= self.axis < rank:
            raise ValueError(f"axis {self.axis} is beyond the {rank} axes of the input, the batch counted as 0")
        indices = [self.indices] if isinstance(self.indices, int) else list(self.indices)
        if not indices:
            raise ValueError("indices is an empty list, which takes nothing")
        size = input_shape[self.axis]
        beyond = [one for one in indices if size is not None and not -size <= one < size]
        if beyond:
            raise ValueError(f"index {beyond[0]} is beyond the {size} parts along axis {self.axis}, 0 to {size - 1}")

    def call(self, inputs: Any) -> Any:
        """The parts."""
        size = inputs.shape[self.axis]
        if isinstance(self.indices, int):
            return ops.take(inputs, self.indices % size if size else self.indices, axis=self.axis)
        return ops.take(inputs, [one % size if size else one for one in self.indices], axis=self.axis)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape with another size along the axis, or without it."""
        axis = self.axis % len(input_shape)
        kept = () if isinstance(self.indices, int) else (len(self.indices),)
        return (*input_shape[:axis], *kept, *input_shape[axis + 1 :])

    def get_config(self) -> dict[str, Any]:
        """The config, indices and axis included."""
        return {**super().get_config(), "indices": self.indices, "axis": self.axis}


@keras.saving.register_keras_serializable("zoo")
class LayerScale(keras.layers.Layer):
    """Multiply each channel by a learnt number that begins small. Input and output: (batch, ..., channels).

    Touvron et al. 2021, Going deeper with image transformers, section 2.2. `init_values`: where it begins, 1e-6.
    """

    def __init__(self, init_values: float = 1e-6, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.init_values = init_values

    def build(self, input_shape: Any) -> None:
        """One number for each channel."""
        begin = keras.initializers.Constant(self.init_values)
        self.gamma = self.add_weight(shape=(input_shape[-1],), initializer=begin, name="gamma")

    def call(self, inputs: Any) -> Any:
        """The scaled channels."""
        return inputs * self.gamma

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The config, the first value included."""
        return {**super().get_config(), "init_values": self.init_values}
