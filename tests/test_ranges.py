"""Ranges: one map each to the unit interval and back, and every refusal in its sentence."""

from __future__ import annotations

import copy
import json
import math
import pickle
import random

import pytest

from zoo.language import ranges
from zoo.language.ranges import MOST, ZERO_SHARE, Filled, Range, read

RANGES = {
    "linear": {"min_value": 0.0, "max_value": 0.7, "default": 0.5},
    "linear below 0": {"min_value": -3.5, "max_value": 2, "default": 0},
    "linear and narrow": {"min_value": 0.1, "max_value": 0.1 + 1e-12, "default": 0.1},
    "linear by": {"min_value": 0.0, "max_value": 1.0, "step": 0.1, "default": 0.3},
    "linear by, end between": {"min_value": 0, "max_value": 1, "step": 0.3, "default": 0.9},
    "log": {"min_value": 1e-7, "max_value": 1e-2, "sampling": "log", "default": 1e-3},
    "log and wide": {"min_value": 1e-300, "max_value": 1e15, "sampling": "log", "default": 1.0},
    "log and zero": {"min_value": 1e-7, "max_value": 1e-2, "sampling": "log", "zero": True, "default": 0},
    "log times": {"min_value": 1e-5, "max_value": 1e-1, "step": 10, "sampling": "log", "default": 1e-3},
    "log times, from afar": {"min_value": 1e-300, "max_value": 1e15, "step": 1e5, "sampling": "log", "default": 1e-5},
    "log times and zero": {
        "min_value": 0.01,
        "max_value": 1,
        "step": 10,
        "sampling": "log",
        "zero": True,
        "default": 0.1,
    },
    "whole": {"min_value": 1, "max_value": 7, "default": 3},
    "whole and many": {"min_value": 0, "max_value": 10**15, "default": 12345678901234},
    "whole by": {"min_value": 16, "max_value": 100, "step": 16, "default": 64},
    "whole log": {"min_value": 16, "max_value": 4096, "sampling": "log", "default": 500},
    "whole log and zero": {"min_value": 1, "max_value": 64, "sampling": "log", "zero": True, "default": 8},
    "whole times": {"min_value": 16, "max_value": 256, "step": 2, "sampling": "log", "default": 64},
    "whole times and zero": {
        "min_value": 3,
        "max_value": 200,
        "step": 4,
        "sampling": "log",
        "zero": True,
        "default": 0,
    },
    "values": {"values": [16, 32, 64], "default": 32},
    "values of text": {"values": ["relu", "tanh"], "default": "tanh"},
    "values of all kinds": {"values": [None, True, "x", 0.5, 3], "default": True},
    "values of floats": {"values": [0, 1e-4, 1e-3], "default": 0},
}
MADE = {name: read(written)[0] for name, written in RANGES.items()}
POINTS = {
    "linear by": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    "linear by, end between": (0.0, 0.3, 0.6, 0.9),
    "log times": (1e-5, 1e-4, 1e-3, 1e-2, 1e-1),
    "log times and zero": (0.0, 0.01, 0.1, 1.0),
    "whole": (1, 2, 3, 4, 5, 6, 7),
    "whole by": (16, 32, 48, 64, 80, 96),
    "whole times": (16, 32, 64, 128, 256),
    "whole times and zero": (0, 3, 12, 48, 192),
    "values": (16, 32, 64),
    "values of text": ("relu", "tanh"),
    "values of all kinds": (None, True, "x", 0.5, 3),
    "values of floats": (0, 1e-4, 1e-3),
}  # fmt: skip

every_range = pytest.mark.parametrize("name", RANGES)


def units(count: int) -> list[float]:
    chance = random.Random(0)
    near = [0.0, 1e-12, ZERO_SHARE, ZERO_SHARE - 1e-12, ZERO_SHARE + 1e-12, 0.5, 1 - 1e-12, 1.0]
    return near + [chance.random() for _ in range(count)]


def same(one, other) -> bool:
    return type(one) is type(other) and (
        one == other or (type(one) is float and math.isclose(one, other, rel_tol=1e-9))
    )


@every_range
def test_a_range_is_read_without_complaint_and_written_back_the_same(name):
    made, wrong = read(RANGES[name])

    assert wrong == []
    assert made.written() == RANGES[name]
    assert read(json.loads(json.dumps(made.written())))[0] == made


@every_range
def test_every_place_in_the_unit_interval_is_a_value_of_the_range(name):
    made = MADE[name]

    for unit in units(400):
        value = made.from_unit(unit)
        assert made.holds(value)
        assert not made.points or any(same(value, point) for point in made.points)


@every_range
def test_the_unit_interval_gives_each_value_back(name):
    made = MADE[name]
    default = made.from_unit(made.to_unit(made.default))

    assert default == made.default or math.isclose(default, made.default, rel_tol=1e-9)
    for unit in units(400):
        value = made.from_unit(unit)
        again = made.to_unit(value)
        assert 0 <= again <= 1
        assert same(made.from_unit(again), value)


@every_range
def test_the_unit_interval_is_in_order(name):
    made = MADE[name]
    if not made.values:
        values = [made.from_unit(unit) for unit in sorted(units(400))]

        assert values == sorted(values)
        assert math.isclose(values[0], 0 if made.zero else made.min_value)
        assert math.isclose(values[-1], made.points[-1] if made.points else made.max_value)


@every_range
def test_whole_ends_give_whole_numbers_and_others_floats(name):
    made = MADE[name]
    if not made.values:
        kinds = {type(made.from_unit(unit)) for unit in units(100)}

        assert kinds == ({int} if name.startswith("whole") else {float})
        assert made.whole == name.startswith("whole")


def test_what_is_counted_is_whole_or_has_values_without_a_float():
    assert {name for name, made in MADE.items() if made.counted} == {
        "whole", "whole and many", "whole by", "whole log", "whole log and zero", "whole times", "whole times and zero",
        "values", "values of text",
    }  # fmt: skip


@every_range
def test_values_that_can_be_counted_are_listed_without_the_dust_of_sums(name):
    points = MADE[name].points

    if name == "log times, from afar":
        assert len(points) == 64
        assert points[59] == 1e-5
    else:
        assert points == POINTS.get(name, ())
        assert list(map(type, points)) == list(map(type, POINTS.get(name, ())))


@every_range
def test_each_value_that_can_be_counted_has_an_interval_of_its_own(name):
    made = MADE[name]
    count = len(made.points)

    for index, point in enumerate(made.points):
        assert made.to_unit(point) == pytest.approx((index + 0.5) / count)
        assert same(made.from_unit((index + 0.01) / count), point)
        assert same(made.from_unit((index + 0.99) / count), point)


@pytest.mark.parametrize("name", ["log and zero", "whole log and zero"])
def test_a_tenth_of_the_interval_means_0_where_0_is_added_to_a_continuum(name):
    made = MADE[name]

    assert made.to_unit(0) == ZERO_SHARE / 2
    assert [made.from_unit(unit) for unit in (0.0, 0.05, 0.0999)] == [0, 0, 0]
    assert made.from_unit(ZERO_SHARE) == made.min_value
    assert made.from_unit(1.0) == made.max_value
    assert made.to_unit(made.min_value) == pytest.approx(ZERO_SHARE)


def test_a_log_range_has_its_geometric_mean_in_the_middle():
    assert MADE["log"].from_unit(0.5) == pytest.approx(math.sqrt(1e-7 * 1e-2))
    assert MADE["linear"].from_unit(0.5) == pytest.approx(0.35)


def test_a_range_of_too_many_whole_numbers_is_not_counted_out():
    made = Range(5, min_value=0, max_value=10**9)

    assert made.points == ()
    assert made.from_unit(made.to_unit(123456789)) == 123456789


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("linear", [0.0, 0.7, 0, 0.33], [-1e-9, 0.7000001, 1, True, None, "0.5", [0.5]]),
        ("log", [1e-7, 1e-2], [0, 0.0, 1e-8, False]),
        ("log and zero", [0, 0.0, 1e-7, Filled(1e-3, "l2")], [1e-8, False, -0.1]),
        ("values", [16, 64, 64.0], [48, "16", True, None]),
        ("values of all kinds", [None, True, "x", 0.5, 3], [1, False, "y", 0, "None"]),
    ],
)
def test_a_range_holds_what_lies_in_it(name, inside, outside):
    assert [value for value in inside if not MADE[name].holds(value)] == []
    assert [value for value in outside if MADE[name].holds(value)] == []


def test_the_default_is_the_value_that_equals_it():
    made, _ = read({"values": [0.5, 1.0], "default": 1})

    assert type(made.default) is float


@pytest.mark.parametrize(
    ("name", "said", "held"),
    [
        ("linear", "0 to 0.7", (0.0, 0.7)),
        ("linear by", "0 to 1 by 0.1", (0.0, 1.0)),
        ("log", "1e-07 to 0.01 (log)", (1e-7, 1e-2)),
        ("log and zero", "1e-07 to 0.01 (log) or 0", (0, 1e-7, 1e-2)),
        ("whole times", "16 to 256 times 2 (log)", (16, 256)),
        ("whole and many", "0 to 1e+15", (0, 10**15)),
        ("values of text", "relu, tanh", ("relu", "tanh")),
    ],
)
def test_a_range_is_said_in_a_few_words_and_known_by_its_ends(name, said, held):
    assert MADE[name].said() == said
    assert MADE[name].held() == held


NO_DEFAULT = ("", "the range has no `default`", "the value that building uses and trial 0 runs")
LIST = "a list such as [16, 32, 64]"
REFUSED = [
    ({"min_value": 0, "max_value": 1}, [NO_DEFAULT]),
    ({"values": [1, 2]}, [NO_DEFAULT]),
    ({"max_value": 1, "default": 1}, [("", "`min_value` is missing", "a number, or a list of `values`")]),
    ({"min_value": 1, "default": 1}, [("", "`max_value` is missing", "a number, or a list of `values`")]),
    ({"min_value": "a", "max_value": True, "default": 1}, [
        ("min_value", '`"a"` is not accepted', "a number"), ("max_value", "`true` is not accepted", "a number"),
    ]),
    ({"min_value": None, "max_value": 1, "default": 1}, [("min_value", "`null` is not accepted", "a number")]),
    ({"min_value": 0, "max_value": 1, "default": 1, "log": True}, [
        ("log", "no such key of a range", "one of min_value, max_value, step, sampling, zero, values, default"),
    ]),
    ({"min_value": 0, "max_value": 1, "default": 1, "sampling": "cubic"}, [
        ("sampling", '`"cubic"` is not accepted', "linear or log"),
    ]),
    ({"min_value": 0, "max_value": 1, "default": 1, "zero": 1}, [("zero", "`1` is not accepted", "true or false")]),
    ({"min_value": 0, "max_value": 1, "default": 1, "step": 0}, [("step", "`0` is not accepted", "a number above 0")]),
    ({"min_value": 0, "max_value": 1, "default": 1, "step": "x"}, [
        ("step", '`"x"` is not accepted', "a number above 0"),
    ]),
    ({"min_value": 1, "max_value": 1, "default": 1}, [
        ("min_value", "1 is not below the `max_value` 1", "the smaller number"),
    ]),
    ({"min_value": 1000001, "max_value": 1000000, "default": 1}, [
        ("min_value", "1000001 is not below the `max_value` 1000000", "the smaller number"),
    ]),
    ({"min_value": 0, "max_value": 1, "default": 1, "sampling": "log"}, [
        ("min_value", "a log range cannot begin at 0", "a number above 0, and `zero: true` to add 0"),
    ]),
    ({"min_value": -1, "max_value": 1, "default": 1, "sampling": "log"}, [
        ("min_value", "a log range cannot begin at -1", "a number above 0, and `zero: true` to add 0"),
    ]),
    ({"min_value": 1, "max_value": 8, "default": 1, "sampling": "log", "step": 1}, [
        ("step", "under `sampling: log` the step 1 is a factor", "a number above 1"),
    ]),
    ({"min_value": 1, "max_value": 8, "default": 1, "zero": True}, [
        ("zero", "`zero` adds 0 to a log range alone", "`sampling: log` beside it, or `min_value: 0`"),
    ]),
    ({"min_value": 0, "max_value": 1, "default": 1, "step": 1e-5}, [
        ("step", "1e-05 gives more than 10,000 values", "a larger step, or none"),
    ]),
    ({"min_value": 0.0, "max_value": 0.7, "default": 0.8}, [("default", "`0.8` is not in the range", "0 to 0.7")]),
    ({"min_value": 1e-7, "max_value": 1e-2, "sampling": "log", "default": 0}, [
        ("default", "`0` is not in the range", "1e-07 to 0.01 (log)"),
    ]),
    ({"min_value": 0, "max_value": 1, "default": "x"}, [("default", '`"x"` is not in the range', "0 to 1")]),
    ({"min_value": 0, "max_value": 1, "default": None}, [("default", "`null` is not in the range", "0 to 1")]),
    ({"min_value": 8, "max_value": 64, "step": 8, "default": 12}, [
        ("default", "`12` is not a step of the range", "8 to 64 by 8"),
    ]),
    ({"min_value": 16, "max_value": 256, "step": 2, "sampling": "log", "default": 48}, [
        ("default", "`48` is not a step of the range", "16 to 256 times 2 (log)"),
    ]),
    ({"values": [8, 16], "default": 12}, [("default", "`12` is not in the range", "8, 16")]),
    ({"values": 8, "default": 8}, [("values", "`8` is no list of plain values", LIST)]),
    ({"values": [], "default": 8}, [("values", "`[]` is no list of plain values", LIST)]),
    ({"values": [[8]], "default": 8}, [("values", "`[[8]]` is no list of plain values", LIST)]),
    ({"values": [8, 16, 8], "default": 8}, [("values", "`8` stands there twice", "each value once")]),
    ({"values": list(range(MOST + 1)), "default": 8}, [("values", "10,001 values", "10,000 at most")]),
    ({"values": [8], "min_value": 1, "zero": True, "default": 8}, [
        ("min_value", "stands beside `values`", "`values` alone, or `min_value` and `max_value`"),
        ("zero", "stands beside `values`", "`values` alone, or `min_value` and `max_value`"),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("written", "wrong"), REFUSED, ids=[str(written)[:70] for written, _ in REFUSED])
def test_a_range_that_cannot_be_is_refused_in_a_sentence(written, wrong):
    assert read(written) == (None, wrong)


@pytest.mark.parametrize("meant", [{"values": 1}, {"min_value": 1}, {"max_value": 1, "default": 0}])
def test_a_mapping_with_values_or_ends_is_meant_as_a_range(meant):
    assert ranges.looks_like(meant)


@pytest.mark.parametrize("other", [{}, {"default": 1, "step": 1}, {"Adam": {}}, [], 1, None, "values"])
def test_other_things_are_not_meant_as_a_range(other):
    assert not ranges.looks_like(other)


def test_a_filled_number_remembers_its_range():
    number = Filled(0.25, "l2")

    for copied in (pickle.loads(pickle.dumps(number)), copy.copy(number), copy.deepcopy([number])[0]):
        assert (copied, copied.name, type(copied)) == (0.25, "l2", Filled)
    assert json.dumps({"l2": number}) == '{"l2": 0.25}'
    assert number * 2 == 0.5
    assert {0.25: "found"}[number] == "found"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([32, 64], "{values: [32, 64], default: 32}"),
        ([0.1, 1e-8], "{values: [0.1, 1e-08], default: 0.1}"),
        (["relu", "tanh"], "{values: [relu, tanh], default: relu}"),
        ([32], ""),
        ([32, 32], ""),
        ([32, -1], ""),
        ([[3], [4]], ""),
        (list(range(1, 10)), ""),
        ("32, 64", ""),
    ],
)
def test_a_list_is_said_as_the_range_that_it_may_be_meant_as(values, said):
    assert ranges.instead_of(values, lambda one: one != -1) == said
