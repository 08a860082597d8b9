"""A spec written flat, a layer a line, to one with `defaults`, `repeat`, blocks and loops, where that is shorter.

Each step is proposed by comparing texts and then proved: the language unfolds what was folded, and a step is taken only
if every layer comes back under its name, in its place, with its arguments (one spelt at its default counts as unsaid).
So a fold can be missed, and never be wrong.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zoo.language import catalogue, dumping, expressions, network, reading, unfolding
from zoo.language.fields import FIELDS
from zoo.language.items import BUILT_IN
from zoo.language.network import Network, layer_named
from zoo.language.objects import GROUP, OURS, held_block, is_named
from zoo.language.parsing import LAYER

Data = dict[str, Any]
Item = Any
Proposals = Iterator[tuple[int, Data]]
"""What a step could make of the data, each with the lines that it would save, nearly."""

Change = Callable[[str, Data, str], tuple[str, Data]]
"""What an item becomes: from its target, its arguments and the body that it is of."""

LONGEST = 200
"""The most items of a block, or of one round of a loop."""

FEWEST, STEPPED, LONG = 3, 4, 8
"""The fewest rounds of a loop, but two of so many items (the last); of one in whose names a number grows by over 1."""

MOST_VARIABLES, MOST_INPUTS = 6, 3
"""A loop over longer rows, or a block on more tensors, reads worse than its layers."""

TRIED = 5
"""So many proposals of a step are proved before it is given up."""

UNSAID = {"strides": 1, "dilation_rate": 1}
"""Defaults of convolutions that the catalogue cannot hold."""

VARIABLES = {"from": "source", "name": "label", "repeat": "times"}
"""What a variable is called that stands for a word of ours."""


def fold(data: Mapping[str, Any]) -> Data:
    """Fold the `layers` of a spec in plain data; it comes back as it is where nothing is gained.

    What comes back unfolds to the same layers, with the same names, in the same order; operations, which have no
    weights, may be called otherwise. A spec that says more than one network (ranges, variants, names that are computed)
    is not folded, as it could only be proved for one of them.
    """
    flat = dict(data)
    if {"variants", "extends", "defaults"} & set(flat) or expressions.holds(flat.get("let")):
        return flat
    given = flat.get("let", {})
    tables = {name: [number] for number, name in enumerate(given) if isinstance(given[name], list)}
    flat |= {"let": {**given, **tables}} if tables else {}  # short ones in the place of constants, however long
    meant = _unfolded(flat)
    named = _named(flat, meant) if meant else None
    if meant is None or named is None:
        return dict(data)
    wanted = _meaning(meant)
    begun, unnamed = _merged(*named, wanted)
    best, start = flat, begun
    for begin in (begun, *([other] if (other := _grouped(begun)) != begun else [])):
        if (better := min([best, *_folded(begin, unnamed, wanted)], key=_length)) is not best:
            best, start = better, begin
    if shared := _proved(_defaults(start, unnamed), wanted):
        best = min([best, *_folded(shared, unnamed, wanted)], key=_length)
    return {**best, "let": given} if tables else best


def _folded(data: Data, unnamed: Mapping[str, set[str]], wanted: Any) -> Iterator[Data]:
    """The data with blocks and loops, without the names that need not be said.

    Equal layers in a row may repeat in a block, or end one and begin the next: both are tried.
    """
    repeated = _proved(_repeats(data, unnamed), wanted)
    for found in (data, repeated) if repeated else (data,):
        for step in (_blocks, _loops, _repeats):
            while better := _proved(step(found, unnamed), wanted):
                found = better
        found = _without_names(found, unnamed)
        bare = _with_nameless_operations(found)
        yield from (one for one in (found, bare) if (one is found or bare != found) and _proved([(1, one)], wanted))


def _length(data: Data) -> tuple[int, int]:
    lines = dumping.dump(data).split("\n")
    return len(lines), sum(map(len, lines))


def _grouped(data: Data) -> Data:
    """The data with operations called after the layers before them: `b0_transpose` behind `b0_query`."""
    taken = {name for one in data["layers"] for name in _names(one)}
    renamed: dict[str, str] = {}
    prefix = ""
    for single in (one for item in data["layers"] for one in item.get("layers", [item])):
        ((target, body),) = single.items()
        if not catalogue.is_operation(target):
            prefix = str(body.get("name", "")).rpartition("_")[0]
        elif prefix:
            base = f"{prefix}_{network.snake_case(catalogue.bare(target))}"
            renamed[body["name"]] = network.free(base, taken)
            taken.add(renamed[body["name"]])

    def change(target: str, body: Data, which: str) -> tuple[str, Data]:
        name = body.get("name")
        return target, {**body, "name": renamed[name]} if name in renamed and not which else body

    return _changed(_rewired(data, "", renamed), change)


def _with_nameless_operations(data: Data) -> Data:
    """The data without the names of operations in blocks, which are those that they get."""

    def change(target: str, body: Data, which: str) -> tuple[str, Data]:
        nameless = which and catalogue.is_operation(target)
        return target, {key: value for key, value in body.items() if key != "name"} if nameless else body

    return _changed(data, change)


def _proved(proposals: Iterable[tuple[int, Data]], wanted: Any) -> Data | None:
    """The data after the proposal that saves most, among those that mean what is wanted."""
    useful = sorted((one for one in proposals if one[0] > 0), key=lambda one: -one[0])
    for _, made in useful[:TRIED]:
        meant = _unfolded(made)
        if meant is not None and _meaning(meant) == wanted:
            return made
    return None


def _unfolded(data: Data) -> Network | None:
    spec, problems = reading.read(data, "", {})
    if spec is None or problems or spec.ranges():
        return None
    found, problems = unfolding.unfold(spec.fill())
    return None if problems else found


def _meaning(found: Network) -> Any:
    """All that is built from a network, operations by their places."""
    operations = {one.name: f"/{index}" for index, one in enumerate(found.nodes) if one.operation}

    def placed(tensor: Any) -> Any:
        if isinstance(tensor, tuple):
            return tuple(map(placed, tensor))
        base = network.owner(tensor) if isinstance(tensor, str) else ""
        return operations[base] + tensor[len(base) :] if base in operations else tensor

    def said(one: network.Node) -> dict[str, str]:
        given = {key: json.dumps(value) for key, value in one.arguments.items()}  # as text, 1 is no true
        return {
            key: text for key, text in given.items() if text == "null" or text != json.dumps(_usual(one.layer, key))
        }

    nodes = [
        (
            placed(one.name), one.layer, said(one), placed(one.inputs), one.part, one.l2, one.dropout, one.many,
            {key: placed(value) for key, value in one.call.items()}, one.outputs, one.frozen, one.reuses,
            _meaning(one.network) if one.network else None,
        )
        for one in found.nodes
    ]  # fmt: skip
    return nodes, found.inputs, placed(found.outputs)


def _usual(target: str, key: str, blocks: Mapping[str, Any] | None = None) -> Any:
    """What an argument is that is not given, as it could be spelt; None if it cannot be."""
    if key == "from":
        return "previous"
    if blocks and target in blocks:
        return (blocks[target].get("parameters") or {}).get(key)
    if key in UNSAID and "Conv" in target:
        return UNSAID[key]
    known = catalogue.catalogue()["layers"].get(target, {"arguments": {}})["arguments"]
    return "linear" if key == "activation" and known.get(key, "") is None else known.get(key)


# Items are mappings `{target: body}` with a name each. Groups, `reuse` and branches are stepped over.


def _named(data: Data, meant: Network) -> tuple[Data, dict[str, set[str]]] | None:
    """The data with a name in each item, and, by body, the names that need not be said; None if it is not flat."""
    blocks, unnamed = dict(data.get("blocks") or {}), dict[str, set[str]]({"": set()})

    def named(body: list[Item], nodes: Sequence[network.Node], unsaid: set[str]) -> list[Item]:
        return [item(one, node, unsaid) for one, node in zip(body, nodes, strict=True)]

    def item(one: Item, node: network.Node, unsaid: set[str]) -> Item:
        target, body = (one, {}) if isinstance(one, str) else next(iter(one.items()))
        if _is_group(one):
            return {**one, "layers": named(one["layers"], [node], unsaid)}
        if "name" not in body:
            unsaid.add(node.name)
        block = held_block(body) if node.at_steps else target
        if node.network and not node.reuses and block not in unnamed:
            unnamed[block] = set()
            inner = named(blocks[block]["layers"], node.network.nodes, unnamed[block])
            blocks[block] = {**blocks[block], "layers": inner}
        return {target: {"name": node.name, **body}}

    try:
        layers = named(data["layers"], [one for one in meant.nodes if one.part == "layers"], unnamed[""])
        if "head" in data:  # it stays as it is, but for the blocks that it calls
            named(data["head"], [one for one in meant.nodes if one.part == "head"], set())
    except (KeyError, TypeError, ValueError):  # a body that is no mapping, or several layers of one item
        return None
    return _put(data, layers=layers, blocks=blocks), unnamed


def _put(data: Data, **more: Any) -> Data:
    """The data with other parts, in the order in which specs are written."""
    both = {**data, **more}
    return {key: both[key] for key in FIELDS if key in both and (both[key] or key not in ("blocks", "defaults"))}


def _bodies(data: Data) -> dict[str, list[Item]]:
    """The lists of items by the block that they are of; those of the spec under an empty name."""
    return {"": data["layers"], **{name: block["layers"] for name, block in (data.get("blocks") or {}).items()}}


def _with_body(data: Data, which: str, body: list[Item]) -> Data:
    if not which:
        return _put(data, layers=body)
    return _put(data, blocks={**data["blocks"], which: {**data["blocks"][which], "layers": body}})


def _changed(data: Data, change: Change, head: bool = False) -> Data:
    """The data with each item changed, those in groups as well, and with `head` its items too."""

    def item(one: Item, which: str) -> Item:
        if _is_group(one):
            return {**one, "layers": [item(inner, which) for inner in one["layers"]]}
        ((target, body),) = ({one: {}} if isinstance(one, str) else one).items()
        target, body = change(target, body, which)
        return {target: body} if body else target

    for which, body in _bodies(data).items():
        data = _with_body(data, which, [item(one, which) for one in body])
    return _put(data, head=[item(one, "head") for one in data["head"]]) if head and "head" in data else data


def _without_names(data: Data, unnamed: Mapping[str, set[str]]) -> Data:
    """The data without the names that need not be said."""

    def change(target: str, body: Data, which: str) -> tuple[str, Data]:
        names = unnamed.get(which, set())
        return target, {k: v for k, v in body.items() if k != "name" or v not in names or "repeat" in body}

    return _changed(data, change)


def _is_group(item: Item) -> bool:
    return isinstance(item, dict) and "layers" in item


def _is_plain(item: Item) -> bool:
    """Whether an item can be folded."""
    if "layers" in item or "reuse" in item:
        return False
    (body,) = item.values()
    source = body.get("from")
    branched = isinstance(source, list) and not all(isinstance(one, str) for one in source)
    return not branched and "if" not in body


def _names(item: Item) -> list[str]:
    """The tensors that an item makes, the one that it leaves behind last; none where only unfolding tells."""
    if "layers" in item:
        return [] if {"for", "repeat"} & set(item) else [name for one in item["layers"] for name in _names(one)]
    (body,) = item.values()
    name, repeat = body.get("name"), body.get("repeat")
    if name is None or not isinstance(repeat, int | None):
        return []
    return [name] if repeat is None else [f"{name}{index + 1}" for index in range(repeat)]


def _mapped(source: Any, how: Any) -> Any:
    """What `from` says, with each tensor changed."""
    if isinstance(source, dict):
        return {key: _mapped(one, how) for key, one in source.items()}
    if isinstance(source, list):
        return [_mapped(one, how) for one in source]
    return how(source) if isinstance(source, str) else source


def _rerouted(item: Item, how: Any) -> Item:
    """An item with each tensor that it reads changed."""
    if isinstance(item, str):
        return item
    if "layers" in item:
        inner = {"layers": [_rerouted(one, how) for one in item["layers"]]}
        return {**item, **({"from": how(item["from"])} if "from" in item else {}), **inner}
    ((target, body),) = item.items()
    return {target: {**body, "from": _mapped(body["from"], how)}} if "from" in body else item


def _rewired(data: Data, which: str, renamed: Mapping[str, str]) -> Data:
    """The data with other names in what a body reads and answers, and the head of the spec's own."""

    def tensor(name: str) -> str:
        base = layer_named(name)
        return renamed.get(base, base) + name[len(base) :]

    said = data["blocks"][which] if which else data
    more = {key: [_rerouted(one, tensor) for one in said[key]] for key in ("layers", "head") if key in said}
    more |= {"outputs": list(map(tensor, said["outputs"]))} if "outputs" in said else {}
    return _put(data, blocks={**data["blocks"], which: {**said, **more}}) if which else _put(data, **more)


def _read(items: Iterable[Item]) -> set[str]:
    """The layers whose tensors items read."""
    found: set[str] = set()
    for one in items:
        _rerouted(one, lambda name: found.add(layer_named(name)))
    return found


def _high(value: Any) -> int:
    """The lines in which a value is written (`dumping.dump`): a flow of under 100 letters, or a plain list, in one."""
    if not isinstance(value, (dict, list)) or not value:
        return 1
    inner = list(value.values()) if isinstance(value, dict) else value
    if isinstance(value, list) and not any(isinstance(one, (dict, list)) for one in value):
        return 1
    if not _stands_below(value) and "layers" not in value and len(json.dumps(value)) < 100:
        return 1
    lines = [_high(one) for one in inner]
    below = sum(line > 1 or _stands_below(one) for line, one in zip(lines, inner, strict=True))
    return sum(lines) + (below if isinstance(value, dict) else 0)


def _stands_below(value: Any) -> bool:
    """Whether a value is written below its key, however short it is."""
    return is_named(value) or (isinstance(value, list) and any(isinstance(one, dict) for one in value))


# Several texts to one with variables


@dataclass(frozen=True)
class _Varying:
    """A text that differs in places: what stays, and between that the columns; one column alone for another value."""

    pieces: tuple[str | int, ...]


@dataclass(frozen=True)
class _Column:
    """Values of one place in each text. With a `step` they are counted, with a `base` so far from that column."""

    key: str
    values: list[Any]
    first: int = 0
    step: int = 0
    base: int | None = None

    @property
    def free(self) -> bool:
        """Whether it needs a variable of its own."""
        return not self.step and self.base is None


@dataclass
class _Columns:
    """What differs between texts that are otherwise one: a column of values for each variable, equal columns once.

    `closed`: the text will stand in a block of its own, where the names of the body that it comes from are unknown, but
    for `tables`, the names of the spec's `let`.
    """

    blocks: Mapping[str, Any]
    closed: bool = False
    tables: Collection[str] = ()
    columns: list[_Column] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)

    def one(self, key: str, values: list[Any]) -> Any:
        """What stands for several values: the value itself, a variable, or a mapping or a list with variables in it."""
        first = values[0]
        alike = all(json.dumps(one) == json.dumps(first) for one in values)
        known = isinstance(first, str) and first.removeprefix("$") in self.tables
        if alike and (known or not (self.closed and expressions.holds(first))):
            return first
        if all(isinstance(one, dict) and list(one) == list(first) for one in values):
            return {inner: self.one(inner, [one[inner] for one in values]) for inner in first}
        if isinstance(first, list) and all(isinstance(one, list) and len(one) == len(first) for one in values):
            places = [list(ones) for ones in zip(*values, strict=True)]
            if key == "from" or sum(any(one != ones[0] for one in ones) for ones in places) == 1:
                return [self.one(key, ones) for ones in places]
        if key == "from" and not all(isinstance(one, str) for one in values):
            raise ValueError("one tensor here, several there")
        return self._counted(values) or _Varying((self._place(key, values),))

    def _counted(self, values: list[Any]) -> _Varying | None:
        """What stands for texts that differ in numbers alone, or in a letter behind one: `conv2`, `res2a`."""
        if not all(isinstance(one, str) and re.fullmatch(r"[A-Za-z0-9_.]+", one) for one in values):
            return None
        split = [re.split(r"(\d+|(?<=\d)[a-z](?![A-Za-z0-9]))", one) for one in values]
        if len({len(one) for one in split}) > 1 or any(one[::2] != split[0][::2] for one in split):
            return None
        pieces: list[str | int] = []
        for ones in zip(*split, strict=True):
            numbers = all(one.isdigit() and str(int(one)) == one for one in ones)
            key, found = ("number", list(map(int, ones))) if numbers else ("mark", list(ones))
            pieces.append(ones[0] if len(set(ones)) == 1 else self._place(key, found, counting=True))
        return _Varying(tuple(pieces))

    def _place(self, key: str, values: list[Any], counting: bool = False) -> int:
        """The place of a column, a new one where there is none; `counting`: the values are numbers in texts."""
        text = json.dumps(values)
        if text not in self.places:
            self.places[text] = len(self.columns)
            self.columns.append(self._column(key, values, counting))
        return self.places[text]

    def _column(self, key: str, values: list[Any], counting: bool) -> _Column:
        if not _are_whole(values) or (self.closed and not counting):
            return _Column(key, values)
        first, step = values[0], values[1] - values[0]
        straight = values == [first + step * row for row in range(len(values))]
        if straight and (step == 1 or (counting and len(values) >= STEPPED)):
            return _Column(key, values, first, step)
        for index, one in enumerate(self.columns):
            away = (
                {mine - its for mine, its in zip(values, one.values, strict=True)} if _are_whole(one.values) else set()
            )
            if len(away) == 1 and one.free and one.key == key:
                return _Column(key, values, away.pop(), base=index)
        return _Column(key, values)

    def item(self, items: Sequence[Item]) -> Item:
        """The item that stands for several of one target. Raises `ValueError` if none can."""
        target, bodies = next(iter(items[0])), [body for one in items for body in one.values()]
        keys = dict.fromkeys(key for body in bodies for key in body)
        made = {}
        for key in sorted(keys, key=lambda key: (key != "name", key != "from")):
            values = [body.get(key, _usual(target, key, self.blocks)) for body in bodies]
            if None in values and not all(key in body for body in bodies):
                raise ValueError(f"`{key}` cannot be spelt where it is not given")
            made[key] = self.one(key, values)
        return {target: {key: value for key, value in made.items() if (key, value) != ("from", "previous")}}

    def items(self, places: Iterable[Sequence[Item]], most: int = MOST_VARIABLES) -> list[Item] | None:
        """The items that stand for those of each place; None if none can, or with more variables, or two for names."""
        made = []
        for ones in places:
            try:
                made.append(self.item(ones))
            except ValueError:
                return None
            keys = [one.key for one in self.columns if one.free]
            if len(keys) > most or keys.count("name") > 1:
                return None
        return made

    def variables(self, index: str, taken: Iterable[str] = ()) -> tuple[dict[str, Sequence[Any]], list[str]]:
        """The variables with their values, that which counts the rounds first, and what is written for each column."""
        steps = {one.step for one in self.columns if one.step}
        step = min(steps) if len(steps) == 1 else 1
        begin = next((one.first for one in self.columns if one.step == step), 0)
        free = [one for one in self.columns if one.free]
        rounds = len(self.columns[0].values) if self.columns else 0
        made: dict[str, Sequence[Any]] = {index: range(begin, begin + step * rounds, step)} if steps else {}
        names = _variables([one.key for one in free], {*taken, *made})
        made |= {name: one.values for name, one in zip(names, free, strict=True)}
        texts: list[str] = []
        for one in self.columns:
            if one.base is not None:
                texts.append(f"{texts[one.base]}{_signed(one.first)}")
            else:
                texts.append(_counting((one.first, one.step // step), index, begin) if one.step else f"${names.pop(0)}")
        return made, texts


def _are_whole(values: list[Any]) -> bool:
    return all(type(one) is int for one in values)


def _counting(counted: tuple[int, int], index: str, begin: int) -> str:
    """The expression of numbers that begin at one and grow by another: `$i`, `2 * $i + 1`."""
    first, step = counted
    return f"{'' if step == 1 else f'{step} * '}${index}{_signed(first - step * begin)}"


def _signed(offset: int) -> str:
    return f" + {offset}" if offset > 0 else f" - {-offset}" if offset < 0 else ""


def _spelt(value: Any, texts: list[str]) -> Any:
    """A text with its variables written: `$units`, `conv$i`, `conv${2 * $i + 1}_bn`."""
    if isinstance(value, _Varying):
        made = ""
        for piece in reversed(value.pieces):
            text = piece if isinstance(piece, str) else texts[piece]
            bare = isinstance(piece, str) or len(value.pieces) == 1 or (" " not in text and not made)
            made = (text if bare else f"${{{text}}}") + made
        return made
    if isinstance(value, dict):
        return {key: _spelt(one, texts) for key, one in value.items()}
    return [_spelt(one, texts) for one in value] if isinstance(value, list) else value


def _first_free(base: str, taken: Iterable[str]) -> str:
    known = set(taken)
    return next(
        name for number in itertools.count(1) if (name := base if number == 1 else f"{base}_{number}") not in known
    )


def _variables(keys: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """Names for variables."""
    made: list[str] = []
    for key in keys:
        made.append(_first_free(VARIABLES.get(key, key), (*taken, *made, *BUILT_IN, *OURS, *expressions.FUNCTIONS)))
    return made


def _shape(item: Item, blocks: Mapping[str, Any], tensors: bool) -> str:
    """What items must share to be one with variables; with `tensors`, what they are called and called on as well."""
    if not _is_plain(item):
        return ""
    ((target, body),) = item.items()
    keys = sorted(key for key in body if _usual(target, key, blocks) is None)
    source = body.get("from", "previous")
    return json.dumps([target, keys, source if tensors else _mapped(source, lambda _: ""), tensors and body["name"]])


# Arguments that all layers of a class have in common


def _defaults(data: Data, unnamed: Mapping[str, set[str]]) -> Proposals:
    """`defaults` for the classes that stand there three times or more."""
    items = [one for part in (*_bodies(data).values(), data.get("head") or []) for one in part]
    items = [inner for one in items for inner in (one["layers"] if _is_group(one) else [one])]
    bodies: dict[str, list[Data]] = defaultdict(list)
    for one in items:
        ((target, body),) = ({one: {}} if isinstance(one, str) else one).items()
        bodies[target].append(body)
    wrapped = {
        name for name in bodies if any(f'"{name}"' in json.dumps(body) for ones in bodies.values() for body in ones)
    }
    common: dict[str, Data] = {}
    for target, ones in bodies.items():
        if target[:1].isupper() and len(ones) >= FEWEST and target not in wrapped:
            given = {k: v for k, v in ones[0].items() if k not in OURS and not expressions.holds(v)}
            given = {k: v for k, v in given.items() if all(k in one and one[k] == v for one in ones)}
            common |= {target: given} if given else {}
    if not common:
        return

    def change(target: str, body: Data, which: str) -> tuple[str, Data]:
        return target, {key: value for key, value in body.items() if key not in common.get(target, {})}

    made = _changed(_put(data, defaults=common), change, head=True)
    yield sum(len(json.dumps(given)) for given in common.values()), made


# One item several times


def _repeats(data: Data, unnamed: Mapping[str, set[str]]) -> Proposals:
    """`repeat` for equal items in a row whose names are counted from 1, or need not be said."""
    for which, body in _bodies(data).items():
        changed = _with_repeats(body, unnamed.get(which, set()))
        yield _high(body) - _high(changed), _with_body(data, which, changed)


def _with_repeats(body: list[Item], unnamed: set[str]) -> list[Item]:
    changed: list[Item] = []
    at = 0
    while at < len(body):
        end, found = at + 1, body[at]
        if _is_group(found):
            found = {**found, "layers": _with_repeats(found["layers"], set())}
        while end < len(body) and (made := _repeated(body[at : end + 1], unnamed)):
            end, found = end + 1, made
        shorter = _high([found]) < _high(body[at:end])
        changed += [found] if shorter else body[at:end]
        at = end
    return changed


def _repeated(items: list[Item], unnamed: set[str]) -> Item:
    """One item for several that are equal but for their names; None if there is none."""
    if not all(map(_is_plain, items)) or any({"repeat", "from"} & set(body) for one in items for body in one.values()):
        return None
    names = [body.get("name", "") for one in items for body in one.values()]
    plain = [{target: {**body, "name": ""}} for one in items for target, body in one.items()]
    base = names[0].removesuffix("1")
    counted = base not in ("", names[0]) and names == [f"{base}{index + 1}" for index in range(len(names))]
    if any(one != plain[0] for one in plain) or not (counted or {"", *unnamed}.issuperset(names)):
        return None
    ((target, body),) = plain[0].items()
    rest = {key: value for key, value in body.items() if key != "name"}
    return {target: {**({"name": base} if counted else {}), "repeat": len(items), **rest}}


# Models inside the model


def _merged(data: Data, unnamed: dict[str, set[str]], wanted: Any) -> tuple[Data, dict[str, set[str]]]:
    """The data with nested blocks of one shape made one, and the names that need not be said then."""
    found = data
    while better := _proved(_nested(found, unnamed), wanted):
        found = better
    if found is not data:
        items = (one for body in _bodies(found).values() for one in body if not _is_group(one))
        calls = [(target, body["name"]) for one in items for target, body in one.items() if target in found["blocks"]]
        for said in (set(), {name for target, name in calls if name != target}):
            left = {which: names - said for which, names in unnamed.items()}
            if _proved([(1, _without_names(found, left))], wanted):
                return found, left
    return data, unnamed


def _nested(data: Data, unnamed: Mapping[str, set[str]]) -> Proposals:
    """One nested block for those of one shape, each called once until then: `sequential`, `sequential_1`."""
    blocks = data.get("blocks") or {}
    alike: dict[str, list[str]] = defaultdict(list)
    for name, block in blocks.items():
        shapes = [_shape(one, blocks, tensors=False) for one in block["layers"]]
        if block.get("nested") and all(shapes):
            word = re.sub(r"_?\d+", "", name)  # no encoder stands for a decoder
            rest = {**block, "layers": shapes, "outputs": len(block.get("outputs", ()))}
            alike[json.dumps([word, rest])].append(name)
    for names in alike.values():
        for some in (names, names[1:]):  # the names in the first one may have no numbers
            if len(some) > 1 and (made := _one_nested(data, some)):
                inside = (_looped(blocks[name]["layers"], unnamed.get(name, set()), blocks, set()) for name in some)
                spared = sum(max((gain for gain, _ in one), default=0) for one in inside)  # where they stay apart
                yield _high(data) - _high(made) - spared, made


def _one_nested(data: Data, names: list[str]) -> Data | None:
    """The data with one nested block for several; None if that would not be readable."""
    blocks = data["blocks"]
    columns, same = _Columns(blocks, True, data.get("let") or ()), [blocks[name] for name in names]
    layers = columns.items(zip(*(one["layers"] for one in same), strict=True))
    if layers is None:
        return None
    answers = zip(*(one.get("outputs", ()) for one in same), strict=True)
    outputs = [columns.one("from", list(ones)) for ones in answers]
    parameters, given, texts = _parameters(columns, len(names))
    block = {**({"parameters": parameters} if parameters else {}), **same[0], "layers": _spelt(layers, texts)}
    block |= {"outputs": _spelt(outputs, texts)} if outputs else {}
    calls = dict(zip(names, given, strict=True))

    def change(target: str, body: Data, which: str) -> tuple[str, Data]:
        return (names[0], {"name": target, **body, **calls[target]}) if target in calls else (target, body)

    left = {name: one for name, one in {**blocks, names[0]: block}.items() if name not in names[1:]}
    return _changed(_put(data, blocks=left), change, head=True)


# Layers whose names begin alike


@dataclass(frozen=True)
class _Chunk:
    """Items in a row as they would stand in a block, where they are, and how the block would be called for them."""

    which: str
    start: int
    end: int
    prefix: str
    items: list[Item]
    sources: list[str]
    last: str


def _blocks(data: Data, unnamed: Mapping[str, set[str]]) -> Proposals:
    """A block for runs of one shape whose names share a beginning: `conv2_block1_...`, `conv2_block2_...`."""
    alike: dict[str, list[_Chunk]] = defaultdict(list)
    for which, body in _bodies(data).items():
        for chunk in _chunks(data, which, body):
            shapes = [_shape(one, data.get("blocks") or {}, tensors=True) for one in chunk.items]
            alike[json.dumps([shapes, len(chunk.sources)])].append(chunk)
    for chunks in alike.values():
        if len(chunks) > 1:
            yield from _block(data, chunks)


def _chunks(data: Data, which: str, body: list[Item]) -> Iterator[_Chunk]:
    """Every run of items whose names begin with the same words, and whose last tensor alone is read elsewhere."""
    begin = list((data["blocks"][which] if which else data).get("inputs", ["input"]))
    made, kept = [_names(one) for one in body], {one["reuse"]["layer"] for one in body if "reuse" in one}
    kept |= set(map(layer_named, (data["blocks"][which] if which else data).get("outputs") or []))
    kept |= set() if which else _read(data.get("head") or [])
    readers: dict[str, set[int]] = defaultdict(set)
    for index, one in enumerate(body):
        for name in _read([one]):
            readers[name].add(index)
    seen: set[tuple[int, str]] = set()
    for start, names in enumerate(made):
        for cut in re.finditer("_", names[0]) if names and _is_plain(body[start]) else ():
            prefix = names[0][: cut.start()]
            if (start, prefix) in seen:
                continue
            end = start
            while end < len(body) and made[end] and all(name.startswith(f"{prefix}_") for name in made[end]):
                seen.add((end, prefix))
                end += 1
            inside = [name for names in made[start:end] for name in names]
            open_ = any(readers[name] - set(range(start, end)) or name in kept for name in inside[:-1])
            reused = {one["reuse"]["layer"] for one in body if "reuse" in one} & set(inside)
            free = LAYER.fullmatch(prefix) and layer_named(prefix) == prefix and [prefix] not in made
            if free and 2 <= end - start <= LONGEST and not open_ and not reused:
                before = (made[start - 1][-1:] or ["previous"])[0] if start else next(iter(begin))
                found = _chunk(body[start:end], prefix, set(inside), before)
                if found:
                    yield _Chunk(which, start, end, prefix, *found, inside[-1])


def _chunk(items: list[Item], prefix: str, inside: set[str], before: str) -> tuple[list[Item], list[str]] | None:
    """Items as they would stand in a block, and the tensors that the block would be called on."""
    if not all(map(_is_plain, items)):
        return None
    sources: list[str] = []

    def tensor(name: str, first: bool) -> str:
        if layer_named(name) in inside:
            return name[len(prefix) + 1 :]
        if name == "previous" and not first:
            return name
        name = "previous" if name == before else name
        if name not in sources:
            sources.append(name)
        return _input(sources.index(name))

    made = []
    for index, one in enumerate(items):
        ((target, body),) = one.items()
        source = _mapped(body.get("from", "previous"), lambda name, first=index == 0: tensor(name, first))
        source = "previous" if source == "input" and index == 0 else source
        made.append({target: {**body, "name": body["name"][len(prefix) + 1 :], "from": source}})
    names = {name for one in made for name in _names(one)}
    fine = all(LAYER.fullmatch(name) and layer_named(name) == name for name in names)
    taken = {"previous", *map(_input, range(len(sources)))} & names
    return (made, sources) if fine and not taken and 0 < len(sources) <= MOST_INPUTS else None


def _input(index: int) -> str:
    return "input" if index == 0 else "other" if index == 1 else f"other_{index}"


def _block(data: Data, chunks: list[_Chunk]) -> Proposals:
    """One block for chunks of one shape."""
    blocks = data.get("blocks") or {}
    columns = _Columns(blocks, True, data.get("let") or ())
    template = columns.items(zip(*(chunk.items for chunk in chunks), strict=True), LONGEST)
    if template is None:
        return
    parameters, given, texts = _parameters(columns, len(chunks))
    inputs = [_input(index) for index in range(len(chunks[0].sources))]
    words = re.findall(r"(?:^|_)([a-z]+)", chunks[0].prefix.lower())
    name = _first_free("_".join(words) or "part", (*blocks, *GROUP, *OURS, "let", "reuse"))
    block: Data = {
        **({"parameters": parameters} if parameters else {}),
        **({"inputs": inputs} if len(inputs) > 1 else {}),
        "layers": _spelt(template, texts),
    }
    calls = []
    for chunk, own in zip(chunks, given, strict=True):
        source: Any = chunk.sources if len(inputs) > 1 else chunk.sources[0]
        calls.append({name: {"name": chunk.prefix, **({} if source == "previous" else {"from": source}), **own}})
    bodies = _bodies(data)
    before = sum(_high(bodies[chunk.which][chunk.start : chunk.end]) for chunk in chunks)
    gain = before - _high({name: block}) - (not blocks) - _high(calls)
    if gain > 0:
        yield gain, _called(_put(data, blocks={**blocks, name: block}), chunks, calls)


def _parameters(columns: _Columns, calls: int) -> tuple[Data, list[Data], list[str]]:
    """The parameters of a block with their defaults, what each call gives, and what is written for each column."""
    variables, texts = columns.variables("number")
    usual = {key: _mostly(values) for key, values in variables.items()}
    parameters = dict(sorted(usual.items(), key=lambda one: one[1] is not None))
    given = [{key: ones[row] for key, ones in variables.items() if ones[row] != usual[key]} for row in range(calls)]
    return parameters, given, texts


def _mostly(values: Sequence[Any]) -> Any:
    """The value of more than half of the places, to be a default; None if there is none."""
    text, count = Counter(map(json.dumps, values)).most_common(1)[0]
    common = json.loads(text)
    return common if 2 * count > len(values) and not expressions.holds(common) else None


def _called(data: Data, chunks: list[_Chunk], calls: list[Item]) -> Data:
    """The data with calls in the place of chunks; who read a chunk's last tensor now reads its call."""
    for which, body in _bodies(data).items():
        mine = [(chunk, call) for chunk, call in zip(chunks, calls, strict=True) if chunk.which == which]
        changed = list(body)
        for chunk, call in sorted(mine, key=lambda one: -one[0].start):
            changed[chunk.start : chunk.end] = [call]
        renamed = {chunk.last: chunk.prefix for chunk, _ in mine}
        data = _rewired(_with_body(data, which, changed), which, renamed) if mine else data
    return data


# The same again, and again


def _loops(data: Data, unnamed: Mapping[str, set[str]]) -> Proposals:
    """Loops for items that come again in the same shapes: of each body one or several, and of all at once."""
    blocks = data.get("blocks") or {}
    saved, whole = 0, data
    for which, body in _bodies(data).items():
        taken = set(blocks[which].get("parameters") or ()) if which else set()
        gain = 0
        for gain, changed in _looped(body, unnamed.get(which, set()), blocks, taken):
            yield gain, _with_body(data, which, changed)
        saved, whole = (saved + gain, _with_body(whole, which, changed)) if gain else (saved, whole)
    yield saved, whole


def _looped(
    body: list[Item], unnamed: set[str], blocks: Mapping[str, Any], taken: set[str]
) -> Iterator[tuple[int, list[Item]]]:
    """A body with loops more, in one of its loops or among its items; better ones come last."""
    for index, one in enumerate(body):
        if "for" in one:
            own = set(one["for"] if isinstance(one["for"], list) else [one["for"]])
            for gain, inner in _looped(one["layers"], set(), blocks, taken | own):
                yield gain, [*body[:index], {**one, "layers": inner}, *body[index + 1 :]]
    lines = list(itertools.accumulate((_high([one]) for one in body), initial=0))
    ends = ((size, start, start + size * rounds) for size, start, rounds in _again(body, blocks))
    found = [(lines[end] - lines[start] - size, size, start, end) for size, start, end in ends]
    best, before, group, after = 0, body, None, body
    for most, size, start, end in sorted(found, key=lambda one: -one[0]):
        if most <= best:
            break
        made = _group([body[at : at + size] for at in range(start, end, size)], unnamed, blocks, taken)
        gain = lines[end] - lines[start] - _high([made]) if made else 0
        if gain > best:
            best, before, group, after = gain, body[:start], made, body[end:]
            yield best, [*before, group, *after]
    if best:  # and those before and behind it, as each proof takes its time
        sides = ([(0, side), *_looped(side, unnamed, blocks, taken)][-1] for side in (before, after))
        (left, before), (right, after) = sides
        yield best + left + right, [*before, group, *after]


def _again(body: list[Item], blocks: Mapping[str, Any]) -> Iterator[tuple[int, int, int]]:
    """Where items come in the same shapes several times in a row: the items a round, the first item, the rounds."""
    shapes = [_shape(one, blocks, tensors=False) for one in body]
    for size in range(1, min(LONGEST, len(body) // 2) + 1):
        fewest = FEWEST if size < LONG else 2
        start = 0
        while start + size < len(body):
            end = start
            while end + size < len(body) and shapes[end] and shapes[end] == shapes[end + size]:
                end += 1
            rounds = (end - start) // size + 1
            for fewer in range(min(2, rounds - fewest + 1)):
                spare = end + size - start - (rounds - fewer) * size
                yield from ((size, start + shift, rounds - fewer) for shift in range(spare + 1))
            start = max(end, start) + 1


def _group(rounds: list[list[Item]], unnamed: set[str], blocks: Mapping[str, Any], taken: set[str]) -> Item:
    """What stands for rounds of items: a group under `for` or `repeat`, or an item that repeats; None for nothing."""

    def nameless(ones: tuple[Item, ...]) -> tuple[Item, ...]:
        if not unnamed.issuperset(body.get("name", 0) for one in ones for body in one.values()):
            return ones
        return tuple({key: {**body, "name": ""}} for one in ones for key, body in one.items())

    columns, most = _Columns(blocks), MOST_VARIABLES if len(rounds) >= FEWEST else 2
    template = columns.items(map(nameless, zip(*rounds, strict=True)), most)
    if template is None:
        return None
    index = _first_free("i", taken)
    variables, texts = columns.variables(index, taken)
    if len(variables) > most:
        return None
    layers = [
        {target: {key: value for key, value in body.items() if (key, value) != ("name", "")}}
        for one in _spelt(template, texts)
        for target, body in one.items()
    ]
    ((target, body),) = layers[0].items()
    alone = len(layers) == 1 and not {"repeat", "from"} & set(body)
    if not variables:
        return {target: {"repeat": len(rounds), **body}} if alone else {"repeat": len(rounds), "layers": layers}
    if list(variables) == [index]:
        counts = variables[index]
        base, rest = body.get("name", "").removesuffix(f"${index}"), {k: v for k, v in body.items() if k != "name"}
        if alone and base and "$" not in f"{base}{rest}" and counts == range(1, len(rounds) + 1):
            return {target: {"name": base, "repeat": len(rounds), **rest}}
        return {"for": index, "in": len(rounds) if counts == range(len(rounds)) else str(counts), "layers": layers}
    if len(variables) == 1:
        ((name, values),) = variables.items()
        return {"for": name, "in": values, "layers": layers}
    rows = [list(row) for row in zip(*variables.values(), strict=True)]
    return {"for": list(variables), "in": rows, "layers": layers}
