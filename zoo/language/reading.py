"""Bytes or a mapping to a `Spec`, with changes (`--set`) and every problem found in its keys.

The body's items are checked where they are unfolded (`network.py`), with the same places.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from typing import Any

from zoo.errors import Problem, joined, listed, nearest
from zoo.language import catalogue, expressions, merging, objects, parsing, ranges
from zoo.language.families import FACTS, FAMILIES, kinds, losses, unfit_loss
from zoo.language.fields import (
    BODY,
    FIELDS,
    INPUT,
    KL,
    LATER,
    PENALTIES,
    PLAIN,
    PROSE,
    SPARSITY,
    TRAINING,
    Fields,
    unknown,
)
from zoo.language.merging import CHANGE, Document, Find
from zoo.language.objects import is_count, is_lambda
from zoo.language.parsing import NAME, NAMES, Marks, Path, problem_at, shown, written
from zoo.language.ranges import Range
from zoo.language.spec import STATED, TRAIN, Spec, is_told

REQUIRED = ("spec", "name", "family", "input")

MOST = 100
"""So many problems of a spec's keys are said."""


def read(
    content: bytes | Mapping[str, Any],
    file: str,
    changes: Mapping[str, Any],
    variant: str = "",
    find: Find | None = None,
) -> tuple[Spec | None, list[Problem]]:
    """Read a spec from the bytes of a file or from a mapping, with changes by dotted path (`train.epochs`).

    `variant` names one of those in the file (its first where nothing does); `find` gives what `extends` names.
    Returns the spec, or None where what is there cannot be used at all, and the problems found so far; where there are
    some, what is wrong stands in it as it was likely meant, or not at all.
    """
    found = merging.document(content, file, variant, find)
    if not isinstance(found.data, dict):
        expected = "a mapping that begins with `spec: 1`"
        said = [Problem(f"{shown(found.data)} is no spec", expected, mark=found.marks.get(()))]
        return None, found.problems or said
    level = found.level + 1
    for path, value in changes.items():
        where = tuple(str(path).split("."))
        plain, _, wrong = parsing.copied(value, CHANGE, where)
        found.problems += wrong
        merging.change(found, where, plain, FIELDS, {"train": TRAIN, "input": {}}, OBJECTS, level)
    meant = _without_unknown(found)
    before = _own_names(found.data)
    found.data = merging.without_unread(found.data, found.gone, found.written)
    gone = before - _own_names(found.data)
    _compute(found)
    data, wrong, spoilt = _with_ranges(found.data, found.marks)
    problems = list(dict.fromkeys([*found.problems, *wrong]))
    told = _paths(problems) | spoilt
    problems += found.spelt
    based = "extends" not in told  # else what is missing would come from there
    for one in itertools.islice(_check(data, found.marks, meant), MOST):
        follows = not based and one.wrong.endswith(("is missing", "`null` is not accepted"))
        if not is_told(one.path, told) and not follows:
            problems.append(one)
            told |= _paths([one])
    if problems:
        data, lost = _usable(data)
        told |= lost | ({"let", "blocks", "input"} if not based else set())
    pieces = any("(" in one for one in told)  # of a call in brackets, which YAML has cut at its commas
    pieces |= len(found.spelt) >= MOST
    return None if pieces else Spec(data, found.marks, file, frozenset(told), frozenset(gone)), problems


def _compute(found: Document) -> None:
    """Replace arithmetic on plain numbers (`1 / 255`) by its result, everywhere but in prose."""

    def computed(value: Any, path: Path) -> Any:
        if isinstance(value, str) and expressions.CLOSE.fullmatch(value):
            spaced = re.sub(r"([*/]+)", r" \1 ", value)
            found.problem(path, f"`{value}` is text", "spaces around the signs of arithmetic", spaced)
            return None
        if isinstance(value, str) and "$" not in value and expressions.is_expression(value):
            try:
                return expressions.parse(value).run({})
            except expressions.Wrong as error:
                found.problem(path, *error.args)
                return None
        if isinstance(value, dict):
            return {key: one if key == "name" else computed(one, (*path, key)) for key, one in value.items()}
        return [computed(one, (*path, index)) for index, one in enumerate(value)] if isinstance(value, list) else value

    found.data = {key: one if key in PROSE else computed(one, (key,)) for key, one in found.data.items()}


def _own_names(data: dict[str, Any]) -> set[str]:
    """The names that a spec gives itself: those of `let` and of its blocks."""
    parts = (data.get("let"), data.get("blocks"))
    return {name for part in parts if isinstance(part, dict) for name in part if isinstance(name, str)}


def _without_unknown(found: Document) -> set[str]:
    """Tell keys that are none, and leave them out; what they may be meant as, which then is not missing."""
    meant = set[str]()
    for key in [one for one in itertools.islice(found.data, MOST) if one not in (*FIELDS, *LATER)]:
        value = found.data[key]
        wrong, expected, close = unknown(str(key), value, FIELDS, "a spec")
        found.problem((key,), wrong, expected, close)
        found.gone.append((found.level + 1, value))  # what it reads is read
        meant.add(close.partition(".")[0])
    found.data = {key: value for key, value in found.data.items() if key in FIELDS or key in LATER}
    return meant


def _usable(data: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The data without what cannot be used, so that the rest is looked at all the same, and the keys that are lost.

    An input that cannot be read is any table, and a body that is missing is empty.
    """
    lost = {key for key in (*_LOOKED_AT, *BODY) if not _accepts(FIELDS, data, key)}
    kept = {key: value for key, value in data.items() if key not in lost} | (
        {"head": []} if lost & {"head", "outputs"} else {}
    )
    if "family" not in kept:
        latent = kept.get("latent")
        gaussian = latent == "Gaussian" or (isinstance(latent, Mapping) and "Gaussian" in latent)
        kept["family"] = "vae" if gaussian else "ae" if {"encoder", "latent"} & set(kept) else "mlp"
    for key in FAMILIES[kept["family"]].body:
        if key not in kept:
            lost.add(key)
            kept |= {} if key == "latent" else {key: []}
    if "inputs" in kept:
        kept.pop("input", None)
        kept["inputs"] = {name: _usable_input(one) for name, one in kept["inputs"].items()}
    elif "input" in kept:
        kept["input"] = _usable_input(kept["input"])
    else:
        lost.add("input")
        kept["input"] = {"shape": [None]}
    return kept, lost


_LOOKED_AT = ("family", "task", "likelihood", "outputs", "input", "inputs", "let", "defaults", "blocks", "prepare")
"""Keys that a look at the body reads, and can do without."""


def _usable_input(one: Any) -> dict[str, Any]:
    one = one if isinstance(one, dict) else {}
    kept = {key: value for key, value in one.items() if key not in INPUT or _accepts(INPUT, one, key)}
    return {"shape": [None]} | kept


def _accepts(fields: Fields, data: dict[str, Any], key: str) -> bool:
    return fields[key][0](data[key]) if key in data else key != "shape"


def _paths(problems: Iterable[Problem]) -> set[str]:
    """The paths of problems; of an element of a value, the value's as well."""
    paths = {one.path for one in problems if one.path}
    return paths | {re.sub(r"(\[\d+\])+$", "", path) for path in paths} - set(BODY)


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
            if path[-1] in _WITHOUT_RANGE:
                wrong = [("", "a range cannot stand here", _WITHOUT_RANGE[str(path[-1])])]
                found = None
            for key, says, meant in wrong:
                close = nearest(value[key], ("linear", "log")) if key == "sampling" and "accepted" in says else ""
                problems.append(problem_at(marks, (*path, key) if key else path, says, meant, close))
            if found is not None:
                problems.extend(_out_of_place(found, path, marks))
            if found is not None and len(path) == 2 and path[0] == "let" and None in found.values:
                expected = "the range where the name is used, or a word for none, such as linear"
                problems.append(problem_at(marks, (*path, "values"), "null is no value of a name", expected))
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
        """The arguments of a layer, a block or an object: a mapping here is never a range, its values may be."""
        if not isinstance(value, dict):
            return convert(value, path) if isinstance(value, list) else value
        return {
            key: source(inner, (*path, key)) if key == "from" else convert(inner, (*path, key))
            for key, inner in value.items()
        }

    def source(value: Any, path: Path) -> Any:
        if isinstance(value, list):
            return [branch(one, (*path, index)) for index, one in enumerate(value)]
        return convert(value, path)

    def branch(value: Any, path: Path) -> Any:
        return (
            items(value, path) if isinstance(value, list) else item(value, path) if isinstance(value, dict) else value
        )

    def items(value: Any, path: Path) -> Any:
        return [item(one, (*path, index)) for index, one in enumerate(value)] if isinstance(value, list) else value

    def item(value: Any, path: Path) -> Any:
        if not isinstance(value, dict):
            return value
        if "layers" in value:
            inner = {key: one for key, one in value.items() if key != "layers"}
            return {**arguments(inner, path), "layers": items(value["layers"], (*path, "layers"))}
        return {key: arguments(one, (*path, key)) for key, one in value.items()}

    def block(value: Any, path: Path) -> Any:
        if not isinstance(value, dict):
            return value
        made = {key: arguments(one, (*path, key)) for key, one in value.items() if key != "layers"}
        return made | ({"layers": items(value["layers"], (*path, "layers"))} if "layers" in value else {})

    def body(value: Any, path: Path) -> Any:
        return items(value, path) if isinstance(value, list) else item(value, path)

    def anywhere(value: Any, path: Path) -> Any:
        """A value of `let`: a range may stand in a list or a mapping of it as well."""
        if isinstance(value, list):
            return [anywhere(one, (*path, index)) for index, one in enumerate(value)]
        if not isinstance(value, dict) or (len(path) > 1 and (ranges.looks_like(value) or objects.is_named(value))):
            return convert(value, path)
        return {key: anywhere(one, (*path, key)) for key, one in value.items()}

    def trained(value: Any, path: Path) -> Any:
        """How it is trained; the weights of classes are values by labels, whatever these are called."""
        weights = value.get("class_weight") if isinstance(value, dict) else None
        if not isinstance(weights, dict):
            return arguments(value, path)
        made = arguments(weights, (*path, "class_weight"))
        return {**arguments({**value, "class_weight": None}, path), "class_weight": made}

    def penalties(value: Any, path: Path) -> Any:
        named = value if isinstance(value, dict) else {}
        made = {
            key: (convert if ranges.looks_like(one) else arguments)(one, (*path, key)) for key, one in named.items()
        }
        return made or value

    def blocks(value: Any, path: Path) -> Any:
        named = value if isinstance(value, dict) else {}
        return {key: block(one, (*path, key)) for key, one in named.items()} if named else value

    how: dict[str, Callable[[Any, Path], Any]] = {
        **dict.fromkeys(("l2", "dropout"), convert),
        **dict.fromkeys((*BODY, "prepare"), body),
        "train": trained,
        "let": anywhere,
        "penalties": penalties,
        "defaults": item,
        "blocks": blocks,
    }
    result = {key: how[key](value, (key,)) if key in how else value for key, value in data.items()}
    if result.get("train") == {}:
        del result["train"]
    return result, problems, spoilt


_WITHOUT_RANGE = {
    "name": "a name", "from": "a tensor", "if": "a condition", "else": "a tensor", "nested": "true or false",
}  # fmt: skip
"""Where no range can stand, and what does."""


_WORDS: Fields = {"repeat": (is_count, objects.COUNT), "l2": (is_lambda, objects.LAMBDA)}
"""Words of ours that may hold a range, and what it may hold."""


def _out_of_place(found: Range, path: Path, marks: Marks) -> Iterator[Problem]:
    """What is wrong with a range that holds what the argument at its path does not accept."""
    words = [part for part in path if isinstance(part, str)]
    if path[0] in (*BODY, "prepare", "blocks") and path[-1] in _WORDS:
        accepts, expected = _WORDS[str(path[-1])]
        odd = [one for one in found.held() if not accepts(one)]
        if odd and "ActivityRegularization" not in words[-2:]:
            yield problem_at(marks, path, f"the range holds {shown(odd[0])}", expected)
        return
    if len(words) < 3:
        return
    before, owner, key = words[-3:]
    module = "layers" if before in (*BODY, "from", "defaults") else catalogue.module_of(before)
    entry = objects.GAUSSIAN if owner == "Gaussian" else catalogue.catalogue().get(module, {}).get(owner)
    if entry and key in (*entry["arguments"], "l2"):
        bounds = catalogue.bounds(owner, key)
        in_a_list = isinstance(path[-1], int) and bounds is not None and bounds[0].get("type") == "array"
        for one in found.held():
            refused = objects.refusal(owner, key, [one] if in_a_list else one, entry)
            if refused:
                yield problem_at(marks, path, f"the range holds {shown(one)}", *refused[1:])
                return


# What each key accepts


def _check(data: dict[str, Any], marks: Marks, meant: set[str]) -> Iterator[Problem]:
    for key in REQUIRED:
        if key not in data and key not in meant and not (key == "input" and "inputs" in {*data, *meant}):
            yield problem_at(marks, (), f"`{key}` is missing", FIELDS[key][1])
    names = data["let"] if isinstance(data.get("let"), dict) else {}
    yield from _keys(data, FIELDS, (), marks, "a spec", names)
    if isinstance(data.get("input"), dict):
        yield from _input(data["input"], ("input",), marks)
    if "inputs" in data and "input" in data:
        yield problem_at(marks, ("inputs",), "stands beside `input`", "one of them")
    if _accepts(FIELDS, data, "inputs"):
        for name, one in (data.get("inputs") or {}).items():
            wrong, expected = _refused_as_input(name)
            if wrong:
                yield problem_at(marks, ("inputs", name), wrong, expected)
            if isinstance(one, dict):
                yield from _input(one, ("inputs", name), marks)
            else:
                close = "input" if name in INPUT else ""  # one input's own words
                wrong = f"{shown(one)} is not accepted"
                yield problem_at(marks, ("inputs", name), wrong, FIELDS["input"][1], close)
    if _accepts(FIELDS, data, "penalties") and "penalties" in data:
        yield from _penalties(data["penalties"], marks, names)
    if isinstance(data.get("train"), dict):
        yield from _keys(data["train"], TRAINING, ("train",), marks, "`train`", names)
        yield from _objects(data, marks)
        yield from _weights(data["train"].get("class_weight"), marks)
    if isinstance(data.get("family"), str) and data["family"] in FAMILIES:
        yield from _family(data, marks, meant)


def _weights(given: Any, marks: Marks) -> Iterator[Problem]:
    """What is wrong with the weights of classes; a range that could not be read left its default here, or null."""
    for label, one in given.items() if isinstance(given, dict) else ():
        for weight in one.held() if isinstance(one, Range) else (one,):
            if weight is not None and not (is_lambda(weight) and weight > 0):
                wrong = f"{shown(weight)} is not accepted"
                yield problem_at(marks, ("train", "class_weight", label), wrong, "a number above 0, or a range of them")
                break


OBJECTS = {"optimizer": "optimizers", "loss": "losses"}
"""The keys of `train` that are named objects, and the modules of Keras that have them."""


def _dollars(given: Any, names: Collection[str]) -> str:
    """A refused value with the `$` that its names lack, an empty text if they are none."""
    if isinstance(given, list):
        each = [_dollars(one, names) or shown(one).strip('`"') for one in given]
        return f"[{', '.join(each)}]" if any("$" in one for one in each) else ""
    return expressions.with_dollars(given, names) if isinstance(given, str) else ""


def _objects(data: dict[str, Any], marks: Marks) -> Iterator[Problem]:
    """What is wrong with the optimizer and the loss."""
    names = ["epochs", "steps", "classes", *(data["let"] if isinstance(data.get("let"), dict) else ())]
    for key, module in OBJECTS.items():
        chosen, here = data["train"].get(key), ("train", key)
        for one in chosen.values if isinstance(chosen, Range) else [chosen]:
            if isinstance(one, (str, dict)):
                found = list(objects.named(one, module, here))
                for path, wrong, expected, hint in _of_task(data, one, found) if key == "loss" else found:
                    given: Any = one
                    for part in path[len(here) :]:
                        inside = isinstance(given, dict) and part in given
                        given = given[part] if inside or isinstance(given, list) else given
                    meant = _dollars(given, names) or _as_range(given, path, wrong, one, module, here)
                    yield problem_at(marks, path, wrong, expected, hint or meant)


def _as_range(given: Any, path: Path, wrong: str, chosen: Any, module: str, here: Path) -> str:
    """A refused list as the range of values that an argument of an object accepts, an empty text if it is none."""
    if not wrong.endswith("is not accepted") or len(path) != len(here) + 2 or not isinstance(chosen, dict):
        return ""
    name, key = str(path[-2]), path[-1]

    def accepts(value: Any) -> bool:
        return all(where != path for where, *_ in objects.named({name: {key: value}}, module, here))

    return ranges.instead_of(given, accepts)


def _of_task(data: dict[str, Any], chosen: Any, found: list[objects.Found]) -> Iterator[objects.Found]:
    """What is wrong with a loss, told by the task that it must serve."""
    task, here = _task(data), ("train", "loss")
    name = chosen if isinstance(chosen, str) else next(iter(chosen), "")
    if unfit := unfit_loss(name, task) if not found or not losses(task) else None:
        yield here, *unfit, ""
        return
    known = name in catalogue.catalogue()["losses"]
    for path, wrong, expected, hint in found:
        if known and len(path) == 4 and catalogue.refused_argument(name, str(path[-1])):
            yield path, wrong, "a loss without it", ""
        elif not known and hint not in losses(task):
            yield path, wrong, f"one of {', '.join(losses(task))}", nearest(name, losses(task))
        else:
            yield path, wrong, expected, hint


def _task(data: dict[str, Any]) -> str | None:
    """What the network is for, as far as the spec alone says it."""
    family = FAMILIES.get(data["family"]) if isinstance(data.get("family"), str) else None
    stated = data.get("task")
    if family and len(family.tasks) <= 2:  # an autoencoder, however it is written
        return family.task
    known = isinstance(stated, str) and stated in FACTS and (family is None or stated in family.tasks)
    return str(stated) if known else None


_MAY_BE_RANGES = ("l2", "dropout", "train", "penalties")
"""The keys that hold a range themselves, or in what stands under them."""


def _keys(
    data: dict[str, Any], fields: Fields, path: Path, marks: Marks, what: str, names: Container[str] = ()
) -> Iterator[Problem]:
    """What is wrong with keys and their values; `names` are those of `let`, which a text without its `$` may mean."""
    for key, value in data.items():
        here = (*path, key)
        if key in LATER and not path:
            yield problem_at(marks, here, f"`{key}` is kept for a later version of the language", "a spec without it")
        elif key not in fields:
            wrong, expected, hint = unknown(str(key), value, fields, what)
            chosen = data.get("optimizer")
            named = (
                chosen
                if isinstance(chosen, str)
                else next(iter(chosen), "Adam")
                if isinstance(chosen, dict)
                else "Adam"
            )
            yield problem_at(marks, here, wrong, expected, hint.replace("optimizer.Adam", f"optimizer.{named}"))
        elif isinstance(value, Range):
            refused = next((one for one in value.held() if not fields[key][0](one)), value)
            if refused is not value:
                yield problem_at(marks, here, f"the range holds {shown(refused)}", fields[key][1])
        elif not fields[key][0](value):
            expected = fields[key][1]
            words = expected.removeprefix("one of ").split(", ") if expected.startswith("one of ") else []
            close = nearest(value, words) or (f"${value}" if isinstance(value, str) and value in names else "")
            if (*path, key)[0] in _MAY_BE_RANGES or isinstance(value, str):
                close = close or ranges.instead_of(value, fields[key][0])
            yield problem_at(marks, here, f"{shown(value)} is not accepted", expected, close)


def _meant(data: dict[str, Any], fields: Fields) -> set[str]:
    """The keys that unknown ones are likely to stand for, so that these are not called missing as well."""
    return {nearest(key, fields) for key in itertools.islice(data, MOST) if key not in fields}


def _penalties(given: dict[str, Any], marks: Marks, names: Container[str]) -> Iterator[Problem]:
    yield from _keys(given, PENALTIES, ("penalties",), marks, "`penalties`", names)
    for key, fields in (("kl", KL), ("sparsity", SPARSITY)):
        if isinstance(given.get(key), dict):
            yield from _keys(given[key], fields, ("penalties", key), marks, f"`{key}`", names)


def _unread_penalties(data: dict[str, Any], coded: bool, latent: Any, marks: Marks) -> Iterator[Problem]:
    """Penalties that the latent has nothing for: a bound is a Gaussian's, the others are a plain code's."""
    given = data.get("penalties")
    if given is None:
        return
    bound, plain = "`latent: {Gaussian: ...}`, whose bound it weighs", "a layer as `latent`, such as Dense: {units: 32}"
    gaussian = latent == "Gaussian"
    fits = ("kl", "mmd") if gaussian else PLAIN if coded and latent != "VectorQuantizer" else ()
    known = [key for key in given if key in PENALTIES] if isinstance(given, dict) else []
    if not fits or not isinstance(given, dict):
        if not fits:
            of_plain = known and {*known} <= {*PLAIN}
            yield problem_at(marks, ("penalties",), "nothing reads it", plain if of_plain else bound)
        return
    for key in known:
        if key not in fits:
            yield problem_at(marks, ("penalties", key), "nothing reads it", plain if gaussian else bound)


def _refused_as_input(name: str) -> tuple[str, str]:
    """Why an input cannot be called so, as (wrong, expected); empty texts if it can."""
    if name in ("previous", "input"):
        return f"`{name}` is a word of the language", "another name"
    if re.search(r"\.\d+$", name):
        return f"`{name}` means an output of `{name.rpartition('.')[0]}`", "a name without a number behind a dot"
    return ("", "") if NAME.fullmatch(name) else (f"`{name}` is no name", NAMES)


def _input(given: dict[str, Any], path: Path, marks: Marks) -> Iterator[Problem]:
    yield from _keys(given, INPUT, path, marks, f"`{path[0]}`")
    if "shape" not in given and "shape" not in _meant(given, INPUT):
        yield problem_at(marks, path, "`shape` is missing", INPUT["shape"][1])
    elif all(_accepts(INPUT, given, key) for key in INPUT):
        usual = kinds(given)
        if given.get("kind", usual[0]) not in usual:
            wrong = f"`{given['kind']}` does not go with a shape of {len(given['shape'])} sizes"
            yield problem_at(marks, (*path, "kind"), wrong, f"`{usual[0]}`, or another shape")
        columns, sizes = given.get("columns"), given["shape"][-1:]
        if given.get("kind", usual[0]) == "sequence" and len(given["shape"]) == 1:  # steps of one column
            sizes = [1]
        if isinstance(columns, list) and len(set(columns)) < len(columns):
            yield problem_at(marks, (*path, "columns"), "a name stands there twice", "each name once")
        elif isinstance(columns, list) and sizes not in ([], [None], [len(columns)]):
            yield problem_at(marks, (*path, "columns"), f"{len(columns)} names for {sizes[0]} columns", "one for each")


def _family(data: dict[str, Any], marks: Marks, meant: set[str]) -> Iterator[Problem]:
    """What the family decides: the body, the task, and the keys that go with them."""
    family = FAMILIES[data["family"]]
    body, coded = joined(family.body), "latent" in family.body
    foreign = [key for key in BODY if key in data and key not in (*family.body, "head")]
    missing = [key for key in family.body if key not in data and key not in meant]
    if foreign and len(missing) == len(family.body):  # one mistake: the family, or the whole body
        yield problem_at(marks, (foreign[0],), f"{family} has no {joined(foreign)}", body)
    else:
        for key in foreign:
            yield problem_at(marks, (key,), f"{family} has no `{key}`", body)
        for key in missing:
            yield problem_at(
                marks, (), f"`{key}` is missing", f"the body of {family}: {body}" if coded else f"the body of {family}"
            )
    latent = data.get("latent")
    name = next(iter(latent), "") if isinstance(latent, dict) else latent
    if coded and isinstance(name, str) and name not in catalogue.catalogue()["layers"]:
        name = nearest(name, ("Gaussian", "VectorQuantizer")) or name  # that there is none of that name is told
    gaussian = name == "Gaussian"
    fits = name in ("Gaussian", "VectorQuantizer") if family.gaussian else not gaussian
    if coded and _accepts(FIELDS, data, "latent") and "latent" in data and not fits:
        wrong = f"the code of {family} is {'' if family.gaussian else 'not '}a distribution"
        expected = "a layer, such as Dense: {units: 32}"
        if family.gaussian:
            expected = "Gaussian: {units: 20}, or VectorQuantizer: {codes: 512}"
        yield problem_at(marks, ("latent",), wrong, expected)
    if fits or not coded or "latent" not in data:  # else what the latent is to be is told
        yield from _unread_penalties(data, coded, name, marks)
    if "outputs" in data and coded:
        yield problem_at(marks, ("outputs",), f"{family} answers what its decoder does", "a spec without it")
    if "train" in data and isinstance(data.get("outputs"), list) and len(data["outputs"]) > 1:
        expected = "one output, or a spec without it, and zoo.build and a model.fit of your own"
        yield problem_at(marks, ("train",), "nothing reads it beside several `outputs`", expected)
    if "likelihood" in data and not coded:
        yield problem_at(marks, ("likelihood",), f"nothing reads it in {family}", "`family: ae` or `family: vae`")
    task = data.get("task", family.task)
    if (
        coded
        and "task" in data
        and task in family.tasks
        and (task == "generation") != gaussian
        and isinstance(name, str)
        and name
    ):
        yield problem_at(marks, ("task",), f"`{name}` is not for {task}", "no `task`, as `latent` decides it")
    if not _accepts(FIELDS, data, "task"):
        return
    if task not in family.tasks:
        yield problem_at(marks, ("task",), f"{family} is not for {task}", f"one of {listed(family.tasks)}")
        return
    for key in STATED if coded or "task" in data else ():
        if key in data and key not in FACTS[task]:
            expected = joined(FACTS[task]) or f"a spec without it, as `--set {key}=null` makes one"
            yield problem_at(marks, (key,), f"nothing reads it in {task}", expected)
