"""The graph of a model to the items of a body: a line for each call, and blocks for the models inside."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from zoo.apart import together
from zoo.errors import Problem, first_sentence, listed
from zoo.importing.freezing import is_frozen
from zoo.importing.graphs import (
    Call,
    Constant,
    Key,
    Refused,
    calls_of,
    constant_of,
    is_trained,
    keras_tensors,
    key_of,
    masked_among,
    masked_inside,
    masked_of,
    operation_of,
    read_first,
    without_graph,
)  # fmt: skip
from zoo.importing.saying import PREVIOUS, at_each_step, layers_of, operation_said
from zoo.importing.saying import constant as written
from zoo.language import catalogue, objects
from zoo.language.network import free, names_of, snake_case
from zoo.language.objects import FIRST, GROUP, OURS
from zoo.language.parsing import LAYER
from zoo.lowering import AS_IMAGE, across, model_in

Item = Any
"""An item of a body as the language writes it: a class alone, or a mapping of one key."""


@dataclass
class Whole:
    """What the bodies of one model share: the blocks made so far, what was refused, and where a layer more stands."""

    still: bool = False
    """Whether the model is frozen as a whole."""
    sized: bool = False
    """Whether it takes batches of one size alone."""
    blocks: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: list[Problem] = field(default_factory=list)
    added: dict[str, str] = field(default_factory=dict)
    owners: dict[int, Body] = field(default_factory=dict)
    """The body that a layer with weights was first called in."""
    held: dict[int, Any] = field(default_factory=dict)
    """The layer of the graph that a layer is, or is held by."""
    flat: set[int] = field(default_factory=set)
    """The models inside whose layers stand among those around them, as they share some."""
    together: bool = False
    """Whether an operation takes rows together, or moves them."""
    over_rows: bool = False
    """Whether a layer says that it does, or that it keeps its states."""
    renamed: dict[str, str] = field(default_factory=dict)
    """What layers are called in the spec whose names no spec has."""


class Body:
    """The items of one model: the whole one, or one inside."""

    def __init__(
        self, whole: Whole, model: Any, inputs: Sequence[str], used: Iterable[str] = (), frozen: bool = False,
        training: bool | None = None, masked: Iterable[Key] = (),
    ) -> None:  # fmt: skip
        self.whole, self.model, self.frozen = whole, model, frozen
        self.items: list[Item] = []
        self.classes: list[str] = []
        self.names = {key_of(tensor): name for tensor, name in zip(model.inputs, inputs, strict=True)}
        self.unknown: dict[Key, str] = {}  # outputs that the language does not know, and whose
        self.inputs = inputs
        self.used = {*inputs, *used}
        self.previous = inputs[0]
        self.read: set[str] = set()
        self.made: dict[int, str] = {}  # layers that stand already, and what they are called
        self.constants: dict[tuple[Any, ...], str] = {}  # tensors that hold them
        self.several: set[int] = set()  # layers for which two stand
        self.trained: dict[int, dict[str, bool]] = {}  # models inside that stand already, and their `training`
        self.training = training
        self.calls = calls_of(model)
        self.masked = masked_of(self.calls, masked)

    def run(self) -> list[str]:
        """Make the items of all calls, and name the tensors that the model answers. What cannot be said is noted."""
        self.future, self.answered = {call.operation.name for call in self.calls}, _answered(self.calls)
        self._all(self.calls)
        try:
            return [self._name_of(one) for one in self.model.outputs]
        except Refused as refused:
            self.whole.refused.append(refused.kind(f"the model {refused}"))
            return []

    def _all(self, calls: Iterable[Call]) -> None:
        for call in calls:
            try:
                self._call(call)
            except Refused as refused:
                self.whole.refused.append(refused.kind(f"the layer `{call.operation.name}` {refused}"))
                self.names |= {key_of(one): self.previous for one in call.outputs}

    def _laid_flat(self, call: Call) -> None:
        """The layers of a model inside the model among those around it."""
        model, training = call.operation, self.training
        if not set(call.named) <= {"training"}:
            raise Refused(f"is a model called with {listed(call.named)}; expected its inputs alone")
        given = call.first if isinstance(call.first, list) else [call.first]
        self.names |= {key_of(one): self._name_of(got) for one, got in zip(model.inputs, given, strict=True)}
        calls = calls_of(model)
        self.masked |= masked_of(calls, masked_inside(model, [call], self.masked))
        if id(model) not in self.trained:
            self.calls, self.future = [*self.calls, *calls], self.future | {one.operation.name for one in calls}
            self.answered |= _answered(calls)
            self.trained[id(model)] = call.named
            self.whole.added[model.name] = (
                "shares a layer with another model, so that its layers stand among the others"
            )
        self.training = call.named.get("training", training)
        self._all(calls)
        self.training = training
        pairs = zip(call.outputs, model.outputs, strict=True)
        self.names |= {key_of(out): self._name_of(inner) for out, inner in pairs}

    def _name_of(self, tensor: Any) -> str:
        if key_of(tensor) in self.unknown:
            layer = self.unknown[key_of(tensor)]
            raise Refused(f"reads an output of `{layer}` beside its first, which the language does not know")
        return self.names[key_of(tensor)]

    def _call(self, call: Call) -> None:
        import keras

        operation = call.operation
        if call.refused:
            raise Refused(call.refused)
        call = self._with_constants(call)
        inner = model_in(operation) if isinstance(operation, keras.layers.Layer) else None
        if inner and (cast := self._cast(call, inner)):
            before = {key: self.names[key] for key in cast}
            self.names |= cast
            try:
                self._placed(call)
            finally:
                self.names |= before
        else:
            self._placed(call)

    def _with_constants(self, call: Call) -> Call:
        """The call with the names of tensors in the place of constants, which operations make for as many rows."""
        import keras

        given = keras.tree.flatten([call.first, call.named])
        if not any(isinstance(one, Constant) for one in given):
            return call
        like = next(one for one in given if isinstance(one, keras.KerasTensor))

        def named(value: Any) -> Any:
            if isinstance(value, list):
                return list(map(named, value))
            if not isinstance(value, Constant):
                return value
            self.whole.together |= value.whole  # it is made of all rows
            return self._constant(value, like, rows=not value.whole)

        first = named(call.first)
        return replace(call, first=first, named={key: named(one) for key, one in call.named.items()})

    def _whole_constants(self, call: Call) -> Call:
        """An operation with names of tensors in the place of constants in its lists, which are what they are."""
        import keras

        if isinstance(call.operation, keras.layers.Layer) or type(call.operation).__name__ == "GetItem":
            return call
        bound = dict(call.bound)
        like = next(iter(keras_tensors(list(call.bound.values()))), None)
        for key, value in call.bound.items():
            several = value if isinstance(value, (list, tuple)) else ()
            tensors = key in catalogue.LISTS or any(isinstance(one, keras.KerasTensor) for one in several)
            if like is not None and tensors:
                bound[key] = [
                    one if isinstance(one, keras.KerasTensor) else self._whole_constant(one, like) for one in several
                ]
        return replace(call, bound=bound)

    def _whole_constant(self, value: Any, like: Any) -> str:
        """The name of a tensor that holds these numbers, however many rows there are."""
        import numpy as np

        if not hasattr(value, "dtype"):
            value = np.asarray(value)
            value = value.astype({"f": "float32", "i": "int32"}.get(value.dtype.kind))
        made = constant_of(value, rows=False)
        if made is None:
            raise Refused("has something in a list of tensors that is neither one nor numbers; expected those")
        self.whole.together = True
        return self._constant(made, like, rows=False)

    def _constant(self, constant: Constant, like: Any, rows: bool = True) -> str:
        """The name of a tensor that holds the same numbers for each row of another, or if not `rows` once for all.

        Equal ones stand once.
        """
        import numpy as np

        like = like if self.whole.together else read_first(like, self.model)  # rows that moved may be others
        known = (self._name_of(like), constant.dtype, constant.row.shape, constant.row.tobytes(), rows)
        if known in self.constants:
            return self.constants[known]
        axes, ones = list(range(1, len(like.shape))), [1] * constant.row.ndim
        whole = constant.row.dtype.kind in "biu"
        if whole and np.abs(constant.row.astype("float64")).max(initial=0) >= 2**31:
            raise Refused("is called on whole numbers of more than 31 bits; expected smaller ones, or a layer for them")
        kind = "float32" if not whole else "int64" if constant.dtype in ("int64", "uint64") else "int32"
        row = constant.row.astype("float32" if kind == "float32" else "int32")
        self._operation("zeros_like", {"dtype": kind}, self._name_of(like))
        if axes or not rows:
            self._operation("sum", {"axis": axes if rows else [0, *axes]})
        if rows:
            self._operation("reshape", {"newshape": [-1, *ones]})
        self._operation("add", {"x2": written("x2", row, sized=False, operand=True)})
        if constant.dtype != kind:
            self._operation("cast", {"dtype": constant.dtype})
        self.constants[known] = self.previous
        return self.previous

    def _operation(self, kind: str, arguments: dict[str, Any], source: str = "") -> None:
        """An operation that no call stands for, on the tensor before if no other is named."""
        name, source = self._new_name(kind), source or self.previous
        words = {} if self._is_usual(f"ops.{kind}", name) else {"name": name}
        words |= {} if source == self.previous else {"from": source}
        self.items.append({f"ops.{kind}": {**words, **arguments}})
        self.used.add(name)
        self.read.add(source)
        self.previous = name

    def _cast(self, call: Call, model: Any) -> dict[Key, str]:
        """The tensors that Keras casts to the types of a model's inputs, and their names once an operation has done so.

        Layers take whole numbers as they are, whatever their type; operations do not.
        """
        import keras

        made: dict[Key, str] = {}
        if without_graph(model):
            return made
        calls = [one for one in calls_of(model) if not isinstance(one.operation, keras.layers.Layer)]
        computed = {key_of(one) for inner in calls for one in keras_tensors([inner.first, *inner.bound.values()])}
        for one, got in zip(model.inputs, keras_tensors(call.first), strict=False):
            to_float, from_float = "float" in one.dtype, "float" in got.dtype
            cut = from_float and not to_float
            if cut or (one.dtype != got.dtype and not (to_float and from_float) and key_of(one) in computed):
                self._operation("cast", {"dtype": one.dtype}, self._name_of(got))
                made[key_of(got)] = self.previous
        return made

    def _placed(self, call: Call) -> None:
        import keras

        operation = call.operation
        if id(operation) in self.whole.flat:
            self._laid_flat(call)
            return
        if getattr(operation, "weights", ()) and self.whole.owners.setdefault(id(operation), self) is not self:
            raise Refused("is called in two models, one inside the other or beside it; expected its calls in one model")
        if isinstance(operation, keras.layers.Pipeline):
            self.whole.added[operation.name] = "is a Pipeline, whose layers stand one after another in a spec"
            given = call.first
            for number, one in enumerate(operation.layers):
                self.whole.over_rows |= type(one).__name__ in catalogue.IMAGES and len(given.shape) < 4
                given = keras.tree.flatten(one.compute_output_spec(given))[0]
                self._placed(replace(call, operation=one, first=PREVIOUS if number else call.first))
            return
        self._holds(operation)
        if self.training is not None and is_trained(operation):
            call = replace(call, named={**call.named, "training": self.training})
        is_layer = isinstance(operation, keras.layers.Layer)
        if isinstance(operation, keras.Model) and not without_graph(operation) and not calls_of(operation):
            read = {key_of(one): got for one, got in zip(operation.inputs, keras_tensors(call.first), strict=True)}
            pairs = zip(call.outputs, operation.outputs, strict=True)  # it answers what it is given
            self.names |= {key_of(out): self._name_of(read[key_of(inner)]) for out, inner in pairs}
            return
        if id(operation) in self.made and is_layer:
            self._again(call)
        elif isinstance(operation, keras.layers.Layer) and model_in(operation):
            self._model(call, model_in(operation))
        elif isinstance(operation, keras.layers.Layer):
            frozen = not self.frozen and is_frozen(operation, self.whole.still)
            made = list(layers_of(call, bool(masked_among(call.first, self.masked))))
            if len(made) > 1:
                self.several.add(id(operation))
                self.whole.added[operation.name] = "does what two layers do, for which a spec needs a layer more"
            for target, arguments, name, first in made:
                self.classes.append(target)
                inside = objects.held(target, arguments, 0)
                self.whole.over_rows |= any(objects.over_rows(one, given) for one, given, _ in inside)
                meet = across(target, arguments, keras_tensors(first), call.named)
                self.whole.together |= bool(meet)
                self.whole.over_rows |= meet == AS_IMAGE
                self._item(target, {**arguments, **({"frozen": True} if frozen else {})}, name, call, first)
        else:
            call = self._whole_constants(call)
            target, arguments, first, named = operation_said(call)
            try:
                self.whole.together = bool(together(call.outputs, self.whole.together)) or self.whole.together
            except Exception as error:  # whatever an operation raises on rows that it was said to take
                raise Refused(f"cannot be computed: {first_sentence(error)}") from error
            name = operation.name if operation.name not in self.used else self._new_name(operation.name)
            self._item(target, arguments, name, replace(call, named=named), first)
        self.made.setdefault(id(operation), self.previous)

    def _holds(self, operation: Any) -> None:
        """Refuse a layer with weights that two layers hold, or one and the graph: in a spec each would have its own."""
        import keras

        if not isinstance(operation, keras.layers.Layer) or model_in(operation):
            return
        cells = list(getattr(getattr(operation, "cell", None), "cells", ()))
        if len({id(one) for one in cells}) < len(cells):
            raise Refused("holds a cell twice; expected a cell for each")
        for one in operation._flatten_layers():
            holder = self.whole.held.setdefault(id(one), operation) if one.weights else operation
            if holder is not operation:
                what = "is" if one is operation else f"holds `{one.name}`, which is"
                raise Refused(f"{what} held by `{holder.name}` as well; expected a layer for each")

    def _item(
        self, target: str, arguments: dict[str, Any], name: str, call: Call, first: Any, outputs: int | None = None
    ) -> None:
        """Write an item: its name where it would not have it anyway, `from` where it is not called on `previous`."""
        name = self._spelt(name, target) if name else self._new_name(snake_case(target))
        source, begin = self._source(call, first)
        words = {} if self._is_usual(target, name) else {"name": name}
        words |= {} if source is None else {"from": source}
        if outputs is None:
            outputs = catalogue.outputs(target, arguments, call.named, len(first) if isinstance(first, list) else 1)
        self._write({target: {**words, **arguments}}, begin, name, call, outputs)

    def _write(self, item: Item, begin: str, name: str, call: Call, outputs: int) -> None:
        self.items.append({"from": begin, "layers": [item]} if begin else item)
        self.used.add(name)
        texts = [name, *(f"{name}.{index}" for index in range(1, len(call.outputs)))]
        if taken := {*texts[1:]} & (self.used if name in self.answered else self.used | self.future):
            raise Refused(f"has an output `{taken.pop()}` in a spec, as a layer is called; expected other names")
        self.names |= {key_of(one): text for one, text in zip(call.outputs, texts, strict=True)}
        self.unknown |= {key_of(one): name for one in call.outputs[outputs:]}
        self.previous = name

    def _source(self, call: Call, first: Any) -> tuple[Any, str]:
        """What `from` says, None where nothing must be said; and the tensor that a group around the item begins at."""
        tensors = self._tensors(first)
        if not tensors and call.named:
            return self._named(call), ""
        if not call.named:
            return (None if tensors == "previous" else tensors), ""
        if isinstance(tensors, list):
            if call.argument not in FIRST:
                raise Refused(f"is called on a list and on {listed(call.named)}; expected one tensor first")
            return {call.argument: tensors, **self._named(call)}, ""
        # Were the first tensor named as well, Keras would go through them in another order, and so would the weights.
        begin = "" if tensors == "previous" else tensors
        return self._named(call, begin), begin

    def _named(self, call: Call, begin: str = "") -> dict[str, Any]:
        """What goes by name; in a group that begins at a tensor, `previous` is that one."""
        before, self.previous = self.previous, begin or self.previous
        named = {key: self._tensors(value) for key, value in call.named.items()}
        self.previous = before
        return named

    def _tensors(self, value: Any) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, list):
            return [self._tensors(one) for one in value]
        if value is PREVIOUS:
            return "previous"
        name = value if isinstance(value, str) else self._name_of(value)
        self.read.add(name)
        return "previous" if name == self.previous else name

    def _new_name(self, base: str) -> str:
        """A name for what the model has no name for; no layer has it, before or after."""
        return free(base, self.used | self.future)

    def _spelt(self, name: str, target: str) -> str:
        """The name of a layer, or one like it: no name of TensorFlow's, no word of ours, no other layer's output."""
        of, dot, number = name.rpartition(".")
        if LAYER.fullmatch(name) and name != "previous" and not (dot and number.isdigit() and of in self.answered):
            return name
        like = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_-") or snake_case(catalogue.bare(target))
        made = self._new_name(like if like != "previous" else "previous_layer")
        self.whole.renamed[name] = made
        return made

    def _is_usual(self, target: str, name: str) -> bool:
        """Whether an item goes by this name without being given it."""
        usual = snake_case(catalogue.bare(target))
        return name == free(usual, self.used)

    def _again(self, call: Call) -> None:
        """A layer that stands already, called once more."""
        layer = self.made[id(call.operation)]
        if id(call.operation) in self.several:
            raise Refused("is called again, and two layers stand for it")
        if id(call.operation) in self.trained:  # a model, which `fit` and `predict` tell whether they train
            call = replace(call, named={})
        source, begin = self._source(call, call.first)
        name = self._new_name(snake_case(layer))
        words = {"layer": layer, **({} if source is None else {"from": source})}
        words |= {} if self._is_usual(layer, name) else {"name": name}
        self._write({"reuse": words}, begin, name, call, len(call.outputs))

    def _model(self, call: Call, model: Any) -> None:
        """A model inside the model, or at each step: a block with `nested: true`, and its call."""
        operation, at_steps = call.operation, call.operation is not model
        if wrong := without_graph(model):
            raise Refused(f"is a model inside the model: {wrong}")
        if not set(call.named) <= {"training"}:
            raise Refused(f"is a model called with {listed(call.named)}; expected its inputs alone")
        if at_steps and len(model.outputs) > 1:
            raise Refused(f"is a model at each step that answers {len(model.outputs)} tensors; expected one")
        inputs = ["input"] if len(model.inputs) == 1 and not _has_input(model) else input_names(model)
        frozen = self.frozen or is_frozen(operation, self.whole.still)
        # A block has no `training`: what is said of the model is said of the layers in it.
        training, masked = call.named.get("training"), masked_inside(model, self.calls, self.masked)
        inside = Body(self.whole, model, inputs, frozen=frozen, training=training, masked=masked)
        before = len(self.whole.refused)
        outputs = inside.run()
        if len(self.whole.refused) > before:  # what follows from that is not told
            self.names |= {key_of(one): self.previous for one in call.outputs}
            return
        if not inside.items:
            raise Refused("is a model at each step that has no layers")
        unused = {*inputs} - inside.read - {*outputs}
        block = {"nested": True, "layers": inside.items}
        given = {
            tuple(one.shape for one in keras_tensors(one.first)) for one in self.calls if one.operation is operation
        }
        if len(given) > 1 or unused:  # on tensors of several sizes
            shapes = {key: {"shape": list(one.shape[1:])} for key, one in zip(inputs, model.inputs, strict=True)}
            block = {"inputs": {**shapes, **{key: {**shapes[key], "unused": True} for key in unused}}, **block}
        elif inputs != ["input"]:
            block = {"inputs": inputs, **block}
        block |= {} if outputs == [inside.previous] else {"outputs": outputs}
        name = self._block_name(model.name, block)
        self.whole.blocks[name] = block
        self.classes += inside.classes
        self.trained[id(operation)] = call.named
        call = replace(call, named={})
        words: dict[str, Any] = {"frozen": True} if frozen and not self.frozen else {}
        if at_steps:
            self.classes.append("TimeDistributed")
            name, words = "TimeDistributed", {"layer": name, **at_each_step(operation), **words}
        self._item(name, words, operation.name, call, call.first, len(outputs))

    def _block_name(self, name: str, block: dict[str, Any]) -> str:
        """A name for a block, or that of an equal one."""
        base = re.sub(r"_\d+$", "", re.sub(r"[^a-z0-9_]", "_", snake_case(name)))  # equal ones are called alike
        base = base if re.match("[a-z_]", base) else f"model_{base}"
        known = self.whole.blocks
        for found in names_of(base):
            is_free = found not in known and found not in (*GROUP, *OURS, "let", "reuse", "input", "previous")
            if is_free or json.dumps(known.get(found)) == json.dumps(block):
                return found
        raise AssertionError


def _answered(calls: Iterable[Call]) -> set[str]:
    """The names of what answers several tensors."""
    return {one.operation.name for one in calls if len(one.outputs) > 1}


def _has_input(model: Any) -> bool:
    """Whether a layer of a model that is none of its inputs is called `input`."""
    return any(one.name == "input" for one in model.layers if one not in set(map(operation_of, model.inputs)))


def input_names(model: Any) -> list[str]:
    """What the inputs are called: as in the model, but for names that the language has no place for."""
    taken = {one.name for one in model.layers}
    names: list[str] = []
    for one in map(operation_of, model.inputs):
        name = re.sub(r"[^A-Za-z0-9_-]", "_", one.name).lstrip("_-") or "input"
        while name in ("previous", "input", *names) or (name != one.name and name in taken):
            name += "_1"
        names.append(name)
    return names
