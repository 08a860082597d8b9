"""A `Network` to a functional `keras.Model`: one loop over nodes; an error of Keras becomes a problem at its line."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zoo.apart import together
from zoo.errors import Mark, Problem, ZooError, first_sentence
from zoo.language import catalogue, objects
from zoo.language.network import Network, Node, output, snake_case
from zoo.language.ranges import Filled
from zoo.seeding import derive, drawn, drawn_from

if TYPE_CHECKING:
    import keras

    from zoo.layers.adjustable import Knob


class Plain:
    """Lambda and p as plain numbers: Keras's own `L2` and `Dropout`. What a user and an export get."""

    def __init__(self) -> None:
        self.together: list[Problem] = []
        """What was found to take rows together, or to move them: a network in which rows meet cannot be trained."""
        self.certain = False
        """Whether they meet whatever else the network does."""

    def l2(self, value: float) -> Any:
        """The regulariser of a kernel; none where lambda is 0."""
        import keras

        return keras.regularizers.L2(float(value)) if value else None

    def dropout(self, layer: str, value: float, arguments: Mapping[str, Any]) -> keras.layers.Layer:
        """A dropout layer."""
        import keras

        return getattr(keras.layers, layer)(rate=float(value), **arguments)

    def layer(self, name: str) -> Any:
        """The class of a layer: Keras's, or one of ours."""
        import keras

        if hasattr(keras.layers, name):
            return getattr(keras.layers, name)
        from zoo import layers

        return layers.find(name)


class Adjustable(Plain):
    """Lambda and p as knobs: those that a range filled are variables, by the range's name; the others plain numbers.

    Layers that can be computed in fewer operations are: this is what trains.
    """

    def __init__(self) -> None:
        super().__init__()
        self.knobs: dict[str, Knob] = {}

    def l2(self, value: float) -> Any:
        """The regulariser of a kernel, its lambda a variable if a range filled it."""
        from zoo.layers.adjustable import AdjustableL2

        return AdjustableL2(self._knob(value)) if isinstance(value, Filled) else super().l2(value)

    def dropout(self, layer: str, value: float, arguments: Mapping[str, Any]) -> keras.layers.Layer:
        """A dropout layer, its p a variable if a range filled it."""
        from zoo.layers.adjustable import ADJUSTABLE

        if not isinstance(value, Filled):
            return super().dropout(layer, value, arguments)
        return ADJUSTABLE[layer](self._knob(value), **arguments)

    def layer(self, name: str) -> Any:
        """The class of a layer, the fused one where there is one."""
        from zoo.layers.fused import FUSED

        return FUSED.get(name) or super().layer(name)

    def _knob(self, value: Filled) -> Knob:
        from zoo.layers.adjustable import Knob

        return self.knobs.setdefault(value.name, Knob(value.name, float(value)))


def lower(
    network: Network, how: Plain, seed: int | None = None, portable: bool = False, rows: int | None = None
) -> keras.Model:
    """Build the Keras model of a network, for any number of `rows` in a batch unless there is one.

    With a `seed` every initialiser and every random layer gets one of its own, derived from its name, so that two
    builds have equal weights whatever was built before. `portable` forgoes GPU kernels that run nowhere else.
    Raises `ZooError` at the line of the spec whose layer Keras refuses.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ZooError(f"Keras runs on {keras.backend.backend()}; expected TensorFlow: set KERAS_BACKEND=tensorflow")
    for what, has, wanted in (
        ("image_data_format", keras.config.image_data_format(), "channels_last"),
        ("dtype policy", keras.config.dtype_policy().name, "float32"),
    ):
        if has != wanted:
            raise ZooError(f"Keras's {what} is {has}; expected {wanted}, which all figures here are computed with")
    _take_names(network)
    sources = {
        one.name: keras.Input(
            one.shape, one.batch_size or rows, one.dtype, one.sparse or None, name=one.name, optional=one.optional
        )
        for one in network.inputs
    }
    results = _laid_out(network, sources, how, seed, portable, "")
    try:
        return keras.Model(_one(sources.values()), _one(results), name=_model_name(network.name))
    except ValueError as error:  # a graph that one of Keras's own layers has spoilt
        node = next((one for one in network.walk() if f"'{one.name}'" in str(error)), network.nodes[-1])
        wrong = f"Keras refuses {node.layer}: {first_sentence(error)}"
        raise ZooError(Problem(wrong, "", "", node.path, node.mark)) from error


def whole(flat: Network) -> Mark | None:
    """The place of a spec as a whole, where nothing tells which layer is meant."""
    mark = next((node.mark for node in flat.walk()), None)
    return replace(mark, line=1, column=1) if mark and mark.line else mark


def refused(error: Exception, flat: Network) -> ZooError:
    """What Keras or TensorFlow refuses once it computes, at the line of the layer that it names."""
    says, nodes = str(error), list(flat.walk())
    places = {one.name: re.search(rf"[/'\"]{re.escape(one.name)}(_\d+)?[/'\"]", says) for one in nodes}
    named = sorted((place.start(), name) for name, place in places.items() if place)[:1]
    of_class = [one for one in nodes if one.layer in re.findall(r"calling (\w+)\.call", says)]
    found = [one for one in nodes if named and one.name == named[0][1]] or (of_class if len(of_class) == 1 else [])
    path, mark = (found[0].path, found[0].mark) if found else ("", whole(flat))
    return ZooError(Problem(f"the network cannot be computed: {first_sentence(error)}", "", "", path, mark))


CRITERIA = ("EvidenceLowerBound", "Contraction", "Sparsity")
"""Layers of ours that draw nothing."""

MASKS = ("mask_zero", "mask_value")
"""Arguments of the layers from which on tensors have masks."""


def _take_names(network: Network) -> None:
    """Have Keras not call operations of its own as our layers are called, as it would for those that join masks."""
    import keras

    nodes = list(network.walk())
    if any(one.arguments.get(key) not in (None, False) for one in nodes for key in MASKS) or any(
        one.layer == "Masking" for one in nodes
    ):
        for one in nodes:
            keras.backend.get_uid(snake_case(catalogue.bare(one.layer)))
            name, _, count = one.name.rpartition("_")
            if count.isdigit() and name in catalogue.catalogue()["ops"]:
                for _ in range(min(int(count), 1_000)):
                    keras.backend.get_uid(name)


def _model_name(name: str) -> str:
    return name.replace("/", "_")


def _laid_out(
    network: Network, sources: Mapping[str, Any], how: Plain, seed: int | None, portable: bool, within: str
) -> list[Any]:
    """Make and call the layers of a network on its inputs, in order; the tensors that it answers.

    `within` names the model inside the model that this is: layers there have seeds of their own. Raises `ZooError` with
    every layer that is refused; those that read what it would answer are left out.
    """
    import keras

    tensors, layers = dict(sources), dict[str, Any]()
    refused: dict[str, Problem] = {}
    for node in network.nodes:
        name, across = within + node.name, ""
        if refused and any(one not in tensors for one in node.read()):
            continue
        try:
            with drawn_from(None if node.network else derive(seed, name, "initializers")):
                across = _across(node, tensors)
                made = layers.get(node.reuses) or _layer(node, tensors, how, seed, portable, name)
                given, named = _given(node, tensors), _named(node, tensors)
                results = made(*given, **named)
                _complete(made, given, named)
                across = across or (together(results, bool(how.together)) if node.operation else "")
            if node.still:  # now that the layers and variables inside it are there, which the argument does not reach
                made.trainable = False
        except ZooError as error:  # of layers in a model inside the model
            for one in error.problems:
                refused.setdefault(one.path or str(one), one)
            continue
        except Exception as error:
            on = " and ".join(str(tuple(tensors[one].shape)) for one in node.read())
            said = f"{node.layer} `{name}`" if node.path.startswith("blocks.") else node.layer  # which of its calls
            wrong = f"Keras refuses {said} on {on}: {first_sentence(error)}"
            keeps = across == objects.KEEPS
            wrong = _rows_meet(node, said, tensors, across) if across and not keeps else wrong
            added = re.fullmatch(r"(head|decoder)\.\w+", node.path)  # what a spec holds has a number there
            expected = f"a body for this {node.layer}, which its task adds, or a `head`" if added else ""
            expected = "`batch_size` beside the shape of its input" if keeps else expected
            if node.reuses and node.network and "incompatible" in wrong:
                expected = f"`inputs: {{{node.network.input}: {{shape: ...}}}}` in its block, `null` for what is open"
            refused.setdefault(node.path, Problem(wrong, expected, "", node.path, node.mark))
            continue
        if across:
            wrong = _rows_meet(node, node.layer, tensors, across)
            how.together.append(Problem(wrong, "", "", node.path, node.mark))
            how.certain = how.certain or across == AS_IMAGE
        layers[node.name] = made
        results = keras.tree.flatten(results)  # the states of several cells come in lists of their own
        tensors.update({output(node.name, index): one for index, one in enumerate(results)})
    if refused:
        raise ZooError(*refused.values())
    return [tensors[name] for name in network.outputs]


def _rows_meet(node: Node, said: str, tensors: Mapping[str, Any], why: str) -> str:
    on = " and ".join(str(tuple(tensors[one].shape)) for one in node.read())
    return f"{said} on {on} takes rows together, which know nothing of one another: {why}"


def _complete(layer: Any, given: list[Any], named: Mapping[str, Any]) -> None:
    """Have the activations that a layer holds make their weights, as Keras does when it first computes."""
    import keras
    from keras.src.backend import AutocastScope, compute_output_spec

    if isinstance(layer, keras.layers.Layer) and not all(one.built for one in layer._flatten_layers()):
        kind = layer.compute_dtype if layer.autocast and "float" in layer.compute_dtype else None

        def like(value: Any) -> Any:  # of the type that the layer computes in; Keras takes `x * 2` for a sparse tensor
            if not isinstance(value, keras.KerasTensor):
                return value
            return keras.KerasTensor(value.shape, kind if kind and "float" in value.dtype else value.dtype)

        made = keras.tree.map_structure(like, (given, dict(named)))
        with keras.name_scope(layer.name), AutocastScope(kind):
            compute_output_spec(layer.call, *made[0], **made[1])


def _one(values: Iterable[Any]) -> Any:
    values = list(values)
    return values[0] if len(values) == 1 else values


def _given(node: Node, tensors: Mapping[str, Any]) -> list[Any]:
    """What a node's layer is called on: one tensor, or a list of them; nothing if all go by name."""
    given = [tensors[name] for name in node.inputs]
    if node.operation and not node.many:
        return given
    return [given if node.many else _one(given)] if given else []


def _named(node: Node, tensors: Mapping[str, Any]) -> dict[str, Any]:
    """What goes by the names of the call's arguments: tensors, lists of them or of nothing, booleans."""

    def found(value: Any) -> Any:
        return (
            tensors[value] if isinstance(value, str) else list(map(found, value)) if isinstance(value, tuple) else value
        )

    return {key: found(value) for key, value in node.call.items()}


def _layer(node: Node, tensors: Mapping[str, Any], how: Plain, seed: int | None, portable: bool, name: str) -> Any:
    """A node's layer; a model of its own, so that a reloaded model still has `get_layer("decoder")`, if it is one."""
    import keras

    if node.operation:
        return _operation(node)
    if node.network is None:
        arguments = {key: value for key, value in node.arguments.items() if key != "trainable" or not node.still}
        return make(node.layer, arguments, node.l2, node.dropout, how, derive(seed, name), node.name, portable)
    if node.at_steps:
        return _at_each_step(node, tensors, how, seed, portable, name)
    sources = {
        one.name: keras.Input(
            one.shape or tensors[given].shape[1:], tensors[given].shape[0], tensors[given].dtype, name=one.name
        )
        for one, given in zip(node.network.inputs, node.inputs, strict=True)
    }
    results = _laid_out(node.network, sources, how, seed, portable, f"{name}/")
    model = keras.Model(_one(sources.values()), _one(results), name=node.name)
    if node.kind != "Sequential":
        return model
    # Ids come with their input layer: a bare list is built for float32, in which large ones are no longer themselves.
    # So do sizes that are open: a bare list has those of its first call.
    bare = all("float" in one.dtype for one in sources.values()) and not node.network.inputs[0].shape
    return keras.Sequential(model.layers[bare:], name=node.name)


def _at_each_step(
    node: Node, tensors: Mapping[str, Any], how: Plain, seed: int | None, portable: bool, name: str
) -> Any:
    """A `TimeDistributed` of a model, which is made for what one step is."""
    import keras

    assert node.network is not None
    given = tensors[node.inputs[0]]
    if len(given.shape) < 3:
        raise ValueError("it goes through steps, the second axis, and there are none")
    step = keras.KerasTensor((given.shape[0], *given.shape[2:]), given.dtype)
    inner = replace(node, layer=node.kind, arguments={}, name=node.network.name, inputs=(node.inputs[0],))
    model = _layer(inner, {node.inputs[0]: step}, how, seed, portable, name)
    more = {key: _value(key, one, None, how, seed, portable) for key, one in node.arguments.items() if key != "layer"}
    return how.layer(node.layer)(model, name=node.name, **more)


def _operation(node: Node) -> Callable[..., Any]:
    """A function of tensors that puts an operation of `keras.ops` into the graph, under the node's name."""
    import keras

    name = node.operation
    function = operator.attrgetter(name)(keras.ops)
    constants = {key: _constant(node.layer, key, value) for key, value in node.arguments.items()}
    free = catalogue.operands(node.layer, {**constants, **node.call})[0]
    required = catalogue.catalogue()["ops"][name]["required"]

    def called(*given: Any, **named: Any) -> Any:
        if node.layer == "ops.get_item":
            _check_index(constants["key"], given[0].shape)
        if free[:1] and free[0].startswith("*"):
            first = [constants[key] for key in required]
            made = function(*first, *given, **{key: one for key, one in constants.items() if key not in required})
        else:
            made = function(**constants, **dict(zip(free, given, strict=False)), **named)
        keras.tree.flatten(made)[0]._keras_history.operation.name = node.name
        return made

    return called


AS_IMAGE = "it takes them for the height of one image; expected images, [height, width, channels]"
"""Why a layer of images goes over the rows of sequences, if only in training."""


def _across(node: Node, tensors: Mapping[str, Any]) -> str:
    """Why a layer goes over the rows of a batch, an empty text if it does not. Operations are tried instead."""
    if node.operation or node.network:
        return ""
    named = {key: tensors[value] for key, value in node.call.items() if isinstance(value, str)}
    return across(node.layer, node.arguments, [tensors[name] for name in node.inputs], named)


def across(layer: str, arguments: Mapping[str, Any], first: Sequence[Any], named: Mapping[str, Any]) -> str:
    """Why a layer that is called on some tensors goes over the rows of a batch, an empty text if it does not."""
    asked = [*first, *(one for key, one in named.items() if not key.endswith("mask") and hasattr(one, "shape"))]
    if layer in catalogue.ASKING and any(len(one.shape) < 3 for one in asked):
        return "it asks one row what another answers; expected sequences"
    if not first:
        return ""
    for one, given, rank in objects.held(layer, arguments, len(first[0].shape)):
        if one in catalogue.IMAGES and rank < 4:
            return AS_IMAGE
        if wrong := objects.over_rows(one, given, rank):
            return wrong
    return ""


def _constant(layer: str, key: str, value: Any) -> Any:
    """A constant of an operation: numbers beside tensors as an array, an index as Python has it."""
    import numpy as np

    if layer == "ops.get_item" and key == "key":
        return catalogue.index(value)
    if isinstance(value, list) and key in catalogue.operands(layer, ())[0]:
        return np.asarray(value, catalogue.type_of(value))
    if value in catalogue.INFINITE and catalogue.may_be_infinite(layer, key):
        return float(value)
    if isinstance(value, list):
        return tuple(tuple(one) if isinstance(one, list) else one for one in value)
    return float(value) if isinstance(value, float) else value


def _check_index(key: tuple[Any, ...], shape: tuple[int | None, ...]) -> None:
    """Raise `ValueError` for an index of what is not there, which TensorFlow tells only when it runs."""
    there = [one for one in key if one is not None]
    at = there.index(...) if ... in there else len(there)
    axes = [*range(at), None, *range(len(shape) - len(there) + at + 1, len(shape))]
    if len(there) - (... in there) > len(shape):
        raise ValueError(f"{len(there)} indices for {len(shape)} axes, the batch counted")
    for axis, one in zip(axes if ... in there else range(at), there, strict=True):
        size = None if axis is None else shape[axis]
        if isinstance(one, int) and size is not None and not -size <= one < size:
            raise ValueError(f"index {one} is beyond the {size} parts along axis {axis}, 0 to {size - 1}")
        if isinstance(one, slice) and size is not None and not range(size)[one]:
            raise ValueError(f"the slice takes none of the {size} parts along axis {axis}")


def seeds(network: Network, seed: int, within: str = "") -> Iterator[int]:
    """Every seed that lowering a network derives from its own, layer by layer, and those that Keras draws there."""
    for node in network.nodes:
        name = within + node.name
        if node.network is not None:
            yield from seeds(node.network, seed, f"{name}/")
            continue
        own = derive(seed, name)
        yield own
        yield from drawn(derive(seed, name, "initializers"))
        yield from _seeds_of_wrapped(node.arguments, own)


def _seeds_of_wrapped(arguments: Mapping[str, Any], seed: int) -> Iterator[int]:
    for key, value in arguments.items():
        if catalogue.holds_layers(key, value):
            for name, one in catalogue.numbered(key, value):
                own = derive(seed, name)
                yield own
                if isinstance(one, Mapping):
                    for body in one.values():
                        yield from _seeds_of_wrapped(body or {}, own)


def computed_in(model: Any) -> set[str]:
    """The types that the layers of a model compute in, those inside it and those that layers hold included."""
    return {layer.compute_dtype for layer in model._flatten_layers()}


def model_in(layer: Any) -> Any:
    """The model that a layer is, or applies to each step; None for any other layer."""
    import keras

    held = layer.layer if type(layer) is keras.layers.TimeDistributed else layer  # a subclass may do otherwise
    return held if isinstance(held, keras.Model) else None


def weights_by_path(model: Any, within: str = "") -> Iterator[tuple[str, Any]]:
    """Every weight by its path, those of a model inside the model after its name: Keras leaves that name out."""
    for layer in model.layers:
        if inner := model_in(layer):
            yield from weights_by_path(inner, f"{within}{layer.name}/")
        else:
            for variable in layer.weights:
                yield within + variable.path, variable


def make(
    layer: str,
    arguments: Mapping[str, Any],
    l2: float | None,
    dropout: float | None,
    how: Plain,
    seed: int | None = None,
    name: str | None = None,
    portable: bool = False,
) -> keras.layers.Layer:
    """One layer from its class name and arguments, with lambda on each kernel that has no regulariser of its own."""

    entry = catalogue.catalogue()["layers"].get(layer)
    known = entry["arguments"] if entry else {}
    made = {key: _value(key, value, l2, how, seed, portable) for key, value in arguments.items()}
    if name is not None:
        made["name"] = name
    if seed is not None and (entry is None or "seed" in known) and layer not in CRITERIA:
        made.setdefault("seed", seed)
    if l2 is not None:
        for key in catalogue.KERNELS:
            if key in known and key not in made:
                made[key] = how.l2(l2)
    if portable and "use_cudnn" in known:
        made["use_cudnn"] = False
    if dropout is not None:
        return how.dropout(layer, dropout, made)
    return how.layer(layer)(**made)


def _value(key: str, value: Any, l2: float | None, how: Plain, seed: int | None, portable: bool) -> Any:
    """A Keras object for a named object `{Name: {arguments}}`; everything else as plain Python values."""
    import keras

    if catalogue.holds_layers(key, value):
        # Keras would count unnamed layers by process, and weights could not be found by their paths again.
        made = []
        for word, one in catalogue.numbered(key, value):
            layer, inner = next(iter(one.items())) if isinstance(one, Mapping) else (one, None)
            body = dict(inner or {})
            given = body.pop("name", None) or word
            made.append(make(layer, body, l2, None, how, derive(seed, word), given, portable))
        stacked = isinstance(value, list)
        return keras.layers.StackedRNNCells(made, name=key, dtype=made[0].dtype_policy) if stacked else made[0]
    module = catalogue.module_of(key)
    if isinstance(value, Mapping) and len(value) == 1 and module:
        name, inner = next(iter(value.items()))
        where: Any = keras.optimizers.schedules if module == "schedules" else getattr(keras, module)
        floated = catalogue.with_floats(name, inner or {})
        return getattr(where, name)(**{k: _value(k, v, l2, how, seed, portable) for k, v in floated.items()})
    if isinstance(value, list):
        several = [_value(key, one, l2, how, seed, portable) for one in value]
        return tuple(several) if key in catalogue.TUPLES else several
    return float(value) if isinstance(value, float) else value


def optimizer(value: Any, place: Mark | None = None) -> keras.optimizers.Optimizer:
    """The optimizer that a spec's `train.optimizer` names. Raises `ZooError` at its place if Keras refuses it."""
    return _of_training("optimizer", value, place)


def loss(value: Any, place: Mark | None = None) -> keras.losses.Loss:
    """The loss that a spec's `train.loss` names. Raises `ZooError` at its place if Keras refuses it."""
    from zoo.layers.answering import Huber

    made = _of_training("loss", value, place)
    return Huber(made._fn_kwargs["delta"]) if type(made).__name__ == "Huber" else made


def _of_training(key: str, value: Any, place: Mark | None) -> Any:
    name, arguments = (value, {}) if isinstance(value, str) else next(iter(value.items()))
    try:
        return _value(key, {name: arguments or {}}, None, Plain(), None, False)
    except Exception as error:
        wrong = f"Keras refuses {name}: {first_sentence(error)}"
        raise ZooError(Problem(wrong, "", "", f"train.{key}.{name}", place)) from error
