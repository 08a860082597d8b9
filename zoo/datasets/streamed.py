"""Rows of a `tf.data.Dataset`: read once, batch by batch, into files of this process, where they stay mapped."""

from __future__ import annotations

import atexit
import itertools
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError, first_sentence

ROWS = 256
"""Rows that are read together from a pipeline that gives them one by one."""

_SHAPES = "rows (x, y) of one shape each, batched or not"


def is_pipeline(source: Any) -> bool:
    """Whether something is a `tf.data.Dataset`; TensorFlow is not imported for that."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(source, tensorflow.data.Dataset)


def arrays(source: Any, part: str, name: str) -> dict[str, Any]:
    """The arrays `x_PART`, `y_PART` and `classes` of a finite pipeline of x or of (x, y); x stays in a file.

    Raises `ZooError` for one without end, of other elements, of rows of several shapes, and one that fails.
    """
    if source.cardinality() == -1:
        raise ZooError(f"{name}: the pipeline repeats without end; expected it without `repeat`")
    held = source.element_spec if isinstance(source.element_spec, tuple) else (source.element_spec,)
    if len(held) > 2 or any(type(one).__name__ != "TensorSpec" for one in held):
        raise ZooError(f"{name}: the pipeline gives {_said(source.element_spec)}; expected {_SHAPES}")
    if any(one.shape.rank is None for one in held):
        raise ZooError(f"{name}: the pipeline does not say the shape of its rows; expected {_SHAPES}")
    batched = all(one.shape.rank and (one.shape[0] is None or _is_batched(source)) for one in held)
    if any(None in one.shape[batched:] for one in held):
        raise ZooError(f"{name}: the rows are of several shapes, {_said(source.element_spec)}; expected {_SHAPES}")
    folder = Path(tempfile.mkdtemp(prefix="zoo-rows-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    found = _read(source if batched else source.batch(ROWS), folder / part, name)
    classes = getattr(source, "class_names", None)
    return {
        **dict(zip((f"x_{part}", f"y_{part}"), found, strict=False)),
        **({"classes": np.array(classes)} if classes else {}),
    }


def _is_batched(source: Any) -> bool:
    """Whether the last step of a pipeline that makes or undoes batches makes some, of whatever sizes they are."""
    kind = type(source).__name__
    if "Batch" in kind or not hasattr(source, "_input_dataset"):
        return "Batch" in kind and "Unbatch" not in kind
    return _is_batched(source._input_dataset)


def _read(batches: Any, file: Path, name: str) -> list[np.ndarray]:
    """What the batches hold, an array each: the rows of x, mapped from a file, and those of y in memory."""
    rows, like, targets = 0, np.zeros(0, "float32"), list[np.ndarray]()
    with file.open("wb") as written:
        for batch in _elements(batches, name):
            x, *y = batch if isinstance(batch, tuple) else (batch,)
            if x.dtype == object:
                raise ZooError(f"{name}: the pipeline's rows are text; expected numbers")
            like, rows = x[:0], rows + len(x)
            try:
                np.ascontiguousarray(x).tofile(written)
            except OSError as error:
                says = f"{name}: the rows of the pipeline do not fit into {file.parent} ({error})"
                raise ZooError(f"{says}; expected room there, or another folder in TMPDIR") from error
            targets += [np.char.decode(one.astype("S"), "utf-8") if one.dtype == object else one for one in y]
    if not rows:
        raise ZooError(f"{name}: the pipeline is empty; expected rows")
    x = np.memmap(file, like.dtype, "r", shape=(rows, *like.shape[1:]))
    return [x, np.concatenate(targets)] if targets else [x]


def _elements(batches: Any, name: str) -> Iterator[Any]:
    try:
        yield from batches.as_numpy_iterator()
    except Exception as error:  # whatever the user's own pipeline raises
        raise ZooError(f"{name}: the pipeline fails: {first_sentence(error)}") from error


def _said(spec: Any) -> str:
    """What the elements are, in short: `(float32 (None, 28, 28, 1), int64 (None,))`."""
    if isinstance(spec, Mapping):
        return "{" + ", ".join(f"{key}: {_said(one)}" for key, one in itertools.islice(spec.items(), 6)) + "}"
    if isinstance(spec, (tuple, list)):
        return "(" + ", ".join(map(_said, spec)) + ")"
    kind = type(spec).__name__
    return f"{spec.dtype.name} {tuple(spec.shape)}" if kind == "TensorSpec" and spec.shape.rank is not None else kind
