"""One compiled epoch: a loop inside TensorFlow over the model's own `train_step`, on data that stay in memory.

The loop is ours, the step is Keras's: loss scaling, masks, metrics and all else are what `model.fit` does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.building import Built

VALIDATION_BATCH = 512
"""Rows a step in evaluation; metrics are means over rows, so the size changes nothing but speed."""


Rows = tuple[Any, np.ndarray | None]
"""What the network reads and what it is to answer, arrays of as many rows; the first a tuple of them for several
inputs, the second None where the loss is in the graph."""


def resident(rows: Rows) -> tuple[Any, ...]:
    """Rows as tensors that stay in memory, for `Resident.use`."""
    import keras
    import tensorflow as tf

    x, y = rows
    return tuple(keras.tree.map_structure(tf.constant, (x,) if y is None else (x, y)))


class Resident:
    """The epochs of one built model on data that lie in memory; traced once for rows of a shape, run for every trial.

    `use` says which rows; before it, there is nothing to train on.
    """

    def __init__(self, built: Built, batch_size: int) -> None:
        import keras
        import tensorflow as tf

        self._map = keras.tree.map_structure
        self.model, self.batch_size = built.network, batch_size
        self.rows = 0
        self._train_data: tuple[Any, ...] = ()
        self._validation_data: tuple[Any, ...] = ()
        self._train = tf.function(self._train_epoch)
        self._evaluate = tf.function(self._evaluation)

    def use(self, train: tuple[Any, ...], validation: tuple[Any, ...]) -> None:
        """Train and evaluate on these from now on: both as `resident` gives them."""
        if not self.rows:
            # Keras makes the variables of losses and metrics when it first sees data; a trace must find them made.
            self.model.test_step(self._map(lambda tensor: tensor[:1], train))
        self._train_data, self._validation_data = train, validation
        self.rows = self._rows_of(train)

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

        size, rows_in_all = self.batch_size, self._rows_of(data)
        whole = rows_in_all // size
        for step in tf.range(whole):
            rows = tf.reshape(order[step * size : (step + 1) * size], (size,))
            self.model.train_step(self._map(lambda tensor, rows=rows: tf.gather(tensor, rows), data))
        if rows_in_all % size:
            self.model.train_step(self._map(lambda tensor: tf.gather(tensor, order[whole * size :]), data))
        return self.model.get_metrics_result()

    def _evaluation(self, data: tuple[Any, ...]) -> Any:
        import tensorflow as tf

        for begin in tf.range(0, self._rows_of(data), VALIDATION_BATCH):
            end = begin + VALIDATION_BATCH
            self.model.test_step(self._map(lambda tensor, begin=begin, end=end: tensor[begin:end], data))
        return self.model.get_metrics_result()

    @staticmethod
    def _rows_of(data: Any) -> int:
        import keras

        return int(keras.tree.flatten(data)[0].shape[0])


def _floats(logs: Any) -> dict[str, float]:
    return {key: float(value) for key, value in logs.items()}
