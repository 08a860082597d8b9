"""What data are, without the data: kinds, shapes, classes, statistics of the training part. JSON both ways."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from zoo.datasets.mapped import Array, pieces
from zoo.errors import ZooError

KINDS = {7: "array", 6: "array", 5: "array", 4: "video", 3: "image", 2: "sequence", 1: "table"}
"""What rows are, by their rank."""


@dataclass(frozen=True)
class Field:
    """One array of the data, described: its kind, the shape of a row, its type, and statistics of the training part.

    `mean` and `variance` are per feature (the last axis), over rows and steps; `minimum` and `maximum` over all.
    `lowest` and `highest` are those of all parts of the data, for each column of a table, else one for all.
    """

    kind: str
    shape: tuple[int, ...]
    dtype: str
    minimum: float
    maximum: float
    mean: tuple[float, ...]
    variance: tuple[float, ...]
    lowest: tuple[float, ...] = ()
    highest: tuple[float, ...] = ()


@dataclass(frozen=True)
class Description:
    """The data of a study: `x`, `y` (None where there are no targets), task, labels, rows of each part, order, hash.

    `classes` are the labels in the order of the network's outputs: as many texts or numbers as there are classes.
    `order` is `rows` (exchangeable) or `time`. `x_change` and `y_change` describe the changes since the last step of a
    row, where the targets go on where the row ends: a series with a trend leaves its past range, its changes do not.
    `fingerprint` is a hash of all arrays, so that a study is known by it.
    """

    name: str
    x: Field
    y: Field | None
    task: str
    classes: tuple[Any, ...]
    rows: Mapping[str, int]
    order: str
    x_change: Field | None
    y_change: Field | None
    fingerprint: str
    counts: tuple[int, ...] = ()
    """How many rows to train each class has, where each row has one."""

    def written(self) -> dict[str, Any]:
        """The description as JSON holds it."""
        return asdict(self)

    @property
    def said(self) -> str:
        """The data in a few words, for people: `images 8 x 8 x 1, 10 classes, 1,078 rows to train`."""
        return self.said_as(self.x.kind)

    def said_as(self, kind: str) -> str:
        """The same for a spec that reads rows of a kind: whole numbers may be tokens."""
        sizes = " x ".join(map(str, self.x.shape))
        what = {kind: f"{kind}s {sizes}" for kind in ("image", "video")}
        what["sequence"] = f"sequences of {self.x.shape[0]} steps"
        rows = f"rows of {self.x.shape[-1]} tokens" if kind == "tokens" else f"a table of {self.x.shape[-1]} columns"
        fields = what.get(self.x.kind, rows)
        if self.x.kind == "sequence":
            fields += f" of {self.x.shape[-1]} features"
        goal = f"{len(self.classes)} classes" if self.classes else self.task
        return f"{fields}, {goal}, {self.rows['train']:,} rows to train"

    @property
    def doubt(self) -> str:
        """What the targets may be meant as instead, as a sentence; an empty text where there is no doubt."""
        numbers = bool(self.classes) and all(isinstance(one, int) for one in self.classes)
        if numbers and len(self.classes) >= MANY_CLASSES and self.rows["train"] < FEW_EACH * len(self.classes):
            many = f"{self.name} has {len(self.classes)} different targets for {self.rows['train']:,} rows to train"
            point = "whole numbers are classes; if they are numbers to predict, give them a point: y.astype(float)"
            return f"{many}: {point}"
        y = self.y if self.task == "regression" else None
        if y is None or (y.minimum, y.maximum) != (0, 1):
            return ""
        if any(abs(spread - mean * (1 - mean)) > 1e-6 for mean, spread in zip(y.mean, y.variance, strict=True)):
            return ""  # of 0 and 1 alone, the mean says what the variance is
        taken = f"the targets of {self.name} are 0 and 1 with a point, which are numbers to predict"
        return f"{taken}; if they are classes, make them whole: y.astype(int)"


MANY_CLASSES, FEW_EACH = 20, 5
"""So many whole numbers, of which so few rows have each, may be no classes."""


def read(written: Mapping[str, Any]) -> Description:
    """A description from its JSON."""
    fields = {key: _field(written[key]) if written[key] else None for key in ("x", "y", "x_change", "y_change")}
    return Description(
        **{**written, **fields, "classes": tuple(written["classes"]), "counts": tuple(written.get("counts", ()))}
    )


def _field(written: Mapping[str, Any]) -> Field:
    lists = {key: tuple(written.get(key, ())) for key in ("shape", "mean", "variance", "lowest", "highest")}
    return Field(**{**written, **lists})


def field(rows: Array, kind: str) -> Field:
    """Describe the rows of a training part; raises `ZooError` for values that are not finite."""
    return field_of((piece for (piece,) in pieces(rows)), kind)


def field_of(found: Iterable[np.ndarray], kind: str) -> Field:
    """Describe rows that come some at a time, as they are put together: as `field` does.

    Means and variances of the pieces are combined as in Chan, Golub & LeVeque 1983: one reading, and no number is lost
    to a large mean.
    """
    rows = bad = 0
    mean = squares = np.zeros(())
    lows, highs = [], []
    shape: tuple[int, ...] = ()
    dtype = ""
    for piece in found:
        numbers = piece.astype("float64")
        bad, rows = bad + not_finite(numbers), rows + len(piece)
        if bad:
            continue
        shape, dtype = tuple(piece.shape[1:]), piece.dtype.name
        flat = numbers.reshape(len(piece), -1) if kind == "table" and numbers.ndim > 2 else numbers
        lows.append(float(flat.min()))
        highs.append(float(flat.max()))
        own, variance = _moments(flat)
        share, change = len(piece) / rows, own - mean
        mean = mean + share * change if rows > len(piece) else own
        squares = squares * (1 - share) + share * (variance + (1 - share) * change**2)
    if bad:
        raise ZooError(f"{bad:,} of {rows:,} rows hold NaN or infinity; expected numbers: fill or drop them first")
    by_feature = [tuple(np.atleast_1d(one).tolist()) for one in (mean, squares)]
    return Field(kind, shape, dtype, min(lows), max(highs), *by_feature)


def spanned(found: Field, parts: Iterable[Array]) -> Field:
    """A field with what lies lowest and highest in all parts of the data: ids, which are no statistics."""
    axis = 0 if found.kind == "table" and len(found.shape) == 1 else None
    ends = [
        [np.atleast_1d(piece.min(axis=axis)), np.atleast_1d(piece.max(axis=axis))]
        for part in parts
        for (piece,) in pieces(part)
    ]
    lows, highs = zip(*ends, strict=True)
    lowest, highest = np.min(lows, axis=0).tolist(), np.max(highs, axis=0).tolist()
    return replace(found, lowest=tuple(map(float, lowest)), highest=tuple(map(float, highest)))


def _moments(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance by feature, the last axis."""
    if numbers.ndim > 3:  # each pixel first: numpy adds long rows ten times as fast as a few channels
        pixels = numbers.reshape(len(numbers), -1)
        means, variances = (one.reshape(-1, numbers.shape[-1]) for one in (pixels.mean(axis=0), pixels.var(axis=0)))
        return means.mean(axis=0), variances.mean(axis=0) + means.var(axis=0)
    axes = tuple(range(numbers.ndim - 1)) if numbers.ndim > 1 else (0,)
    return numbers.mean(axis=axes), numbers.var(axis=axes)


def not_finite(rows: np.ndarray) -> int:
    """How many rows hold NaN or infinity."""
    holes = ~np.isfinite(rows)
    return int(holes.reshape(len(rows), -1).any(axis=1).sum()) if holes.any() else 0


SMALLEST, LARGEST = 1e-6, 1e18
"""Standard deviations between which 32-bit numbers, their squares too, can be standardised and learned."""


def deviations(described: Field, what: str) -> list[float]:
    """Standard deviations by feature, 1 for a feature that never varies. Raises `ZooError` for units out of reach."""
    found = []
    for mean, variance in zip(described.mean, described.variance, strict=True):
        deviation = variance**0.5
        if deviation == 0 or deviation <= 1e-7 * abs(mean):
            found.append(1.0)
        elif SMALLEST < deviation < LARGEST:
            found.append(deviation)
        else:
            unit = "larger" if deviation > 1 else "smaller"
            raise ZooError(
                f"{what} vary by {deviation:.2g}, out of reach of 32-bit numbers; expected {SMALLEST:g} to "
                f"{LARGEST:g}: use a {unit} unit"
            )
    return found


def fingerprint(arrays: Sequence[Array | None]) -> str:
    """A hash of arrays: their types, shapes and every byte."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is not None:
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            for (piece,) in pieces(array):
                digest.update(np.ascontiguousarray(piece).view(np.uint8).data if piece.size else b"")
    return digest.hexdigest()
