"""A data set: its description and its parts, split once; the test part counts how often it was opened."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from zoo.datasets import sources, splitting, streamed
from zoo.datasets.description import KINDS, Description, Field, field, field_of, fingerprint, not_finite, spanned
from zoo.datasets.mapped import Array, each, joined, mapped, pieces, some
from zoo.datasets.sources import ARRAYS, Rows
from zoo.errors import ZooError

FEWEST = 20
"""So many different rows are enough for three parts."""

VALIDATION_SHARE = TEST_SHARE = 0.2
"""Shares of the rows that validate and test; a source's own test part is taken as it is."""


@dataclass(frozen=True)
class Part:
    """Some rows: `x` of shape (rows, ...) and `y` (rows,), (rows, targets) or (rows, horizon, features), or None.

    The `y` of a classification holds the numbers of the classes, 0 .. n-1. Either may stay in its file (`Mapped`).
    """

    x: Array
    y: Array | None

    def __len__(self) -> int:
        return len(self.x)

    def at(self, index: np.ndarray) -> Part:
        """Some of the rows, in an order; those of a file stay there."""
        return Part(some(self.x, index), None if self.y is None else some(self.y, index))

    @property
    def nbytes(self) -> int:
        """The bytes that the rows take in memory."""
        return sum(array.nbytes for array in (self.x, self.y) if array is not None)

    def read(self, index: np.ndarray | slice) -> Part:
        """Some of the rows, in memory."""
        return Part(np.asarray(self.x[index]), None if self.y is None else np.asarray(self.y[index]))


class Dataset:
    """Rows in three parts, described. `train` and `validation` are open; `test()` counts its openings."""

    def __init__(self, description: Description, train: Part, validation: Part, test: Part) -> None:
        self.description = description
        self.train, self.validation, self._test = train, validation, test
        self.test_openings = 0
        self._fold_of: dict[int, np.ndarray] = {}

    def test(self) -> Part:
        """The untouched part; every call is counted, for a number seen often is no longer a test."""
        self.test_openings += 1
        return self._test

    def folds(self, folds: int) -> list[tuple[Part, Part]]:
        """(training part, validation part) of each fold of the open rows, by class if they have any.

        The test part is in no fold. Raises `ZooError` for rows in time, of which a fold would be learned from
        what comes after it, and for too few rows.
        """
        name = self.description.name
        if self.description.order == "time":
            raise ZooError(
                f"the rows of {name} follow one another in time, and a fold would be learned from what came after it; "
                "expected no --folds"
            )
        x = joined(self.train.x, self.validation.x)
        y = (
            joined(self.train.y, self.validation.y)
            if self.train.y is not None and self.validation.y is not None
            else None
        )
        if folds not in self._fold_of:
            keys = splitting.keys(x)
            self._fold_of[folds] = splitting.in_folds(keys, y, folds, self.description.task == "classification")
        fold_of, opened = self._fold_of[folds], Part(x, y)
        if len(np.unique(fold_of)) < folds:
            different = len(np.unique(fold_of))
            raise ZooError(
                f"{name} has {different} different rows to learn from, too few for {folds} folds; expected {different} "
                "or fewer"
            )
        return [
            (opened.at(np.flatnonzero(fold_of != fold)), opened.at(np.flatnonzero(fold_of == fold)))
            for fold in range(folds)
        ]

    def __repr__(self) -> str:
        return f"<Dataset {self.description.name}: {self.description.said}>"


def load(source: Any, name: str = "data") -> Dataset:
    """A data set from a name, the path of an .npz file or of a folder of .npy files, a mapping of arrays, or (x, y).

    A `tf.data.Dataset`, or a mapping of `train` and `test` to one each, is read once. Rows of a folder, of a pipeline,
    and of arrays that numpy has mapped from a file, stay in files. Raises `ZooError` for what cannot be learned from:
    empty, ragged, of text, of one class, of unequal lengths.
    """
    if isinstance(source, Dataset):
        return source
    if streamed.is_pipeline(source):
        source = {"train": source}
    if isinstance(source, Mapping) and any(map(streamed.is_pipeline, source.values())):
        source = _unrolled(source, name)
    if isinstance(source, (str, Path)):
        path = Path(str(source))
        rows = sources.load(str(source))
        name = sources.named(str(source)) or (path.resolve().name if os.path.isdir(path) else path.stem)
    elif isinstance(source, Mapping):
        given = {key: value for key, value in source.items() if value is not None}
        rows = sources.arranged({key: as_array(given[key], key) if key in ARRAYS else None for key in given}, name)
    elif isinstance(source, (tuple, list)) and len(source) == 2:
        x, y = source
        rows = Rows(as_array(x, "x"), None if y is None else as_array(y, "y"))
    else:
        kind = type(source).__name__
        raise ZooError(
            f"a {kind} is no data; expected a name, an .npz path, a folder, a mapping of arrays, a pair (x, y) or a "
            "tf.data.Dataset"
        )
    return _dataset(_checked(rows, name), name)


def _unrolled(source: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The arrays that the pipelines of a mapping give."""
    found: dict[str, Any] = {}
    for part, pipeline in source.items():
        if part not in ("train", "test") or not streamed.is_pipeline(pipeline):
            what = f"`{part}`, a {type(pipeline).__name__}"
            raise ZooError(f"{name} holds {what}, beside a pipeline; expected `train`, and `test` if there is one")
        found |= streamed.arrays(pipeline, part, name)
    return found


def as_array(value: Any, name: str) -> Array:
    """What numpy understands as an array; raises `ZooError` for ragged rows."""
    try:
        found = mapped(np.asarray(value))
    except ValueError as error:
        raise ZooError(f"{name} is no array ({error}); expected rows of one shape") from None
    if not isinstance(found, np.ndarray):
        return found
    texts = found.dtype == object and all(isinstance(one, str) for one in found.flat)  # a column of pandas
    return found.astype(str) if texts else found


def _checked(rows: Rows, name: str) -> Rows:
    """The rows with arrays that can be learned from, or a `ZooError` that says what is wrong with them."""
    if rows.series is not None:
        return rows
    for array, targets, part in ((rows.x, rows.y, "train"), (rows.x_test, rows.y_test, "test")):
        if array is None:
            continue
        if array.dtype.kind not in "biuf":
            held = "text" if array.dtype.kind in "US" else str(array.dtype)
            raise ZooError(f"{name}: x_{part} holds {held}; expected numbers{_instead_of(array)}")
        if not 2 <= array.ndim <= 8 or 0 in array.shape:
            raise ZooError(
                f"{name}: x_{part} has the shape {array.shape}; expected rows of a table, sequences, images or videos"
            )
        if array.shape[1:] != rows.x.shape[1:]:
            raise ZooError(
                f"{name}: a row of x_test has the shape {array.shape[1:]}, one of x_train {rows.x.shape[1:]}"
            )
        if targets is not None and (targets.dtype.kind not in "biufUS" or targets.ndim not in (1, 2, 3)):
            maps = targets.ndim == 4 and targets.shape[-1] == 1
            raise ZooError(
                f"{name}: y_{part} has the shape {targets.shape} of {targets.dtype}; expected labels or numbers"
                + (f", as y_{part}[..., 0] are for maps of classes" if maps else "")
            )
        if targets is not None and len(targets) != len(array):
            raise ZooError(f"{name}: x_{part} has {len(array):,} rows, y_{part} {len(targets):,}; expected as many")
    x_test = None if rows.x_test is None else _numbers(_alike(rows.x_test, rows.x, name))
    return replace(rows, x=_numbers(rows.x), x_test=x_test)


def _instead_of(array: Array) -> str:
    """What makes numbers of texts, or of words in columns."""
    if array.dtype.kind not in "US":
        return ""
    if array.ndim == 1 or array.shape[1:] == (1,):
        return ", such as the ids that keras.layers.TextVectorization gives words"
    return ", such as the columns that pandas.get_dummies makes of words"


def _alike(x_test: Array, x: Array, name: str) -> Array:
    """The test part in the type of the training part, where that changes no number; else one of them was scaled."""
    same = each(partial(_typed, dtype=x.dtype), x_test)
    measured = x.dtype.kind == "f"
    if measured != (x_test.dtype.kind == "f") or not (measured or _equal(same, x_test)):
        raise ZooError(f"{name}: x_train holds {x.dtype}, x_test {x_test.dtype}; expected one type, scaled alike")
    return same


def _equal(rows: Array, others: Array) -> bool:
    """Whether two arrays of one shape hold the same numbers."""
    return rows.dtype == others.dtype or all(np.array_equal(one, other) for one, other in pieces(rows, others))


def _typed(rows: np.ndarray, dtype: Any) -> np.ndarray:
    """The rows in a type; what becomes infinite is refused later, with the rest that is."""
    with np.errstate(invalid="ignore", over="ignore"):
        return rows.astype(dtype)


def _numbers(array: Array) -> Array:
    """Rows as they are kept: gray images get their channel, doubles become singles, booleans bytes, all native."""
    return each(_kept, array)


def _kept(rows: np.ndarray) -> np.ndarray:
    if rows.ndim == 3 and rows.dtype.kind in "iub":
        rows = rows[..., None]  # whole numbers in two dimensions are pixels; sequences of measurements are floats
    return _typed(rows, {"f": "float32", "b": "uint8"}.get(rows.dtype.kind, rows.dtype.newbyteorder("=")))


def _dataset(rows: Rows, name: str) -> Dataset:
    if rows.series is not None:
        return _series(rows, name)
    task, y, y_test, classes = _targets(rows, name)
    labelled, order = task == "classification", "time" if task == "forecasting" else "rows"
    gap = y.shape[1] - 1 if y is not None and order == "time" else 0

    keys = np.array([]) if order == "time" else splitting.keys(rows.x)

    def split(part: Part, keys: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
        if order == "time":
            return splitting.by_time(len(part), share, gap)
        return splitting.by_hash(keys, part.y, share, labelled)

    learn, share = Part(rows.x, y), VALIDATION_SHARE
    if rows.x_test is None:
        kept, held = split(learn, keys, TEST_SHARE)
        learn, test, keys = learn.at(kept), learn.at(held), keys[kept] if len(keys) else keys
        share = VALIDATION_SHARE / (1 - TEST_SHARE)
    else:
        test = Part(rows.x_test, y_test)
    kept, held = split(learn, keys, share)
    train, validation = learn.at(kept), learn.at(held)
    return _described(name, task, classes, order, train, validation, test)


def _described(
    name: str, task: str, classes: tuple[Any, ...], order: str, train: Part, validation: Part, test: Part
) -> Dataset:
    parts = {"train": train, "validation": validation, "test": test}
    for part, rows in parts.items():
        _finite(rows, name, part)
    for part, rows in parts.items():
        if not len(rows):
            count, lacks = sum(map(len, parts.values())), f"none is left for the {part} part"
            if count >= FEWEST:
                says = f"{name}: of {count:,} rows so many are equal, which stay together, that {lacks}"
                raise ZooError(f"{says}; expected more rows that differ")
            raise ZooError(f"{name}: no rows are left for the {part} part; expected more rows")
    if task == "classification" and train.y is not None:
        absent = sorted(set(range(len(classes))) - set(np.unique(train.y).tolist()))
        if absent:
            raise ZooError(
                f"{name}: the class `{classes[absent[0]]}` has no row to train on; expected two or more of each"
            )
    kind = KINDS[train.x.ndim - 1]
    x = spanned(field(train.x, kind), [part.x for part in parts.values()])
    y = field(train.y, "target") if train.y is not None else None
    if y is not None and task == "language":
        y = spanned(y, [part.y for part in parts.values() if part.y is not None])
    x_change = y_change = None
    if task == "forecasting" and train.y is not None and train.x.shape[-1] == train.y.shape[-1]:
        x_change = field_of((x - x[:, -1:] for x, _ in pieces(train.x, train.y)), kind)
        y_change = field_of((y - x[:, -1:] for x, y in pieces(train.x, train.y)), "target")
    print_of = fingerprint([array for part in parts.values() for array in (part.x, part.y)])
    rows_of = {part: len(rows) for part, rows in parts.items()}
    counts = np.bincount(np.asarray(train.y), minlength=len(classes)).tolist() if task == "classification" else ()
    of = (name, x, y, task, classes, rows_of, order, x_change, y_change, print_of, tuple(counts))
    description = Description(*of)
    return Dataset(description, train, validation, test)


def _finite(rows: Part, name: str, part: str) -> None:
    for array in (rows.x, rows.y):
        if array is not None and array.dtype.kind == "f":
            bad = sum(not_finite(piece) for (piece,) in pieces(array))
            if bad:
                raise ZooError(f"{name}: {bad:,} rows of the {part} part hold NaN or infinity; expected numbers alone")


Targets = tuple[str, Array | None, Array | None, tuple[Any, ...]]


def _targets(rows: Rows, name: str) -> Targets:
    """The task that the targets mean, the targets as training wants them, and the labels."""
    y, y_test = rows.y, rows.y_test
    if y is None:
        return "reconstruction", None, None, ()
    if _one_hot(y):
        raise ZooError(
            f"{name}: y_train is one-hot, a column a class; expected one label a row: y.argmax(axis=1), or "
            "label_mode='int' where Keras reads pictures"
        )
    if y.dtype.kind in "biu" and y.ndim > 1 and y.shape[1:] != (1,):
        everywhere = _everywhere(rows.x, y, y_test, rows.classes, name)
        if everywhere:
            return everywhere
    if y.dtype.kind != "f":
        return _labelled(sources.as_text(y), None if y_test is None else sources.as_text(y_test), rows.classes, name)
    if y_test is not None and y_test.dtype.kind in "US":
        raise ZooError(f"{name}: y_test holds {y_test.dtype}, y_train {y.dtype}; expected numbers")
    task = "forecasting" if rows.x.ndim == 3 and y.ndim >= 2 else "regression"
    if y.ndim > 2 and task == "regression":
        raise ZooError(f"{name}: y has the shape {y.shape}; expected a label, a number or a few numbers a row")
    rank = 3 if task == "forecasting" else 2
    found, test = (None if one is None else each(partial(_measured, rank=rank), one) for one in (y, y_test))
    _same_width(found, test, name)
    return task, found, test, ()


def _everywhere(x: Array, y: Array, y_test: Array | None, names: tuple[str, ...], name: str) -> Targets | None:
    """Several labels a row: one for each pixel, for each step, or any number of a few; None for none of these."""
    _same_width(y, y_test, name)
    both = [y] if y_test is None else [y, y_test]
    whole = partial(_typed, dtype="int32")
    test = None if y_test is None else each(whole, y_test)
    if x.ndim == 4 and y.shape[1:] == x.shape[1:3]:
        found = _unique(y)
        if len(found) < 2 or (y_test is not None and set(_unique(y_test)) - set(found)):
            raise ZooError(
                f"{name}: the pixels of y hold the labels {found.tolist()[:5]}; expected two or more, all known"
            )
        numbers = [each(partial(_numbered, labels=found), one) for one in both]
        return "segmentation", numbers[0], None if y_test is None else numbers[1], _labels(names, found, name)
    if x.ndim == 2 and y.shape == x.shape and x.dtype.kind in "iu" and all(_all(_is_id, one) for one in both):
        return "language", each(whole, y), test, ()
    if y.ndim == 2 and all(_all(_is_flag, one) for one in both):
        labels = names if len(names) == y.shape[1] else tuple(range(y.shape[1]))
        return "multilabel", each(whole, y), test, tuple(labels)
    return None


def _unique(rows: Array) -> np.ndarray:
    """The different values that rows hold, sorted."""
    return np.unique(np.concatenate([np.unique(piece) for (piece,) in pieces(rows)]))


def _all(holds: Callable[[np.ndarray], Any], rows: Array) -> bool:
    """Whether something holds for all values of all rows."""
    return all(bool(holds(piece).all()) for (piece,) in pieces(rows))


def _is_id(values: np.ndarray) -> np.ndarray:
    return values >= 0


def _is_flag(values: np.ndarray) -> np.ndarray:
    return np.isin(values, (0, 1))


def _one_hot(y: Array) -> bool:
    """Whether targets are labels in columns: a 1 in each row and zeros beside it."""
    if y.ndim != 2 or y.shape[1] < 2 or y.dtype.kind not in "biuf":
        return False
    return _all(_is_flag, y) and _all(lambda values: values.sum(axis=1) == 1, y)


def _numbered(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Labels as their numbers among all of them."""
    return np.searchsorted(labels, rows).astype("int32")


def _measured(rows: np.ndarray, rank: int) -> np.ndarray:
    """Targets to be predicted as numbers, of a rank."""
    return _typed(rows[..., None] if rows.ndim < rank else rows, "float32")


def _labelled(y: Array, y_test: Array | None, names: tuple[str, ...], name: str) -> Targets:
    y, y_test = _column(y), None if y_test is None else _column(y_test)
    if y.ndim != 1 or not isinstance(y, np.ndarray):
        what = f"{y.dtype} of the shape {y.shape}"
        raise ZooError(f"{name}: y_train holds {what}; expected one label a row, or numbers with a point to predict")
    found = np.unique(y)
    if y.dtype.kind in "iu" and len(found) > max(20, len(y) // 2):
        raise ZooError(
            f"{name}: y_train holds {len(found):,} different whole numbers in {len(y):,} rows, hardly two alike; "
            "expected labels that repeat; if they are numbers to predict: y.astype('float32')"
        )
    if len(found) < 2:  # nothing to tell apart: the normal rows of an anomaly detector
        return "reconstruction", None, None, ()
    test = None
    if y_test is not None:
        _same_width(y, y_test, name)
        unknown = set(np.unique(y_test).tolist()) - set(found.tolist())
        if unknown:
            raise ZooError(f"{name}: the test part has the label `{min(unknown)}`, which no training row has")
        test = _numbered(np.asarray(y_test), found)
    return "classification", _numbered(y, found), test, _labels(names, found, name)


def _column(y: Array) -> Array:
    return y[:, 0] if y.shape[1:] == (1,) else y


def _same_width(y: Array | None, y_test: Array | None, name: str) -> None:
    if y is not None and y_test is not None and y_test.shape[1:] != y.shape[1:]:
        raise ZooError(f"{name}: a row of y_test has the shape {y_test.shape[1:]}, one of y_train {y.shape[1:]}")


def _labels(names: tuple[str, ...], found: np.ndarray, name: str) -> tuple[Any, ...]:
    """The labels as people read them: the names that belong to the numbers in the data, else what stands there."""
    if names and found.dtype.kind in "iub":
        without = [int(number) for number in found if not 0 <= int(number) < len(names)]
        if without:
            raise ZooError(
                f"{name}: classes holds {len(names)} names, and the label {without[0]} has none; expected a name for "
                "each, the first for the label 0"
            )
        return tuple(names[int(number)] for number in found)
    return tuple(found.astype("uint8" if found.dtype.kind == "b" else found.dtype).tolist())


def _series(rows: Rows, name: str) -> Dataset:
    """A series cut by time first, then into windows, so that no value is read before it is forecast in a later part."""
    series, window, horizon = rows.series, rows.window, rows.horizon
    assert series is not None
    steps = len(series)
    first_test, first_validation = round(steps * (1 - TEST_SHARE)), round(steps * (1 - TEST_SHARE - VALIDATION_SHARE))

    def windows(begin: int, end: int) -> Part:
        """Windows whose targets lie in begin .. end; what they read may lie before."""
        starts = range(max(begin - window, 0), end - window - horizon + 1)
        x = np.stack([series[start : start + window] for start in starts])
        y = np.stack([series[start + window : start + window + horizon] for start in starts])
        return Part(x, y)

    parts = windows(0, first_validation), windows(first_validation, first_test), windows(first_test, steps)
    return _described(name, "forecasting", (), "time", *parts)


def views(x: Field) -> dict[str, tuple[int, ...]]:
    """The shapes as which rows of a kind can be read, by kind: an image is also rows of pixels, and all lie flat."""
    shape = x.shape
    if x.kind == "array":
        return {"array": shape, "table": (math.prod(shape),)}
    if x.kind == "video":
        frames, flat = shape[0], shape[1] * shape[2] * shape[3]
        return {"video": shape, "sequence": (frames, flat), "table": (frames * flat,)}
    if x.kind == "image":
        height, width, channels = shape
        return {"image": shape, "sequence": (height, width * channels), "table": (height * width * channels,)}
    if x.kind == "sequence":
        return {"sequence": shape, "table": (shape[0] * shape[1],)}
    ids = x.dtype.startswith(("int", "uint")) and x.minimum >= 0
    return {"table": shape, "tokens": shape} if ids else {"table": shape}
