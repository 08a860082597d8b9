"""Specs over specs: `extends`, variants and `--set`, all one merge, with the place of every word kept.

Mappings merge deep, null removes, everything else replaces (JSON Merge Patch, RFC 7396); three things replace whole,
because half of each is nonsense: a range, a named object under another name, and a block.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.errors import Mark, Problem, is_close, listed, nearest
from zoo.language import expressions, parsing, ranges, spelling
from zoo.language.fields import BODY, PROSE
from zoo.language.objects import calls, is_named
from zoo.language.parsing import NAME, NAMES, Marks, Path, place_of, problem_at, shown, written

CHANGE = "--set"
"""The place of what a change brought in."""

DEEPEST = 10
"""So many specs may stand one over the other."""

Find = Callable[[str, str], "tuple[bytes, str, str]"]
"""The bytes of a spec that another extends, its file, and which of its variants: of (name, the file that asks)."""


@dataclass
class Document:
    """What a text says and where, and what was found wrong with it."""

    data: Any
    marks: Marks
    problems: list[Problem] = field(default_factory=list)
    level: int = 0
    """So many documents lie one over the other."""
    gone: list[tuple[int, Any]] = field(default_factory=list)
    """The values that were replaced or removed, each with the level of the document that did it."""
    written: dict[Path, int] = field(default_factory=dict)
    """The last level that wrote a name of `let` or a block; 0 where that is no other."""
    spelt: list[Problem] = field(default_factory=list)
    """Words that were misspelt, and are put right in what is here."""

    def problem(self, path: Path, wrong: str, expected: str = "", hint: str = "") -> None:
        """Note a problem at a path, with the place where that path was written."""
        self.problems.append(problem_at(self.marks, path, wrong, expected, hint))


def document(
    content: bytes | Mapping[str, Any], file: str, variant: str, find: Find | None, under: tuple[str, ...] = ()
) -> Document:
    """A spec from the bytes of a file or from a mapping, what it extends and its variant merged into it.

    A file with variants is itself no model; without `variant` its first stands for it where the caller allows that.
    `under` are the specs that extend this one, the nearest last.
    """
    if isinstance(content, bytes):
        data, marks, problems, spelt = _parsed(content, file)
        found = Document(copy.deepcopy(data), dict(marks), list(problems), spelt=list(spelt))
    else:
        found = _spelt(*parsing.copied(content, file))
    if not isinstance(found.data, dict):
        return found
    if "extends" in found.data:
        found = _extended(found, file, find, (*under, f"{file}:{variant}" if variant else file))
    if not isinstance(found.data, dict):  # nor is what it extends a spec
        return found
    if "variants" in found.data:
        found = _varied(found, variant)
    elif variant:
        found.problem((), f"no variant `{variant}`", "no variant, as this file has none")
    return found


@functools.lru_cache(maxsize=8)
def _parsed(content: bytes, file: str) -> tuple[Any, Marks, list[Problem], list[Problem]]:
    """The text of a file, read once for all its variants; a copy is what the caller may change."""
    found = _spelt(*parsing.parse(content, file))
    return found.data, found.marks, found.problems, found.spelt


def variants(content: bytes, file: str) -> list[str]:
    """The names of the variants in a file, however the word is spelt; none where it has none."""
    data = _parsed(content, file)[0]
    given = data.get("variants") if isinstance(data, dict) else None
    return list(given) if isinstance(given, dict) else []


def _spelt(data: Any, marks: Marks, problems: list[Problem]) -> Document:
    """What a text says, its misspelt words put right."""
    if not isinstance(data, dict):
        return Document(data, marks, problems)
    data, marks, spelt = spelling.mended(data, marks)
    return Document(data, marks, problems, spelt=spelt)


def _extended(found: Document, file: str, find: Find | None, under: tuple[str, ...]) -> Document:
    name = found.data.pop("extends")

    def refused(wrong: str, expected: str, hint: str = "") -> Document:
        found.problem(("extends",), wrong, expected, hint)
        return found

    if not isinstance(name, str) or not name.strip() or find is None:
        return refused(f"{shown(name)} is not accepted", "the name of a spec, or the path of a file")
    try:
        content, base_file, variant = find(name, file)
    except LookupError as error:
        return refused(*error.args)
    if (f"{base_file}:{variant}" if variant else base_file) in under:
        return refused(
            f"`{name}` extends this spec in turn" if len(under) > 1 else f"`{name}` is this spec itself", "another spec"
        )
    if len(under) > DEEPEST:
        return refused(f"more than {DEEPEST} specs one over the other", "fewer")
    below = _parsed(content, base_file)[0]
    variants = below.get("variants") if isinstance(below, dict) else None
    known = list(variants) if isinstance(variants, dict) else []
    if variant and variant not in known:
        others = f"one of {listed(known, 40)}" if known else "no variant, as that file has none"
        return refused(f"{base_file} has no variant `{variant}`", others, nearest(variant, known))
    if len(known) > 1 and not variant:
        which = listed((f"{name}:{one}" for one in known), 6)
        return refused(f"{name} holds {len(known)} specs", f"one of them: {which}")
    base = document(content, base_file, variant, find, under)
    if not isinstance(base.data, dict):
        base.problems += found.problems
        return base
    base.data.pop("variants", None)
    over = {key: value for key, value in found.data.items() if key != "extends"}
    marks = {path: mark for path, mark in found.marks.items() if path[:1] != ("extends",)}
    made = merged(base, Document(over, marks, found.problems, spelt=found.spelt), ())
    made.marks[()] = found.marks.get((), made.marks.get(()))  # type: ignore[assignment]
    made.problems = [*base.problems, *found.problems, *made.problems]
    return made


def _varied(found: Document, name: str) -> Document:
    variants = found.data.pop("variants")
    if not isinstance(variants, dict) or not variants or "" in variants:
        found.problem(("variants",), f"{shown(variants)} is not accepted", "{name: {key: value}}")
        return found
    chain: list[str] = []
    at = name or next(iter(variants))
    while at:
        if at not in variants:
            where: Path = ("variants", chain[-1], "extends") if chain else ()
            others = [one for one in variants if one not in chain]
            known = f"one of {listed(others, 40)}" if others else "another variant of the file, which has none"
            close = nearest(at, others)
            found.problem(where, f"no variant `{at}`", known, close)
            if close or not chain:  # read as it is likely meant, or as the first, so that no name lacks a value
                at = close or next(iter(variants))
                continue
            found.data.setdefault("name", at)
            return found
        if at in chain:
            found.problem(("variants", at, "extends"), f"`{at}` extends itself", "another variant")
            return found
        chain.append(at)
        body = variants[at]
        at = body.get("extends", "") if isinstance(body, dict) else ""
        if not isinstance(at, str):
            found.problem(("variants", chain[-1], "extends"), f"{shown(at)} is not accepted", "the name of a variant")
            return found
    for one in reversed(chain):
        body, here = variants[one], ("variants", one)
        if not isinstance(body, dict):
            found.problem(here, f"{shown(body)} is not accepted", "a mapping of what is different")
            continue
        over = {key: value for key, value in body.items() if key != "extends"}
        for key in ("spec", "name", "family", "variants"):
            if key in over:
                found.problem((*here, key), f"`{key}` cannot be changed", "a key of the network")
                del over[key]
        before = found.problems
        found = merged(found, Document(over, found.marks, before), here)
        found.problems = [*before, *found.problems]
    own = found.data.get("name", "")  # what the file is called in prose: a variant goes by its own name
    if "name" in found.data and not (isinstance(own, str) and NAME.fullmatch(own)):
        found.problem(("name",), f"{shown(own)} is not accepted", f"a name of {NAMES}, or none")
    found.data["name"] = name or chain[0]
    found.marks[("name",)] = place_of(found.marks, ("variants", chain[0]))  # type: ignore[assignment]
    return found


def varied(data: dict[str, Any], variant: str) -> dict[str, Any]:
    """The head of a file as one of its variants has it; places do not matter here."""
    return _varied(Document(data, {(): Mark("", 0, 0)}), variant).data


def merged(base: Document, over: Document, at: Path, into: Path = (), level: int = 0) -> Document:
    """The base with what lies at a path of the other document merged over it; `over.data` is what lies there.

    `into` is the one place that is meant, where there is one: it may lie inside a block, which then is not replaced.
    The `level` is one more than the base's unless it is said.
    """
    level = level or base.level + 1
    made = Document(
        base.data, dict(base.marks), [], level, list(base.gone), dict(base.written), [*base.spelt, *over.spelt]
    )  # fmt: skip
    told = {one.path for one in over.problems}
    let, known = over.data.get("let"), base.data.get("let")
    if isinstance(let, dict):
        known = known if isinstance(known, dict) else {}
        for name in let:
            if name not in known:
                close = nearest(name, known)
                expected = f"one of {listed(known)}" if known else f"`let: {{{name}: VALUE}}` in the base"
                where = written((*at, "let", name))
                place = place_of(over.marks, (*at, "let", name))
                made.problems.append(Problem("the base has no `let` of this name", expected, close, where, place))
                if close and close not in let:  # read as it is likely meant
                    let = {**let, close: let[name]}
                    over.marks |= parsing.moved(over.marks, (*at, "let", name), (*at, "let", close))
        over.data = {**over.data, "let": {name: value for name, value in let.items() if name in known}}
        if not known:
            del over.data["let"]
    for section in ("let", "blocks"):
        given = over.data.get(section)
        made.written |= {(section, name): level for name in given} if isinstance(given, dict) else {}
    taken: list[Path] = []

    def both(old: Any, new: Any, path: Path) -> Any:
        if not _mergeable(old, new, path) and not (len(into) > 2 and path == into[:2] and isinstance(old, dict)):
            taken.append(path)
            made.gone.append((level, old))
            if ranges.looks_like(old) and isinstance(new, dict) and new and not ranges.looks_like(new):
                part = {"default"} <= {*new} <= {*ranges.KEYS}
                where, place = written((*at, *path)), place_of(over.marks, (*at, *path))
                expected = "all of it, which replaces the base's"
                made.problems += [Problem("a part of a range", expected, "", where, place)] if part else []
            return new
        result = dict(old)
        for key, value in new.items():
            if value is None and key not in old:
                where, place = written((*at, *path, key)), place_of(over.marks, (*at, *path, key))
                if where in told:  # it is null for want of another word
                    continue
                wrong, close = "null removes it, and the base has none", nearest(key, old)
                made.problems.append(Problem(wrong, "a key that stands there", close, where, place))
            elif value is None:
                made.gone.append((level, result.pop(key)))
            elif key in old:
                result[key] = both(old[key], value, (*path, key))
            else:
                taken.append((*path, key))
                result[key] = value
            made.marks[(*path, key)] = place_of(over.marks, (*at, *path, key)) or made.marks.get((*path, key))  # type: ignore[assignment]
        return result

    made.data = both(base.data, over.data, ())
    for path in taken:
        for longer in [known for known in made.marks if len(known) > len(path) and known[: len(path)] == path]:
            del made.marks[longer]
        start = (*at, *path)
        for known, mark in over.marks.items():
            if known[: len(start)] == start:
                made.marks[known[len(at) :]] = mark
    return made


def without_unread(
    data: dict[str, Any], gone: Iterable[tuple[int, Any]], written: Mapping[Path, int]
) -> dict[str, Any]:
    """The data of a spec without names and blocks that nothing reads but values which are gone.

    Nobody is to blame for those, unless they were `written` no lower than where their reader was replaced.
    """
    data, left = dict(data), list(gone)
    while left:
        level, value = left.pop()
        words = set(expressions.words_of(value))
        for key, mark in (("let", "$"), ("blocks", "")):
            known = data.get(key)
            for name in [one for one in known if f"{mark}{one}" in words] if isinstance(known, dict) else []:
                rest = {**data, key: {one: inner for one, inner in data[key].items() if one != name}}
                still = _read(rest) if key == "let" else set(_called(rest))
                if written.get((key, name), 0) < level and name not in still:
                    left.append((level, data[key][name]))
                    data = rest if rest[key] else {one: inner for one, inner in rest.items() if one != key}
    return data


def _read(data: dict[str, Any]) -> set[str]:
    """The names that a spec reads; a block's own are no others' business, but where their values read those around."""
    found = {*expressions.read({key: value for key, value in data.items() if key != "blocks" and key not in PROSE})}
    blocks = data.get("blocks")
    for block in blocks.values() if isinstance(blocks, dict) else ():
        found |= expressions.read_around(block) if isinstance(block, dict) else set()
    return found


def _called(data: dict[str, Any]) -> Iterator[str]:
    """What the items of a spec call."""
    blocks = data.get("blocks")
    bodies = [one.get("layers") for one in blocks.values() if isinstance(one, dict)] if isinstance(blocks, dict) else []
    for body in (*bodies, *(data.get(key) for key in (*BODY, "prepare"))):
        yield from calls(body if isinstance(body, list) else [body])


def _mergeable(old: Any, new: Any, path: Path) -> bool:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return False
    if ranges.looks_like(old) or ranges.looks_like(new) or (len(path) == 2 and path[0] == "blocks"):
        return False
    return not (is_named(old) and is_named(new) and old.keys() != new.keys())


def change(
    found: Document, path: tuple[str, ...], value: Any, known: Mapping[str, Any], unsaid: Mapping[str, Any],
    objects: Container[str], level: int,
) -> None:  # fmt: skip
    """Merge one `--set` into a spec whose keys may be those `known`; `unsaid` are the usual values of keys it lacks.

    `objects` are the keys of `train` that hold named objects; all changes are of one `level`.
    """
    place = Mark(CHANGE, 0, 0)
    data, at = found.data, found.data
    inner_unsaid: Any = unsaid

    def wrong(says: str, expected: str, hint: str = "", where: str = ".".join(path)) -> None:
        found.problems.append(Problem(says, expected, hint, where, place))

    if path[0] in ("variants", "extends"):
        return wrong(f"`{path[0]}` cannot be changed", "another spec, or a file of your own")
    for depth, key in enumerate(path[:-1], 1):
        if key not in at and isinstance(inner_unsaid, Mapping) and key in inner_unsaid:
            at[key] = copy.deepcopy(inner_unsaid[key])
        here = ".".join(path[:depth])
        if path[0] == "train" and depth == 2 and key in objects and value is not None:
            name, held = path[2], at.get(key)
            another = is_named(held) and name not in held
            if another:
                found.gone.append((level, held))
            if another or held in (None, name, {name: None}):  # a name alone, or none yet, gets its first argument
                at[key] = {name: {}}
                found.marks.update(dict.fromkeys((path[:depth], path[: depth + 1]), place))
        if path[:depth] == ("train", "class_weight") and not isinstance(at.get(key), dict):
            at[key] = {}  # the weight of a label beside those that are not named
            found.marks[path[:depth]] = place
        if key not in at and at is data and key in known:
            of_names = key in ("let", "blocks")  # which a change may only give other values
            return wrong(f"this spec has no `{key}`", f"a spec with `{key}`" if of_names else f"{here}=VALUE")
        if key not in at:
            words = known if at is data else at
            close = nearest(key, words)
            expected = "a key of a spec" if at is data and close else f"one of {listed(words, 50)}"
            if at is data and path[1:] and not is_close(str(key), close):
                expected += "; a value in a layer is set where it has a name, in `let`"
            return wrong("no such key", expected, close, here)
        if not isinstance(at[key], dict) or ranges.looks_like(at[key]):
            what = "a range, which is changed as a whole" if ranges.looks_like(at[key]) else "no mapping"
            return wrong(f"`{here}` is {what}", f"{here}=VALUE")
        inner = inner_unsaid.get(key) if isinstance(inner_unsaid, Mapping) else None
        at, inner_unsaid = at[key], inner if isinstance(inner, dict) else {}
    names = [path[1]] if len(path) == 2 and path[0] == "let" else []
    if path == ("let",) and isinstance(value, dict):
        names = list(value)
    for name in names:
        declared = data.get("let") if isinstance(data.get("let"), dict) else {}
        if name not in declared:
            expected = f"one of {listed(declared)}" if declared else "a spec with `let`"
            return wrong("this spec has no `let` of this name", expected, nearest(name, declared))
    over: Any = value
    for key in reversed(path):
        over = {key: over}
    made = merged(found, Document(over, {path: place}), (), path, level)
    found.data, found.marks, found.gone, found.written = made.data, made.marks, made.gone, made.written
    found.problems += made.problems
    return None
