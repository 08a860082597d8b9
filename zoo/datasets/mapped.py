"""Rows that stay in their file: read when they are asked for, some at a time, and changed while they are read."""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from zoo.errors import ZooError

PIECE = 2**22
"""Numbers that are looked at together where all rows are: 32 MiB as doubles."""

TOUCHED, AROUND = 2**28, 2**21
"""Bytes of a file after which its pages are let go, and those that the system may map around a row that is read."""

Step = Callable[[np.ndarray], np.ndarray]
"""A change of rows that asks each row alone, whichever others are beside it."""


class Mapped:
    """The rows of a mapped file, or some of them in an order, as an array that holds none.

    An index reads, and gives what an array would; `at` and `then` read nothing. Another process gets the file's name.
    """

    def __init__(self, file: _File, index: np.ndarray | None = None, steps: Sequence[Step] = ()) -> None:
        self._file, self._index, self._steps = file, index, tuple(steps)
        like = self._changed(file.array[:0])
        rows = len(file.array) if index is None else len(index)
        self.shape: tuple[int, ...] = (rows, *like.shape[1:])
        self.dtype: np.dtype = like.dtype

    @property
    def ndim(self) -> int:
        """The number of dimensions, the rows' own among them."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes that the rows take where they are read."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        first, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        if isinstance(first, (int, np.integer)):
            return self[[first], *rest][0]
        if self._index is not None:
            first = self._index[first]
        found = self._changed(self._file.read(first))
        return found[:, *rest] if rest else found

    def __iter__(self) -> Iterator[Any]:
        for (piece,) in pieces(self):
            yield from piece

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype)

    def at(self, index: np.ndarray) -> Mapped:
        """These rows alone, in this order."""
        index = np.asarray(index) if self._index is None else self._index[index]
        return Mapped(self._file, index.astype(np.min_scalar_type(len(self._file.array))), self._steps)

    def then(self, step: Step) -> Mapped:
        """The rows with a change that is made when they are read."""
        return Mapped(self._file, self._index, (*self._steps, step))

    def before(self, others: Mapped) -> Mapped:
        """These rows, and then other ones of the same file that are read alike."""
        both = [np.arange(len(one)) if one._index is None else one._index for one in (self, others)]
        return Mapped(self._file, np.concatenate(both), self._steps)

    def _changed(self, rows: np.ndarray) -> np.ndarray:
        for step in self._steps:
            rows = step(rows)
        return rows

    def __repr__(self) -> str:
        return f"<{len(self):,} rows of {self._file.path}>"


class _File:
    """An array that is mapped from a file, and where it lies there, so that another process maps the same."""

    def __init__(self, root: np.memmap, array: np.ndarray) -> None:
        begin, here = (one.__array_interface__["data"][0] for one in (root, array))
        self.path, self.size = str(root.filename), os.path.getsize(str(root.filename))
        self.offset = root.offset + here - begin
        self.map: Any = root.base
        self.array, self.touched = np.asarray(array), 0

    def read(self, key: Any) -> np.ndarray:
        """Some of the rows. What was read is the system's to keep, and counts no longer as this process's memory."""
        found = self.array[key]
        self.touched += found.nbytes if isinstance(key, slice) else len(found) * AROUND
        if self.touched > TOUCHED and hasattr(mmap, "MADV_DONTNEED"):
            self.touched = 0
            self.map.madvise(mmap.MADV_DONTNEED)
        return found

    def __getstate__(self) -> dict[str, Any]:
        array = self.array
        like = {"shape": array.shape, "dtype": array.dtype, "strides": array.strides}
        return {"path": self.path, "size": self.size, "offset": self.offset, "like": like}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Map the array anew. Raises `ZooError` if the file is not there, or is another."""
        like = state.pop("like")
        vars(self).update(state, touched=0)
        try:
            there = os.path.getsize(self.path) == self.size
            root = np.memmap(self.path, mode="r") if there else None
        except OSError:
            root = None
        if root is None:
            raise ZooError(
                f"{self.path} is not there as it was; expected the rows of a study under the same path wherever its "
                "trials run, unchanged"
            )
        self.map = root.base
        self.array = np.ndarray(buffer=root, offset=self.offset, **like)


Array = np.ndarray | Mapped
"""Rows, in memory or in their file."""


def mapped(array: np.ndarray) -> Array:
    """An array as it is; if it lies in a mapped file, as rows that stay there.

    Rows of one number, which may be labels, are read, and so is what no other process could map.
    """
    root: Any = array
    while isinstance(root.base, np.ndarray):
        root = root.base
    if not isinstance(root, np.memmap):
        return array
    if array.ndim < 2 or array[:1].size <= 1 or root.mode == "c" or not os.path.isfile(root.filename or ""):
        return np.array(array)
    return Mapped(_File(root, array))


def each(step: Step, rows: Array) -> Array:
    """Rows with a change of each: now, or when they are read."""
    return rows.then(step) if isinstance(rows, Mapped) else step(rows)


def some(rows: Array, index: np.ndarray) -> Array:
    """Some of the rows, in an order; those of a file stay there."""
    return rows.at(index) if isinstance(rows, Mapped) else rows[index]


def joined(first: Array, second: Array) -> Array:
    """The rows of two parts of the same data, one after the other."""
    if isinstance(first, Mapped) and isinstance(second, Mapped):
        return first.before(second)
    return np.concatenate([first, second])


def pieces(*arrays: Array) -> Iterator[tuple[np.ndarray, ...]]:
    """Arrays of as many rows, some rows of each at a time, in order: as many wherever they lie."""
    numbers = sum(math.prod(array.shape[1:]) for array in arrays)
    size = max(1, PIECE // max(numbers, 1))
    for begin in range(0, len(arrays[0]), size):
        yield tuple(np.asarray(array[begin : begin + size]) for array in arrays)
