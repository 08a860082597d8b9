"""Rows to answers, by an exported artifact alone: needs TensorFlow, no Keras, no run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.datasets import dataset, sources
from zoo.datasets.mapped import Array, Mapped, each, mapped
from zoo.datasets.streamed import is_pipeline
from zoo.errors import ZooError, first_sentence, listed
from zoo.files import absent, map_npy, open_npz, read_json

BATCH = 256
ARTIFACT = "artifact.json"


ROWS = ("x", "x_test", "x_train")
"""The array of a file or a folder that is answered for: the first of these that is there."""


def rows_of(source: Any) -> Array:
    """The rows to answer for: an array, an .npy or .npz file, a folder of .npy files, or a data set's test part.

    Of a file or a folder `x` is read, else `x_test`, else `x_train`; the rows of .npy files stay there.
    """
    if is_pipeline(source):
        raise ZooError("a pipeline gives batches; expected rows: numpy.concatenate([x for x, y in pipeline])")
    if not isinstance(source, (str, Path)):
        return dataset.as_array(source, "rows")
    path = Path(source)
    if sources.named(str(source)):
        return dataset.load(str(source)).test().x
    if path.suffix == ".npy":
        return mapped(map_npy(path))
    is_folder = os.path.isdir(path)
    if path.suffix == ".npz" or is_folder:
        arrays = sources.folder(path, ROWS) if is_folder else open_npz(path)
        found = next((arrays[key] for key in ROWS if key in arrays), None)
        if found is None:
            raise ZooError(f"{path} holds no `x`, `x_test` or `x_train`; expected rows to answer for")
        return found
    if os.path.exists(path):
        raise ZooError(f"{source} is no .npy or .npz file; expected rows to answer for")
    sources.load(str(source))
    raise ZooError(f"{source} holds no rows")


def artifact_of(folder: Path) -> dict[str, Any]:
    """What an artifact says of itself. Raises `ZooError` if the folder is none."""
    if not os.path.exists(folder):
        raise ZooError(absent(folder, "a folder that `zoo export` wrote"))
    if not os.path.isfile(folder / ARTIFACT):
        raise ZooError(f"{folder} is no export: it holds no {ARTIFACT}; expected a folder that `zoo export` wrote")
    found = read_json(folder / ARTIFACT)
    if not isinstance(found, dict) or "endpoints" not in found:
        raise ZooError(f"{folder / ARTIFACT} names no endpoints; expected the file that `zoo export` wrote")
    return found


def predict(folder: Path, source: Any, endpoint: str = "serve") -> dict[str, np.ndarray]:
    """The answers of an endpoint for rows, by output name; of one that takes several things, a mapping by their names.

    Raises `ZooError` for rows whose shape is not the artifact's, and for an endpoint that it does not have.
    """
    artifact = artifact_of(folder)
    if endpoint not in artifact["endpoints"]:
        raise ZooError(f"{folder} has no endpoint `{endpoint}`; expected one of {', '.join(artifact['endpoints'])}")
    inputs = artifact["endpoints"][endpoint]["inputs"]
    given = _given(source, inputs, f"`{endpoint}` of {folder}")
    rows = {name: _fitting(one, tuple(inputs[name]["shape"][1:]), folder)
            for name, one in given.items() if inputs[name]["shape"]}  # fmt: skip
    if len(counts := {len(one) for one in rows.values()}) > 1:
        raise ZooError(f"{listed(rows)} have {listed(sorted(counts))} rows; expected as many of each")
    import tensorflow as tf

    try:
        function = tf.saved_model.load(str(folder)).signatures[endpoint]
    except (OSError, KeyError) as error:
        raise ZooError(f"{folder} holds no SavedModel with `{endpoint}`: {error}") from None

    def answers(begin: int, size: int) -> dict[str, np.ndarray]:
        batch = {**given, **{name: one[begin : begin + size] for name, one in rows.items()}}
        typed = {
            name: tf.constant(_typed(np.asarray(one), inputs[name]["dtype"], folder)) for name, one in batch.items()
        }
        return {key: value.numpy() for key, value in function(**typed).items()}

    count = max(counts, default=1)
    size = BATCH if len(rows) == len(given) else count or 1  # with one seed for all, rows are drawn at once
    try:
        found = [answers(begin, size) for begin in range(0, count, size)]
    except tf.errors.InvalidArgumentError as error:
        raise ZooError(f"`{endpoint}` of {folder} cannot be computed for these: {first_sentence(error)}") from None
    joined = {
        key: np.concatenate([batch[key] for batch in found]) for key in artifact["endpoints"][endpoint]["outputs"]
    }
    return {key: np.char.decode(value.astype("S")) if value.dtype == object else value for key, value in joined.items()}


def _given(source: Any, inputs: Mapping[str, Any], what: str) -> dict[str, Array]:
    """What an endpoint is called on, by the names of its inputs: those of a mapping, else rows, and labels beside them.

    Raises `ZooError` for a name that it does not have, and for one that is missing.
    """
    if isinstance(source, Mapping):
        given = {str(key): one if isinstance(one, Mapped) else dataset.as_array(one, str(key))
                 for key, one in source.items()}  # fmt: skip
    elif len(inputs) == 1:
        given = dict.fromkeys(inputs, rows_of(source))
    elif str(source).endswith(".npz"):
        given = dict(open_npz(Path(source)))
    elif sources.named(str(source)) and [len(one["shape"]) > 0 for one in inputs.values()] == [True, True]:
        test = dataset.load(str(source)).test()  # the rows, and the label of each
        given = dict(zip(inputs, [test.x] if test.y is None else [test.x, test.y], strict=False))
    else:
        rows_of(source)  # what is not there is told as such
        given = {}
    if odd := next((key for key in given if key not in inputs), None):
        raise ZooError(f"{what} takes no `{odd}`; expected {listed(inputs)}")
    if missing := next((key for key in inputs if key not in given), None):
        raise ZooError(f"{what} takes {listed(inputs)}, and there is no `{missing}`; expected a value for each by name")
    for key, one in given.items():
        if not inputs[key]["shape"] and (one.shape or one.dtype.kind not in "iuf" or one != np.round(one)):
            raise ZooError(f"`{key}` of {what} is one whole number; expected {key}=3")
        if inputs[key]["shape"] and not one.shape and len(inputs) > 1:
            raise ZooError(f"`{key}` of {what} takes one for each row, and one alone was given; expected {key}=[{one}]")
    return given


def classes_of(folder: Path, answers: Mapping[str, np.ndarray]) -> dict[str, list[str]]:
    """The classes whose probabilities an answer holds, by output: of two with one number a row, the second alone."""
    artifact = artifact_of(folder)
    labels = [str(one) for one in artifact.get("labels", ())]
    coded = "latent" in artifact.get("spec", {})  # its numbers are no probabilities
    known = {len(labels): labels, 1: labels[1:] if len(labels) == 2 else []}
    shapes = {name: np.shape(answer) for name, answer in answers.items() if name != "label" and not coded}
    found = {
        name: known.get(1 if len(shape) == 1 else shape[1], []) for name, shape in shapes.items() if len(shape) < 3
    }
    return {name: classes for name, classes in found.items() if classes}


def _fitting(rows: Array, shape: tuple[int | None, ...], folder: Path) -> Array:
    """The rows in the artifact's shape; a missing channel is added, nothing else is guessed."""
    given = rows.shape
    if rows.ndim == len(shape) and shape[-1] == 1 and len(shape) == 3:
        rows = each(_with_channel, rows)
    fits = rows.ndim == len(shape) + 1 and all(
        want in (None, have) for want, have in zip(shape, rows.shape[1:], strict=True)
    )
    if not fits or rows.dtype.kind not in "biuf" or not len(rows):
        wanted = " x ".join("any" if one is None else str(one) for one in shape)
        each_row = f"rows of {wanted} numbers" if shape else "one number a row"
        raise ZooError(f"rows of shape {given} ({rows.dtype}) do not fit {folder}; expected {each_row}")
    return rows


def _with_channel(rows: np.ndarray) -> np.ndarray:
    return rows[..., None]


def _typed(rows: np.ndarray, dtype: str, folder: Path) -> np.ndarray:
    """The rows in the artifact's type. Raises `ZooError` where that would change a number."""
    if rows.dtype.kind == "f" and not np.isfinite(rows).all():
        raise ZooError("the rows hold NaN or infinity; expected numbers alone")
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        if (rows != np.round(rows)).any() or rows.min() < limits.min or rows.max() > limits.max:
            raise ZooError(
                f"{folder} reads whole numbers ({dtype}) as its data did, and these rows hold others; were they scaled?"
            )
    fitted = rows.astype(dtype)
    if fitted.dtype.kind == "f" and not np.isfinite(fitted).all():
        raise ZooError(f"some rows hold numbers too large for {dtype}; expected rows as in the data of {folder}")
    return fitted
