"""Rows to answers, by an exported artifact alone: needs TensorFlow, no Keras, no run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from zoo.datasets import dataset, sources
from zoo.errors import ZooError
from zoo.files import open_npy, open_npz, read_json

BATCH = 256
ARTIFACT = "artifact.json"


def rows_of(source: Any) -> np.ndarray:
    """The rows to answer for: an array, an .npy or .npz file, or a data set's test part.

    Of an .npz file `x` is read, else `x_test`, else `x_train`.
    """
    if isinstance(source, np.ndarray):
        return source
    if not isinstance(source, (str, Path)):
        return dataset.as_array(source, "rows")
    path = Path(source)
    if sources.named(str(source)):
        return dataset.load(str(source)).test().x
    if path.suffix == ".npy":
        return open_npy(path)
    if path.suffix == ".npz":
        arrays = open_npz(path)
        key = next((key for key in ("x", "x_test", "x_train") if key in arrays), None)
        if key is None:
            raise ZooError(f"{path} holds no `x`, `x_test` or `x_train`; expected rows to answer for")
        return arrays[key]
    if os.path.exists(path):
        raise ZooError(f"{source} is no .npy or .npz file; expected rows to answer for")
    sources.load(str(source))
    raise ZooError(f"{source} holds no rows")


def artifact_of(folder: Path) -> dict[str, Any]:
    """What an artifact says of itself. Raises `ZooError` if the folder is none."""
    if not os.path.isfile(folder / ARTIFACT):
        raise ZooError(f"{folder} is no export: it holds no {ARTIFACT}; expected a folder that `zoo export` wrote")
    found = read_json(folder / ARTIFACT)
    if not isinstance(found, dict) or "endpoints" not in found:
        raise ZooError(f"{folder / ARTIFACT} names no endpoints; expected the file that `zoo export` wrote")
    return found


def predict(folder: Path, source: Any, endpoint: str = "serve") -> dict[str, np.ndarray]:
    """The answers of an endpoint for rows, by output name.

    Raises `ZooError` for rows whose shape is not the artifact's, and for an endpoint that it does not have.
    """
    artifact = artifact_of(folder)
    if endpoint not in artifact["endpoints"]:
        raise ZooError(f"{folder} has no endpoint `{endpoint}`; expected one of {', '.join(artifact['endpoints'])}")
    inputs = artifact["endpoints"][endpoint]["inputs"]
    if len(inputs) != 1:
        raise ZooError(f"`{endpoint}` takes {', '.join(inputs)}, no rows; call its signature in the SavedModel")
    name, wanted = next(iter(inputs.items()))
    rows = _fitting(rows_of(source), tuple(wanted["shape"][1:]), wanted["dtype"], folder)
    import tensorflow as tf

    try:
        function = tf.saved_model.load(str(folder)).signatures[endpoint]
    except (OSError, KeyError) as error:
        raise ZooError(f"{folder} holds no SavedModel with `{endpoint}`: {error}") from None
    found = [
        {key: value.numpy() for key, value in function(**{name: tf.constant(rows[begin : begin + BATCH])}).items()}
        for begin in range(0, len(rows), BATCH)
    ]
    joined = {
        key: np.concatenate([batch[key] for batch in found]) for key in artifact["endpoints"][endpoint]["outputs"]
    }
    return {key: np.char.decode(value.astype("S")) if value.dtype == object else value for key, value in joined.items()}


def _fitting(rows: np.ndarray, shape: tuple[int | None, ...], dtype: str, folder: Path) -> np.ndarray:
    """The rows in the artifact's shape and type; a missing channel is added, nothing else is guessed."""
    given = rows.shape
    if rows.ndim == len(shape) and shape[-1] == 1 and len(shape) == 3:
        rows = rows[..., None]
    fits = rows.ndim == len(shape) + 1 and all(
        want in (None, have) for want, have in zip(shape, rows.shape[1:], strict=True)
    )
    if not fits or rows.dtype.kind not in "biuf" or not len(rows):
        wanted = " x ".join("any" if one is None else str(one) for one in shape)
        raise ZooError(f"rows of shape {given} ({rows.dtype}) do not fit {folder}; expected rows of {wanted} numbers")
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
