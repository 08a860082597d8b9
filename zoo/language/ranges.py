"""Ranges: what may stand in place of a value, as data, with one map each between the unit interval and its values.

The words are keras-tuner's: `min_value, max_value, step, sampling, values, default`; ours is `zero`, for a log range
that also holds 0 (a log range cannot, yet lambda = 0 is the baseline that everybody wants).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from zoo.language.parsing import shown

KEYS = ("min_value", "max_value", "step", "sampling", "zero", "values", "default")
ZERO_SHARE = 0.1
"""The share of the unit interval that means 0 in a range with `zero: true`; beside it lie the smallest values."""
MOST = 10_000
"""The most values that a range with a `step` may hold; whole numbers beyond it are not counted out."""


class Filled(float):
    """A number that a range was filled with; it remembers the range's name, so that tuning can turn that knob."""

    name: str

    def __new__(cls, value: float, name: str) -> Filled:
        """The number and the name of the range."""
        made = super().__new__(cls, value)
        made.name = name
        return made

    def __getnewargs__(self) -> tuple[float, str]:  # type: ignore[override]
        return (float(self), self.name)

    def __mul__(self, other: Any) -> float:
        """A multiple is a knob too, under a name of its own: `l2 * 2`."""
        made = float(self) * other
        return Filled(made, f"{self.name} * {other}") if type(other) in (int, float) else made

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> float:
        """The same for a quotient: `l2 / 2`."""
        made = float(self) / other
        return Filled(made, f"{self.name} / {other}") if type(other) in (int, float) else made


@dataclass(frozen=True)
class Range:
    """A set of values to search: a list of `values`, or an interval from `min_value` to `max_value`.

    `step` adds; under `sampling: log` it multiplies. Whole bounds, step and default give whole numbers.
    `zero: true` adds 0 to a log range. `default` is what building uses and what trial 0 runs.
    """

    default: Any
    values: tuple[Any, ...] = ()
    min_value: float | None = None
    max_value: float | None = None
    step: float | None = None
    sampling: str = "linear"
    zero: bool = False

    @property
    def whole(self) -> bool:
        """Whether the range holds whole numbers only."""
        ends = (self.min_value, self.max_value, self.default, self.step if self.step is not None else 1)
        return not self.values and all(type(end) is int for end in ends)

    @property
    def counted(self) -> bool:
        """Whether what the range holds is counted, not measured: whole numbers, or `values` without a float."""
        return self.whole or (bool(self.values) and not any(isinstance(value, float) for value in self.values))

    @cached_property
    def points(self) -> tuple[Any, ...]:
        """All values of the range where they can be counted (`values`, or a `step`, or few whole numbers), else ()."""
        if self.values:
            return self.values
        step = 1 if self.step is None and self.whole and self.sampling == "linear" else self.step
        low, high = self._ends()
        if step is None or (steps := self._steps(step, high)) >= MOST:
            return ()
        made: list[float] = [low]
        for index in range(1, math.floor(steps + 1e-9) + 1):
            point = made[-1] * step if self.sampling == "log" else low + step * index
            made.append(min(float(f"{point:.15g}"), high))  # without the dust of sums: 0.3 for 0.1 * 3
        return tuple(map(self._typed, [0] * self.zero + made))

    def from_unit(self, unit: float) -> Any:
        """The value at a place in the unit interval, 0 <= unit <= 1; each value has an interval of its own."""
        if self.points:
            return self.points[min(int(unit * len(self.points)), len(self.points) - 1)]
        if self.zero:
            if unit < ZERO_SHARE:
                return self._typed(0)
            unit = (unit - ZERO_SHARE) / (1 - ZERO_SHARE)
        low, high = self._ends()
        if self.sampling == "log":
            value = math.exp(math.log(low) + unit * (math.log(high) - math.log(low)))
        else:
            value = low + unit * (high - low)
        return self._typed(min(max(value, low), high))

    def to_unit(self, value: Any) -> float:
        """The place of a value of the range in the unit interval; `from_unit` gives the value back."""
        if self.points:
            return (self._index(value) + 0.5) / len(self.points)
        if self.zero and value == 0:
            return ZERO_SHARE / 2
        low, high = self._ends()
        if self.sampling == "log":
            unit = (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
        else:
            unit = (value - low) / (high - low)
        return ZERO_SHARE + unit * (1 - ZERO_SHARE) if self.zero else unit

    def holds(self, value: Any) -> bool:
        """Whether the value lies in the range, its steps not counted."""
        if self.values:
            return any(_same(value, other) for other in self.values)
        if not is_number(value):
            return False
        low, high = self._ends()
        return low <= value <= high or (self.zero and value == 0)

    def held(self) -> tuple[Any, ...]:
        """The values at its ends, or all `values`: if a place accepts these, it accepts the whole range."""
        return self.values or ((0,) * self.zero + self._ends())

    def said(self) -> str:
        """The range in a few words, for people: `1e-07 to 0.01 (log) or 0`."""
        if self.values:
            return ", ".join(map(spelt, self.values))
        steps = "" if self.step is None else f" {'times' if self.sampling == 'log' else 'by'} {spelt(self.step)}"
        log = " (log)" if self.sampling == "log" else ""
        return f"{spelt(self.min_value)} to {spelt(self.max_value)}{steps}{log}{' or 0' if self.zero else ''}"

    def written(self) -> dict[str, Any]:
        """The range as a spec writes it; keys at their defaults are left out."""
        fields = {key: getattr(self, key) for key in KEYS}
        unsaid = {"values": (), "min_value": None, "max_value": None, "step": None, "sampling": "linear", "zero": False}
        kept = {key: value for key, value in fields.items() if key == "default" or value != unsaid[key]}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in kept.items()}

    def _ends(self) -> tuple[float, float]:
        assert self.min_value is not None and self.max_value is not None
        return self.min_value, self.max_value

    def _index(self, value: Any) -> int:
        places = range(len(self.points))
        if self.values:
            return next(place for place in places if _same(self.points[place], value))
        return min(places, key=lambda place: abs(self.points[place] - value))

    def _steps(self, step: float, value: float) -> float:
        """How many steps lead from `min_value` to a value of the range."""
        low, _ = self._ends()
        return (math.log(value) - math.log(low)) / math.log(step) if self.sampling == "log" else (value - low) / step

    def _typed(self, value: float) -> int | float:
        return round(value) if self.whole else float(value)


def looks_like(value: Any) -> bool:
    """Whether a mapping in the place of a value is meant as a range."""
    if not isinstance(value, dict):
        return False
    meant = set(value) <= {*MEANT, "step", "sampling", "default"} and len(value) > 1 and MEANT.keys() & set(value)
    # `{query: previous, values: previous}` is none: tensors by name, one of them misspelt
    of_values = isinstance(value.get("values"), list) or ("values" in value and set(value) <= {*KEYS, *MEANT})
    return bool(of_values or {"min_value", "max_value"} & set(value) or meant)


MEANT = {
    "min": "min_value", "max": "max_value", "low": "min_value", "high": "max_value", "log": "", "choices": "values",
    "choice": "values",
}  # fmt: skip
"""What the keys of a range are called elsewhere; one of them is then told to be none of ours."""


def instead_of(values: Any, accepts: Callable[[Any], bool]) -> str:
    """A list of a few plain values, each of which is accepted alone, as the range that it may be meant as, or ''.

    A text is the number that it holds, if that is accepted.
    """
    if isinstance(values, str):
        if not (found := _TYPED.fullmatch(values.strip())):
            return ""
        whole, part, cent = found.groups()
        number = int(whole) if not (part or cent) else round(float(f"{whole}.{part or 0}") / (100 if cent else 1), 9)
        return spelt(number) if accepts(number) else ""
    few = isinstance(values, list) and 1 < len(values) <= MEANT_AT_MOST
    if not few or any(isinstance(one, (dict, list)) or not accepts(one) for one in values):
        return ""
    written = {"values": values, "default": values[0]}
    return (
        ""
        if read(written)[0] is None
        else "{" + ", ".join(f"{key}: {_plain(one)}" for key, one in written.items()) + "}"
    )


_TYPED = re.compile(r"([-+]?\d{1,15})(?:[.,](\d{1,15}))?(%?)")
"""A number between quotes, with a comma, or in per cent."""

MEANT_AT_MOST = 8
"""A list of so many values may be meant as a range."""


def _plain(value: Any) -> str:
    """A value, or a list of some, as a spec writes it."""
    return f"[{', '.join(map(spelt, value))}]" if isinstance(value, list) else spelt(value)


def is_number(value: Any) -> bool:
    """Whether a value is a number; `True` is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def read(value: dict[str, Any]) -> tuple[Range | None, list[tuple[str, str, str]]]:
    """A range from its mapping, and what is wrong with it as (key, wrong, expected), the key empty for the whole."""
    expected = f"one of {', '.join(KEYS)}"
    odd = [key for key in value if key not in KEYS]
    wrong = [(key, "no such key of a range", f"`{MEANT[key]}`" if MEANT.get(key) else expected) for key in odd]
    meant = {MEANT.get(key, "") for key in odd}
    found = _list(value) if "values" in value else _interval(value)
    follows = {f"`{key}` is missing" for key in ("min_value", "max_value") if key in meant or "values" in meant}
    wrong += [one for one in found if one[1] not in follows]
    if "default" not in value:
        wrong.append(("", "the range has no `default`", "the value that building uses and trial 0 runs"))
    if wrong:
        return None, wrong
    values = tuple(value.get("values", ()))
    default = next((one for one in values if _same(one, value["default"])), value["default"])
    made = Range(**{**value, "values": values, "default": default})
    wrong = _inconsistent(made)
    return (None if wrong else made), wrong


def _list(value: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What is wrong with a range of `values`."""
    beside: list[str] = [key for key in ("min_value", "max_value", "step", "sampling", "zero") if key in value]
    wrong = [(key, "stands beside `values`", "`values` alone, or `min_value` and `max_value`") for key in beside]
    values = value["values"]
    if not isinstance(values, list) or not values or any(isinstance(one, (dict, list)) for one in values):
        return [("values", f"{shown(values)} is no list of plain values", "a list such as [16, 32, 64]"), *wrong]
    if len(values) > MOST:
        return [("values", f"{len(values):,} values", f"{MOST:,} at most"), *wrong]
    typed = [(isinstance(one, bool), one) for one in values]  # 1 is not true
    twice = next((one for index, one in enumerate(values) if typed[index] in typed[:index]), wrong)
    return wrong if twice is wrong else [("values", f"{shown(twice)} stands there twice", "each value once"), *wrong]


def _interval(value: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What is wrong with the parts of an interval, each for itself."""
    wrong: list[tuple[str, str, str]] = []
    for key in ("min_value", "max_value"):
        if key not in value:
            wrong.append(("", f"`{key}` is missing", "a number, or a list of `values`"))
        elif not is_number(value[key]):
            wrong.append((key, f"{shown(value[key])} is not accepted", "a number"))
    if value.get("sampling", "linear") not in ("linear", "log"):
        wrong.append(("sampling", f"{shown(value['sampling'])} is not accepted", "linear or log"))
    if not isinstance(value.get("zero", False), bool):
        wrong.append(("zero", f"{shown(value['zero'])} is not accepted", "true or false"))
    if "step" in value and not (is_number(value["step"]) and value["step"] > 0):
        wrong.append(("step", f"{shown(value['step'])} is not accepted", "a number above 0"))
    return wrong


def _inconsistent(made: Range) -> list[tuple[str, str, str]]:
    """What is wrong with parts that are right each for itself."""
    if not made.values:
        low, high = made._ends()
        if low >= high:
            return [("min_value", f"{spelt(low)} is not below the `max_value` {spelt(high)}", "the smaller number")]
        if made.sampling == "log" and low <= 0:
            return [
                (
                    "min_value",
                    f"a log range cannot begin at {spelt(low)}",
                    "a number above 0, and `zero: true` to add 0",
                )
            ]
        if made.sampling == "log" and made.step is not None and made.step <= 1:
            return [("step", f"under `sampling: log` the step {spelt(made.step)} is a factor", "a number above 1")]
        if made.zero and made.sampling != "log":
            return [("zero", "`zero` adds 0 to a log range alone", "`sampling: log` beside it, or `min_value: 0`")]
        if made.step is not None and made._steps(made.step, high) >= MOST:
            return [("step", f"{spelt(made.step)} gives more than {MOST:,} values", "a larger step, or none")]
    if not made.holds(made.default):
        return [("default", f"{shown(made.default)} is not in the range", made.said())]
    if made.step is not None and not made.values and not (made.zero and made.default == 0):
        steps = made._steps(made.step, made.default)
        if abs(steps - round(steps)) > 1e-6:
            return [("default", f"{shown(made.default)} is not a step of the range", made.said())]
    return []


def _same(one: Any, other: Any) -> bool:
    """Whether two values are one: numbers but for the dust of sums, everything else exactly."""
    if is_number(one) and is_number(other):
        return math.isclose(one, other, rel_tol=1e-9)
    return type(one) is type(other) and bool(one == other)


def spelt(value: Any) -> str:
    """A value in a sentence, in the language's own words: `true`, not `True`."""
    if isinstance(value, bool) or value is None:
        return "null" if value is None else str(value).lower()
    return f"{value:.10g}" if is_number(value) else str(value)
