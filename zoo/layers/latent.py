"""What a variational autoencoder adds to a graph: a draw from the code's distribution, and the evidence's bound."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class Sampling(keras.layers.Layer):
    """Draw z = mean + exp(log_var / 2) * eps with eps from N(0, I), in training and in evaluation alike.

    Inputs: mean and log_var, each (batch, units). Output: (batch, units).
    Evaluation draws too: the bound's expectation is over z, and at the mean alone it would not be a bound.
    Kingma & Welling 2014, section 2.4.
    """

    def __init__(self, seed: int | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Any) -> Any:
        """One draw a row."""
        mean, log_var = inputs
        noise = keras.random.normal(ops.shape(mean), dtype=self.compute_dtype, seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_var) * noise

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the mean."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """The config, the seed included."""
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable("zoo")
class EvidenceLowerBound(keras.layers.Layer):
    """Add the negative evidence lower bound to the losses, and hand the reconstruction on unchanged.

    -ELBO = -log p(x|z) + KL(q(z|x) || N(0, I)), summed over the values of a row and over the code, averaged over the
    rows [nats]. Kingma & Welling 2014, eq. 10; its KL in closed form, appendix B.

    Inputs: x and its reconstruction, each (batch, ...); mean and log_var of the code, each (batch, units).
    Metrics, none of which holds the L2 penalty: `negative_elbo`, `reconstruction_error`, `kl`.
    """

    def __init__(self, likelihood: str = "bernoulli", **arguments: Any) -> None:
        super().__init__(**arguments)
        self.likelihood = likelihood
        self.trackers = [keras.metrics.Mean(name=name) for name in ("negative_elbo", "reconstruction_error", "kl")]

    def call(self, inputs: Any) -> Any:
        """Add the loss, track its parts, return the reconstruction."""
        x, reconstruction, mean, log_var = inputs
        error = negative_log_likelihood(self.likelihood, x, reconstruction)
        kl = kl_divergence(mean, log_var)
        self.add_loss(ops.mean(error + kl))
        for tracker, value in zip(self.trackers, (error + kl, error, kl), strict=True):
            tracker.update_state(value)
        return reconstruction

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the reconstruction."""
        return input_shape[1]

    def get_config(self) -> dict[str, Any]:
        """The config, the likelihood included."""
        return {**super().get_config(), "likelihood": self.likelihood}


def negative_log_likelihood(likelihood: str, x: Any, reconstruction: Any) -> Any:
    """-log p(x|z), summed over all values of a row [nats]; shape (batch,).

    bernoulli: the cross-entropy of x, 0 <= x <= 1, with probabilities (Kingma & Welling 2014, appendix C.1).
    gaussian: unit variance, its constant included (appendix C.2).
    """
    if likelihood == "bernoulli":
        # Clipped as in Keras's own binary cross-entropy: a probability of 0 or 1 would cost infinity.
        p = ops.clip(reconstruction, 1e-7, 1 - 1e-7)
        each = -(x * ops.log(p) + (1 - x) * ops.log(1 - p))
    else:
        each = 0.5 * (ops.square(x - reconstruction) + math.log(2 * math.pi))
    return ops.sum(each, axis=tuple(range(1, len(each.shape))))


def kl_divergence(mean: Any, log_var: Any) -> Any:
    """KL(N(mean, exp(log_var)) || N(0, I)), summed over the code [nats]; shape (batch,).

    Kingma & Welling 2014, appendix B.
    """
    return 0.5 * ops.sum(ops.square(mean) + ops.exp(log_var) - 1.0 - log_var, axis=-1)
