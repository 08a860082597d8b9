"""The graph of a Keras model as calls in order: what is called on what, and which tensors carry masks."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zoo.errors import Problem, listed
from zoo.lowering import model_in

Key = tuple[int, int, int]
"""What tells a tensor from all others: its layer or operation, the call of it, and which of its outputs."""

JOINED = ("Add", "Subtract", "Multiply", "Maximum", "Minimum", "Average")
"""Layers that hand a mask on only where all tensors that they are called on have one."""


MERGING = (*JOINED, "Concatenate")
"""Layers that are called on lists, in which constants may stand."""


class Foreign(Problem):
    """That a model holds what no spec can hold, and what Python alone can make."""


class Refused(Exception):
    """Why a layer cannot be said, and what kind of problem that is; told together with the others."""

    def __init__(self, says: str, kind: type[Problem] = Problem) -> None:
        super().__init__(says)
        self.kind = kind


@dataclass(frozen=True)
class Constant:
    """Numbers that a layer is called on among tensors: those of one row, for each row the same, or a whole tensor."""

    row: Any
    """An array without the axis of the rows."""
    dtype: str
    whole: bool = False
    """Whether the rows, if there are any, are in it."""


@dataclass
class Call:
    """One call of a layer or an operation: on what, and with what by name; `bound` is all that an operation gets."""

    operation: Any
    outputs: list[Any]
    first: Any
    named: dict[str, Any] = field(default_factory=dict)
    argument: str = "inputs"
    refused: str = ""
    bound: Mapping[str, Any] = field(default_factory=dict)


def without_graph(model: Any) -> str:
    """Why a model has no graph of layers, an empty text if it has one."""
    import keras

    name = type(model).__name__
    if not isinstance(model, keras.Model) or type(model).__module__.split(".")[0] != "keras":
        return f"`{name}` is a class of its own; expected a functional or a sequential model of Keras"
    try:
        found = model.inputs
    except AttributeError:  # a sequential model says so in this way
        found = None
    return "" if found else f"`{model.name}` has no input yet; expected a sequential model with an `Input`"


def key_of(tensor: Any) -> Key:
    """What tells a tensor from all others."""
    operation, node, index = tensor._keras_history
    return id(operation), node, index


def operation_of(tensor: Any) -> Any:
    """The layer or operation that made a tensor."""
    return tensor._keras_history.operation


def calls_of(model: Any) -> list[Call]:
    """The calls of a model's graph, each after those whose tensors it reads, depth first from the outputs.

    This orders the text only: the order of a model's weights follows from its graph.
    """
    inputs = {key_of(one) for one in model.inputs}
    made, order = dict[tuple[int, int], Call](), list[Call]()
    waiting = [(tensor, False) for tensor in reversed(model.outputs)]
    done = set[tuple[int, int]]()
    while waiting:
        tensor, ready = waiting.pop()
        operation, node, _ = tensor._keras_history
        key = (id(operation), node)
        if key in done or key_of(tensor) in inputs:
            continue
        if key not in made:
            made[key] = _call_of(operation._inbound_nodes[node])
        if ready:
            done.add(key)
            order.append(made[key])
        else:
            waiting.append((tensor, True))
            # What is named comes before what it is called on, which then is `previous`.
            read = [*keras_tensors(made[key].named), *keras_tensors(made[key].first)]
            waiting += [(one, False) for one in reversed(read)]
    return order


def read_first(tensor: Any, model: Any) -> Any:
    """The first input of a model that a tensor is made of; itself if it is made of none, or of one that may be odd."""
    inputs, seen, waiting = {key_of(one) for one in model.inputs}, dict[Key, Any](), [tensor]
    while waiting:
        one = waiting.pop()
        if key_of(one) not in seen:
            seen[key_of(one)] = one
            operation, node, _ = one._keras_history
            waiting += [] if key_of(one) in inputs else operation._inbound_nodes[node].input_tensors
    found = next((one for one in model.inputs if key_of(one) in seen), tensor)
    odd = getattr(found, "sparse", False) or getattr(operation_of(found), "optional", False) or found.dtype == "string"
    return tensor if odd else found


def sharing(model: Any) -> set[int]:
    """The models inside a model that call a layer which another of them calls, or the model itself, and those around.

    Empty where two layers in them are called alike, or one is called at each step: no graph can hold all of them.
    """
    import keras

    callers, around, named = dict[int, set[int]](), dict[int, set[int]](), list[tuple[int, Any]]()
    waiting, steps, seen = [model], set[int](), set[int]()
    while waiting:
        graph = waiting.pop()
        if id(graph) in seen or without_graph(graph):
            continue
        seen.add(id(graph))
        for call in calls_of(graph):
            operation = call.operation
            if not isinstance(operation, keras.layers.Layer):
                continue
            inner = model_in(operation)
            if inner:
                around.setdefault(id(inner), set()).add(id(graph))
                waiting.append(inner)
                steps |= {id(inner)} - {id(operation)}
            named.append((id(graph), operation))
            if operation.weights:
                callers.setdefault(id(operation), set()).add(id(graph))
    flat = set[int]().union(*(one for one in callers.values() if len(one) > 1))
    while more := set[int]().union(*(around.get(one, set()) for one in flat)) - flat:
        flat |= more
    names = dict[str, set[int]]()
    for graph_id, operation in named:  # in one graph
        if graph_id in flat | {id(model)} and id(operation) not in flat:
            names.setdefault(operation.name, set()).add(id(operation))
    alike = any(len(one) > 1 for one in names.values())
    return set() if alike or steps & flat else flat - {id(model)}


def masked_of(calls: Sequence[Call], inputs: Iterable[Key]) -> set[Key]:
    """The tensors that carry a mask when the model is called, or may; its inputs with a mask are given.

    The graph does not tell: what a model inside hands on, Keras sees only when it is called.
    """
    import keras

    found = set(inputs)
    for call in calls:
        operation = call.operation
        if isinstance(operation, keras.Model):
            inside = [] if without_graph(operation) else calls_of(operation)
            within = masked_of(inside, masked_inside(operation, [call], found))
            pairs = zip(call.outputs, operation.outputs if inside else [], strict=False)
            found |= {key_of(one) for one, inner in pairs if key_of(inner) in within}
        elif isinstance(operation, keras.layers.Layer) and _hands_on(call, found):
            apart = isinstance(operation, keras.layers.Bidirectional) and operation.merge_mode is None
            found |= {key_of(one) for one in call.outputs[: 2 if apart else 1]}  # states have none
    return found


def masked_inside(model: Any, calls: Iterable[Call], masked: set[Key]) -> set[Key]:
    """The inputs of a model inside the model that get a mask in one of these calls."""
    given = [
        keras_tensors(call.first) for call in calls if model in (call.operation, getattr(call.operation, "layer", 0))
    ]
    return {
        key_of(one) for each in given for one, got in zip(model.inputs, each, strict=False) if key_of(got) in masked
    }


def masked_among(value: Any, masked: set[Key]) -> list[Any]:
    """Those of the tensors in a value that carry a mask."""
    return [one for one in keras_tensors(value) if key_of(one) in masked]


def _hands_on(call: Call, masked: set[Key]) -> bool:
    """Whether what a layer answers carries a mask: one of its own, or that of what it is called on."""
    import keras

    layer = call.operation
    if isinstance(layer, keras.layers.Embedding):
        return bool(layer.mask_zero) and not call.named.get("reverse")
    if isinstance(layer, keras.layers.Masking):
        return True
    one_for_all = isinstance(layer, (keras.layers.GlobalAveragePooling1D, keras.layers.Dot))
    if one_for_all or not layer.supports_masking or not getattr(layer, "return_sequences", True):
        return False
    given, carry = keras_tensors(call.first), len(masked_among(call.first, masked))
    if type(layer).__name__ in JOINED:
        return carry == len(given)
    return carry > 0 or "mask" in call.named


def is_trained(operation: Any) -> bool:
    """Whether a layer may do otherwise in training."""
    import keras

    return isinstance(operation, keras.layers.Layer) and (
        isinstance(operation, keras.Model) or "training" in inspect.signature(operation.call).parameters
    )


def keras_tensors(value: Any) -> list[Any]:
    """The tensors in a value, in order."""
    import keras

    return [one for one in keras.tree.flatten(value) if isinstance(one, keras.KerasTensor)]


def _call_of(node: Any) -> Call:
    """What a node of the graph says, without the masks that Keras hands on by itself and what is at its default."""
    import keras

    operation, given = node.operation, node.arguments
    outputs, everything = list(node.outputs), [*given.args, *given.kwargs.values()]
    signature = inspect.signature(operation.call)
    if not isinstance(operation, keras.layers.Layer):
        return Call(operation, outputs, everything, bound=signature.bind(*given.args, **given.kwargs).arguments)
    try:
        bound = signature.bind(*given.args, **given.kwargs).arguments
        (argument, first), *more = bound.items()
        rank = len(first.shape) if isinstance(operation, keras.layers.Softmax) else 0
        call = Call(operation, outputs, _first(operation, first), argument=argument)
        for key, value in more:
            usual = signature.parameters[key].default
            at_default = value is None or (isinstance(value, bool) and value == usual)
            if not at_default and not _is_handed_on(key, value, bound):
                call.named[key] = _told(key, value, rank)
    except TypeError:
        return Call(operation, outputs, everything, refused=f"is called with {listed(given.kwargs)}, unlike any layer")
    except Refused as refused:
        return Call(operation, outputs, everything, refused=str(refused))
    return call


def _first(operation: Any, value: Any) -> Any:
    """What a layer is called on: a tensor, or a list of them."""
    import keras

    found = list(value) if isinstance(value, (list, tuple)) else [value]
    if type(operation).__name__ in MERGING and any(isinstance(one, keras.KerasTensor) for one in found):
        rank = max(len(one.shape) for one in found if isinstance(one, keras.KerasTensor))
        value = [one if isinstance(one, keras.KerasTensor) else _among(one, rank) for one in found]
        found = [one for one in value if not isinstance(one, Constant)]
    if isinstance(operation, keras.Model):
        by_name = isinstance(value, dict) and not isinstance(operation.input, dict)
        found = [value[one.name] for one in operation.inputs] if by_name else keras.tree.flatten(value)
        if not all(isinstance(one, keras.KerasTensor) for one in found):
            raise Refused("is a model called on something else than tensors; expected a tensor for each of its inputs")
        return found if len(found) > 1 else found[0]
    if type(operation).__name__ not in MERGING:
        value = list(map(_whole, value)) if isinstance(value, (list, tuple)) else _whole(value)
        found = value if isinstance(value, list) else [value]
    if not found or not all(isinstance(one, (keras.KerasTensor, Constant)) for one in found):
        raise Refused("is called on something else than tensors; expected a tensor, or a list of them")
    return list(value) if isinstance(value, (list, tuple)) else value


def _among(value: Any, rank: int) -> Constant:
    """An array among tensors of so many axes that are merged: the same for each row. Keras adds the axes that it lacks.

    Raises `Refused` for one that has an axis of rows, or is none.
    """
    import keras

    shape = tuple(getattr(value, "shape", ()))
    if shape[:1] == (1,) and len(shape) < rank:
        value = keras.ops.reshape(value, (1, *[1] * (rank - len(shape)), *shape[1:]))
    made = constant_of(value, rank)
    if made is None:
        raise Refused(f"merges tensors with numbers of the shape {shape}; expected (1, ...), the same for each row")
    return made


def _told(key: str, value: Any, rank: int) -> Any:
    """What goes by an argument's name: a boolean, a tensor, or a list of them.

    Numbers in the place of a mask are a constant, of as many axes at least as `rank` says.
    """
    import keras

    several = list(value) if isinstance(value, (list, tuple)) else [value]
    if isinstance(value, bool):
        return value
    is_array = hasattr(value, "shape") and not isinstance(value, keras.KerasTensor)
    if key == "mask" and is_array and rank:  # that of a softmax is broadcast, others have an axis of the rows
        value = keras.ops.reshape(value, (*[1] * (rank - len(value.shape)), *value.shape))
    if key == "attention_mask" or (key == "mask" and is_array):
        made = constant_of(value, len(value.shape) if key == "mask" else 0)
        if made:
            return made
    is_mask = key.endswith("mask") and any(one is not None for one in several)
    several = list(map(_whole, several))
    known = (keras.KerasTensor, Constant)
    if not several or not all(isinstance(one, known) or (is_mask and one is None) for one in several):
        told = " ".join(str(value).split())[:60]
        raise Refused(f"is called with {key}={told}; expected a tensor, a list of them, true or false")
    return several if isinstance(value, (list, tuple)) else several[0]


def _whole(value: Any) -> Any:
    """An array as a constant that is what it is, however many rows there are; anything else as it is."""
    made = constant_of(value, rows=False)
    return Constant(made.row, made.dtype, whole=True) if made else value


def constant_of(value: Any, rank: int = 0, rows: bool = True) -> Constant | None:
    """An array as a constant; None for what is none, or has not the `rank` of the tensors beside it.

    Where no rank is said, an array of three axes or more begins with that of the `rows`, if there is one, and has one.
    """
    import keras
    import numpy as np

    if isinstance(value, (str, keras.KerasTensor)) or not hasattr(value, "shape"):
        return None
    found = np.asarray(keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else value)
    with_rows = rows and found.shape[:1] == (1,) and found.ndim == (rank or max(found.ndim, 3))
    if found.dtype.kind not in "bifu" or (rank and not with_rows):
        return None
    kind = str(found.dtype)
    return Constant(found[0] if with_rows else found, "float32" if kind == "float64" else kind)


def _is_handed_on(key: str, value: Any, bound: Mapping[str, Any]) -> bool:
    """Whether a mask is the one that Keras takes from the tensor itself (of an `Embedding`, a `Masking`)."""
    import keras

    masked = next(iter(bound.values())) if key == "mask" else bound.get(key.removesuffix("_mask"))
    if masked is None or not key.endswith("mask"):
        return False
    masks = keras.tree.flatten(value)
    usual = [getattr(one, "_keras_mask", None) for one in keras.tree.flatten(masked)]
    return len(masks) == len(usual) and all(_same(*pair) for pair in zip(masks, usual, strict=True))


def _same(one: Any, other: Any) -> bool:
    """Whether two values of a graph are one: equal constants, one tensor, or equal operations of equal values."""
    import keras

    if not isinstance(one, keras.KerasTensor) or not isinstance(other, keras.KerasTensor):
        return type(one) is type(other) and bool(one == other)
    if key_of(one) == key_of(other):
        return True
    operations = [operation_of(one), operation_of(other)]
    if isinstance(operations[0], keras.layers.Layer) or type(operations[0]) is not type(operations[1]):
        return False
    given = [found._inbound_nodes[at].arguments for found, at, _ in (one._keras_history, other._keras_history)]
    read = [keras.tree.flatten([list(each.args), each.kwargs]) for each in given]
    settings = [{k: v for k, v in vars(found).items() if k in ("axis", "keepdims")} for found in operations]
    return settings[0] == settings[1] and len(read[0]) == len(read[1]) and all(map(_same, *read))
