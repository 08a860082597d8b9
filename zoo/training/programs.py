"""One compiled epoch: a loop inside TensorFlow over the model's own `train_step`, on blocks of rows.

The loop is ours, the step is Keras's: loss scaling, masks, metrics and all else are what `model.fit` does. Rows that
fit into memory are one block that stays there; others are read block by block, and give the same bits.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np

from zoo.building import Built
from zoo.errors import ZooError
from zoo.lowering import refused

VALIDATION_BATCH, VALIDATION_BYTES = 512, 2**25
"""Rows a step in evaluation, and their bytes, at most; metrics are means over rows: this changes nothing but speed."""

BLOCK = 2**25
"""Bytes of the rows that are read while those before them are at work."""

Rows = tuple[Any, np.ndarray | None]
"""What the network reads and what it is to answer, arrays of as many rows; the first a tuple of them for several
inputs, the second None where the loss is in the graph."""

Tensors = tuple[Any, ...]
"""Rows as the network's steps take them."""


class Source(ABC):
    """The rows of a part, as a program goes through them."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def blocks(self, order: np.ndarray, size: int) -> Iterator[tuple[Tensors, np.ndarray]]:
        """The rows in an order of their indices, in blocks of whole batches of a size, but for the last one.

        Each as tensors, and the order in which the rows of the block are to be taken from them.
        """


class Resident(Source):
    """Rows that lie in memory: all of them are one block."""

    def __init__(self, rows: Rows) -> None:
        self.tensors = _tensors(rows)
        self.count = len(_first(self.tensors))

    def __len__(self) -> int:
        return self.count

    def blocks(self, order: np.ndarray, size: int) -> Iterator[tuple[Tensors, np.ndarray]]:
        """The tensors, and the order as it is."""
        yield self.tensors, order


class Streamed(Source):
    """Rows that do not fit into memory: `read` gives those of some indices; `row` is the bytes that one needs.

    A block is read in the order of the indices, as a disk likes it, on a thread, while the one before it is at work.
    """

    def __init__(self, read: Callable[[np.ndarray], Rows], count: int, row: int) -> None:
        self.read, self.count, self.row = read, count, row

    def __len__(self) -> int:
        return self.count

    def blocks(self, order: np.ndarray, size: int) -> Iterator[tuple[Tensors, np.ndarray]]:
        """So many batches at once as are BLOCK bytes, one at least."""
        rows = size * max(1, BLOCK // (size * self.row))
        begins = range(0, len(order), rows)
        with ThreadPoolExecutor(1, thread_name_prefix="rows") as reading:
            coming = [reading.submit(self._block, order[begin : begin + rows]) for begin in begins[:1]]
            for begin in [*begins[1:], None]:
                block = coming.pop().result()
                if begin is not None:
                    coming.append(reading.submit(self._block, order[begin : begin + rows]))
                yield block

    def _block(self, order: np.ndarray) -> tuple[Tensors, np.ndarray]:
        rows = np.sort(order)
        return _tensors(self.read(rows)), np.searchsorted(rows, order)


class Program:
    """The epochs of one built model; traced once for a size of batches, run for every trial and all rows.

    `use` says which rows; before it, there is nothing to train on.
    """

    def __init__(self, built: Built, batch_size: int) -> None:
        self.model, self.unfolded, self.batch_size = built.network, built.unfolded, batch_size
        self.class_weights = built.class_weights
        self.rows = 0
        self._train_rows: Source | None = None
        self._validation_rows: Source | None = None
        self._steps: dict[int, Any] = {}
        self._evaluation: Any = None
        self._validation_batch = VALIDATION_BATCH
        self._like: Tensors = ()

    def use(self, train: Source, validation: Source) -> None:
        """Train and evaluate on these from now on. Raises `ZooError` if the network cannot be computed on a row."""
        if not self.rows:
            some = next(train.blocks(np.zeros(1, "int32"), 1))[0]
            # Keras makes the variables of losses and metrics when it first sees data; a trace must find them made.
            try:
                self.model.test_step(_map(lambda tensor: tensor[:1], some))
            except Exception as error:  # Keras and TensorFlow raise whatever a layer makes them stumble over
                raise self.refused(error) from error
            self._like = _map(_like, some)
            self._validation_batch = max(1, min(VALIDATION_BATCH, VALIDATION_BYTES // _row_bytes(self._like)))
            self._evaluation = self._compiled_evaluation()
        self._train_rows, self._validation_rows = train, validation
        self.rows = len(train)

    def refused(self, error: Exception) -> ZooError:
        """What could not be computed, at the line of the layer."""
        return refused(error, self.unfolded)

    def train(self, order: np.ndarray) -> dict[str, float]:
        """Train on all rows in an order of their indices, in batches; the last batch may be smaller, as in `fit`."""
        assert self._train_rows is not None, "`use` says which rows"
        self.model.reset_metrics()
        logs = {}
        for data, rows in self._train_rows.blocks(np.asarray(order, "int32"), self.batch_size):
            whole = len(rows) // self.batch_size * self.batch_size
            for size, some in ((self.batch_size, rows[:whole]), (len(rows) - whole, rows[whole:])):
                if len(some):
                    if size not in self._steps:
                        self._steps[size] = self._compiled_steps(size)
                    logs = self._steps[size](data, np.asarray(some, "int32"))
        return _floats(logs)

    def evaluate(self) -> dict[str, float]:
        """The validation part's metrics, with `val_` before their names."""
        assert self._validation_rows is not None, "`use` says which rows"
        self.model.reset_metrics()
        logs = {}
        order = np.arange(len(self._validation_rows))
        for data, _ in self._validation_rows.blocks(order, self._validation_batch):
            logs = self._evaluation(data)
        return {f"val_{key}": value for key, value in _floats(logs).items()}

    def _compiled_steps(self, size: int) -> Any:
        """Train on batches of a size, which take their rows from tensors of as many rows as there are, in an order."""
        import tensorflow as tf

        model, weights = self.model, tf.constant(self.class_weights or (1.0,), tf.float32)

        def weighed(data: Tensors) -> Tensors:  # as `fit(class_weight=...)` does it
            x, y = data
            return x, y, tf.gather(weights, tf.reshape(tf.cast(y, tf.int32), (-1,)))

        @tf.function(input_signature=(self._like, tf.TensorSpec((None,), tf.int32)))
        def steps(data: Tensors, order: Any) -> Any:
            for step in tf.range(tf.shape(order)[0] // size):
                rows = tf.reshape(order[step * size : (step + 1) * size], (size,))
                batch = _map(partial(tf.gather, indices=rows), data)
                model.train_step(weighed(batch) if self.class_weights else batch)
            return model.get_metrics_result()

        return steps

    def _compiled_evaluation(self) -> Any:
        """Evaluate on all rows of tensors, in batches."""
        import tensorflow as tf

        model, size = self.model, self._validation_batch

        @tf.function(input_signature=(self._like,))
        def steps(data: Tensors) -> Any:
            for begin in tf.range(0, tf.shape(_first(data))[0], size):
                batch = slice(begin, begin + size)
                model.test_step(_map(itemgetter(batch), data))
            return model.get_metrics_result()

        return steps


def bytes_of(rows: Rows) -> int:
    """The bytes of all arrays of some rows."""
    import keras

    return sum(array.nbytes for array in keras.tree.flatten(rows) if array is not None)


def _floats(logs: Any) -> dict[str, float]:
    return {key: float(value) for key, value in logs.items()}


def _tensors(rows: Rows) -> Tensors:
    import tensorflow as tf

    x, y = rows
    return _map(tf.constant, (x,) if y is None else (x, y))


def _like(tensor: Any) -> Any:
    """What tensors of other rows have in common with this one."""
    import tensorflow as tf

    return tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype)


def _row_bytes(like: Tensors) -> int:
    import keras

    return sum(math.prod(one.shape[1:]) * one.dtype.size for one in keras.tree.flatten(like))


def _first(data: Tensors) -> Any:
    import keras

    return keras.tree.flatten(data)[0]


def _map(function: Callable[[Any], Any], data: Any) -> Any:
    import keras

    return keras.tree.map_structure(function, data)
