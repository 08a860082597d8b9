"""Slips of YAML's syntax: what libyaml says of them, what was meant, and where it is plain, what puts it right."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

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

GLUED = re.compile(r"([A-Za-z_]\w*)(:| *[=;] *| +|(?=\{))((?!- |//)[^\s:=;].*)")
"""An entry whose colon has no space behind it, or that has none: `units:4`, `units 4`, `units=4`, `Dense{units: 4}`."""

_BULLETS = "*+\u2022\u2013\u2014"  # what people, and their editors, write for the `-` of an item
_SPACE = r"[^\S \t\r\n]"
_ODD = {
    "key": re.compile(rf"-[A-Za-z]|[{_BULLETS}] +\w|[A-Za-z_]\w*(:[{{\[]| *\{{)|.*{_SPACE}"),
    "entry": re.compile(rf".*{_SPACE}"),
    "item": re.compile(rf"-[A-Za-z]|[{_BULLETS}] +\w|\w+:{_SPACE}|\w.* (- |[A-Z])"),
    "value": re.compile(rf"-(?!inf\b)[A-Za-z]|[{_BULLETS}] +\w|\w+:{_SPACE}|[A-Za-z_]\w*[ :=;]+\S+ [A-Za-z_]\w*[ :=;]"),
}
"""Plain words of YAML's that nobody means as such: a key, one between brackets, an item, or the value of a key."""

_MUCH = 100  # so many lines are moved at most
_HOLDING = ("Bidirectional", "TimeDistributed")
"""Layers under which another one may be meant as theirs."""

_GROUP = ("for", "in", "if", "repeat", "layers")
_NEVER_FIRST = ("in", "repeat", "layers", "name", "from", "else", "l2", "frozen")
"""Words of the language that belong to what stands above them."""


@dataclass(frozen=True)
class Put:
    """Signs that belong into a line, which counts from 0, at a column, for so many that stand there."""

    line: int
    column: int
    signs: str
    cut: int = 0


@dataclass(frozen=True)
class Slip:
    """What is wrong with the syntax of a text, and what would put it right, if that is plain."""

    problem: Problem
    put: tuple[Put, ...] = ()


class Slipped(yaml.YAMLError):
    """A slip that is no error to YAML, which reads it as something else."""


def mended(text: str, put: Sequence[Put]) -> str:
    """A text with these signs put in."""
    lines = text.splitlines(keepends=True)
    for one in put:
        here = lines[one.line]
        lines[one.line] = here[: one.column] + one.signs + here[one.column + one.cut :]
    return "".join(lines)


def before(mark: Any, moved: Sequence[Put]) -> Any:
    """A place in a text before these signs were put in."""
    column = mark.column - 1 if mark else 0
    for one in reversed(moved):
        if one.line == mark.line - 1 and one.column <= column:
            behind = column - one.column - len(one.signs)
            column = one.column + (behind + one.cut if behind >= 0 else 0)
    return replace(mark, column=column + 1) if moved and mark else mark


def of(error: Exception, text: str, file: str) -> Slip:
    """What is wrong with a text that could not be read, and where."""
    if isinstance(error, Slipped):
        told: Slip = error.args[0]
        return told
    says = str(getattr(error, "problem", None) or str(error).splitlines()[0])
    mark = at = getattr(error, "problem_mark", None)
    wrong, expected = next((said for part, said in _SAID.items() if part in says), (says, ""))
    lines = Lines(text, file)
    for part, said in _OPENED.items():
        if part in says:
            mark = getattr(error, "context_mark", None) or mark
            wrong, expected = said
            if at and (cut := _COMPUTED.search("".join(text.splitlines()[at.line : at.line + 1]), 0, at.column + 1)):
                wrong, expected = f"`{cut[0]}` begins a bracket of YAML's", "quotes around text that holds one"
                return Slip(Problem(wrong, expected, mark=Mark(file, at.line + 1, cut.start() + 1)))
    if mark and "cannot start any token" in says:
        sign = text[mark.index]
        wrong, expected = f"the sign {sign} cannot begin a word", "quotes around text that begins with a special sign"
        if sign == "\t":
            wrong, expected = _SAID["found a tab"]
    if at and ("',' or" in says or "unexpected ':'" in says) and (slip := lines.between(at.line, at.column)):
        return slip
    if mark and (slip := lines.around(mark.line, mark.column, "expected ':'" in says)):
        return slip
    if mark and mark.index >= len(text.rstrip()):  # the end of the text: what is not closed there is its last sign
        return Slip(Problem(wrong, expected, mark=end(text.rstrip()[:-1], file)))
    place = Mark(file, mark.line + 1, mark.column + 1) if mark else Mark(file, 1, 1)
    return Slip(Problem(wrong, expected, mark=place))


def is_odd(kind: str, word: str) -> bool:
    """Whether a plain word may be what YAML makes of a slip: a key, an entry between brackets, an item or a value."""
    return bool(_ODD[kind].match(word))


def glued(text: str) -> tuple[str, str]:
    """What is wrong with an entry that lacks its colon or the space behind it, and what is expected."""
    found = GLUED.fullmatch(text)
    name, sign, rest = found.groups() if found else (text, "", "")
    lacks = "no space after its colon" if sign == ":" else "no colon between its key and its value"
    return f"`{_cut(text)}` has {lacks}", f"`{_cut(f'{name}: {rest}')}`"


def _cut(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


_QUOTED = r"""(?<=[\s:,\[{(])(?:"(?:\\.|[^"\\])*"|'[^']*')"""
_CODE = re.compile(rf"(?:{_QUOTED}|(?<=\S)#|[^#])*+")
_SPACES = re.compile(r"(?:^|[-:,{\[])(\s*[^\S \t]\s*)")
_HEAD = re.compile(rf" *(?:-(?=[A-Za-z])|(?P<bullet>[{_BULLETS}])(?= +\w))")
_BRACE = re.compile(r" *(?:- +)?(?=\w+(?::[{\[]| *\{))")
_LINE = re.compile(r" *(?P<dash>- +)?(?P<word>[A-Za-z_][\w.]*)(?P<colon>:)?(?P<more> +\S.*)?")
"""A line of a list or of a mapping: a word, and what stands behind its colon."""


class Lines:
    """The lines of a text that has a slip, and how they stand to each other."""

    def __init__(self, text: str, file: str) -> None:
        self.lines, self.file = text.splitlines(), file

    def code(self, at: int) -> str:
        """A line without its comment."""
        found = _CODE.match("".join(self.lines[at : at + 1]))
        return found[0].rstrip(" \t") if found else ""

    def plain(self, at: int) -> str:
        """The same with `_` for all that stands in quotes."""
        return re.sub(_QUOTED, lambda one: "_" * len(one[0]), self.code(at))

    def indent(self, at: int) -> int:
        """How deep a line stands."""
        return len(self.code(at)) - len(self.code(at).lstrip(" "))

    def word(self, at: int) -> int:
        """Where the first word of a line stands."""
        return len(self.code(at)) - len(self.code(at).lstrip(" -"))

    def dashed(self, at: int) -> bool:
        """Whether a line begins an item."""
        return self.code(at).lstrip(" ").startswith("- ")

    def next(self, at: int, step: int = 1) -> int:
        """The next line that says something, or the one before; where there is none, the one behind the last."""
        numbers = range(at + step, len(self.lines) if step > 0 else -1, step)
        return next((one for one in numbers if self.code(one).strip()), len(self.lines))

    def first(self, at: int) -> int:
        """The line in which the plain words begin that may end in this one."""
        while not self.dashed(at) and (above := self.next(at, -1)) < at and not re.search(r":( |$)", self.plain(above)):
            at = above
        return at

    def goes_on(self, at: int) -> bool:
        """Whether a line may go on with the words that stand behind the key above."""
        found = _LINE.fullmatch(self.plain(self.next(at, -1)))
        words = found and found["colon"] and found["more"] and found["more"].lstrip()[0] not in "[{_|>"
        return bool(found and words and not self.dashed(at) and self.indent(at) > found.start("word"))

    def moved(self, at: int, by: int) -> tuple[Put, ...]:
        """What moves a line and all that belongs to it to the right, or to the left; nothing where that is much."""
        indent, put = self.indent(at), list[Put]()
        while at < len(self.lines) and self.indent(at) >= indent and len(put) <= _MUCH:
            put.append(Put(at, 0, " " * by, max(-by, 0)))
            at = self.next(at)
            if self.dashed(at) and self.indent(at) == indent and by > 0:
                break
        return tuple(put) if len(put) <= _MUCH else ()

    def stands(self, at: int, dash: int, word: int) -> bool:
        """Whether what follows a line is no part of its item, or stands deeper than the item's word."""
        return not dash < self.indent(self.next(at)) <= word

    def check(self, event: yaml.ScalarEvent) -> None:
        """Raise what is wrong with the lines of a plain word."""
        first, last = (one.line if one else 0 for one in (event.start_mark, event.end_mark))
        for at in range(first, last + 1):
            if slip := self.alone(at) or (self.item(self.next(at, -1), at) if first < at else None):
                raise Slipped(slip)
        each = [self.glued(at, self.indent(at)) for at in range(first, last + 1)]
        if first < last and each[0] and all(each) and len({self.indent(at) for at in range(first, last + 1)}) == 1:
            raise Slipped(each[0])  # keys of which not one has its colon

    def slip(self, at: int, column: int, wrong: str, expected: str, *put: Put) -> Slip:
        """What is wrong at a place, and what puts it right."""
        return Slip(Problem(wrong, expected, mark=Mark(self.file, at + 1, column + 1)), put)

    def around(self, at: int, column: int, bare: bool) -> Slip | None:
        """What a line lacks that cannot be read, or one before it; None if unsure."""
        first, before, after = self.first(at), self.next(at, -1), self.next(at)
        found = next((slip for one in range(first, at + 1) if (slip := self.alone(one))), None)
        keyed, begins = re.match(r"[ -]*\w+:( |$)", self.plain(at)), self.word(first)
        if not found and keyed and first < at and self.word(at) == begins and not self.goes_on(first):
            found = self.glued(first, begins)
        found = found or self.two(at, column, False)
        if before < at:
            found = found or self.item(before, at) or self.pair(before, at)
        return found or ((self.glued(at, column) or self.pair(at, after)) if bare else None)

    def alone(self, at: int) -> Slip | None:
        """What is wrong with a line, whatever stands around it."""
        line = self.plain(at)
        if odd := list(_SPACES.finditer(line)):
            sign = odd[0][1].strip(" \t")[0]
            spaces = [Put(at, one.start(1), " " * len(one[1]), len(one[1])) for one in odd]
            wrong = f"a sign that only looks like a space, the {unicodedata.name(sign, '').lower()} U+{ord(sign):04X}"
            return self.slip(at, line.index(sign, odd[0].start(1)), wrong, "a space", *spaces)
        if head := _HEAD.match(line):
            word = line[head.end() :].split(":")[0].strip()
            wrong = f"`{head['bullet']}` begins no item" if head["bullet"] else "a `-` without a space behind it"
            put = Put(at, head.end() - 1, "-" if head["bullet"] else "- ", 1)
            meant = self.stands(at, head.end() - 1, head.end() + 1)
            return self.slip(at, head.end() - 1, wrong, f"`- {word}`", *(put,) * meant)
        return self.glued(at, found.end()) if (found := _BRACE.match(line)) else None

    def glued(self, at: int, column: int, ends: int | None = None) -> Slip | None:
        """An entry that lacks its colon, or the space behind it."""
        text = self.code(at)[column:ends]
        found = GLUED.fullmatch(text)
        if not found or re.match(r"[A-Za-z]+ +[A-Za-z]", found[3]):  # the words of a sentence
            return None
        return self.slip(at, column, *glued(text), Put(at, column + found.end(1), ": ", len(found[2])))

    def between(self, at: int, column: int) -> Slip | None:
        """What is wrong between brackets, where a sign stands that cannot."""
        line = self.plain(at)
        head, more = line[:column], line[column:].lstrip(":")
        if more[:1] in ("[", "{") and (found := re.search(r"(?<![\w$.])[A-Za-z_]\w* *$", head)):
            ends = _brackets(more[1:])[1]
            return self.glued(at, found.start(), len(line) - len(more) + ends + 2 if ends >= 0 else None)
        if line[column : column + 1] != ":":
            return None
        found = re.search(r"\w: +[^,;:{}\[\]]*[^\s,;:{}\[\]](; *| +)([A-Za-z_]\w*)$", head)
        if found:
            put = Put(at, found.start(1), ", ", len(found[1]))
            return self.slip(at, found.start(2), f"no comma before `{found[2]}`", "`, ` between two entries", put)
        return self.two(at, column, True)

    def two(self, at: int, column: int, between: bool) -> Slip | None:
        """Two keys, the second of which belongs in braces; between brackets, or in a line of a list or of a layer."""
        line = self.plain(at)
        found = re.search(r"(?<![\w.])([A-Za-z_][\w.]*): +(\w+)$", line[:column])
        head = line[: found.start()].strip() if found else ""
        if not found or line[column : column + 1] != ":":
            return None
        if not between and head != "-" and (head or not found[1][0].isupper()):  # which may be a sentence
            return None
        begins, whole = found.start(2), self.stands(at, self.indent(at), len(line))
        lacks, ends = _brackets(line[begins:])
        ends = begins + ends if ends >= 0 else len(line)
        inside, rest, around = line[begins:ends] + lacks, line[ends:], _brackets(head)[0][:1]
        if half := (rest[:1] == "}" and around == "]") if between else rest == "}":  # the other brace is there
            sure = True
        elif between:  # what follows in a list may be another item
            sure = around != "" and rest[:1] == around and (around == "}" or "," not in inside)
        else:
            sure = rest == "" and (whole or not lacks)
        plain = sure and whole and inside.count(": ") == len(re.findall(r"[{\[,] *(?=\w+: )", inside)) + 1
        put = (Put(at, ends, "" if half else lacks + "}"), Put(at, begins, "{")) * plain
        told = self.code(at)[begins:ends] + lacks if sure else f"{found[2]}: ..."
        wrong = f"`{found[1]}:` and `{found[2]}:` " + ("with no brace between" if between else "on one line")
        return self.slip(at, found.start(1), wrong, f"`{found[1]}: {{{told}}}`", *put)

    def item(self, before: int, at: int) -> Slip | None:
        """An item that stands deeper than the one above, which holds none, with or without its dash."""
        above, here = _LINE.fullmatch(self.plain(before)), _LINE.fullmatch(self.plain(at))
        dash, starts = self.indent(before), self.indent(at)
        if not above or not above["dash"] or starts <= dash or (above["colon"] and not above["more"]):
            return None
        layer = above["word"][0].isupper()
        if self.dashed(at):
            return self.slip(at, starts, *_SAID["expected '-' indicator"], *self.moved(at, dash - starts) * layer)
        alone = layer and (above["colon"] or not above["more"]) and above["word"] not in _HOLDING
        if not alone or not here or not here["word"][0].isupper() or (here["more"] and not here["colon"]):
            return None
        wrong = f"`{here['word']}` stands under `{above['word']}` and has no `- `"
        return self.slip(
            at, starts, wrong, f"`- {here['word']}` in line with the list", Put(at, dash, "- ", starts - dash)
        )

    def pair(self, before: int, at: int) -> Slip | None:
        """What one of two lines lacks: a colon that is missing behind a word, a dash before it, or depth."""
        above, here = _LINE.fullmatch(self.plain(before)), _LINE.fullmatch(self.plain(at))
        dashed, starts = self.dashed(at), self.indent(at)
        if not above:
            return None
        word, begins = above["word"], above.start("word")
        bare, keyed = not (above["colon"] or above["more"]), bool(here and here["colon"] and not dashed)
        deep = starts > begins  # or else what stands below it would stand beside it
        below = keyed and starts >= begins if above["dash"] else (keyed and deep) or (dashed and (deep or not starts))
        if bare and below and not self.goes_on(before):
            put = (Put(before, above.end("word"), ":"),) * (deep or dashed)
            what = "arguments" if above["dash"] else "its value"
            return self.slip(before, begins, f"`{word}` has no colon, with {what} below it", f"`{word}:`", *put)
        if dashed and not above["dash"] and starts == begins and (bare or above["more"]):
            return self.undashed(before, begins, word)
        if not here or dashed or not above["dash"] or starts != self.indent(before):
            return None
        name = here["word"]
        if above["colon"] and not above["more"] and here["colon"]:
            return self.slip(at, starts, f"`{name}` is not indented under `{word}`", "it deeper", *self.moved(at, 4))
        wrong = f"`{name}` stands in line with a list"
        if here["colon"] and name in _GROUP and word in _GROUP:
            put = self.moved(at, begins - starts)
            if here["more"] and self.indent(self.next(at)) > starts:  # which stands where it belongs
                put = put[:1]
            return self.slip(at, starts, wrong, f"it in line with `{word}`", *put)
        heads = any(re.match(rf" {{{starts}}}layers:", self.code(one.line)) for one in self.moved(at, 1))
        if name in _NEVER_FIRST and not heads:
            put = (Put(before, above.end("word"), ":"), *self.moved(at, 4)) * bare
            return self.slip(at, starts, wrong, f"it among the arguments of `{word}`", *put)
        return self.undashed(at, starts, name)

    def undashed(self, at: int, column: int, word: str) -> Slip:
        """A word that has no dash, and stands where one should be."""
        wrong, expected = f"`{word}` stands in line with a list and has no `- `", f"`- {word}`, or another indentation"
        meant = word[0].isupper() and self.stands(at, column, column + 2)
        return self.slip(at, column, wrong, expected, *(Put(at, column, "- "),) * meant)


def _brackets(text: str) -> tuple[str, int]:
    """The signs that close what a text leaves open, and where the first one is that closes nothing, or -1."""
    lacks = ""
    for at, sign in enumerate(text):
        if sign in "[{(":
            lacks = "]})"["[{(".index(sign)] + lacks
        elif sign in "]})" and sign != lacks[:1]:
            return lacks, at
        elif sign in "]})":
            lacks = lacks[1:]
    return lacks, -1


def end(text: str, file: str) -> Mark:
    """The place after a text."""
    lines = re.split(r"\r\n|\r|\n", text)
    return Mark(file, len(lines), len(lines[-1]) + 1)
