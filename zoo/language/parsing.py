"""Bytes to plain values with their places: YAML 1.2 in spirit, nothing that runs code, no surprises.

In come the bytes of a file; out come dicts, lists, numbers, text, booleans and None, the place of each, and every
problem that was found. Refused: tags, anchors, aliases, keys written twice, words that YAML 1.1 took for booleans,
numbers in odd dress (`0x1F`, `1_000`, `012`, `.inf`), tuples of Python, and files too large or too deep to be a spec.
"""

from __future__ import annotations

import itertools
import json
import math
import numbers
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import yaml

from zoo.errors import Mark, Problem
from zoo.language import slips

Path = tuple[str | int, ...]
Marks = dict[Path, Mark]

LARGEST = 20_000_000
FARTHEST, FLOATED = 1e15, 3.4028235e38
"""The whole numbers beyond which nothing in a spec lies, and those with a point: float32 has none beyond."""


def near(number: float, whole: bool) -> str:
    """Between which numbers one of this kind may lie; an empty text if it does."""
    bound = FARTHEST if whole else FLOATED
    return "" if -bound <= number <= bound else f"a number between -{bound:.8g} and {bound:.8g}"


_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_REFUSED = {"yes": "true", "on": "true", "no": "false", "off": "false", "none": "null"}
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ODD_NUMBER = re.compile(r"[-+]?(0[xob][0-9a-f_]+|[0-9][0-9_]*(\.[0-9_]*)?(e[-+]?[0-9_]+)?|\.(inf|nan))", re.IGNORECASE)
_TUPLE = re.compile(r"\([-+0-9.eE ()]*,[-+0-9.eE, ()]*\)")
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where it is installed: ten times faster
_TAGS = "tag:yaml.org,2002:"

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
NAMES = "letters a to z or A to Z, digits, `_`, `-` and `.`"
"""What specs may be called: what Keras, TensorFlow and file systems take."""

_SCOPE = r"[A-Za-z0-9.][A-Za-z0-9_.-]*"
LAYER = re.compile(rf"(?=.*[A-Za-z0-9]){_SCOPE}(>{_SCOPE})*")
LAYERS = "letters a to z or A to Z, digits, `.` and `>`, behind the first also `_` and `-`"
"""What layers may be called: what TensorFlow takes as the name of a scope, and of what is computed in it."""

MOST = 2_000_000
"""So many values may a mapping of Python hold that is read as a spec."""
_MANY = f"more than {MOST:,} values"
GLUED = slips.GLUED


def parse(content: bytes, file: str) -> tuple[Any, Marks, list[Problem]]:
    """Read the bytes of one YAML document.

    Returns the value, the place of each of its parts by path (a key for an entry, the item in a list), and the
    problems; after a problem of syntax the value is None, unless it is plain what was meant. What could not be read
    stands in the value as None.
    """
    if len(content) > LARGEST:
        return None, {}, [Problem(f"{len(content):,} bytes", f"a spec of {LARGEST:,} at most", mark=Mark(file, 1, 1))]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8")
        wrong = f"the byte 0x{error.object[error.start]:02X} is not UTF-8"
        return None, {}, [Problem(wrong, "text in UTF-8", mark=slips.end(before, file))]
    odd = _UNPRINTABLE.search(text)
    if odd:
        wrong = f"the character U+{ord(odd.group()):04X} cannot be printed"
        return None, {}, [Problem(wrong, "plain text", mark=slips.end(text[: odd.start()], file))]
    told, moved = list[Problem](), list[slips.Put]()
    while True:
        reader = _Reader(text, file)
        try:
            value = reader.document()
        except (yaml.YAMLError, ValueError, OverflowError) as error:  # ValueError: an escape, in YAML read by Python
            value, slip = None, slips.of(error, text, file)
            told.append(replace(slip.problem, mark=slips.before(slip.problem.mark, moved)))
            if slip.put and len(told) < slips.MOST:  # it is plain what was meant: what else is wrong is told as well
                text = slips.mended(text, slip.put)
                moved += slip.put
                continue
        if not told:
            return value, reader.marks, reader.problems
        found = [*told, *(replace(one, mark=slips.before(one.mark, moved)) for one in reader.problems)]
        found.sort(key=lambda one: (one.mark.line, one.mark.column) if one.mark else (0, 0))
        return value, {path: slips.before(mark, moved) for path, mark in reader.marks.items()}, found


def head(content: bytes, until: Sequence[str]) -> dict[str, Any]:
    """The first entries of a document, up to one of the keys; what cannot be read is left out, and said elsewhere."""
    try:
        return _Reader(content.decode("utf-8-sig"), "").head(until)
    except (yaml.YAMLError, ValueError, OverflowError, StopIteration):
        return {}


def copied(value: Any, source: str, path: Path = ()) -> tuple[Any, Marks, list[Problem]]:
    """The same of a value of Python instead of bytes, at a path: a copy in plain values, its one place the `source`."""
    place = Mark(source, 0, 0)
    problems: list[Problem] = []
    parts = itertools.count(1)

    def copy(value: Any, path: Path) -> Any:
        if next(parts) > MOST:
            if not problems or problems[-1].wrong != _MANY:  # one value may stand there a billion times
                problems.append(Problem(_MANY, "a smaller spec", mark=place))
        elif len(path) > slips.DEEPEST:
            problems.append(Problem(slips.DEEP, mark=place))
        elif isinstance(value, Mapping) and all(map(_is_key, value)):
            return {str(key): copy(inner, (*path, key)) for key, inner in value.items()}
        elif isinstance(value, (list, tuple)):
            return [copy(inner, (*path, index)) for index, inner in enumerate(value)]
        elif value is None or isinstance(value, bool) or (isinstance(value, str) and _is_text(value)):
            return value
        elif isinstance(value, float) and math.isinf(value):  # which some numbers may be, as texts
            return str(float(value))
        elif isinstance(value, numbers.Real) and not near(*(found := _as_plain(value))):
            return found[0]
        else:
            wrong, expected = (
                f"`{type(value).__name__}` cannot be written in a spec",
                "plain values under keys of text",
            )
            if isinstance(value, numbers.Real):
                wrong, expected = "a number that is not finite, or too far from 0", near(*_as_plain(value))
            problems.append(Problem(wrong, expected, "", written(path), place))
        return None

    return copy(value, path), {(): place}, problems


def plain(text: str) -> Any:
    """What a word written on the command line means: a number, a boolean, a list, a mapping, else the text itself.

    Raises `ValueError` with a sentence if it cannot be read.
    """
    if not text.strip():
        return None
    value, _, problems = parse(text.encode(errors="surrogateescape"), "--set")
    if problems:
        one = problems[0]
        raise ValueError(one.wrong + (f"; expected {one.expected}" if one.expected else ""))
    return value


def _as_plain(value: Any) -> tuple[int | float, bool]:
    """A number of Python or NumPy as Python's own, and whether it is a whole one."""
    return (int(value), True) if isinstance(value, numbers.Integral) else (float(value), False)


def _is_key(value: Any) -> bool:
    """Whether a key of a mapping is a text, or a whole number, which a label may be."""
    if isinstance(value, str):
        return _is_text(value)
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_text(value: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def moved(marks: Marks, path: Path, to: Path) -> Marks:
    """The places of a value and of what it holds, under another path."""
    return {(*to, *known[len(path) :]): mark for known, mark in marks.items() if known[: len(path)] == path}


def place_of(marks: Marks, path: Path) -> Mark | None:
    """Where a path was written, or what it stands in."""
    return next((marks[path[:end]] for end in range(len(path), -1, -1) if path[:end] in marks), None)


def problem_at(marks: Marks, path: Path, wrong: str, expected: str = "", hint: str = "") -> Problem:
    """A problem at a path, with its place."""
    return Problem(wrong, expected, hint, written(path), place_of(marks, path))


class _Reader:
    """Turns the events of a YAML text into values, noting where each stands and what is wrong with it."""

    def __init__(self, text: str, file: str) -> None:
        self.events, self.text = yaml.parse(text, _LOADER), text
        self.file = file
        self.marks: Marks = {}
        self.problems: list[Problem] = []
        self.lines: slips.Lines | None = None
        self.listed = False

    def document(self) -> Any:
        next(self.events)  # the stream begins
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            self.problems.append(Problem("nothing is written here", "a spec", mark=Mark(self.file, 1, 1)))
            return None
        value = self.value(next(self.events), ())
        next(self.events)  # the document ends
        event = next(self.events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise yaml.MarkedYAMLError(problem="did not find expected <document start>", problem_mark=_at(event))
        return value

    def head(self, until: Sequence[str]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for _ in range(2):
            next(self.events)
        if not isinstance(next(self.events), yaml.MappingStartEvent):
            return result
        while isinstance(event := next(self.events), yaml.ScalarEvent) and event.value not in until:
            result[event.value] = self.value(next(self.events), (event.value,))
        return result

    def value(self, event: Any, path: Path) -> Any:
        self.marks.setdefault(path, self._mark(event))
        if len(path) > slips.DEEPEST:
            raise yaml.MarkedYAMLError(problem=slips.DEEP, problem_mark=_at(event))
        if isinstance(event, yaml.AliasEvent):
            self._wrong(path, f"`*{event.anchor}` is an alias", "the value itself, written out", event)
            return None
        if event.anchor is not None:
            self._wrong(path, f"`&{event.anchor}` is an anchor", "the value alone, written out where it is used", event)
        if event.tag is not None:
            self._wrong(path, f"`{event.tag.replace(_TAGS, '!!')}` is a tag", "a plain value", event)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event, path)
        if isinstance(event, yaml.SequenceStartEvent):
            before, self.listed = self.listed, self.listed or bool(event.flow_style)
            found = self._sequence(path)
            self.listed = before
            return found
        if event.style:  # quoted and block text has a style
            return event.value
        if self.listed:  # between brackets words are as they stand
            pass
        elif len(path) > 1 or (path and event.value[:1] == "-"):  # else it may be prose
            self._check(event, "item" if isinstance(path[-1], int) else "value")
        return self._scalar(event.value, path)

    def _mapping(self, start: yaml.MappingStartEvent, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        cut = False  # a tuple or a call that YAML cut at its commas: the pieces up to its end are no keys
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.tag or event.anchor or not event.value:
                anchor = event.anchor if isinstance(event, yaml.ScalarEvent) else None
                wrong = f"`&{anchor}` is an anchor" if anchor else "a key that is no plain word"
                expected = "the value alone, written out where it is used" if anchor else "a word before each colon"
                self._wrong(path, wrong, expected, event)
                self._skip(event)
                self._skip(next(self.events))
                continue
            if not event.style:
                self._check(event, "entry" if start.flow_style else "key")
            key, inner = event.value, next(self.events)
            here = (*path, key)
            if key == "<<" and not event.style:  # what it would put here is read as if it stood here
                self._wrong(path, "`<<` is a merge key of YAML", "the keys themselves", event)
                if isinstance(inner, yaml.MappingStartEvent):
                    result |= self.value(inner, here)
                else:
                    self._skip(inner)
                continue
            if cut:
                cut = ")" not in key
                self._skip(inner)
            elif key in result:
                first = self.marks[here].line
                self._wrong(here, f"written twice, first in line {first}", "each key once", event)
                self._skip(inner)
            elif start.flow_style and self._is_glued(event, inner, path):
                found = GLUED.fullmatch(key)
                assert found is not None
                glued = (*path, found[1])
                self.marks.setdefault(glued, self._mark(event))
                result[found[1]] = self._scalar(found[3], glued)
            else:
                self.marks[here] = self._mark(event)
                cut = bool(start.flow_style) and self._is_cut(event, inner, here)
                if cut:
                    self._skip(inner)
                result[key] = None if cut else self.value(inner, here)
        return result

    def _is_glued(self, key: yaml.ScalarEvent, value: yaml.Event, path: Path) -> bool:
        found = GLUED.fullmatch(key.value)
        if not found or key.style or getattr(value, "value", "?"):
            return False
        self._wrong((*path, found[1]), *slips.glued(key.value), key)
        return True

    def _is_cut(self, key: yaml.ScalarEvent, value: yaml.Event, path: Path) -> bool:
        for one in (key, value):
            text = one.value if isinstance(one, yaml.ScalarEvent) and not one.style else ""
            if text.count("(") > text.count(")"):
                end = one.end_mark.index if one.end_mark else 0
                at_comma = self.text[end:].lstrip()[:1] in (",", ":")
                wrong = f"`{text}` is cut off at its comma" if at_comma else f"a `(` that is not closed in `{text}`"
                expected = "a list in `[ ]`, or quotes around text with a comma" if at_comma else "`)` at its end"
                self._wrong(path, wrong, expected, key)
                return True
        return False

    def _sequence(self, path: Path) -> list[Any]:
        result: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            result.append(self.value(event, (*path, len(result))))
        return result

    def _skip(self, event: yaml.Event) -> None:
        """Pass over the rest of a value whose first event was read."""
        depth = 0
        while True:
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth == 0:
                return
            event = next(self.events)

    def _scalar(self, text: str, path: Path) -> Any:
        if text in _WORDS:
            return _WORDS[text]
        lower, short = text.lower(), text if len(text) <= 40 else text[:37] + "..."
        if lower in _REFUSED or lower in _WORDS:
            meant = _REFUSED.get(lower, lower)
            expected = "null" if meant == "null" else "true or false"
            self._wrong(path, f"`{text}` is no word of the language", f"{expected}, or quotes around text", hint=meant)
            return _WORDS[meant]
        elif _NUMBER.fullmatch(text):
            whole, number = bool(_WHOLE.fullmatch(text)), float(text)
            if expected := near(number, whole):
                self._wrong(path, f"`{short}` is too far from 0", expected)
                return None
            return int(text) if whole else number
        elif _ODD_NUMBER.fullmatch(text):
            beside = f", or `{lower.replace('.', '').lstrip('+')}` beside tensors" if "inf" in lower else ""
            expected = f"a decimal number such as 31 or 1e-3, or quotes around text{beside}"
            self._wrong(path, f"`{short}` is no number of the language", expected)
        elif _TUPLE.fullmatch(text):
            meant = text.translate(str.maketrans("()", "[]"))
            self._wrong(path, f"`{short}` is a tuple of Python", "a list in `[ ]`", hint=meant if text == short else "")
        else:
            return text
        return None

    def _check(self, event: yaml.ScalarEvent, kind: str) -> None:
        """Raise the slip that a plain word is, if it is one."""
        if slips.is_odd(kind, event.value):
            self.lines = self.lines or slips.Lines(self.text, self.file)
            self.lines.check(event)

    def _mark(self, event: yaml.Event) -> Mark:
        mark = _at(event)
        return Mark(self.file, mark.line + 1, mark.column + 1)

    def _wrong(self, path: Path, wrong: str, expected: str, event: yaml.Event | None = None, hint: str = "") -> None:
        mark = self._mark(event) if event else self.marks[path]
        self.problems.append(Problem(wrong, expected, hint, written(path), mark))


def _at(event: yaml.Event) -> Any:
    return event.start_mark


def written(path: Path) -> str:
    """A path as people write it: `layers[0].Conv2D.filters`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


LONG = 12
"""A list of more values is said by its sizes where there is little room."""


def sizes(value: Any) -> list[int]:
    """The sizes of a list, of lists in it too if they are of one length; none of anything else."""
    if not isinstance(value, list):
        return []
    inner = {tuple(sizes(one)) for one in value}
    return [len(value), *(next(iter(inner)) if len(inner) == 1 else ())]


def short(value: Any) -> str:
    """What a list of many values is said to be, `60 x 64 values`; an empty text for anything else."""
    found = sizes(value)
    return f"{' x '.join(map(str, found))} values" if found and math.prod(found) > LONG else ""


def shown(value: Any) -> str:
    """A value as a spec writes it, in as many letters as a sentence can bear."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f"`{text if len(text) <= 40 else text[:37] + '...'}`"
