"""Slips of YAML's syntax: what libyaml says of them, what was meant, and where it is plain, what puts it right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from zoo.errors import Mark, Problem

DEEPEST = 60
DEEP = f"nested deeper than {DEEPEST} levels"
MOST = 20
"""So many slips of syntax are told at most."""

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
    "maximum nesting depth": (DEEP, ""),
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

_COMPUTED = re.compile(r"\$(\{|[A-Za-z_][^,{}\[\]]*\[)(?=$)")
"""An expression up to its bracket, which between brackets is one of YAML's own."""


@dataclass(frozen=True)
class Put:
    """Signs that belong into a line, which counts from 0, at a column."""

    line: int
    column: int
    signs: str


@dataclass(frozen=True)
class Slip:
    """What is wrong with the syntax of a text, and what would put it right, if that is plain."""

    problem: Problem
    put: tuple[Put, ...] = ()


def mended(text: str, put: Sequence[Put]) -> str:
    """A text with these signs put in."""
    lines = text.splitlines(keepends=True)
    for one in put:
        here = lines[one.line]
        lines[one.line] = here[: one.column] + one.signs + here[one.column :]
    return "".join(lines)


def before(mark: Any, moved: Sequence[Put]) -> Any:
    """A place in a text before these signs were put in."""
    column = mark.column if mark else 0
    for one in reversed(moved):
        if one.line == mark.line - 1 and one.column < column - 1:
            column = max(column - len(one.signs), one.column + 1)
    return replace(mark, column=column) if moved and mark else mark


def of(error: Exception, text: str, file: str) -> Slip:
    """What is wrong with a text that could not be read, and where."""
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
                return Slip(Problem(wrong, expected, mark=Mark(file, at.line + 1, cut.start() + 1)))
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
            return Slip(problem, (Put(at, glued.end(), " "),) * _stands(lines, at, glued.end() - 1, glued.end() + 1))
    if mark and "mapping values are not allowed" in says and (dash := _deeper(lines, mark.line)):
        return Slip(Problem(*_SAID["expected '-' indicator"], mark=Mark(file, mark.line + 1, dash)))
    if mark and (slip := _slip(lines, mark.line, mark.column, file)):
        return slip
    if mark and mark.index >= len(text.rstrip()):  # the end of the text: what is not closed there is its last sign
        return Slip(Problem(wrong, expected, mark=end(text.rstrip()[:-1], file)))
    place = Mark(file, mark.line + 1, mark.column + 1) if mark else Mark(file, 1, 1)
    return Slip(Problem(wrong, expected, mark=place))


_LINE = re.compile(r"(?P<indent> *)(?P<dash>- +)?(?P<word>[A-Za-z_][\w.]*)(?P<colon>:)?(?P<more> +[^#\s].*?)? *(#.*)?")
"""A line of a list or of a mapping: a word, and what stands behind its colon."""


def _slip(lines: Sequence[str], at: int, column: int, file: str) -> Slip | None:
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
            put: tuple[Put, ...] = (Put(at, here.end("more"), "}"), Put(at, begins, "{"))
            put *= here["more"].count(":") == 1 and _stands(lines, at, starts, len(lines[at]))
            return Slip(Problem(wrong, f"`{here['word']}: {{{more}}}`", mark=mark), put)
    before = next((one for one in range(at - 1, -1, -1) if lines[one].partition("#")[0].strip()), None)
    above = None if before is None else _LINE.fullmatch(lines[before])
    if before is None or above is None:
        return None
    word, begins = above["word"], above.start("word")
    bare = not (above["colon"] or above["more"])
    if bare and above["dash"] and here and here["colon"] and not dashed and starts >= begins:
        wrong, mark = f"`{word}` has no colon, with arguments below it", Mark(file, before + 1, begins + 1)
        deep = starts > begins  # or else what stands below it would stand beside it
        return Slip(Problem(wrong, f"`{word}:`", mark=mark), (Put(before, above.end("word"), ":"),) * deep)
    if dashed and not above["dash"] and starts == begins and (bare or above["more"]):
        return _undashed(lines, before, begins, word, file)
    if here and not dashed and above["dash"] and starts == above.start("dash"):
        if above["colon"] and not above["more"] and here["colon"]:
            return _shallow(lines, at, starts, (here["word"], word), file)
        return _undashed(lines, at, starts, here["word"], file)
    return None


def _shallow(lines: Sequence[str], at: int, column: int, words: tuple[str, str], file: str) -> Slip:
    """What belongs to the item above and stands in line with it, with all that follows there."""
    put = list[Put]()
    for number, line in enumerate(lines[at:], at):
        if (indented := len(line) - len(line.lstrip())) < column or line[indented:].startswith("- "):
            break
        put.append(Put(number, column, "    "))
    problem = Problem(
        "`{}` is not indented under `{}`".format(*words), "it deeper", mark=Mark(file, at + 1, column + 1)
    )
    return Slip(problem, tuple(put) if len(put) < 100 else ())


def _undashed(lines: Sequence[str], at: int, column: int, word: str, file: str) -> Slip:
    wrong, expected = f"`{word}` stands in line with a list and has no `- `", f"`- {word}`, or another indentation"
    meant = word[0].isupper() and _stands(lines, at, column, column + 2)
    return Slip(Problem(wrong, expected, mark=Mark(file, at + 1, column + 1)), (Put(at, column, "- "),) * meant)


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


def end(text: str, file: str) -> Mark:
    """The place after a text."""
    lines = re.split(r"\r\n|\r|\n", text)
    return Mark(file, len(lines), len(lines[-1]) + 1)
