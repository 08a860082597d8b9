"""What an autoencoder does: encode a row to a short code, decode it, and score how badly that went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from zoo.datasets import mapped
from zoo.datasets.dataset import Part
from zoo.language.families import LIKELIHOODS
from zoo.lowering import Plain, make
from zoo.preparing import restored
from zoo.tasks.contract import Endpoint, Pieces, Task, answers, in_batches

ENOUGH = 1000
"""The mean of so many rows has an error of a thousandth of what the rows differ by."""


class Reconstruction(Task):
    """Rows from their codes. Errors are of prepared values (0..1, or standardised); reconstructions are raw values."""

    metrics: ClassVar = {"mse": "min"}
    guess = "reconstructing the mean for every row"

    @property
    def activation(self) -> str:  # type: ignore[override]
        """The likelihood's: sigmoid for probabilities, none else; any for images, whose values lie in 0..1 as well."""
        images = self.spec.likelihood == "gaussian" and self.description.x.kind in ("image", "video")
        return "" if images else LIKELIHOODS[self.spec.likelihood]

    def targets(self, part: Part, features: np.ndarray) -> np.ndarray | None:
        """The features themselves."""
        return features

    def compiled(self, objective: str = "") -> dict[str, Any]:
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
        answer, raw = self.answer(pieces), self.raw_input()
        name, *told = raw  # the label, in an autoencoder that is told it
        code = pieces.network.get_layer("encoder").outputs[0]

        def encode(**inputs: Any) -> Any:
            labels = [inputs[key] for key in told]
            return self.code(encoded(pieces, pieces.prepare(inputs[name]), *labels))

        def decode(code: Any, **inputs: Any) -> Any:
            return answer(decoded(pieces, code, *inputs.values()))["reconstruction"]

        def serve(**inputs: Any) -> dict[str, Any]:
            labels = {key: inputs[key] for key in told}
            features = pieces.prepare(inputs[name])
            both = encoded(pieces, features, *labels.values())
            code = self.code(both)
            score = self.score(features, decoded(pieces, code, *labels.values()), both)
            return {"reconstruction": decode(code, **labels), "score": score}

        def only(key: str) -> Any:
            return lambda **inputs: {key: serve(**inputs)[key]}

        codes = {"code": (tuple(code.shape), "float32"), **{key: raw[key] for key in told}}
        return {
            "serve": Endpoint(raw, serve),
            "encode": Endpoint(raw, lambda **inputs: {"code": encode(**inputs)}),
            "decode": Endpoint(codes, lambda code, **inputs: {"reconstruction": decode(code, **inputs)}),
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
        names = list(self.raw_input())
        given = [part.x] if self.spec.label is None or part.y is None else [part.x, part.y]
        return answers(lambda *rows: {"mse": serve(**dict(zip(names, rows, strict=True)))["score"]}, *given)

    def naive(self, pieces: Pieces, learned: Part, part: Part) -> dict[str, np.ndarray] | None:
        """`mse` of the mean of the rows that were learned from, or of as many from all over them as are enough."""
        places = np.linspace(0, len(learned) - 1, min(len(learned), ENOUGH)).round().astype(int)
        rows = mapped.some(learned.x, places)
        sums = in_batches(lambda x: np.asarray(pieces.prepare(x)).sum(axis=0, dtype="float64"), rows)
        known = (sum(sums) / len(places)).astype("float32")
        return answers(lambda x: {"mse": self.score(pieces.prepare(x), known, None)}, part.x)

    def figures(self, evidence: Mapping[str, np.ndarray]) -> dict[str, float]:
        """The means of the rows."""
        return {key: float(values.astype("float64").mean()) for key, values in evidence.items()}

    def rows(self, evidence: Mapping[str, np.ndarray], metric: str) -> np.ndarray | None:
        """The score of each row."""
        return evidence[metric].astype("float64") if metric in evidence else None


def encoded(pieces: Pieces, features: Any, *labels: Any) -> Any:
    """What the encoder makes of features, and of the labels where it takes them."""
    encoder = pieces.network.get_layer("encoder")
    return encoder([features, *map(_tensor, labels)] if len(encoder.inputs) > 1 else features, training=False)


def decoded(pieces: Pieces, code: Any, *labels: Any) -> Any:
    """What the decoder makes of a code, and of the labels where it takes them."""
    decoder = pieces.network.get_layer("decoder")
    return decoder([_tensor(code), *map(_tensor, labels)] if len(decoder.inputs) > 1 else code, training=False)


def _tensor(value: Any) -> Any:
    import keras

    return keras.ops.convert_to_tensor(value)
