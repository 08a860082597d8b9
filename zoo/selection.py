"""Which specs there are: the zoo's own, found by name whatever its case, `-` and `_`, and a user's by path."""

from __future__ import annotations

import fnmatch
import functools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from zoo.errors import Mark, Problem, ZooError, joined, listed, nearest, plainly
from zoo.language import catalogue, dumping, merging, network, parsing, ranges, reading, unfolding
from zoo.language.families import FACTS, FAMILIES, kinds
from zoo.language.fields import BODY
from zoo.language.spec import Spec, held


@dataclass(frozen=True)
class Card:
    """What `zoo list` says of a spec, so that a reader can choose."""

    name: str
    family: str
    task: str
    input: str
    parameters: int | None
    flops: float | None
    summary: str
    kind: str
    stated: str
    """The task that the spec states, or an empty text where data decide."""
    coded: bool


@functools.cache
def files() -> dict[str, Path]:
    """The spec files by their own name: the zoo's, the families in the order of their table, then those of folders."""
    return _zoos() | {path.stem: path for path in _own()}


def _zoos() -> dict[str, Path]:
    return {path.stem: path for family in FAMILIES for path in sorted((_folder() / family).glob("*.yaml"))}


def _folder() -> Path:
    """Where the zoo's specs are: beside this code in a clone, whatever else is installed, or installed with it."""
    beside = Path(__file__).parents[1] / "specs"
    return beside if (beside / "zoo.schema.json").is_file() else Path(str(resources.files("zoo.specs")))


def _own() -> list[Path]:
    """The spec files of a user's own folders. Those of a run, a folder with a plan, are what it was made from."""
    found: list[Path] = []
    for own in _FOLDERS:
        paths = []
        for folder, inside, names_of in os.walk(own):
            if "plan.json" in names_of:
                inside.clear()
            else:
                held = (Path(folder, name) for name in names_of if name.endswith((".yaml", ".yml")) and name[0] != ".")
                paths += [path for path in held if path.is_file()]  # no link to nowhere, as editors make them
        found += sorted(paths)
    return found


_FOLDERS: list[Path] = []
"""Folders of a user's own specs, in the order in which they were added; a later name wins."""


def add(folder: str | Path) -> None:
    """Let the specs of a folder be known by name, beside the zoo's. Raises `ZooError` if there is none."""
    path = Path(folder)
    if not path.is_dir():
        raise ZooError(f"{folder} is no folder; expected one with spec files in it")
    if path not in _FOLDERS:
        _FOLDERS.append(path)
        files.cache_clear()
        names.cache_clear()


@functools.cache
def names() -> dict[str, tuple[Path, str]]:
    """Every spec of the zoo by name, with its file and its variant: an empty text where a file is one spec."""
    found: dict[str, tuple[Path, str]] = {}
    for path in files().values():
        found |= _named(path)
    return found


def _named(path: Path) -> dict[str, tuple[Path, str]]:
    return {name: (path, name) for name in _variants(path.read_bytes())} or {path.stem: (path, "")}


def twice() -> list[str]:
    """A sentence for each name that two files of a user's own have: one of them is not found by it."""
    found: dict[str, dict[Path, Path]] = {}
    for path in _own():
        for name in _named(path):
            found.setdefault(name, {})[path.resolve()] = path
    return [
        f"`{name}` is the name of {' and of '.join(map(str, paths.values()))}; the last of them is meant"
        for name, paths in found.items()
        if len(paths) > 1
    ]


BODY_KEYS = ("defaults", "blocks", *BODY)
"""Where the head of a file ends: in the zoo's own, what a card needs stands before these keys."""

_LATER = re.compile(rb"(?m)^(variants|latent|extends)[ \t]*:")


def _head(content: bytes) -> dict[str, Any]:
    """The head of a file, or the whole of it where words that decide stand further down."""
    found = parsing.head(content, BODY_KEYS)
    if all(word.decode() in found for word in _LATER.findall(content)):
        return found
    whole = parsing.parse(content, "")[0]
    return whole if isinstance(whole, dict) else found


def _whole(content: bytes) -> dict[str, Any]:
    """All of a user's own file, whose keys stand in any order; nothing of one that cannot be read."""
    whole, _, problems = parsing.parse(content, "")
    return whole if isinstance(whole, dict) and not problems else {}


def _plain_pattern(pattern: str) -> str:
    """A pattern as plain names are matched with; what stands in brackets, such as `[0-9]`, stays."""
    return "".join(part.lower() if part[:1] == "[" else plainly(part) for part in re.split(r"(\[[^]]+\])", pattern))


def cards(pattern: str = "", family: str = "", task: str = "", parameters: int | None = None) -> list[Card]:
    """A card for each spec of the zoo, from the heads of the files alone.

    `pattern` is a name, or part of one with `*`; `family` and `task` choose; `parameters` is the most there may be.
    Raises `ZooError` for a word that is none, and if nothing is left.
    """
    for word, given, known in (("family", family, FAMILIES), ("task", task, FACTS)):
        if given and given not in known:
            hint = nearest(given, known)
            also = f"; did you mean `{hint}`?" if hint else ""
            raise ZooError(f"no {word} `{given}`; expected one of {listed(known)}{also}")
    named = [
        one
        for one in _cards()
        if (not pattern or fnmatch.fnmatch(plainly(one.name), _plain_pattern(pattern)))
        and family in ("", one.family)
        and (not task or is_for(one, task))
    ]
    chosen = [
        one for one in named
        if parameters is None or (one.parameters is not None and one.parameters <= parameters)
    ]  # fmt: skip
    if not chosen:
        sized = [one for one in named if one.parameters is not None]
        if sized:
            least = min(sized, key=lambda one: one.parameters or 0)
            wrong = f"no spec like that has {parameters:,} parameters at most: `{least.name}` has {least.parameters:,}"
            raise ZooError(f"{wrong}; expected a larger limit")
        unsaid = [one.name for one in named if one.parameters is None]
        part = pattern if pattern and not named and not re.search(r"[*?\[]", pattern) else ""
        holding = [one for one in names() if plainly(part) in plainly(one)] if plainly(part) else []
        hint = f"'*{part}*'" if len(holding) > 1 else nearest(part, names()) if part else ""
        also = f"; did you mean `{hint}`?" if hint else ""
        also = f"; `parameters` are not stated in {listed(unsaid)}" if unsaid else also
        raise ZooError("no spec is like that; expected a pattern or limits that leave some: zoo list" + also)
    return chosen


def _cards() -> list[Card]:
    return [_card_of(name, path, variant) for name, (path, variant) in names().items()]


def _card_of(name: str, path: Path, variant: str) -> Card:
    content = path.read_bytes()
    ours = _folder() in path.parents
    data = _head(content) if ours else _whole(content)
    if "extends" in data:
        merged = merging.document(content, str(path), variant, _extended)
        data = held(merged.data, merged.marks, str(path)) if isinstance(merged.data, dict) else {}
    elif variant:
        data = merging.varied(data, variant)
    try:
        made = _card({**data, "name": name})
        if not isinstance(made.parameters or 0, int) or not isinstance(made.flops or 0, (int, float)):
            raise TypeError
        return made
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration):  # a user's own that is not done yet
        return Card(name, "", "", "", None, None, f"cannot be read: zoo check {path}", "", "", False)


def card(found: Spec) -> Card:
    """The card of one spec."""
    return _card(found.held())


def _card(data: Mapping[str, Any]) -> Card:
    found = Spec(data, {}, "")
    task = found.task if "task" in data or found.coded else "any with a target"
    return Card(
        found.name, found.family, task, _inputs(found), data.get("parameters"), data.get("flops"),
        data.get("summary", ""), found.kind, found.task if found.coded else data.get("task", ""), found.coded,
    )  # fmt: skip


def _inputs(found: Spec) -> str:
    """What the network is given, each input with its kind and sizes; with its name where that says more."""
    told = []
    for name, one in found.inputs.items():
        kind = str(one.get("kind") or kinds(one)[0])
        sizes = " x ".join("any" if size is None else str(size) for size in one["shape"])
        told.append(" ".join(word for word in (name if name != kind else "", kind, sizes) if word))
    return ", ".join(told)


def load(source: str | Path | Mapping[str, Any] | Spec, changes: Mapping[str, Any] | None = None) -> Spec:
    """A spec from a name of the zoo, the path of a file, or a mapping, with `changes` by dotted path.

    A variant in a file is `path.yaml:name`. Raises `ZooError` with every problem of the spec, its body unfolded at the
    defaults of its ranges included.
    """
    before = source if isinstance(source, Spec) else None
    if isinstance(source, Spec):
        if not changes:
            return source
        source = source.written()
    if isinstance(source, Mapping):
        found, problems = reading.read(source, "the mapping", changes or {}, find=_extended)
    else:
        path, variant = find(str(source))
        content = _content(path, str(source))
        shown = _shown(path, str(source), variant)
        variants = _variants(content) if path.suffix in (".yaml", ".yml") and not variant else []
        if len(variants) > 1:
            which = listed((f"{source}:{one}" for one in variants), 6)
            raise ZooError(f"{source} holds {len(variants)} specs; expected one of them: {which}")
        found, problems = reading.read(content, shown, changes or {}, variant, _extended)
    if found is not None:
        if before is not None:  # it keeps its places, but for what was changed
            changed = {path: mark for path, mark in found.marks.items() if mark and mark.file == merging.CHANGE}
            found = replace(found, source=before.source, marks={**found.marks, **before.marks, **changed})
        problems = problems + body_problems(found)
        found = replace(found, data=found.held()) if changes else found
    if problems or found is None:
        raise ZooError(*(problems if isinstance(source, Mapping) or changes else _extending(problems, shown)))
    return found


def all_in(source: str, changes: Mapping[str, Any] | None = None) -> tuple[list[Spec], list[Problem]]:
    """Every spec of a file, one for each variant, and every problem of them; a name gives the one that it names.

    What is wrong with some of the variants alone says with which.
    """
    path, variant = find(source)
    content = _content(path, source)
    found: list[Spec] = []
    problems: dict[str, list[Problem]] = {}
    file = _shown(path, source, variant)
    for one in [variant] if variant else merging.variants(content, file) or [""]:
        made, wrong = reading.read(content, file, changes or {}, one, _extended)
        if made is not None:
            wrong = wrong + body_problems(made)
            found.append(made)
        problems[one] = wrong if changes else _extending(wrong, file)
    return found, by_variant(problems)


KERAS = "keras:"
"""Before the name of a constructor of `keras.applications`, whose published ImageNet weights are meant."""

WEIGHTS = (".weights.h5", ".h5", ".keras", ".npz")
"""What the names of files of weights end in: three formats of Keras's, and one by the paths of weights."""


def unreachable(spec: Spec) -> list[Problem]:
    """What is wrong with the file that a spec's `weights` name, as far as looking for it tells."""
    source = spec.data.get("weights", "imagenet")
    if not isinstance(source, str) or spec.is_told(("weights",)):
        return []
    if source == "imagenet" or "$" in source or source.startswith((KERAS, "run:")):
        return []
    path, beside = Path(source), Path(spec.source).parent / source
    if path.is_file() and source.endswith(WEIGHTS):
        return []
    wrong = f"{source} is no file of weights" if path.is_file() else f"{source} is not there"
    wrong = f"{source} is a folder" if path.is_dir() else wrong
    hint = str(beside) if not path.exists() and beside.is_file() else ""
    expected = f"imagenet, keras:NAME, run:NAME or a file: {', '.join(WEIGHTS)}"
    return [_of_weights(spec, wrong, expected, hint)]


def unpublished(spec: Spec, name: str = "") -> list[Problem]:
    """Whether Keras publishes weights of a network of this name, or of that which a spec's `weights` name."""
    known, source = catalogue.catalogue()["applications"], spec.data.get("weights")
    named = isinstance(source, str) and source.startswith(KERAS) and "$" not in source
    if not name and (not named or spec.is_told(("weights",))):
        return []
    name = name or str(source).removeprefix(KERAS)
    if name in known:
        return []
    hint = nearest(name, known)
    expected = f"{KERAS}NAME with one of {listed(known)}"
    return [_of_weights(spec, f"Keras publishes no weights of `{name}`", expected, f"{KERAS}{hint}" if hint else "")]


def _of_weights(spec: Spec, wrong: str, expected: str, hint: str = "") -> Problem:
    found = spec.problem(("weights",), wrong, expected, hint)
    return found if ("weights",) in spec.marks else replace(found, mark=None)  # asked for beside the spec


def _extending(problems: Iterable[Problem], file: str) -> list[Problem]:
    """The problems of a file; one in another, which it extends and which is fine by itself, says whose it is."""

    @functools.cache
    def alone(base: str) -> set[tuple[str, Mark | None]]:
        try:
            return {(one.path, one.mark) for one in all_in(base)[1]}
        except (ZooError, OSError):
            return set()

    def told(problem: Problem) -> Problem:
        elsewhere = problem.mark and problem.mark.line and problem.mark.file != file and problem.path != "extends"
        if not problem.mark or not elsewhere or (problem.path, problem.mark) in alone(problem.mark.file):
            return problem
        return replace(problem, wrong=f"{problem.wrong}, as {file} extends it")

    return list(map(told, problems))


def by_variant(problems: Mapping[str, Sequence[Problem]]) -> list[Problem]:
    """The problems of the variants of a file, each once; one that not all of them have says whose it is."""
    owners: dict[Problem, list[str]] = {}
    for name, wrong in problems.items():
        for problem in dict.fromkeys(wrong):
            owners.setdefault(problem, []).append(name)

    def told(problem: Problem, of: list[str]) -> Problem:
        if len(of) == len(problems) or problem.path.startswith("variants."):
            return problem
        return replace(problem, wrong=f"{problem.wrong}, in the variant{'s' * (len(of) > 1)} {joined(of)}")

    return [told(problem, of) for problem, of in owners.items()]


def copied(source: str, name: str, folder: Path) -> str:
    """The text of a spec's file, comments and all, under another name and for another folder.

    What it extends stays where it is, by a path from there; a schema that its first line names by a path is named by a
    URI. Raises `ZooError` if there is no such spec.
    """
    path, _ = find(source)
    text = _content(path, source).decode("utf-8-sig")
    schema = re.match(r"# yaml-language-server: \$schema=(?!\w+:)(\S+)", text)
    if schema:
        text = text[: schema.start(1)] + (path.parent / schema[1]).resolve().as_uri() + text[schema.end(1) :]
    known = parsing.parse(_content(path, source), "")[0]
    wanted = {**_moved(known, path.parent, folder), "name": name} if isinstance(known, dict) else None
    below = _EXTENDS.search(text)
    if below and wanted is not None:
        text = text[: below.start(2)] + str(wanted["extends"]).partition(":")[0] + text[below.end(2) :]
    quoted = name if parsing.parse(name.encode(), "")[::2] == (name, []) else f'"{name}"'
    named = re.compile(r"(?m)^([\"']?)name\1[ \t]*:(?:[ \t]*\n)?[ \t]+[^#\n]*?(?=([ \t]+#.*)?$)")
    if named.search(text):
        text = named.sub(f"name: {quoted}", text, count=1)
    elif not isinstance(known, dict) or "name" not in known:  # it goes by its base's
        text = re.sub(r"(?m)^([\"']?)(spec|extends)\1[ \t]*:.*$", rf"\g<0>\nname: {quoted}", text, count=1)
    if wanted is not None and parsing.parse(text.encode(), "")[0] != wanted:  # it is written in another style
        return dumping.dump(wanted)
    return text


def _moved(data: dict[str, Any], here: Path, folder: Path) -> dict[str, Any]:
    """The data of a spec for another folder: the file that it extends stays where it is."""
    file, colon, variant = str(data.get("extends", "")).partition(":")
    if not file.endswith((".yaml", ".yml")) or Path(file).is_absolute():
        return data
    there = Path(os.path.relpath((here / file).resolve(), folder.resolve())).as_posix()
    return {**data, "extends": there + colon + variant}


_EXTENDS = re.compile(r"""(?m)^extends:[ \t]+(["']?)([^"'#\n]+?\.ya?ml)(:[^"'#\s]+)?\1[ \t]*(#.*)?$""")
"""The line of a file that says which file beside it is extended."""


_ONCE_A_ROW = ("classification", "multilabel", "regression", "forecasting")
"""What data may ask for whose answer comes once a row, as it does from every spec of the zoo that states no task."""


def is_for(one: Card, task: str) -> bool:
    """Whether a spec is for a task: it states that, or no task and ends in what the task's head can stand on."""
    return one.stated == task or (not one.stated and one.family in FAMILIES and task in _ONCE_A_ROW)


def _variants(content: bytes) -> list[str]:
    given = _head(content).get("variants")
    return list(given) if isinstance(given, dict) else []


def body_problems(found: Spec) -> list[Problem]:
    """What is wrong with a spec's body, at the defaults of its ranges and at the ends of those that decide shapes.

    What only data can know is no problem yet.
    """
    flat, said = _unfolded(found, {})
    told = {one.path for one in said}
    for name, value in at_the_ends(found, flat):
        at = f" where `{name}` is {ranges.spelt(value)}"
        more = [one for one in _unfolded(found, {name: value})[1] if one.path not in told]
        said += [replace(one, wrong=one.wrong + at) for one in more]
    return unpublished(found) + said


def at_the_ends(found: Spec, flat: network.Network | None = None) -> list[tuple[str, Any]]:
    """The ranges that may decide the shapes of a spec, each with the values at its ends.

    A range that acts as lambda or p alone, or in training, decides none. `flat` is the spec unfolded at its defaults,
    where that was done before.
    """
    flat = flat or _unfolded(found, {})[0]
    body = replace(found, data={key: value for key, value in found.data.items() if key != "train"}).ranges()
    knobs = flat.knobs() if flat else set()
    return [(name, value) for name, one in body.items() if name not in knobs for value in one.held()]


def _unfolded(found: Spec, values: Mapping[str, Any]) -> tuple[network.Network | None, list[Problem]]:
    unknown = [] if found.coded else [key for key in FACTS[found.task] if key not in found.facts]
    return unfolding.unfold(found.fill(values).adapted(**dict.fromkeys(unknown, 2)))


def find(name: str) -> tuple[Path, str]:
    """The file of a spec and its variant there: a path if it names one, else one of the zoo's.

    Raises `ZooError` with the nearest name.
    """
    before, colon, variant = name.rpartition(":")
    given = before if colon and before.endswith((".yaml", ".yml")) else name
    path = Path(given)
    if path.suffix in (".yaml", ".yml") or "/" in given:
        if os.path.isfile(path):
            return path, variant if given != name else ""
        says = "is a folder" if os.path.isdir(path) else "is not there"
        raise ZooError(f"{given} {says}; expected the path of a spec file, or a name that `zoo list` shows")
    known = next((known for known in names() if plainly(known) == plainly(name)), None)
    if known:
        return names()[known]
    of_file = next((path for stem, path in files().items() if plainly(stem) == plainly(name)), None)
    if of_file:
        several = _variants(of_file.read_bytes())
        raise ZooError(f"`{name}` is a file of {len(several)} specs; expected one of them: {listed(several, 12)}")
    beside = next((f"{name}{end}" for end in (".yaml", ".yml") if os.path.isfile(f"{name}{end}")), "")
    hint = beside or nearest(name, names())
    many = f"one of the {len(names())} that `zoo list` shows, or a path"
    raise ZooError(f"no spec `{name}`; expected {many}" + (f"; did you mean `{hint}`?" if hint else ""))


def _extended(name: str, file: str) -> tuple[bytes, str, str]:
    """What a spec extends: a path beside its file, or a name. Raises `LookupError` with (wrong, expected)."""
    is_file = name.endswith((".yaml", ".yml")) or ".yaml:" in name
    beside = os.path.normpath(Path(file).parent / name) if is_file else name
    try:
        path, variant = find(beside)
        if beside == name and _is_same(path, file):  # a file that has a name of the zoo's, and is laid over that
            ours = {plainly(known): one for file_of in _zoos().values() for known, one in _named(file_of).items()}
            path, variant = ours.get(plainly(name), (path, variant))
        shown = _shown(path, beside, variant)
        return path.read_bytes(), str(path) if shown == file and not _is_same(path, file) else shown, variant
    except (ZooError, OSError) as error:
        wrong, _, expected = str(error).partition("; expected ")
        there = [f"{name}{end}" for end in (".yaml", ".yml") if (Path(file).parent / f"{name}{end}").is_file()]
        if there:
            raise LookupError(wrong, "the path of a spec file, or a name", there[0]) from None
        raise LookupError(wrong, expected) from None


def _is_same(path: Path, file: str) -> bool:
    return path.resolve() == Path(file).resolve()


def _content(path: Path, source: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ZooError(f"{source} cannot be read: {error.strerror}") from None


def _shown(path: Path, given: str, variant: str) -> str:
    """The name of a file as problems say it: as it was given, or its own for a spec of the zoo."""
    given = given.removesuffix(f":{variant}") if variant else given
    own = any(path.is_relative_to(folder) for folder in _FOLDERS)
    return given if Path(given) == path else str(path) if own else path.name
