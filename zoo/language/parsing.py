"""Bytes to plain values with their places: YAML 1.2 in spirit, nothing that runs code, no surprises.

In come the bytes of a file; out come dicts, lists, numbers, text, booleans and None, the place of each, and every
problem that was found. Refused: tags, anchors, aliases, keys written twice, words that YAML 1.1 took for booleans,
numbers in odd dress (`0x1F`, `1_000`, `012`, `.inf`), and files too large or too deep to be a spec.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml

from zoo.errors import Mark, Problem

Path = tuple[str | int, ...]
Marks = dict[Path, Mark]

LARGEST, DEEPEST = 1_000_000, 60
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_REFUSED = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false", "none": "null"}
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ODD_NUMBER = re.compile(r"[-+]?(0[xob][0-9A-Fa-f_]+|[0-9][0-9_]*(\.[0-9_]*)?|\.(inf|nan)|0[0-9]+)", re.IGNORECASE)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """libyaml where it is installed (ten times faster), without YAML 1.1's guesses: every plain scalar stays text."""

    yaml_implicit_resolvers: dict[str, Any] = {}


def parse(content: bytes, file: str) -> tuple[Any, Marks, list[Problem]]:
    """Read the bytes of one YAML document.

    Returns the value, the place of each of its parts by path (a key for an entry, the item in a list), and the
    problems; after a problem of syntax the value is None.
    """
    start = Mark(file, 1, 1)
    if len(content) > LARGEST:
        return None, {}, [Problem(f"{len(content):,} bytes", f"a spec of {LARGEST:,} at most", mark=start)]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return None, {}, [Problem(f"byte {error.start} is not UTF-8", "text in UTF-8", mark=start)]
    try:
        node = yaml.compose(text, _Loader)
    except (yaml.YAMLError, RecursionError) as error:
        return None, {}, [_syntax(error, file)]
    if node is None:
        return None, {}, [Problem("the file is empty", "a spec", mark=start)]
    walk = _Walk(file)
    return walk.value(node, (), 0), walk.marks, walk.problems


def plain(text: str) -> Any:
    """What a word written on the command line means: a number, a boolean, a list, a mapping, else the text itself.

    Raises `ValueError` with a sentence if it cannot be read.
    """
    value, _, problems = parse(text.encode(), "--set")
    if problems and text.strip():
        raise ValueError(f"{problems[0].wrong}" + (f"; expected {problems[0].expected}" if problems[0].expected else ""))
    return value


def _syntax(error: Exception, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = Mark(file, mark.line + 1, mark.column + 1) if mark else Mark(file, 1, 1)
    says = getattr(error, "problem", None) or str(error).splitlines()[0]
    if isinstance(error, RecursionError) or "nesting" in says or "depth" in says:
        says = "nested too deeply"
    elif "cannot start any token" in says:
        says = "a tab or another character that YAML does not allow here"
        return Problem(says, "spaces for indentation, quotes around text that begins with a special sign", mark=place)
    elif "another document" in says or "expected a single document" in str(error):
        return Problem("a second document begins", "one spec in a file", mark=place)
    return Problem(says, "YAML", mark=place)


class _Walk:
    """Turns nodes into values, noting where each stands and what is wrong with it."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.marks: Marks = {}
        self.problems: list[Problem] = []
        self.seen: set[int] = set()  # an alias composes to the very node of its anchor; a bomb would be walked for ever

    def value(self, node: yaml.Node, path: Path, depth: int) -> Any:
        self.marks.setdefault(path, self._mark(node))
        if depth > DEEPEST:
            self._wrong(path, f"nested deeper than {DEEPEST} levels", "a spec")
            return None
        if id(node) in self.seen:
            self._wrong(path, "an alias (`*name`)", "the value written out; anchors and aliases are refused")
            return None
        self.seen.add(id(node))
        if node.tag not in _CORE and node.tag != "!":
            self._wrong(path, f"the tag `{node.tag}`", "no tags; a spec holds plain values alone", node)
            return None
        handler: Callable[..., Any] = getattr(self, f"_{node.id}")
        return handler(node, path, depth)

    def _mark(self, node: yaml.Node) -> Mark:
        return Mark(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def _wrong(self, path: Path, wrong: str, expected: str, node: yaml.Node | None = None, hint: str = "") -> None:
        mark = self._mark(node) if node else self.marks.get(path)
        self.problems.append(Problem(wrong, expected, hint, written(path), mark))

    def _mapping(self, node: yaml.MappingNode, path: Path, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.id != "scalar" or (key_node.tag not in _CORE and key_node.tag != "!"):
                self._wrong(path, "a key that is no plain word", "a word before each colon", key_node)
                continue
            key = key_node.value
            here = (*path, key)
            if key in result:
                first = self.marks[here].line
                self._wrong(here, f"written twice, first in line {first}", "each key once", key_node)
                continue
            if key.count("(") > key.count(")"):
                self._wrong(here, f"`{key}` is cut off", "quotes around text with a comma", key_node)
            self.marks[here] = self._mark(key_node)
            result[key] = self.value(value_node, here, depth + 1)
        return result

    def _sequence(self, node: yaml.SequenceNode, path: Path, depth: int) -> list[Any]:
        return [self.value(item, (*path, index), depth + 1) for index, item in enumerate(node.value)]

    def _scalar(self, node: yaml.ScalarNode, path: Path, depth: int) -> Any:
        text = node.value
        if node.style:  # quoted, or a block of text
            return text
        if text in _WORDS:
            return _WORDS[text]
        lower = text.lower()
        if lower in _REFUSED or lower in _WORDS:
            meant = _REFUSED.get(lower, lower)
            expected = "true or false" if meant in ("true", "false") else "null"
            self._wrong(path, f"`{text}` is no word of the language", expected, hint=meant)
            return None
        if _WHOLE.fullmatch(text):
            return int(text)
        if _NUMBER.fullmatch(text):
            number = float(text)
            if abs(number) < float("inf"):
                return number
        if _NUMBER.fullmatch(text) or _ODD_NUMBER.fullmatch(text):
            self._wrong(path, f"`{text}` is no number of the language", "a decimal number such as 31 or 1e-3")
            return None
        return text


_CORE = {f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str")}


def written(path: Path) -> str:
    """A path as people write it: `layers[0].Conv2D.filters`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
