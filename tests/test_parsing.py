"""Bytes to plain values: YAML 1.2's core, nothing that runs, every problem in its place, no exception ever."""

from __future__ import annotations

import random
import time

import pytest

from zoo import selection
from zoo.errors import ZooError
from zoo.language import parsing, slips
from zoo.language.parsing import copied, parse, plain, shown, written

ODD = "is no number of the language; expected a decimal number such as 31 or 1e-3, or quotes around text"
FAR = "is too far from 0; expected a number between -1e+15 and 1e+15"
FAR_WITH_A_POINT = "is too far from 0; expected a number between -3.4028235e+38 and 3.4028235e+38"


def value_of(text: str):
    value, _, problems = parse(text.encode(), "f")
    assert problems == []
    return value


def said(text: str | bytes) -> list[str]:
    return [str(one) for one in parse(text.encode() if isinstance(text, str) else text, "f")[2]]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4), ("1E3", 1000.0), ("1.e3", 1000.0), (".5", 0.5), ("5.", 5.0), ("-1.5e-3", -1.5e-3), ("+5", 5),
        ("0", 0), ("-0", 0), ("0.0", 0.0), ("-17", -17), ("1000000000000000", 10**15), ("1e15", 1e15),
        ("1e-320", 1e-320),
        ("true", True), ("false", False), ("null", None), ("~", None), ("", None),
        ("1:30", "1:30"), ("2020-01-01", "2020-01-01"), ("1,000", "1,000"), ("0.0.1", "0.0.1"), ("=", "="),
        ("0x", "0x"),
        ("some text", "some text"), ("(2014)", "(2014)"), ("max(1, 2)", "max(1, 2)"), ("nothing", "nothing"),
    ],
)  # fmt: skip
def test_a_plain_word_means_what_yaml_1_2_says(text, value):
    found = value_of(f"a: {text}")["a"]

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("word", "meant"),
    [(word, meant) for meant, words in {
        "true": "True TRUE yes Yes YES on On ON", "false": "False FALSE no No NO off Off OFF",
        "null": "None NONE none Null NULL",
    }.items() for word in words.split()],
)  # fmt: skip
def test_a_word_that_yaml_1_1_or_python_reads_otherwise_is_refused(word, meant):
    expected = "null" if meant == "null" else "true or false"

    assert said(f"a: {word}") == [
        f"f:1:1: a: `{word}` is no word of the language; expected {expected}, or quotes around text; "
        f"did you mean `{meant}`?"
    ]
    assert value_of(f"a: '{word}'") == {"a": word}
    assert value_of(f"{word}: 1") == {word: 1}


@pytest.mark.parametrize(
    "number",
    [
        "0x1F",
        "0X1f",
        "0o17",
        "0b1",
        "1_000",
        "1__",
        "1_0.5",
        "1_0e3",
        "012",
        "00",
        "08",
        "-012",
        "012.5",
        "012e3",
        ".inf",
        "-.INF",
        "+.inf",
        ".nan",
        ".NaN",
    ],
)
def test_a_number_in_odd_dress_is_refused(number):
    beside = f", or `{number.lower().replace('.', '').lstrip('+')}` beside tensors" if "inf" in number.lower() else ""
    assert said(f"a: {number}") == [f"f:1:1: a: `{number}` {ODD}{beside}"]
    assert value_of(f"a: '{number}'") == {"a": number}


@pytest.mark.parametrize("number", ["1e400", "-1e400", "3.5e38", "1000000000000001", "-1000000000000001"])
def test_a_number_too_far_from_0_is_refused(number):
    assert said(f"a: {number}") == [f"f:1:1: a: `{number}` {FAR_WITH_A_POINT if 'e' in number else FAR}"]


@pytest.mark.parametrize("number", ["-3.4028235e38", "1e16", "1000000000000000"])
def test_what_float32_holds_is_read(number):
    assert value_of(f"a: {number}") == {"a": float(number)}


def test_a_number_of_more_digits_than_python_reads_is_refused():
    assert said("a: " + "9" * 5000) == [f"f:1:1: a: `{'9' * 37}...` {FAR}"]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("a: 1\nb: 2\na: {c: [1, 2]}\nd: 0x1", [
            "f:3:1: a: written twice, first in line 1; expected each key once", f"f:4:1: d: `0x1` {ODD}",
        ]),
        ("a: {b: 1, b: 2}", ["f:1:11: a.b: written twice, first in line 1; expected each key once"]),
        ("? [a]\n: b", ["f:1:3: a key that is no plain word; expected a word before each colon"]),
        ("a: {'': 1}", ["f:1:5: a: a key that is no plain word; expected a word before each colon"]),
        ("a: {b: (3, 3, 3), c: 0x1}", [
            "f:1:5: a.b: `(3` is cut off at its comma; expected a list in `[ ]`, or quotes around text with a comma",
            f"f:1:19: a.c: `0x1` {ODD}",
        ]),
        ("a: {max(1, 2)}", [
            "f:1:5: a.max(1: `max(1` is cut off at its comma; "
            "expected a list in `[ ]`, or quotes around text with a comma",
        ]),
        ("a: (3, 3)", ["f:1:1: a: `(3, 3)` is a tuple of Python; expected a list in `[ ]`; did you mean `[3, 3]`?"]),
        ("a: {b:1, c: 2}", ["f:1:5: a.b: `b:1` has no space after its colon; expected `b: 1`"]),
    ],
)  # fmt: skip
def test_a_slip_in_a_mapping_is_told_once(text, problems):
    assert said(text) == problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: !!str 5", "f:1:4: a: `!!str` is a tag; expected a plain value"),
        ("a: ! 5", "f:1:4: a: `!` is a tag; expected a plain value"),
        ("a: !local {b: 1}", "f:1:4: a: `!local` is a tag; expected a plain value"),
        ("a: &x 5", "f:1:4: a: `&x` is an anchor; expected the value alone, written out where it is used"),
        ("a: *x", "f:1:4: a: `*x` is an alias; expected the value itself, written out"),
        ("*x : 5", "f:1:1: a key that is no plain word; expected a word before each colon"),
        ("&x a: 5", "f:1:1: `&x` is an anchor; expected the value alone, written out where it is used"),
        ("!!str a: 5", "f:1:1: a key that is no plain word; expected a word before each colon"),
    ],
)
def test_tags_anchors_and_aliases_are_refused_where_they_stand(text, problem):
    assert said(text) == [problem]


def test_a_tag_runs_nothing(tmp_path):
    ran = tmp_path / "ran"
    text = f"a: !!python/object/apply:os.system ['touch {ran}']\nb: !!python/object/new:os.system ['touch {ran}']"

    assert [one.split(": ")[2] for one in said(text)] == [
        "`!!python/object/apply:os.system` is a tag; expected a plain value",
        "`!!python/object/new:os.system` is a tag; expected a plain value",
    ]
    assert not ran.exists()


def test_a_bomb_of_aliases_does_not_go_off():
    levels = [f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]" for n in range(24)]
    began = time.monotonic()

    value, _, problems = parse("\n".join(["a: &a [x, x]", *levels]).encode(), "f")

    assert time.monotonic() - began < 1
    assert value["y"] == [None] * 9
    assert sum("is an alias" in one.wrong for one in problems) == 24 * 9


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "f:1:1: nothing is written here; expected a spec"),
        ("# a comment\n\n", "f:1:1: nothing is written here; expected a spec"),
        ("\ta: 1", "f:1:1: a tab; expected spaces for indentation"),
        ("a:\n\t- b", "f:2:1: a tab; expected spaces for indentation"),
        ("a: 1\n---\nb: 2", "f:2:1: a second document begins; expected one spec in a file"),
        ("a: 1\n...\nb: 2", "f:3:1: a second document begins; expected one spec in a file"),
        ("a: @b", "f:1:4: the sign @ cannot begin a word; expected quotes around text that begins with a special sign"),
        ("a: [1, 2\nb: 3", "f:1:4: a `[` that is not closed; expected `]` at its end, and commas between its items"),
        ("a: {b: 1\nc: 3", "f:1:4: a `{` that is not closed; expected `}` at its end, and commas between its entries"),
        ("a: ]", "f:1:4: a bracket that is not closed, or holds nothing where a value belongs"),
        ('a: "b\nc: 1', "f:1:4: a quote that is not closed; expected the same quote at its end"),
        ("a: b: c", "f:1:5: a colon that cannot stand here; expected `key: value` right under the key above, "
                    "or quotes around text that holds `: `"),
        ("a:\n  b: 1\n c: 2", "f:3:2: what stands here belongs to nothing above; expected `key: value` right under "
                              "the key above, and nothing after a closing quote or bracket"),
        ("a:\n  - b\n  c", "f:3:3: `c` stands in line with a list and has no `- `; expected `- c`, or another "
                            "indentation"),
        ("- a\nb: 1", "f:2:1: `b` stands in line with a list and has no `- `; expected `- b`, or another indentation"),
        ("- a\n-  b\n # c\nd", "f:4:1: `d` stands in line with a list and has no `- `; expected `- d`, or another "
         "indentation"),
        ("a:\n  b: 1\n  - c", "f:2:3: `b` stands in line with a list and has no `- `; expected `- b`, or another "
         "indentation"),
        ("a:\n  b # one\n  - c: 1", "f:2:3: `b` stands in line with a list and has no `- `; expected `- b`, or another "
         "indentation"),
        ("- a\n\n  b: 1", "f:1:3: `a` has no colon, with arguments below it; expected `a:`"),
        ("a: - b", "f:1:4: a `- ` that cannot stand here; expected list items on lines of their own"),
        (r'a: "\d"', "f:1:5: a backslash that means nothing in double quotes; "
                     "expected single quotes, or two backslashes"),
        ("a: \0", "f:1:4: the character U+0000 cannot be printed; expected plain text"),
        ("a: 1\nb: \u2028", "f:2:4: the character U+2028 cannot be printed; expected plain text"),
    ],
)  # fmt: skip
def test_what_is_no_yaml_is_said_with_its_place(text, problem):
    value, _, problems = parse(text.encode(), "f")

    assert value is None
    assert [str(one) for one in problems] == [problem]


@pytest.mark.parametrize(
    ("text", "value", "problems"),
    [
        ("- a # one\n    b: 1\n    c: yes", [{"a": {"b": 1, "c": True}}], [
            "f:1:3: `a` has no colon, with arguments below it; expected `a:`",
            "f:3:5: [0].a.c: `yes` is no word of the language; expected true or false, or quotes around text; "
            "did you mean `true`?",
        ]),
        ("- a: b: no # c: d", [{"a": {"b": False}}], [
            "f:1:3: `a:` and `b:` on one line; expected `a: {b: no}`",
            "f:1:6: [0].a.b: `no` is no word of the language; expected true or false, or quotes around text; "
            "did you mean `false`?",
        ]),
        ("- z\n-a: 1\n-B:\n    c: no", ["z", {"a": 1}, {"B": {"c": False}}], [
            "f:2:1: a `-` without a space behind it; expected `- a`",
            "f:3:1: a `-` without a space behind it; expected `- B`",
            "f:4:5: [2].B.c: `no` is no word of the language; expected true or false, or quotes around text; "
            "did you mean `false`?",
        ]),
        ("- A: 1\nB: no\n- C", [{"A": 1}, {"B": False}, "C"], [
            "f:2:1: `B` stands in line with a list and has no `- `; expected `- B`, or another indentation",
            "f:2:1: [1].B: `no` is no word of the language; expected true or false, or quotes around text; "
            "did you mean `false`?",
        ]),
        ("- A:\nb: no\nc: 2\n- D", [{"A": {"b": False, "c": 2}}, "D"], [
            "f:2:1: `b` is not indented under `A`; expected it deeper",
            "f:2:1: [0].A.b: `no` is no word of the language; expected true or false, or quotes around text; "
            "did you mean `false`?",
        ]),
        ("- A: b: no}\n- C: d: [no, 2", [{"A": {"b": False}}, {"C": {"d": [False, 2]}}], [
            "f:1:3: `A:` and `b:` on one line; expected `A: {b: no}`",
            "f:1:6: [0].A.b: `no` is no word of the language; expected true or false, or quotes around text; "
            "did you mean `false`?",
            "f:2:3: `C:` and `d:` on one line; expected `C: {d: [no, 2]}`",
            "f:2:10: [1].C.d[0]: `no` is no word of the language; expected true or false, or quotes around text; "
            "did you mean `false`?",
        ]),
        ("- A\n    - B:\n        c: no\n    - D: no\n- E", ["A", {"B": {"c": False}}, {"D": False}, "E"], [
            "f:2:5: not in line with the list above; expected `- ` right under the `- ` above",
            "f:3:9: [1].B.c: `no` is no word of the language; expected true or false, or quotes around text; "
            "did you mean `false`?",
            "f:4:7: [2].D: `no` is no word of the language; expected true or false, or quotes around text; "
            "did you mean `false`?",
        ]),
        ("- A\n     B: {c: no}\n- [{D: e: no}, F{g: no}]", ["A", {"B": {"c": False}},
                                                            [{"D": {"e": False}}, {"F": {"g": False}}]], [
            "f:2:6: `B` stands under `A` and has no `- `; expected `- B` in line with the list",
            "f:2:10: [1].B.c: `no` is no word of the language; expected true or false, or quotes around text; "
            "did you mean `false`?",
            "f:3:5: `D:` and `e:` with no brace between; expected `D: {e: no}`",
            "f:3:8: [2][0].D.e: `no` is no word of the language; expected true or false, or quotes around text; "
            "did you mean `false`?",
            "f:3:16: `F{g: no}` has no colon between its key and its value; expected `F: {g: no}`",
            "f:3:18: [2][1].F.g: `no` is no word of the language; expected true or false, or quotes around text; "
            "did you mean `false`?",
        ]),
        ("a:\n  b = no; c\n  d: {e: no; f: no}", {"a": {"b": "no; c", "d": {"e": False, "f": False}}}, [
            "f:2:3: `b = no; c` has no colon between its key and its value; expected `b: no; c`",
            "f:3:7: a.d.e: `no` is no word of the language; expected true or false, or quotes around text; "
            "did you mean `false`?",
            "f:3:14: no comma before `f`; expected `, ` between two entries",
            "f:3:14: a.d.f: `no` is no word of the language; expected true or false, or quotes around text; "
            "did you mean `false`?",
        ]),
        ("a:\n  -B\n  -C: no\nd:\n  * E\n  -\xa0F: no", {"a": ["B", {"C": False}], "d": ["E", {"F": False}]}, [
            "f:2:3: a `-` without a space behind it; expected `- B`",
            "f:3:3: a `-` without a space behind it; expected `- C`",
            "f:3:4: a[1].C: `no` is no word of the language; expected true or false, or quotes around text; "
            "did you mean `false`?",
            "f:5:3: `*` begins no item; expected `- E`",
            "f:6:4: a sign that only looks like a space, the no-break space U+00A0; expected a space",
            "f:6:5: d[1].F: `no` is no word of the language; expected true or false, or quotes around text; "
            "did you mean `false`?",
        ]),
    ],
)  # fmt: skip
def test_where_it_is_plain_what_a_slip_of_syntax_meant_the_rest_is_read(text, value, problems):
    found, _, told = parse(text.encode(), "f")

    assert (found, list(map(str, told))) == (value, problems)


@pytest.mark.parametrize("text", ["- a\n-A:\n  b: 1", "- A: 1\nB:\n  c: 1", "- a: 1\nb: 1", "- a\n  b: 1", "a: b: 1",
                                  "- A: b: C: 1", "- A: b: 1\n    c: 2",
                                  "- A: b: (1, 2]", "- A: b: [1,\n    2]", "[A: b: 1, C]", "- A: 1\nname: b",
                                  "- A\nrepeat: 2\nlayers: [B]", "a: b\n  c d\n  e: f"])  # fmt: skip
def test_where_it_is_not_plain_nothing_is_read(text):
    found, _, told = parse(text.encode(), "f")

    assert found is None and len(told) == 1


def test_so_many_slips_of_syntax_are_told():
    assert len(said("- z\n" + "-a: 1\n" * 100)) == slips.MOST


def test_what_was_found_before_a_slip_of_syntax_is_said_too():
    assert said("a: no\nb: {c: 1") == [
        "f:1:1: a: `no` is no word of the language; expected true or false, or quotes around text; "
        "did you mean `false`?",
        "f:2:4: a `{` that is not closed; expected `}` at its end, and commas between its entries",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a: 1\nb: caf\xe9", "f:2:7: the byte 0xE9 is not UTF-8; expected text in UTF-8"),
        ("a: 1".encode("utf-16"), "f:1:1: the byte 0xFF is not UTF-8; expected text in UTF-8"),
        (b"\xef\xbb\xbfa: \xff", "f:1:4: the byte 0xFF is not UTF-8; expected text in UTF-8"),
    ],
)
def test_bytes_that_are_not_utf_8_are_refused_where_they_stand(content, problem):
    assert said(content) == [problem]


def test_a_byte_order_mark_is_passed_over():
    assert parse(b"\xef\xbb\xbfa: 1", "f") == (
        {"a": 1},
        {(): parsing.Mark("f", 1, 1), ("a",): parsing.Mark("f", 1, 1)},
        [],
    )


def test_a_file_too_large_to_be_a_spec_is_refused_unread():
    assert said(b"a: 1\n" * 4_000_001) == ["f:1:1: 20,000,005 bytes; expected a spec of 20,000,000 at most"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: " + "[" * 70, "1:64"),
        ("a: " + "[" * 900 + "]" * 900, "1:64"),
        ("[" * 500_000, "1:1001"),  # as deep as libyaml looks ahead
        ("{a: " * 200_000, "1:245"),
        ("- " * 5000, "1:123"),
        ("\n".join(" " * depth + "a:" for depth in range(500)), "62:62"),
    ],
)
def test_what_is_nested_too_deeply_is_a_problem_and_no_crash(text, place):
    assert said(text) == [f"f:{place}: nested deeper than 60 levels"]


def test_sixty_levels_are_read():
    assert said("[" * 60 + "]" * 60) == []
    assert said("[" * 62 + "]" * 62) == ["f:1:62: nested deeper than 60 levels"]


def test_places_count_letters_from_1_under_any_script():
    text = "größe: 1\nlayers:\n- 😀😀: {ключ: [ж, 中], b: {c: 2}}\n- plain\n"

    value, marks, problems = parse(text.encode(), "f")

    assert problems == []
    assert value == {"größe": 1, "layers": [{"😀😀": {"ключ": ["ж", "中"], "b": {"c": 2}}}, "plain"]}
    assert {written(path): (mark.line, mark.column) for path, mark in marks.items()} == {
        "": (1, 1), "größe": (1, 1), "layers": (2, 1), "layers[0]": (3, 3), "layers[0].😀😀": (3, 3),
        "layers[0].😀😀.ключ": (3, 8), "layers[0].😀😀.ключ[0]": (3, 15), "layers[0].😀😀.ключ[1]": (3, 18),
        "layers[0].😀😀.b": (3, 22), "layers[0].😀😀.b.c": (3, 26), "layers[1]": (4, 3),
    }  # fmt: skip


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_places_do_not_depend_on_the_kind_of_line_end(end):
    assert said(f"a: 1{end}b: 2{end}  {end}c: 0x1") == [f"f:4:1: c: `0x1` {ODD}"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), ("1e-3", 1e-3), ("true", True), ("null", None), ("", None), ("  ", None), ("[1, 2]", [1, 2]),
     ("{SGD: {momentum: 0.9}}", {"SGD": {"momentum": 0.9}}), ("gaussian", "gaussian"), ("'5'", "5")],
)  # fmt: skip
def test_a_word_of_the_command_line_is_read_as_in_a_spec(text, value):
    assert plain(text) == value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("yes", "`yes` is no word of the language; expected true or false, or quotes around text"),
        ("[1, 2", "a `[` that is not closed; expected `]` at its end, and commas between its items"),
        ("!!int 5", "`!!int` is a tag; expected a plain value"),
        ("# 5", "nothing is written here; expected a spec"),
    ],
)
def test_a_word_of_the_command_line_that_cannot_be_read_is_refused_in_a_sentence(text, says):
    with pytest.raises(ValueError) as caught:
        plain(text)

    assert str(caught.value) == says


def test_a_mapping_of_python_is_copied_to_plain_values():
    import numpy as np

    given = {"a": (1, 2), "b": np.float32(0.5), "c": np.int64(3), "d": {"e": [None, True, "x"]}}

    value, marks, problems = copied(given, "the mapping")

    assert problems == []
    assert value == {"a": [1, 2], "b": 0.5, "c": 3, "d": {"e": [None, True, "x"]}}
    assert [type(value[key]) for key in "abc"] == [list, float, int]
    assert str(marks[()]) == "the mapping"


def test_what_no_spec_can_hold_is_refused_in_a_mapping_too():
    endless: list = []
    endless.append(endless)
    far = "a number that is not finite, or too far from 0; expected a number between"
    whole, floated = f"{far} -1e+15 and 1e+15", f"{far} -3.4028235e+38 and 3.4028235e+38"
    odd = "cannot be written in a spec; expected plain values under keys of text"

    given = {"a": float("nan"), "b": 1e300, "c": 10**5000, "d": {1}, "e": b"x", "f": {1.5: 2}, "g": "\ud800"}

    assert [str(one) for one in copied(given, "it")[2]] == [
        f"it: a: {floated}", f"it: b: {floated}", f"it: c: {whole}", f"it: d: `set` {odd}", f"it: e: `bytes` {odd}",
        f"it: f: `dict` {odd}", f"it: g: `str` {odd}",
    ]  # fmt: skip
    assert [str(one) for one in copied(endless, "it")[2]] == ["it: nested deeper than 60 levels"]


@pytest.mark.parametrize(
    ("path", "text"),
    [((), ""), (("layers", 0, "Conv2D", "filters"), "layers[0].Conv2D.filters"), (("a", 1, 2), "a[1][2]")],
)
def test_a_path_is_written_as_people_write_it(path, text):
    assert written(path) == text


def test_a_value_is_shown_as_a_spec_writes_it_and_no_longer_than_a_sentence_bears():
    assert [shown(one) for one in (None, True, "no", 0.5, [1, 2])] == [
        "`null`",
        "`true`",
        '`"no"`',
        "`0.5`",
        "`[1, 2]`",
    ]
    assert shown("x" * 100) == f'`"{"x" * 36}...`'


PIECES = (
    b"null", b"~", b"true", b"[]", b"{}", b"[[]]", b"{a: b}", b"-1", b"0", b"1e400", b'"x"', b"*a", b"&a x", b"!!str x",
    b"no", b"{values: [1, 2], default: 1}", b"{min_value: 1, max_value: 2, default: 1}",
    b"{min_value: 1, max_value: 2}",
    b"Dense", b"Gaussian", b"[Flatten]", b"{Dense: 3}", b"input", b"previous", b"cnn", b"vae", b"ae", b"9" * 5000,
    b"\xff", b"\0", b"(3, 3)", b"[null, null]", b"{Adam: {}}", b"{layer: {LSTM: {units: 3}}}", b"l2: 0.1", b"name: a",
    b"from: [a, a]", b"reconstruction", b"forecasting", b": ", b", ", b"\n  - ", b"\n", b"{", b"}", b"[", b"]", b"\t",
)  # fmt: skip


def mutated(content: bytes, chance: random.Random) -> bytes:
    """The bytes with a few of them cut, doubled, exchanged or replaced by something that looks like a spec."""
    for _ in range(chance.choice([1, 1, 2, 3, 8])):
        at = chance.randrange(len(content) + 1)
        end = at + chance.randrange(12)
        piece = chance.choice([b"", bytes([chance.randrange(256)]), chance.choice(PIECES), content[at : at + 40]])
        if chance.random() < 0.5:  # at the border of a word, where it is likelier to mean something
            at = max(content.rfind(b" ", 0, at), 0) + 1
            end = min([one for one in (content.find(sign, at) for sign in (b",", b"}", b"\n")) if one > 0], default=at)
        content = content[:at] + piece + content[end:]
    return content


def test_no_bytes_at_all_raise():
    chance = random.Random(1)
    for _ in range(2000):
        content = bytes(chance.choice(b"ab:,-[]{}#&*!|>'\"%@`?\n\t \xc3\xff01e.~") for _ in range(chance.randrange(40)))

        value, marks, problems = parse(content, "f")

        assert isinstance(marks, dict)
        assert value is not None or problems or content.strip()
        assert all(one.wrong and one.mark and one.mark.line >= 1 and one.mark.column >= 1 for one in problems)


@pytest.mark.parametrize("name", sorted(selection.files()))
def test_a_spoilt_spec_loads_or_is_refused_in_sentences(name, tmp_path):
    """Whatever is done to a spec's bytes; and one that loads still dumps, fills and unfolds to the same."""
    chance = random.Random(name)
    original, file = selection.files()[name].read_bytes(), tmp_path / "spoilt.yaml"
    refused = 0
    for _ in range(400):
        file.write_bytes(mutated(original, chance))
        try:
            found = selection.load(str(file))
        except ZooError as error:
            refused += 1
            assert all(one.wrong and str(one).startswith(str(file)) for one in error.problems)
        else:
            file.write_text(found.dump(), encoding="utf-8")
            assert selection.load(str(file)).identity() == found.identity()
            assert found.fill().ranges() == {}
    assert refused > 200


@pytest.mark.parametrize(
    "words", ["[walk,\n      -ing, run]", '["a", \u00a0, New York]', "[a - B, * c]".replace("* ", "")]
)
def test_words_between_brackets_are_as_they_stand(words):
    text = f"spec: 1\nlayers:\n  - StringLookup: {{vocabulary: {words}}}\n"
    value, _, problems = parsing.parse(text.encode(), "a.yaml")

    assert problems == []
    assert len(value["layers"][0]["StringLookup"]["vocabulary"]) >= 2
