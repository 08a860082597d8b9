"""What autoencoders add to a graph: draws from a code's distribution, the evidence's bound, codes, prices on them."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

LOG_2_PI = math.log(2 * math.pi)


@keras.saving.register_keras_serializable("zoo")
class Sampling(keras.layers.Layer):
    """Draw z = mean + exp(log_var / 2) * eps with eps from N(0, I), in training and in evaluation alike.

    Inputs: mean and log_var, each (batch, ..., units). Output: (batch * samples, ..., units), a row's draws in a row.
    Evaluation draws too: the bound's expectation is over z, and at the mean alone it would not be a bound.
    Kingma & Welling 2014, section 2.4.
    """

    def __init__(self, samples: int = 1, seed: int | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.samples, self.seed = samples, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Any) -> Any:
        """So many draws a row."""
        mean, log_var = (_repeated(one, self.samples) for one in inputs)
        noise = keras.random.normal(ops.shape(mean), dtype=self.compute_dtype, seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_var) * noise

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the mean, its batch as often as there are draws."""
        batch = input_shape[0][0]
        return (None if batch is None else batch * self.samples, *input_shape[0][1:])

    def get_config(self) -> dict[str, Any]:
        """The config, samples and seed included."""
        return {**super().get_config(), "samples": self.samples, "seed": self.seed}


@keras.saving.register_keras_serializable("zoo")
class EvidenceLowerBound(keras.layers.Layer):
    """Add the negative evidence lower bound to the losses, and hand the reconstruction on unchanged.

    -ELBO = -log p(x|z) + KL(q(z|x) || N(0, I)), summed over the values of a row and over the code, averaged over the
    rows [nats]. Kingma & Welling 2014, eq. 10; its KL in closed form, appendix B.

    `kl` weighs the divergence in the loss: beta of Higgins et al. 2017, eq. 4. `warm_up` raises that weight linearly
    from 0 over so many steps of training (Soenderby et al. 2016, Ladder variational autoencoders); the step is a
    weight that is not trained.
    `mmd` adds so much of the maximum mean discrepancy between the codes and N(0, I) (Zhao, Song & Ermon 2019, InfoVAE).
    `samples` above 1: the importance-weighted bound of Burda et al. 2016, eq. 8, takes the place of the loss above.

    Inputs: x, (batch, ...); its reconstruction, (batch * samples, ...); mean and log_var of the code, (batch, ...,
    units); the code, (batch * samples, ..., units). A code may be a vector, a sequence or a map: all its values count.
    Output: the reconstruction from each row's first draw, (batch, ...).
    Metrics, none of which holds the L2 penalty or a weight: `negative_elbo` (under `samples`, the bound above),
    `reconstruction_error`, `kl`.
    """

    def __init__(
        self,
        likelihood: str = "bernoulli",
        kl: float = 1.0,
        warm_up: int = 0,
        mmd: float = 0.0,
        samples: int = 1,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.likelihood, self.kl, self.warm_up, self.mmd, self.samples = likelihood, kl, warm_up, mmd, samples
        self.trackers = [keras.metrics.Mean(name=name) for name in ("negative_elbo", "reconstruction_error", "kl")]

    def build(self, input_shape: Any) -> None:
        """The step, where the weight of the divergence is raised."""
        if self.warm_up:
            self.step = self.add_weight(shape=(), initializer="zeros", trainable=False, name="step")

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Add the loss, track its parts, return the reconstruction."""
        x, reconstruction, mean, log_var, code = inputs
        error = negative_log_likelihood(self.likelihood, _repeated(x, self.samples), reconstruction)
        kl = kl_divergence(mean, log_var)
        if self.samples > 1:
            ratio = log_ratio(code, _repeated(mean, self.samples), _repeated(log_var, self.samples))
            bound = importance_weighted(ops.reshape(ratio - error, (-1, self.samples)))
            error = ops.mean(ops.reshape(error, (-1, self.samples)), axis=1)
            reconstruction = reconstruction[:: self.samples]
            loss = -bound
        else:
            loss, bound = error + self._weight(training) * kl, -(error + kl)
        if self.mmd:
            loss = loss + self.mmd * mean_discrepancy(code)
        self.add_loss(ops.mean(loss))
        for tracker, value in zip(self.trackers, (-bound, error, kl), strict=True):
            tracker.update_state(value)
        return reconstruction

    def _weight(self, training: bool) -> Any:
        if not self.warm_up:
            return self.kl
        if training:
            self.step.assign_add(1.0)
        return self.kl * ops.minimum(self.step / self.warm_up, 1.0)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of x's rows, reconstructed."""
        return (input_shape[0][0], *input_shape[1][1:])

    def get_config(self) -> dict[str, Any]:
        """The config, likelihood and weights included."""
        named = ("likelihood", "kl", "warm_up", "mmd", "samples")
        return {**super().get_config(), **{name: getattr(self, name) for name in named}}


@keras.saving.register_keras_serializable("zoo")
class VectorQuantizer(keras.layers.Layer):
    """Replace each vector by the nearest of the codes that it learns; gradients pass straight through.

    Input and output: (batch, ..., dim). The losses ||sg[z] - e||^2 + commitment * ||z - sg[e]||^2, averaged over all
    values, are added to the model's. Van den Oord, Vinyals & Kavukcuoglu 2017, eq. 1 to 3.
    `codes`: how many. `commitment`: beta of the paper, 0.25 there.
    """

    def __init__(self, codes: int, commitment: float = 0.25, seed: int | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.codes, self.commitment, self.seed = codes, commitment, seed

    def build(self, input_shape: Any) -> None:
        """The codes, (dim, codes)."""
        begin = keras.initializers.RandomUniform(-1 / self.codes, 1 / self.codes, seed=self.seed)
        self.embeddings = self.add_weight(shape=(input_shape[-1], self.codes), initializer=begin, name="embeddings")

    def call(self, inputs: Any) -> Any:
        """The nearest codes."""
        flat = ops.reshape(inputs, (-1, inputs.shape[-1]))
        distance = ops.sum(ops.square(self.embeddings), axis=0) - 2 * ops.matmul(flat, self.embeddings)
        chosen = ops.one_hot(ops.argmin(distance, axis=1), self.codes, dtype=inputs.dtype)
        quantized = ops.reshape(ops.matmul(chosen, ops.transpose(self.embeddings)), ops.shape(inputs))
        codebook = ops.mean(ops.square(ops.stop_gradient(inputs) - quantized))
        committed = ops.mean(ops.square(inputs - ops.stop_gradient(quantized)))
        self.add_loss(codebook + self.commitment * committed)
        return inputs + ops.stop_gradient(quantized - inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The config, the number of codes and the commitment included."""
        named = ("codes", "commitment", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in named}}


STEP = 0.01
"""How far away `Nearby` looks, in the units of prepared rows."""


@keras.saving.register_keras_serializable("zoo")
class Nearby(keras.layers.Layer):
    """Rows beside the given ones: x + STEP * eps with eps from N(0, I), in training and in evaluation alike.

    Input and output: (batch, ...).
    """

    def __init__(self, seed: int | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Any) -> Any:
        """The rows, moved."""
        noise = keras.random.normal(ops.shape(inputs), dtype=self.compute_dtype, seed=self.seed_generator)
        return inputs + STEP * noise

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The config, the seed included."""
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable("zoo")
class Contraction(keras.layers.Layer):
    """Add the weighed squared norm of the encoder's Jacobian to the losses, and hand the reconstruction on unchanged.

    weight * ||J_f(x)||_F^2, averaged over the rows: Rifai et al. 2011, Contractive auto-encoders, eq. 1. It is
    estimated by |f(x + s eps) - f(x)|^2 / s^2 with eps from N(0, I), whose expectation tends to it as s does to 0:
    E |J eps|^2 = tr(J^T J). s is STEP, and the rows come from `Nearby`. Beside a reconstruction whose loss is a mean
    over the d values of a row, `weight` is the paper's lambda divided by d.

    Inputs: the codes of x and of the rows nearby, (batch, ..., units); the reconstruction, which is the output.
    Metric: `contraction`, the same without its weight.
    """

    def __init__(self, weight: float = 0.0, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.weight = weight
        self.tracker = keras.metrics.Mean(name="contraction")

    def call(self, inputs: Any) -> Any:
        """Add the loss, track it, return the reconstruction."""
        code, nearby, reconstruction = inputs
        squares = _summed(ops.square(nearby - code)) / STEP**2
        self.add_loss(self.weight * ops.mean(squares))
        self.tracker.update_state(squares)
        return reconstruction

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The reconstruction's shape."""
        return input_shape[2]

    def get_config(self) -> dict[str, Any]:
        """The config, the weight included."""
        return {**super().get_config(), "weight": self.weight}


@keras.saving.register_keras_serializable("zoo")
class Sparsity(keras.layers.Layer):
    """Add a price on units that answer to more rows than a few to the losses, and hand the reconstruction on unchanged.

    weight * sum over the units j of KL(target || mean of a_j), where a_j is the answer of a unit, between 0 and 1, and
    KL(p || q) = p log(p / q) + (1 - p) log((1 - p) / (1 - q)): Ng, Sparse autoencoder, CS294A lecture notes, 2011,
    section 3, J_sparse. The mean is over the rows of the batch, and over steps or places where the code has some.
    `weight` is the notes' beta where the reconstruction's loss is a sum over the d values of a row; beside one that is
    a mean over them, it is beta / d.

    Inputs: the code, (batch, ..., units), from 0 to 1; the reconstruction, which is the output.
    Metric: `sparsity`, the divergences without their weight.
    """

    def __init__(self, weight: float = 0.0, target: float = 0.05, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.weight, self.target = weight, target
        self.tracker = keras.metrics.Mean(name="sparsity")

    def call(self, inputs: Any) -> Any:
        """Add the loss, track it, return the reconstruction."""
        code, reconstruction = inputs
        mean = ops.mean(code, axis=tuple(range(len(code.shape) - 1)))
        mean = ops.clip(mean, 1e-7, 1 - 1e-7)  # of a unit that never answers the divergence would be infinite
        p = self.target
        divergence = ops.sum(p * ops.log(p / mean) + (1 - p) * ops.log((1 - p) / (1 - mean)))
        self.add_loss(self.weight * divergence)
        self.tracker.update_state(divergence)
        return reconstruction

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The reconstruction's shape."""
        return input_shape[1]

    def get_config(self) -> dict[str, Any]:
        """The config, weight and target included."""
        return {**super().get_config(), "weight": self.weight, "target": self.target}


def _repeated(rows: Any, times: int) -> Any:
    return rows if times == 1 else ops.repeat(rows, times, axis=0)


def _summed(values: Any) -> Any:
    return ops.sum(values, axis=tuple(range(1, len(values.shape))))


def negative_log_likelihood(likelihood: str, x: Any, reconstruction: Any) -> Any:
    """-log p(x|z), summed over all values of a row [nats]; shape (batch,).

    bernoulli: the cross-entropy of x, 0 <= x <= 1, with probabilities (Kingma & Welling 2014, appendix C.1).
    gaussian: unit variance, its constant included (appendix C.2).
    categorical: the cross-entropy of x, one-hot along the last axis, with probabilities that sum to 1 there.
    """
    if likelihood == "bernoulli":
        # Clipped as in Keras's own binary cross-entropy: a probability of 0 or 1 would cost infinity.
        p = ops.clip(reconstruction, 1e-7, 1 - 1e-7)
        each = -(x * ops.log(p) + (1 - x) * ops.log(1 - p))
    elif likelihood == "categorical":
        each = -x * ops.log(ops.clip(reconstruction, 1e-7, 1.0))
    else:
        each = 0.5 * (ops.square(x - reconstruction) + LOG_2_PI)
    return _summed(each)


def kl_divergence(mean: Any, log_var: Any) -> Any:
    """KL(N(mean, exp(log_var)) || N(0, I)), summed over all values of a row's code [nats]; shape (batch,).

    Kingma & Welling 2014, appendix B.
    """
    return 0.5 * _summed(ops.square(mean) + ops.exp(log_var) - 1.0 - log_var)


def log_ratio(code: Any, mean: Any, log_var: Any) -> Any:
    """log N(code; 0, I) - log N(code; mean, exp(log_var)), over all values of a row's code [nats]; (batch,)."""
    prior = ops.square(code) + LOG_2_PI
    posterior = ops.square(code - mean) / ops.exp(log_var) + log_var + LOG_2_PI
    return 0.5 * _summed(posterior - prior)


def importance_weighted(log_weights: Any) -> Any:
    """The importance-weighted bound log(1/k * sum of weights) [nats]: (batch, k) to (batch,).

    The weights are p(x|z) p(z) / q(z|x), given as logarithms. Burda, Grosse & Salakhutdinov 2016, eq. 8.
    """
    return ops.logsumexp(log_weights, axis=1) - math.log(log_weights.shape[1])


def mean_discrepancy(code: Any) -> Any:
    """The squared maximum mean discrepancy between codes, (batch, ...), and N(0, I), a number.

    E k(a, b) - 2 E k(a, p) + E k(p, p) with the kernel k(a, b) = exp(-|a - b|^2 / units^2), codes a and b, and p from
    N(0, I): Gretton et al. 2012, A kernel two-sample test. A sequence or a map counts as a vector of all its values,
    `units` of them. What is expected over p is a Gaussian integral in closed form, so that nothing is drawn.
    """
    units = math.prod(ops.shape(code)[1:])  # known when the batch is, where steps or places may differ
    code, units = ops.reshape(code, (-1, units)), ops.cast(units, code.dtype)
    wide = ops.square(units) / 2  # the kernel is exp(-|a - b|^2 / (2 * wide))
    squares = ops.sum(ops.square(code), axis=-1)
    apart = ops.maximum(squares[:, None] + squares[None, :] - 2 * ops.matmul(code, ops.transpose(code)), 0.0)
    among = ops.mean(ops.exp(-apart / (2 * wide)))
    across = ops.exp(-units / 2 * ops.log1p(1 / wide)) * ops.mean(ops.exp(-squares / (2 * (wide + 1))))
    prior = ops.exp(-units / 2 * ops.log1p(2 / wide))
    return among - 2 * across + prior
