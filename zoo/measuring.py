"""What only a built model knows: shapes, parameters and floating-point operations of every layer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.language import network
from zoo.language.network import Network, Node
from zoo.lowering import Plain, lower

if TYPE_CHECKING:
    import keras

    from zoo.language.spec import Spec

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Row:
    """One layer, measured. `shape` is its output's without the batch; `flops` is None where a size is open.

    FLOPs are those of one row: two for each multiply-add of a kernel. Normalisation, activations, pooling, additions
    and embeddings are not counted, as is usual where operations are published.
    """

    name: str
    node: Node
    shape: Shape
    parameters: int
    trainable: int
    flops: int | None


def measure(flat: Network, model: keras.Model) -> list[Row]:
    """A row for every layer of a network whose model was built from it, those of the models inside included."""
    return list(_rows(flat, model, ""))


def total(rows: list[Row]) -> tuple[int, int, int | None]:
    """Parameters, trainable parameters, and FLOPs of all rows."""
    flops = [row.flops for row in rows]
    known = None if None in flops else sum(one for one in flops if one is not None)
    return sum(row.parameters for row in rows), sum(row.trainable for row in rows), known


def counted(spec: Spec) -> tuple[int, int, int | None]:
    """Parameters, trainable parameters and FLOPs of a filled spec, from a model without values of its own.

    Raises `ZooError` with every problem of the spec.
    """
    import keras

    flat, problems = network.unfold(spec)
    if flat is None:
        raise ZooError(*problems)
    with keras.StatelessScope():
        return total(measure(flat, lower(flat, Plain())))


def part(node: Node) -> str:
    """The part of a network that a layer belongs to: middle, feed-forward or output, else its section."""
    if node.part in ("layers", "encoder", "decoder"):
        return "feed-forward" if node.layer in FEED_FORWARD else "middle"
    return "output" if node.part == "head" else node.part


FEED_FORWARD = ("Dense", "Dropout", "AlphaDropout", "GaussianDropout", "Activation", "Flatten")
"""Layers of a plain feed-forward network; the others extract features."""


def _rows(flat: Network, model: Any, within: str) -> Iterator[Row]:
    for node in flat.nodes:
        if node.network is not None and not node.reuses:
            yield from _rows(node.network, model.get_layer(node.name), f"{within}{node.name}/")
            continue
        layer = model.get_layer(_first(flat, node))
        call = _call(layer, model, flat, node)
        shape = tuple(call.output_tensors[0].shape[1:])
        reads = tuple(call.input_tensors[0].shape[1:]) if call.input_tensors else ()
        sizes = [_size(layer.weights), _size(layer.trainable_weights)] if not node.reuses else [0, 0]
        macs = None if node.network else multiplications(layer, reads, shape)
        yield Row(within + node.name, node, shape, sizes[0], sizes[1], None if macs is None else 2 * macs)


def _first(flat: Network, node: Node) -> str:
    """The name of the Keras layer of a node, which is an earlier node's if it reuses that."""
    names = {one.name: one.reuses for one in flat.nodes}
    name = node.name
    while names[name]:
        name = names[name]
    return name


def _call(layer: Any, model: Any, flat: Network, node: Node) -> Any:
    """The call of a layer that a node stands for: its first in this model, or the one that reuses it so often after."""
    calls = getattr(model, "_functional", model)._nodes  # a Sequential holds its graph in a model of its own
    inside = [call for call in layer._inbound_nodes if any(call is one for one in calls)] or layer._inbound_nodes
    first = _first(flat, node)
    same = [one.name for one in flat.nodes if _first(flat, one) == first]
    return inside[same.index(node.name)] if same.index(node.name) < len(inside) else inside[0]


def _size(weights: Any) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def multiplications(layer: Any, reads: Shape, shape: Shape) -> int | None:
    """The multiply-adds of a layer for one row that has the shape `reads` and is answered in `shape`; None: unknown."""
    import keras

    layers = keras.layers
    if isinstance(layer, layers.Bidirectional):
        both = [multiplications(one, reads, shape) for one in (layer.forward_layer, layer.backward_layer)]
        return None if None in both else sum(one for one in both if one is not None)
    if isinstance(layer, layers.TimeDistributed):
        inner = multiplications(layer.layer, reads[1:], shape[1:])
        return None if inner is None or reads[0] is None else inner * reads[0]
    if isinstance(layer, layers.MultiHeadAttention):
        steps = reads[0]
        kernels = sum(math.prod(one.shape) for one in layer.weights if len(one.shape) > 2)
        return None if steps is None else steps * kernels + 2 * steps * steps * layer.num_heads * layer.key_dim
    if isinstance(layer, (layers.RNN, layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D)):
        places = 1 if len(reads) == 2 else _places(layer.cell.compute_output_shape((None, *reads[1:]))[0][1:-1])
        return _times(_kernels(layer), reads[0], places)
    if isinstance(layer, (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)):
        return _times(_kernels(layer), _places(reads[:-1]))
    if hasattr(layer, "kernel_size"):
        return _times(_kernels(layer), _places(shape[:-1]))
    if isinstance(layer, (layers.Dense, layers.EinsumDense)):
        return _times(_kernels(layer), _places(reads[:-1]))
    return 0


def _kernels(layer: Any) -> int:
    """The numbers in a layer's kernels: its weights of two or more dimensions; a GRU's bias may have two as well."""
    return sum(math.prod(one.shape) for one in layer.weights if len(one.shape) > 1 and "bias" not in one.name)


def _places(sizes: Shape) -> int | None:
    return _times(*sizes)


def _times(*factors: int | None) -> int | None:
    known = [one for one in factors if one is not None]
    return math.prod(known) if len(known) == len(factors) else None
