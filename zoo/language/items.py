"""The text of a body to items: what stands in each line, checked as far as the text alone can tell.

Here the text decides, not the run: what stands under a false condition is checked too, and what nothing reads is told.
`network.py` runs the items with values.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from zoo.errors import Problem, listed, nearest
from zoo.language import catalogue, expressions, objects, ranges, spelling
from zoo.language.expressions import Wrong, is_expression
from zoo.language.families import head
from zoo.language.fields import BODY, INPUT
from zoo.language.objects import ALONE, BLOCK, GROUP, OURS, REUSE
from zoo.language.parsing import LAYERS, NAME, Path, shown, written
from zoo.language.spec import STATED, Spec

BUILT_IN = ("name", *STATED, "l2", "dropout", "input", "inputs")
"""Names that every expression of a body may ask for."""

IN_TRAINING = ("epochs", "steps")
"""Names that expressions in `train` may ask for besides."""

LOCAL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LOCALS = "letters a to z or A to Z, digits and `_`, no digit first"

MOST = 100
"""After so many problems the items that follow are not looked at."""

_AN_ITEM = "a layer, such as Flatten or Dense: {units: 64}"
_HOLD_NAMES = re.compile(r"(let|defaults|blocks|prepare|layers|encoder|latent|decoder|head)\b")


@dataclass(frozen=True)
class Source:
    """What `from` says: a tensor, or parts of a list (tensors and branches), or tensors by argument of the call."""

    parts: tuple[Any, ...] = ()
    listed: bool = False
    named: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Item:
    """One line of a body. `path` is where it stands; every value in it may hold expressions."""

    path: Path
    source: Source | None = None
    condition: Any = True
    repeat: Any = None
    l2: Any = None
    frozen: Any = None


@dataclass(frozen=True)
class Call(Item):
    """A layer or a block with its arguments; `block` is None for a layer, `checked` says what expressions fill.

    A block at each step has the arguments of its `TimeDistributed` under `steps`, and its own stand at `given`.
    """

    target: str = ""
    block: Block | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    name: Any = None
    otherwise: Any = None
    checked: tuple[str, ...] = ()
    known: bool = True
    steps: Mapping[str, Any] | None = None
    given: Path = ()


@dataclass(frozen=True)
class Group(Item):
    """Items under one loop, condition, lambda or starting tensor."""

    items: tuple[Item, ...] = ()
    variables: tuple[str, ...] = ()
    unpacked: bool = False
    over: Any = None


@dataclass(frozen=True)
class Let(Item):
    """From here on a name means this."""

    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reuse(Item):
    """An earlier layer once more, with the same weights."""

    layer: Any = None
    name: Any = None


@dataclass
class Block:
    """A block: its parameters with their defaults (`required` have none), what it computes first, and its items."""

    name: str
    parameters: dict[str, Any]
    required: tuple[str, ...]
    let: dict[str, Any]
    inputs: tuple[str, ...]
    nested: bool
    items: tuple[Item, ...] = ()
    order: tuple[str, ...] = ()
    """The names of `let`, each behind those that it needs."""
    outputs: tuple[Any, ...] = ()
    """The tensors that it answers, the first one first; empty for its last item's."""
    shapes: Mapping[str, list[Any]] = field(default_factory=dict)
    """The shapes of the inputs that state one; the others take that of the tensor in their first call."""
    unused: frozenset[str] = frozenset()
    """The inputs that lead to no output, on purpose."""


@dataclass
class Program:
    """The items of every section, and all that was found wrong with the text; `whole` if every item was understood."""

    spec: Spec
    """The spec with the places of what is read as it is meant."""
    sections: dict[str, tuple[Item, ...]]
    defaults: dict[str, Mapping[str, Any]]
    problems: list[Problem]
    whole: bool
    reads: set[str]
    """Which of the spec's `l2` and `dropout` the text has layers for, under a false condition too."""
    lost: set[str]
    """Names that are asked for, and may be of a `let` that could not be read."""


@dataclass
class _Scope:
    """The names that a text may ask for: those of a block or spec, and those around it."""

    own: dict[str, Path]
    around: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    read: set[str] = field(default_factory=set)
    open: bool = False
    """Some of its names could not be read: others may be there."""


@dataclass
class _Under:
    """What stands under a lambda: whether a kernel takes it, and the blocks that are called there."""

    kernels: bool = False
    blocks: set[str] = field(default_factory=set)


def read(spec: Spec) -> Program:
    """Read the items of all sections of a spec. Every problem of the text is found."""
    return _Reader(spec).program()


class _Reader:
    """The state while the text of one spec is read."""

    def __init__(self, spec: Spec) -> None:
        self.spec, self.data = spec, spec.data
        self.problems: list[Problem] = []
        self.whole = self.readable = not any(map(_HOLD_NAMES.match, spec.told))  # what is lost may have held names
        self.blocks: dict[str, Block] = {}
        self.called: set[str] = set()
        self.classes: set[str] = set()
        self.reads: set[str] = set()
        self.lost: set[str] = set()
        self.listed: set[str] = set()  # the blocks whose parameters are a list, which is told
        self.under = [_Under()]  # the spec, the block or the group under a lambda of its own that is being read
        self.lambdas: list[tuple[Path, _Under]] = []
        self.bodies: dict[str, _Under] = {}
        self.defaults: dict[str, Mapping[str, Any]] = self.data.get("defaults") or {}

    def program(self) -> Program:
        raw = self.data.get("let") or {}
        inputs = "inputs" if "inputs" in self.data else "input"
        built_in = tuple(name for name in BUILT_IN if name not in ("input", "inputs") or name == inputs)
        self.spec_scope = scope = _Scope({key: ("let", key) for key in raw}, built_in)
        bodies = {part: self.data[part] for part in ("prepare", *BODY) if isinstance(self.data.get(part), list)}
        for part, body in bodies.items():
            scope.own |= {name: path for name, path in _declared(body, (part,)) if name not in scope.own}
        for name, path in scope.own.items():
            self._local(name, path, built_in)
        for name, value in raw.items():
            self._value(value, ("let", name), scope, but=name)
            self._forgotten(value, ("let", name), scope)
        of_spec = {key: self.data[key] for key in ("l2", "dropout") if key in self.data}
        self._circles({**of_spec, **raw}, lambda name: ("let", name) if name in raw else (name,))
        self._told(_of_one_class(self.spec))
        self._default_arguments(scope)
        self._declare_blocks()
        sections = {part: self._items(body, (part,), scope) for part, body in bodies.items()}
        if "latent" in self.data:
            sections["latent"] = self._latent(self.data["latent"], scope)
        for key in ("l2", "dropout", "outputs", "penalties"):
            self._value(self.data.get(key), (key,), scope)
        for key in ("l2", "dropout", "penalties", "train"):  # a name without its `$` is told where it stands
            said = " ".join(expressions.words_of(self.data.get(key)))
            scope.read |= {*re.findall(r"\w+", said)} & {*raw}
        self._read_by_training(scope)
        self._unread(scope)
        return Program(self.spec, sections, self.defaults, self.problems, self.whole, self.reads, self.lost)

    def _latent(self, raw: Any, scope: _Scope) -> tuple[Item, ...]:
        found = self._items([raw], ("latent",), scope, single=True)
        if found and not (isinstance(found[0], Call) and found[0].block is None):
            self._wrong(("latent",), f"{shown(raw)} is no layer", "one layer, such as Dense: {units: 32}")
            self.whole = False
            return ()
        for one in found:
            if isinstance(one, Call) and (one.condition is not True or one.repeat is not None):
                self._wrong(one.path, "the code is not one layer", "a latent without `if` and `repeat`")
                self.whole = False
        return found

    # Blocks

    def _declare_blocks(self) -> None:
        raw = self.data.get("blocks") or {}
        fine: dict[str, dict[str, Any]] = {}
        for name, body in raw.items():
            here: Path = ("blocks", name)
            if name in BLOCK and not (isinstance(body, Mapping) and "layers" in body):
                self._wrong(here, f"`{name}` stands where the name of a block does", "it indented under its block")
                continue
            unknown = [key for key in body if key not in BLOCK] if isinstance(body, Mapping) else []
            for key in unknown:
                self._wrong((*here, key), "no such key", f"a key of a block: {listed(BLOCK)}", nearest(key, BLOCK))
            if isinstance(body, Mapping) and body.get("layers", 0) in ([], None):
                self._wrong((*here, "layers"), "`layers` is empty", "its items, indented under it")
            elif not isinstance(body, Mapping) or not body.get("layers"):
                self._wrong(here, f"{shown(body)} is no block", "a mapping with `layers`")
            elif not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
                small = name.lower() if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else ""
                self._wrong(here, f"`{name}` is no name of a block", "small letters, digits and `_`", small)
            elif name in (*GROUP, *OURS, *ALONE, "previous", "input"):
                self._wrong(here, f"`{name}` is a word of the language", "another name")
            else:
                fine[name] = dict(body)
                parameters, let = body.get("parameters") or {}, body.get("let") or {}
                for key, given, says in (
                    ("parameters", parameters, "{filters, strides: 1}"),
                    ("let", let, "{name: value}"),
                ):
                    if not isinstance(given, Mapping):
                        self._wrong((*here, key), f"{shown(given)} is not accepted", says)
                names = spelling.parameters_listed(parameters)
                self.listed |= {name} if isinstance(parameters, list) else set()
                parameters = names or parameters  # so that what gives and reads them is not told as well
                parameters = parameters if isinstance(parameters, Mapping) else {}
                let = let if isinstance(let, Mapping) else {}
                if not isinstance(body.get("nested", False), bool):
                    self._wrong((*here, "nested"), f"{shown(body['nested'])} is not accepted", "true or false")
                if not isinstance(body["layers"], list):
                    self._wrong((*here, "layers"), f"{shown(body['layers'])} is not accepted", "a list of layers")
                    fine[name]["layers"] = []
                for key in parameters.keys() & let.keys():
                    self._wrong((*here, "let", key), f"`{key}` is a parameter as well", "another name")
                required = tuple(key for key, default in parameters.items() if default is None and not names)
                inputs = body.get("inputs", ["input"])
                shapes: dict[str, list[Any]] = {}
                if not _are_inputs(list(inputs) if isinstance(inputs, Mapping) else inputs):
                    expected = "a list of names, each once, and none of them `previous`"
                    self._wrong((*here, "inputs"), f"{shown(inputs)} is not accepted", expected)
                    inputs, self.whole = ["input"], False
                elif isinstance(inputs, Mapping):
                    shapes = self._shapes(inputs, (*here, "inputs"), body.get("nested", False) is True)
                outputs = body.get("outputs", [])
                if "outputs" in body and not _are_outputs(outputs):
                    self._wrong((*here, "outputs"), f"{shown(outputs)} is not accepted", "a list of tensors")
                    outputs = []
                    self.whole = False
                nested = bool(body.get("nested", False))
                self.blocks[name] = Block(
                    name, dict(parameters), required, dict(let), tuple(inputs), nested, outputs=tuple(outputs),
                    shapes=shapes, unused=frozenset(one for one in shapes if inputs[one].get("unused")),
                )  # fmt: skip
        for name, body in raw.items():  # what one that is none reads and calls is read and called
            if name not in fine:
                around_it = expressions.read_around(body) if isinstance(body, Mapping) else expressions.read(body)
                self.spec_scope.read |= {*around_it}
                for one in objects.calls(body.get("layers") if isinstance(body, Mapping) else body):
                    self._may_be(one)
        around = (*(self.data.get("let") or {}), *self.spec_scope.around)
        scopes = {name: self._block(name, body, around) for name, body in fine.items()}
        for name, scope in scopes.items():
            block = self.blocks[name]
            if self.readable:
                self._unread_names(scope, block.parameters if name in self.listed else ())
            named = {*_tensors(fine[name]["layers"]), *map(str, block.outputs)}
            for index, key in enumerate(block.inputs[1:], 1):  # the first is `previous`
                unread = key not in named and not any("$" in one for one in named)
                if key in block.unused and key in named:
                    self._wrong(("blocks", name, "inputs", key, "unused"), f"`{key}` is read", "an input without it")
                elif unread and key not in block.unused:
                    expected = f"`from: {key}` in the block, or no `{key}`"
                    at = key if isinstance(fine[name]["inputs"], Mapping) else index
                    self._wrong(("blocks", name, "inputs", at), f"nothing reads `{key}`", expected)
            self.spec_scope.read |= {name for name in scope.read if name not in scope.own}
            self.spec_scope.read |= expressions.read_around(fine[name])
        self._recursive(fine)

    def _shapes(self, inputs: Mapping[str, Any], here: Path, nested: bool) -> dict[str, list[Any]]:
        """The shapes that the inputs of a block state; a block that is not nested states none."""
        found = {}
        for key, one in inputs.items():
            shape = one.get("shape") if isinstance(one, Mapping) and set(one) <= {"shape", "unused"} else None
            if shape and not isinstance(one.get("unused", False), bool):
                self._wrong((*here, key, "unused"), f"{shown(one['unused'])} is not accepted", "true or false")
            if not isinstance(shape, list) or not all(map(_is_size, shape)):
                self._wrong(
                    (*here, key), f"{shown(one)} is not accepted", "its shape, such as {shape: [null, null, 16]}"
                )
            elif not nested:
                self._wrong((*here, key, "shape"), "nothing reads it", "`nested: true` beside it, or names alone")
            else:
                found[key] = shape
        return found

    def _block(self, name: str, body: dict[str, Any], around: tuple[str, ...]) -> _Scope:
        block, here = self.blocks[name], ("blocks", name)
        own: dict[str, Path] = {key: (*here, "parameters", key) for key in block.parameters}
        own |= {key: (*here, "let", key) for key in block.let if key not in own}
        declared = dict(_declared(body.get("layers") or [], (*here, "layers")))
        scope = _Scope(own | {key: path for key, path in declared.items() if key not in own}, around, block.inputs)
        for key, path in scope.own.items():
            self._local(key, path, self.spec_scope.around)
        for kind, values in (("parameters", block.parameters), ("let", block.let)):
            for key, value in values.items():
                self._value(value, (*here, kind, key), scope, but=key)
                self._forgotten(value, (*here, kind, key), scope)
        block.order = self._circles(block.let, lambda name: (*here, "let", name))
        self.under.append(_Under())
        block.items = self._items(body["layers"], (*here, "layers"), scope)
        self._value(list(block.outputs), (*here, "outputs"), scope)
        for key, shape in block.shapes.items():
            self._value(shape, (*here, "inputs", key, "shape"), scope)
        self.bodies[name] = self.under.pop()
        return scope

    def _recursive(self, fine: Mapping[str, Any]) -> None:
        calls = {name: set(_calls(body["layers"], self.blocks)) for name, body in fine.items()}
        while ends := {name for name, called in calls.items() if not called & calls.keys()}:  # they lead nowhere
            calls = {name: called for name, called in calls.items() if name not in ends}
        for name in calls:
            reached, new = set(calls[name]), set(calls[name])
            while new:
                new = set().union(*(calls.get(one, set()) for one in new)) - reached
                reached |= new
            if name in reached:
                self._wrong(("blocks", name), f"`{name}` calls itself", "`repeat` or `for` where it is called")
                self.whole = False
                self.blocks[name].items = ()

    def _circles(self, values: Mapping[str, Any], where: Callable[[str], Path]) -> tuple[str, ...]:
        """The names of a table, each behind those that it needs; say which need each other."""
        order, circles = expressions.ordered(values)
        for circle in circles:
            says = " -> ".join(f"${name}" for name in circle)
            self._wrong(where(circle[0]), f"a circle: {says}", "a value that does not need itself")
            self.whole = False
        return tuple(order)

    def _default_arguments(self, scope: _Scope) -> None:
        for name, given in list(self.defaults.items()):
            here: Path = ("defaults", name)
            entry = catalogue.entry("layers", name)
            if isinstance(entry, tuple):
                self._wrong(here, *entry)
            elif not isinstance(given, Mapping):
                self._wrong(here, f"{shown(given)} is no mapping of arguments", f"{name}: {{argument: value}}")
            else:
                self._value(given, here, scope)
                self._told(objects.arguments(name, given, entry, here, part=True))
                continue
            self.defaults = {key: one for key, one in self.defaults.items() if key != name}

    # Items

    def _items(self, raw: Any, path: Path, scope: _Scope, single: bool = False) -> tuple[Item, ...]:
        made = []
        for index, one in enumerate(raw):
            if len(self.problems) >= MOST:
                self.whole = False
                break
            item = self._item(one, path if single else (*path, index), scope)
            if item is None:
                self.whole = False
                scope.read |= {word.removeprefix("$") for word in expressions.words_of(one)}
            else:
                made.append(item)
        return tuple(made)

    def _item(self, raw: Any, path: Path, scope: _Scope) -> Item | None:
        named = self.data.get("blocks") or {}
        if isinstance(raw, str) and raw in (*GROUP, *OURS, *ALONE) and raw not in named:
            self._wrong(path, f"`{raw}` alone is no item", ALONE.get(raw, _AN_ITEM))
            return None
        if isinstance(raw, str):
            return self._call(raw, None, path, scope)
        if not isinstance(raw, dict):
            self._wrong(path, f"{shown(raw)} is no item", _AN_ITEM)
            return None
        if objects.is_group(raw):
            return self._group(raw, path, scope)
        if len(raw) != 1:
            self._wrong(path, *spelling.of_several(raw))
            return None
        key, body = next(iter(raw.items()))
        if key == "let":
            return self._let(body, (*path, key), scope)
        if key == "reuse":
            return self._reuse(body, (*path, key), scope)
        if key in OURS:
            self._wrong((*path, key), f"`{key}` alone is no item", _AN_ITEM)
            return None
        return self._call(key, body, (*path, key), scope)

    def _group(self, raw: dict[str, Any], path: Path, scope: _Scope) -> Item | None:
        lacks = [key for key in ("layers", "for", "in") if key not in raw]
        odd = [key for key in raw if key not in GROUP]
        for key in odd:
            self._wrong((*path, key), "no such key", f"a key of a group: {listed(GROUP)}", nearest(key, GROUP))
        body = raw.get("layers")
        if odd and ("layers" in lacks or len(lacks) == 1):
            return self._left(raw, path, scope)
        if not isinstance(body, list) or not body:
            if body:
                self._wrong((*path, "layers"), f"{shown(body)} is not accepted", "a list of layers")
                one = isinstance(body, str) or (isinstance(body, Mapping) and len(body) == 1)
                return self._left({**raw, "layers": [body] if one else []}, path, scope)
            missing = "is empty" if "layers" in raw else "is missing"
            where = (*path, "layers") if "layers" in raw else path
            braces = "" if "layers" in raw else ", or braces around it all: {for: i, in: 3, layers: [...]}"
            self._wrong(where, f"`layers` {missing}", f"its items, indented under it{braces}")
            return None
        given = raw.get("for")
        variables: list[Any] = given if isinstance(given, list) else [given] if "for" in raw else []
        texts = [one for one in variables if isinstance(one, str)]
        if texts and not all(map(LOCAL.fullmatch, texts)):  # told with the names
            return self._left(raw, path, scope)
        if ("for" in raw) != ("in" in raw):
            has, other = ("for", "in") if "for" in raw else ("in", "for")
            self._wrong(path, f"`{has}` stands without `{other}`", "for: i and in: 8")
            return self._left(raw, path, scope)
        if len(texts) < len(variables) or len(set(texts)) < len(texts) or given == []:
            expected = "a name, or a list of names, each once"
            self._wrong((*path, "for"), f"{shown(given)} is not accepted", expected)
            return self._left(raw, path, scope)
        over = raw.get("in")
        if isinstance(over, str):
            self._condition(over, (*path, "in"), scope)
        else:
            self._value(over, (*path, "in"), scope)
            self._forgotten(over, (*path, "in"), scope)
        words = self._words(raw, path, scope)
        if words["l2"] is not None:
            self.under.append(_Under())
        items = self._items(body, (*path, "layers"), scope)
        if words["l2"] is not None:
            self.lambdas.append(((*path, "l2"), self.under.pop()))
        return Group(
            path, **words, items=items,
            variables=tuple(variables), unpacked=isinstance(given, list), over=over,
        )  # fmt: skip

    def _left(self, raw: Mapping[str, Any], path: Path, scope: _Scope) -> Item | None:
        """Look into a group that cannot be gone through, whatever the names of its items are; there is no group."""
        scope = replace(scope, open=True)
        for key in ("in", "if"):
            if isinstance(raw.get(key), str):
                self._condition(raw[key], (*path, key), scope)
        if isinstance(raw.get("layers"), list):
            self._items(raw["layers"], (*path, "layers"), scope)
        return None

    def _let(self, body: Any, path: Path, scope: _Scope) -> Item | None:
        if not isinstance(body, dict) or not body:
            self._wrong(path, f"{shown(body)} is not accepted", "{name: value}")
            return None
        for name, value in body.items():
            self._value(value, (*path, name), scope, but=name)
            self._forgotten(value, (*path, name), scope)
        return Let(path, values=body)

    def _reuse(self, body: Any, path: Path, scope: _Scope) -> Item | None:
        if not isinstance(body, dict) or "layer" not in body:
            self._wrong(path, f"{shown(body)} is not accepted", "{layer: NAME, from: TENSOR}")
            return None
        for key in body:
            if key not in REUSE:
                expected = f"one of {listed(REUSE)}"
                if key in GROUP:
                    expected += f", or a group around it: {{{key}: ..., layers: [reuse: ...]}}"
                    self.whole = False
                self._wrong((*path, key), "no such key", expected, nearest(key, REUSE))
        for key in ("layer", "name"):
            self._value(body.get(key), (*path, key), scope)
        if type(body["layer"]) not in (str, int):
            self._wrong((*path, "layer"), f"{shown(body['layer'])} is not accepted", "the name of a layer")
            return None
        source = self._source(body["from"], (*path, "from"), scope) if "from" in body else None
        return Reuse(path, source, layer=body["layer"], name=body.get("name"))

    def _at_each_step(self, body: Any, path: Path, scope: _Scope) -> Item | None:
        """A `TimeDistributed` of a block: a call of the block, whose words stand beside `layer`."""
        words = dict(body) if isinstance(body, dict) else {"layer": body}
        own = {key: words.pop(key) for key in OURS if key in words}
        held = words.pop("layer")
        name, inner = (held, None) if isinstance(held, str) else next(iter(held.items()))
        here = (*path, "layer") if isinstance(body, dict) else path
        here = here if isinstance(held, str) else (*here, name)
        self._value(words, path, scope)
        self.classes.add("TimeDistributed")
        entry = catalogue.catalogue()["layers"]["TimeDistributed"]
        of_it = {**words, "layer": "Identity"}  # what is wrong with the block is told where it stands
        self._told(objects.arguments("TimeDistributed", of_it, entry, path, ours=OURS))
        block = self.blocks.get(name)
        if isinstance(inner, dict):
            for key in [key for key in OURS if key in inner and not (block and key in block.parameters)]:
                self._wrong((*here, key), f"`{key}` stands in what each step goes through", "it beside `layer`")
                inner = {other: one for other, one in inner.items() if other != key}
        if block:
            for fits, wrong, expected in (
                (block.nested, f"`{name}` is a block that is not nested", "`nested: true` in that block"),
                (len(block.inputs) == 1, f"`{name}` takes {len(block.inputs)} tensors", "a block of one input"),
                (len(block.outputs) < 2, f"`{name}` answers {len(block.outputs)} tensors", "a block of one output"),
            ):
                if not fits:
                    self._wrong(here, wrong, expected)
                    self.whole = False
        self.under.append(_Under())
        call = self._call(name, inner, here, scope)
        under = self.under.pop()
        if own.get("l2") is not None:
            self.lambdas.append(((*path, "l2"), under))
        else:
            self.under[-1].blocks |= under.blocks
            self.under[-1].kernels |= under.kernels
        if not isinstance(call, Call):
            return call
        made = self._made(name, call.block, dict(call.arguments), own, path, scope, (), call.known and bool(block))
        return replace(made, steps=words, given=here)

    def _call(self, target: str, body: Any, path: Path, scope: _Scope) -> Item | None:
        if target == "TimeDistributed" and objects.held_block(body):
            return self._at_each_step(body, path, scope)
        if target == "TimeDistributed" and isinstance(body, dict) and "layer" not in body:
            meant = next((key for key in body if key in (self.data.get("blocks") or {})), "")
            if meant:  # told once, and read as it is meant
                hint = f"{{layer: {meant}}}" if body[meant] is None else f"{{layer: {{{meant}: ...}}}}"
                self._wrong((*path, meant), f"`{meant}` is a block", "it as `layer`", f"{target}: {hint}")
                self.whole = False
                rest = {key: one for key, one in body.items() if key != meant}
                return self._at_each_step({**rest, "layer": {meant: body[meant]}}, path, scope)
        if "layer" in catalogue.catalogue()["layers"].get(target, {"arguments": ()})["arguments"]:
            held, deep = objects.held_within(body)
            if held in (self.data.get("blocks") or {}):
                expected = "a layer: only a `TimeDistributed` that is an item itself holds a block"
                self._wrong((*path, *deep), f"`{held}` is a block", expected)
                self.called.add(held)
                return None
        block, entry = None, None
        if target in (self.data.get("blocks") or {}) and target not in self.blocks:
            self.called.add(target)  # what is wrong with it is told where it stands
        elif target[:1].isupper() or (target not in self.blocks and not LOCAL.fullmatch(target)):
            self.classes.add(target)
            found = objects.GAUSSIAN if path[0] == "latent" and target == "Gaussian" else None
            looked_up = found or _looked_up(target)
            if isinstance(looked_up, tuple):
                wrong, expected, hint = looked_up
                if path[0] == "latent":
                    hint = nearest(target, ("Gaussian", "VectorQuantizer")) or hint
                self._wrong(path, wrong, expected, hint)
                self._may_be(hint)
            elif path[0] in ("prepare", "latent") and catalogue.is_operation(target):
                self._wrong(path, f"`{target}` is an operation", "a layer")
                self.whole = False
            else:
                entry = looked_up
        elif target in self.blocks:
            block = self.blocks[target]
            self.called.add(target)
            if isinstance(body, dict) and body.get("l2") is not None and "l2" not in block.parameters:
                self.lambdas.append(((*path, "l2"), _Under(blocks={target})))
            else:
                self.under[-1].blocks.add(target)
            entry = {"arguments": dict.fromkeys(block.parameters), "required": list(block.required)}
        elif not self.spec.is_told(("blocks",)):
            wrong, expected, hint = catalogue.entry("layers", target)
            close = nearest(target, (*self.blocks, *self.spec.gone))
            if self.blocks or close:
                others = f"one of {listed(self.blocks)}" if self.blocks else "a block under `blocks`"
                wrong, expected, hint = f"no block `{target}`", others, close or hint
            elif not hint:
                wrong, expected = f"no block `{target}`", "a block under `blocks`, or the name of a Keras layer"
            if isinstance(catalogue.operation(target), dict) and not close:
                hint = f"{catalogue.OPERATIONS}{target}"
            self._wrong(path, wrong, expected, hint)
            self._may_be(hint)
        if entry is None:
            given = dict(body) if isinstance(body, dict) else {}
            own = {key: given.pop(key) for key in OURS if key in given}
            self._value(given if isinstance(body, dict) else body, path, scope)
            return self._made(target, None, {}, own, path, scope, (), known=False)
        given, own = self._arguments(target, body, entry, path, scope, block is not None)
        self._value(given, path, scope)
        if block is None:
            arguments = objects.with_defaults({**(self.defaults.get(target) or {}), **given}, self.defaults)
            self._inner_classes(arguments)
            if any(one in catalogue.DROPOUTS and "rate" not in body for one, body in objects.walked(target, arguments)):
                self.reads.add("dropout")
            if "l2" not in own and objects.kernels(target, arguments):
                self.reads.add("l2")
                self.under[-1].kernels = True
            if catalogue.is_operation(target) and own.get("frozen") is not None:
                self._wrong((*path, "frozen"), "nothing reads it", "a layer with weights")
            needless = "l2" in own and own["l2"] is not None and entry is not objects.GAUSSIAN
            if needless and not objects.kernels(target, arguments):
                expected = "a layer with a kernel that has no regularizer of its own"
                self._wrong((*path, "l2"), "nothing reads it", expected)
        checked = () if block else tuple(key for key, value in given.items() if expressions.holds(value))
        return self._made(target, block, given, own, path, scope, checked)

    def _may_be(self, name: str) -> None:
        """Take what a layer or a block that is none may be as read, or anything where nothing is like it."""
        self.called |= {name} if name else {*self.blocks}
        self.classes |= {name} if name else {*self.defaults}
        self.reads |= {"dropout"} if name in catalogue.DROPOUTS or not name else set()
        if not name or name in self.blocks or objects.kernels(name, {}):
            self.reads.add("l2")
            self.under[-1].kernels = True

    def _made(
        self, target: str, block: Block | None, arguments: dict[str, Any], own: dict[str, Any], path: Path,
        scope: _Scope, checked: tuple[str, ...], known: bool = True,
    ) -> Call:  # fmt: skip
        self._value(own.get("name"), (*path, "name"), scope)
        if "name" in own and own["name"] is None:
            self._wrong((*path, "name"), "`null` is no name", LAYERS)
        if "else" in own:
            self._value(own["else"], (*path, "else"), scope)
            if "if" not in own:
                self._wrong((*path, "else"), "`else` stands without `if`", "`if: CONDITION` beside it")
            elif "repeat" in own:
                self._wrong((*path, "else"), "`else` stands beside `repeat`", "one of them")
            elif isinstance(own["else"], (list, dict, bool)) or own["else"] is None:
                self._wrong((*path, "else"), f"{shown(own['else'])} is not accepted", "the name of one tensor")
        return Call(
            path, **self._words(own, path, scope, objects.called_with(target) if known and not block else None),
            target=target, block=block, arguments=arguments, name=own.get("name"), otherwise=own.get("else"),
            checked=checked, known=known,
        )  # fmt: skip

    def _words(
        self, own: Mapping[str, Any], path: Path, scope: _Scope, call: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """The words that calls and groups share: `from`, `if`, `repeat`, `l2`, `frozen`."""
        if "if" in own:
            self._condition(own["if"], (*path, "if"), scope)
        for key in ("repeat", "l2", "frozen"):
            self._value(own.get(key), (*path, key), scope)
        self._plain(own, "l2", objects.is_lambda, objects.LAMBDA, path, scope)
        self._plain(own, "repeat", objects.is_count, objects.COUNT, path, scope)
        self._plain(own, "frozen", lambda value: isinstance(value, bool), "true or false", path, scope)
        return {
            "source": self._source(own["from"], (*path, "from"), scope, call) if "from" in own else None,
            "condition": own.get("if", True), "repeat": own.get("repeat"), "l2": own.get("l2"),
            "frozen": own.get("frozen"),
        }  # fmt: skip

    def _plain(self, own: Mapping[str, Any], key: str, accepts: Any, expected: str, path: Path, scope: _Scope) -> None:
        value = own.get(key, 0)
        if key in own and not is_expression(value) and not isinstance(value, ranges.Range) and not accepts(value):
            close = self._dollars(value, scope) or ("" if key == "frozen" else ranges.instead_of(value, accepts))
            self._wrong((*path, key), f"{shown(value)} is not accepted", expected, close)

    def _arguments(
        self, target: str, body: Any, entry: Mapping[str, Any], path: Path, scope: _Scope, block: bool
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The arguments, and the words of ours among them, checked; a lone value is the one required argument."""
        known = entry["arguments"]
        ours = ("l2", "frozen") if entry is objects.GAUSSIAN else OURS
        words = [one for one in ours if one not in ("l2", "frozen")] if "tensors" in entry else ours
        usual = () if block else self.defaults.get(target) or ()
        meant = {nearest(key, known) for key in usual if key not in known}
        required = [key for key in entry["required"] if key not in usual and key not in meant]
        if body is not None and not isinstance(body, dict) and meant and len(entry["required"]) == 1:
            required = list(entry["required"])  # that `defaults` mean it is told there
        if block and not isinstance(body, dict) and target in self.listed:
            return {}, {}  # which argument it is was to be told there
        if body is not None and not isinstance(body, dict) and len(required) != 1:
            needs = " and ".join(f"`{key}`" for key in required) or "no argument"
            verb = "are" if len(required) > 1 else "is"
            may = [key for key in known if key not in entry.get("tensors", ())]
            told = {key: [*objects.arguments(target, {key: body}, entry, path, part=True)] for key in may}
            accepts = [(key, shown(body)[1:-1]) for key in may if not told[key]]
            if isinstance(body, str):  # nearly a word that an argument has
                near = [(key, one[3]) for key in may for one in told[key] if one[3] in catalogue.choices(target, key)]
                accepts += [(key, f'"{word}"') for key, word in near]
            expected = f"{target}: {{{accepts[0][0]}: {accepts[0][1]}}}" if accepts else f"`{target}` alone"
            expected = objects.called(target, required) if required else expected
            wrong = f"{shown(body)} stands alone, and {needs} {verb} required"
            if tensors := [] if block or required else list(entry.get("tensors", ()))[1:2]:
                wrong = f"{shown(body)} stands alone, and nothing says which argument it is"
                expected = f"`{target}: {{{tensors[0]}: {shown(body)[1:-1]}}}`"
            if target in objects.MERGING and isinstance(body, list):
                expected = f"{target}: {{from: {shown(body)[1:-1].replace(chr(34), '')}}}"
            self._wrong(path, wrong, expected)
            self._value(body, path, scope)
            return {}, {}
        arguments = dict(body) if isinstance(body, dict) else {required[0]: body} if body is not None else {}
        own = {key: arguments.pop(key) for key in ours if key in arguments and key not in known}
        said = "default" in arguments or set(arguments) <= {*ranges.KEYS}
        if ranges.looks_like(arguments) and said and not set(arguments) & set(known):
            hint = f"{target}: {{{required[0]}: {{...}}}}" if len(required) == 1 else ""
            self._wrong(path, "a range stands where the arguments do", "it as the value of an argument", hint)
        elif block:
            scope.read |= {one for one in arguments.values() if isinstance(one, str) and one in scope.own}  # for `$one`
            for key, value in arguments.items():
                self._forgotten(value, (*path, key), scope)
            self._told(_of_block(target, arguments, known, required, path))
        else:
            less = {**entry, "required": required}
            found = objects.arguments(target, arguments, less, path, ours=words, defaults=self.defaults)
            for one in itertools.islice(found, MOST):
                close = self._dollars(_at(body, one[0][len(path) :]), scope) or one[3]
                self._wrong(one[0], one[1], one[2], close or _as_range(target, arguments, entry, path, one))
            if {*objects.called_with(target)} & arguments.keys() - {*known}:
                self.whole = False  # a tensor may stand there
        return arguments, own

    def _source(self, raw: Any, path: Path, scope: _Scope, call: Sequence[str] | None = None) -> Source:
        if isinstance(raw, dict) and raw:
            return Source(named=dict(self._by_name(raw, path, scope, call)))
        if not raw and isinstance(raw, (list, dict)):
            self._wrong(path, "no tensor at all", "the name of a tensor, or a list of names")
            self.whole = False
            return Source(("previous",))
        if not isinstance(raw, list):
            self._value(raw, path, scope)
            return Source((raw,))
        parts: list[Any] = []
        for index, one in enumerate(raw):
            here = (*path, index)
            if isinstance(one, list):
                parts.append(Group(here, items=self._items(one, here, scope)))
            elif isinstance(one, dict):
                if "for" in one or "layers" in one:
                    made = self._item(one, here, scope)
                    parts += [made] if made else []
                else:
                    what = next(iter(one), "")
                    self._wrong(here, "an item stands where a tensor does", "a branch in brackets", f"[{what}: ...]")
                    self.whole = False
            else:
                self._value(one, here, scope)
                scope.read |= {one} & {*scope.own}  # a name without its `$` is no tensor, which is told
                parts.append(one)
        return Source(tuple(parts), listed=True)

    def _by_name(
        self, raw: Mapping[str, Any], path: Path, scope: _Scope, call: Sequence[str] | None
    ) -> Iterator[tuple[str, Any]]:
        """The tensors and booleans that a layer is called with by the names of its call's arguments."""
        for key, value in raw.items():
            here = (*path, key)
            tensors = value if isinstance(value, list) else [] if isinstance(value, bool) else [value]
            self._value(value, here, scope)
            if call is not None and key not in call:
                self._wrong(here, "the call has no such argument", f"one of {listed(call)}", nearest(key, call))
            elif (
                not all(type(one) in (str, int) or (one is None and key.endswith("mask")) for one in tensors)
                or value == []
            ):
                self._wrong(here, f"{shown(value)} is not accepted", "a tensor, a list of them, or a boolean")
            else:
                yield key, value
                continue
            self.whole = False

    # Values and names

    def _condition(self, value: Any, path: Path, scope: _Scope) -> None:
        """`if` and `in`: text is an expression here, with or without a `$`."""
        if not isinstance(value, str):
            self._value(value, path, scope)
            return
        try:
            self._ask(expressions.parse(value).names, path, scope)
        except Wrong as error:
            self._expression(error, value, path, scope)

    def _value(self, value: Any, path: Path, scope: _Scope, but: str = "") -> None:
        """Look into a value for expressions: they must be readable, and ask for names that are there."""
        if isinstance(value, str):
            if is_expression(value):
                try:
                    self._ask(expressions.parse(value).names, path, scope, but)
                except Wrong as error:
                    self._expression(error, value, path, scope)
        elif isinstance(value, Mapping):
            for key, one in value.items():
                self._value(one, (*path, key), scope, but)
        elif isinstance(value, list):
            for index, one in enumerate(value):
                self._value(one, (*path, index), scope, but)

    def _expression(self, error: Wrong, text: str, path: Path, scope: _Scope) -> None:
        wrong, expected, hint = error.args
        word = re.match(r"`([A-Za-z_]\w*)` is a bare word", wrong)
        if word:  # a name without its `$`, or text without its quotes
            known = word.group(1) in scope.own or word.group(1) in scope.around
            hint = f"${word.group(1)}" if known else hint
        hint = self._dollars(text, scope) or hint
        self._wrong(path, wrong, expected, hint)
        self.whole = False
        scope.read |= {one.removeprefix("$") for one in expressions.words_of(text)}
        scope.read |= {word.group(1)} if word else set()

    def _dollars(self, text: Any, scope: _Scope) -> str:
        """A refused text with the `$` that its names lack, an empty text if they are none; they count as read."""
        if isinstance(text, list):
            each = [self._dollars(one, scope) or shown(one)[1:-1] for one in text]
            return f"[{', '.join(each)}]" if any("$" in one for one in each) else ""
        computed = expressions.is_arithmetic(text)  # in which every word is a name
        names = {*scope.own, *scope.around} - ({*BUILT_IN} if not computed else set())
        made = expressions.with_dollars(text, names) if isinstance(text, str) else ""
        scope.read |= {*re.findall(r"\w+", made)} & names
        return made

    def _forgotten(self, value: Any, path: Path, scope: _Scope) -> None:
        """Say of arithmetic where any text may stand that its names lack their `$`."""
        if isinstance(value, (Mapping, list)):
            for key, one in value.items() if isinstance(value, Mapping) else enumerate(value):
                self._forgotten(one, (*path, key), scope)
        elif expressions.is_arithmetic(value) and not is_expression(value) and (meant := self._dollars(value, scope)):
            quoted = any(f"'{value}'" in one or f'"{value}"' in one for one in expressions.words_of(self.data))
            self._wrong(path, f"`{value}` is text", "a `$` before each name", meant) if not quoted else None

    def _ask(self, names: Iterable[str], path: Path, scope: _Scope, but: str = "") -> None:
        for name in sorted(names):
            if name not in scope.own and name not in scope.around and (scope.open or self.spec.is_told(("let",))):
                self.lost.add(name)  # it may be one of those that could not be read
            elif name not in scope.own and name not in scope.around and len(self.problems) < MOST:
                known = list(filter(LOCAL.fullmatch, (*scope.own, *scope.around)))
                close = nearest(name, (*known, *self.spec.gone))
                close = f"input.{name}" if name in INPUT and "input" in known else close
                expected = f"one of {listed(sorted(known))}"
                self._wrong(path, f"no name `${name}`", expected, f"${close}" if close else "")
                scope.read |= {close}
            elif name != but:
                scope.read.add(name)

    def _local(self, name: str, path: Path, built_in: Iterable[str]) -> None:
        if not LOCAL.fullmatch(name):
            bare, loop = name.removeprefix("$"), re.fullmatch(r"(\w+) in (.+)", name)
            hint = f"for: {loop[1]}, in: {loop[2]}" if loop else bare if LOCAL.fullmatch(bare) else ""
            self._wrong(path, f"`{name}` is no name", LOCALS, hint)
        elif name in expressions.FUNCTIONS or name in expressions.RESERVED:
            self._wrong(path, f"`{name}` is a word of the language", "another name")
        elif (name in built_in and name in BUILT_IN) or name in IN_TRAINING:
            self._wrong(path, f"`{name}` is a name that every spec has", "another name")
        else:
            return
        self.whole = False

    def _read_by_training(self, scope: _Scope) -> None:
        train = self.data.get("train")
        inside = _Scope(scope.own, (*scope.around, *IN_TRAINING), read=scope.read)
        self._value(train, ("train",), inside)

    def _inner_classes(self, arguments: Mapping[str, Any]) -> None:
        for key in objects.WRAPPED:
            inner = arguments.get(key)
            for one in inner if isinstance(inner, list) else [inner]:
                name = next(iter(one)) if isinstance(one, Mapping) and one else one
                if isinstance(name, str):
                    self.classes.add(name)
                    body = one[name] if isinstance(one, Mapping) else None
                    self._inner_classes(body if isinstance(body, Mapping) else {})

    def _unread(self, scope: _Scope) -> None:
        """What the text reads nowhere: a `let`, a block, a class in `defaults`."""
        if self.readable:
            self._unread_names(scope)
        if not self.whole:
            return
        for name in self.data.get("blocks") or {}:
            if name in self.blocks and name not in self.called:
                self._wrong(("blocks", name), "nothing calls it", "every block to be called")
        for path, under in self.lambdas:
            if not self._has_kernel(under):
                self._wrong(path, "nothing reads it", "a layer with a kernel under it, without a lambda of its own")
        used = self.classes | self._of_the_head()
        for name in self.defaults:
            place = self.spec.place(("defaults", name))
            inherited = place and place.line and place.file != self.spec.source  # what it was for may be replaced
            if name not in used and not inherited:
                close = nearest(name, used)
                self._wrong(("defaults", name), "no layer of this class is here", "a class that the spec uses", close)

    def _has_kernel(self, under: _Under) -> bool:
        """Whether a layer stands there that takes lambda, in a block that is called there too."""
        reached, new = set[str](), under.blocks
        while new:
            reached |= new
            new = set[str]().union(*(self.bodies[one].blocks for one in new if one in self.bodies)) - reached
        return under.kernels or any(self.bodies[one].kernels for one in reached if one in self.bodies)

    def _of_the_head(self) -> set[str]:
        """The classes of the layers that the task brings where the spec has no head."""
        if "head" in self.data or "outputs" in self.data:
            return set()
        if self.spec.coded:
            return {"Conv2D" if self.spec.kind == "image" else "Dense"}
        facts = dict.fromkeys(("classes", "targets", "horizon", "features", "vocabulary"), 1)
        return {layer for item in head(self.spec.task, facts) for layer in item}

    def _unread_names(self, scope: _Scope, spared: Collection[str] = ()) -> None:
        """Names that nothing reads; a loop need not read its variable."""
        read = [one for one in scope.own if one in scope.read]
        left = [one for one in scope.own if one not in scope.read and one not in spared]
        told = {one.path for one in self.problems}
        for name, path in ((one, scope.own[one]) for one in left):
            if path[-1] != "for" and written(path) not in told and len(self.problems) < MOST:
                expected = f"`${name}` in a value, or no `{name}`"
                self._wrong(path, "nothing reads it", expected, nearest(name, read))

    def _told(self, found: Iterable[objects.Found]) -> None:
        for one in itertools.islice(found, MOST):
            self._wrong(*one)

    def _wrong(self, path: Path, wrong: str, expected: str = "", hint: str = "") -> None:
        if not self.spec.is_told(path):
            self.problems.append(self.spec.problem(path, wrong, expected, hint))


def _as_range(
    target: str, arguments: Mapping[str, Any], entry: Mapping[str, Any], path: Path, found: objects.Found
) -> str:
    """A refused list as the range of values that the argument accepts, an empty text if it is none."""
    where, wrong = found[:2]
    key = str(where[-1])
    if len(where) != len(path) + 1 or key not in arguments or not wrong.endswith("is not accepted"):
        return ""
    one_of = {**entry, "required": []}
    return ranges.instead_of(arguments[key], lambda one: not [*objects.arguments(target, {key: one}, one_of, path)])


def _at(value: Any, path: Path) -> Any:
    """What stands at a path in a value, as far as it leads."""
    for key in path:
        inside = (isinstance(value, Mapping) and key in value) or (isinstance(value, list) and type(key) is int)
        value = value[key] if inside else value
    return value


def _looked_up(target: str) -> dict[str, Any] | tuple[str, str, str]:
    """What the catalogue says of a layer or an operation."""
    return catalogue.operation(target) if catalogue.is_operation(target) else catalogue.entry("layers", target)


def _of_one_class(spec: Spec) -> Iterator[objects.Found]:
    """What is wrong with classes of which there is one: a softmax of one number is 1, whatever stands before it."""
    if spec.task in ("classification", "segmentation") and spec.data.get("classes") == 1:
        yield ("classes",), "one class is nothing to tell apart", "2 or more", ""


def _of_block(
    name: str, given: Mapping[str, Any], known: Iterable[str], required: list[str], path: Path
) -> Iterator[objects.Found]:
    words = [*known, *OURS]
    meant = set()
    for key in given:
        if key in BLOCK and key not in words:
            yield (*path, key), f"`{key}` stands in a call of the block", "it in the block, under `blocks`", ""
        elif key not in known:
            close = nearest(key, words)
            meant.add(close)
            yield (*path, key), "no such parameter", f"one of {listed(words)}", close
    missing = [key for key in required if key not in {*given, *meant}]
    if missing:
        says = " and ".join(f"`{key}`" for key in missing)
        yield path, f"{says} {'is' if len(missing) == 1 else 'are'} missing", objects.called(name, required), ""


def _declared(raw: Any, path: Path) -> Iterator[tuple[str, Path]]:
    """The names that items give: loop variables and `let`, at any depth."""
    if isinstance(raw, list):
        for index, one in enumerate(raw):
            yield from _declared(one, (*path, index))
    elif isinstance(raw, dict):
        for key, value in raw.items():
            if key == "for":
                for name in value if isinstance(value, list) else [value]:
                    if isinstance(name, str):
                        yield name, (*path, key)
            elif key == "let" and isinstance(value, dict):
                for name in value:
                    yield name, (*path, key, name)
            elif key in ("layers", "from") or (isinstance(value, dict) and "from" in value):
                inner = value["from"] if isinstance(value, dict) and "from" in value else value
                yield from _declared(inner, (*path, key) if inner is value else (*path, key, "from"))


def _calls(items: Any, blocks: Mapping[str, Block]) -> Iterator[str]:
    """The blocks that items call, at any depth."""
    return (one for one in objects.calls(items) if one in blocks)


def _tensors(raw: Any, named: bool = False) -> Iterator[str]:
    """Every text in `from` and `else` of items, at any depth: the names of tensors, and a few more."""
    if isinstance(raw, (str, int)) and named:
        yield str(raw)
    elif isinstance(raw, list):
        for one in raw:
            yield from _tensors(one, named)
    elif isinstance(raw, dict):
        for key, one in raw.items():
            yield from _tensors(one, named or key in ("from", "else"))


def _are_outputs(value: Any) -> bool:
    """Whether a value can be the outputs of a block: names of tensors."""
    return isinstance(value, list) and value != [] and all(type(one) in (str, int) for one in value)


def _is_size(value: Any) -> bool:
    """Whether a value can be a size of a shape: open, a whole number above 0, or computed."""
    return value is None or objects.is_count(value) or is_expression(value) or isinstance(value, ranges.Range)


def _are_inputs(value: Any) -> bool:
    """Whether a value can be the inputs of a block: names, each once."""
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        return False
    return len(set(value)) == len(value) and all(NAME.fullmatch(one) and one != "previous" for one in value)
