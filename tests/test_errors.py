"""Errors: a place, a sentence, the nearest right thing; all at once, in the order of the file."""

import pickle

import pytest

from zoo.errors import Mark, Problem, ZooError, listed, nearest, plainly


def test_a_problem_says_where_what_expected_and_hint():
    mark = Mark("my.yaml", 7, 3)
    problem = Problem("no such argument", "one of filters, kernel_size", "filters", "layers[0].Conv2D.fliters", mark)

    assert str(problem) == (
        "my.yaml:7:3: layers[0].Conv2D.fliters: no such argument; expected one of filters, kernel_size; "
        "did you mean `filters`?"
    )
    assert str(Problem("it is empty")) == "it is empty"
    assert str(Problem("is no number", path="l2", mark=Mark("--set", 0, 0))) == "--set: l2: is no number"


def test_an_error_sorts_its_problems_by_place_and_says_each_once():
    late, early = Problem("late", mark=Mark("a.yaml", 10, 1)), Problem("early", mark=Mark("a.yaml", 9, 8))
    error = ZooError(late, early, late)

    assert error.problems == (early, late)
    assert str(error) == "a.yaml:9:8: early\na.yaml:10:1: late"


def test_a_plain_sentence_is_a_problem():
    assert ZooError("it rains").problems == (Problem("it rains"),)


@pytest.mark.parametrize("problems", [(), ("",), ("fine", Problem(""))])
def test_an_error_needs_a_sentence(problems):
    with pytest.raises(ValueError, match="an error needs a sentence"):
        ZooError(*problems)


def test_an_error_crosses_processes():
    error = ZooError(Problem("wrong", "right", "rite", "l2", Mark("a.yaml", 1, 2)), "also")
    back = pickle.loads(pickle.dumps(error))

    assert type(back) is ZooError
    assert (back.problems, str(back)) == (error.problems, str(error))


@pytest.mark.parametrize(
    "word, found",
    [("digitz", "digits"), ("LeNet-5", "lenet5"), ("DIGITS", "digits"), ("xyzzy", ""), ("", ""), (3, "")],
)
def test_nearest_finds_what_looks_alike_or_nothing(word, found):
    assert nearest(word, ["digits", "lenet5", "breast_cancer"]) == found


def test_plainly_forgets_case_dashes_underscores_and_spaces():
    assert plainly("Le Net_-5") == "lenet5"


def test_a_long_list_ends_with_how_many_more():
    assert listed([1, 2, 3]) == "1, 2, 3"
    assert listed(range(5), 3) == "0, 1, 2 and 2 more"
    assert listed([]) == ""
