"""Numbers to predict: some a row, or the next steps of a series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from zoo.datasets import mapped
from zoo.datasets.dataset import Part
from zoo.datasets.description import Field, deviations
from zoo.tasks.contract import Endpoint, Pieces, Task


def _scale(field: Field) -> np.ndarray:
    """Standard deviations by feature; 1 where a feature never varies."""
    return np.asarray(deviations(field, "the targets"), "float32")


def _mean(field: Field) -> np.ndarray:
    """Means by feature."""
    return np.asarray(field.mean, "float32")


class Regression(Task):
    """Numbers a row, learned standardised (by the training part), told in the data's own units."""

    metrics: ClassVar = {"mae": "min", "mse": "min"}

    @property
    def guess(self) -> str:  # type: ignore[override]
        """In words, what `naive` answers."""
        return "repeating the last step" if self.relative else "answering the mean for every row"

    def naive(self, pieces: Pieces, learned: Part, part: Part) -> dict[str, np.ndarray] | None:
        """The mean of the rows that were learned from; of changes none at all, which is the last step again."""
        assert part.y is not None and learned.y is not None
        truth = np.asarray(part.y)
        known: Any = (
            np.asarray(part.x[:, -1:])
            if self.relative
            else sum(some.sum(axis=0, dtype="float64") for (some,) in mapped.pieces(learned.y)) / len(learned)
        )
        return {"answer": np.broadcast_to(known.astype("float32"), truth.shape), "truth": truth}

    @property
    def target(self) -> Field:
        """The description of what is predicted."""
        assert self.description.y is not None
        return self.description.y

    def targets(self, part: Part, features: np.ndarray) -> np.ndarray | None:
        """Standardised targets, (rows, targets)."""
        assert part.y is not None
        return ((part.y - self._base(part.x) - _mean(self.target)) / _scale(self.target)).astype("float32")

    def compiled(self, objective: str = "") -> dict[str, Any]:
        """Mean squared error of the standardised targets; the metrics are in the data's units."""
        import keras

        from zoo.layers.units import ErrorInUnits

        found = [ErrorInUnits(error, _scale(self.target).tolist()) for error in self.metrics]
        return {"loss": keras.losses.MeanSquaredError(), "metrics": found}

    def shape(self) -> tuple[int | None, ...]:
        """The targets' shape: (targets,), or (horizon, features)."""
        return self.target.shape

    def answer(self, pieces: Pieces) -> Any:
        """Standardised predictions to the data's units; changes also read the last step that they are relative to."""
        import keras

        source = keras.Input(pieces.network.output_shape[1:], name="standardised")
        units = keras.layers.Rescaling(_scale(self.target).tolist(), _mean(self.target).tolist())(source)
        if not self.relative:
            return keras.Model(source, {pieces.output: units}, name="answer")
        last = keras.Input((1, self.target.shape[-1]), name="last")
        return keras.Model([source, last], {pieces.output: keras.layers.Add()([units, last])}, name="answer")

    def endpoints(self, pieces: Pieces) -> dict[str, Endpoint]:
        """`serve`: the predictions in the data's units."""
        import keras

        answer = self.answer(pieces)

        def serve(**inputs: Any) -> dict[str, Any]:
            raw = keras.ops.convert_to_tensor(inputs[self.entry])
            found = pieces.network(pieces.prepare(raw), training=False)
            return answer([found, self._base(raw)] if self.relative else found)

        return {"serve": Endpoint(self.raw_input(), serve)}

    @property
    def relative(self) -> bool:
        """Whether the predictions are changes since the last step of a row."""
        return False

    def _base(self, raw: Any) -> Any:
        """What predictions are relative to: nothing."""
        return 0.0

    def figures(self, evidence: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Mean absolute and mean squared error and R2, averaged over the targets."""
        from sklearn import metrics

        answer, truth = (evidence[key].reshape(len(evidence[key]), -1).astype("float64") for key in ("answer", "truth"))
        return {
            "mae": float(metrics.mean_absolute_error(truth, answer)),
            "mse": float(metrics.mean_squared_error(truth, answer)),
            "r2": float(metrics.r2_score(truth, answer)) if len(truth) > 1 else float("nan"),
        }

    def rows(self, evidence: Mapping[str, np.ndarray], metric: str) -> np.ndarray | None:
        """The error of each row, averaged over its targets."""
        error = (evidence["answer"] - evidence["truth"]).reshape(len(evidence["truth"]), -1).astype("float64")
        return {"mae": np.abs(error).mean(axis=1), "mse": np.square(error).mean(axis=1)}.get(metric)


class Forecasting(Regression):
    """The next steps of a series, learned as changes since the last step that was read.

    Targets and predictions: (rows, horizon, features).
    """

    @property
    def target(self) -> Field:
        """The description of the changes, or of the values where the targets are other features than the inputs."""
        assert self.description.y is not None
        return self.description.y_change or self.description.y

    @property
    def relative(self) -> bool:
        """Where the targets go on where the rows end."""
        return self.description.y_change is not None

    def _base(self, raw: Any) -> Any:
        """The last step of each row, (rows, 1, features)."""
        return raw[:, -1:] if self.relative else 0.0
