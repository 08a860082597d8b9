"""Which of several classes a row belongs to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from zoo.datasets import mapped
from zoo.datasets.dataset import Part
from zoo.tasks.contract import Endpoint, Pieces, Task

MOST_NAIVE = 50_000_000
"""Of more probabilities (a map, a text of many words) no naive answer is made: it would not fit into memory."""


class Classification(Task):
    """Exactly one class a row: softmax, cross-entropy, accuracy. Serves the label and the probabilities."""

    activation = "softmax"
    metrics: ClassVar = {"accuracy": "max", "f1_macro": "max", "crossentropy": "min"}
    guess = "answering every row alike, by the shares of the classes"

    def targets(self, part: Part, features: np.ndarray) -> np.ndarray | None:
        """The numbers of the classes, shape (rows,)."""
        return None if part.y is None else np.asarray(part.y)

    def compiled(self, objective: str = "") -> dict[str, Any]:
        """Sparse categorical cross-entropy [nats]; Keras finds the logits behind the softmax by itself."""
        import keras

        from zoo.layers.units import MacroF1

        found = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
        found += [MacroF1(self.shape()[-1] or 1)] if objective == "f1_macro" else []
        crossentropy = keras.metrics.SparseCategoricalCrossentropy(name="crossentropy")
        return {"loss": keras.losses.SparseCategoricalCrossentropy(), "metrics": [*found, crossentropy]}

    def trained_on(self, loss: Any) -> Any:
        """The loss of the classes' numbers, whatever Keras computes it of."""
        import keras

        from zoo.layers.answering import OfClasses

        return loss if isinstance(loss, keras.losses.SparseCategoricalCrossentropy) else OfClasses(loss)

    def shape(self) -> tuple[int | None, ...]:
        """A probability for each class."""
        return (len(self.description.classes),)

    def answer(self, pieces: Pieces) -> Any:
        """Probabilities to the label, as the data wrote it, and the probabilities in the order of the labels."""
        import keras

        from zoo.layers.answering import Label

        source = keras.Input(pieces.network.output_shape[1:], name="probabilities")
        told = {"label": Label(list(self.description.classes))(source), pieces.output: keras.layers.Identity()(source)}
        return keras.Model(source, told, name="answer")

    def endpoints(self, pieces: Pieces) -> dict[str, Endpoint]:
        """`serve`: the label and the probabilities."""
        answer = self.answer(pieces)

        def serve(**inputs: Any) -> dict[str, Any]:
            return answer(pieces.network(pieces.prepare(inputs[self.entry]), training=False))

        return {"serve": Endpoint(self.raw_input(), serve)}

    def naive(self, pieces: Pieces, learned: Part, part: Part) -> dict[str, np.ndarray] | None:
        """The shares of the classes among the rows that were learned from, for every row and place.

        A class that none of them has counts as if it had been seen once. None where there are too many places.
        """
        assert part.y is not None and learned.y is not None
        classes = self.shape()[-1] or 1
        if math.prod(part.y.shape) * classes > MOST_NAIVE:
            return None
        each = [np.bincount(some.reshape(-1), minlength=classes) for (some,) in mapped.pieces(learned.y)]
        counts, truth = np.maximum(np.sum(each, axis=0), 1), np.asarray(part.y)
        shares = counts / counts.sum()
        return {"answer": np.broadcast_to(shares.astype("float32"), (*truth.shape, len(shares))), "truth": truth}

    def figures(self, evidence: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Accuracy, macro F1, and cross-entropy [nats]."""
        from sklearn import metrics

        answer, truth = evidence["answer"].astype("float64"), evidence["truth"]
        chosen, known = answer.argmax(axis=1), range(answer.shape[1])
        answer = answer / answer.sum(axis=1, keepdims=True)
        return {
            "accuracy": float(metrics.accuracy_score(truth, chosen)),
            "f1_macro": float(metrics.f1_score(truth, chosen, labels=list(known), average="macro", zero_division=0.0)),
            "crossentropy": float(metrics.log_loss(truth, answer, labels=list(known))),
        }

    def rows(self, evidence: Mapping[str, np.ndarray], metric: str) -> np.ndarray | None:
        """1 where the answer is right; or minus the logarithm of the true class's probability."""
        answer, truth = evidence["answer"], evidence["truth"]
        if metric == "accuracy":
            return (answer.argmax(axis=1) == truth).astype("float64")
        if metric == "crossentropy":
            return -np.log(np.clip(answer[np.arange(len(truth)), truth].astype("float64"), 1e-15, 1.0))
        return None
