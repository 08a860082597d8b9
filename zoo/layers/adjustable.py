"""Lambda and p as variables: one built and traced model serves every trial of a search.

Each class computes what Keras's own computes with the same plain number (`AdjustableDropout` and the spatial ones to
the bit, Gaussian and alpha dropout to float precision); an export never holds them.
"""

from __future__ import annotations

import itertools
import weakref
from typing import Any

import keras
import tensorflow as tf

_NUMBERS = itertools.count()
_KNOBS: weakref.WeakValueDictionary[str, Knob] = weakref.WeakValueDictionary()


class Knob:
    """A number that a search turns. Held in an object of ours, so that Keras does not count it among the weights."""

    def __init__(self, name: str, value: float) -> None:
        self.name, self.key = name, f"{name} {next(_NUMBERS)}"
        _KNOBS[self.key] = self
        self.variable = tf.Variable(value, dtype=tf.float32, trainable=False, name=name)

    def turn(self, value: float) -> None:
        """Set the number."""
        self.variable.assign(value)


@keras.saving.register_keras_serializable("zoo")
class AdjustableL2(keras.regularizers.Regularizer):
    """The penalty lambda * sum(w^2), no factor one half, as `keras.regularizers.L2`; lambda is a `Knob`.

    A wrapper such as `Bidirectional` makes its layers anew from their configs; theirs then turn with the same knob.
    """

    def __init__(self, knob: Knob | str) -> None:
        self.knob = _KNOBS[knob] if isinstance(knob, str) else knob

    def __call__(self, x: Any) -> Any:
        """Give the penalty of a kernel, a scalar."""
        return keras.ops.cast(self.knob.variable, x.dtype) * keras.ops.sum(keras.ops.square(x))

    def get_config(self) -> dict[str, Any]:
        """The knob's key in this process: a copy that a wrapper makes finds the very same knob."""
        return {"knob": self.knob.key}


class _Adjustable:
    """What the dropout layers below share: a rate that is a `Knob`, and no test of it in Python."""

    rate_knob: Knob

    def __init__(self, knob: Knob, **arguments: Any) -> None:
        super().__init__(rate=0.5, **arguments)  # type: ignore[call-arg]
        self.rate_knob = knob

    def _rate(self, inputs: Any) -> Any:
        return tf.cast(self.rate_knob.variable, inputs.dtype)


class AdjustableDropout(_Adjustable, keras.layers.Dropout):
    """Zero each activation with probability p while training and scale the rest by 1 / (1 - p). Shape unchanged.

    Srivastava et al. 2014, section 4; scaled while training, so that nothing is scaled when serving.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drop while training, pass through else."""
        if not training:
            return inputs
        return _drop(inputs, self._rate(inputs), self.noise_shape, self.seed_generator)


class _AdjustableSpatial(_Adjustable):
    """Drop whole feature maps with probability p (Tompson et al. 2015, section 3.2)."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drop while training, pass through else."""
        if not training:
            return inputs
        return _drop(inputs, self._rate(inputs), self._get_noise_shape(inputs), self.seed_generator)  # type: ignore[attr-defined]


class AdjustableSpatialDropout1D(_AdjustableSpatial, keras.layers.SpatialDropout1D):
    """`keras.layers.SpatialDropout1D` with a `Knob` for p."""


class AdjustableSpatialDropout2D(_AdjustableSpatial, keras.layers.SpatialDropout2D):
    """`keras.layers.SpatialDropout2D` with a `Knob` for p."""


class AdjustableSpatialDropout3D(_AdjustableSpatial, keras.layers.SpatialDropout3D):
    """`keras.layers.SpatialDropout3D` with a `Knob` for p."""


class AdjustableGaussianDropout(_Adjustable, keras.layers.GaussianDropout):
    """Multiply by noise of mean 1 and standard deviation sqrt(p / (1 - p)) while training.

    Srivastava et al. 2014, section 10.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Multiply by noise while training, pass through else."""
        if not training:
            return inputs
        rate = self._rate(inputs)
        stddev = keras.ops.sqrt(rate / (1.0 - rate))
        shape, seed = keras.ops.shape(inputs), self.seed_generator
        return inputs * keras.random.normal(shape, mean=1.0, stddev=stddev, dtype=self.compute_dtype, seed=seed)


class AdjustableAlphaDropout(_Adjustable, keras.layers.AlphaDropout):
    """Dropout that keeps mean and variance under SELU (Klambauer et al. 2017, section 3)."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drop to SELU's saturation value while training, pass through else."""
        if not training:
            return inputs
        rate = self._rate(inputs)
        saturation = -1.6732632423543772 * 1.0507009873554805
        shape = self._get_concrete_noise_shape(inputs, self.noise_shape)
        kept = keras.random.uniform(shape, seed=self.seed_generator) >= rate
        kept = keras.ops.cast(kept, inputs.dtype)
        scale = ((1 - rate) * (1 + rate * saturation**2)) ** -0.5
        return scale * (inputs * kept + saturation * (1 - kept)) - scale * saturation * rate


def _drop(inputs: Any, rate: Any, noise_shape: Any, seed_generator: Any) -> Any:
    """What `keras.random.dropout` does, without its comparisons of the rate with 0 and 1 in Python."""
    if noise_shape is not None:
        noise_shape = [tf.shape(inputs)[axis] if size is None else size for axis, size in enumerate(noise_shape)]
    seed = tf.cast(tf.convert_to_tensor(seed_generator.next()), "int32")
    return tf.nn.experimental.stateless_dropout(inputs, rate=rate, seed=seed, noise_shape=noise_shape)


ADJUSTABLE = {
    "Dropout": AdjustableDropout,
    "SpatialDropout1D": AdjustableSpatialDropout1D,
    "SpatialDropout2D": AdjustableSpatialDropout2D,
    "SpatialDropout3D": AdjustableSpatialDropout3D,
    "GaussianDropout": AdjustableGaussianDropout,
    "AlphaDropout": AdjustableAlphaDropout,
}
"""Keras's dropout layers, and ours that compute the same with a `Knob` for p."""
