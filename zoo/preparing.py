"""Raw rows to features: the `prepare` model, whose steps are data that were decided when spec and data met."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.lowering import Plain, make

if TYPE_CHECKING:
    import keras


def prepare_model(steps: Sequence[Mapping[str, Any]], shape: Sequence[int], dtype: str, name: str) -> keras.Model:
    """The model that turns raw rows of a shape and type into what the network reads.

    Its input bears the name of the network's. The first step casts, so that whole numbers are served as they are.
    """
    import keras

    source = keras.Input(tuple(shape), dtype=dtype, name=name)
    tensor = keras.ops.cast(source, "float32") if dtype != "float32" else source
    for step in steps:
        layer, arguments = next(iter(step.items()))
        tensor = make(layer, arguments, None, None, Plain())(tensor)
    return keras.Model(
        source, tensor if steps or dtype != "float32" else keras.layers.Identity()(tensor), name="prepare"
    )


PREPARED = 256
"""Raw rows that are prepared at once: each alone, so that any number of them gives the same bits."""


def preparer(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """The function of a `prepare` model from raw rows to features, traced once for any number of rows."""
    import tensorflow as tf

    @tf.function(input_signature=(tf.TensorSpec(model.input_shape, model.input.dtype),))
    def prepare(rows: Any) -> Any:
        return model(rows, training=False)

    def features(rows: np.ndarray) -> np.ndarray:
        found = np.empty(0, "float32")
        for begin in range(0, len(rows), PREPARED):
            some = prepare(rows[begin : begin + PREPARED]).numpy()
            if begin == 0:
                found = np.empty((len(rows), *some.shape[1:]), some.dtype)
            found[begin : begin + PREPARED] = some
        return found

    return features


def restored(steps: Sequence[Mapping[str, Any]], shape: Sequence[int]) -> list[dict[str, Any]]:
    """The steps that lead back from features to raw values: each undone, the last first.

    `shape` is a raw row's. What cannot be undone (a change of an image's size) is left as it is.
    """
    back: list[dict[str, Any]] = []
    before = list(shape)
    for step in steps:
        layer, arguments = next(iter(step.items()))
        if layer == "Rescaling":
            scale, offset = arguments["scale"], arguments.get("offset", 0.0)
            scales, offsets = np.broadcast_arrays(np.atleast_1d(scale), np.atleast_1d(offset))
            undone = {"scale": (1 / scales).tolist(), "offset": (-offsets / scales).tolist()}
            if not isinstance(scale, list) and not isinstance(offset, list):
                undone = {key: one[0] for key, one in undone.items()}
            back.insert(0, {"Rescaling": undone})
        elif layer == "Take" and sorted(np.atleast_1d(arguments["indices"])) == list(range(before[-1])):
            back.insert(0, {"Take": {**arguments, "indices": np.argsort(arguments["indices"]).tolist()}})
        elif layer == "Normalization":
            back.insert(0, {"Normalization": {**arguments, "invert": True}})
        elif layer == "Reshape":
            back.insert(0, {"Reshape": {"target_shape": before}})
            before = list(arguments["target_shape"])
        elif layer == "Resizing":
            before = [arguments["height"], arguments["width"], before[-1]]
    return back
