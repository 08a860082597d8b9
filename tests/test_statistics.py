"""Statistics: an interval that means what it says, and a sentence that claims no more."""

import math

import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.statistics import Difference, paired, sentence


def test_the_interval_of_many_rows_is_the_normal_one():
    rng = np.random.default_rng(0)
    default = rng.normal(size=400)
    tuned = default + rng.normal(0.1, 1.0, 400)
    gain = tuned - default
    half = 1.96 * gain.std() / math.sqrt(400)
    found = paired(default, tuned, "max")

    assert found.rows == 400
    assert found.estimate == pytest.approx(gain.mean())
    assert found.low == pytest.approx(gain.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(gain.mean() + half, abs=0.1 * half)


def test_the_interval_is_the_same_each_time():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(2, 50))

    assert paired(*scores, "max") == paired(*scores, "max")


def test_above_zero_is_better_in_both_directions():
    rng = np.random.default_rng(2)
    high, low = rng.normal(1, 0.1, 60), rng.normal(0, 0.1, 60)

    assert paired(low, high, "max").helped is True
    assert paired(low, high, "min").helped is False
    assert paired(high, low, "min").helped is True
    assert paired(low, high, "max").estimate == pytest.approx(paired(high, low, "min").estimate)


def test_equal_scores_differ_by_nothing():
    ones = np.ones(9)

    assert paired(ones, ones, "max") == Difference(0.0, 0.0, 0.0, 9)
    assert paired(ones, ones, "max").helped is None


@pytest.mark.parametrize("first, second", [(0, 0), (1, 1), (3, 4)])
def test_too_few_or_unpaired_rows_are_refused(first, second):
    with pytest.raises(ZooError, match=rf"{first} and {second} scores; expected two or more rows"):
        paired(np.zeros(first), np.zeros(second), "max")


WHERE = "on 1,200 untouched rows, one seed"


@pytest.mark.parametrize(
    "difference, says",
    [
        (
            Difference(0.03, 0.01, 0.05, 1200),
            "Tuning helped, in one training of each: mae is better by 0.03 (95 % interval +0.01 to +0.05; "
            f"{WHERE}); whether other seeds agree, `--confirm 3` tells.",
        ),
        (
            Difference(-0.03, -0.05, -0.01, 1200),
            "Tuning did harm, in one training of each: mae is worse by 0.03 (95 % interval -0.05 to -0.01; "
            f"{WHERE}); whether other seeds agree, `--confirm 3` tells.",
        ),
        (
            Difference(0.03, 0.01, 0.05, 1200, 3),
            "Tuning helped: mae is better by 0.03 (95 % interval +0.01 to +0.05; on 1,200 untouched rows, "
            "3 fresh seeds).",
        ),
        (
            Difference(-0.01, -0.03, 0.02, 1200),
            f"Nobody can say whether tuning helped: mae is worse by 0.01 (95 % interval -0.03 to +0.02; {WHERE}).",
        ),
        (
            Difference(0.0, 0.0, 0.0, 1200),
            f"Nobody can say whether tuning helped: mae is the same (95 % interval +0 to +0; {WHERE}).",
        ),
    ],
)
def test_the_sentence_claims_what_the_interval_holds(difference, says):
    assert sentence(difference, "mae", same=False) == says


def test_the_sentence_says_when_the_defaults_won():
    assert "the defaults themselves" in sentence(Difference(0, 0, 0, 9), "mae", same=True)
