"""A spec written flat, a line a layer, to one with `defaults`, `repeat`, blocks and loops, where that is shorter.

Every step is proposed by comparing text, and then proved: the language unfolds what was folded, and a step whose layers
differ from the flat ones in anything but an argument spelt at its default is not taken. Nothing here can be wrong then;
it can only miss something.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.language import catalogue, expressions, network, reading, writing
from zoo.language.items import BUILT_IN, GROUP
from zoo.language.network import Network, owner
from zoo.language.objects import OURS
from zoo.language.spec import NAME

Data = dict[str, Any]
Make = Callable[[], Data]

LONGEST = 200
"""The most items of a block or of one round of a loop; longer ones are not looked for."""

MOST_INPUTS = 3
"""A block on more tensors than these reads worse than its layers."""

FEWEST = 3
"""The rounds that make a loop."""

STEPPED = 4
"""The rounds from which on numbers that grow by more than 1 are believed to be counted."""

TRIED = 5
"""So many proposals of a step are proved before the step is given up."""

UNSAID = {"strides": 1, "dilation_rate": 1}
"""Defaults of convolutions that the catalogue cannot hold."""

WORDS = {"from": "source", "name": "label", "repeat": "times"}
"""What a variable is called that stands for a word of ours."""


def fold(data: Mapping[str, Any]) -> Data:
    """Fold the `layers` of a spec, given as plain data; unchanged where that makes the text no shorter.

    What comes back unfolds to the same layers, with the same names, in the same order.
    """
    flat = dict(data)
    meant = _unfolded(flat)
    if meant is None or (named := _named(flat, meant)) is None:
        return flat
    found, unnamed = named
    wanted = _meaning(meant)
    found = _best(_defaults(found), wanted) or found
    for step in (_repeats, _blocks, _loops):
        while better := _best(step(found, unnamed), wanted):
            found = better
    found = _without_names(found, unnamed)
    proved = (meant := _unfolded(found)) is not None and _meaning(meant) == wanted
    return found if proved and _lines(found) < _lines(flat) else flat


def _lines(data: Data) -> int:
    return writing.dump(data).count("\n")


def _best(proposals: Iterable[tuple[float, Make]], wanted: Any) -> Data | None:
    """The data after the proposal that gains most, among those that are proved."""
    useful = sorted((one for one in proposals if one[0] > 0), key=lambda one: -one[0])
    for _, make in useful[:TRIED]:
        made = make()
        meant = _unfolded(made)
        if meant is not None and _meaning(meant) == wanted:
            return made
    return None


# What a spec means


def _unfolded(data: Data) -> Network | None:
    spec, problems = reading.read(data, "", {})
    if spec is None or problems:
        return None
    found, problems = network.unfold(spec.fill())
    return None if problems else found


def _meaning(found: Network) -> Any:
    """All that is built from a network; an argument at its default is none."""
    nodes = [
        (
            one.name, one.layer, {k: v for k, v in one.arguments.items() if v != _usual(one.layer, k)}, one.inputs,
            one.part, one.l2, one.dropout, one.many, dict(one.call), one.outputs, one.frozen, one.reuses,
            _meaning(one.network) if one.network else None,
        )
        for one in found.nodes
    ]  # fmt: skip
    return nodes, found.inputs, found.outputs


def _usual(target: str, key: str, blocks: Mapping[str, Any] | None = None) -> Any:
    """What an argument is that is not given, as it can be spelt; None if it cannot be."""
    if blocks and target in blocks:
        return (blocks[target].get("parameters") or {}).get(key)
    if key == "from":
        return "previous"
    if key in UNSAID and "Conv" in target:
        return UNSAID[key]
    known = catalogue.catalogue()["layers"].get(target, {"arguments": {}})["arguments"]
    return "linear" if key == "activation" and key in known and known[key] is None else known.get(key)


# Items: `{target: body}`, every name given. Groups, calls of earlier layers and branches are passed over.


def _named(data: Data, meant: Network) -> tuple[Data, dict[str, set[str]]] | None:
    """The data with a name in each item, and which names, by body, its layers would have without; None if not flat."""
    blocks, unnamed = dict(data.get("blocks") or {}), dict[str, set[str]]()

    def items(body: list[Any], nodes: Iterable[network.Node], unsaid: set[str]) -> list[Any]:
        return [item(one, node, unsaid) for one, node in zip(body, nodes, strict=True)]

    def item(one: Any, node: network.Node, unsaid: set[str]) -> Any:
        target, body = (one, {}) if isinstance(one, str) else next(iter(one.items()))
        if isinstance(one, dict) and "layers" in one:
            return {**one, "layers": items(one["layers"], [node], unsaid)}
        body = {} if body is None else body
        if not isinstance(body, dict):
            raise ValueError("a lone value")
        if "name" not in body:
            unsaid.add(node.name)
        if node.network and not node.reuses and target not in unnamed:
            unnamed[target] = set()
            inner = items(blocks[target]["layers"], node.network.nodes, unnamed[target])
            blocks[target] = {**blocks[target], "layers": inner}
        return {target: {"name": node.name, **body}}

    try:
        unnamed[""] = set()
        layers = items(data["layers"], [one for one in meant.nodes if one.part == "layers"], unnamed[""])
    except (ValueError, KeyError, StopIteration):
        return None
    return _put(data, layers=layers, blocks=blocks), unnamed


def _put(data: Data, **more: Any) -> Data:
    """The data with other parts, in the order in which specs are written."""
    both = {**data, **more}
    order = [*(key for key in reading.FIELDS if key in both), *(key for key in both if key not in reading.FIELDS)]
    return {key: both[key] for key in order if both[key] or key not in ("blocks", "defaults")}


def _bodies(data: Data) -> dict[str, list[Any]]:
    """The lists of items by the block that they are of; those of the spec under an empty name."""
    return {"": data["layers"], **{name: block["layers"] for name, block in (data.get("blocks") or {}).items()}}


def _with_body(data: Data, which: str, body: list[Any]) -> Data:
    if not which:
        return _put(data, layers=body)
    return _put(data, blocks={**data["blocks"], which: {**data["blocks"][which], "layers": body}})


def _without_names(data: Data, unnamed: Mapping[str, set[str]]) -> Data:
    """The data without the names that layers would have anyway."""

    def item(one: Any, names: set[str]) -> Any:
        if "layers" in one:
            return {**one, "layers": [item(inner, names) for inner in one["layers"]]}
        target, body = next(iter(one.items()))
        body = {k: v for k, v in body.items() if k != "name" or v not in names or "repeat" in body}
        return {target: body} if body else target

    for which, body in _bodies(data).items():
        data = _with_body(data, which, [item(one, unnamed.get(which, set())) for one in body])
    return data


def _parts(item: Any) -> tuple[str, Data] | None:
    """Target and body of an item that can be folded; None for all others."""
    if not isinstance(item, dict) or "layers" in item or "reuse" in item:
        return None
    target, body = next(iter(item.items()))
    given = body.get("from")
    branched = isinstance(given, list) and not all(isinstance(one, str) for one in given)
    return None if branched or {"if", "else"} & set(body) else (target, body)


def _names(item: Any) -> list[str]:
    """The tensors that an item makes, the one that it leaves behind last."""
    if "layers" in item:
        return [] if {"for", "repeat"} & set(item) else [name for one in item["layers"] for name in _names(one)]
    (body,) = item.values()
    if "name" not in body:
        return []
    repeat = body.get("repeat")
    return [body["name"]] if repeat is None else [f"{body['name']}{index + 1}" for index in range(repeat)]


def _mapped(source: Any, how: Callable[[str], Any]) -> Any:
    """What `from` says with each tensor changed."""
    if isinstance(source, dict):
        return {key: _mapped(one, how) for key, one in source.items()}
    if isinstance(source, list):
        return [_mapped(one, how) for one in source]
    return how(source) if isinstance(source, str) else source


def _read(items: Iterable[Any]) -> Iterator[str]:
    """The tensors and layers that items name."""
    found: list[str] = []
    for one in items:
        if isinstance(one, dict):
            for key, body in one.items():
                if key == "layers":
                    found += _read(body)
                elif key == "from":
                    _mapped(body, found.append)
                elif isinstance(body, dict):
                    _mapped(body.get("from"), found.append)
                    found += [body["layer"]] if key == "reuse" else []
    yield from map(owner, found)


def _high(item: Any) -> int:
    """How many lines an item is written in, nearly."""
    if not isinstance(item, dict):
        return 1
    if "layers" not in item:
        (body,) = item.values()
        return 1 if len(json.dumps(body)) < 100 else 1 + len(body)
    rows = item.get("in")
    long = isinstance(rows, list) and len(json.dumps(rows)) >= 100
    return len(item) + (len(rows) if long and rows else 0) + sum(map(_high, item["layers"]))


# Several values to one text with variables


@dataclass(frozen=True)
class _Variable:
    """A place in a text that differs; `column` counts them."""

    column: int


@dataclass
class _Columns:
    """What differs between texts that are otherwise one: a column of values for each place, equal columns once.

    `closed`: the text will stand in a block of its own, where the names of the body that it comes from are unknown.
    """

    blocks: Mapping[str, Any]
    closed: bool = False
    keys: list[str] = field(default_factory=list)
    values: list[list[Any]] = field(default_factory=list)

    def one(self, key: str, values: list[Any]) -> Any:
        """The value that stands for several: itself, a mapping with variables in it, or a variable."""
        first = values[0]
        if all(json.dumps(one) == json.dumps(first) for one in values) and not (
            self.closed and expressions.holds(first)
        ):
            return first
        if all(isinstance(one, dict) and list(one) == list(first) for one in values):
            return {inner: self.one(inner, [one[inner] for one in values]) for inner in first}
        if isinstance(first, list) and all(isinstance(one, list) and len(one) == len(first) for one in values):
            places = [list(ones) for ones in zip(*values, strict=True)]
            if key == "from" or sum(any(one != ones[0] for one in ones) for ones in places) == 1:
                return [self.one(key, ones) for ones in places]
        if key == "from" and not all(isinstance(one, str) for one in values):
            raise ValueError("one tensor beside several")
        if values not in self.values:
            self.keys.append(key)
            self.values.append(values)
        return _Variable(self.values.index(values))

    def item(self, items: list[Any]) -> Any:
        """The item that stands for several of one target. Raises `ValueError` if none can."""
        target, bodies = next(iter(items[0])), [next(iter(one.values())) for one in items]
        keys = list(dict.fromkeys(key for body in bodies for key in body))
        made = {}
        for key in sorted(keys, key=lambda key: (key != "name", key != "from")):
            values = [body.get(key, _usual(target, key, self.blocks)) for body in bodies]
            if None in values and not all(key in body for body in bodies):
                raise ValueError("an argument that cannot be spelt")
            made[key] = self.one(key, values)
        return {target: {key: value for key, value in made.items() if (key, value) != ("from", "previous")}}


def _spelt(value: Any, texts: list[str]) -> Any:
    """A value with its variables written."""
    if isinstance(value, _Variable):
        return texts[value.column]
    if isinstance(value, dict):
        return {key: _spelt(one, texts) for key, one in value.items()}
    return [_spelt(one, texts) for one in value] if isinstance(value, list) else value


def _free_name(key: str, taken: set[str]) -> str:
    """A name for a variable, taken from then on."""
    base = WORDS.get(key, key)
    for number in itertools.count(1):
        name = base if number == 1 else f"{base}_{number}"
        if name not in {*taken, *BUILT_IN, *OURS, *expressions.FUNCTIONS}:
            taken.add(name)
            return name
    raise AssertionError


def _shape(item: Any, blocks: Mapping[str, Any], tensors: bool) -> str:
    """What items must share to be one with variables: the target, and the arguments that must be given."""
    parts = _parts(item)
    if parts is None:
        return ""
    target, body = parts
    keys = sorted(key for key in body if _usual(target, key, blocks) is None)
    source = body.get("from", "previous")
    kind = source if tensors else sorted(source) if isinstance(source, dict) else _mapped(source, lambda _: "")
    return json.dumps([target, keys, kind, body.get("name") if tensors else ""])


# Arguments that all layers of a class have in common


def _defaults(data: Data) -> Iterator[tuple[float, Make]]:
    """`defaults` for all classes at once."""
    bodies: dict[str, list[Data]] = defaultdict(list)
    inside: set[str] = set()

    def look(items: Iterable[Any]) -> None:
        for one in items:
            if isinstance(one, dict) and "layers" in one:
                look(one["layers"])
            elif isinstance(one, dict) and "reuse" not in one:
                target, body = next(iter(one.items()))
                bodies[target].append(body or {})
                inside.update(re.findall(r'"([A-Z]\w*)"', json.dumps(body)))
            elif isinstance(one, str):
                bodies[one].append({})

    for items in (*_bodies(data).values(), data.get("head") or []):
        look(items)
    common: dict[str, Data] = {}
    for target, ones in bodies.items():
        words = {"name", "from", "frozen", "repeat"}
        for key, value in ones[0].items() if target[:1].isupper() and target not in inside and len(ones) > 2 else ():
            if key not in words and not expressions.holds(value) and all(one.get(key, one) == value for one in ones):
                common.setdefault(target, {})[key] = value
    gain = sum((len(bodies[target]) - 2) * len(json.dumps(given)) for target, given in common.items())

    def item(one: Any) -> Any:
        if isinstance(one, str) or "reuse" in one:
            return one
        if "layers" in one:
            return {**one, "layers": [item(inner) for inner in one["layers"]]}
        target, body = next(iter(one.items()))
        return {target: {key: value for key, value in (body or {}).items() if key not in common.get(target, {})}}

    def make() -> Data:
        made = _put(data, defaults=common)
        for which, items in _bodies(data).items():
            made = _with_body(made, which, [item(one) for one in items])
        head = [
            next(iter(one)) if one in ({key: {}} for key in one) else one for one in map(item, data.get("head", []))
        ]
        return _put(made, head=head) if "head" in data else made

    yield gain, make


# One item several times


def _repeats(data: Data, unnamed: Mapping[str, set[str]]) -> Iterator[tuple[float, Make]]:
    """`repeat` for equal items in a row whose names are counted from 1, or are those that they have anyway."""
    blocks = data.get("blocks") or {}
    for which, body in _bodies(data).items():
        at = 0
        while at < len(body):
            end = at + 1
            while end < len(body) and (made := _repeated(body[at : end + 1], unnamed.get(which, set()), blocks)):
                end += 1
            if end - at > 1 and (made := _repeated(body[at:end], unnamed.get(which, set()), blocks)):
                changed = [*body[:at], made, *body[end:]]
                yield end - at - 1, lambda which=which, changed=changed: _with_body(data, which, changed)
            at = end


def _repeated(items: list[Any], unnamed: set[str], blocks: Mapping[str, Any]) -> Any:
    """One item for several that are equal but for their names; None if there is none."""
    if any(_parts(one) is None or "repeat" in next(iter(one.values())) for one in items):
        return None
    names, plain = [one["name"] for item in items for one in item.values()], []
    for item in items:
        target, body = next(iter(item.items()))
        plain.append({target: {key: value for key, value in body.items() if key != "name"}})
    if any(one != plain[0] for one in plain) or "from" in next(iter(plain[0].values())):
        return None
    base = names[0].removesuffix("1")
    counted = bool(base) and base not in names and names == [f"{base}{index + 1}" for index in range(len(names))]
    if not counted and not unnamed.issuperset(names):
        return None
    target, body = next(iter(plain[0].items()))
    return {target: {**({"name": base} if counted else {}), "repeat": len(items), **body}}


# Layers whose names begin alike


@dataclass(frozen=True)
class _Chunk:
    """Items in a row that could be a call of a block: where they stand, what they are called, and on what."""

    which: str
    start: int
    end: int
    prefix: str
    items: list[Any]
    sources: list[str]
    last: str


def _blocks(data: Data, unnamed: Mapping[str, set[str]]) -> Iterator[tuple[float, Make]]:
    """A block for items of one shape whose names share a beginning: `conv2_block1_...`, `conv2_block2_...`."""
    blocks = data.get("blocks") or {}
    alike: dict[str, list[_Chunk]] = defaultdict(list)
    for which, body in _bodies(data).items():
        for chunk in _chunks(data, which, body):
            shapes = [_shape(one, blocks, tensors=True) for one in chunk.items]
            alike[json.dumps([shapes, len(chunk.sources)])].append(chunk)
    for chunks in alike.values():
        if len(chunks) > 1:
            proposal = _block(data, chunks)
            if proposal:
                yield proposal


def _chunks(data: Data, which: str, body: list[Any]) -> Iterator[_Chunk]:
    """Every run of items whose names begin with the same words."""
    block = (data.get("blocks") or {}).get(which, {})
    inputs = block.get("inputs", ["input"]) if which else list(data.get("inputs", ["input"]))
    outside = set(_read(data.get("head") or [])) | set(map(owner, data.get("outputs") or [])) if not which else set()
    made = [_names(one) for one in body]
    known = {name for names in made for name in names}
    uses: dict[str, set[int]] = defaultdict(set)
    for index, one in enumerate(body):
        for name in _read([one]):
            uses[name].add(index)
    kept = {one["reuse"]["layer"] for one in body if isinstance(one, dict) and "reuse" in one}
    seen: set[tuple[int, str]] = set()
    for start, names in enumerate(made):
        for cut in re.finditer("_", names[0]) if names else ():
            prefix = names[0][: cut.start()]
            fits = NAME.fullmatch(prefix) and owner(prefix) == prefix and prefix not in {*known, "previous", "input"}
            if not fits or (start - 1, prefix) in seen:
                seen.add((start, prefix))
                continue
            end = start
            while end < len(body) and made[end] and all(name.startswith(f"{prefix}_") for name in made[end]):
                seen.add((end, prefix))
                end += 1
            inside = {name for names in made[start:end] for name in names}
            last = made[end - 1][-1]
            seen_outside = {name for name in inside - {last} if name in outside or uses[name] - set(range(start, end))}
            if 2 <= end - start <= LONGEST and not seen_outside and not inside & kept:
                before = made[start - 1][-1:] or ["previous"] if start else inputs[:1]
                chunk = _chunk(body[start:end], prefix, inside, before[0])
                if chunk:
                    yield _Chunk(which, start, end, prefix, *chunk, last)


def _chunk(items: list[Any], prefix: str, inside: set[str], before: str) -> tuple[list[Any], list[str]] | None:
    """Items as they would stand in a block, and the tensors that the block would be called on."""
    if any(_parts(one) is None for one in items):
        return None
    sources: list[str] = []
    cut = len(prefix) + 1

    def tensor(name: str, first: bool) -> str:
        if owner(name) in inside:
            return name[cut:]
        if name == "previous" and not first:
            return name
        name = before if name == "previous" else name
        if name not in sources:
            sources.append(name)
        return _input_name(sources.index(name))

    made = []
    for index, one in enumerate(items):
        target, body = next(iter(one.items()))
        source = body.get("from", "previous")
        mapped = _mapped(source, lambda name, first=index == 0: tensor(name, first))
        inner = {**body, "name": body["name"][cut:], "from": mapped}
        if inner["from"] == ("input" if index == 0 else "previous"):
            del inner["from"]
        made.append({target: inner})
    names = {name for one in made for name in _names(one)}
    taken = {"previous", *map(_input_name, range(len(sources)))}
    fine = all(NAME.fullmatch(name) and owner(name) == name for name in names) and not names & taken
    return (made, sources) if fine and 0 < len(sources) <= MOST_INPUTS else None


def _input_name(index: int) -> str:
    return "input" if index == 0 else "other" if index == 1 else f"other_{index}"


def _block(data: Data, chunks: list[_Chunk]) -> tuple[float, Make] | None:
    """The proposal of one block for chunks of one shape."""
    blocks = data.get("blocks") or {}
    columns = _Columns(blocks, closed=True)
    try:
        template = [columns.item(list(ones)) for ones in zip(*(chunk.items for chunk in chunks), strict=True)]
    except ValueError:
        return None
    taken: set[str] = set()
    names = [_free_name(key, taken) for key in columns.keys]
    usual: list[Any] = []
    for values in columns.values:
        text, count = Counter(map(json.dumps, values)).most_common(1)[0]
        common = json.loads(text)
        usual.append(common if 2 * count > len(values) and not expressions.holds(common) else None)
    parameters = {name: value for name, value in zip(names, usual, strict=True) if value is None}
    parameters |= {name: value for name, value in zip(names, usual, strict=True) if value is not None}
    inputs = [_input_name(index) for index in range(len(chunks[0].sources))]
    name = _block_name(chunks[0].prefix, blocks)
    block: Data = {
        **({"parameters": parameters} if parameters else {}),
        **({"inputs": inputs} if len(inputs) > 1 else {}),
        "layers": _spelt(template, [f"${one}" for one in names]),
    }
    calls = []
    for index, chunk in enumerate(chunks):
        given = {
            key: values[index]
            for key, values, default in zip(names, columns.values, usual, strict=True)
            if values[index] != default
        }
        source = chunk.sources if len(inputs) > 1 else chunk.sources[0]
        calls.append({name: {"name": chunk.prefix, "from": source, **given}})
    before = sum(_high(one) for chunk in chunks for one in chunk.items)
    after = len(block) + (not blocks) + sum(map(_high, block["layers"])) + sum(map(_high, calls))

    def make() -> Data:
        made = _put(data, blocks={**blocks, name: block})
        for which, body in _bodies(data).items():
            renamed = {chunk.last: chunk.prefix for chunk in chunks if chunk.which == which}
            starts = {
                chunk.start: (chunk, call) for chunk, call in zip(chunks, calls, strict=True) if chunk.which == which
            }
            changed, at = list[Any](), 0
            while at < len(body):
                chunk, call = starts.get(at, (None, None))
                changed.append(body[at] if call is None else call)
                at = at + 1 if chunk is None else chunk.end
            made = _with_body(made, which, _renamed(changed, renamed))
            if not which:
                more = {key: _renamed(data[key], renamed) for key in ("head", "outputs") if key in data}
                made = _put(made, **more)
        return made

    return before - after, make


def _block_name(prefix: str, blocks: Mapping[str, Any]) -> str:
    """A name for a block after what its calls are called: `conv_block` for `conv2_block1`."""
    base = re.sub(r"[^a-z_]", "", prefix.lower())
    base = re.sub(r"_+", "_", base).strip("_") or "part"
    for number in itertools.count(1):
        name = base if number == 1 else f"{base}_{number}"
        if name not in {*blocks, *GROUP, *OURS, "let", "reuse"}:
            return name
    raise AssertionError


def _renamed(items: list[Any], names: Mapping[str, str]) -> list[Any]:
    """Items that read tensors under other names; what reads the item before it says nothing."""

    def tensor(name: str) -> str:
        base = owner(name)
        return names[base] + name[len(base) :] if base in names else name

    def item(one: Any, before: str) -> Any:
        if isinstance(one, str):
            return tensor(one)
        changed = {}
        for key, body in one.items():
            if key == "layers":
                changed[key] = _renamed(body, names)
            elif key == "from":
                changed[key] = _mapped(body, tensor)
            elif isinstance(body, dict) and "from" in body:
                source = _mapped(body["from"], tensor)
                inner = {**body, "from": source}
                if before and source == before:
                    del inner["from"]
                elif before and isinstance(source, list):
                    inner["from"] = ["previous" if one == before else one for one in source]
                changed[key] = inner
            else:
                changed[key] = body
        return changed

    made: list[Any] = []
    for one in items:
        before = (_names(made[-1])[-1:] or [""])[0] if made and isinstance(made[-1], dict) else ""
        made.append(item(one, before))
    return made


# The same again, and again


def _loops(data: Data, unnamed: Mapping[str, set[str]]) -> Iterator[tuple[float, Make]]:
    """A loop for the items of a body that come again in the same shapes, or one in a loop."""
    blocks = data.get("blocks") or {}
    for which, body in _bodies(data).items():
        taken = set((blocks[which].get("parameters") or {}) if which else ())
        names = unnamed.get(which, set())
        for gain, changed in _looped(body, names, blocks, taken):
            yield gain, lambda which=which, changed=changed: _with_body(data, which, changed)


def _looped(
    body: list[Any], unnamed: set[str], blocks: Mapping[str, Any], taken: set[str]
) -> Iterator[tuple[float, list[Any]]]:
    for index, one in enumerate(body):
        if isinstance(one, dict) and "for" in one:
            own = set(one["for"] if isinstance(one["for"], list) else [one["for"]])
            for gain, inner in _looped(one["layers"], set(), blocks, taken | own):
                yield gain, [*body[:index], {**one, "layers": inner}, *body[index + 1 :]]
    shapes = [_shape(one, blocks, tensors=False) for one in body]
    found = []
    for size in range(1, min(LONGEST, len(body) // 2) + 1):
        start = 0
        while start + size < len(body):
            end = start
            while end + size < len(body) and shapes[end] and shapes[end] == shapes[end + size]:
                end += 1
            rounds = (end - start) // size + 1
            if rounds >= FEWEST:
                spare = end + size - start - rounds * size
                found += [(size, start + shift, rounds) for shift in range(spare + 1)]
                found += [(size, start + size, rounds - 1)] if rounds > FEWEST else []
            start = max(end, start) + 1
    found.sort(key=lambda one: -one[0] * (one[2] - 1))
    best = 0
    for size, start, rounds in found:
        if size * (rounds - 1) <= best:
            break
        end = start + size * rounds
        group = _group([body[at : at + size] for at in range(start, end, size)], unnamed, blocks, taken)
        if group:
            gain = sum(map(_high, body[start:end])) - sum(map(_high, group))
            if gain > best:
                best = gain
                yield gain, [*body[:start], *group, *body[end:]]


def _group(rounds: list[list[Any]], unnamed: set[str], blocks: Mapping[str, Any], taken: set[str]) -> list[Any] | None:
    """What stands for rounds of items: a group under `for` or `repeat`, or a single item that repeats."""
    columns = _Columns(blocks)
    template = []
    for ones in zip(*rounds, strict=True):
        names = [next(iter(one.values())).get("name") for one in ones]
        if None not in names and unnamed.issuperset(names):
            ones = tuple(
                {key: {k: v for k, v in body.items() if k != "name"} for key, body in one.items()} for one in ones
            )
        try:
            template.append(columns.item(list(ones)))
        except ValueError:
            return None
    index = next(one for one in map(chr, range(ord("i"), ord("z") + 1)) if one not in taken)
    counted, taken = [_counted(values) for values in columns.values], {index, *taken}
    begins = [pieces[1][0] for pieces in counted if pieces and len(pieces) > 1 and pieces[1][1] == 1]
    begin = begins[0] if begins else 0
    names, texts = list[str](), list[str]()
    for key, pieces in zip(columns.keys, counted, strict=True):
        if pieces is None:
            names.append(_free_name(key, taken))
            texts.append(f"${names[-1]}")
        else:
            texts.append(_counting(pieces, index, begin))
    layers = _spelt(template, texts)
    rows = [values for values, pieces in zip(columns.values, counted, strict=True) if pieces is None]
    many, by_index = len(rounds), len(rows) < len(columns.values)
    if len(layers) == 1 and not rows:
        target, body = next(iter(layers[0].items()))
        base = str(body.get("name", "")).removesuffix(f"${index}")
        if not by_index and "repeat" not in body and "name" not in body:
            return [{target: {"repeat": many, **body}}]
        if base and (begin, texts) == (1, [f"{base}${index}"]) and "repeat" not in body and "$" not in base:
            return [{target: {**body, "name": base, "repeat": many}}]
    if not columns.values:
        return [{"repeat": many, "layers": layers}]
    if not rows:
        return [{"for": index, "in": many if begin == 0 else f"range({begin}, {begin + many})", "layers": layers}]
    if by_index:
        names, rows = [index, *names], [list(range(begin, begin + many)), *rows]
    if len(names) == 1:
        return [{"for": names[0], "in": rows[0], "layers": layers}]
    return [{"for": names, "in": [list(row) for row in zip(*rows, strict=True)], "layers": layers}]


def _counted(values: list[Any]) -> list[Any] | None:
    """Texts that differ in whole numbers alone, by equal steps: pieces of text, and (begin, step); None for others."""
    if not all(isinstance(one, str) and re.fullmatch(r"[A-Za-z0-9_.]+", one) for one in values):
        return None
    split = [re.split(r"(\d+)", one) for one in values]
    if len({len(one) for one in split}) > 1:
        return None
    pieces: list[Any] = [""]
    for at, ones in enumerate(zip(*split, strict=True)):
        if len(set(ones)) == 1:
            pieces = [*pieces[:-1], pieces[-1] + ones[0]] if isinstance(pieces[-1], str) else [*pieces, ones[0]]
            continue
        if at % 2 == 0 or any(str(int(one)) != one for one in ones):
            return None
        numbers = [int(one) for one in ones]
        step = numbers[1] - numbers[0]
        if step != 1 and len(values) < STEPPED:
            return None
        if numbers != [numbers[0] + step * row for row in range(len(numbers))]:
            return None
        pieces += [(numbers[0], step), ""]
    return pieces


def _counting(pieces: list[Any], index: str, begin: int) -> str:
    """The expression of counted texts: `conv$i`, `conv${2 * $i + 1}_bn`."""
    text = ""
    for at, piece in enumerate(pieces):
        if isinstance(piece, str):
            text += piece
            continue
        first, step = piece
        offset = first - step * begin
        sum_ = (f"${index}" if step == 1 else f"{step} * ${index}") + (f" + {offset}" if offset > 0 else "")
        sum_ += f" - {-offset}" if offset < 0 else ""
        free = sum_ == f"${index}" and not (pieces[at + 1] if at + 1 < len(pieces) else "")
        text += sum_ if free else f"${{{sum_}}}"
    return text
