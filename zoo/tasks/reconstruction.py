"""What an autoencoder does: encode a row to a short code, decode it, and score how badly that went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from zoo.datasets.dataset import Part
from zoo.language.families import LIKELIHOODS
from zoo.lowering import Plain, make
from zoo.preparing import restored
from zoo.tasks.contract import Endpoint, Pieces, Task, answers


class Reconstruction(Task):
    """Rows from their codes. Errors are of prepared values (0..1, or standardised); reconstructions are raw values."""

    metrics: ClassVar = {"mse": "min"}

    @property
    def activation(self) -> str:  # type: ignore[override]
        """The likelihood's: sigmoid for probabilities, none else."""
        return LIKELIHOODS[self.spec.likelihood]

    def targets(self, part: Part, features: np.ndarray) -> np.ndarray | None:
        """The features themselves."""
        return features

    def compiled(self) -> dict[str, Any]:
        """Mean squared error (gaussian), or cross-entropy (bernoulli, categorical), averaged over the values."""
        import keras

        losses = {
            "gaussian": keras.losses.MeanSquaredError,
            "bernoulli": keras.losses.BinaryCrossentropy,
            "categorical": keras.losses.CategoricalCrossentropy,
        }
        return {"loss": losses[self.spec.likelihood](), "metrics": [keras.metrics.MeanSquaredError(name="mse")]}

    def shape(self) -> tuple[int | None, ...]:
        """The network's input's shape."""
        return self.spec.shape

    def answer(self, pieces: Pieces) -> Any:
        """Reconstructed features to raw values: what was prepared is undone, but for a change of an image's size."""
        import keras

        source = keras.Input(pieces.network.output_shape[1:], name="features")
        tensor = keras.layers.Identity()(source)
        for step in restored(self.steps, self.description.x.shape):
            tensor = make(*next(iter(step.items())), None, None, Plain())(tensor)
        return keras.Model(source, {"reconstruction": tensor}, name="answer")

    def endpoints(self, pieces: Pieces) -> dict[str, Endpoint]:
        """`serve` and `reconstruct` (raw rows to raw rows; `serve` adds the score), `encode`, `decode`, `score`."""
        kind, answer = self.spec.kind, self.answer(pieces)
        encoder, decoder = pieces.network.get_layer("encoder"), pieces.network.get_layer("decoder")
        code = encoder.outputs[0]

        def encode(features: Any) -> Any:
            return self.code(encoder(features, training=False))

        def decode(code: Any) -> Any:
            return answer(decoder(code, training=False))["reconstruction"]

        def serve(**inputs: Any) -> dict[str, Any]:
            features = pieces.prepare(inputs[kind])
            encoded = encoder(features, training=False)
            code = self.code(encoded)
            score = self.score(features, decoder(code, training=False), encoded)
            return {"reconstruction": decode(code), "score": score}

        def only(key: str) -> Any:
            return lambda **inputs: {key: serve(**inputs)[key]}

        raw = self.raw_input()
        return {
            "serve": Endpoint(raw, serve),
            "encode": Endpoint(raw, lambda **inputs: {"code": encode(pieces.prepare(inputs[kind]))}),
            "decode": Endpoint({"code": (tuple(code.shape), "float32")}, lambda code: {"reconstruction": decode(code)}),
            "reconstruct": Endpoint(raw, only("reconstruction")),
            "score": Endpoint(raw, only("score")),
        }

    def code(self, encoded: Any) -> Any:
        """The code in what the encoder gives."""
        return encoded

    def score(self, features: Any, reconstruction: Any, encoded: Any) -> Any:
        """How badly a row was reconstructed: the mean squared error of its values, (batch,)."""
        import keras

        error = keras.ops.square(features - reconstruction)
        return keras.ops.mean(error, axis=tuple(range(1, len(error.shape))))

    def evidence(self, pieces: Pieces, part: Part) -> dict[str, np.ndarray]:
        """`mse`: the score of each row."""
        serve = self.endpoints(pieces)["serve"].function
        return answers(lambda x: {"mse": serve(**{self.spec.kind: x})["score"]}, part.x)

    def figures(self, evidence: Mapping[str, np.ndarray]) -> dict[str, float]:
        """The means of the rows."""
        return {key: float(values.astype("float64").mean()) for key, values in evidence.items()}

    def rows(self, evidence: Mapping[str, np.ndarray], metric: str) -> np.ndarray | None:
        """The score of each row."""
        return evidence[metric].astype("float64") if metric in evidence else None
