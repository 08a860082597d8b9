"""Bytes or a mapping to a `Spec`, with changes (`--set`) and every problem found in its keys.

The body's items are checked where they are unfolded (`network.py`), with the same places.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from zoo.errors import Problem, joined, listed, nearest
from zoo.language import catalogue, expressions, merging, objects, parsing, ranges
from zoo.language.families import DTYPES, FACTS, FAMILIES, KINDS, LIKELIHOODS, kinds, losses, unfit_loss
from zoo.language.merging import CHANGE, Document, Find, problem_at
from zoo.language.objects import is_count, is_lambda, is_rate
from zoo.language.parsing import NAME, NAMES, Marks, Path, shown, written
from zoo.language.ranges import Range
from zoo.language.spec import BODY, PROSE, STATED, TRAIN, Spec, is_told

Test = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(NAME.fullmatch(value))


def _is_items(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _is_filled(value: Any) -> bool:
    return isinstance(value, dict) and bool(value)


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and len(value) in KINDS and all(size is None or is_count(size) for size in value)


def _is_inputs(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(one, dict) for one in value.values())


def _or_expression(test: Test) -> Test:
    return lambda value: test(value) or (isinstance(value, str) and "$" in value)


def _is_source(value: Any) -> bool:
    """Whether a text can name weights: a file has a dot or a slash in its name."""
    return _is_text(value) and (value == "imagenet" or any(one in value for one in ":./\\$"))


def _is_texts(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, list) and bool(value) and all(map(_is_text, value)))


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
    "year": (is_count, "the year in which it was published"),
    "parameters": (is_count, "the number of parameters at the defaults"),
    "counting": (_is_text, "how the parameters are counted"),
    "flops": (is_count, "the floating-point operations of one answer, a whole number"),
    "regularization": (_is_text, "the lambda and p of the publication"),
    "metric": (_is_text, "what it reached, on which data, and where that is written"),
    "variants": (_is_mapping, "{name: {key: value}}"),
    "extends": (_is_text, "the name of a spec, or the path of a file"),
    "classes": (is_count, objects.COUNT),
    "targets": (is_count, objects.COUNT),
    "horizon": (is_count, objects.COUNT),
    "features": (is_count, objects.COUNT),
    "input": (_is_mapping, "a mapping such as {shape: [28, 28, 1]}"),
    "inputs": (_is_inputs, "a mapping such as {image: {shape: [28, 28, 1]}, label: {shape: [], dtype: int32}}"),
    "l2": (_or_expression(is_lambda), objects.LAMBDA),
    "dropout": (_or_expression(is_rate), objects.RATE),
    "let": (_is_mapping, "{name: value}"),
    "defaults": (_is_mapping, "arguments by class, such as {Conv2D: {padding: same}}"),
    "blocks": (_is_mapping, "{name: {parameters: {...}, layers: [...]}}"),
    "prepare": (_is_items, "a list of layers, such as [Rescaling: {scale: 1 / 255}]"),
    "layers": (_is_list, _LAYERS),
    "encoder": (_is_list, _LAYERS),
    "latent": (lambda value: isinstance(value, (dict, str)), "one layer, such as Dense: {units: 32}"),
    "decoder": (_is_list, _LAYERS),
    "likelihood": _one_of(LIKELIHOODS),
    "penalties": (_is_filled, "{kl: {weight: 4.0, warm_up: 1000}, mmd: 10.0}, or {contractive: 1e-4, sparsity: 0.01}"),
    "head": (_is_items, _LAYERS),
    "outputs": (lambda value: isinstance(value, list) and bool(value), "a list of names"),
    "weights": (_is_source, "imagenet, keras:NAME, run:NAME, or a file of weights"),
    "frozen": (lambda value: isinstance(value, bool), "true or false"),
    "train": (_is_mapping, "a mapping with any of optimizer, loss, batch_size and epochs"),
}
"""The keys of a spec, what each accepts, and how that is said."""

INPUT: dict[str, tuple[Test, str]] = {
    "shape": (_is_shape, "one to four whole numbers above 0, without the batch, such as [28, 28, 1]"),
    "dtype": _one_of(DTYPES),
    "kind": _one_of(dict.fromkeys(kind for row in KINDS.values() for kind in row)),
    "vocabulary": (is_count, objects.COUNT),
    "classes": (is_count, objects.COUNT),
    "columns": (_is_texts, "a list of names"),
}

TRAINING: dict[str, tuple[Test, str]] = {
    "optimizer": (lambda value: isinstance(value, (str, dict)), "an optimizer, such as Adam: {learning_rate: 1e-3}"),
    "loss": (lambda value: isinstance(value, (str, dict)), "a loss of Keras, such as Huber: {delta: 0.5}"),
    "batch_size": (is_count, objects.COUNT),
    "epochs": (is_count, objects.COUNT),
}

_WEIGHT = (_or_expression(is_lambda), f"{objects.WEIGHT}, or a range")
KL: dict[str, tuple[Test, str]] = {"weight": _WEIGHT, "warm_up": (_or_expression(is_count), objects.COUNT)}
SPARSITY: dict[str, tuple[Test, str]] = {
    "weight": _WEIGHT,
    "target": (_or_expression(objects.is_share), objects.SHARE),
}
PENALTIES: dict[str, tuple[Test, str]] = {
    "kl": (lambda value: isinstance(value, dict) or _WEIGHT[0](value), "a weight, or {weight: 4.0, warm_up: 1000}"),
    "mmd": _WEIGHT,
    "contractive": _WEIGHT,
    "sparsity": (
        lambda value: isinstance(value, dict) or _WEIGHT[0](value),
        "a weight, or {weight: 0.01, target: 0.05}",
    ),
}
PLAIN = ("contractive", "sparsity")
"""The penalties of a code that is no distribution."""

REQUIRED = ("spec", "name", "family", "input")

LATER = ("heads",)
"""Words that the language keeps for what is to come."""

MOST = 100
"""So many problems of a spec's keys are said."""

_INSIDE = {"train": TRAINING, "input": INPUT}
_ELSEWHERE = {"learning_rate": "train.optimizer.Adam.learning_rate", "input_shape": "input.shape"}


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
    before = _own_names(found.data)
    found.data = merging.without_unread(found.data, found.gone, found.written)
    gone = before - _own_names(found.data)
    _as_meant(found)
    _compute(found)
    data, wrong, spoilt = _with_ranges(found.data, found.marks)
    problems = list(dict.fromkeys([*found.problems, *wrong]))
    told = _paths(problems) | spoilt
    based = "extends" not in told  # else what is missing would come from there
    for one in itertools.islice(_check(data, found.marks), MOST):
        follows = not based and one.wrong.endswith(("is missing", "`null` is not accepted"))
        if not is_told(one.path, told) and not follows:
            problems.append(one)
            told |= _paths([one])
    if problems:
        data, lost = _usable(data)
        told |= lost | ({"let", "blocks", "input"} if not based else set())
    pieces = any("(" in one for one in told)  # of a call in brackets, which YAML has cut at its commas
    return None if pieces else Spec(data, found.marks, file, frozenset(told), frozenset(gone)), problems


def _compute(found: Document) -> None:
    """Replace arithmetic on plain numbers (`1 / 255`) by its result, everywhere but in prose."""

    def computed(value: Any, path: Path) -> Any:
        if isinstance(value, str) and _CLOSE.fullmatch(value):
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


_CLOSE = re.compile(r"\d[\d.]*([*/]{1,2}\d[\d.]*)+")
"""Arithmetic that nobody would take for a text, without the spaces that make it arithmetic."""


def _own_names(data: dict[str, Any]) -> set[str]:
    """The names that a spec gives itself: those of `let` and of its blocks."""
    parts = (data.get("let"), data.get("blocks"))
    return {name for part in parts if isinstance(part, dict) for name in part if isinstance(name, str)}


def _as_meant(found: Document) -> None:
    """Tell misspelt keys, and put what they hold where it is likely meant, so that it is looked at all the same."""
    data = found.data
    for key in [one for one in itertools.islice(data, MOST) if one not in (*FIELDS, *LATER)]:
        inside = {inner: f"{outer}.{inner}" for outer, keys in _INSIDE.items() for inner in keys} | _ELSEWHERE
        found.problems += _unknown((key,), FIELDS, found.marks, "a spec", inside)
        close = "" if key in {*inside, *OF_THE_TASK} else nearest(key, FIELDS)
        if close and close not in data:
            data = {close if one == key else one: value for one, value in data.items()}
            found.marks.update(parsing.moved(found.marks, (key,), (close,)))
        else:
            data = {one: value for one, value in data.items() if one != key}
    found.data = data


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


def _usable_input(one: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in one.items() if key not in INPUT or _accepts(INPUT, one, key)}
    return {"shape": [None]} | kept


def _accepts(fields: dict[str, tuple[Test, str]], data: dict[str, Any], key: str) -> bool:
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
            problems.extend(problem_at(marks, (*path, key) if key else path, says, meant) for key, says, meant in wrong)
            if found is not None:
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
        "train": arguments,
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


_WORDS: dict[str, tuple[Test, str]] = {"repeat": (is_count, objects.COUNT), "l2": (is_lambda, objects.LAMBDA)}
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
        for one in found.held():
            refused = objects.refusal(owner, key, one, entry)
            if refused:
                yield problem_at(marks, path, f"the range holds {shown(one)}", *refused[1:])
                return


# What each key accepts


def _check(data: dict[str, Any], marks: Marks) -> Iterator[Problem]:
    meant = _meant(data, FIELDS)
    for key in REQUIRED:
        if key not in data and key not in meant and not (key == "input" and "inputs" in {*data, *meant}):
            yield problem_at(marks, (), f"`{key}` is missing", FIELDS[key][1])
    yield from _keys(data, FIELDS, (), marks, "a spec")
    if isinstance(data.get("input"), dict):
        yield from _input(data["input"], ("input",), marks)
    if "inputs" in data and "input" in data:
        yield problem_at(marks, ("inputs",), "stands beside `input`", "one of them")
    if _accepts(FIELDS, data, "inputs"):
        for name, one in (data.get("inputs") or {}).items():
            wrong, expected = _refused_as_input(name)
            if wrong:
                yield problem_at(marks, ("inputs", name), wrong, expected)
            yield from _input(one, ("inputs", name), marks)
    if _accepts(FIELDS, data, "penalties") and "penalties" in data:
        yield from _penalties(data["penalties"], marks)
    if isinstance(data.get("train"), dict):
        yield from _keys(data["train"], TRAINING, ("train",), marks, "`train`")
        yield from _objects(data, marks)
    if isinstance(data.get("family"), str) and data["family"] in FAMILIES:
        yield from _family(data, marks, meant)


OBJECTS = {"optimizer": "optimizers", "loss": "losses"}
"""The keys of `train` that are named objects, and the modules of Keras that have them."""


def _objects(data: dict[str, Any], marks: Marks) -> Iterator[Problem]:
    """What is wrong with the optimizer and the loss."""
    for key, module in OBJECTS.items():
        chosen, here = data["train"].get(key), ("train", key)
        for one in chosen.values if isinstance(chosen, Range) else [chosen]:
            if isinstance(one, (str, dict)):
                found = list(objects.named(one, module, here))
                for path, wrong, expected, hint in _of_task(data, one, found) if key == "loss" else found:
                    yield problem_at(marks, path, wrong, expected, hint)


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


OF_THE_TASK = {
    "metrics": ("metrics are the task's", "`task`, or zoo.build and a compile of your own"),
    "augment": ("augmentation stands in the network", "Keras's random layers first in `layers`"),
}
"""Keys that Keras users may look for in `train`, by why there are none, and what serves instead."""


def _keys(
    data: dict[str, Any], fields: dict[str, tuple[Test, str]], path: Path, marks: Marks, what: str
) -> Iterator[Problem]:
    for key, value in data.items():
        here = (*path, key)
        if key in LATER and not path:
            yield problem_at(marks, here, f"`{key}` is kept for a later version of the language", "a spec without it")
        elif key not in fields:
            yield from _unknown(here, fields, marks, what)
        elif isinstance(value, Range):
            refused = next((one for one in value.held() if not fields[key][0](one)), value)
            if refused is not value:
                yield problem_at(marks, here, f"the range holds {shown(refused)}", fields[key][1])
        elif not fields[key][0](value):
            expected = fields[key][1]
            words = expected.removeprefix("one of ").split(", ") if expected.startswith("one of ") else []
            yield problem_at(marks, here, f"{shown(value)} is not accepted", expected, nearest(value, words))


def _unknown(
    here: Path, fields: Mapping[str, Any], marks: Marks, what: str, inside: Mapping[str, str] | None = None
) -> Iterator[Problem]:
    """That there is no such key, with the nearest; some are known to stand `inside` another."""
    key = str(here[-1])
    if key in OF_THE_TASK:
        why, expected = OF_THE_TASK[key]
        yield problem_at(marks, here, f"no such key: {why}", expected)
        return
    close = (inside or {}).get(key) or nearest(key, fields)
    few = not close or len(fields) <= 12  # a long list is no help beside the right word
    known = f": {listed(fields, 50)}" if few else ""
    yield problem_at(marks, here, "no such key", f"a key of {what}{known}", close)


def _meant(data: dict[str, Any], fields: dict[str, tuple[Test, str]]) -> set[str]:
    """The keys that unknown ones are likely to stand for, so that these are not called missing as well."""
    return {nearest(key, fields) for key in itertools.islice(data, MOST) if key not in fields}


def _penalties(given: dict[str, Any], marks: Marks) -> Iterator[Problem]:
    yield from _keys(given, PENALTIES, ("penalties",), marks, "`penalties`")
    for key, fields in (("kl", KL), ("sparsity", SPARSITY)):
        if isinstance(given.get(key), dict):
            yield from _keys(given[key], fields, ("penalties", key), marks, f"`{key}`")


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
    yield from _unread_penalties(data, coded, name, marks)
    if "outputs" in data and coded:
        yield problem_at(marks, ("outputs",), f"{family} answers what its decoder does", "a spec without it")
    if "train" in data and isinstance(data.get("outputs"), list) and len(data["outputs"]) > 1:
        expected = "one output, or a spec without it, and zoo.build and a model.fit of your own"
        yield problem_at(marks, ("train",), "nothing reads it beside several `outputs`", expected)
    if "likelihood" in data and not coded:
        yield problem_at(marks, ("likelihood",), f"nothing reads it in {family}", "`family: ae` or `family: vae`")
    task = data.get("task", family.task)
    if coded and "task" in data and task in family.tasks and (task == "generation") != gaussian and _is_text(name):
        yield problem_at(marks, ("task",), f"`{name}` is not for {task}", "no `task`, as `latent` decides it")
    if not _accepts(FIELDS, data, "task"):
        return
    if task not in family.tasks:
        yield problem_at(marks, ("task",), f"{family} is not for {task}", f"one of {listed(family.tasks)}")
        return
    for key in STATED if coded or "task" in data else ():
        if key in data and key not in FACTS[task]:
            yield problem_at(marks, (key,), f"nothing reads it in {task}", joined(FACTS[task]) or "a spec without it")
