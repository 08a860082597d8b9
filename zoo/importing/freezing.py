"""What of a Keras model is trained: all of a layer or nothing, which a spec can say; anything else is refused.

Keras trains each variable by its own flag, whatever that of the layers and models around it says, but for the whole
model's, which stills all.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from zoo.importing.graphs import Refused
from zoo.language import catalogue
from zoo.lowering import model_in

HOLDING = {"layer", "layers", "cell", "cells", "backward_layer"}
"""What the config of a layer calls layers that were given to it, each with a config of its own."""


UNSAID = "which no spec can say; expected a layer that is frozen as a whole, or trained as a whole"


def thaws(layer: Any) -> bool:
    """Whether the layers that a layer holds can be frozen or trained each by itself: they were given to it."""
    import keras

    active = any(isinstance(getattr(layer, one, None), keras.layers.Layer) for one in catalogue.ACTIVE)
    return active or bool(model_in(layer)) or bool(HOLDING & layer.get_config().keys())


def flags(layer: Any, still: bool = False) -> Iterator[tuple[str, bool]]:
    """Whether each of the weights that a layer could train is trained; of a layer without any, whether it is itself.

    In a model that is `still` none is, but batch normalisation goes by its own flag: frozen, it looks at no batch.
    """
    import keras

    for one in _parts(layer):
        beside = _beside_lora(one)
        trained = [variable for variable in one._trainable_variables if variable is not beside or variable.trainable]
        yield from ((variable.path, variable.trainable and not still) for variable in trained)
        if isinstance(one, keras.layers.BatchNormalization) or (not trained and one._non_trainable_variables):
            yield one.name, one.trainable


def _beside_lora(layer: Any) -> Any:
    """The kernel beside the two of low rank that a layer learns in its place (Hu et al. 2021), which Keras stills."""
    kernel = getattr(layer, "_kernel", None)
    return (
        (getattr(layer, "_embeddings", None) if kernel is None else kernel)
        if getattr(layer, "lora_enabled", False)
        else None
    )


def is_frozen(layer: Any, still: bool = False) -> bool:
    """Whether nothing of a layer is trained. Raises `Refused` where some is and some is not, and no spec can say which.

    Where the layers inside were given to it, each says so itself; that it is so is seen when the spec is built again.
    """
    for one in _parts(layer):
        if (kernel := _beside_lora(one)) is not None and kernel.trainable:
            raise Refused(f"is trained with its `{kernel.name}` beside `lora_rank`, {UNSAID}")
        if kernel is not None and one is not layer and not thaws(layer):  # of what Keras makes, no config tells it
            raise Refused(
                f"has its `{one.name}` learn by `enable_lora`, which no spec can say; expected a layer without"
            )
    found = list(flags(layer, still))
    trained = {one for _, one in found}
    if trained == {False}:
        return True
    if not trained or (trained == {True} and (layer.trainable or not layer.weights)) or thaws(layer):
        return False
    name = next(name for name, one in found if one != layer.trainable).rpartition(f"{layer.name}/")[2]
    raise Refused(f"is {'trained' if layer.trainable else 'frozen'}, but not its `{name}`, {UNSAID}")


def trained_otherwise(model: Any, made: Any) -> str:
    """Which layer of a model is not trained as in the one that was made of its spec, an empty text for none."""
    pairs = itertools.zip_longest(*map(_by_layer, (model, made)), fillvalue=("", None))
    name = next((name for (name, one), (_, other) in pairs if one != other), "")
    return f"the layer `{name}` is frozen in part, {UNSAID}" if name else ""


def _by_layer(model: Any) -> Iterator[tuple[str, bool]]:
    for layer in {id(one): one for one in _leaves(model)}.values():  # one that models share stands in each
        yield from ((layer.name, trained) for _, trained in flags(layer, not model.trainable))


def _leaves(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        inside = model_in(layer)
        yield from _leaves(inside) if inside else [layer]


def _parts(layer: Any) -> Iterator[Any]:
    """A layer and all that it holds, in order, which Keras's own flat list is not in."""
    yield layer
    for one in layer._layers:
        yield from _parts(one)
