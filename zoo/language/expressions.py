"""Expressions: text with a `$` in it, or arithmetic on plain numbers, to a value; a grammar of our own, nothing runs.

`$name` is a value of the table of names, `$shape.0` reaches into it, words and pieces grow together
(`conv${$stage}_block$i`), a bare word is text. Precedence is Python's: the text is cut into pieces here, Python's own
parser builds the tree, and the few kinds of nodes below are turned into functions; every other kind is refused.
"""

from __future__ import annotations

import ast
import functools
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from zoo.language.parsing import FARTHEST, shown
from zoo.language.ranges import is_number

Names = Mapping[str, Any]
Run = Callable[[Names], Any]

LONGEST, MOST = 1_000, 10_000
"""The longest expression [characters], and the most elements that one may make."""

_PLAIN = re.compile(r"[-+]?\(*[0-9][0-9.eE()+\-]*( (\*\*|//|[-+*/%]) [-+]?\(*[0-9][0-9.eE()+\-]*\)*)+")
_STRING = re.compile(r"'[^']*'|\"[^\"]*\"")
_LITERAL = re.compile(r"[A-Za-z0-9_.]+")
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_NAME = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_KEY = re.compile(r"\.(?:([A-Za-z0-9_]+)|\$([A-Za-z_][A-Za-z0-9_]*))")
_OPERATOR = re.compile(r"\*\*|//|[=!<>]=|[-+*/%<>()\[\],]")
_KEYWORDS = {"and", "or", "not", "in", "if", "else"}
_VALUES: dict[str, Any] = {"true": True, "false": False, "null": None}
_MEANT = {"True": "true", "False": "false", "None": "null"}


class Wrong(Exception):
    """What is wrong with an expression: (wrong, expected, hint)."""

    def __init__(self, wrong: str, expected: str = "", hint: str = "") -> None:
        super().__init__(wrong, expected, hint)


@dataclass(frozen=True)
class Expression:
    """A text that was read: the names that it asks for, and the function from a table of names to its value."""

    text: str
    names: frozenset[str]
    run: Run


def is_expression(value: Any) -> bool:
    """Whether a value is an expression: text that holds a `$`, or arithmetic on plain numbers (`1 / 255`)."""
    return isinstance(value, str) and ("$" in value or (" " in value and bool(_PLAIN.fullmatch(value))))


def holds(value: Any) -> bool:
    """Whether an expression stands anywhere in a value."""
    if isinstance(value, Mapping):
        return any(map(holds, value.values()))
    return any(map(holds, value)) if isinstance(value, list) else is_expression(value)


def evaluated(value: Any, names: Names) -> Any:
    """A value with each expression in it replaced by what it comes to. Raises `Wrong`."""
    if isinstance(value, str):
        return parse(value).run(names) if is_expression(value) else value
    if isinstance(value, Mapping):
        return {key: evaluated(one, names) for key, one in value.items()}
    return [evaluated(one, names) for one in value] if isinstance(value, list) else value


def asked(value: Any) -> frozenset[str]:
    """The names that the expressions in a value ask for. Raises `Wrong` for one that cannot be read."""
    if isinstance(value, str):
        return parse(value).names if is_expression(value) else frozenset()
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return frozenset().union(*map(asked, inner))


@functools.lru_cache(maxsize=10_000)
def _parsed(text: str) -> Expression | Wrong:
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

    def expression(self) -> Expression:
        if len(self.text) > LONGEST:
            raise Wrong(f"an expression of {len(self.text):,} characters", f"{LONGEST:,} at most, and `let` for parts")
        source = self._cut()
        try:
            tree = ast.parse(source.strip(), mode="eval").body
            run = self._function(tree, whole=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            hint = "quotes around text with a comma" if self.text.count("(") > self.text.count(")") else ""
            raise Wrong(f"`{self.text}` cannot be read", hint or "arithmetic on `$names` and numbers") from None
        return Expression(self.text, frozenset(self.names), run)

    # Pieces

    def _cut(self) -> str:
        """The text with a placeholder for each name, number, word and string."""
        out, at, text = [], 0, self.text
        while at < len(text):
            if text[at].isspace():
                out.append(" ")
                at += 1
            elif found := _STRING.match(text, at):
                out.append(self._piece(_constant(found.group()[1:-1])))
                at = found.end()
            elif text[at] == "$" or _LITERAL.match(text, at):
                placeholder, at = self._run(at)
                out.append(f" {placeholder} ")
            elif found := _OPERATOR.match(text, at):
                out.append(found.group())
                at = found.end()
            else:
                raise Wrong(f"the sign `{text[at]}` is none of an expression", "+ - * / // % ** == != < <= > >= in")
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
                    raise Wrong(f"`${{` is not closed in `{text}`", "`}` at its end")
                inner = text[at + 2 : end - 1]
                if not is_expression(inner):
                    plain = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*", inner)
                    hint = f"${{${plain.group(1)}}}" if plain else ""
                    raise Wrong(f"`{inner}` inside `{text}` is text", "a name with its `$`", hint)
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
                raise Wrong(f"a `$` without a name in `{text}`", "a name, such as $filters")
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
            value: Any = int(digits) if digits.isdigit() else float(digits)
            return self._piece(_constant(value)), number.end()
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
        return (_reach(name, keys) if keys else _lookup(name)), at

    def _piece(self, run: Run) -> str:
        self.pieces.append(run)
        return f"_{len(self.pieces) - 1}"

    # The tree

    def _function(self, node: ast.expr, whole: bool = False, free: bool = False) -> Run:
        """The function of a node. `free`: a bare word may stand here, as the result of a choice or in a list."""
        if isinstance(node, ast.Name) and node.id.startswith("_"):
            if node.id in self.words and not free:
                word = self.words[node.id]
                place = "" if whole else f" in `{self.text}`"
                compared = bool(re.search(rf"[=!]=\s*{re.escape(word)}|{re.escape(word)}\s*[=!]=", self.text))
                raise Wrong(f"`{word}` is a bare word{place}", "a value", f"'{word}'" if compared else f"${word}")
            return self.pieces[int(node.id[1:])]
        if isinstance(node, ast.IfExp):
            test, yes, no = self._function(node.test), *(self._function(n, free=True) for n in (node.body, node.orelse))
            return lambda names: yes(names) if truth(test(names)) else no(names)
        if isinstance(node, ast.List):
            return _list([self._function(one, free=True) for one in node.elts])
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
                raise Wrong(f"`{self.text}` cannot be read", f"{node.func.id} of plain values")
            parts, function = [self._function(one) for one in node.args], FUNCTIONS[node.func.id]
            return lambda names: _called(function, self.text, [part(names) for part in parts])
        raise SyntaxError

    def _comparison(self, node: ast.Compare) -> Run:
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
                    raise Wrong(f"{shown(left)} and {shown(right)} cannot be compared in `{self.text}`") from None
                left = right
            return True

        return run


def truth(value: Any) -> bool:
    """A condition's value: a boolean or a number. Raises `Wrong` for anything else."""
    if isinstance(value, bool) or is_number(value):
        return bool(value)
    raise Wrong(f"{shown(value)} is no condition", "true, false or a number")


def _constant(value: Any) -> Run:
    return lambda names: value


def _lookup(name: str) -> Run:
    def run(names: Names) -> Any:
        try:
            return names[name]
        except KeyError:
            raise Wrong(f"`${name}` has no value here", "a value given before it is used") from None

    return run


def _reach(name: str, keys: list[Run]) -> Run:
    first = _lookup(name)

    def run(names: Names) -> Any:
        value, so_far = first(names), f"${name}"
        for one in keys:
            key = one(names)
            if isinstance(value, Mapping):
                if str(key) not in value:
                    raise Wrong(f"`{so_far}` has no `{key}`", f"one of {', '.join(map(str, value))}")
                value = value[str(key)]
            elif isinstance(value, (list, tuple)):
                if not str(key).isdigit() or int(key) >= len(value):
                    raise Wrong(f"`{so_far}` has no `{key}`", f"0 to {len(value) - 1}")
                value = value[int(key)]
            else:
                raise Wrong(f"`{so_far}` is {shown(value)}, which holds no `{key}`", "a list or a mapping")
            so_far += f".{key}"
        return value

    return run


def _grown(parts: list[Run]) -> Run:
    def run(names: Names) -> str:
        values = [part(names) for part in parts]
        odd = [value for value in values if not isinstance(value, (str, int))]
        if odd:
            raise Wrong(f"{shown(odd[0])} cannot be part of a word", "a whole number or text")
        return "".join(str(value).lower() if isinstance(value, bool) else str(value) for value in values)

    return run


def _list(parts: list[Run]) -> Run:
    return lambda names: [part(names) for part in parts]


def _each(how: Callable[..., Any], text: str, *values: Any) -> Any:
    """An operation on numbers, element by element where a list is among them."""
    if any(isinstance(value, list) for value in values):
        lengths = {len(value) for value in values if isinstance(value, list)}
        if len(lengths) > 1:
            raise Wrong(
                f"lists of {' and '.join(map(str, sorted(lengths)))} elements in `{text}`", "lists of one length"
            )
        (length,) = lengths
        rows = zip(*(value if isinstance(value, list) else [value] * length for value in values), strict=True)
        return [_each(how, text, *row) for row in rows]
    odd = next((value for value in values if not is_number(value)), None)
    if odd is not None or None in values:
        raise Wrong(f"{shown(odd)} is no number in `{text}`", "numbers in arithmetic")
    try:
        result = how(*values)
    except ZeroDivisionError:
        raise Wrong(f"division by zero in `{text}`", "another divisor") from None
    except (OverflowError, ValueError):
        raise Wrong(f"`{text}` cannot be computed", "numbers for which it is defined") from None
    if isinstance(result, complex) or not -FARTHEST <= result <= FARTHEST:
        raise Wrong(f"`{text}` is too far from 0", f"a number between -{FARTHEST:g} and {FARTHEST:g}")
    return result


def _power(base: float, exponent: float) -> Any:
    if abs(exponent) > 64 and abs(base) > 1:
        raise OverflowError
    return base**exponent


def _called(function: Callable[..., Any], text: str, values: list[Any]) -> Any:
    try:
        return function(text, *values)
    except (TypeError, ValueError, OverflowError):
        raise Wrong(f"`{text}` cannot be computed", "arguments that the function takes") from None


def _elementwise(how: Callable[..., Any]) -> Callable[..., Any]:
    return lambda text, *values: _each(how, text, *values)


def _flat(how: Callable[..., Any]) -> Callable[..., Any]:
    def run(text: str, *values: Any) -> Any:
        numbers = values[0] if len(values) == 1 and isinstance(values[0], list) else list(values)
        if not all(map(is_number, numbers)):
            raise Wrong(f"`{text}` is of other things than numbers", "numbers, or one list of them")
        return how(numbers)

    return run


def _range(text: str, *values: Any) -> list[int]:
    if not all(type(value) is int for value in values):
        raise Wrong(f"`{text}` is not of whole numbers", "whole numbers")
    if len(range(*values)) > MOST:
        raise Wrong(f"`{text}` has {len(range(*values)):,} elements", f"{MOST:,} at most")
    return list(range(*values))


def _zip(text: str, *values: Any) -> list[list[Any]]:
    if not all(isinstance(value, list) for value in values) or len({len(value) for value in values}) > 1:
        raise Wrong(f"`{text}` is not of lists of one length", "lists of one length")
    return [list(row) for row in zip(*values, strict=True)]


def _len(text: str, value: Any) -> int:
    if not isinstance(value, list):
        raise Wrong(f"{shown(value)} in `{text}` has no length", "a list")
    return len(value)


def _letter(text: str, value: Any) -> str:
    if type(value) is not int or value < 0:
        raise Wrong(f"{shown(value)} in `{text}` has no letter", "a whole number, 0 for `a`")
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
    ast.In: lambda one, many: one in many,
}
