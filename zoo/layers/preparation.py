"""Steps of preparation that Keras lacks."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable("zoo")
class SinceLast(keras.layers.Layer):
    """Subtract each row's last step from all its steps: changes instead of levels.

    Input and output: (batch, steps, features).
    """

    def call(self, inputs: Any) -> Any:
        """The changes since the last step."""
        return inputs - inputs[:, -1:]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape
