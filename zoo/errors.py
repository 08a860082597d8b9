"""The words that every room uses for what went wrong: a place, a sentence, and the nearest right thing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

USER_ERROR, BUG, INTERRUPTED = 1, 3, 130
"""Exit codes of the command: the user can mend it; we must; it was stopped and can go on."""


@dataclass(frozen=True)
class Mark:
    """A place in a text file; line and column count from 1. Line 0 is a place without lines, such as an option."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, said to the person who must act on it."""

    wrong: str
    expected: str = ""
    hint: str = ""
    path: str = ""
    mark: Mark | None = None

    def __str__(self) -> str:
        where = ": ".join(str(part) for part in (self.mark, self.path) if part)
        says = self.wrong + (f"; expected {self.expected}" if self.expected else "")
        plain = re.fullmatch(r"[\w.+-]+", self.hint)  # text that is to stand without its quotes
        same = f'`"{self.hint}"`' in self.wrong and not plain
        says += f"; did you mean `{self.hint}`?" if self.hint and not same else ""
        return f"{where}: {says}" if where else says

    @property
    def place(self) -> tuple[str, int, int]:
        """The key by which problems are sorted: file, line, column."""
        return (self.mark.file, self.mark.line, self.mark.column) if self.mark else ("", 0, 0)


class ZooError(Exception):
    """A mistake of the user's: one or several problems, all found at once, sorted by place.

    Accepts `Problem`s or plain sentences. Raises `ValueError` if there is nothing to say.
    """

    def __init__(self, *problems: Problem | str) -> None:
        told = [problem if isinstance(problem, Problem) else Problem(problem) for problem in problems]
        if not told or not all(problem.wrong for problem in told):
            raise ValueError("an error needs a sentence")
        self.problems = tuple(sorted(dict.fromkeys(told), key=lambda problem: problem.place))
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[type, tuple[Problem, ...]]:
        return (type(self), self.problems)


def nearest(word: object, words: Iterable[str]) -> str:
    """The one of `words` that looks most like `word`, or an empty text; case, `-` and `_` do not count.

    Where none does, Python around a name is looked through: `keras.layers.Dense`, `L2(0.01)`.
    """
    plain = {plainly(other): other for other in words}
    bare = re.sub(r"\(.*|^[\w.]*\.", "", str(word), flags=re.DOTALL)
    if bare != str(word) and plainly(bare) in plain:
        return plain[plainly(bare)]
    for one in (str(word), bare):
        if moved := next((other for other in plain if sorted(other) == sorted(plainly(one))), ""):
            return plain[moved]  # its letters in another order
        if found := difflib.get_close_matches(plainly(one), plain, n=1, cutoff=0.6):
            return plain[found[0]]
    return ""


def likeness(word: str, other: str) -> float:
    """How alike two words are, from 0 to 1; 1 if they have the same letters in whatever order."""
    one, two = plainly(word), plainly(other)
    return 1.0 if sorted(one) == sorted(two) else difflib.SequenceMatcher(None, one, two).ratio()


def is_close(word: str, other: str) -> bool:
    """Whether a word is another one but for a letter or two."""
    return likeness(word, other) >= 0.8


def plainly(name: str) -> str:
    """A name without case, `-`, `_` and spaces: `LeNet-5` is `lenet5`."""
    return "".join(letter for letter in name.lower() if letter not in "-_ ")


def joined(names: Iterable[str]) -> str:
    """Names in a sentence: `a`, `b` and `c`; nothing for none."""
    quoted = [f"`{name}`" for name in names]
    return " and ".join([", ".join(quoted[:-1])] * (len(quoted) > 1) + quoted[-1:])


def listed(words: Iterable[object], most: int = 12) -> str:
    """The words in a row, `and` so many more where there are too many to read."""
    told = [str(word) for word in words]
    more = len(told) - most
    return ", ".join(told[:most]) + (f" and {more} more" if more > 0 else "")


_AROUND = ("in user code", "Graph execution error", "Detected at node", "<stack traces", "File ", "[[")
"""How lines begin that Keras and TensorFlow put around what is wrong."""


def first_sentence(error: Exception) -> str:
    """What Keras or TensorFlow says first of what is wrong, without colours and names of kernels."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))  # Keras colours its messages, for terminals and files alike
    plain = re.sub(r"\{\{function_node [^}]*\}\}\s*|\s*\[Op:\w+\]( name:[ \t]*)?", "", plain)
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    traced = plain.lstrip().startswith("in user code")  # then a line of code stands below that of its file
    quoted = {at + 1 for at, line in enumerate(lines) if traced and line.startswith("File ")}
    called = "Exception encountered when calling"
    lines = [one for at, one in enumerate(lines) if at not in quoted and not (one.startswith(_AROUND) or called in one)]
    lines = lines or [type(error).__name__]
    return lines[0][:300].rstrip(".")
