"""How two specs differ: their keys, and their layers, put beside each other in order."""

from __future__ import annotations

import contextlib
import difflib
import itertools
import json
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from zoo.errors import ZooError, plainly
from zoo.language import catalogue, expressions, network, ranges, unfolding
from zoo.language.families import OWN_LOSSES, kinds
from zoo.language.network import Network, Node
from zoo.language.objects import called_with, is_named
from zoo.language.parsing import short, sizes
from zoo.language.spec import CARD, DEFAULT_DROPOUT, DEFAULT_L2, Spec

BODY_KEYS = (
    "layers", "encoder", "latent", "decoder", "head", "blocks", "let", "defaults", "prepare", "name", "outputs",
    "dtype",
)  # fmt: skip
"""Keys that are compared as what they unfold to."""

Row = tuple[str, str, str]
"""What differs, in the one, in the other."""

UNSAID = "-"
"""What a spec does not say; null is a value."""

Scoped = tuple[tuple[str, ...], Node]
"""A layer with the names of the models inside the model that it stands in, the outermost first."""


def differences(one: Spec, other: Spec) -> list[Row]:
    """What differs, as (what, in the one, in the other); nothing for the same network trained the same way.

    Both are taken at the defaults of their ranges, which are compared as well as far as they have names.
    """
    flat = [_unfolded(spec) for spec in (one, other)]
    layers = _layers(flat[0], flat[1])
    sides = [list(_walked(found)) for found in flat]
    unnamed = [_unnamed(spec, side) for spec, side in zip((one, other), sides, strict=True)]
    layers += _ranges(unnamed[0], unnamed[1], _aligned(sides[0], sides[1]))
    rows: list[Row] = []
    left, right = map(_told, (one, other))
    meant = [_trained(spec) for spec in (one, other)]
    for key in dict.fromkeys((*left, *right)):
        said = [side.get(key, UNSAID) for side in (left, right)]
        computed = key.startswith("train.") and any(map(expressions.holds, said))
        if computed:  # whose names may have other values, or the same
            same = [side.get(key) for side in meant[0]] == [side.get(key) for side in meant[1]]
            if not same and said[0] == said[1]:
                rows += _names(one, other, said[0], {key: (left.get(key), right.get(key)) for key in left})
            said = [UNSAID, UNSAID] if same else said
        spelt = [_spelt(key.removeprefix("train."), value) for value in said]
        ordered = [list(value.items()) if key == "inputs" and isinstance(value, dict) else value for value in spelt]
        acts = layers or key not in ("l2", "dropout") or any(isinstance(value, dict) for value in said)
        if key not in (*CARD, *BODY_KEYS) and acts and _text(ordered[0]) != _text(ordered[1]):
            rows.append(_row(key, *said))
    held = [{name: found.written() for name, found in spec.ranges().items()} for spec in (one, other)]
    stand = {**other.range_paths(), **one.range_paths()}
    for name in dict.fromkeys((*held[0], *held[1])):
        told = name in _STATED or stand[name][0] in ("train", "penalties")
        if not told and "[" not in name and held[0].get(name) != held[1].get(name):
            rows.append(_row(f"range of {name}", *(side.get(name, UNSAID) for side in held)))
    return list(dict.fromkeys(rows)) + layers or _reached(one, other, flat)


def _reached(one: Spec, other: Spec, flat: Sequence[Network]) -> list[Row]:
    """Ranges that are alike in two specs of the same network, and decide other layers of it, alone or all at once."""
    if _plainly(one) == _plainly(other):
        return []
    its, knobs = list(other.ranges()), flat[0].knobs() & flat[1].knobs()
    pairs = {name: name if name in its else its[min(place, len(its) - 1)] for place, name in enumerate(one.ranges())}
    tried = {name: _other_values(found)[: 1 if name in knobs else None] for name, found in one.ranges().items()}
    chosen = [(f"range of {name}", {name: value}) for name, values in tried.items() for value in values]
    if len(tried) > 1:
        chosen += [("ranges together", {name: values[-1] for name, values in tried.items() if values})]
    rows: list[Row] = []
    for what, values in chosen:
        try:
            sides = [_unfolded(one, values), _unfolded(other, {pairs[name]: one for name, one in values.items()})]
        except ZooError:  # values that make no network are told elsewhere
            continue
        if _layers(sides[0], sides[1]) and what not in [row[0] for row in rows]:
            moved = [[row[0] for row in _layers(plain, side)] for plain, side in zip(flat, sides, strict=True)]
            rows.append(_row(what, *("decides " + (", ".join(each) or "nothing") for each in moved)))
    return rows


def _plainly(spec: Spec) -> str:
    """What decides the layers of a spec, as text."""
    return _text({key: value for key, value in spec.written().items() if key not in CARD})


def _other_values(found: ranges.Range) -> list[Any]:
    """Values of a range that are not its default: those at its ends or all that are listed, and one in the middle."""
    values = list(found.held())
    if not found.values:
        middle = sum(values[-2:]) / 2
        values.append(round(middle) if found.counted else middle)
    return [one for one in dict.fromkeys(values) if one != found.default]


def _layers(left: Network, right: Network) -> list[Row]:
    """Where the layers of two networks differ, those that prepare their rows among them."""
    prepared = [replace(found, nodes=found.prepare, outputs=()) for found in (left, right)]
    return _rows(prepared[0], prepared[1], "prepare: ") + _rows(left, right, "")


def _unfolded(spec: Spec, values: Mapping[str, Any] | None = None) -> Network:
    found, problems = unfolding.unfold(spec.fill(values))
    if found is None:
        raise ZooError(*problems)
    return found


def _told(spec: Spec) -> dict[str, Any]:
    """The keys of a spec, and how it is trained, key by key, what it does not say included."""
    usual = {"task": spec.task, "l2": DEFAULT_L2, "dropout": DEFAULT_DROPOUT, "frozen": False, "penalties": {}}
    usual |= {"likelihood": spec.likelihood} if spec.coded else {}
    usual |= {key: spec.facts[key] for key in ("targets", "features") if key in spec.facts}
    told_penalties = _weighed(spec.written().get("penalties", {}))
    unsaid = {key: value for key, value in usual.items() if key not in spec.data}
    told = replace(spec, data={**spec.data, **unsaid, "train": spec.train}).written()
    for key in {"input", "inputs"} & {*told}:
        told[key] = {name: _input(one) for name, one in told[key].items()} if key == "inputs" else _input(told[key])
    told["penalties"] = told_penalties
    trained = told.pop("train")
    if _spelt("loss", trained.get("loss")) in OWN_LOSSES.get(spec.task, ()):
        del trained["loss"]
    return {**told, **{f"train.{key}": value for key, value in trained.items()}}


ROWS = (99_991, 54_323, 7)
"""So many rows are trained on where two specs are compared, in turn: what is equal for both follows from none."""


def _trained(spec: Spec) -> list[dict[str, Any]]:
    """How a spec is trained, its expressions computed, for some numbers of rows, and for values of its ranges."""
    filled = [{}, *({name: one} for name, found in spec.ranges().items() for one in _other_values(found))]
    made = []
    for values in filled:
        with contextlib.suppress(ZooError):  # values that make no network are told elsewhere
            made += [unfolding.training(spec.fill(values), rows) for rows in ROWS]
    return [{f"train.{key}": value for key, value in found.items()} for found in made]


def _names(one: Spec, other: Spec, given: Any, told: Mapping[str, tuple[Any, Any]]) -> list[Row]:
    """The names that a value reads and that come to other values in two specs; those of `train` are told by itself."""
    tables = [unfolding.names(spec.fill()) for spec in (one, other)]
    rows = []
    for name in dict.fromkeys(re.findall(r"\$(\w+)", _text(given))):
        mine, its = (table.get(name, UNSAID) for table in tables)
        where = f"let.{name}" if name in one.data.get("let", {}) else name
        if _text(mine) != _text(its) and not isinstance(told.get(name, ("", ""))[0], dict):
            rows.append(_row(where, mine, its))
    return rows


def _weighed(given: Any) -> Any:
    """The weights of penalties, each with the keys that it may have, without those that are anyway."""
    if not isinstance(given, Mapping):
        return given
    made: dict[str, Any] = {}
    for key, one in given.items():
        parts = one if isinstance(one, Mapping) and not ranges.looks_like(one) else {"weight": one}
        known: dict[str, dict[str, float]] = {"kl": {"weight": 1}, "sparsity": {"target": 0.05}}
        usual = known.get(key, {"weight": 0})
        left = {name: _spelt(name, part) for name, part in {**usual, **parts}.items()}
        if left != usual or key == "sparsity":
            made[key] = left
    return made


def _input(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of an input, without what it would be anyway."""
    usual = {"dtype": "float32", "kind": kinds(given)[0]}
    return {key: value for key, value in given.items() if usual.get(key) != value}


@dataclass(frozen=True)
class _Unnamed:
    """A range without a name of its own: its path, what it is for, what it holds, and the layers that it stands on."""

    path: str
    key: str
    held: str
    layers: tuple[int, ...]


def _unnamed(spec: Spec, side: list[Scoped]) -> list[_Unnamed]:
    found, stand = [], spec.range_paths()
    for path, one in spec.ranges().items():
        if "[" in path and stand[path][0] not in ("train", "penalties"):
            owner, _, key = path.rpartition(".")
            under = tuple(place for place, (_, node) in enumerate(side) if _stands_on(node.path, owner))
            found.append(_Unnamed(path, key, _shown(one.written()), under))
    return found


def _stands_on(path: str, owner: str) -> bool:
    """Whether the path of a layer is that of the item which holds a range, or lies under it."""
    return bool(owner) and path.startswith(owner) and path[len(owner) :][:1] in ("", ".", "[")


def _ranges(before: list[_Unnamed], after: list[_Unnamed], same: Mapping[int, int]) -> list[Row]:
    """Ranges that stand on a layer or a group and have no partner on the other side, on the same layers."""
    rows, left = [], list(after)
    for mine in before:
        places = tuple(same.get(place, -1) for place in mine.layers)
        here = [its for its in left if (its.key, its.layers) == (mine.key, places)]
        match = next((its for its in here if its.held == mine.held), here[0] if here and places else None)
        if match:
            left.remove(match)
        if match is None or match.held != mine.held:
            rows.append((f"range of {mine.path}", mine.held, match.held if match else "-"))
    return rows + [(f"range of {its.path}", "-", its.held) for its in left]


_STATED = ("l2", "dropout")
"""Ranges that stand under a key of their own."""


def _walked(found: Network, inside: tuple[str, ...] = ()) -> Iterator[Scoped]:
    """Every layer, a model before those that it holds; one that stands there again holds none of its own."""
    for node in found.nodes:
        yield inside, node
        if node.network and not node.reuses:
            yield from _walked(node.network, (*inside, node.name))


Opcode = tuple[str, int, int, int, int]
"""What became of a run of layers, and where it lies on either side, as `difflib` says it."""


def _matched(before: list[Scoped], after: list[Scoped]) -> list[Opcode]:
    """Which runs of layers are the same; of as many, rather those that also have one name."""
    keys = [[_key(node) for _, node in side] for side in (before, after)]
    names = [[node.name for _, node in side] for side in (before, after)]
    plain = _opcodes(keys[0], keys[1], 0, 0)
    found, begin, start = list[Opcode](), 0, 0
    both = [list(zip(*side, strict=True)) for side in zip(keys, names, strict=True)]
    for tag, first, end, other, stop in _opcodes(both[0], both[1], 0, 0):
        if tag == "equal":
            found += [*_opcodes(keys[0][begin:first], keys[1][start:other], begin, start)]
            found.append((tag, first, end, other, stop))
            begin, start = end, stop
    found += _opcodes(keys[0][begin:], keys[1][start:], begin, start)
    best = found if _equal(found) >= _equal(plain) else plain
    return [part for one in best for part in _by_name(one, names)]


def _by_name(found: Opcode, names: Sequence[Sequence[str]]) -> Iterator[Opcode]:
    """A run that was replaced, cut so that layers of one name stand for one another."""
    tag, begin, end, start, stop = found
    if tag != "replace":
        yield found
        return
    for inner, *ends in _opcodes(names[0][begin:end], names[1][start:stop], begin, start):
        yield ("replace" if inner == "equal" else inner, *ends)  # type: ignore[misc]


def _opcodes(left: Sequence[Any], right: Sequence[Any], begin: int, start: int) -> list[Opcode]:
    found = difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes()
    return [(tag, begin + one, begin + end, start + other, start + stop) for tag, one, end, other, stop in found]


def _equal(found: Iterable[Opcode]) -> int:
    return sum(end - begin for tag, begin, end, _, _ in found if tag == "equal")


def _aligned(before: list[Scoped], after: list[Scoped]) -> dict[int, int]:
    """The place of each layer in the other network, where there is one that stands for it."""
    return {
        begin + place: start + place
        for _, begin, end, start, stop in _matched(before, after)
        for place in range(min(end - begin, stop - start))
    }


Place = tuple[tuple[str, ...], str]
"""A layer or an input by its name and the models that it stands in."""


@dataclass
class _Same:
    """What stands for what, of one side and the other, and what each layer of the two sides reads."""

    pairs: dict[Place, Place]
    left: Mapping[Place, list[Place]]
    right: Mapping[Place, list[Place]]

    def is_wired(self, mine: Place, its: Place) -> bool:
        """Whether a layer that has a pair reads what that reads, or reads past layers that one side alone has."""
        theirs = {*self.pairs.values()}
        if mine in self.pairs and its in theirs:
            return self.pairs[mine] == its
        here = {self.pairs[one] for one in _above(mine, self.left, self.pairs)}
        there = _above(its, self.right, theirs)
        return not here or not there or bool(here & there)


def _above(start: Place, reads: Mapping[Place, list[Place]], known: Container[Place]) -> set[Place]:
    """The nearest ones before a place, or the place itself, that are known."""
    found, seen, left = set[Place](), set[Place](), [start]
    while left:
        one = left.pop()
        if one in known:
            found.add(one)
        elif one not in seen:
            seen.add(one)
            left += reads.get(one, ())
    return found


def _reads(side: list[Scoped]) -> dict[Place, list[Place]]:
    return {(inside, node.name): [(inside, network.owner(one)) for one in node.read()] for inside, node in side}


def _rows(left: Network, right: Network, prefix: str) -> list[Row]:
    rows = []
    before, after = list(_walked(left)), list(_walked(right))
    same, models = _Same(_inputs(left, right, (), ()), _reads(before), _reads(after)), []
    for tag, begin, end, start, stop in _matched(before, after):
        if tag != "equal":
            rows += _pairs(before[begin:end], after[start:stop], prefix)
        for (inside, node), (within, other) in zip(before[begin:end], after[start:stop], strict=False):
            same.pairs[inside, node.name] = within, other.name
            if node.network and other.network:
                same.pairs |= _inputs(node.network, other.network, (*inside, node.name), (*within, other.name))
            alike = (node.layer == other.layer or node.name == other.name) and bool(node.reuses) == bool(other.reuses)
            alike = alike and len(_read(node)) == len(_read(other))  # else that is told as an argument
            rows += _calls(node, other, inside, within, same, prefix) if alike else []
            models.append((node, other, inside, within))
    for node, other, inside, within in models:  # now that what they hold is known
        if node.network and other.network and not node.reuses:
            mine, its = (*inside, node.name), (*within, other.name)
            what = f"{prefix}{_place((inside, node))}.outputs"
            rows += _tensors(node.network.outputs, other.network.outputs, mine, its, same, what)
    return rows + _tensors(left.outputs, right.outputs, (), (), same, f"{prefix}outputs")


def _inputs(left: Network, right: Network, inside: tuple[str, ...], within: tuple[str, ...]) -> dict[Place, Place]:
    """The inputs of two networks, which stand for one another: the outermost by their names if they are the same."""
    names = [[one.name for one in side.inputs] for side in (left, right)]
    by_name = not inside and {*names[0]} == {*names[1]}  # a model inside is called on its inputs in their order
    pairs = zip(names[0], names[0] if by_name else names[1], strict=False)
    return {(inside, mine): (within, its) for mine, its in pairs}


def _calls(
    one: Node, other: Node, inside: tuple[str, ...], within: tuple[str, ...], same: _Same, prefix: str
) -> list[Row]:
    """What two equal layers are called on, or call again, where that is not the same."""
    rows = _tensors(_read(one), _read(other), inside, within, same, f"{prefix}{_place((inside, one))}.from")
    if one.reuses:
        rows += _tensors([one.reuses], [other.reuses], inside, within, same, f"{prefix}{_place((inside, one))}.reuse")
    return rows


def _tensors(
    left: Sequence[str], right: Sequence[str], inside: tuple[str, ...], within: tuple[str, ...], same: _Same, what: str
) -> list[Row]:
    """A row where tensors do not stand for one another; that a layer came between them is told already."""
    if len(left) != len(right):
        return [(what, _shown(_said(left)), _shown(_said(right)))]
    for mine, its in zip(left, right, strict=True):
        here, there = (inside, network.owner(mine)), (within, network.owner(its))
        apart = here in same.pairs and _number(mine) != _number(its)
        if apart or not same.is_wired(here, there):
            return [(what, _shown(_said(left)), _shown(_said(right)))]
    return []


def _text(value: Any) -> str:
    """What a value is compared by, in which true is not 1."""
    return json.dumps(value, sort_keys=True, default=str)


def _said(tensors: Iterable[str]) -> str:
    return ", ".join(map(network.said, tensors))


def _number(tensor: str) -> str:
    """Which output of its layer a tensor is."""
    return tensor[len(network.owner(tensor)) :]


def _key(node: Node) -> str:
    """What makes two layers the same: all but what they are called, and what they are called on."""
    outputs = len(node.network.outputs) if node.network else 0
    told = [node.layer, _stated(node), _spelt("l2", node.l2), _spelt("rate", node.dropout), node.frozen, _plain(node)]
    return _text([*told, bool(node.reuses), outputs, _shapes(node)])


def _shapes(node: Node) -> list[list[int | None]] | None:
    """The shapes that a model inside states for its inputs."""
    stated = [list(one.shape) for one in node.network.inputs] if node.network and not node.reuses else []
    return stated if any(stated) else None


def _stated(node: Node) -> dict[str, Any]:
    """The arguments of a layer that are not Keras's defaults, spelt in one way; to an operation, 1.0 is not 1."""
    if node.operation:
        usual = catalogue.catalogue()["ops"][node.operation]["arguments"]
        return {key: one for key, one in node.arguments.items() if _text(one) != _text(usual[key])}
    return _arguments_of(catalogue.catalogue()["layers"].get(node.layer), node.arguments)


def _arguments_of(entry: Mapping[str, Any] | None, given: Mapping[str, Any]) -> dict[str, Any]:
    known = entry or {"arguments": {}, "required": ()}
    usual = {key: _spelt(key, one) for key, one in known["arguments"].items() if key not in known["required"]}
    spelt = {key: _spelt(key, value) for key, value in given.items()}
    if "pool_size" in usual and spelt.get("strides", 0) is not None:  # a window moves by its size if nothing is said
        usual["strides"] = spelt.get("pool_size", usual["pool_size"])
    return {key: value for key, value in spelt.items() if key not in usual or _text(value) != _text(usual[key])}


def _spelt(key: str, value: Any) -> Any:
    """A value of an argument in the one of its spellings that all share: `HeNormal` for `he_normal`, 3 for [3, 3]."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if key in (*catalogue.SIZES, *catalogue.WHOLE, "output_size") and isinstance(value, list):
        each = [_spelt(key, one) for one in value]
        return each[0] if each and each.count(each[0]) == len(each) and not isinstance(each[0], list) else each
    if key.endswith("activation") and value == "linear":
        return None
    known = catalogue.catalogue().get(catalogue.module_of(key), {})
    if isinstance(value, list):
        return [_spelt(key, one) for one in value]
    if isinstance(value, str):
        return next((one for one in known if plainly(one) == plainly(value)), value)
    if not is_named(value) or next(iter(value)) not in known:
        return value
    name, given = next(iter(value.items()))
    given = _arguments_of(known[name], given or {})
    return {name: given} if given else name


def _first(layer: str) -> str:
    """The name of what a layer is called on first; some operations take any number of tensors, without names."""
    return next(iter(called_with(layer)), "inputs")


def _given(node: Node) -> dict[str, Any]:
    """What a layer is called with, by name, what it is called on first too: tuples of tensors, and plain arguments."""
    named = {key: (value,) if isinstance(value, str) else value for key, value in node.call.items()}
    return {**({_first(node.layer): node.inputs} if node.inputs else {}), **named}


def _plain(node: Node) -> dict[str, Any]:
    """The call of a layer, without its tensors: plain arguments, and how many tensors go by which name."""
    return {key: len(value) if isinstance(value, tuple) else value for key, value in _given(node).items()}


def _read(node: Node) -> list[str]:
    """The tensors that a layer is called on, in the order of the names that they go by."""
    given = _given(node)
    return [one for key in sorted(given) if isinstance(given[key], tuple) for one in given[key]]


def _place(found: Scoped) -> str:
    """A layer by its name behind those of the models that it stands in, as Keras writes paths."""
    inside, node = found
    return "/".join((*inside, node.name))


def _pairs(before: list[Scoped], after: list[Scoped], prefix: str) -> list[Row]:
    """Layers of one kind that stand at the same place are compared by argument; the others stand alone."""
    rows = []
    for mine, its in itertools.zip_longest(before, after):
        name = prefix + _place(mine or its)
        one, other = (found[1] if found else None for found in (mine, its))
        if one is not None and other is not None and one.layer == other.layer:
            left, right = _arguments(one), _arguments(other)
            for key in dict.fromkeys((*left, *right)):
                said = [side.get(key, UNSAID) for side in (left, right)]
                if _text(said[0]) != _text(said[1]):
                    rows.append(_of_tables(f"{name}.{key}", *said))
        else:
            rows.append((name, _layer(one), _layer(other)))
    return rows


def _arguments(node: Node) -> dict[str, Any]:
    more: dict[str, Any] = {"l2": _spelt("l2", node.l2), "rate": _spelt("rate", node.dropout)}
    more |= {"frozen": node.frozen or None}
    more |= {"reuse": node.reuses or None}
    more |= {"outputs": len(node.network.outputs) if node.network else None, "shape": _shapes(node)}
    first = _first(node.layer)
    more |= {"inputs" if key == first else f"from.{key}": value for key, value in _plain(node).items()}
    return {**_stated(node), **{key: value for key, value in more.items() if value is not None}}


def _layer(node: Node | None) -> str:
    if node is None:
        return "-"
    shown = [str(node.arguments[key]) for key in ("units", "filters", "kernel_size") if key in node.arguments]
    return " ".join([node.layer, *shown])


def _row(what: str, one: Any, other: Any) -> Row:
    return what, _shown(one), _shown(other)


def _of_tables(what: str, one: Any, other: Any) -> Row:
    """A row for two values; of long lists the first place where they differ."""
    if not short(one) or sizes(one) != sizes(other):
        return what, *(short(each) or _shown(each) for each in (one, other))  # type: ignore[return-value]
    place = list[int]()
    differing = sum(_text(a) != _text(b) for a, b in zip(*map(_flat, (one, other)), strict=True))
    while isinstance(one, list):
        at = next(index for index, (a, b) in enumerate(zip(one, other, strict=True)) if _text(a) != _text(b))
        place, one, other = [*place, at], one[at], other[at]
    more = f" and {differing - 1:,} more" if differing > 1 else ""
    return f"{what}[{', '.join(map(str, place))}]{more}", _shown(one), _shown(other)


def _flat(value: Any) -> Iterator[Any]:
    for one in value if isinstance(value, list) else ():
        yield from _flat(one) if isinstance(one, list) else [one]


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
