"""One compiled epoch: a loop inside TensorFlow over the model's own `train_step`, on data that stay in memory.

The loop is ours, the step is Keras's: loss scaling, masks, metrics and all else are what `model.fit` does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.building import Built

VALIDATION_BATCH = 512
"""Rows a step in evaluation; metrics are means over rows, so the size changes nothing but speed."""


class Resident:
    """The epochs of one built model on one data set that lies in memory; traced once, run for every trial.

    `train`, `validation`: what the network reads and what it is to answer, arrays of as many rows; the first a tuple
    of them for several inputs, the second None where the loss is in the graph.
    """

    def __init__(
        self,
        built: Built,
        train: tuple[Any, np.ndarray | None],
        validation: tuple[Any, np.ndarray | None],
        batch_size: int,
    ) -> None:
        import keras
        import tensorflow as tf

        self._map = keras.tree.map_structure
        self.model, self.batch_size = built.network, batch_size
        self.rows = len(keras.tree.flatten(train[0])[0])
        self._train_data = self._tensors(*train)
        self._validation_data = self._tensors(*validation)
        # Keras makes the variables of losses and metrics when it first sees data; a trace must find them made.
        self.model.test_step(self._map(lambda tensor: tensor[:1], self._train_data))
        self._train = tf.function(self._train_epoch)
        self._evaluate = tf.function(self._evaluation)

    def _tensors(self, x: Any, y: np.ndarray | None) -> tuple[Any, ...]:
        import tensorflow as tf

        found = self._map(tf.constant, (x,) if y is None else (x, y))
        return tuple(found)

    def train(self, order: np.ndarray) -> dict[str, float]:
        """Train on all rows in an order of their indices, in batches; the last batch may be smaller, as in `fit`."""
        self.model.reset_metrics()
        return _floats(self._train(self._train_data, np.asarray(order, "int32")))

    def evaluate(self) -> dict[str, float]:
        """The validation part's metrics, with `val_` before their names."""
        self.model.reset_metrics()
        return {f"val_{key}": value for key, value in _floats(self._evaluate(self._validation_data)).items()}

    def _train_epoch(self, data: tuple[Any, ...], order: Any) -> Any:
        import tensorflow as tf

        size = self.batch_size
        whole = self.rows // size
        for step in tf.range(whole):
            rows = tf.reshape(order[step * size : (step + 1) * size], (size,))
            self.model.train_step(self._map(lambda tensor, rows=rows: tf.gather(tensor, rows), data))
        if self.rows % size:
            self.model.train_step(self._map(lambda tensor: tf.gather(tensor, order[whole * size :]), data))
        return self.model.get_metrics_result()

    def _evaluation(self, data: tuple[Any, ...]) -> Any:
        rows = self._rows_of(data)
        for begin in range(0, rows, max(VALIDATION_BATCH, -(-rows // 8))):
            end = begin + max(VALIDATION_BATCH, -(-rows // 8))
            self.model.test_step(self._map(lambda tensor, begin=begin, end=end: tensor[begin:end], data))
        return self.model.get_metrics_result()

    @staticmethod
    def _rows_of(data: Any) -> int:
        import keras

        return int(keras.tree.flatten(data)[0].shape[0])


def _floats(logs: Any) -> dict[str, float]:
    return {key: float(value) for key, value in logs.items()}
