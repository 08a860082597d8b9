"""Bytes or a mapping to a `Spec`, with changes (`--set`) and every problem found in its keys.

The body's items are checked where they are unfolded (`network.py`), with the same places.
"""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from zoo.errors import Mark, Problem, listed, nearest
from zoo.language import catalogue, objects, parsing, ranges
from zoo.language.families import FACTS, FAMILIES, KINDS, LIKELIHOODS
from zoo.language.objects import is_count, is_lambda, is_named, is_rate
from zoo.language.parsing import Marks, Path, shown, written
from zoo.language.ranges import Range
from zoo.language.spec import BODY, NAME, NAMES, STATED, TRAIN, Spec, is_told, problem_at

Test = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(NAME.fullmatch(value))


def _is_items(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and len(value) in KINDS and all(size is None or is_count(size) for size in value)


def _one_of(words: Iterable[str]) -> tuple[Test, str]:
    known = tuple(words)
    return lambda value: value in known, f"one of {listed(known)}"


_LAYERS = "a list of layers, such as [Flatten, Dense: {units: 64}]"

FIELDS: dict[str, tuple[Test, str]] = {
    "spec": (lambda value: type(value) is int and value == 1, "1, the version of the language"),
    "name": (_is_name, f"a name of {NAMES}"),
    "family": _one_of(FAMILIES),
    "task": _one_of(FACTS),
    "summary": (_is_text, "a sentence"),
    "reference": (_is_text, "where the network was published"),
    "parameters": (is_count, "the number of parameters at the defaults"),
    "classes": (is_count, objects.COUNT),
    "targets": (is_count, objects.COUNT),
    "horizon": (is_count, objects.COUNT),
    "features": (is_count, objects.COUNT),
    "input": (_is_mapping, "a mapping such as {shape: [28, 28, 1]}"),
    "l2": (is_lambda, objects.LAMBDA),
    "dropout": (is_rate, objects.RATE),
    "layers": (_is_items, _LAYERS),
    "encoder": (_is_items, _LAYERS),
    "latent": (lambda value: isinstance(value, (dict, str)), "one layer, such as Dense: {units: 32}"),
    "decoder": (_is_items, _LAYERS),
    "likelihood": _one_of(LIKELIHOODS),
    "head": (_is_items, _LAYERS),
    "train": (_is_mapping, "a mapping with any of optimizer, batch_size and epochs"),
}
"""The keys of a spec, what each accepts, and how that is said."""

INPUT: dict[str, tuple[Test, str]] = {
    "shape": (_is_shape, "one to three whole numbers above 0, without the batch, such as [28, 28, 1]"),
    "kind": _one_of(KINDS.values()),
}

TRAINING: dict[str, tuple[Test, str]] = {
    "optimizer": (lambda value: isinstance(value, (str, dict)), "an optimizer, such as Adam: {learning_rate: 1e-3}"),
    "batch_size": (is_count, objects.COUNT),
    "epochs": (is_count, objects.COUNT),
}

REQUIRED = ("spec", "name", "family", "input")

LATER = ("extends", "variants", "let", "defaults", "blocks", "prepare", "inputs", "outputs", "heads", "penalties")
"""Words that the language keeps for what is to come."""

CHANGE = "--set"
"""The place of what a change brought in."""

MOST = 100
"""So many problems of a spec's keys are said."""

_INSIDE = {"train": TRAINING, "input": INPUT}


def read(
    content: bytes | Mapping[str, Any], file: str, changes: Mapping[str, Any]
) -> tuple[Spec | None, list[Problem]]:
    """Read a spec from the bytes of a file or from a mapping, with changes by dotted path (`train.epochs`).

    Returns the spec, or None where what is there cannot be used at all, and the problems found so far.
    """
    if isinstance(content, bytes):
        data, marks, problems = parsing.parse(content, file)
    else:
        data, marks, problems = parsing.copied(content, file)
    if not isinstance(data, dict):
        expected = "a mapping that begins with `spec: 1`"
        return None, problems or [Problem(f"{shown(data)} is no spec", expected, mark=marks.get(()))]
    for path, value in changes.items():
        where = tuple(path.split("."))
        plain, _, wrong = parsing.copied(value, CHANGE, where)
        problems += wrong + _change(data, marks, where, plain)
    data, wrong, spoilt = _with_ranges(data, marks)
    problems += wrong
    told = _paths(problems) | spoilt
    for one in itertools.islice(_check(data, marks), MOST):
        if not is_told(one.path, told):
            problems.append(one)
            told |= _paths([one])
    return (Spec(data, marks, file, frozenset(told)) if _can_unfold(data) else None), problems


def _can_unfold(data: dict[str, Any]) -> bool:
    """Whether the body can be looked at, whatever else is wrong."""
    if not all(_accepts(FIELDS, data, key) for key in ("family", "input", "task", "likelihood", *BODY)):
        return False
    needed = ("input", *FAMILIES[data["family"]].body) if "family" in data else ("family",)
    return all(key in data for key in needed) and all(_accepts(INPUT, data["input"], key) for key in INPUT)


def _accepts(fields: dict[str, tuple[Test, str]], data: dict[str, Any], key: str) -> bool:
    return fields[key][0](data[key]) if key in data else key != "shape"


def _paths(problems: Iterable[Problem]) -> set[str]:
    """The paths of problems; of an element of a value, the value's as well."""
    paths = {one.path for one in problems if one.path}
    return paths | {re.sub(r"(\[\d+\])+$", "", path) for path in paths} - set(BODY)


# Changes


def _change(data: dict[str, Any], marks: Marks, path: tuple[str, ...], value: Any) -> list[Problem]:
    """Merge one `--set` into the spec."""
    place = Mark(CHANGE, 0, 0)
    at: dict[str, Any] = data
    unsaid: dict[str, Any] = {"train": TRAIN, "input": {}}
    for depth, key in enumerate(path[:-1], 1):
        if key not in at and key in unsaid:
            at[key] = copy.deepcopy(unsaid[key])
        here = ".".join(path[:depth])
        if key not in at and at is data and key in FIELDS:
            return [Problem(f"this spec has no `{key}`", f"{here}=VALUE", "", ".".join(path), place)]
        if key not in at:
            known = FIELDS if at is data else at
            return [Problem("no such key", f"one of {listed(known, 30)}", nearest(key, known), here, place)]
        if not isinstance(at[key], dict) or ranges.looks_like(at[key]):
            what = "a range, which is changed as a whole" if ranges.looks_like(at[key]) else "no mapping"
            return [Problem(f"`{here}` is {what}", f"{here}=VALUE", "", ".".join(path), place)]
        inner = unsaid.get(key)
        at, unsaid = at[key], inner if isinstance(inner, dict) else {}
    for longer in [known for known in marks if known[: len(path)] == path]:
        del marks[longer]
    marks[path] = place
    if value is None:
        at.pop(path[-1], None)
    else:
        at[path[-1]] = _merged(at.get(path[-1]), value)
    return []


def _merged(old: Any, new: Any) -> Any:
    """Mappings merge deep, null removes, everything else replaces; so do ranges, and objects of another name."""
    if not isinstance(old, dict) or not isinstance(new, dict) or ranges.looks_like(old) or ranges.looks_like(new):
        return new
    if is_named(old) and is_named(new) and old.keys() != new.keys():
        return new
    both = {**old, **{key: _merged(old.get(key), value) for key, value in new.items()}}
    return {key: value for key, value in both.items() if value is not None or new.get(key, 0) is not None}


# Ranges


def _with_ranges(data: dict[str, Any], marks: Marks) -> tuple[dict[str, Any], list[Problem], set[str]]:
    """The data with each mapping that stands in the place of a value and is meant as a range read as one.

    Also what is wrong with them, and the paths of those that could not be read; their defaults stand there.
    """
    problems: list[Problem] = []
    spoilt: set[str] = set()

    def convert(value: Any, path: Path) -> Any:
        if ranges.looks_like(value):
            found, wrong = ranges.read(value)
            problems.extend(problem_at(marks, (*path, key) if key else path, says, meant) for key, says, meant in wrong)
            if path[-1] in ("name", "from"):
                problems.append(problem_at(marks, path, "a range cannot stand here", "a name"))
            elif found is not None:
                problems.extend(_out_of_place(found, path, marks))
            if found is None:
                spoilt.add(written(path))
                return value.get("default")
            return found
        if isinstance(value, dict):
            return {key: arguments(inner, (*path, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [convert(inner, (*path, index)) for index, inner in enumerate(value)]
        return value

    def arguments(value: Any, path: Path) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: convert(inner, (*path, key)) for key, inner in value.items()}

    def item(value: Any, path: Path) -> Any:
        return {key: arguments(one, (*path, key)) for key, one in value.items()} if isinstance(value, dict) else value

    result = dict(data)
    for name in ("l2", "dropout"):
        if name in result:
            result[name] = convert(result[name], (name,))
    for part in BODY:
        body = result.get(part)
        if isinstance(body, list):
            result[part] = [item(one, (part, index)) for index, one in enumerate(body)]
        elif part in result:
            result[part] = item(body, (part,))
    if result.get("train") == {}:
        del result["train"]
    elif "train" in result:
        result["train"] = arguments(result["train"], ("train",))
    return result, problems, spoilt


def _out_of_place(found: Range, path: Path, marks: Marks) -> Iterator[Problem]:
    """What is wrong with a range that holds what the argument at its path does not accept."""
    words = [part for part in path if isinstance(part, str)]
    if len(words) < 3:
        return
    before, owner, key = words[-3:]
    module = "layers" if before in BODY else catalogue.module_of(before)
    entry = objects.GAUSSIAN if owner == "Gaussian" else catalogue.catalogue().get(module, {}).get(owner)
    if entry and key in (*entry["arguments"], "l2"):
        for one in found.held():
            refused = objects.refusal(owner, key, one, entry)
            if refused:
                yield problem_at(marks, path, f"the range holds {shown(one)}", *refused[1:])
                return


# What each key accepts


def _check(data: dict[str, Any], marks: Marks) -> Iterator[Problem]:
    meant = _meant(data, FIELDS)
    for key in REQUIRED:
        if key not in data and key not in meant:
            yield problem_at(marks, (), f"`{key}` is missing", FIELDS[key][1])
    yield from _keys(data, FIELDS, (), marks, "a spec")
    if isinstance(data.get("input"), dict):
        yield from _input(data["input"], marks)
    if isinstance(data.get("train"), dict):
        yield from _keys(data["train"], TRAINING, ("train",), marks, "`train`")
        chosen = data["train"].get("optimizer")
        for one in chosen.values if isinstance(chosen, Range) else [chosen]:
            if isinstance(one, (str, dict)):
                for path, wrong, expected, hint in objects.named(one, "optimizers", ("train", "optimizer")):
                    yield problem_at(marks, path, wrong, expected, hint)
    if isinstance(data.get("family"), str) and data["family"] in FAMILIES:
        yield from _family(data, marks, meant)


def _keys(
    data: dict[str, Any], fields: dict[str, tuple[Test, str]], path: Path, marks: Marks, what: str
) -> Iterator[Problem]:
    for key, value in data.items():
        here = (*path, key)
        if key in LATER and not path:
            yield problem_at(marks, here, f"`{key}` is kept for a later version of the language", "a spec without it")
        elif key not in fields:
            inside = {inner: f"{outer}.{inner}" for outer, keys in _INSIDE.items() for inner in keys if not path}
            close = inside.get(key) or nearest(key, fields)
            yield problem_at(marks, here, "no such key", f"a key of {what}: {listed(fields, 30)}", close)
        elif isinstance(value, Range):
            refused = next((one for one in value.held() if not fields[key][0](one)), value)
            if refused is not value:
                yield problem_at(marks, here, f"the range holds {shown(refused)}", fields[key][1])
        elif not fields[key][0](value):
            expected = fields[key][1]
            words = expected.removeprefix("one of ").split(", ") if expected.startswith("one of ") else []
            yield problem_at(marks, here, f"{shown(value)} is not accepted", expected, nearest(value, words))


def _meant(data: dict[str, Any], fields: dict[str, tuple[Test, str]]) -> set[str]:
    """The keys that unknown ones are likely to stand for, so that these are not called missing as well."""
    return {nearest(key, fields) for key in itertools.islice(data, MOST) if key not in fields}


def _input(given: dict[str, Any], marks: Marks) -> Iterator[Problem]:
    yield from _keys(given, INPUT, ("input",), marks, "`input`")
    if "shape" not in given and "shape" not in _meant(given, INPUT):
        yield problem_at(marks, ("input",), "`shape` is missing", INPUT["shape"][1])
    elif all(_accepts(INPUT, given, key) for key in INPUT):
        kind = KINDS[len(given["shape"])]
        if given.get("kind", kind) != kind:
            wrong = f"`{given['kind']}` does not go with a shape of {len(given['shape'])} sizes"
            yield problem_at(marks, ("input", "kind"), wrong, f"`{kind}`, or another shape")


def _family(data: dict[str, Any], marks: Marks, meant: set[str]) -> Iterator[Problem]:
    """What the family decides: the body, the task, and the keys that go with them."""
    family = FAMILIES[data["family"]]
    body, coded = _and(family.body), "latent" in family.body
    foreign = [key for key in BODY if key in data and key not in (*family.body, "head")]
    missing = [key for key in family.body if key not in data and key not in meant]
    if foreign and len(missing) == len(family.body):  # one mistake: the family, or the whole body
        yield problem_at(marks, (foreign[0],), f"{family} has no {_and(foreign)}", body)
    else:
        for key in foreign:
            yield problem_at(marks, (key,), f"{family} has no `{key}`", body)
        for key in missing:
            yield problem_at(
                marks, (), f"`{key}` is missing", f"the body of {family}: {body}" if coded else f"the body of {family}"
            )
    latent = data.get("latent")
    gaussian = latent == "Gaussian" or (isinstance(latent, dict) and list(latent) == ["Gaussian"])
    if coded and _accepts(FIELDS, data, "latent") and "latent" in data and gaussian != family.gaussian:
        wrong = f"the code of {family} is {'' if family.gaussian else 'not '}a distribution"
        expected = "Gaussian: {units: 20}" if family.gaussian else "a layer, such as Dense: {units: 32}"
        yield problem_at(marks, ("latent",), wrong, expected)
    if "likelihood" in data and not coded:
        yield problem_at(marks, ("likelihood",), f"nothing reads it in {family}", "`family: ae` or `family: vae`")
    task = data.get("task", family.task)
    if not _accepts(FIELDS, data, "task"):
        return
    if task not in family.tasks:
        yield problem_at(marks, ("task",), f"{family} is not for {task}", f"one of {listed(family.tasks)}")
        return
    for key in STATED if coded or "task" in data else ():
        if key in data and key not in FACTS[task]:
            yield problem_at(marks, (key,), f"nothing reads it in {task}", _and(FACTS[task]))


def _and(words: Sequence[str]) -> str:
    quoted = [f"`{word}`" for word in words]
    return " and ".join([", ".join(quoted[:-1])] * (len(quoted) > 1) + quoted[-1:])


# Ranges by name
