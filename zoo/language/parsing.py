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
from dataclasses import dataclass, replace
from typing import Any

import yaml

from zoo.errors import Mark, Problem

Path = tuple[str | int, ...]
Marks = dict[Path, Mark]

LARGEST, DEEPEST = 20_000_000, 60
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

_DEEP = f"nested deeper than {DEEPEST} levels"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
NAMES = "letters a to z or A to Z, digits, `_`, `-` and `.`"
"""What specs may be called: what Keras, TensorFlow and file systems take."""

_SCOPE = r"[A-Za-z0-9.][A-Za-z0-9_.-]*"
LAYER = re.compile(rf"(?=.*[A-Za-z0-9]){_SCOPE}(>{_SCOPE})*")
LAYERS = "letters a to z or A to Z, digits, `.` and `>`, behind the first also `_` and `-`"
"""What layers may be called: what TensorFlow takes as the name of a scope, and of what is computed in it."""

MOST = 2_000_000
"""So many values may a mapping of Python hold that is read as a spec."""
SLIPS = 20
"""So many slips of syntax are told at most."""
_MANY = f"more than {MOST:,} values"
_SAID = {
    "found a tab": ("a tab", "spaces for indentation"),
    "mapping values are not allowed": (
        "a colon that cannot stand here",
        "`key: value` right under the key above, or quotes around text that holds `: `",
    ),
    "sequence entries are not allowed": ("a `- ` that cannot stand here", "list items on lines of their own"),
    "expected '-' indicator": ("not in line with the list above", "`- ` right under the `- ` above"),
    "did not find expected key": (
        "what stands here belongs to nothing above",
        "`key: value` right under the key above, and nothing after a closing quote or bracket",
    ),
    "did not find expected <document start>": ("a second document begins", "one spec in a file"),
    "did not find expected whitespace": ("a `!` that begins a tag", "`not` for the opposite of a condition"),
    "found unexpected ':'": ("a colon with nothing behind it", "a value, or the name without its colon"),
    "unknown escape": ("a backslash that means nothing in double quotes", "single quotes, or two backslashes"),
    "maximum nesting depth": (_DEEP, ""),
}
"""What libyaml says of common slips, and how we say it."""

_OPENED = {
    "could not find expected ':'": ("a line without a colon", "`key: value`"),
    "',' or ']'": ("a `[` that is not closed", "`]` at its end, and commas between its items"),
    "',' or '}'": ("a `{` that is not closed", "`}` at its end, and commas between its entries"),
    "did not find expected node content": ("a bracket that is not closed, or holds nothing where a value belongs", ""),
    "unexpected end of stream": ("a quote that is not closed", "the same quote at its end"),
}
"""The same of slips that are best shown where they begin."""

GLUED = re.compile(r"([A-Za-z_]\w*)(:| *[=;] *| +)([^\s:=;].*)")
"""An entry between braces whose colon has no space behind it, or that has none: `units:4`, `units 4`, `units=4`."""

_COMPUTED = re.compile(r"\$(\{|[A-Za-z_][^,{}\[\]]*\[)(?=$)")
"""An expression up to its bracket, which between brackets is one of YAML's own."""


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
        return None, {}, [Problem(wrong, "text in UTF-8", mark=_end(before, file))]
    odd = _UNPRINTABLE.search(text)
    if odd:
        wrong = f"the character U+{ord(odd.group()):04X} cannot be printed"
        return None, {}, [Problem(wrong, "plain text", mark=_end(text[: odd.start()], file))]
    told, moved = list[Problem](), list[_Put]()
    while True:
        reader = _Reader(text, file)
        try:
            value = reader.document()
        except (yaml.YAMLError, ValueError, OverflowError) as error:  # ValueError: an escape, in YAML read by Python
            value, slip = None, _syntax(error, text, file)
            told.append(replace(slip.problem, mark=_before(slip.problem.mark, moved)))
            if slip.put and len(told) < SLIPS:  # it is plain what was meant: what else is wrong is told as well
                for one in slip.put:
                    text = one.into(text)
                moved += slip.put
                continue
        if not told:
            return value, reader.marks, reader.problems
        found = [*told, *(replace(one, mark=_before(one.mark, moved)) for one in reader.problems)]
        found.sort(key=lambda one: (one.mark.line, one.mark.column) if one.mark else (0, 0))
        return value, {path: _before(mark, moved) for path, mark in reader.marks.items()}, found


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
        elif len(path) > DEEPEST:
            problems.append(Problem(_DEEP, mark=place))
        elif isinstance(value, Mapping) and all(isinstance(key, str) and _is_text(key) for key in value):
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


def _is_text(value: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def _end(text: str, file: str) -> Mark:
    """The place after a text."""
    lines = re.split(r"\r\n|\r|\n", text)
    return Mark(file, len(lines), len(lines[-1]) + 1)


def moved(marks: Marks, path: Path, to: Path) -> Marks:
    """The places of a value and of what it holds, under another path."""
    return {(*to, *known[len(path) :]): mark for known, mark in marks.items() if known[: len(path)] == path}


def place_of(marks: Marks, path: Path) -> Mark | None:
    """Where a path was written, or what it stands in."""
    return next((marks[path[:end]] for end in range(len(path), -1, -1) if path[:end] in marks), None)


def problem_at(marks: Marks, path: Path, wrong: str, expected: str = "", hint: str = "") -> Problem:
    """A problem at a path, with its place."""
    return Problem(wrong, expected, hint, written(path), place_of(marks, path))


@dataclass(frozen=True)
class _Put:
    """Signs that belong into a line, which counts from 0, at a column."""

    line: int
    column: int
    signs: str

    def into(self, text: str) -> str:
        """The text with them."""
        lines = text.splitlines(keepends=True)
        here = lines[self.line]
        lines[self.line] = here[: self.column] + self.signs + here[self.column :]
        return "".join(lines)


@dataclass(frozen=True)
class _Slip:
    """What is wrong with the syntax of a text, and what would put it right, if that is plain."""

    problem: Problem
    put: tuple[_Put, ...] = ()


def _before(mark: Any, moved: Sequence[_Put]) -> Any:
    """A place in a text before these signs were put in."""
    column = mark.column if mark else 0
    for one in reversed(moved):
        if one.line == mark.line - 1 and one.column < column - 1:
            column = max(column - len(one.signs), one.column + 1)
    return replace(mark, column=column) if moved and mark else mark


def _syntax(error: Exception, text: str, file: str) -> _Slip:
    says = str(getattr(error, "problem", None) or str(error).splitlines()[0])
    mark = getattr(error, "problem_mark", None)
    wrong, expected = next((said for part, said in _SAID.items() if part in says), (says, ""))
    for part, said in _OPENED.items():
        if part in says:
            at, mark = mark, getattr(error, "context_mark", None) or mark
            wrong, expected = said
            line = "".join(text.splitlines()[at.line : at.line + 1]) if at else ""
            if at and (cut := _COMPUTED.search(line, 0, at.column + 1)):
                wrong, expected = f"`{cut[0]}` begins a bracket of YAML's", "quotes around text that holds one"
                return _Slip(Problem(wrong, expected, mark=Mark(file, at.line + 1, cut.start() + 1)))
    if mark and "cannot start any token" in says:
        sign = text[mark.index]
        wrong, expected = f"the sign {sign} cannot begin a word", "quotes around text that begins with a special sign"
        if sign == "\t":
            wrong, expected = _SAID["found a tab"]
    before = "did not find expected key" in says  # a first item is a key, and the second, a true item, is refused
    dashed = before or any(one in says for one in ("'-' indicator", "mapping values", "expected ':'"))
    lines = text.splitlines()
    for at in range(mark.line - before, mark.line + 1) if mark and dashed else ():
        line = "".join(lines[at : at + 1])
        if glued := re.match(r" *-(?=[A-Za-z])", line):
            word = line[glued.end() :].split(":")[0].strip()
            problem = Problem("a `-` without a space behind it", f"`- {word}`", mark=Mark(file, at + 1, glued.end()))
            return _Slip(problem, (_Put(at, glued.end(), " "),) * _stands(lines, at, glued.end() - 1, glued.end() + 1))
    if mark and "mapping values are not allowed" in says and (dash := _deeper(lines, mark.line)):
        return _Slip(Problem(*_SAID["expected '-' indicator"], mark=Mark(file, mark.line + 1, dash)))
    if mark and (slip := _slip(lines, mark.line, mark.column, file)):
        return slip
    if mark and mark.index >= len(text.rstrip()):  # the end of the text: what is not closed there is its last sign
        return _Slip(Problem(wrong, expected, mark=_end(text.rstrip()[:-1], file)))
    place = Mark(file, mark.line + 1, mark.column + 1) if mark else Mark(file, 1, 1)
    return _Slip(Problem(wrong, expected, mark=place))


_LINE = re.compile(r"(?P<indent> *)(?P<dash>- +)?(?P<word>[A-Za-z_][\w.]*)(?P<colon>:)?(?P<more> +[^#\s].*?)? *(#.*)?")
"""A line of a list or of a mapping: a word, and what stands behind its colon."""


def _slip(lines: Sequence[str], at: int, column: int, file: str) -> _Slip | None:
    """What a line lacks that cannot be read, or the one before it; None if unsure.

    A colon that is missing behind a word, a dash that is missing before it, two keys on one line.
    """
    if at >= len(lines):
        return None
    here, starts = _LINE.fullmatch(lines[at]), len(lines[at]) - len(lines[at].lstrip())
    dashed = lines[at][starts:].startswith("- ")
    if here and here["colon"] and here["more"] and (here["dash"] or here["word"][0].isupper()):
        inner = re.match(r" +(\w+): ", here["more"])
        if inner and here.end("colon") <= column:
            more, begins = here["more"].strip(), here.end("more") - len(here["more"].lstrip())
            mark = Mark(file, at + 1, here.start("word") + 1)
            wrong = f"`{here['word']}:` and `{inner[1]}:` on one line"
            put: tuple[_Put, ...] = (_Put(at, here.end("more"), "}"), _Put(at, begins, "{"))
            put *= here["more"].count(":") == 1 and _stands(lines, at, starts, len(lines[at]))
            return _Slip(Problem(wrong, f"`{here['word']}: {{{more}}}`", mark=mark), put)
    before = next((one for one in range(at - 1, -1, -1) if lines[one].partition("#")[0].strip()), None)
    above = None if before is None else _LINE.fullmatch(lines[before])
    if before is None or above is None:
        return None
    word, begins = above["word"], above.start("word")
    bare = not (above["colon"] or above["more"])
    if bare and above["dash"] and here and here["colon"] and not dashed and starts >= begins:
        wrong, mark = f"`{word}` has no colon, with arguments below it", Mark(file, before + 1, begins + 1)
        deep = starts > begins  # or else what stands below it would stand beside it
        return _Slip(Problem(wrong, f"`{word}:`", mark=mark), (_Put(before, above.end("word"), ":"),) * deep)
    if dashed and not above["dash"] and starts == begins and (bare or above["more"]):
        return _undashed(lines, before, begins, word, file)
    if here and not dashed and above["dash"] and starts == above.start("dash"):
        if above["colon"] and not above["more"] and here["colon"]:
            return _shallow(lines, at, starts, (here["word"], word), file)
        return _undashed(lines, at, starts, here["word"], file)
    return None


def _shallow(lines: Sequence[str], at: int, column: int, words: tuple[str, str], file: str) -> _Slip:
    """What belongs to the item above and stands in line with it, with all that follows there."""
    put = list[_Put]()
    for number, line in enumerate(lines[at:], at):
        if (indented := len(line) - len(line.lstrip())) < column or line[indented:].startswith("- "):
            break
        put.append(_Put(number, column, "    "))
    problem = Problem(
        "`{}` is not indented under `{}`".format(*words), "it deeper", mark=Mark(file, at + 1, column + 1)
    )
    return _Slip(problem, tuple(put) if len(put) < 100 else ())


def _undashed(lines: Sequence[str], at: int, column: int, word: str, file: str) -> _Slip:
    wrong, expected = f"`{word}` stands in line with a list and has no `- `", f"`- {word}`, or another indentation"
    meant = word[0].isupper() and _stands(lines, at, column, column + 2)
    return _Slip(Problem(wrong, expected, mark=Mark(file, at + 1, column + 1)), (_Put(at, column, "- "),) * meant)


def _stands(lines: Sequence[str], at: int, dash: int, word: int) -> bool:
    """Whether what follows a line is no part of its item, or stands deeper than the item's word."""
    after = next((one for one in lines[at + 1 :] if one.partition("#")[0].strip()), "")
    indented = len(after) - len(after.lstrip())
    return indented <= dash or indented > word


def _deeper(lines: Sequence[str], at: int) -> int:
    """The column of the `- ` of a line that is deeper than the item above, which is a name alone; 0 if it is not."""
    here = re.match(r" *(?=- )", lines[at])
    above = re.match(r" *(?=- [^:#]*$)", lines[at - 1]) if at else None
    return here.end() + 1 if here and above and here.end() > above.end() else 0


class _Reader:
    """Turns the events of a YAML text into values, noting where each stands and what is wrong with it."""

    def __init__(self, text: str, file: str) -> None:
        self.events, self.text = yaml.parse(text, _LOADER), text
        self.file = file
        self.marks: Marks = {}
        self.problems: list[Problem] = []

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
        if len(path) > DEEPEST:
            raise yaml.MarkedYAMLError(problem=_DEEP, problem_mark=_at(event))
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
            return self._sequence(path)
        return event.value if event.style else self._scalar(event.value, path)  # quoted and block text has a style

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
        name, sign, rest = found.groups()
        lacks = "no space after its colon" if sign == ":" else "no colon between its key and its value"
        self._wrong((*path, name), f"`{key.value}` has {lacks}", f"`{name}: {rest}`", key)
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
