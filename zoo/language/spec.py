"""A spec: what a file says, checked, with the place of each word; it may hold ranges until values fill them.

In come bytes or a mapping, and changes (`--set`); out come a `Spec` and every problem found. The body's items are
checked where they are unfolded (`network.py`), with the same places.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from zoo.errors import Mark, Problem, listed, nearest
from zoo.language import catalogue, parsing, ranges
from zoo.language.families import CODED, FACTS, FAMILIES, KINDS, LIKELIHOODS
from zoo.language.parsing import Marks, Path, written
from zoo.language.ranges import Filled, Range

DEFAULT_L2, DEFAULT_DROPOUT = 0.001, 0.5
"""Lambda and p of a spec that states neither."""

TRAIN: dict[str, Any] = {"optimizer": {"Adam": {"learning_rate": 0.001}}, "batch_size": 32, "epochs": 20}
"""How a spec is trained that does not say."""

BODY = ("layers", "encoder", "latent", "decoder", "head")
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

Test = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(_TOKEN.fullmatch(value))


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_items(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_rate(value: Any) -> bool:
    """Whether a value can be p: a number, 0 <= p < 1."""
    return _is_number(value) and 0 <= value < 1


def is_lambda(value: Any) -> bool:
    """Whether a value can be lambda: a number, 0 or above."""
    return _is_number(value) and value >= 0


FIELDS: dict[str, tuple[Test, str]] = {
    "spec": (lambda value: type(value) is int and value == 1, "1, the version of the language"),
    "name": (_is_name, "a name of letters, digits, `_`, `-` and `.`"),
    "family": (lambda value: value in FAMILIES, f"one of {listed(FAMILIES)}"),
    "task": (lambda value: value in FACTS, f"one of {listed(FACTS)}"),
    "summary": (_is_text, "a sentence"),
    "reference": (_is_text, "where the network was published"),
    "parameters": (_is_count, "the number of parameters at the defaults"),
    "classes": (_is_count, "a whole number above 0"),
    "targets": (_is_count, "a whole number above 0"),
    "horizon": (_is_count, "a whole number above 0"),
    "features": (_is_count, "a whole number above 0"),
    "input": (lambda value: isinstance(value, dict), "a mapping such as {shape: [28, 28, 1]}"),
    "l2": (is_lambda, "a number of 0 or above, or a range"),
    "dropout": (is_rate, "a number of at least 0 and below 1, or a range"),
    "layers": (_is_items, "a list of layers"),
    "encoder": (_is_items, "a list of layers"),
    "latent": (lambda value: isinstance(value, (dict, str)), "one item, such as Gaussian: {units: 20}"),
    "decoder": (_is_items, "a list of layers"),
    "likelihood": (lambda value: value in LIKELIHOODS, f"one of {listed(LIKELIHOODS)}"),
    "head": (_is_items, "a list of layers"),
    "train": (lambda value: isinstance(value, dict), "a mapping with optimizer, batch_size or epochs"),
}
"""The keys of a spec, what each accepts, and how that is said."""

INPUT: dict[str, tuple[Test, str]] = {
    "shape": (
        lambda value: isinstance(value, list) and 1 <= len(value) <= 3 and all(n is None or _is_count(n) for n in value),
        "a list of one to three sizes without the batch, such as [28, 28, 1]",
    ),
    "kind": (lambda value: value in KINDS.values(), f"one of {listed(sorted(KINDS.values()))}"),
}

TRAINING: dict[str, tuple[Test, str]] = {
    "optimizer": (lambda value: isinstance(value, (str, dict)), "an optimizer, such as Adam: {learning_rate: 1e-3}"),
    "batch_size": (_is_count, "a whole number above 0"),
    "epochs": (_is_count, "a whole number above 0"),
}

LATER = ("extends", "variants", "let", "defaults", "blocks", "prepare", "inputs", "outputs", "heads", "penalties")
"""Words that the language keeps for what is to come."""


@dataclass(frozen=True)
class Spec:
    """What a spec file says, checked; ranges stand in it as `Range` objects until `fill` puts values there."""

    data: Mapping[str, Any]
    marks: Marks
    source: str

    @property
    def name(self) -> str:
        """The spec's own name."""
        return str(self.data["name"])

    @property
    def family(self) -> str:
        """The family it belongs to: cnn, rnn, ae, vae or mlp."""
        return str(self.data["family"])

    @property
    def task(self) -> str:
        """What the network is for: what the spec states, else what its family is for."""
        return str(self.data.get("task") or FAMILIES[self.family].task)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The input's shape without the batch."""
        return tuple(self.data["input"]["shape"])

    @property
    def kind(self) -> str:
        """What the input is: image, sequence or table."""
        return str(self.data["input"].get("kind") or KINDS[len(self.shape)])

    @property
    def coded(self) -> bool:
        """Whether the body is an encoder, a latent and a decoder."""
        return FAMILIES[self.family].body == CODED

    @property
    def likelihood(self) -> str:
        """How an autoencoder's output is read: gaussian unless the spec says bernoulli."""
        return str(self.data.get("likelihood", "gaussian"))

    @property
    def train(self) -> dict[str, Any]:
        """How it is trained: optimizer, batch_size and epochs, defaults included."""
        return {**TRAIN, **self.data.get("train", {})}

    @property
    def facts(self) -> dict[str, int]:
        """What the head must know: classes, targets, horizon and features, as far as stated."""
        known = {"targets": 1, "features": 1}
        stated = ("classes", "targets", "horizon", "features")
        return known | {key: self.data[key] for key in stated if key in self.data}

    def ranges(self) -> dict[str, Range]:
        """Every range by its name, which is its path, shortened: `l2`, `dropout`, `fc1.units`."""
        return {name: found for name, found, _ in _ranges(self.data, ())}

    def fill(self, values: Mapping[str, Any] | None = None) -> Spec:
        """A spec without ranges: each is replaced by its value, or by its default where `values` has none."""
        values = values or {}
        data = _replaced(self.data, (), lambda name, found: values.get(name, found.default))
        return replace(self, data=data)

    def adapted(self, **facts: Any) -> Spec:
        """The spec with facts that data brought: shape, classes, targets, horizon, features, task, or ranges."""
        data = dict(self.data)
        if "shape" in facts:
            data["input"] = {**data["input"], "shape": list(facts.pop("shape"))}
        return replace(self, data={**data, **facts})

    def written(self) -> dict[str, Any]:
        """The spec as plain values, ranges as mappings; what YAML and JSON hold."""
        return _plain(self.data)  # type: ignore[no-any-return]

    def dump(self) -> str:
        """The spec as YAML text that parses back to the same spec."""
        return yaml.dump(self.written(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)

    def identity(self) -> str:
        """A hash of what the spec says; comments, order of keys and prose do not count."""
        prose = ("summary", "reference", "parameters")
        said = {key: value for key, value in self.written().items() if key not in prose}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def problem(self, path: Path, wrong: str, expected: str = "", hint: str = "") -> Problem:
        """A problem at a path of this spec, with the place where that path was written."""
        return _problem(self.marks, path, wrong, expected, hint)


def read(content: bytes | Mapping[str, Any], file: str, changes: Mapping[str, Any]) -> tuple[Spec | None, list[Problem]]:
    """Read a spec from the bytes of a file or from a mapping, with changes by dotted path (`train.epochs`).

    Returns the spec, or None where what is there cannot be used at all, and the problems found so far.
    """
    if isinstance(content, bytes):
        data, marks, problems = parsing.parse(content, file)
        if data is None and problems:
            return None, problems
    else:
        data, marks, problems = copy.deepcopy(dict(content)), {(): Mark(file, 0, 0)}, []
    if not isinstance(data, dict):
        return None, [*problems, Problem("no mapping", "a spec such as `spec: 1`, `name: ...`", mark=marks.get(()))]
    for path, value in changes.items():
        problems += _change(data, marks, tuple(path.split(".")), copy.deepcopy(value))
    data, found = _with_ranges(data, marks)
    problems += found
    wrong = _check(data, marks)
    usable = all(key in data for key in ("name", "family", "input")) and not any(_fatal(one) for one in wrong)
    return (Spec(data, marks, file) if usable else None), problems + wrong


def _fatal(problem: Problem) -> bool:
    """Whether the body cannot be looked at while this problem stands."""
    return problem.path in ("name", "family", "input", "input.shape", "input.kind", "task", *BODY) or not problem.path


def _problem(marks: Marks, path: Path, wrong: str, expected: str = "", hint: str = "") -> Problem:
    place = next((marks[path[:end]] for end in range(len(path), -1, -1) if path[:end] in marks), None)
    return Problem(wrong, expected, hint, written(path), place)


def _change(data: dict[str, Any], marks: Marks, path: tuple[str, ...], value: Any) -> list[Problem]:
    """Merge one `--set` into the spec: mappings merge, everything else replaces, null removes."""
    place = Mark("--set", 0, 0)
    at: Any = data
    for depth, key in enumerate(path[:-1]):
        if isinstance(at.get(key), dict) and not ranges.looks_like(at[key]):
            at = at[key]
        elif key in at or key not in FIELDS:
            return [Problem(f"`{key}` holds no `{path[depth + 1]}`", "a path through mappings", "", ".".join(path), place)]
        else:
            at[key] = {}
            at = at[key]
    for longer in [known for known in marks if known[: len(path)] == path]:
        del marks[longer]
    marks[path] = place
    old = at.get(path[-1])
    if value is None:
        at.pop(path[-1], None)
    elif isinstance(value, dict) and isinstance(old, dict) and set(value) == set(old) and not ranges.looks_like(value):
        at[path[-1]] = _merged(old, value)
    else:
        at[path[-1]] = value
    return []


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    both = {key: _merged(old[key], new[key]) for key in new if isinstance(old.get(key), dict) and isinstance(new[key], dict)}
    return {**old, **new, **both}


def _with_ranges(data: dict[str, Any], marks: Marks) -> tuple[dict[str, Any], list[Problem]]:
    """The data with each mapping that stands for a range read as one."""
    problems: list[Problem] = []

    def convert(value: Any, path: Path) -> Any:
        if ranges.looks_like(value):
            found, wrong = ranges.read(value)
            problems.extend(_problem(marks, (*path, key) if key else path, says, meant) for key, says, meant in wrong)
            # A broken range stands in as its default alone, so that whatever else is wrong is found too.
            return found if found is not None and not wrong else Range(value.get("default"), (value.get("default"),))
        if isinstance(value, dict):
            return {key: arguments(inner, (*path, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [convert(inner, (*path, index)) for index, inner in enumerate(value)]
        return value

    def arguments(value: Any, path: Path) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: convert(inner, (*path, key)) for key, inner in value.items()}

    result = dict(data)
    for key in ("l2", "dropout"):
        if key in result:
            result[key] = convert(result[key], (key,))
    for key in BODY:
        if key in result:
            result[key] = convert(result[key], (key,)) if isinstance(result[key], (list, dict)) else result[key]
    result["train"] = arguments(result["train"], ("train",)) if "train" in result else {}
    if not result["train"]:
        result.pop("train")
    return result, problems


def _check(data: dict[str, Any], marks: Marks) -> list[Problem]:
    problems: list[Problem] = []
    for key in ("spec", "name", "family", "input"):
        if key not in data:
            problems.append(_problem(marks, (), f"`{key}` is missing", FIELDS[key][1]))
    problems += _keys(data, FIELDS, (), marks, "a spec")
    if isinstance(data.get("input"), dict):
        problems += _keys(data["input"], INPUT, ("input",), marks, "`input`")
        shape = data["input"].get("shape")
        if "shape" not in data["input"]:
            problems.append(_problem(marks, ("input",), "`shape` is missing", INPUT["shape"][1]))
        elif isinstance(shape, list) and "kind" in data["input"] and KINDS.get(len(shape)) != data["input"]["kind"]:
            wanted = {kind: rank for rank, kind in KINDS.items()}.get(str(data["input"]["kind"]))
            expected = f"a shape of {wanted} sizes"
            problems.append(_problem(marks, ("input", "kind"), f"not the kind of a shape of {len(shape)} sizes", expected))
    if isinstance(data.get("train"), dict):
        problems += _keys(data["train"], TRAINING, ("train",), marks, "`train`")
        problems += _optimizer(data["train"].get("optimizer"), marks)
    problems += _body(data, marks)
    return problems


def _keys(
    data: dict[str, Any], fields: dict[str, tuple[Test, str]], path: Path, marks: Marks, what: str
) -> Iterator[Problem]:
    for key, value in data.items():
        here = (*path, key)
        if key in LATER and not path:
            yield _problem(marks, here, f"`{key}` is kept for a later version of the language", f"one of {listed(fields, 30)}")
        elif key not in fields:
            yield _problem(marks, here, "no such key", f"a key of {what}: {listed(fields, 30)}", nearest(key, fields))
        elif isinstance(value, Range):
            chosen = [value.default, *value.values, value.min_value, value.max_value]
            if not all(fields[key][0](one) for one in chosen if one is not None):
                yield _problem(marks, here, "the range holds what the key does not accept", fields[key][1])
        elif not fields[key][0](value):
            close = nearest(value, re.findall(r"[a-z]\w+", fields[key][1])) if isinstance(value, str) else ""
            yield _problem(marks, here, f"{_short(value)} is not accepted", fields[key][1], close)


def _optimizer(value: Any, marks: Marks) -> Iterator[Problem]:
    if isinstance(value, dict) and len(value) != 1:
        yield _problem(marks, ("train", "optimizer"), "no named object", "one name, such as Adam: {learning_rate: 1e-3}")
    elif value is not None and isinstance(value, (str, dict)):
        yield from named(value, "optimizers", ("train", "optimizer"), marks)


def named(value: Any, module: str, path: Path, marks: Marks) -> Iterator[Problem]:
    """The problems of a named object `{Name: {arguments}}`, or of a name alone, looked up in its Keras module."""
    name, arguments = (value, {}) if isinstance(value, str) else next(iter(value.items()))
    here = path if isinstance(value, str) else (*path, name)
    found = catalogue.entry(module, name)
    if isinstance(found, tuple):
        yield _problem(marks, here, *found)
        return
    if not isinstance(arguments, dict):
        if arguments is not None or found["required"]:
            yield _problem(marks, here, "its arguments are no mapping", f"{name}: {{argument: value}}")
        return
    for key, inner in arguments.items():
        if key not in found["arguments"]:
            expected = f"one of {listed(found['arguments'])}"
            yield _problem(marks, (*here, key), "no such argument", expected, nearest(key, found["arguments"]))
        elif isinstance(inner, dict) and catalogue.module_of(key):
            yield from named(inner, catalogue.module_of(key), (*here, key), marks)
    for key in found["required"]:
        if key not in arguments:
            yield _problem(marks, here, f"`{key}` is missing", f"a value for each of {listed(found['required'])}")


def _body(data: dict[str, Any], marks: Marks) -> Iterator[Problem]:
    family = FAMILIES.get(data["family"]) if isinstance(data.get("family"), str) else None
    if family is None:
        return
    other = CODED if family.body != CODED else ("layers",)
    for key in (*family.body,):
        if key not in data:
            yield _problem(marks, (), f"`{key}` is missing", f"the body of a {family.label}: {listed(family.body)}")
    for key in other + (("likelihood",) if family.body != CODED else ()):
        if key in data:
            yield _problem(marks, (key,), f"a {family.label} has no `{key}`", f"its body: {listed(family.body)}")
    for key in ("classes", "targets", "horizon", "features"):
        if key in data and "task" in data and key not in FACTS.get(data["task"], (key,)):
            yield _problem(marks, (key,), f"nothing reads it under `task: {data['task']}`", "every key to be read")


def _ranges(value: Any, path: Path) -> Iterator[tuple[str, Range, Path]]:
    if isinstance(value, Range):
        yield _range_name(path), value, path
    elif isinstance(value, Mapping):
        name = value.get("name")
        for key, inner in value.items():
            named_here = isinstance(name, str) and len(path) > 2
            yield from _ranges(inner, (f"{name}", key) if named_here else (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _ranges(inner, (*path, index))


def _range_name(path: Path) -> str:
    return "learning_rate" if path[:2] == ("train", "optimizer") and path[3:] == ("learning_rate",) else written(path)


def _replaced(value: Any, path: Path, choose: Callable[[str, Range], Any]) -> Any:
    if isinstance(value, Range):
        name = _range_name(path)
        chosen = choose(name, value)
        continuous = not value.values and not value.whole
        return Filled(chosen, name) if isinstance(chosen, float) or (continuous and _is_number(chosen)) else chosen
    if isinstance(value, Mapping):
        name = value.get("name")
        named_here = isinstance(name, str) and len(path) > 2
        return {key: _replaced(one, (f"{name}", key) if named_here else (*path, key), choose) for key, one in value.items()}
    if isinstance(value, list):
        return [_replaced(one, (*path, index), choose) for index, one in enumerate(value)]
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Range):
        return value.written()
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return float(value) if isinstance(value, float) else value


def _short(value: Any) -> str:
    text = json.dumps(_plain(value), ensure_ascii=False)
    return f"`{text if len(text) < 40 else text[:37] + '...'}`"


class _Dumper(yaml.SafeDumper):
    """Block style outside, flow style for what fits on a line, as the specs are written by hand."""


def _flow_where_short(dumper: yaml.SafeDumper, value: Any) -> yaml.Node:
    short = len(json.dumps(value)) < 100 and "layers" not in value and "encoder" not in value
    if isinstance(value, dict):
        return dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=short)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=short and not _holds_mapping(value))


def _holds_mapping(value: list[Any]) -> bool:
    return any(isinstance(inner, dict) for inner in value)


def _number(dumper: yaml.SafeDumper, value: float) -> yaml.Node:
    text = repr(value)
    return dumper.represent_scalar("tag:yaml.org,2002:float", text if "." in text else text.replace("e", ".0e"))


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    same = parsing.parse(value.encode(), "")[::2] == (value, [])
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if same else '"')


_Dumper.add_representer(dict, _flow_where_short)
_Dumper.add_representer(list, _flow_where_short)
_Dumper.add_representer(float, _number)
_Dumper.add_representer(str, _text)
