"""Expressions: text with a `$` in it, or arithmetic on plain numbers, to a value; a grammar of our own, nothing runs.

`$name` is a value of the table of names, `$shape.0` reaches into it, words and pieces grow together
(`conv${$stage}_block$i`), a bare word is text. Precedence is Python's: the text is cut into pieces here, Python's own
parser builds the tree, and the few kinds of nodes below are turned into functions; every other kind is refused.
"""

from __future__ import annotations

import ast
import functools
import itertools
import math
import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from zoo.errors import listed, nearest
from zoo.language.parsing import FARTHEST, shown
from zoo.language.ranges import is_number

Names = Mapping[str, Any]
Run = Callable[[Names], Any]

QUOTE = "$$"
"""What stands before a text to say that it is one, whatever is in it: `$$$5` is `$5`."""

CLOSE = re.compile(r"\d[\d.]*([*/]{1,2}\d[\d.]*)+")
"""Arithmetic that nobody would take for a text, without the spaces that make it arithmetic."""

LONGEST, DEEPEST, MOST = 1_000, 50, 10_000
"""The longest expression [characters], its brackets in brackets, and the most elements that one may make."""

_PLAIN = re.compile(r"[-+]?\(*[0-9][0-9.eE()+\-]*( (\*\*|//|[-+*/%]) [-+]?\(*[0-9][0-9.eE()+\-]*)+")
_STRING = re.compile(r"'[^']*'|\"[^\"]*\"")
_LITERAL = re.compile(r"[A-Za-z0-9_.]+")
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_NAME = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_KEY = re.compile(r"\.(?:([A-Za-z0-9_]+)|\$([A-Za-z_][A-Za-z0-9_]*))")
_OPERATOR = re.compile(r"\*\*|//|[=!<>]=|[-+*/%<>()\[\],]")
_KEYWORDS = {"and", "or", "not", "in", "if", "else"}
_VALUES: dict[str, Any] = {"true": True, "false": False, "null": None}
_MEANT = {"True": "true", "False": "false", "None": "null"}
_SIGNS = {"&": "and", "|": "or", "!": "not", "=": "==", "^": "**", "?": "a if c else b"}
_OPERATORS = "+ - * / // % ** == != < <= > >= in"

RESERVED = {*_KEYWORDS, *_VALUES}
"""Words that mean something in every expression, and are no names."""


class Wrong(Exception):
    """What is wrong with an expression: (wrong, expected, hint)."""

    def __init__(self, wrong: str, expected: str = "", hint: str = "") -> None:
        super().__init__(wrong, expected, hint)


class Lost(Wrong):
    """An expression asks for a name whose own value could not be computed, which is told already."""


LOST: Any = object()
"""In a table of names: a value that could not be computed."""


@dataclass(frozen=True)
class Expression:
    """A text that was read: the names that it asks for, and the function from a table of names to its value."""

    text: str
    names: frozenset[str]
    run: Run


def is_expression(value: Any) -> bool:
    """Whether a value is an expression: text that holds a `$`, or arithmetic on plain numbers, as in `1 / sqrt(2)`."""
    if not isinstance(value, str):
        return False
    if "$" in value or len(value) > LONGEST:
        return "$" in value
    return bool((" " in value and _PLAIN.fullmatch(value)) or ("(" in value and _CALLS.fullmatch(value)))


def holds(value: Any) -> bool:
    """Whether an expression stands anywhere in a value."""
    if isinstance(value, Mapping):
        return any(map(holds, value.values()))
    return any(map(holds, value)) if isinstance(value, list) else is_expression(value)


def evaluated(value: Any, names: Names) -> Any:
    """A value with each expression in it replaced by what it comes to. Raises `Wrong`."""
    if isinstance(value, str):
        return parse(value).run(names) if is_expression(value) else value
    if not holds(value):  # however long: the text of a spec is bounded
        return value
    if isinstance(value, list) and not any(map(_makes, value)):
        return [evaluated(one, names) for one in value]
    if isinstance(value, Mapping):
        return _few({key: evaluated(one, names) for key, one in value.items()}, "this")
    return _few([evaluated(one, names) for one in value], "this") if isinstance(value, list) else value


def _makes(value: Any) -> bool:
    """Whether a value may become one of more elements: it is no text that was said to be one."""
    return holds(value) and not (isinstance(value, str) and value.startswith(QUOTE))


def quoted(text: str) -> str:
    """A text as a spec holds it: behind `$$` where it would be read as an expression."""
    return QUOTE + text if is_expression(text) or CLOSE.fullmatch(text) else text


@contextmanager
def budget(elements: int) -> Iterator[None]:
    """Let expressions in the block make so many elements of lists and mappings together; then they raise `Wrong`."""
    token = _LEFT.set([elements])
    try:
        yield
    finally:
        _LEFT.reset(token)


_LEFT: ContextVar[list[int] | None] = ContextVar("_LEFT", default=None)
"""How many elements may still be made, in a list of one."""


def _few(value: Any, text: str) -> Any:
    """The value itself, if it does not hold too many elements, those of its elements included. Raises `Wrong`."""

    def count(inner: Any, so_far: int, depth: int) -> int:
        if isinstance(inner, (list, Mapping)):
            if depth > DEEPEST:
                raise Wrong(f"{text} holds more than {DEEPEST} lists in lists", f"{DEEPEST} at most")
            for one in inner.values() if isinstance(inner, Mapping) else inner:
                so_far = count(one, so_far + 1, depth + 1)
                if so_far > MOST:
                    raise Wrong(f"{text} holds more than {MOST:,} elements", f"{MOST:,} at most")
        return so_far

    _spend(count(value, 0, 0))
    return value


def _spend(elements: int) -> None:
    """Count elements that are made. Raises `Wrong` where they are more than the budget."""
    left = _LEFT.get()
    if left is not None:
        left[0] -= elements
        if left[0] < 0:
            raise Wrong("the expressions of the spec make too many elements of lists", "fewer lists, or shorter ones")


def asked(value: Any) -> frozenset[str]:
    """The names that the expressions in a value ask for. Raises `Wrong` for one that cannot be read."""
    if isinstance(value, str):
        return parse(value).names if is_expression(value) else frozenset()
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return frozenset().union(*map(asked, inner))


def ordered(values: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The names of a table, each behind those that its value asks for, and the circles of names that need each other.

    What cannot be read asks for nothing.
    """

    def needs(value: Any) -> list[str]:
        try:
            return sorted(asked(value) & values.keys(), reverse=True)
        except Wrong:
            return []

    order: list[str] = []
    circles: list[list[str]] = []
    is_open: dict[str, bool] = {}
    for first in values:
        stack, under = [first], list[str]()
        while stack:
            key = stack[-1]
            if key not in is_open:
                is_open[key] = True
                under.append(key)
                for other in needs(values[key]):
                    if other not in is_open:
                        stack.append(other)
                    elif is_open[other]:
                        circles.append([*under[under.index(other) :], other])
            else:
                stack.pop()
                if is_open[key]:
                    is_open[key] = False
                    order.append(under.pop())
    return order, circles


@functools.lru_cache(maxsize=10_000)
def _parsed(text: str) -> Expression | Wrong:
    if text.startswith(QUOTE):
        return Expression(text, frozenset(), _constant(text.removeprefix(QUOTE)))
    try:
        return _Parser(text).expression()
    except Wrong as error:
        return error


def parse(text: str) -> Expression:
    """Read an expression. Raises `Wrong`."""
    found = _parsed(text)
    if isinstance(found, Wrong):
        raise found
    return found


class _Parser:
    """Cuts a text into pieces, has Python build the tree of their placeholders, and turns it into functions."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: set[str] = set()
        self.pieces: list[Run] = []
        self.words: dict[str, str] = {}  # placeholder -> the bare word that it stands for
        self.depth = 0

    def expression(self) -> Expression:
        text = self.text
        if len(text) > LONGEST:
            raise Wrong(f"an expression of {len(text):,} characters", f"{LONGEST:,} at most, and `let` for parts")
        if not text.strip():
            raise Wrong("nothing stands here", "a value")
        depths = itertools.accumulate((letter in "([{") - (letter in ")]}") for letter in text)
        if max(depths) > DEEPEST:
            raise Wrong(f"{_said(text)} holds brackets in brackets, too deep", f"{DEEPEST} levels, and `let` for parts")
        source = self._cut()
        try:
            tree = ast.parse(source.strip(), mode="eval").body
            run = self._function(tree, whole=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise self._unreadable() from None
        return Expression(text, frozenset(self.names), run)

    def _unreadable(self) -> Wrong:
        """What is likely to be wrong with a text that is no expression."""
        text = self.text
        expected = "arithmetic on `$names` and numbers"
        if text.count("(") > text.count(")"):
            expected = "a `)` for each `(`, and quotes around text with a comma"
        elif re.search(r"\bif\b", text) and not re.search(r"\belse\b", text):
            expected = "`else` as well, and a value behind it"
        elif re.search(r"\bnot\s+in\b", text):
            expected = "`not` before the whole, as in `not $n in [1, 2]`"
        return Wrong(f"{_said(text)} cannot be read", expected)

    # Pieces

    def _cut(self) -> str:
        """The text with a placeholder for each name, number, word and string."""
        out, at, text = [], 0, self.text
        while at < len(text):
            if text[at].isspace():
                out.append(" ")
                at += 1
            elif found := _STRING.match(text, at):
                if "$" in found.group():
                    raise Wrong(f"{found.group()} holds a `$` inside its quotes", "names outside of quotes")
                out.append(self._piece(_constant(found.group()[1:-1])))
                at = found.end()
            elif text[at] == "$" or _LITERAL.match(text, at):
                placeholder, at = self._run(at)
                out.append(f" {placeholder} ")
            elif found := _OPERATOR.match(text, at):
                out.append(found.group())
                at = found.end()
            else:
                hint = _SIGNS.get(text[at], "")
                raise Wrong(f"the sign `{text[at]}` is none of an expression", _OPERATORS, hint)
        return "".join(out)

    def _run(self, at: int) -> tuple[str, int]:
        """One run of pieces that grow together: letters, `$name` and `${...}` without a gap."""
        text, parts = self.text, []
        while at < len(text):
            if text.startswith("${", at):
                end, depth = at + 2, 1
                while end < len(text) and depth:
                    depth += {"{": 1, "}": -1}.get(text[end], 0)
                    end += 1
                if depth:
                    raise Wrong(f"`${{` is not closed in {_said(text)}", "`}` at its end")
                inner = text[at + 2 : end - 1]
                if not is_expression(inner):
                    plain = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*", inner)
                    hint = f"${{${plain.group(1)}}}" if plain else ""
                    what = f"`{inner}` inside {_said(text)} is text" if inner.strip() else "nothing stands in `${}`"
                    raise Wrong(what, "a name with its `$`", hint)
                found = parse(inner)
                self.names |= found.names
                parts.append(("", found.run))
                at = end
            elif name := _NAME.match(text, at):
                run, at = self._name(name)
                parts.append(("", run))
            elif literal := _LITERAL.match(text, at):
                parts.append((literal.group(), _constant(literal.group())))
                at = literal.end()
            elif text[at] == "$":
                raise Wrong(f"a `$` without a name in {_said(text)}", "a name, such as $filters")
            else:
                break
        if len(parts) > 1:
            return self._piece(_grown([run for _, run in parts])), at
        word, run = parts[0]
        if not word:
            return self._piece(run), at
        if word in _KEYWORDS or (word in FUNCTIONS and text[at:].lstrip().startswith("(")):
            return word, at
        if word in _MEANT:
            raise Wrong(f"`{word}` is no word of the language", _MEANT[word], _MEANT[word])
        if word in _VALUES:
            return self._piece(_constant(_VALUES[word])), at
        if _NUMBER.fullmatch(word) or (word[-1] in "eE" and _NUMBER.match(text, at - len(word))):
            number = _NUMBER.match(text, at - len(word))
            assert number is not None
            digits = number.group()
            if re.match(r"0\d", digits):
                raise Wrong(f"`{word}` is no number", "a decimal number such as 31 or 1e-3")
            value: Any = int(digits) if digits.isdigit() else float(digits)
            return self._piece(_constant(_near(value, digits))), number.end()
        if word[0].isdigit():
            raise Wrong(f"`{word}` is no number", "a decimal number such as 31 or 1e-3")
        placeholder = self._piece(_constant(word))
        self.words[placeholder] = word
        return placeholder, at

    def _name(self, found: re.Match[str]) -> tuple[Run, int]:
        """`$name` and the keys that follow it: `$input.shape.0`, `$depths.$i`."""
        text, name, at = self.text, found.group(1), found.end()
        self.names.add(name)
        keys: list[Run] = []
        while key := _KEY.match(text, at):
            literal, other = key.groups()
            if other:
                self.names.add(other)
            keys.append(_lookup(other) if other else _constant(literal))
            at = key.end()
        if text.startswith(".", at):
            raise Wrong(f"a dot in {_said(text)} that leads to nothing", f"a key, or a place from 0 on: ${name}.0")
        if text.startswith("[", at):
            place = re.match(r"\[(\$?\w+)\]", text[at:])
            hint = text[found.start() : at] + "." + place.group(1) if place else ""
            raise Wrong(f"{_said(text)} reaches in with brackets", "a dot", hint)
        return (_reach(name, keys) if keys else _lookup(name)), at

    def _piece(self, run: Run) -> str:
        self.pieces.append(run)
        return f"_{len(self.pieces) - 1}"

    # The tree

    def _function(self, node: ast.expr, whole: bool = False, free: bool = False) -> Run:
        """The function of a node. `free`: a bare word may stand here, as the result of a choice or in a list."""
        self.depth += 1
        if self.depth > 4 * DEEPEST:
            raise Wrong(f"{_said(self.text)} is too deep", f"{4 * DEEPEST} operations in each other at most")
        try:
            return self._made(node, whole, free)
        finally:
            self.depth -= 1

    def _made(self, node: ast.expr, whole: bool, free: bool) -> Run:
        if isinstance(node, ast.Name) and node.id.startswith("_"):
            if node.id in self.words and not free:
                word = self.words[node.id]
                place = "" if whole else f" in {_said(self.text)}"
                compared = bool(re.search(rf"[=!]=\s*{re.escape(word)}|{re.escape(word)}\s*[=!]=", self.text))
                raise Wrong(f"`{word}` is a bare word{place}", "a value", f"'{word}'" if compared else f"${word}")
            return self.pieces[int(node.id[1:])]
        if isinstance(node, ast.IfExp):
            test, yes, no = self._function(node.test), *(self._function(n, free=True) for n in (node.body, node.orelse))
            return lambda names: yes(names) if truth(test(names)) else no(names)
        if isinstance(node, ast.List):
            return _list([self._function(one, free=True) for one in node.elts], self.text)
        if isinstance(node, ast.BoolOp):
            parts = [self._function(one) for one in node.values]
            test_all = all if isinstance(node.op, ast.And) else any
            return lambda names: test_all(truth(part(names)) for part in parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self._function(node.operand)
            return lambda names: not truth(inner(names))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            inner, sign = self._function(node.operand), operator.neg if isinstance(node.op, ast.USub) else operator.pos
            return lambda names: _each(sign, self.text, inner(names))
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            left, right, how = self._function(node.left), self._function(node.right), _ARITHMETIC[type(node.op)]
            return lambda names: _each(how, self.text, left(names), right(names))
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
            if node.keywords or any(isinstance(one, ast.Starred) for one in node.args):
                raise SyntaxError
            parts, function = [self._function(one) for one in node.args], FUNCTIONS[node.func.id]
            return lambda names: _called(function, self.text, [part(names) for part in parts])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in self.words:
            word = self.words[node.func.id]
            raise Wrong(f"no function `{word}`", f"one of {listed(FUNCTIONS, 20)}", nearest(word, FUNCTIONS))
        raise SyntaxError

    def _comparison(self, node: ast.Compare) -> Run:
        if not all(type(how) in _COMPARISONS for how in node.ops):
            raise SyntaxError
        first = self._function(node.left)
        rest = [
            (_COMPARISONS[type(how)], self._function(one))
            for how, one in zip(node.ops, node.comparators, strict=True)
        ]  # fmt: skip

        def run(names: Names) -> bool:
            left = first(names)
            for how, other in rest:
                right = other(names)
                try:
                    if not how(left, right):
                        return False
                except TypeError:
                    wrong = f"{shown(left)} and {shown(right)} cannot be compared in {_said(self.text)}"
                    raise Wrong(wrong, "values of one kind, and a list behind `in`") from None
                left = right
            return True

        return run


def truth(value: Any) -> bool:
    """A condition's value: a boolean or a number. Raises `Wrong` for anything else."""
    if isinstance(value, bool) or is_number(value):
        return bool(value)
    raise Wrong(f"{shown(value)} is no condition", "true, false or a number")


def _said(text: str) -> str:
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"


def _near(value: Any, text: str) -> Any:
    """A number itself, if it is not too far from 0. Raises `Wrong`."""
    if isinstance(value, complex) or not -FARTHEST <= value <= FARTHEST:
        raise Wrong(f"{_said(text)} is too far from 0", f"a number between -{FARTHEST:g} and {FARTHEST:g}")
    return value


def _constant(value: Any) -> Run:
    return lambda names: value


def _lookup(name: str) -> Run:
    def run(names: Names) -> Any:
        if name not in names:
            raise Wrong(f"`${name}` has no value here", "a value given before it is used")
        value = names[name]
        if value is LOST:
            raise Lost(f"`${name}` could not be computed")
        return value

    return run


def _reach(name: str, keys: list[Run]) -> Run:
    first = _lookup(name)

    def run(names: Names) -> Any:
        value, so_far = first(names), f"${name}"
        for one in keys:
            key = one(names)
            if isinstance(value, Mapping):
                if str(key) not in value:
                    known = f"one of {listed(value)}" if value else "a mapping with keys"
                    raise Wrong(f"`{so_far}` has no `{key}`", known, nearest(key, map(str, value)))
                value = value[str(key)]
            elif isinstance(value, (list, tuple)):
                place = str(key)
                if not (place.isascii() and place.isdigit() and len(place) < 9 and int(place) < len(value)):
                    few = {0: "a list with elements", 1: "0"}.get(len(value), f"0 to {len(value) - 1}")
                    raise Wrong(f"`{so_far}` has no `{key}`", few)
                value = value[int(place)]
            else:
                grows = so_far == f"${name}" and isinstance(value, (int, str)) and not str(key).isdigit()
                hint = f"${{{so_far}}}.{key}" if grows else ""
                raise Wrong(f"`{so_far}` is {shown(value)}, which holds no `{key}`", "a list or a mapping", hint)
            so_far += f".{key}"
        return value

    return run


def _grown(parts: list[Run]) -> Run:
    def run(names: Names) -> str:
        values = [part(names) for part in parts]
        odd = [value for value in values if not isinstance(value, (str, int))]
        if odd:
            raise Wrong(f"{shown(odd[0])} cannot be part of a word", "a whole number or text")
        word = "".join(str(value).lower() if isinstance(value, bool) else str(value) for value in values)
        if len(word) > LONGEST:
            raise Wrong(f"{shown(word)} is a word of {len(word):,} characters", f"{LONGEST:,} at most")
        return word

    return run


def _list(parts: list[Run], text: str) -> Run:
    return lambda names: _few([part(names) for part in parts], _said(text))


def _each(how: Callable[..., Any], text: str, *values: Any) -> Any:
    """An operation on numbers, element by element where a list is among them."""
    if any(isinstance(value, list) for value in values):
        lengths = {len(value) for value in values if isinstance(value, list)}
        if len(lengths) > 1:
            many = " and ".join(map(str, sorted(lengths)))
            raise Wrong(f"lists of {many} elements in {_said(text)}", "lists of one length")
        (length,) = lengths
        _spend(length)
        rows = zip(*(value if isinstance(value, list) else [value] * length for value in values), strict=True)
        return [_each(how, text, *row) for row in rows]
    odd = next((value for value in values if not is_number(value)), None)
    if odd is not None or None in values:
        raise Wrong(f"{shown(odd)} is no number in {_said(text)}", "numbers in arithmetic")
    try:
        result = how(*values)
    except ZeroDivisionError:
        raise Wrong(f"division by zero in {_said(text)}", "another divisor") from None
    except OverflowError:
        return _near(math.inf, text)
    except ValueError:
        result = 0j
    if isinstance(result, complex):
        raise Wrong(f"{_said(text)} cannot be computed", "numbers for which it is defined")
    return _near(result, text)


def _is_in(one: Any, many: Any) -> bool:
    if isinstance(many, str):
        raise TypeError
    return one in many


def _power(base: float, exponent: float) -> Any:
    if base and exponent * math.log2(abs(base)) > 64:  # a whole number could be so long that it takes all memory
        raise OverflowError
    return base**exponent


def _called(function: Callable[..., Any], text: str, values: list[Any]) -> Any:
    try:
        return _few(function(text, *values), _said(text))
    except (TypeError, ValueError, OverflowError):
        raise Wrong(f"{_said(text)} cannot be computed", "arguments that the function takes") from None


def _elementwise(how: Callable[..., Any]) -> Callable[..., Any]:
    return lambda text, *values: _each(how, text, *values)


def _flat(how: Callable[..., Any]) -> Callable[..., Any]:
    def run(text: str, *values: Any) -> Any:
        numbers = values[0] if len(values) == 1 and isinstance(values[0], list) else list(values)
        if not all(map(is_number, numbers)):
            raise Wrong(f"{_said(text)} is of other things than numbers", "numbers, or one list of them")
        return _near(how(numbers), text)

    return run


def _range(text: str, *values: Any) -> list[int]:
    if not all(type(value) is int for value in values):
        raise Wrong(f"{_said(text)} is not of whole numbers", "whole numbers")
    if len(range(*values)) > MOST:
        raise Wrong(f"{_said(text)} has {len(range(*values)):,} elements", f"{MOST:,} at most")
    return list(range(*values))


def _zip(text: str, *values: Any) -> list[list[Any]]:
    if not all(isinstance(value, list) for value in values) or len({len(value) for value in values}) > 1:
        raise Wrong(f"{_said(text)} is not of lists of one length", "lists of one length")
    return [list(row) for row in zip(*values, strict=True)]


def _len(text: str, value: Any) -> int:
    if not isinstance(value, list):
        raise Wrong(f"{shown(value)} in {_said(text)} has no length", "a list")
    return len(value)


def _letter(text: str, value: Any) -> str:
    if type(value) is not int or value < 0:
        raise Wrong(f"{shown(value)} in {_said(text)} has no letter", "a whole number, 0 for `a`")
    return ("" if value < 26 else _letter(text, value // 26 - 1)) + chr(ord("a") + value % 26)


def _make_divisible(value: float, divisor: float = 8) -> int:
    """The nearest multiple, at least one, never under 90 % of the value. Howard et al. 2017, as its authors code it."""
    made = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return int(made + divisor if made < 0.9 * value else made)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "int": _elementwise(int),
    "float": _elementwise(float),
    "round": _elementwise(round),
    "ceil": _elementwise(math.ceil),
    "floor": _elementwise(math.floor),
    "abs": _elementwise(abs),
    "sqrt": _elementwise(math.sqrt),
    "min": _flat(min),
    "max": _flat(max),
    "sum": _flat(sum),
    "len": _len,
    "range": _range,
    "zip": _zip,
    "letter": _letter,
    "make_divisible": _elementwise(_make_divisible),
}
"""What an expression may call, each with the text of the expression first."""

_ARITHMETIC: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}

_COMPARISONS: dict[type, Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: _is_in,
}

_WORD = rf"(?:{'|'.join(FUNCTIONS)})\("
_CALLS = re.compile(rf"(?=.*{_WORD})(?:{_WORD}|[-+*/%()\[\],.0-9eE ])+")
"""Functions of plain numbers: no text of anything else is written so."""


_BARE = re.compile(r"(?<![\w.'\"])[A-Za-z_]\w*")


def with_dollars(text: str, names: Collection[str]) -> str:
    """A text with the `$` that its names lack, an empty text if it holds other words, or none of these."""
    if (template := _TEMPLATE.fullmatch(text)) and template[1] in names:
        return f"${template[1]}"
    words = [] if "$" in text else [one for one in _BARE.findall(text) if one not in (*FUNCTIONS, *RESERVED)]
    if not words or not {*words} <= {*names}:
        return ""
    made = _BARE.sub(lambda word: f"${word[0]}" if word[0] in words else word[0], text)
    return re.sub(r"(?<=[\w)])(\*\*|//|[*/+])(?=[\w$(])", r" \1 ", made)


_TEMPLATE = re.compile(r"(?:\$\{|\{\{|\{|%|<|@) *([A-Za-z_]\w*) *(?:\}\}|\}|%|>)?")
"""How other languages write a name in a text: `${w}`, `{{ w }}`, `%w`, `<w>`."""

_SIGNED = re.compile(rf"\S (\*\*|//|[-+*/%<>]|[=!<>]=) \S|\w[*/+]+\w|\b({'|'.join(FUNCTIONS)})\(")


def is_arithmetic(text: Any) -> bool:
    """Whether a text has a sign of arithmetic in it, or one that compares, or calls a function."""
    return isinstance(text, str) and bool(_SIGNED.search(text))


def words_of(value: Any) -> Iterator[str]:
    """The keys and the texts of a value, and the names with their `$` that its texts read."""
    if isinstance(value, str):
        yield value
        yield from () if value.startswith(QUOTE) else re.findall(r"\$[A-Za-z_]\w*", value)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield str(key)
            yield from words_of(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from words_of(one)


def read(value: Any, bound: frozenset[str] = frozenset()) -> Iterator[str]:
    """The names that a value reads, but for those that are bound around it, and those that its loops and `let` give."""
    if isinstance(value, str):
        named = (one for one in words_of(value) if one[:1] == "$" and one[:2] != QUOTE)
        yield from (one[1:] for one in named if one[1:] not in bound)
    elif isinstance(value, list):
        for one in value:
            yield from read(one, bound)
            given = one.get("let") if isinstance(one, dict) and len(one) == 1 else None
            bound |= {*map(str, given)} if isinstance(given, dict) else set()
    elif isinstance(value, dict):
        loop = value.get("for")
        variables = {one for one in (loop if isinstance(loop, list) else [loop]) if isinstance(one, str)}
        for key, one in value.items():
            yield from read(one, bound | variables if key == "layers" else bound)


def read_around(block: Mapping[str, Any]) -> set[str]:
    """The names that a block reads of those around it: none of its own, but where a value of that name reads it."""
    tables = [block.get(key) for key in ("parameters", "let")]
    own = {name: value for table in tables if isinstance(table, dict) for name, value in table.items()}
    found = {one for name, value in own.items() for one in read(value) if one not in own or one == name}
    rest = {key: one for key, one in block.items() if key not in ("parameters", "let")}
    return found | {*read(rest, frozenset(own))}
