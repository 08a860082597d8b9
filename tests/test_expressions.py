"""Expressions: values, precedence, words that grow, reaching, lists, functions, limits, and nothing that runs."""

from __future__ import annotations

import math
import random
import sys
import time

import pytest

from zoo.language import expressions
from zoo.language.expressions import FUNCTIONS, LONGEST, MOST, Wrong

NAMES = {
    "a": 3, "b": 4, "half": 0.5, "zero": 0, "v2": True, "off": False, "i": 1, "mode": "same", "word": "conv",
    "depths": [3, 4, 6, 3], "rows": [[1, 64], [2, 128]], "empty": [],
    "input": {"shape": [32, 24, 3], "vocabulary": 100}, "nothing": None,
}  # fmt: skip


def value(text, **names):
    return expressions.parse(text).run({**NAMES, **names})


def refused(text, **names) -> tuple[str, str, str]:
    with pytest.raises(Wrong) as caught:
        value(text, **names)
    return caught.value.args


# What is an expression


@pytest.mark.parametrize(
    "text",
    ["$x", "a$x", "${$x}", "$", "1 / 255", "2 * 3 + 1", "(1 + 2) * 3", "1 - -2", "1e-3 / 2", "10 ** 2", "7 // 2",
     "7 % 2", "-1 / 127.5"],
)  # fmt: skip
def test_text_with_a_dollar_and_arithmetic_on_plain_numbers_are_expressions(text):
    assert expressions.is_expression(text)


@pytest.mark.parametrize(
    "value",
    ["relu", "1", "1/255", "-1", "a + 1", "1 and 2", "2020-01-01", "3 x 3", "1 /", "", " ", "a / b", "1 < 2", "(1)",
     3, 0.5, True, None, ["$x"], {"$x": 1}],
    ids=str,
)  # fmt: skip
def test_everything_else_is_a_plain_value(value):
    assert not expressions.is_expression(value)


def test_whether_a_text_is_arithmetic_is_told_in_no_time():
    begin = time.perf_counter()

    assert not expressions.is_expression("1)) + " * 200 + "x")
    assert not expressions.is_expression("1 + " * 100_000 + "1")
    assert time.perf_counter() - begin < 1


def test_an_expression_is_held_anywhere_in_a_value_and_asks_for_names():
    value = {"a": ["relu", {"b": "$x + $y.0"}], "c": "d${$z}"}

    assert expressions.holds(value) and not expressions.holds({"a": ["relu", 1]})
    assert expressions.asked(value) == {"x", "y", "z"}
    assert expressions.asked("relu") == frozenset()
    assert expressions.asked("$depths.$i") == {"depths", "i"}


def test_a_value_is_computed_at_every_depth_and_else_stays_as_it_is():
    value = {"filters": "4 * $a", "padding": "same", "strides": ["$i", "1 + 1"], "use_bias": False, "x": None}

    assert expressions.evaluated(value, NAMES) == {
        "filters": 12, "padding": "same", "strides": [1, 2], "use_bias": False, "x": None,
    }  # fmt: skip


# Values


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$a", 3), ("$half", 0.5), ("$v2", True), ("$mode", "same"), ("$depths", [3, 4, 6, 3]), ("$nothing", None),
        ("$input", NAMES["input"]),
        ("$a + 1", 4), ("$a - 1", 2), ("$a*2", 6), ("$b / 2", 2.0), ("$a // 2", 1), ("$a % 2", 1), ("$a ** 2", 9),
        ("-$a", -3), ("+$a", 3), ("--$a", 3), ("1.5 * $b", 6.0), ("1e-3 * $a", 0.003), (".5 * $b", 2.0),
        ("$a == 3", True), ("$a != 3", False), ("$a < 4", True), ("$a <= 3", True), ("$a > 3", False),
        ("$a >= 4", False),
        ("1 < $a < 4", True), ("1 < $a < 3", False), ("$a == 3 == $b", False),
        ("$a in [1, 3]", True), ("$a in $depths", True), ("$i + 4 in $depths", False), ("not $a in [1, 2]", True),
        ("$mode == 'same'", True), ('$mode == "valid"', False), ("$mode in [same, valid]", True),
        ("'shape' in $input", True),
        ("not $v2", False), ("not $zero", True), ("$v2 and $off", False), ("$v2 or $off", True), ("$a and $b", True),
        ("64 if $v2 else 32", 64), ("64 if $off else 32", 32), ("relu if $v2 else linear", "relu"),
        ("relu if $off else linear", "linear"), ("null if $v2 else 1", None), ("a if $off else b if $v2 else c", "b"),
        ("[$a, 2 * $b, relu]", [3, 8, "relu"]), ("[]", []), ("[[1, $a], [2, $b]]", [[1, 3], [2, 4]]),
        ("true", True), ("false", False), ("[true, null]", [True, None]),
        ("1 / 255", 1 / 255), ("(1 + 2) * 3", 9), ("2 ** -1", 0.5),
        ("1.05 ** 80", 1.05**80), ("2 ** -70", 2**-70), ("-1.5 ** 66", -(1.5**66)),
    ],
)  # fmt: skip
def test_an_expression_has_a_value(text, result):
    found = value(text)

    assert (found, type(found)) == (result, type(result))


@pytest.mark.parametrize(
    "text",
    ["2 + 3 * 4", "(2 + 3) * 4", "2 ** 3 ** 2", "-2 ** 2", "2 ** -1 * 4", "7 // 2 * 2", "7 % 4 * 2", "2 - 3 - 4",
     "2 / 4 / 2", "not 1 == 2", "not 1 and 0", "2 > 1 or 1 > 2 and 1 > 2", "1 < 2 == 2", "1 if 0 else 2 if 0 else 3",
     "1 + 1 if 1 else 0", "not 1 in [2]", "- 3 + 4", "1 if 1 or 0 else 2", "3 - -3", "2 * (3 + 4) ** 2 % 5"],
)  # fmt: skip
def test_precedence_is_pythons(text):
    result = value(f"[{text}, $a]")[0]

    assert result == eval(text) and type(result) is type(eval(text))


def test_the_part_that_is_not_chosen_is_not_computed():
    assert value("1 // $zero if $off else 7") == 7
    assert value("$off and 1 // $zero") is False
    assert value("$v2 or 1 // $zero") is True


# Words and pieces


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("block$i", "block1"), ("conv${$i + 1}_block$a", "conv2_block3"), ("$word$i", "conv1"),
        ("${$word}_$i", "conv_1"),
        ("${$a}x${$b}", "3x4"), ("$a$b", "34"), ("cell${$b - ($a if $i == 1 else 2)}", "cell1"), ("2_$mode", "2_same"),
        ("b${letter($i)}", "bb"), ("${${$a}}", 3), ("${$a + 1}", 4), ("v$v2", "vtrue"), ("$a.5", None), ("x$i.y", None),
        ("a.$i", "a.1"), ("x${$i}.y", "x1.y"), ("stem_bn1$i", "stem_bn11"),
    ],
)  # fmt: skip
def test_words_and_pieces_without_a_gap_grow_together(text, result):
    if result is None:  # a dot behind a name reaches into it
        assert "holds no" in refused(text)[0]
    else:
        assert value(text) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [("$depths.0", 3), ("$depths.$i", 4), ("$input.shape.1", 24), ("$input.vocabulary", 100), ("$rows.1.0", 2),
     ("$rows.$i.$i", 128), ("$depths.3 + $input.shape.0", 35)],
)  # fmt: skip
def test_a_dot_reaches_into_lists_and_mappings(text, result):
    assert value(text) == result


# Lists


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("2 * $depths", [6, 8, 12, 6]), ("$depths * 2", [6, 8, 12, 6]), ("$depths + $depths", [6, 8, 12, 6]),
        ("$depths // 2", [1, 2, 3, 1]), ("-$depths", [-3, -4, -6, -3]), ("[1, 2] ** [3, 2]", [1, 4]),
        ("ceil($half * [1, 2, 3])", [1, 1, 2]), ("sqrt([4, 9])", [2.0, 3.0]), ("$rows * 2", [[2, 128], [4, 256]]),
        ("$rows * [1, 10]", [[1, 64], [20, 1280]]), ("make_divisible([10, 30])", [16, 32]), ("2 * []", []),
        ("round(1 / [3, 7], 2)", [0.33, 0.14]),
    ],
)  # fmt: skip
def test_arithmetic_and_number_functions_go_element_by_element(text, result):
    assert value(text) == result


# Functions


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("int(2.7)", 2), ("int(-2.7)", -2), ("float(2)", 2.0), ("round(2.5)", 2), ("round(2.718, 2)", 2.72),
        ("ceil(1.2)", 2), ("floor(2.7)", 2), ("abs(-3)", 3), ("sqrt(9)", 3.0), ("min(4, 7)", 4), ("max(4, 7)", 7),
        ("min($depths)", 3), ("max($depths)", 6), ("sum($depths)", 16), ("sum(1, 2)", 3), ("sum([])", 0),
        ("len($depths)", 4), ("len([])", 0), ("range(3)", [0, 1, 2]), ("range(1, $b)", [1, 2, 3]),
        ("range(4, 0, -2)", [4, 2]), ("range(0)", []), ("zip($depths, range(4))", [[3, 0], [4, 1], [6, 2], [3, 3]]),
        ("zip()", []), ("letter(0)", "a"), ("letter(25)", "z"), ("letter(26)", "aa"), ("letter(27)", "ab"),
        ("letter(702)", "aaa"), ("make_divisible(33)", 32), ("make_divisible(3)", 8), ("make_divisible(11)", 16),
        ("make_divisible(1.3 * 24, 8)", 32), ("make_divisible(10, 4)", 12),
    ],
)  # fmt: skip
def test_a_function_has_a_value(text, result):
    found = value(text)

    assert (found, type(found)) == (result, type(result))


def test_every_function_is_tried_here():
    tried = {text.partition("(")[0] for text, _ in test_a_function_has_a_value.pytestmark[0].args[1]}

    assert tried == set(FUNCTIONS)


def test_make_divisible_is_the_rounding_of_mobilenet():
    def published(value, divisor=8):  # slim/nets/mobilenet/mobilenet.py, TensorFlow models
        made = max(divisor, int(value + divisor / 2) // divisor * divisor)
        return made + divisor if made < 0.9 * value else made

    values = [width * channels for width in (0.25, 0.35, 0.5, 0.75, 1.1, 1.3, 1.4) for channels in range(1, 1300, 7)]

    assert [value("make_divisible($v)", v=one) for one in values] == [published(one) for one in values]


# What is refused


@pytest.mark.parametrize(
    ("text", "wrong", "expected", "hint"),
    [
        # bare words
        ("v2", "`v2` is a bare word", "a value", "$v2"),
        ("v2 and $a", "`v2` is a bare word in `v2 and $a`", "a value", "$v2"),
        ("$mode == same", "`same` is a bare word in `$mode == same`", "a value", "'same'"),
        ("same != $mode", "`same` is a bare word in `same != $mode`", "a value", "'same'"),
        ("$a + b", "`b` is a bare word in `$a + b`", "a value", "$b"),
        ("max($a, b)", "`b` is a bare word in `max($a, b)`", "a value", "$b"),
        ("1 if v2 else $a", "`v2` is a bare word in `1 if v2 else $a`", "a value", "$v2"),
        ("conv$i-a", "`a` is a bare word in `conv$i-a`", "a value", "$a"),
        ("$a == True", "`True` is no word of the language", "true", "true"),
        ("None if $a else 1", "`None` is no word of the language", "null", "null"),
        # pieces
        ("a${i}", "`i` inside `a${i}` is text", "a name with its `$`", "${$i}"),
        ("a${i + 1}", "`i + 1` inside `a${i + 1}` is text", "a name with its `$`", ""),
        ("a${}", "nothing stands in `${}`", "a name with its `$`", ""),
        ("a${$i", "`${` is not closed in `a${$i`", "`}` at its end", ""),
        ("$", "a `$` without a name in `$`", "a name, such as $filters", ""),
        ("5 $", "a `$` without a name in `5 $`", "a name, such as $filters", ""),
        ("$1", "a `$` without a name in `$1`", "a name, such as $filters", ""),
        ("a$half", "`0.5` cannot be part of a word", "a whole number or text", ""),
        ("a$depths", "`[3, 4, 6, 3]` cannot be part of a word", "a whole number or text", ""),
        ("conv$i-1", "`\"conv1\"` is no number in `conv$i-1`", "numbers in arithmetic", ""),
        ("'$a'", "'$a' holds a `$` inside its quotes", "names outside of quotes", ""),
        # reaching
        ("$c", "`$c` has no value here", "a value given before it is used", ""),
        ("$depths.4", "`$depths` has no `4`", "0 to 3", ""),
        ("$empty.0", "`$empty` has no `0`", "a list with elements", ""),
        ("$depths.first", "`$depths` has no `first`", "0 to 3", ""),
        ("$depths.-1", "a dot in `$depths.-1` that leads to nothing", "a key, or a place from 0 on: $depths.0", ""),
        ("$depths[0]", "`$depths[0]` reaches in with brackets", "a dot", "$depths.0"),
        ("$depths[$i]", "`$depths[$i]` reaches in with brackets", "a dot", "$depths.$i"),
        ("$rows.0[1]", "`$rows.0[1]` reaches in with brackets", "a dot", "$rows.0.1"),
        ("$depths[-1]", "`$depths[-1]` reaches in with brackets", "a dot", ""),
        ("$input.shpae", "`$input` has no `shpae`", "one of shape, vocabulary", "shape"),
        ("$input.shape.0.0", "`$input.shape.0` is `32`, which holds no `0`", "a list or a mapping", ""),
        ("$i.conv", "`$i` is `1`, which holds no `conv`", "a list or a mapping", "${$i}.conv"),
        # numbers
        ("$a / $zero", "division by zero in `$a / $zero`", "another divisor", ""),
        ("$a % $zero", "division by zero in `$a % $zero`", "another divisor", ""),
        ("0 ** -$i", "division by zero in `0 ** -$i`", "another divisor", ""),
        ("1e15 * $a", "`1e15 * $a` is too far from 0", "a number between -1e+15 and 1e+15", ""),
        ("10 ** 16", "`10 ** 16` is too far from 0", "a number between -1e+15 and 1e+15", ""),
        ("$a ** 1000000", "`$a ** 1000000` is too far from 0", "a number between -1e+15 and 1e+15", ""),
        ("$a ** $a ** $a ** $a", "`$a ** $a ** $a ** $a` is too far from 0", "a number between -1e+15 and 1e+15", ""),
        ("[1e999, $a]", "`1e999` is too far from 0", "a number between -1e+15 and 1e+15", ""),
        ("sum(1e15, $a)", "`sum(1e15, $a)` is too far from 0", "a number between -1e+15 and 1e+15", ""),
        ("(-$half) ** $half", "`(-$half) ** $half` cannot be computed", "numbers for which it is defined", ""),
        ("sqrt(-$a)", "`sqrt(-$a)` cannot be computed", "numbers for which it is defined", ""),
        ("0x1F + $a", "`0x1F` is no number", "a decimal number such as 31 or 1e-3", ""),
        ("007 + $a", "`007` is no number", "a decimal number such as 31 or 1e-3", ""),
        ("1_000 * $a", "`1_000` is no number", "a decimal number such as 31 or 1e-3", ""),
        ("$mode + 1", "`\"same\"` is no number in `$mode + 1`", "numbers in arithmetic", ""),
        ("$v2 + 1", "`true` is no number in `$v2 + 1`", "numbers in arithmetic", ""),
        ("$nothing + 1", "`null` is no number in `$nothing + 1`", "numbers in arithmetic", ""),
        ("$input + 1", "`{\"shape\": [32, 24, 3], \"vocabulary\": ...` is no number in `$input + 1`",
         "numbers in arithmetic", ""),
        ("-$mode", "`\"same\"` is no number in `-$mode`", "numbers in arithmetic", ""),
        ("$depths + [1, 2]", "lists of 2 and 4 elements in `$depths + [1, 2]`", "lists of one length", ""),
        # conditions and comparisons
        ("not $mode", '`"same"` is no condition', "true, false or a number", ""),
        ("1 if $depths else 2", "`[3, 4, 6, 3]` is no condition", "true, false or a number", ""),
        ("$v2 and $mode", '`"same"` is no condition', "true, false or a number", ""),
        ("$a < 'b'", '`3` and `"b"` cannot be compared in `$a < \'b\'`',
         "values of one kind, and a list behind `in`", ""),
        ("$a in 5", "`3` and `5` cannot be compared in `$a in 5`", "values of one kind, and a list behind `in`", ""),
        ("'a' in $mode", '`"a"` and `"same"` cannot be compared in `\'a\' in $mode`',
         "values of one kind, and a list behind `in`", ""),
        # functions
        ("cel($a)", "no function `cel`",
         "one of int, float, round, ceil, floor, abs, sqrt, min, max, sum, len, range, zip, letter, make_divisible",
         "ceil"),
        ("ceil($a, 2)", "`ceil($a, 2)` cannot be computed", "arguments that the function takes", ""),
        ("ceil()", "`ceil()` cannot be computed", "arguments that the function takes", ""),
        ("ceil($mode)", "`\"same\"` is no number in `ceil($mode)`", "numbers in arithmetic", ""),
        ("min()", "`min()` cannot be computed", "arguments that the function takes", ""),
        ("max($mode, 1)", "`max($mode, 1)` is of other things than numbers", "numbers, or one list of them", ""),
        ("sum($rows)", "`sum($rows)` is of other things than numbers", "numbers, or one list of them", ""),
        ("len($a)", "`3` in `len($a)` has no length", "a list", ""),
        ("len($mode)", '`"same"` in `len($mode)` has no length', "a list", ""),
        ("range($half)", "`range($half)` is not of whole numbers", "whole numbers", ""),
        ("range(0, 3, 0)", "`range(0, 3, 0)` cannot be computed", "arguments that the function takes", ""),
        ("range(10001)", "`range(10001)` has 10,001 elements", "10,000 at most", ""),
        ("range(0, 10 ** 15)", "`range(0, 10 ** 15)` has 1,000,000,000,000,000 elements", "10,000 at most", ""),
        ("zip($depths, [1])", "`zip($depths, [1])` is not of lists of one length", "lists of one length", ""),
        ("zip($a)", "`zip($a)` is not of lists of one length", "lists of one length", ""),
        ("letter(-$i)", "`-1` in `letter(-$i)` has no letter", "a whole number, 0 for `a`", ""),
        ("letter($half)", "`0.5` in `letter($half)` has no letter", "a whole number, 0 for `a`", ""),
        ("make_divisible($a, 0)", "division by zero in `make_divisible($a, 0)`", "another divisor", ""),
        # other languages
        ("$a = 3", "the sign `=` is none of an expression", expressions._OPERATORS, "=="),
        ("$a && $b", "the sign `&` is none of an expression", expressions._OPERATORS, "and"),
        ("$a || $b", "the sign `|` is none of an expression", expressions._OPERATORS, "or"),
        ("!$a", "the sign `!` is none of an expression", expressions._OPERATORS, "not"),
        ("$a ^ 2", "the sign `^` is none of an expression", expressions._OPERATORS, "**"),
        ("$a ? 1", "the sign `?` is none of an expression", expressions._OPERATORS, "a if c else b"),
        ("lambda: $a", "the sign `:` is none of an expression", expressions._OPERATORS, ""),
        ("(x := $a)", "the sign `:` is none of an expression", expressions._OPERATORS, ""),
        ("{$a}", "the sign `{` is none of an expression", expressions._OPERATORS, ""),
        ("größe$a", "the sign `ö` is none of an expression", expressions._OPERATORS, ""),
        ("$a not in [1]", "`$a not in [1]` cannot be read", "`not` before the whole, as in `not $n in [1, 2]`", ""),
        ("1 if $a", "`1 if $a` cannot be read", "`else` as well, and a value behind it", ""),
        ("max($a, 8", "`max($a, 8` cannot be read", "a `)` for each `(`, and quotes around text with a comma", ""),
        ("$a is 3", "`$a is 3` cannot be read", "arithmetic on `$names` and numbers", ""),
        ("$a 3", "`$a 3` cannot be read", "arithmetic on `$names` and numbers", ""),
        ("$a,", "`$a,` cannot be read", "arithmetic on `$names` and numbers", ""),
        ("* $a", "`* $a` cannot be read", "arithmetic on `$names` and numbers", ""),
        ("max(*$depths)", "`max(*$depths)` cannot be read", "arithmetic on `$names` and numbers", ""),
        ("[x for x in $depths]", "`[x for x in $depths]` cannot be read", "arithmetic on `$names` and numbers", ""),
        ("$a()", "`$a()` cannot be read", "arithmetic on `$names` and numbers", ""),
        ("'a' 'b' $a", "`'a' 'b' $a` cannot be read", "arithmetic on `$names` and numbers", ""),
        ("", "nothing stands here", "a value", ""),
        ("  ", "nothing stands here", "a value", ""),
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused_with_its_sentence(text, wrong, expected, hint):
    assert refused(text) == (wrong, expected, hint)


# Limits


def test_an_expression_is_not_too_long_too_deep_or_too_large():
    assert value("$a" + " + 1" * 190) == 193
    assert refused("$a" + " + 1" * 400)[0] == "an expression of 1,602 characters"
    assert "is too deep" in refused("$a" + " + 1" * 240)[0]
    assert "is too deep" in refused("-" * 900 + "$a")[0]
    assert "is too deep" in refused("not " * 240 + "$a")[0]
    assert value("(" * 50 + "$a" + ")" * 50) == 3
    assert "holds brackets in brackets, too deep" in refused("(" * 51 + "$a" + ")" * 51)[0]
    assert "holds brackets in brackets, too deep" in refused("${" * 300 + "$a" + "}" * 300)[0]
    assert refused("[$many, $a]", many=list(range(MOST)))[0] == "`[$many, $a]` holds more than 10,000 elements"
    assert refused("zip($many, $many)", many=list(range(MOST)))[0].endswith("holds more than 10,000 elements")
    assert refused("$long$long", long="x" * LONGEST)[1] == "1,000 at most"


def test_lists_that_double_stay_small():
    names = {"a": [1, 2]}
    with pytest.raises(Wrong, match="holds more than 10,000 elements"):
        for _ in range(40):
            names["a"] = value("[$a, $a]", a=names["a"])
    names = {"a": [1, 2]}
    with pytest.raises(Wrong, match="holds more than 10,000 elements"):
        for _ in range(40):
            names["a"] = expressions.evaluated(["$a", "$a"], names)


def test_names_that_need_each_other_are_ordered_and_their_circles_told():
    assert expressions.ordered({"a": "$b + $c", "b": "$c", "c": 1}) == (["c", "b", "a"], [])
    assert expressions.ordered({"a": "$b", "b": "$a", "c": "$a"}) == (["b", "a", "c"], [["a", "b", "a"]])
    assert expressions.ordered({"a": "$a + 1"}) == (["a"], [["a", "a"]])
    assert expressions.ordered({"a": "${", "b": ["$a", {"x": "$c"}], "c": 2}) == (["a", "c", "b"], [])
    chain = {f"n{index}": f"$n{index + 1}" for index in range(5000)} | {"n5000": 1}
    assert expressions.ordered(chain)[0][:2] == ["n5000", "n4999"]


def test_a_name_whose_value_is_lost_is_lost_on_its_users_too():
    with pytest.raises(expressions.Lost):
        value("2 * $gone", gone=expressions.LOST)


# Attack

PIECES = [
    "$a", "$b", "$depths", "$mode", "$half", "$v2", "$rows", "$input", "$nothing", "$zzz", "${", "}", "$", ".", ".0",
    ".1", ".shape", " ", "  ", "+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "=", "(", ")",
    "[", "]", ",", "'", '"', "'same'", "same", "relu", "not ", " and ", " or ", " in ", " if ", " else ", "true",
    "null", "None", "0", "1", "2.5", "1e9", "1e15", "007", "9" * 20, "e", "e5", "_", "\n", "\t", "lambda", ":", ":=",
    "__class__", "__import__", "os", "print(", "exec(", "eval(", "{", "@", "#", "\\", "ö", "\u2028", "\ud800", "\0",
    "`", ";", "for ",
    *(f"{name}(" for name in FUNCTIONS),
]  # fmt: skip


def grown(chance, depth: int) -> str:
    """A text as the grammar makes them; what it means may still be wrong."""
    if depth == 0 or chance.random() < 0.2:
        return chance.choice(
            ["$a", "$b", "$half", "$depths", "$mode", "$v2", "$rows.0", "2", "0.5", "'same'", "relu", "x$i"]
        )
    one, other, third = (grown(chance, depth - 1) for _ in range(3))
    sign = chance.choice(["+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "in", "and", "or"])
    made = [f"{one} {sign} {other}", f"({one})", f"-{one}", f"not {one}", f"{one} if {other} else {third}"]
    return chance.choice(
        [*made, f"[{one}, {other}]", f"${{{one}}}", f"{chance.choice(list(FUNCTIONS))}({one}, {other})"]
    )


@pytest.fixture
def events():
    """What Python does besides computing while a test is on: code that runs, files, imports, processes."""
    seen, watched = [], ("exec", "import", "open", "os.system", "os.exec", "os.fork", "os.spawn", "subprocess.")
    watching = True

    def watch(event, _):
        if watching and event.startswith(watched):
            seen.append(event)

    sys.addaudithook(watch)
    yield seen
    watching = False


def test_no_text_raises_anything_but_a_sentence_and_nothing_runs(events):
    chance, texts, refusals = random.Random(7), 0, 0
    begin = time.perf_counter()

    for _ in range(12_000):
        text = "".join(chance.choices(PIECES, k=chance.randrange(1, 14)))
        if chance.random() < 0.5:
            text = grown(chance, chance.randrange(1, 5))
        try:
            found = expressions.parse(text).run(NAMES)
        except Wrong as error:
            refusals += 1
            assert error.args[0] and len(error.args) == 3 and len(error.args[0]) < 400
        else:
            texts += 1
            assert isinstance(found, (int, float, str, list, dict, type(None)))
            assert not isinstance(found, float) or math.isfinite(found)
        expressions.is_expression(text)
        expressions.holds(text)

    assert events == []
    assert texts > 1000 and refusals > 3000
    assert time.perf_counter() - begin < 60


@pytest.mark.parametrize(
    "text",
    ["__import__('os').system('true') + $a", "$a.__class__", "().__class__.__bases__.0", "eval('1') + $a",
     "open('x') if $a else 1", "[c for c in ().__class__.__base__.__subclasses__()] + $a", "f'{$a}'", "$a.real",
     "(lambda: $a)()", "print($a)", "exec('x') + $a", "globals() + $a", "$mode.upper()", "'%s' % $a",
     "$a if True else 1",
     "`ls`$a", "$(ls)", "${__import__('os')}", "$a; import os", "yield $a", "await $a", "*$depths", "$a\\\n", "$a#"],
)  # fmt: skip
def test_code_is_no_expression(text, events):
    with pytest.raises(Wrong):
        value(text)

    assert events == []
