"""Labels beyond one class a row: yes or no, several at once, one for each pixel, one for each step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from zoo.datasets import mapped
from zoo.datasets.dataset import Part
from zoo.tasks.classification import Classification
from zoo.tasks.contract import Pieces, Task


class Binary(Classification):
    """Yes or no: a sigmoid, binary cross-entropy, the area under the curve. Serves the label and its probabilities."""

    activation = "sigmoid"
    metrics: ClassVar = {"auc": "max", "accuracy": "max", "crossentropy": "min"}
    guess = "answering every row alike, by the shares of the labels"

    def naive(self, pieces: Pieces, learned: Part, part: Part) -> dict[str, np.ndarray] | None:
        """The share of each label among the rows that were learned from, for every row."""
        assert part.y is not None
        assert learned.y is not None
        each = [some.reshape(len(some), -1).sum(axis=0, dtype="int64") for (some,) in mapped.pieces(learned.y)]
        shares = np.sum(each, axis=0) / len(learned)
        return {"answer": np.tile(shares.astype("float32"), (len(part), 1)), "truth": np.asarray(part.y)}

    def targets(self, part: Part, features: np.ndarray) -> np.ndarray | None:
        """0 or 1 for each label, (rows, labels)."""
        assert part.y is not None
        return np.asarray(part.y).reshape(len(part.y), -1)

    def compiled(self, objective: str = "") -> dict[str, Any]:
        """Binary cross-entropy [nats]."""
        import keras

        found = [keras.metrics.AUC(name="auc"), keras.metrics.BinaryAccuracy(name="accuracy")]
        crossentropy = keras.metrics.BinaryCrossentropy(name="crossentropy")
        return {"loss": keras.losses.BinaryCrossentropy(), "metrics": [*found, crossentropy]}

    def trained_on(self, loss: Any) -> Any:
        """The loss as it is."""
        return loss

    def shape(self) -> tuple[int | None, ...]:
        """The probability of the second label."""
        return (1,)

    def answer(self, pieces: Pieces) -> Any:
        """The probability to the label, as the data wrote it, and the probability itself."""
        import keras

        from zoo.layers.answering import Label

        source = keras.Input(pieces.network.output_shape[1:], name="probabilities")
        both = keras.layers.Concatenate()([keras.layers.Rescaling(-1.0, 1.0)(source), source])
        told = {"label": Label(list(self.description.classes))(both), pieces.output: keras.layers.Identity()(source)}
        return keras.Model(source, told, name="answer")

    def figures(self, evidence: Mapping[str, np.ndarray]) -> dict[str, float]:
        """The area under the receiver operating characteristic, accuracy, and cross-entropy [nats]."""
        from sklearn import metrics

        answer, truth = evidence["answer"].astype("float64").reshape(-1), evidence["truth"].reshape(-1)
        return {
            "auc": float(metrics.roc_auc_score(truth, answer)) if len(np.unique(truth)) > 1 else float("nan"),
            "accuracy": float(metrics.accuracy_score(truth, answer > 0.5)),
            "crossentropy": float(metrics.log_loss(truth, answer, labels=[0, 1])),
        }

    def rows(self, evidence: Mapping[str, np.ndarray], metric: str) -> np.ndarray | None:
        """1 where the answer is right; or minus the logarithm of the truth's probability, its mean over the labels."""
        answer, truth = evidence["answer"].astype("float64"), evidence["truth"].reshape(evidence["answer"].shape)
        if metric == "accuracy":
            return ((answer > 0.5) == truth).mean(axis=1)
        if metric == "crossentropy":
            right = np.where(truth == 1, answer, 1 - answer)
            return -np.log(np.clip(right, 1e-15, 1.0)).mean(axis=1)
        return None


class Multilabel(Binary):
    """Any number of labels a row: a sigmoid for each. Serves the probabilities in the order of the labels."""

    def compiled(self, objective: str = "") -> dict[str, Any]:
        """Binary cross-entropy [nats], averaged over the labels."""
        import keras

        auc = keras.metrics.AUC(name="auc", multi_label=True, num_labels=len(self.description.classes))
        crossentropy = keras.metrics.BinaryCrossentropy(name="crossentropy")
        return {
            "loss": keras.losses.BinaryCrossentropy(),
            "metrics": [auc, keras.metrics.BinaryAccuracy(name="accuracy"), crossentropy],
        }

    def shape(self) -> tuple[int | None, ...]:
        """A probability for each label."""
        return (len(self.description.classes),)

    def answer(self, pieces: Pieces) -> Any:
        """The probabilities as they are."""
        import keras

        source = keras.Input(pieces.network.output_shape[1:], name="probabilities")
        return keras.Model(source, {pieces.output: keras.layers.Identity()(source)}, name="answer")

    def figures(self, evidence: Mapping[str, np.ndarray]) -> dict[str, float]:
        """The area under the curve, averaged over the labels that occur; accuracy and cross-entropy [nats] of all."""
        from sklearn import metrics

        answer, truth = evidence["answer"].astype("float64"), evidence["truth"]
        told = [column for column in range(truth.shape[1]) if len(np.unique(truth[:, column])) > 1]
        areas = [metrics.roc_auc_score(truth[:, column], answer[:, column]) for column in told]
        return {
            "auc": float(np.mean(areas)) if areas else float("nan"),
            "accuracy": float(((answer > 0.5) == truth).mean()),
            "crossentropy": float(self._crossentropy(evidence)),
        }

    def _crossentropy(self, evidence: Mapping[str, np.ndarray]) -> float:
        rows = self.rows(evidence, "crossentropy")
        assert rows is not None
        return float(rows.mean())


class _Everywhere(Classification):
    """One class at each place of a map or sequence: what classification does, at every place."""

    def figures(self, evidence: Mapping[str, np.ndarray]) -> dict[str, float]:
        """The figures over all places."""
        answer, truth = evidence["answer"], evidence["truth"].reshape(-1)
        return super().figures({"answer": answer.reshape(-1, answer.shape[-1]), "truth": truth})

    def rows(self, evidence: Mapping[str, np.ndarray], metric: str) -> np.ndarray | None:
        """The mean over the places of a row."""
        answer, truth = evidence["answer"], evidence["truth"]
        flat = {"answer": answer.reshape(-1, answer.shape[-1]), "truth": truth.reshape(-1)}
        found = super().rows(flat, metric)
        return None if found is None else found.reshape(len(truth), -1).mean(axis=1)


class Segmentation(_Everywhere):
    """A class for each pixel; judged by the mean over the classes of intersection over union."""

    metrics: ClassVar = {"mean_iou": "max", "accuracy": "max", "crossentropy": "min"}
    guess = "answering every pixel alike, by the shares of the classes"

    def compiled(self, objective: str = "") -> dict[str, Any]:
        """Sparse categorical cross-entropy [nats], averaged over the pixels."""
        import keras

        found = super().compiled(objective)
        iou = keras.metrics.MeanIoU(len(self.description.classes), sparse_y_pred=False, name="mean_iou")
        return {**found, "metrics": [iou, *found["metrics"]]}

    def shape(self) -> tuple[int | None, ...]:
        """The image's map, a probability for each class."""
        return (*self.description.x.shape[:2], len(self.description.classes))

    def figures(self, evidence: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Mean intersection over union of the classes that occur, accuracy, macro F1, and cross-entropy [nats]."""
        from sklearn import metrics

        answer, truth = evidence["answer"], evidence["truth"].reshape(-1)
        chosen = answer.reshape(-1, answer.shape[-1]).argmax(axis=1)
        iou = metrics.jaccard_score(truth, chosen, average="macro", zero_division=0.0)
        return {"mean_iou": float(iou), **super().figures(evidence)}


class Language(_Everywhere):
    """The next token at each step. Serves the likeliest one and the probabilities."""

    metrics: ClassVar = {"crossentropy": "min", "accuracy": "max"}
    guess = "answering every step alike, by the shares of the tokens"

    def shape(self) -> tuple[int | None, ...]:
        """A probability for each token of the vocabulary, at each step."""
        vocabulary = next(iter(self.spec.inputs.values()))["vocabulary"]
        return (self.spec.shape[0], vocabulary)

    def answer(self, pieces: Pieces) -> Any:
        """The likeliest token at each step, and the probabilities."""
        import keras

        from zoo.layers.answering import Label

        source = keras.Input(pieces.network.output_shape[1:], name="probabilities")
        tokens = list(range(self.shape()[-1] or 1))
        told = {"label": Label(tokens)(source), pieces.output: keras.layers.Identity()(source)}
        return keras.Model(source, told, name="answer")

    def figures(self, evidence: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Cross-entropy a token [nats], perplexity (its exponential), and accuracy."""
        rows = {metric: self.rows(evidence, metric) for metric in ("crossentropy", "accuracy")}
        told = {metric: float(np.mean(found)) for metric, found in rows.items() if found is not None}
        return {"crossentropy": told["crossentropy"], "perplexity": float(np.exp(told["crossentropy"])), **told}


LABELLING: dict[str, type[Task]] = {
    "binary": Binary,
    "multilabel": Multilabel,
    "segmentation": Segmentation,
    "language": Language,
}
"""The tasks of this room by name."""
