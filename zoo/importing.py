"""A Keras model to a spec in plain data: `lowering.py` backwards, then folded.

Functional and sequential models, their nested models as blocks, calls of one layer again as `reuse`. Building the spec
gives the same layers under the same names in the same order, so that weights copy in order; inputs may be called
otherwise and stand elsewhere, and what Keras has no layer for may get one. What a spec cannot say is refused with a
sentence that names the layer.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import itertools
import json
import math
import re
import warnings
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import layers as ours
from zoo.errors import ZooError, listed
from zoo.language import catalogue, folding, network, reading
from zoo.language.expressions import is_expression
from zoo.language.families import DTYPES, KINDS, kinds
from zoo.language.items import GROUP
from zoo.language.network import owner, snake_case
from zoo.language.objects import OURS, WRAPPED, kernels
from zoo.language.spec import NAME, NAMES
from zoo.lowering import Plain, first_sentence, lower, together

if TYPE_CHECKING:
    import keras

Item = Any
"""An item of a body as the language writes it: a class alone, or a mapping of one key."""

Key = tuple[int, int, int]
"""What tells a tensor from all others: its layer or operation, the call of it, and which of its outputs."""

UNSAID = ("name", "trainable", "dtype")
"""What the config of every layer holds, and is said otherwise."""

SIZED = ("kernel_size", "strides", "pool_size", "dilation_rate", "size", "padding", "cropping")
"""Arguments for which one number stands for a row of equal ones."""

JOINED = ("Add", "Subtract", "Multiply", "Maximum", "Minimum", "Average")
"""Layers that hand a mask on only where all tensors that they are called on have one."""

MOST = 10_000
"""So many numbers may a constant of an operation hold."""

FIRST = ("query", "inputs", "sequences")
"""First arguments of calls for which the language puts no `previous` when they are named."""


def spec_of(model: keras.Model, name: str = "", folded: bool = True) -> dict[str, Any]:
    """The spec of a functional or sequential model, as plain data that `zoo.load` takes.

    `name` is the spec's (default: the model's own). Without `folded`, every layer stands on a line of its own.
    Raises `ZooError` with every layer that no spec can say.
    """
    wrong = ""
    for within in (False, True):
        whole = _Import(within)
        flat = whole.spec(model, name)
        spec, problems = reading.read(flat, "the imported spec", {})
        unfolded, more = network.unfold(spec.fill()) if spec else (None, [])
        if problems := problems + more:
            raise ZooError(*problems)
        wrong = _another_order(model, unfolded, whole) if unfolded and whole.added else ""
        if not wrong:
            return folding.fold(flat) if folded else flat
    raise ZooError(wrong)


def _another_order(model: Any, unfolded: network.Network, whole: _Import) -> str:
    """Why the weights would not copy in order, an empty text if they do.

    Keras orders the layers by how far they are from the outputs, and a layer more in one of two branches changes that.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a layer drops a mask, which is what it is there for
        try:
            made = lower(unfolded, Plain())
        except ValueError as error:  # a name that Keras gives to what makes a mask is a layer's as well
            raise ZooError(f"Keras does not build `{model.name}` again: {str(error).splitlines()[0][:200]}") from error
    names = [_weighty(one) for one in (model, made)]
    names[0] = [part for name in names[0] for part in whole.unrolled.get(name, [name])]
    both = set(names[0]) & set(names[1])
    for one, other in zip(*([name for name in found if name in both] for found in names), strict=True):
        if one != other:
            name, why = next(iter(whole.added.items()))
            return (
                f"the layer `{name}` {why}, for which a spec needs a layer more, and with that one the weights of "
                f"`{other}` come before those of `{one}`; expected branches in which it changes no order"
            )
    return ""


def _weighty(model: Any) -> list[str]:
    """The names of the layers with weights, in order, those of models inside the model among them."""
    found: list[str] = []
    for layer in model.layers:
        found += _weighty(layer) if hasattr(layer, "layers") else [layer.name] * bool(layer.weights)
    return found


PREVIOUS = object()
"""In the place of a tensor: that of the item before, where two items stand for one layer."""


def read(path: Path) -> keras.Model:
    """The model of a `.keras` file, read without running code that it may hold. Raises `ZooError` if it cannot be."""
    import keras

    importlib.import_module("zoo.layers.published")  # so that a file with layers of ours is read
    if path.suffix != ".keras" or not path.is_file():
        raise ZooError(f"{path} is no model; expected the path of a file that Keras saved as .keras")
    if not zipfile.is_zipfile(path):  # Keras would say that it is not there
        raise ZooError(f"{path} holds no model: it is no zip archive; expected a file that Keras saved as .keras")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever a file makes it stumble over
        says = str(error).strip() or type(error).__name__
        unknown = re.search(r"Could not locate (?:class|function) '(\w+)'", says)
        if unknown:
            raise ZooError(f"{path} holds {unknown[1]}, which is none of Keras's own; expected its layers") from error
        if "`Lambda`" in says:
            raise ZooError(f"{path} holds a Lambda: {catalogue.REFUSED['Lambda']}") from error
        raise ZooError(f"Keras cannot read {path}: {says.splitlines()[0][:200]}") from error


class _Refused(Exception):
    """Why a layer cannot be said; told together with the others."""


@dataclass
class _Import:
    """What the bodies of one model share: the blocks made so far, what was refused, and where a layer more stands.

    Layers that are activations stand behind the layers that hold them, or `within` them.
    """

    within: bool = False
    blocks: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    added: dict[str, str] = field(default_factory=dict)
    owners: dict[int, int] = field(default_factory=dict)
    """The model that a layer with weights was first called in."""
    unrolled: dict[str, list[str]] = field(default_factory=dict)
    """The layers with weights, in order, that stand for a model at each step."""

    def spec(self, model: Any, name: str) -> dict[str, Any]:
        """The whole spec, flat."""
        if wrong := _without_graph(model):
            raise ZooError(wrong)
        if not _calls(model):
            raise ZooError(f"`{model.name}` has no layers; expected at least one")
        inputs = [_input(tensor) for tensor in model.inputs]
        kind = kinds(inputs[0])[0]  # what a single input is called, unless a layer is
        taken = {one.name for one in model.layers} - {_operation_of(model.inputs[0]).name}
        single = len(inputs) == 1 and kind not in taken
        names = ["input"] if single else _input_names(model)
        body = _Body(self, model, names, {kind} if single else set())
        outputs = body.run()
        if self.refused:
            raise ZooError(*self.refused)
        if unread := [one for one in names if one not in body.read and one not in outputs]:
            raise ZooError(f"the input `{unread[0]}` leads to no output; expected every input to be used")
        task, facts = _task(model)
        if "vocabulary" in facts:
            inputs[0]["vocabulary"] = facts.pop("vocabulary")
        cut = _head(body.items) if task and outputs == [body.previous] else 0
        layers, head = body.items[: cut or None], _sized(body.items[cut:], facts) if cut else []
        blocks = self.blocks.values()
        knobs = _knobs([*layers, *head, *(one for block in blocks for one in block["layers"])])
        for block in blocks:
            block["layers"] = list(map(_bare, block["layers"]))
        return {
            "spec": 1,
            "name": name or _spec_name(model.name),
            "family": _family(body.classes),
            "task": task or "regression",
            "summary": f"Imported from the Keras model {model.name}.",
            **facts,
            **({"input": inputs[0]} if single else {"inputs": dict(zip(names, inputs, strict=True))}),
            **knobs,
            **({"blocks": self.blocks} if blocks else {}),
            "layers": list(map(_bare, layers)),
            **({"head": list(map(_bare, head))} if head else {"outputs": outputs}),
        }


def _without_graph(model: Any) -> str:
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


# Bodies: a model's graph to items


@dataclass
class _Call:
    """One call of a layer or an operation: on what, and with what by name; `bound` is all that an operation gets."""

    operation: Any
    outputs: list[Any]
    first: Any
    named: dict[str, Any] = field(default_factory=dict)
    argument: str = "inputs"
    refused: str = ""
    bound: Mapping[str, Any] = field(default_factory=dict)


class _Body:
    """The items of one model: the whole one, or one inside."""

    def __init__(
        self, whole: _Import, model: Any, inputs: Sequence[str], used: Iterable[str] = (), frozen: bool = False,
        training: bool | None = None, masked: Iterable[Key] = (),
    ) -> None:  # fmt: skip
        self.whole, self.model, self.frozen = whole, model, frozen
        self.items: list[Item] = []
        self.classes: list[str] = []
        self.names = {_key(tensor): name for tensor, name in zip(model.inputs, inputs, strict=True)}
        self.unknown: dict[Key, str] = {}  # outputs that the language does not know, and whose
        self.used = {*inputs, *used}
        self.previous = inputs[0]
        self.read: set[str] = set()
        self.made: dict[int, str] = {}  # layers that stand already, and what they are called
        self.several: set[int] = set()  # layers for which two stand
        self.trained: dict[int, dict[str, bool]] = {}  # models inside that stand already, and their `training`
        self.training = training
        self.calls = _calls(model)
        self.masked = _masked(self.calls, masked)

    def run(self) -> list[str]:
        """Make the items of all calls, and name the tensors that the model answers. What cannot be said is noted."""
        self.future = {call.operation.name for call in self.calls}
        for call in self.calls:
            try:
                self._call(call)
            except _Refused as refused:
                self.whole.refused.append(f"the layer `{call.operation.name}` {refused}")
                self.names |= {_key(one): self.previous for one in call.outputs}
        try:
            return [self._name_of(one) for one in self.model.outputs]
        except _Refused as refused:
            self.whole.refused.append(f"the model {refused}")
            return []

    def _name_of(self, tensor: Any) -> str:
        if _key(tensor) in self.unknown:
            layer = self.unknown[_key(tensor)]
            raise _Refused(f"reads an output of `{layer}` beside its first, which the language does not know")
        return self.names[_key(tensor)]

    def _call(self, call: _Call) -> None:
        import keras

        operation = call.operation
        if call.refused:
            raise _Refused(call.refused)
        if getattr(operation, "weights", ()) and self.whole.owners.setdefault(id(operation), id(self)) != id(self):
            raise _Refused(
                "is called in two models, one inside the other or beside it; expected its calls in one model"
            )
        if self.training is not None and _is_trained(operation):
            call = replace(call, named={**call.named, "training": self.training})
        if id(operation) in self.made:
            self._again(call)
        elif isinstance(operation, keras.Model):
            self._model(call)
        elif isinstance(operation, keras.layers.Layer):
            frozen = not operation.trainable and operation.weights and not self.frozen
            made = list(_layers(call, bool(_masked_among(call.first, self.masked)), self.whole.within))
            if len(made) > 1:
                self.several.add(id(operation))
                self.whole.added[operation.name] = "does what two layers do"
            names: list[str] = []
            for target, arguments, name, first in made:
                self.classes.append(target)
                told = keras.tree.map_structure(lambda one, names=names: names[one] if type(one) is int else one, first)
                self._item(target, {**arguments, **({"frozen": True} if frozen else {})}, name, call, told)
                names.append(self.previous)
            if len(made) > 1 and isinstance(operation, keras.layers.TimeDistributed):
                called = {id(one.operation): name for one, name in zip(_calls(operation.layer), names, strict=True)}
                parts = [called[id(one)] for one in operation.layer.layers if one.weights]
                self.whole.unrolled[operation.name] = parts
        else:
            target, arguments, first, named = _operation(call)
            try:
                wrong = together(list(call.outputs))
            except Exception as error:  # whatever an operation raises on rows that it was said to take
                raise _Refused(f"cannot be computed: {first_sentence(error)}") from error
            if wrong:
                raise _Refused(f"takes rows together, which know nothing of one another: {wrong}")
            self._item(target, arguments, operation.name, replace(call, named=named), first)
        self.made.setdefault(id(operation), self.previous)

    def _item(
        self, target: str, arguments: dict[str, Any], name: str, call: _Call, first: Any, outputs: int | None = None
    ) -> None:
        """Write an item: its name where it would not have it anyway, `from` where it is not called on `previous`."""
        name = name or self._new_name(snake_case(target))
        if wrong := _no_name(name):
            raise _Refused(f"cannot be called so in a spec{wrong}")
        source, begin = self._source(call, first)
        words = {} if self._is_usual(target, name) else {"name": name}
        words |= {} if source is None else {"from": source}
        known = catalogue.outputs(target, arguments, call.named) if outputs is None else outputs
        self._write({target: {**words, **arguments}}, begin, name, call, known)

    def _write(self, item: Item, begin: str, name: str, call: _Call, outputs: int) -> None:
        self.items.append({"from": begin, "layers": [item]} if begin else item)
        self.used.add(name)
        self.names |= {_key(one): f"{name}.{index}" if index else name for index, one in enumerate(call.outputs)}
        self.unknown |= {_key(one): name for one in call.outputs[outputs:]}
        self.previous = name

    def _source(self, call: _Call, first: Any) -> tuple[Any, str]:
        """What `from` says, None where nothing must be said; and the tensor that a group around the item begins at."""
        tensors = self._tensors(first)
        if not call.named:
            return (None if tensors == "previous" else tensors), ""
        if isinstance(tensors, list):
            if call.argument not in FIRST:
                raise _Refused(f"is called on a list and on {listed(call.named)}; expected one tensor first")
            return {call.argument: tensors, **self._named(call)}, ""
        # Were the first tensor named as well, Keras would go through them in another order, and so would the weights.
        begin = "" if tensors == "previous" else tensors
        return self._named(call, begin), begin

    def _named(self, call: _Call, begin: str = "") -> dict[str, Any]:
        """What goes by name; in a group that begins at a tensor, `previous` is that one."""
        before, self.previous = self.previous, begin or self.previous
        named = {key: self._tensors(value) for key, value in call.named.items()}
        self.previous = before
        return named

    def _tensors(self, value: Any) -> Any:
        if isinstance(value, bool):
            return value
        if isinstance(value, list):
            return [self._tensors(one) for one in value]
        if value is PREVIOUS:
            return "previous"
        name = value if isinstance(value, str) else self._name_of(value)
        self.read.add(owner(name))
        return "previous" if name == self.previous else name

    def _new_name(self, base: str) -> str:
        """A name for what the model has no name for; no layer has it, before or after."""
        return next(one for one in _numbered(base) if one not in self.used | self.future)

    def _is_usual(self, target: str, name: str) -> bool:
        """Whether an item goes by this name without being given it."""
        usual = snake_case(target.removeprefix(catalogue.OPERATIONS))
        return name == next(one for one in _numbered(usual) if one not in self.used)

    def _again(self, call: _Call) -> None:
        """A layer that stands already, called once more."""
        layer = self.made[id(call.operation)]
        if id(call.operation) in self.several:
            raise _Refused("is called again, and two layers stand for it")
        if id(call.operation) in self.trained and call.named != self.trained[id(call.operation)]:
            raise _Refused("is a model called with and without `training`; expected the same in each call")
        if id(call.operation) in self.trained:
            call = replace(call, named={})
        source, begin = self._source(call, call.first)
        name = self._new_name(snake_case(layer))
        words = {"layer": layer, **({} if source is None else {"from": source})}
        words |= {} if self._is_usual(layer, name) else {"name": name}
        self._write({"reuse": words}, begin, name, call, len(call.outputs))

    def _model(self, call: _Call) -> None:
        """A model inside the model: a block with `nested: true`, and its call."""
        model = call.operation
        if wrong := _without_graph(model):
            raise _Refused(f"is a model inside the model: {wrong}")
        if not set(call.named) <= {"training"}:
            raise _Refused(f"is a model called with {listed(call.named)}; expected its inputs alone")
        inputs = ["input"] if len(model.inputs) == 1 else _input_names(model)
        frozen = self.frozen or not model.trainable
        # A block has no `training`: what is said of the model is said of the layers in it.
        training, masked = call.named.get("training"), _masked_inside(model, self.calls, self.masked)
        inside = _Body(self.whole, model, inputs, frozen=frozen, training=training, masked=masked)
        outputs = inside.run()
        if not inside.items:
            raise _Refused("is a model inside the model that has no layers")
        if not set(inputs) <= inside.read | set(outputs):
            raise _Refused("is a model inside the model with an input that leads to no output")
        block = {**({} if len(inputs) == 1 else {"inputs": inputs}), "nested": True, "layers": inside.items}
        block |= {} if outputs == [inside.previous] else {"outputs": outputs}
        if len(set(outputs)) < len(outputs):
            raise _Refused("is a model inside the model that answers a tensor twice")
        name = self._block_name(model.name, block)
        self.whole.blocks[name] = block
        self.classes += inside.classes
        self.trained[id(model)] = call.named
        call = replace(call, named={})
        words = {"frozen": True} if frozen and not self.frozen else {}
        self._item(name, words, model.name, call, call.first, len(outputs))

    def _block_name(self, name: str, block: dict[str, Any]) -> str:
        """A name for a block, or that of an equal one."""
        base = re.sub(r"[^a-z0-9_]", "_", snake_case(name))
        base = base if re.match("[a-z_]", base) else f"model_{base}"
        known = self.whole.blocks
        for found in _numbered(base):
            free = found not in known and found not in (*GROUP, *OURS, "let", "reuse")
            if free or json.dumps(known.get(found)) == json.dumps(block):
                return found
        raise AssertionError


def _no_name(name: str) -> str:
    """Why a layer cannot be called so in a spec, an empty text if it can."""
    if not NAME.fullmatch(name):
        return f"; expected {NAMES}"
    if owner(name) != name:
        return f", where `{name}` is an output of `{owner(name)}`; expected a name without a number behind a dot"
    return ", where it is a word of the language; expected another name" if name in ("previous", "input") else ""


def _numbered(base: str) -> Iterator[str]:
    """The names that Keras gives one after another: `dense`, `dense_1`, `dense_2`, ..."""
    return itertools.chain([base], (f"{base}_{count}" for count in itertools.count(1)))


def _key(tensor: Any) -> Key:
    operation, node, index = tensor._keras_history
    return id(operation), node, index


def _operation_of(tensor: Any) -> Any:
    return tensor._keras_history.operation


def _calls(model: Any) -> list[_Call]:
    """The calls of a model's graph, each after those whose tensors it reads, depth first from the outputs.

    This orders the text only: the order of a model's weights follows from its graph.
    """
    inputs = {_key(one) for one in model.inputs}
    made, order = dict[tuple[int, int], _Call](), list[_Call]()
    waiting = [(tensor, False) for tensor in reversed(model.outputs)]
    done = set[tuple[int, int]]()
    while waiting:
        tensor, ready = waiting.pop()
        operation, node, _ = tensor._keras_history
        key = (id(operation), node)
        if key in done or _key(tensor) in inputs:
            continue
        if key not in made:
            made[key] = _call_of(operation._inbound_nodes[node])
        if ready:
            done.add(key)
            order.append(made[key])
        else:
            waiting.append((tensor, True))
            # What is named comes before what it is called on, which then is `previous`.
            read = [*_keras_tensors(made[key].named), *_keras_tensors(made[key].first)]
            waiting += [(one, False) for one in reversed(read)]
    return order


def _masked(calls: Sequence[_Call], inputs: Iterable[Key]) -> set[Key]:
    """The tensors that carry a mask when the model is called, or may; its inputs with a mask are given.

    The graph does not tell: what a model inside hands on, Keras sees only when it is called.
    """
    import keras

    found = set(inputs)
    for call in calls:
        operation = call.operation
        if isinstance(operation, keras.Model):
            inside = [] if _without_graph(operation) else _calls(operation)
            within = _masked(inside, _masked_inside(operation, [call], found))
            pairs = zip(call.outputs, operation.outputs if inside else [], strict=False)
            found |= {_key(one) for one, inner in pairs if _key(inner) in within}
        elif isinstance(operation, keras.layers.Layer) and _hands_on(call, found):
            apart = isinstance(operation, keras.layers.Bidirectional) and operation.merge_mode is None
            found |= {_key(one) for one in call.outputs[: 2 if apart else 1]}  # states have none
    return found


def _masked_inside(model: Any, calls: Iterable[_Call], masked: set[Key]) -> set[Key]:
    """The inputs of a model inside the model that get a mask in one of these calls."""
    given = [_keras_tensors(call.first) for call in calls if call.operation is model]
    return {_key(one) for each in given for one, got in zip(model.inputs, each, strict=False) if _key(got) in masked}


def _masked_among(value: Any, masked: set[Key]) -> list[Any]:
    return [one for one in _keras_tensors(value) if _key(one) in masked]


def _hands_on(call: _Call, masked: set[Key]) -> bool:
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
    given, carry = _keras_tensors(call.first), len(_masked_among(call.first, masked))
    if type(layer).__name__ in JOINED:
        return carry == len(given)
    return carry > 0 or "mask" in call.named


def _is_trained(operation: Any) -> bool:
    """Whether a layer may do otherwise in training."""
    import keras

    return isinstance(operation, keras.layers.Layer) and (
        isinstance(operation, keras.Model) or "training" in inspect.signature(operation.call).parameters
    )


def _keras_tensors(value: Any) -> list[Any]:
    import keras

    return [one for one in keras.tree.flatten(value) if isinstance(one, keras.KerasTensor)]


def _call_of(node: Any) -> _Call:
    """What a node of the graph says, without the masks that Keras hands on by itself and what is at its default."""
    import keras

    operation, given = node.operation, node.arguments
    outputs, everything = list(node.outputs), [*given.args, *given.kwargs.values()]
    signature = inspect.signature(operation.call)
    if not isinstance(operation, keras.layers.Layer):
        return _Call(operation, outputs, everything, bound=signature.bind(*given.args, **given.kwargs).arguments)
    try:
        bound = signature.bind(*given.args, **given.kwargs).arguments
        (argument, first), *more = bound.items()
        call = _Call(operation, outputs, _first(operation, first), argument=argument)
        for key, value in more:
            usual = signature.parameters[key].default
            at_default = value is None or (isinstance(value, bool) and value == usual)
            if not at_default and not _is_handed_on(key, value, bound):
                call.named[key] = _told(key, value)
    except TypeError:
        return _Call(operation, outputs, everything, refused=f"is called with {listed(given.kwargs)}, unlike any layer")
    except _Refused as refused:
        return _Call(operation, outputs, everything, refused=str(refused))
    return call


def _first(operation: Any, value: Any) -> Any:
    """What a layer is called on: a tensor, or a list of them."""
    import keras

    found = list(value) if isinstance(value, (list, tuple)) else [value]
    if isinstance(operation, keras.Model):
        by_name = isinstance(value, dict) and not isinstance(operation.input, dict)
        found = [value[one.name] for one in operation.inputs] if by_name else keras.tree.flatten(value)
        return found if len(found) > 1 else found[0]
    if not found or not all(isinstance(one, keras.KerasTensor) for one in found):
        raise _Refused("is called on something else than tensors; expected a tensor, or a list of them")
    return found if isinstance(value, (list, tuple)) else value


def _told(key: str, value: Any) -> Any:
    """What goes by an argument's name: a boolean, a tensor, or a list of them."""
    import keras

    several = list(value) if isinstance(value, (list, tuple)) else [value]
    if isinstance(value, bool):
        return value
    if not several or not all(isinstance(one, keras.KerasTensor) for one in several):
        raise _Refused(f"is called with {key}={str(value)[:60]}; expected a tensor, a list of them, true or false")
    return several if isinstance(value, (list, tuple)) else value


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
    if _key(one) == _key(other):
        return True
    operations = [_operation_of(one), _operation_of(other)]
    if isinstance(operations[0], keras.layers.Layer) or type(operations[0]) is not type(operations[1]):
        return False
    given = [found._inbound_nodes[at].arguments for found, at, _ in (one._keras_history, other._keras_history)]
    read = [keras.tree.flatten([list(each.args), each.kwargs]) for each in given]
    settings = [{k: v for k, v in vars(found).items() if k in ("axis", "keepdims")} for found in operations]
    return settings[0] == settings[1] and len(read[0]) == len(read[1]) and all(map(_same, *read))


# Layers: class and arguments


def _layers(call: _Call, masked: bool, within: bool) -> Iterator[tuple[str, dict[str, Any], str, Any]]:
    """What stands for a layer: its class, its arguments, its name, what it is called on. Mostly one, itself.

    What it is called on may be `masked`. An activation that is a layer stands behind, or `within` where it can.
    """
    layer = call.operation
    made = _published(call)
    if made is not None:
        if masked and any(target not in ours.PUBLIC for target, *_ in made):
            raise _Refused(f"is a {type(layer).__name__}, which drops the mask of what it is called on; expected none")
        yield from made
        return
    if type(layer).__name__ == "TimeDistributed" and hasattr(layer.layer, "layers"):
        yield from _each_step(call, masked)
        return
    behind = _behind(layer)
    arguments = _arguments(layer, _entry(type(layer), layer), behind=behind is not None)
    if arguments.get("attention_axes") == list(range(1, len(getattr(call.first, "shape", ())) - 1)):
        del arguments["attention_axes"]  # found when it was built, from the query
    kind = type(behind).__name__
    held = {} if behind is None else _arguments(behind, _entry(type(behind), behind))
    alters = kind == "Softmax" and masked and layer.supports_masking  # behind the layer it would compute with the mask
    if alters or (within and kind in catalogue.SLOPED):
        behind, arguments["activation"] = None, {kind: held}
    yield type(layer).__name__, arguments, layer.name, call.first
    if behind is not None:
        yield kind, held, "", PREVIOUS


def _each_step(call: _Call, masked: bool) -> Iterator[tuple[str, dict[str, Any], str, Any]]:
    """A model at each step is each of its layers at each step; those that join tensors join whole sequences.

    What each is called on is `PREVIOUS`, or the numbers of those before it.
    """
    import keras

    layer = call.operation
    inside, within = layer.layer, f"holds the model {layer.layer.name}"
    if _without_graph(inside):
        raise _Refused(f"{within}, which has no graph of layers; expected a graph of them")
    if masked or call.named:
        raise _Refused(f"{within} and is called with a mask; expected none, or a wrapper for each layer")
    calls = _calls(inside)
    if len(inside.inputs) > 1 or len(inside.outputs) > 1 or len({id(one.operation) for one in calls}) < len(calls):
        raise _Refused(f"{within}, which has several inputs or outputs, or calls a layer twice; expected one of each")
    made: dict[Key, Any] = {_key(inside.inputs[0]): call.first}
    for index, one in enumerate(calls):
        inner, kind = one.operation, type(one.operation).__name__
        alone = isinstance(inner, keras.layers.Layer) and not hasattr(inner, "layers") and not hasattr(inner, "layer")
        if one.refused or one.named or not alone or len(one.outputs) > 1:
            raise _Refused(f"{within}, in which `{inner.name}` cannot stand at each step; expected layers alone")
        first = keras.tree.map_structure(lambda tensor: made[_key(tensor)], one.first)
        first = PREVIOUS if index and first == index - 1 else first
        name = layer.name if index == len(calls) - 1 else ""
        if kind in (*JOINED, "Concatenate"):
            arguments = _arguments(inner, _entry(type(inner), inner))
            if arguments.get("axis", -1) > 0:
                arguments["axis"] += 1  # behind that of the steps
            yield kind, arguments, name, first
        elif isinstance(one.first, list):
            raise _Refused(f"{within}, in which `{inner.name}` is called on several tensors; expected one, or a sum")
        else:
            held = _object("layer", keras.saving.serialize_keras_object(inner), False)
            yield "TimeDistributed", {"layer": held}, name, first
        made[_key(one.outputs[0])] = index


def _behind(layer: Any) -> Any:
    """The layer that a layer holds as its activation: in a spec it stands behind; None if it holds none."""
    import keras

    held = getattr(layer, "activation", None)
    if not isinstance(held, keras.layers.Layer):
        return None
    name = type(held).__name__
    kind = type(layer).__name__
    if kind not in ("Activation", "Dense", "EinsumDense") and ("Conv" not in kind or "LSTM" in kind):
        raise _Refused(f"has the layer {name} as its activation, which no layer behind it can be")
    weighty = held.weights or not held.built  # what has none is built from its beginning
    if weighty or layer.activity_regularizer:
        what = "weights" if weighty else "an activity regularizer before it"
        raise _Refused(f"has the layer {name} as its activation, with {what}; expected {name} as a layer behind it")
    return held


def _published(call: _Call) -> list[tuple[str, dict[str, Any], str, Any]] | None:
    """Layers that `keras.applications` makes for itself, said by layers that everybody has."""
    layer, first = call.operation, call.first
    if not type(layer).__module__.startswith("keras.src.applications"):
        return None
    _float32(layer)
    kind, name = type(layer).__name__, layer.name
    if kind == "LayerScale":
        return [("LayerScale", {"init_values": layer.init_values}, name, first)]
    if kind == "StochasticDepth":
        noise = [None, *[1] * (len(first.shape) - 1)]
        return [("Dropout", {"rate": layer.drop_path_rate, "noise_shape": noise}, name, first)]
    if kind == "CustomScaleLayer":
        return [("Rescaling", {"scale": layer.scale}, "", first[1]), ("Add", {}, name, [first[0], PREVIOUS])]
    return None


def _entry(kind: type, layer: Any) -> Mapping[str, Any]:
    """What the catalogue says of a layer's class. Raises for what no spec can hold."""
    import keras

    name = kind.__name__
    entry = catalogue.entry("layers", name)
    if name in catalogue.REFUSED and kind.__module__.split(".")[0] == "keras":
        raise _Refused(f"is a {name}: {catalogue.REFUSED[name]}")
    known = getattr(keras.layers, name, None) or (ours.find(name) if name in ours.PUBLIC else None)
    if isinstance(entry, tuple) or kind is not known:
        raise _Refused(f"is a {name}, which is no layer of Keras; expected layers that everybody has")
    _float32(layer)
    if getattr(layer, "stateful", False):
        raise _Refused("keeps its state from batch to batch; expected `stateful` to be false")
    return entry


def _float32(layer: Any) -> None:
    policy = layer.dtype_policy.name
    if policy != "float32":
        raise _Refused(f"computes in {policy}; expected float32, the type that every spec is built in")


def _arguments(layer: Any, entry: Mapping[str, Any], twice: bool = False, behind: bool = False) -> dict[str, Any]:
    """The arguments of a layer that differ from Keras's defaults, in the order of its signature.

    Its activation is not among them where it stands `behind`.
    One default may follow from another argument (`strides` from `pool_size`), so a layer is made with what was found.
    """
    kind, config, order = type(layer), _config(layer), list(entry["arguments"])
    config |= {"activation": "linear"} if behind else {}
    found: dict[str, Any] = {}
    given: dict[str, Any] = {"name": layer.name}  # or else Keras would count it, and the user's next layers after it

    def take(key: str) -> None:
        found[key] = _value(key, config[key], kind.__name__ == "Bidirectional")
        given[key] = _made_of(config[key])

    for key in entry["required"]:
        take(key)
    usual = _usual(kind, given, {})
    for key in sorted(config, key=lambda key: order.index(key) if key in order else len(order)):
        skipped = key in UNSAID or (twice and key == "zero_output_for_mask")  # which `Bidirectional` sets by itself
        if skipped or key in given or _unnamed({key: config[key]})[key] == usual.get(key):
            continue
        if key not in order:
            raise _Refused(f"has {key}={config[key]!r}, which is no argument of {kind.__name__}")
        take(key)
        usual = _usual(kind, given, usual)
    return {key: found[key] for key in order if key in found}


def _config(layer: Any) -> dict[str, Any]:
    try:
        return layer.get_config()
    except NotImplementedError as error:
        what = re.search(r"[\w.]*?(\w+) object", str(error))
        raise _Refused(f"has a {what[1] if what else 'part'} that does not tell its config") from None


def _usual(kind: type, given: Mapping[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The config of a layer with these arguments; that of before where they go only with others still to come."""
    try:
        return _unnamed(kind(**given).get_config())
    except (TypeError, ValueError):
        return before


def _made_of(value: Any) -> Any:
    """The object of a config; values are as they are."""
    import keras

    # A copy: reading a config may change it.
    named = isinstance(value, dict) and "class_name" in value
    return keras.saving.deserialize_keras_object(copy.deepcopy(value)) if named else value


def _unnamed(value: Any) -> Any:
    """A config as configs are compared: without the names in it, lists for tuples, and one axis for a list of one."""
    if isinstance(value, dict) and value.get("class_name") != "DTypePolicy":
        made = {key: _unnamed(one) for key, one in value.items() if key != "name"}
        axis = made.get("axis")
        return made | ({"axis": axis[0]} if isinstance(axis, list) and len(axis) == 1 else {})
    return [_unnamed(one) for one in value] if isinstance(value, (list, tuple)) else value


def _value(key: str, value: Any, twice: bool = False) -> Any:
    """A value of a config as a spec writes it; `twice` in a layer that goes both ways."""
    if isinstance(value, dict) and "class_name" in value:
        return _object(key, value, twice)
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        if any(isinstance(one, dict) for one in value):
            raise _Refused(f"holds several objects under {key}, which a spec cannot write")
        made = [_value(key, one) for one in value]
        if key == "axis" and len(made) == 1:
            return made[0]
        return _sized_value(made) if key in SIZED else made
    if isinstance(value, str) and key.endswith("activation") and value not in catalogue.words("activation"):
        raise _Refused(f"has the activation {value}, which is none of Keras's")
    if isinstance(value, str) and is_expression(value):
        raise _Refused(f"has {key}={value!r}, which a spec reads as an expression")
    if value is None or isinstance(value, (bool, int, str)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    finite = "; expected a finite number, such as -1e9 for -inf" if isinstance(value, float) else ""
    raise _Refused(f"has a {key} that cannot be written in a spec: {str(value)[:60]}{finite}")


def _sized_value(made: list[Any]) -> Any:
    """One number for equal ones: 3 for [3, 3], and for [[3, 3], [3, 3]]."""
    made = [one[0] if isinstance(one, list) and len(set(one)) == 1 else one for one in made]
    single = all(one == made[0] for one in made) and not isinstance(made[0], list)
    return made[0] if single else made


def _object(key: str, value: Mapping[str, Any], twice: bool) -> Any:
    """An initialiser, regulariser, constraint or wrapped layer as a name or a named object."""
    import keras
    import numpy as np

    module, kind, config = catalogue.module_of(key), str(value["class_name"]), value["config"]
    if kind == "StackedRNNCells" and key == "cell":
        return [_object(key, one, twice) for one in config["cells"]]
    if module == "layers":
        looked_up = catalogue.entry("layers", kind)
        if isinstance(looked_up, tuple):
            if kind in ("Sequential", "Functional"):
                raise _Refused(f"holds a {kind}, a model; in a spec a wrapper holds one layer")
            raise _Refused(f"holds a {kind}, which no wrapper can hold in a spec")
        inner = _made_of(value)
        arguments = _arguments(inner, _entry(type(inner), inner), twice)
        arguments |= {} if inner.trainable else {"trainable": False}
        return {kind: arguments} if arguments else kind
    entry = catalogue.catalogue().get(module, {}).get(kind)
    if key.endswith("activation") and kind in catalogue.catalogue()["layers"]:
        raise _Refused(f"holds the layer {kind} as its {key}, which a spec cannot write")
    if entry is None or not str(value.get("module", "")).startswith("keras") or not isinstance(config, Mapping):
        what = config if kind == "function" else kind.strip("_")
        raise _Refused(f"has the {key} {what}, which is none of Keras's own")
    class_ = getattr(getattr(keras, module), kind)
    usual = class_(**{one: config[one] for one in entry["required"]}).get_config()
    given = {one: _value(one, got) for one, got in config.items() if one in entry["required"] or usual.get(one) != got}
    if kind == "L2" or kind in catalogue.UNABLE:  # lambda is looked for; the others cannot be made without arguments
        given = {one: _value(one, got) for one, got in config.items()}
    word = snake_case(kind)
    if module == "regularizers":  # they hold tensors, which make 0.10000000149011612 of 0.1
        given = {one: float(str(np.float32(got))) if isinstance(got, float) else got for one, got in given.items()}
    return {kind: given} if given else word if word in catalogue.words(key) else kind


def _operation(call: _Call) -> tuple[str, dict[str, Any], Any, dict[str, Any]]:
    """An operation of `keras.ops` as an item: what it is, its constants, its tensors, and those that go by name."""
    import keras

    operation, kind = call.operation, type(call.operation).__name__
    found = {entry["kind"]: name for name, entry in reversed(catalogue.catalogue()["ops"].items())}
    if kind not in found or not type(operation).__module__.startswith("keras."):
        known = "which is none of keras.ops that a spec knows"
        raise _Refused(f"is the operation {kind}, {known}; expected a function of rows that makes tensors of tensors")
    target, entry = f"{catalogue.OPERATIONS}{found[kind]}", catalogue.catalogue()["ops"][found[kind]]
    config = {key: value for key, value in operation.get_config().items() if key in entry["arguments"]}
    given = {**{key: entry["arguments"][key] for key in entry["tensors"] if key in entry["arguments"]}, **call.bound}
    constants, tensors = dict[str, Any](), dict[str, Any]()
    several = list[Any]()
    for key, value in {**config, **given}.items():
        if isinstance(value, keras.KerasTensor):
            tensors[key] = value
        elif f"*{key}" in entry["tensors"] or (key in entry["tensors"] and catalogue.takes_list(target)):
            several = list(value)
        elif hasattr(value, "shape") or key in entry["required"] or value != entry["arguments"].get(key):
            constants[key] = _index(value) if (kind, key) == ("GetItem", "key") else _constant(key, value)
    if kind == "Unstack":
        constants["num"] = len(call.outputs)
    if across := [key for key in entry["required"] if constants.get(key, 0) is None]:
        raise _Refused(
            f"is the operation {kind} over all axes, the rows' among them; expected a number as `{across[0]}`"
        )
    kinds = {one.dtype for one in (*tensors.values(), *several) if isinstance(one, keras.KerasTensor)}
    for key, value in given.items():
        if key in constants and (odd := _odd_type(value, kinds)):
            raise _Refused(f"holds {odd} under {key}; expected float32, int32, true and false, or Python's own numbers")
    constants = {key: constants[key] for key in entry["arguments"] if key in constants}
    if several:
        if not all(isinstance(one, keras.KerasTensor) for one in several):
            raise _Refused(f"is the operation {kind} on something else than tensors; expected a list of them")
        return target, constants, several, {}
    free = catalogue.operands(target, constants)[0]
    row = list(itertools.takewhile(lambda key: key in tensors, free))
    if not row:
        raise _Refused(f"is the operation {kind} without a tensor as its first argument")
    if len(row) == len(tensors):
        made = [tensors[key] for key in row]
        return target, constants, made if len(made) > 1 else made[0], {}
    return target, constants, tensors[row[0]], {key: one for key, one in tensors.items() if key != row[0]}


def _odd_type(value: Any, beside: Collection[str]) -> str:
    """The type of a constant whose numbers another type would change, an empty text if none would.

    Text holds the numbers alone: they come back as float32 or int32, beside tensors of these types.
    """
    import keras
    import numpy as np

    if isinstance(value, (bool, int, float, str, list, tuple, slice, type(None))):
        return ""
    found = np.asarray(keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else value)
    kind = str(found.dtype)
    if kind == "int64" and set(beside) == {"int64"} and np.abs(found).max(initial=0) < 2**31:
        return ""
    return "" if kind in ("float32", "float64", "int32", "bool") else kind


def _constant(key: str, value: Any) -> Any:
    """A constant of an operation as a spec writes it."""
    import keras
    import numpy as np

    if not isinstance(value, (bool, int, float, str, list, tuple, type(None))):
        value = np.asarray(keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else value)
        if value.size > MOST:
            raise _Refused(f"holds {value.size:,} numbers under {key}; expected {MOST:,} at most")
        value = [_short(one) for one in value] if value.ndim else _short(value)
    return _value(key, value)


def _short(value: Any) -> Any:
    """Numbers of an array by their texts, which for float32 are the shorter ones."""
    if getattr(value, "ndim", 0):
        return [_short(one) for one in value]
    return float(str(value)) if value.dtype.kind == "f" else value.item()


def _index(key: Any) -> str:
    """An index as Python's brackets hold it."""

    def one(part: Any) -> str:
        if isinstance(part, slice):
            bounds = [part.start, part.stop, *([part.step] if part.step is not None else [])]
            if all(bound is None or isinstance(bound, int) for bound in bounds):
                return ":".join("" if bound is None else str(bound) for bound in bounds)
        elif part is ...:
            return "..."
        elif part is None or (isinstance(part, int) and not isinstance(part, bool)):
            return str(part)
        raise _Refused("has an index that is no number and no slice; expected those")

    text = ", ".join(map(one, key if isinstance(key, (list, tuple)) else [key]))
    if not catalogue.KEY.fullmatch(text):
        raise _Refused(f"takes [{text}] of its tensor, some of the rows of a batch; expected all of them, [:, ...]")
    return text


# What stands around the layers


def _input(tensor: Any) -> dict[str, Any]:
    """An input's shape and type. Raises `ZooError` for one that no spec can state."""
    name, shape = _operation_of(tensor).name, list(tensor.shape[1:])
    if len(shape) not in KINDS:
        raise ZooError(f"the input `{name}` has {len(shape)} sizes; expected {min(KINDS)} to {max(KINDS)}")
    if tensor.shape[0] is not None:
        raise ZooError(f"the input `{name}` takes batches of {tensor.shape[0]} rows alone; expected any number")
    if tensor.dtype not in DTYPES or getattr(tensor, "sparse", False):
        kind = "sparse" if getattr(tensor, "sparse", False) else tensor.dtype
        raise ZooError(f"the input `{name}` is {kind}; expected one of {listed(DTYPES)}")
    return {"shape": shape, **({"dtype": tensor.dtype} if tensor.dtype != "float32" else {})}


def _input_names(model: Any) -> list[str]:
    """What the inputs are called: as in the model, but for names that the language has no place for."""
    taken = {one.name for one in model.layers}
    names: list[str] = []
    for one in map(_operation_of, model.inputs):
        name = re.sub(r"[^A-Za-z0-9_-]", "_", one.name).lstrip("_-") or "input"
        while name in ("previous", "input", *names) or (name != one.name and name in taken):
            name += "_1"
        names.append(name)
    return names


def _task(model: Any) -> tuple[str, dict[str, int]]:
    """What the network is for, as its first output tells: its shape and its last activation; nothing if no task is."""
    import keras

    output = model.outputs[0]
    shape, layer = tuple(output.shape[1:]), _operation_of(output)
    while isinstance(layer, keras.Model):
        layer = _operation_of(layer.outputs[0])
    activation = getattr(layer, "activation", None) or layer
    activation = getattr(activation, "__name__", type(activation).__name__.lower())
    last, before = shape[-1] if shape else None, tuple(model.inputs[0].shape[1:])
    if last and len(shape) == 1 and activation == "softmax":
        return "classification", {"classes": last}
    if last and len(shape) == len(before) == 3 and activation == "softmax" and shape[:2] == before[:2]:
        return "segmentation", {"classes": last}
    if activation == "sigmoid" and shape == (1,):
        return "binary", {}
    if last and len(shape) == 1 and activation == "sigmoid":
        return "multilabel", {"classes": last}
    if last and len(shape) == 2 and activation == "softmax" and shape[:1] == before:
        return "language", {"vocabulary": last}
    if len(shape) == 2 and None not in shape:
        return "forecasting", {"horizon": shape[0], "features": shape[1]}
    return ("regression", {"targets": last}) if last and len(shape) == 1 else ("", {})


LAST = ("Activation", "Softmax", "ops.softmax", "ops.sigmoid")
"""What may stand behind the last `Dense`."""


def _head(items: list[Item]) -> int:
    """Where the head begins: at the last `Dense` with its activation, else at the last item; 0 for nowhere."""
    cut = last = len(items) - 1
    while cut > 0 and any(one in items[cut] and "from" not in items[cut][one] for one in LAST):
        cut -= 1
    return cut if "Dense" in items[cut] else last


def _sized(head: list[Item], facts: Mapping[str, int]) -> list[Item]:
    """The head, its units the spec's `classes` or `targets`, so that data that know better are taken at their word."""
    first = head[0].get("Dense")
    for key in ("classes", "targets"):
        if first and facts.get(key) == first["units"]:
            return [{"Dense": {**first, "units": f"${key}"}}, *head[1:]]
    return head


def _family(classes: Iterable[str]) -> str:
    """The family that the layers are of."""
    found = set(classes)
    if found & {*catalogue.STATES, "RNN", "Bidirectional"}:
        return "rnn"
    return "cnn" if any("Conv" in one or "Pooling" in one for one in found) else "mlp"


def _spec_name(name: str) -> str:
    made = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).lstrip("_.-")
    return made or "imported"


# Lambda and p


def _knobs(items: list[Item]) -> dict[str, float]:
    """The spec's `l2` and `dropout`: what all kernels and all dropout layers have in common, taken out of them."""
    bodies = [(target, body) for item in items for target, body in _bodies(item)]
    found: dict[str, float] = {}
    every = [body.get(key) for target, body in bodies for key in _kernel_keys(target)]
    lambdas = {json.dumps(one) for one in every}
    if len(lambdas) == 1 and isinstance(every[0], dict) and list(every[0]) == ["L2"]:
        found["l2"] = every[0]["L2"]["l2"]
        for target, body in bodies:
            for key in _kernel_keys(target):
                del body[key]
    elif any(kernels(target, body) for target, body in bodies):
        found["l2"] = 0
    dropouts = [body for item in items for target, body in _bodies(item, wrapped=False) if target in catalogue.DROPOUTS]
    rates = {body["rate"] for body in dropouts}
    if len(rates) == 1:
        found["dropout"] = rates.pop()
        for body in dropouts:
            del body["rate"]
    return found


def _kernel_keys(target: str) -> list[str]:
    known = catalogue.catalogue()["layers"].get(target, {"arguments": ()})["arguments"]
    return [key for key in catalogue.KERNELS if key in known]


def _bodies(item: Item, wrapped: bool = True) -> Iterator[tuple[str, dict[str, Any]]]:
    """The layers of an item with their arguments, those that it wraps included."""
    if "layers" in item:
        for one in item["layers"]:
            yield from _bodies(one, wrapped)
        return
    target, body = next(iter(item.items()))
    if not target[:1].isupper():
        return
    yield target, body
    for key in WRAPPED if wrapped else ():
        if key in body:
            held = body[key] if isinstance(body[key], list) else [body[key]]
            inner = [{one: {}} if isinstance(one, str) else one for one in held]
            body[key] = inner if isinstance(body[key], list) else inner[0]
            for one in inner:
                yield from _bodies(one)


def _bare(item: Item) -> Item:
    """An item without empty braces."""
    if "layers" in item:
        return {**item, "layers": [_bare(one) for one in item["layers"]]}
    target, body = next(iter(item.items()))
    for key in WRAPPED if target != "reuse" else ():
        if key in body:
            inner = body[key]
            body = {**body, key: list(map(_bare, inner)) if isinstance(inner, list) else _bare(inner)}
    return {target: body} if body else target
