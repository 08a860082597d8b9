"""How many axes a row has that a network answers, from the names of its layers: without Keras, and without sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zoo.language import catalogue
from zoo.language.network import ACTIVATIONS, Network, Node

NOTHING = 0
"""The axes of what a layer answers that is given rows of as many axes as it does not take: Keras refuses it."""

_KEEPING = (
    *catalogue.DROPOUTS, *ACTIVATIONS, "Activation", "Dense", "GaussianNoise", "Identity", "Masking", "Rescaling",
    "Normalization", "BatchNormalization", "GroupNormalization", "LayerNormalization", "RMSNormalization",
    "UnitNormalization", "ActivityRegularization", "MultiHeadAttention", "GroupQueryAttention", "Attention",
    "AdditiveAttention", "Permute",
)  # fmt: skip
"""Layers that answer as many axes as the first of what they read has."""

_MERGING = ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract")
"""Layers that answer as many axes as the most of what they read has."""


def axes(network: Network, given: Sequence[int | None] | None = None) -> dict[str, int | None]:
    """The axes of a row of each input and of what each layer answers first, by name; None where it cannot be told.

    `given` are those of what a network inside is called on.
    """
    found: dict[str, int | None] = {
        one.name: read if given and not one.shape else len(one.shape)
        for one, read in zip(network.inputs, given or [None] * len(network.inputs), strict=True)
    }
    for node in network.nodes:
        found[node.name] = _answered(node, [found.get(name) for name in node.inputs])
    return found


def _answered(node: Node, read: list[int | None]) -> int | None:
    if NOTHING in read:
        return NOTHING
    if node.network and not node.at_steps:
        return axes(node.network, read).get(node.network.output)
    if node.network or node.operation or node.reuses or not read:
        return None
    return _of_layer(node.layer, node.arguments, read)


def _of_layer(layer: str, arguments: Mapping[str, Any], read: list[int | None]) -> int | None:
    first, windowed = read[0], catalogue.rank(layer)
    takes = catalogue.catalogue()["layers"].get(layer, {}).get("arguments", {})
    if layer in ("Bidirectional", "TimeDistributed"):
        inner = arguments.get("layer")
        name, given = next(iter(inner.items())) if isinstance(inner, Mapping) else (str(inner), None)
        steps = layer == "TimeDistributed"
        inside = _of_layer(name, given or {}, [first - steps if first else None])
        return inside + steps if inside else inside
    if "return_sequences" in takes:
        answered = 2 + windowed if arguments.get("return_sequences") else 1 + windowed
        return answered if first in (None, 2 + windowed) else NOTHING
    if windowed:
        answered = 1 if layer.startswith("Global") and not arguments.get("keepdims") else 1 + windowed
        return answered if first in (None, 1 + windowed) else NOTHING
    if layer in _MERGING:
        return None if None in read else max(one for one in read if one is not None)
    if layer == "Reshape" and isinstance(arguments.get("target_shape"), list):
        return len(arguments["target_shape"])
    if layer in ("Embedding", "Take") and first is not None:
        fewer = 0 if isinstance(arguments.get("indices"), list) else 1
        return first + 1 if layer == "Embedding" else first - fewer
    return {"Flatten": 1, "RepeatVector": 2}.get(layer, first if layer in _KEEPING else None)
