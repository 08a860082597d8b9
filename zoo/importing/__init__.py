"""A Keras model to a spec in plain data: `lowering.py` backwards, then folded.

Functional and sequential models, their nested models as blocks, calls of one layer again as `reuse`. Building the spec
gives the same layers under the same names in the same order, so that weights copy in order; inputs may be called
otherwise and stand elsewhere, and what Keras has no layer for may get one. What a spec cannot say is refused with a
sentence that names the layer.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.apart import mixed, together
from zoo.errors import Problem, ZooError, first_sentence, listed
from zoo.importing.freezing import HOLDING, flags, is_frozen, thaws, trained_otherwise
from zoo.importing.graphs import (
    Call,
    Constant,
    Foreign,
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
    sharing,
    without_graph,
)  # fmt: skip
from zoo.importing.saying import PREVIOUS, at_each_step, layers_of, operation_said
from zoo.importing.saying import constant as written
from zoo.language import catalogue, folding, network, objects, parsing, reading, unfolding
from zoo.language.families import DTYPES, KINDS, kinds
from zoo.language.network import ODD, free, names_of, snake_case
from zoo.language.objects import FIRST, GROUP, OURS, WRAPPED, kernels
from zoo.language.parsing import LAYER, NAME, NAMES
from zoo.lowering import AS_IMAGE, Plain, across, lower, model_in

if TYPE_CHECKING:
    import keras

Item = Any
"""An item of a body as the language writes it: a class alone, or a mapping of one key."""


def spec_of(model: keras.Model, name: str = "", folded: bool = True) -> dict[str, Any]:
    """The spec of a functional or sequential model, as plain data that `zoo.load` takes.

    `name` is the spec's (default: the model's own). Without `folded`, every layer stands on a line of its own.
    Raises `ZooError` with every layer that no spec can say.
    """
    if name and not NAME.fullmatch(name):
        raise ZooError(f"`{name}` is no name of a spec; expected {NAMES}, which begin with a letter or a digit")
    if wrong := without_graph(model):
        raise ZooError(wrong)
    sized = any(one.shape[0] is not None for one in model.inputs)
    try:
        flat = _flat(model, name, sized and any(getattr(one, "stateful", False) for one in model._flatten_layers()))
    except ZooError:  # what was built for batches of a size may need them
        if not sized:
            raise
        flat = _flat(model, name, True)
    return folding.fold(flat) if folded else flat


def _flat(model: Any, name: str, sized: bool) -> dict[str, Any]:
    """The spec of a model, a layer a line, that takes batches of any size unless it is `sized`."""
    whole = _Import(not model.trainable, sized)
    flat = whole.spec(model, name)
    spec, problems = reading.read(flat, "the imported spec", {})
    unfolded, more = unfolding.unfold(spec.fill()) if spec else (None, [])
    if problems := problems + more:
        raise ZooError(*problems)
    partly = not all(trained for _, trained in flags(model))
    was_sized = any(one.shape[0] is not None for one in model.inputs)
    wrong = _unlike(model, unfolded, whole) if unfolded and (whole.added or partly or was_sized) else ""
    if wrong:
        raise ZooError(wrong)
    return flat


def _unlike(model: Any, unfolded: network.Network, whole: _Import) -> str:
    """Why the weights of what is built again would stand in another order or train otherwise; an empty text if not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a layer drops a mask, which is what it is there for
        try:
            made = lower(unfolded, Plain())
        except ValueError as error:  # a name that Keras gives to what makes a mask is a layer's as well
            raise ZooError(f"Keras does not build `{model.name}` again: {str(error).splitlines()[0][:200]}") from error
    return _another_order(model, made, whole) or trained_otherwise(model, made)


def _another_order(model: Any, made: Any, whole: _Import) -> str:
    """Why the weights would not copy in order, an empty text if they do.

    Keras orders the layers by how far they are from the outputs, and a layer more in one of two branches changes that,
    or a model inside that is laid out flat.
    """
    names = [_weighty(one) for one in (model, made)]
    both = set(names[0]) & set(names[1])
    for one, other in zip(*([name for name in found if name in both] for found in names), strict=True):
        if one != other:
            name, why = next(iter(whole.added.items()))
            return (
                f"the layer `{name}` {why}, and with that the weights of `{other}` come before those of `{one}`; "
                "expected branches in which it changes no order"
            )
    return ""


def _weighty(model: Any) -> list[str]:
    """The names of the layers with weights, in order, those of models inside the model among them."""
    import keras

    found: list[str] = []
    for layer in model.layers:
        inside = layer if isinstance(layer, keras.layers.Pipeline) else model_in(layer)
        found += _weighty(inside) if inside else [layer.name] * bool(layer.weights)
    return list(dict.fromkeys(found))


def read(path: Path) -> keras.Model:
    """The model of a `.keras` file, read without running code that it may hold. Raises `ZooError` if it cannot be."""
    import keras

    importlib.import_module("zoo.layers.published")  # so that a file with layers of ours is read
    if path.is_dir():
        raise ZooError(f"{path} is a folder; expected the path of a file that Keras saved as .keras")
    if path.suffix != ".keras" or not path.is_file():
        raise ZooError(f"{path} is no model; expected the path of a file that Keras saved as .keras")
    if not zipfile.is_zipfile(path):  # Keras would say that it is not there
        raise ZooError(f"{path} holds no model: it is no zip archive; expected a file that Keras saved as .keras")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what comes of it is told
            return _still(keras.saving.load_model(path, compile=False, safe_mode=True))
    except Exception as error:  # Keras raises whatever a file makes it stumble over
        says = str(error).strip() or type(error).__name__
        if foreign := list(_foreign(path)):
            raise ZooError(*foreign) from error
        unknown = re.search(r"Could not locate (?:class|function) '(\w+)'|deserialize object of type `(\w+)`", says)
        if unknown:
            wrong = f"{path} holds {unknown[1] or unknown[2]}, which is none of Keras's own"
            raise ZooError(Foreign(wrong, "a functional or a sequential model of layers that everybody has")) from error
        raise ZooError(f"Keras cannot read {path}: {' '.join(says.split())[:300]}") from error


def _foreign(path: Path) -> Iterator[Problem]:
    """The layers of a file that run code or are none of Keras's own, by their names, as far as its text tells."""
    with contextlib.suppress(KeyError, OSError, ValueError, zipfile.BadZipFile), zipfile.ZipFile(path) as file:
        waiting = [(json.loads(file.read("config.json")), False)]
        while waiting:
            one, is_layer = waiting.pop()
            if isinstance(one, list):
                waiting += ((inner, is_layer) for inner in reversed(one))
            elif isinstance(one, dict):
                waiting += ((inner, key in (*HOLDING, *catalogue.ACTIVE)) for key, inner in reversed(one.items()))
            if not is_layer or not isinstance(one, dict) or not {"class_name", "module", "config"} <= {*one}:
                continue
            kind, held = str(one["class_name"]), one["config"]
            name = held.get("name") if isinstance(held, dict) else None
            if not name:
                continue
            given = held.items() if isinstance(held, dict) else ()
            for key, function in given:
                if isinstance(function, dict) and function.get("class_name") == "function":
                    wrong = f"the layer `{name}` has the {key} {function['config']}, which is none of Keras's own"
                    yield Foreign(wrong, "one of Keras's by its name")
            if kind == "Lambda":
                yield Foreign(f"the layer `{name}` is a Lambda: {catalogue.REFUSED['Lambda']}")
            elif one.get("registered_name") and not str(one["module"] or "").startswith(("keras.", "zoo.")):
                yield Foreign(
                    f"the layer `{name}` is a {kind}, which is no layer of Keras", "layers that everybody has"
                )


def _still(model: Any) -> Any:
    """The model, what its frozen layers made for themselves frozen again: Keras forgets that when it reads a file."""
    for one in model._flatten_layers():
        if not one.trainable and not thaws(one):
            one.trainable = True  # or else nothing would be set
            one.trainable = False
    return model


@dataclass
class _Import:
    """What the bodies of one model share: the blocks made so far, what was refused, and where a layer more stands."""

    still: bool = False
    """Whether the model is frozen as a whole."""
    sized: bool = False
    """Whether it takes batches of one size alone."""
    blocks: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: list[Problem] = field(default_factory=list)
    added: dict[str, str] = field(default_factory=dict)
    owners: dict[int, _Body] = field(default_factory=dict)
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

    def spec(self, model: Any, name: str) -> dict[str, Any]:
        """The whole spec, flat."""
        if not calls_of(model):
            raise ZooError(f"`{model.name}` has no layers; expected at least one")
        begun, names = stated(model, name, self.sized)
        self.flat = sharing(model)
        body = _Body(self, model, names, {kinds(begun["input"])[0]} if "input" in begun else set())
        outputs = body.run()
        if self.refused:
            raise ZooError(*self.refused)
        theirs = [one.name for one in map(operation_of, model.inputs)] if len(names) > 1 else []
        self.renamed |= {name: made for name, made in zip(theirs, names, strict=False) if made != name}
        if self.renamed:
            told = listed((f"`{made}` for `{name}`" for name, made in self.renamed.items()), 5)
            begun["summary"] = f"{begun['summary'].rstrip('.')}; names that no spec has: {told}."
        for name, one in begun.get("inputs", {}).items():
            one |= {} if name in body.read or name in outputs else {"unused": True}
        cut = _head(body.items) if begun["task"] and outputs == [body.previous] else len(body.items)
        given = [begun["input"]] if "input" in begun else begun["inputs"].values()
        odd = any({*ODD} & {*one} for one in given)
        meet = odd or self.over_rows or (self.together and mixed(model))
        if meet and not self.sized and any(one.shape[0] is not None for one in model.inputs):
            raise ZooError(f"`{model.name}` takes the rows of a batch together; expected it with their number")
        cut = len(body.items) if meet else cut  # no task answers rows that meet
        layers, head = body.items[:cut], _sized(body.items[cut:], begun)
        blocks = self.blocks.values()
        everything = [*layers, *head, *(one for block in blocks for one in block["layers"])]
        typed, knobs, tables = _typed(everything), _knobs(everything), _tables(everything)
        for block in blocks:
            block["layers"] = list(map(_bare, block["layers"]))
        return {
            **begun,
            "family": _family(body.classes),
            "task": begun["task"] or "regression",
            **knobs,
            **typed,
            **({"let": tables} if tables else {}),
            **({"blocks": self.blocks} if blocks else {}),
            "layers": list(map(_bare, layers)),
            **({"head": list(map(_bare, head))} if head else {"outputs": outputs}),
        }


def stated(model: keras.Model, name: str = "", sized: bool = False) -> tuple[dict[str, Any], list[str]]:
    """What a model tells of itself from outside, as the beginning of a spec, and the names of its inputs in items.

    `task` is an empty text where its output tells none; `family` is told by the classes of its layers. A number of rows
    that Keras took from the first batch is none of its inputs' unless it is `sized`.
    Raises `ZooError` for inputs that no spec can state.
    """
    inputs = [_input(tensor, sized) for tensor in model.inputs]
    kind = kinds(inputs[0])[0]  # what a single input is called, unless a layer is
    taken = {one.name for one in model.layers} - {operation_of(model.inputs[0]).name}
    single = len(inputs) == 1 and not {kind, "input"} & taken
    names = ["input"] if single else _input_names(model)
    task, facts = _task(model)
    if "vocabulary" in facts:
        inputs[0]["vocabulary"] = facts.pop("vocabulary")
    begun = {
        "spec": 1,
        "name": name or _spec_name(model.name),
        "family": _family(type(one).__name__ for one in model._flatten_layers()),
        "task": task,
        "summary": f"Imported from the Keras model {model.name}.",
        **facts,
        **({"input": inputs[0]} if single else {"inputs": dict(zip(names, inputs, strict=True))}),
    }
    return begun, names


# Bodies: a model's graph to items


class _Body:
    """The items of one model: the whole one, or one inside."""

    def __init__(
        self, whole: _Import, model: Any, inputs: Sequence[str], used: Iterable[str] = (), frozen: bool = False,
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
        inputs = ["input"] if len(model.inputs) == 1 and not _has_input(model) else _input_names(model)
        frozen = self.frozen or is_frozen(operation, self.whole.still)
        # A block has no `training`: what is said of the model is said of the layers in it.
        training, masked = call.named.get("training"), masked_inside(model, self.calls, self.masked)
        inside = _Body(self.whole, model, inputs, frozen=frozen, training=training, masked=masked)
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


# What stands around the layers


def _input(tensor: Any, sized: bool) -> dict[str, Any]:
    """An input's shape, type and what else is odd in it. Raises `ZooError` for one that no spec can state."""
    name, shape = operation_of(tensor).name, list(tensor.shape[1:])
    if len(shape) not in KINDS:
        raise ZooError(f"the input `{name}` has {len(shape)} sizes; expected {min(KINDS)} to {max(KINDS)}")
    if tensor.dtype not in DTYPES:
        raise ZooError(f"the input `{name}` is {tensor.dtype}; expected one of {listed(DTYPES)}")
    rows = tensor.shape[0] if sized else None
    odd = {"batch_size": rows, "sparse": bool(getattr(tensor, "sparse", False)), "optional": _is_optional(tensor)}
    typed = {"dtype": tensor.dtype} if tensor.dtype != "float32" else {}
    return {"shape": shape, **typed, **{key: value for key, value in odd.items() if value}}


def _has_input(model: Any) -> bool:
    """Whether a layer of a model that is none of its inputs is called `input`."""
    return any(one.name == "input" for one in model.layers if one not in set(map(operation_of, model.inputs)))


def _is_optional(tensor: Any) -> bool:
    return bool(getattr(operation_of(tensor), "optional", False))


def _input_names(model: Any) -> list[str]:
    """What the inputs are called: as in the model, but for names that the language has no place for."""
    taken = {one.name for one in model.layers}
    names: list[str] = []
    for one in map(operation_of, model.inputs):
        name = re.sub(r"[^A-Za-z0-9_-]", "_", one.name).lstrip("_-") or "input"
        while name in ("previous", "input", *names) or (name != one.name and name in taken):
            name += "_1"
        names.append(name)
    return names


def _task(model: Any) -> tuple[str, dict[str, int]]:
    """What the network is for, as its first output tells: its shape and its last activation; nothing if no task is."""
    import keras

    output = model.outputs[0]
    shape, layer = tuple(output.shape[1:]), operation_of(output)
    while isinstance(layer, keras.layers.Layer) and model_in(layer):
        layer = operation_of(model_in(layer).outputs[0])
    held = getattr(layer, "layer", layer)  # at each step
    activation = getattr(held, "activation", None) or held
    activation = getattr(activation, "activation", activation)  # a layer that holds one
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
    # The vocabulary of a language is its first input's: one that tags its words answers other classes.
    read = {one.input_dim for one in model._flatten_layers() if isinstance(one, keras.layers.Embedding)}
    alone = len(model.inputs) == 1 and read <= {last}
    if last and len(shape) == 2 and activation == "softmax" and shape[:1] == before and alone:
        return "language", {"vocabulary": last}
    if len(shape) == 2 and None not in shape and activation not in ("softmax", "sigmoid"):
        return "forecasting", {"horizon": shape[0], "features": shape[1]}
    return ("regression", {"targets": last}) if last and len(shape) == 1 else ("", {})


LAST = ("Activation", *network.ACTIVATIONS, "ops.softmax", "ops.sigmoid")
"""What may stand behind the last `Dense`."""


def _head(items: list[Item]) -> int:
    """Where the head begins: at the last `Dense` with its activation, else at the last item."""
    cut = last = len(items) - 1
    while cut > 0 and any(one in items[cut] and "from" not in items[cut][one] for one in LAST):
        cut -= 1
    return cut if "Dense" in items[cut] else last


def _sized(head: list[Item], facts: Mapping[str, int]) -> list[Item]:
    """The head, its units the spec's `classes` or `targets`, so that data that know better are taken at their word."""
    first = head[0].get("Dense") if head else None
    for key in ("classes", "targets"):
        if first and facts.get(key) == first["units"]:
            return [{"Dense": {**first, "units": f"${key}"}}, *head[1:]]
    return head


def _family(classes: Iterable[str]) -> str:
    """The family that the layers are of."""
    found = set(classes)
    if found & {*catalogue.STATES, "RNN", "Bidirectional"}:
        return "rnn"
    pooled = ("Pooling2D", "Pooling3D")
    return "cnn" if any("Conv" in one or one.endswith(pooled) for one in found) else "mlp"


def _spec_name(name: str) -> str:
    made = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).lstrip("_.-")
    return made or "imported"


def _tables(items: list[Item]) -> dict[str, Any]:
    """The long constants of operations by names of their own, taken out of them; equal ones have one name."""
    found: dict[str, Any] = {}
    for one in (one for item in items for one in item.get("layers", [item])):
        target, body = next(iter(one.items()))
        for key, value in body.items() if catalogue.is_operation(target) else ():
            if parsing.short(value):
                name = next((name for name, known in found.items() if json.dumps(known) == json.dumps(value)), "")
                name = name or free("table", found)
                found[name], body[key] = value, f"${name}"
    return found


# Lambda and p


def _typed(items: list[Item]) -> dict[str, str]:
    """The spec's `dtype`: what most layers compute in, taken out of them, if that is not float32."""
    named = (one for item in items for one in _bodies(item))
    bodies = [body for target, body in named if not catalogue.of_whole_numbers(target)]
    found = Counter(body.get("dtype", "float32") for body in bodies)
    most = max(found, key=lambda one: found[one], default="float32")
    if most == "float32" or most not in catalogue.POLICIES:
        return {}
    for body in bodies:
        if body.setdefault("dtype", "float32") == most:
            del body["dtype"]
    return {"dtype": most}


def _knobs(items: list[Item]) -> dict[str, float]:
    """The spec's `l2` and `dropout`: what all kernels and all dropout layers have in common, taken out of them."""
    bodies = [(target, body) for item in items for target, body in _bodies(item)]
    found: dict[str, float] = {}
    every = [body.get(key) for target, body in bodies for key in kernel_keys(target)]
    lambdas = {json.dumps(one) for one in every}
    if len(lambdas) == 1 and isinstance(every[0], dict) and list(every[0]) == ["L2"]:
        found["l2"] = every[0]["L2"]["l2"]
        for target, body in bodies:
            for key in kernel_keys(target):
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


def kernel_keys(target: str) -> list[str]:
    """The regularisers of a layer through which lambda acts, those of the layers it wraps left out."""
    known = catalogue.catalogue()["layers"].get(target, {"arguments": ()})["arguments"]
    return [key for key in catalogue.KERNELS if key in known]


def _bodies(item: Item, wrapped: bool = True) -> Iterator[tuple[str, dict[str, Any]]]:
    """The layers of an item with their arguments, those that it wraps or has as activations included."""
    if "layers" in item:
        for one in item["layers"]:
            yield from _bodies(one, wrapped)
        return
    target, body = next(iter(item.items()))
    if not target[:1].isupper():
        return
    yield target, body
    for key in (*WRAPPED, *catalogue.ACTIVE) if wrapped else ():
        if key in body and (key in WRAPPED or isinstance(body[key], dict)):
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
