"""Which rows train, which validate and which test: by a hash of the row, stratified, or by time."""

from __future__ import annotations

import hashlib

import numpy as np

from zoo.datasets.mapped import Array


def keys(x: Array) -> np.ndarray:
    """A hash of what each row holds; equal rows have one."""
    hashes = (hashlib.sha256((row + 0).tobytes()).digest() for row in x)  # + 0: -0.0 is equal to 0.0
    return np.fromiter((int.from_bytes(one[:8], "big") for one in hashes), "uint64", len(x))


def by_hash(keys: np.ndarray, y: Array | None, share: float, stratify: bool) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into (kept, held out): the `share` of rows, of each class if `stratify`, whose `keys` come first.

    The split depends on what the rows hold, never on their order in the file; rows that are equal stay together, so
    that no copy of a training row is held out. A class of one row is kept whole.
    """
    taken = []
    for group in _groups(len(keys), y, stratify):
        chosen = np.unique(keys[group])
        taken.append(chosen[: max(1, round(share * len(chosen))) if len(chosen) > 1 else 0])
    held = np.isin(keys, np.concatenate(taken))
    return np.flatnonzero(~held), np.flatnonzero(held)


def in_folds(keys: np.ndarray, y: Array | None, folds: int, stratify: bool) -> np.ndarray:
    """The fold of each row, 0 to `folds` - 1: rows are dealt out by their `keys`, those of a class if `stratify`.

    As in `by_hash`, the fold of a row depends on what the rows hold, and rows that are equal stay together.
    """
    dealt = np.zeros(0, keys.dtype)
    for group in _groups(len(keys), y, stratify):
        dealt = np.concatenate([dealt, np.setdiff1d(keys[group], dealt)])
    sorting = np.argsort(dealt)
    return sorting[np.searchsorted(dealt, keys, sorter=sorting)] % folds


def _groups(rows: int, y: Array | None, stratify: bool) -> list[np.ndarray]:
    """The rows of each class, or all of them."""
    return [np.flatnonzero(y == label) for label in np.unique(y)] if stratify and y is not None else [np.arange(rows)]


def by_time(rows: int, share: float, gap: int) -> tuple[np.ndarray, np.ndarray]:
    """Split rows in their order into (earlier, later): the last `share`, and `gap` rows between that belong to neither.

    The gap keeps windows that share target values from standing on both sides.
    """
    cut = rows - max(1, round(share * rows))
    return np.arange(max(cut - gap, 0)), np.arange(max(cut, 0), rows)
