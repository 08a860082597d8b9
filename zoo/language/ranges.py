"""Ranges: what may stand in place of a value, as data, with one map each between the unit interval and its values.

The words are keras-tuner's: `min_value, max_value, step, sampling, values, default`; ours is `zero`, for a log range
that also holds 0 (a log range cannot, yet lambda = 0 is the baseline that everybody wants).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

KEYS = ("min_value", "max_value", "step", "sampling", "zero", "values", "default")
ZERO_SHARE = 0.1
"""The share of the unit interval that means 0 in a range with `zero: true`; beside it lie the smallest values."""


class Filled(float):
    """A number that a range was filled with; it remembers the range's name, so that tuning can turn that knob."""

    name: str

    def __new__(cls, value: float, name: str) -> Filled:
        made = super().__new__(cls, value)
        made.name = name
        return made

    def __getnewargs__(self) -> tuple[float, str]:  # type: ignore[override]
        return (float(self), self.name)


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
    def points(self) -> tuple[Any, ...]:
        """All values of the range where they can be counted (`values`, or a `step`, or whole numbers), else ()."""
        if self.values:
            return self.values
        low, high = self._ends()
        step = self.step if self.step is not None else (1 if self.whole and self.sampling == "linear" else None)
        if step is None:
            return ()
        zero = (0,) if self.zero else ()
        if self.sampling == "log":
            count = math.floor(math.log(high / low) / math.log(step) + 1e-9)
            return zero + tuple(self._typed(low * step**index) for index in range(count + 1))
        count = math.floor((high - low) / step + 1e-9)
        return zero + tuple(self._typed(low + step * index) for index in range(count + 1))

    def from_unit(self, unit: float) -> Any:
        """The value at a place in the unit interval, 0 <= unit <= 1; each value has an interval of its own."""
        if self.points:
            return self.points[min(int(unit * len(self.points)), len(self.points) - 1)]
        if self.zero:
            if unit < ZERO_SHARE:
                return 0.0
            unit = (unit - ZERO_SHARE) / (1 - ZERO_SHARE)
        low, high = self._ends()
        if self.sampling == "log":
            value = math.exp(math.log(low) + unit * (math.log(high) - math.log(low)))
        else:
            value = low + unit * (high - low)
        return self._typed(min(max(value, low), high))

    def to_unit(self, value: Any) -> float:
        """The place of a value in the unit interval; `from_unit` gives the value back."""
        if self.points:
            return (self.points.index(value) + 0.5) / len(self.points)
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
            return any(value == other and type(value) is type(other) for other in self.values)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        low, high = self._ends()
        return low <= value <= high or (self.zero and value == 0)

    def said(self) -> str:
        """The range in a few words, for people: `1e-07 to 0.01 (log) or 0`."""
        if self.values:
            return ", ".join(str(value) for value in self.values)
        steps = "" if self.step is None else f" {'times' if self.sampling == 'log' else 'by'} {self.step:g}"
        log = " (log)" if self.sampling == "log" else ""
        return f"{self.min_value:g} to {self.max_value:g}{steps}{log}{' or 0' if self.zero else ''}"

    def written(self) -> dict[str, Any]:
        """The range as a spec writes it; keys at their defaults are left out."""
        fields = {key: getattr(self, key) for key in KEYS}
        unsaid = {"values": (), "min_value": None, "max_value": None, "step": None, "sampling": "linear", "zero": False}
        kept = {key: value for key, value in fields.items() if key == "default" or value != unsaid[key]}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in kept.items()}

    def _ends(self) -> tuple[float, float]:
        assert self.min_value is not None and self.max_value is not None
        return self.min_value, self.max_value

    def _typed(self, value: float) -> int | float:
        return round(value) if self.whole else float(value)


def looks_like(value: Any) -> bool:
    """Whether a mapping in the place of a value is meant as a range."""
    return isinstance(value, dict) and bool({"values", "min_value", "max_value"} & set(value))


def read(value: dict[str, Any]) -> tuple[Range | None, list[tuple[str, str, str]]]:
    """A range from its mapping, and what is wrong with it as (key, wrong, expected), the key empty for the whole."""
    wrong: list[tuple[str, str, str]] = []
    for key in value:
        if key not in KEYS:
            wrong.append((key, "no such key of a range", f"one of {', '.join(KEYS)}"))
    if "values" in value:
        values = value["values"]
        if not isinstance(values, list) or not values or any(isinstance(one, (dict, list)) for one in values):
            wrong.append(("values", "no list of plain values", "a list such as [16, 32, 64]"))
            values = []
        if len(set(map(repr, values))) < len(values):
            wrong.append(("values", "a value stands twice", "each value once"))
        for key in ("min_value", "max_value", "step", "sampling", "zero"):
            if key in value:
                wrong.append((key, "stands beside `values`", "either `values` or `min_value` and `max_value`"))
    else:
        for key in ("min_value", "max_value"):
            if not _number(value.get(key)):
                wrong.append((key if key in value else "", f"`{key}` is missing or no number", "a number"))
        if value.get("sampling", "linear") not in ("linear", "log"):
            wrong.append(("sampling", f"`{value['sampling']}` is no sampling", "linear or log"))
        if not isinstance(value.get("zero", False), bool):
            wrong.append(("zero", "no boolean", "true or false"))
        if "step" in value and (not _number(value["step"]) or value["step"] <= 0):
            wrong.append(("step", "no positive number", "a number above 0"))
    if "default" not in value:
        wrong.append(("", "the range has no `default`", "the value that building uses and trial 0 runs"))
    if wrong:
        return None, wrong
    made = Range(**{**value, "values": tuple(value.get("values", ()))})
    return made, _inconsistent(made)


def _inconsistent(made: Range) -> list[tuple[str, str, str]]:
    if not made.values:
        low, high = made._ends()
        if low >= high:
            return [("min_value", f"`min_value` {low:g} is not below `max_value` {high:g}", "min_value < max_value")]
        if made.sampling == "log" and low <= 0:
            return [("min_value", "a log range cannot begin at 0", "min_value above 0; `zero: true` adds 0")]
        if made.sampling == "log" and made.step is not None and made.step <= 1:
            return [("step", "under `sampling: log` the step is a factor", "a step above 1")]
        if made.zero and made.sampling != "log":
            return [("zero", "`zero` adds 0 to a log range", "`sampling: log` beside it, or min_value: 0")]
    if not made.holds(made.default):
        return [("default", f"the default {made.default} is not in the range", made.said())]
    if made.points and made.default not in made.points:
        return [("default", f"the default {made.default} is not a step of the range", made.said())]
    return []


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
