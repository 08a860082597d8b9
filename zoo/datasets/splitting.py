"""Which rows train, which validate and which test: by a hash of the row, stratified, or by time."""

from __future__ import annotations

import hashlib

import numpy as np


def by_hash(x: np.ndarray, y: np.ndarray | None, share: float, stratify: bool) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into (kept, held out): the `share` of rows, of each class if `stratify`, whose hashes come first.

    The split depends on what the rows hold, never on their order in the file; rows that are equal stay together, so
    that no copy of a training row is held out. A class of one row is kept whole.
    """
    keys = np.array([hashlib.sha256((row + 0).tobytes()).digest()[:8] for row in x])  # + 0: -0.0 is equal to 0.0
    held = np.zeros(len(x), bool)
    groups = (
        [np.flatnonzero(y == label) for label in np.unique(y)] if stratify and y is not None else [np.arange(len(x))]
    )
    taken: set[bytes] = set()
    for group in groups:
        chosen = sorted({keys[row] for row in group})
        wanted = max(1, round(share * len(chosen))) if len(chosen) > 1 else 0
        taken.update(chosen[:wanted])
    for row, key in enumerate(keys):
        held[row] = key in taken
    return np.flatnonzero(~held), np.flatnonzero(held)


def by_time(rows: int, share: float, gap: int) -> tuple[np.ndarray, np.ndarray]:
    """Split rows in their order into (earlier, later): the last `share`, and `gap` rows between that belong to neither.

    The gap keeps windows that share target values from standing on both sides.
    """
    cut = rows - max(1, round(share * rows))
    return np.arange(max(cut - gap, 0)), np.arange(max(cut, 0), rows)
