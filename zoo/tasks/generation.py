"""What a variational autoencoder does: all that an autoencoder does, and new rows from random codes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from zoo.datasets.dataset import Part
from zoo.tasks.contract import Endpoint, Pieces, answers
from zoo.tasks.reconstruction import Reconstruction, decoded, encoded

DRAWS = 16
"""Codes drawn for each row when the bound is reported; training estimates it with one, or with `samples`."""


class Generation(Reconstruction):
    """A model of the rows' distribution, judged by its negative evidence lower bound [nats], without the penalty."""

    metrics: ClassVar = {"negative_elbo": "min"}
    guess = ""

    def naive(self, pieces: Pieces, learned: Part, part: Part) -> dict[str, np.ndarray] | None:
        """None: a bound on the likelihood has no naive answer that all would agree on."""
        return None

    def targets(self, part: Part, features: np.ndarray) -> np.ndarray | None:
        """None: the bound is in the graph."""
        return None

    def compiled(self, objective: str = "") -> dict[str, Any]:
        """Nothing: the layer `evidence` of the network adds the loss and tracks the metrics."""
        return {}

    def endpoints(self, pieces: Pieces) -> dict[str, Endpoint]:
        """An autoencoder's, and `sample`: `count` new rows, or one for each label; the same for the same `seed`.

        A code of as many steps or places as a row has cannot be drawn without one: then there is no `sample`.
        """
        import tensorflow as tf

        found = super().endpoints(pieces)
        _, *shape = found["decode"].inputs["code"][0]
        label = self.spec.label
        if None in shape:
            return found

        def sample(seed: Any, **inputs: Any) -> dict[str, Any]:
            told = {} if label is None else {label: inputs[label]}
            count = inputs["count"] if label is None else tf.shape(inputs[label])[0]
            code = tf.random.stateless_normal((count, *shape), tf.stack([seed, 0]))
            return {"sample": found["decode"].function(code=code, **told)["reconstruction"]}

        how = {"count": ((), "int32")} if label is None else {label: ((None,), "int32")}
        return {**found, "sample": Endpoint({**how, "seed": ((), "int32")}, sample)}

    def code(self, encoded: Any) -> Any:
        """The mean of the code's distribution."""
        return encoded[0]

    def score(self, features: Any, reconstruction: Any, encoded: Any) -> Any:
        """How unusual a row is: -log p(x|z) at the mean code, plus the KL divergence [nats], (batch,)."""
        from zoo.layers.latent import kl_divergence, negative_log_likelihood

        return negative_log_likelihood(self.spec.likelihood, features, reconstruction) + kl_divergence(*encoded)

    def evidence(self, pieces: Pieces, part: Part) -> dict[str, np.ndarray]:
        """`negative_elbo`, `reconstruction_error` and `kl` of each row [nats], over DRAWS codes from fixed seeds."""
        import tensorflow as tf

        from zoo.layers.latent import importance_weighted, kl_divergence, log_ratio, negative_log_likelihood

        samples = pieces.network.get_layer("evidence").samples
        draws = samples if samples > 1 else DRAWS

        def bound(x: Any, *labels: Any) -> dict[str, Any]:
            features = pieces.prepare(x)
            mean, log_var = encoded(pieces, features, *labels)
            errors, ratios = [], []
            for draw in range(draws):
                code = mean + tf.exp(0.5 * log_var) * tf.random.stateless_normal(tf.shape(mean), (draw, 1))
                errors.append(
                    negative_log_likelihood(self.spec.likelihood, features, decoded(pieces, code, *labels))
                )  # fmt: skip
                ratios.append(log_ratio(code, mean, log_var))
            error, kl = tf.reduce_mean(tf.stack(errors, axis=1), axis=1), kl_divergence(mean, log_var)
            bound = error + kl
            if samples > 1:
                bound = -importance_weighted(tf.stack(ratios, axis=1) - tf.stack(errors, axis=1))
            return {"negative_elbo": bound, "reconstruction_error": error, "kl": kl}

        labels = [] if self.spec.label is None or part.y is None else [part.y]
        return answers(bound, part.x, *labels)
