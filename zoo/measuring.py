"""What only a built model knows: shapes, parameters and floating-point operations of every layer."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.language import unfolding
from zoo.language.network import Network, Node, owner
from zoo.lowering import Plain, lower, model_in

if TYPE_CHECKING:
    from zoo.language.spec import Spec

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Row:
    """One layer, measured. `shape` is its output's without the batch; `flops` is None where it is not known.

    FLOPs are those of one row: two for each multiply-add of a kernel, or of two tensors that attention multiplies.
    Normalisation, activations, pooling, additions and embeddings are not counted, as is usual where operations are
    published. A layer that stands behind several draws runs as often.
    """

    name: str
    node: Node
    shape: Shape
    parameters: int
    trainable: int
    flops: int | None


def measure(flat: Network) -> list[Row]:
    """A row for every layer of a network, those of the models inside included. Raises `ZooError`."""
    how = Plain()
    model = lower(flat, how)
    found = list(_rows(flat, model, ""))
    if not how.together:
        return found
    # Where operations make more rows of each, and fewer again, only a number of rows tells how many there are.
    by_two = _rows(flat, lower(flat, Plain(), rows=2), "")
    return [replace(one, shape=other.shape) for one, other in zip(by_two, found, strict=True)]


def total(rows: list[Row]) -> tuple[int, int, int | None]:
    """Parameters, trainable parameters, and FLOPs of all rows."""
    return sum(row.parameters for row in rows), sum(row.trainable for row in rows), _sum(row.flops for row in rows)


def counted(spec: Spec) -> tuple[int, int, int | None]:
    """Parameters, trainable parameters and FLOPs of a filled spec, from a model without values of its own.

    Raises `ZooError` with every problem of the spec.
    """
    import keras

    flat, problems = unfolding.unfold(spec)
    if flat is None:
        raise ZooError(*problems)
    with keras.StatelessScope():
        return total(measure(flat))


def part(node: Node) -> str:
    """The part of a network that a layer belongs to: middle, feed-forward or output, else its section."""
    if node.part in ("layers", "encoder", "decoder"):
        return "feed-forward" if node.layer in FEED_FORWARD else "middle"
    return "output" if node.part == "head" else node.part


FEED_FORWARD = ("Dense", "Dropout", "AlphaDropout", "GaussianDropout", "Activation", "Flatten")
"""Layers of a plain feed-forward network; the others extract features."""


def _rows(flat: Network, model: Any, within: str, times: Fraction = Fraction(1)) -> Iterator[Row]:
    draws = {one.name: times for one in flat.inputs}  # how many rows of a tensor there are for one row of the input
    for node in flat.nodes:
        often = max((draws[owner(name)] for name in node.read()), default=times)
        draws[node.name] = often * node.arguments.get("samples", 1) if node.layer == "Sampling" else often
        if node.layer == "EvidenceLowerBound":  # it answers the first draw alone
            draws[node.name] = times
        if node.network is not None and not node.reuses:
            folded = _folded(_call(model.get_layer(_first(flat, node)), model, flat, node).input_tensors[0], model)
            for row in _rows(*_inside(flat, node, model), f"{within}{node.name}/", often * folded):
                yield replace(row, flops=_times(row.flops, _steps(flat, node, model)))
            continue
        first = _first(flat, node)
        if node.operation:
            done = next(one for one in model.operations if one.name == first)._inbound_nodes[0]
            macs = _products(node.operation, done)
            flops = None if macs is None else int(2 * macs * often * _folded(done.output_tensors[0], model))
            yield Row(within + node.name, node, tuple(done.output_tensors[0].shape[1:]), 0, 0, flops)
            continue
        layer = model.get_layer(first)
        call = _call(layer, model, flat, node)
        shape = tuple(call.output_tensors[0].shape[1:])
        sizes = [_size(layer.weights), _size(layer.trainable_weights)] if not node.reuses else [0, 0]
        if node.part == "criterion":  # no part of an answer
            flops = 0
        elif node.network is None:
            macs = multiplications(layer, _reads(layer, call), shape)
            flops = None if macs is None else int(2 * macs * often * _folded(call.output_tensors[0], model))
        else:
            inside = _rows(*_inside(flat, node, model), "", often * _folded(call.input_tensors[0], model))
            flops = _times(total(list(inside))[2], _steps(flat, node, model))
        yield Row(within + node.name, node, shape, sizes[0], sizes[1], flops)


def _folded(tensor: Any, model: Any) -> Fraction:
    """How many rows of a tensor there are for one of the input, in a model of some rows; 1 in any other."""
    rows, made = model.inputs[0].shape[0], (tensor.shape[:1] or (None,))[0]
    return Fraction(made, rows) if rows and made else Fraction(1)


def _steps(flat: Network, node: Node, model: Any) -> int | None:
    """How many steps a model at each step goes through, None where data will tell; 1 for any other."""
    layer = model.get_layer(_first(flat, node))
    return _call(layer, model, flat, node).input_tensors[0].shape[1] if node.at_steps else 1


def _inside(flat: Network, node: Node, model: Any) -> tuple[Network, Any]:
    """The network inside a node and a model of it, at the sizes that this node calls it on."""
    inner = next(one.network for one in flat.nodes if one.name == _first(flat, node))
    layer = model.get_layer(_first(flat, node))
    given = _call(layer, model, flat, node).input_tensors
    assert inner is not None
    shapes = [one.shape[2:] if node.at_steps else one.shape[1:] for one in given]
    layer = model_in(layer)
    if shapes == [one.shape[1:] for one in layer.inputs] and layer.inputs[0].shape[0] == given[0].shape[0]:
        return inner, layer
    pairs = zip(inner.inputs, shapes, given, strict=True)
    inner = replace(inner, inputs=tuple(replace(one, shape=got, dtype=by.dtype) for one, got, by in pairs))
    try:
        return inner, lower(inner, Plain(), rows=given[0].shape[0])
    except ZooError:  # models in it are called on several sizes, which are open in it alone
        return next(one.network for one in flat.nodes if one.name == _first(flat, node)), layer  # type: ignore[return-value]


SUMMED = ("matmul", "dot")
"""Operations that sum products over the last axis of their first argument."""

KERNELS = {"conv": 1, "depthwise_conv": 2}
"""Operations that go over places with a kernel, and how many axes of it lead to other channels."""

UNKNOWN = (
    "dot_product_attention",
    "cdist",
    "inner",
    "separable_conv",
    "fft",
    "fft2",
    "ifft2",
    "irfft",
    "istft",
    "rfft",
    "stft",
    "tensordot",
)
"""Operations whose multiply-adds are not counted here, as those of linear algebra."""


def _products(name: str, call: Any) -> int | None:
    """The multiply-adds of an operation for one row; None: unknown."""
    import numpy as np

    shape = tuple(call.output_tensors[0].shape[1:])
    given = inspect.signature(call.operation.call).bind(*call.arguments.args, **call.arguments.kwargs).arguments
    if name == "einsum":
        read, _, answer = call.operation.subscripts.replace(" ", "").partition("->")
        if "." in read or "," not in read:  # a sum, or a transposition, multiplies nothing
            return None if "." in read else 0
        sizes = dict[str, int | None]()
        for letters, tensor in zip(read.split(","), next(iter(given.values())), strict=True):
            sizes |= dict(zip(letters, np.shape(tensor) if not hasattr(tensor, "shape") else tensor.shape, strict=True))
        return _times(*(sizes[one] for one in sizes if one != answer[:1]))  # the rows stand first
    if name in KERNELS:  # the last axes of a kernel lead to other places of the answer
        kernel = np.shape(given["kernel"])
        return _times(_places(shape), *kernel[: len(kernel) - KERNELS[name]])
    if name in SUMMED:
        first = next(iter(given.values()))
        return _times(_places(shape), (first.shape if hasattr(first, "shape") else np.shape(first))[-1])
    linear = type(call.operation).__module__.endswith(".linalg")
    return None if linear or name in UNKNOWN else 0


def _first(flat: Network, node: Node) -> str:
    """The name of the Keras layer of a node, which is an earlier node's if it reuses that."""
    names = {one.name: one.reuses for one in flat.nodes}
    name = node.name
    while names[name]:
        name = names[name]
    return name


def call_of(model: Any, flat: Network, node: Node) -> Any:
    """The call that a node of a network stands for in the model that was built from it."""
    operation = next(one for one in model.operations if one.name == _first(flat, node))
    return _call(operation, model, flat, node)


def _call(layer: Any, model: Any, flat: Network, node: Node) -> Any:
    """The call of a layer that a node stands for: its first in this model, or the one that reuses it so often after."""
    calls = getattr(model, "_functional", model)._nodes  # a Sequential holds its graph in a model of its own
    inside = [call for call in layer._inbound_nodes if any(call is one for one in calls)] or layer._inbound_nodes
    first = _first(flat, node)
    same = [one.name for one in flat.nodes if _first(flat, one) == first]
    return inside[same.index(node.name)] if same.index(node.name) < len(inside) else inside[0]


def _size(weights: Any) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def _reads(layer: Any, call: Any) -> tuple[Shape, ...]:
    """The shapes of what a layer is called on, in the order of its call's arguments; masks are not counted with."""
    import keras

    given = inspect.signature(layer.call).bind(*call.arguments.args, **call.arguments.kwargs).arguments
    tensors = keras.tree.flatten([one for name, one in given.items() if not name.endswith("mask")])
    return tuple(tuple(one.shape[1:]) for one in tensors if isinstance(one, keras.KerasTensor))


def multiplications(layer: Any, reads: tuple[Shape, ...], shape: Shape) -> int | None:
    """The multiply-adds of a layer for one row, from the shapes that it reads and the one it answers; None: unknown."""
    import keras

    from zoo.layers.latent import VectorQuantizer

    layers = keras.layers
    if not reads:
        return 0 if not _kernels(layer) else None
    given = reads[0]
    if isinstance(layer, layers.Bidirectional):
        return _sum(multiplications(one, reads, shape) for one in (layer.forward_layer, layer.backward_layer))
    if isinstance(layer, layers.TimeDistributed):
        return _times(given[0], multiplications(layer.layer, (given[1:],), shape[1:]))
    if isinstance(layer, layers.Wrapper):
        return multiplications(layer.layer, reads, shape)
    if isinstance(layer, (layers.MultiHeadAttention, layers.GroupQueryAttention)):
        return _heads(layer, *reads[:3])
    if isinstance(layer, (layers.Attention, layers.AdditiveAttention)):
        return _attention(layer, *reads[:3])
    if isinstance(layer, layers.Dot):
        axis = layer.axes if isinstance(layer.axes, int) else layer.axes[0]
        return _times(_places(shape), ((None, *given))[axis])
    if isinstance(layer, layers.EinsumDense):
        read, kernel = layer.equation.replace(" ", "").partition("->")[0].split(",")
        fresh = [size for letter, size in zip(kernel, layer.kernel.shape, strict=True) if letter not in read]
        return _times(_places(given), *fresh)
    if isinstance(layer, (layers.RNN, layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D)):
        row = (None, *given[1:])
        places = 1 if len(given) == 2 else _picture(layer, layer.cell.compute_output_shape(row)[0][1:])
        return _times(_kernels(layer), given[0], places)
    if isinstance(layer, (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)):
        return _times(_kernels(layer), _picture(layer, given))
    if hasattr(layer, "kernel_size"):
        return _times(_kernels(layer), _picture(layer, shape))
    if isinstance(layer, (layers.Dense, VectorQuantizer)):
        return _times(_kernels(layer), _places(given[:-1]))
    if isinstance(layer, layers.ReversibleEmbedding) and len(shape) == len(given):
        return _times(_places(shape), given[-1])
    # A kernel of a layer that is not known here costs we do not know what; these have none though they have weights.
    free = (layers.Embedding, layers.BatchNormalization, layers.LayerNormalization, layers.RMSNormalization)
    known = isinstance(layer, (*free, layers.GroupNormalization, layers.Normalization, layers.PReLU))
    unknown = isinstance(layer, (layers.MelSpectrogram, layers.STFTSpectrogram))
    return None if unknown or (_kernels(layer) and not known) else 0


def _heads(layer: Any, query: Shape, value: Shape, key: Shape | None = None) -> int | None:
    """Multi-head attention: its kernels, each where it is applied, then every query on every key and value."""
    import keras

    steps, others = _places(query[:-1]), _places(value[:-1])
    inner = [getattr(layer, f"_{one}_dense", None) for one in ("query", "key", "value", "output", "gate")]
    kernels = [_kernels(one) if one is not None else 0 for one in inner]
    if isinstance(layer, keras.layers.MultiHeadAttention):
        axes = [axis - 1 for axis in layer.attention_axes]
        pairs = _times(steps, *(value[axis] for axis in axes))
        width = layer.num_heads * (layer.key_dim + layer.value_dim)
    else:
        pairs, width = _times(steps, others), layer.num_query_heads * 2 * layer.head_dim
    return _sum([_times(at, size) for at, size in zip((steps, others, others, steps, steps), kernels, strict=True)]
                + [_times(pairs, width)])  # fmt: skip


def _attention(layer: Any, query: Shape, value: Shape, key: Shape | None = None) -> int | None:
    """Attention without kernels: every query on every key, if they are multiplied, and the values that are summed."""
    multiplied = layer.score_mode == "dot" if hasattr(layer, "score_mode") else layer.use_scale
    width = _sum([query[-1] if multiplied else 0, value[-1]])
    return _times(_places(query[:-1]), *(value[-2:-1] or (None,)), width)


def _kernels(layer: Any) -> int:
    """The numbers in a layer's kernels: its weights of two or more dimensions; a GRU's bias may have two as well."""
    return sum(math.prod(one.shape) for one in layer.weights if len(one.shape) > 1 and "bias" not in one.name)


def _picture(layer: Any, sizes: Shape) -> int | None:
    """How many places there are beside the channels, which stand last or first."""
    return _places(sizes[1:] if layer.data_format == "channels_first" else sizes[:-1])


def _places(sizes: Shape) -> int | None:
    return _times(*sizes)


def _times(*factors: int | None) -> int | None:
    known = [one for one in factors if one is not None]
    return math.prod(known) if len(known) == len(factors) else None


def _sum(summands: Iterable[int | None]) -> int | None:
    given = list(summands)
    known = [one for one in given if one is not None]
    return sum(known) if len(known) == len(given) else None
