"""Suggesting is a pure function of space, seed, number and what was told; contracts over every oracle."""

from __future__ import annotations

import random

import keras_tuner
import pytest

from zoo import oracles
from zoo.errors import ZooError
from zoo.language.ranges import Range
from zoo.oracles import DONE, ORACLES, WAIT, Asking, Question, Space, check, promotable, suggest

RANGES = {
    "l2": Range(1e-3, min_value=1e-7, max_value=1e-2, sampling="log", zero=True),
    "dropout": Range(0.5, min_value=0.0, max_value=0.7),
    "units": Range(64, values=(32, 64, 128)),
}
TRIALS = {"random": 12, "grid": 30, "hyperband": 26, "bayesian": 11}


def space(oracle, ahead=2, seed=0, ranges=RANGES, trials=None, direction="max"):
    return Space(ranges, oracle, direction, trials or TRIALS[oracle], 9, seed, ahead)


def score(question: Question) -> float:
    units = {32: 0.01, 64: 0.0, 128: 0.02}.get(question.values.get("units"), 0.0)
    lost = 0.3 * (question.values.get("l2", 0.0) - 1e-4) ** 2 + 0.1 * (question.values.get("dropout", 0.0) - 0.3) ** 2
    return 0.9 - lost + units + 0.01 * (question.epochs or 9) / 9


def study(one: Space, asked=(), told=(), grade=score):
    """Ask and tell until all trials are asked, from what is recorded already."""
    asked, told = list(asked), list(told)
    while len(asked) < one.trials:
        question = suggest(one, asked, told)
        if question == DONE:
            break
        if question == WAIT:
            told.append(grade(asked[len(told)]))
        else:
            asked.append(question)
    while len(told) < len(asked):
        told.append(grade(asked[len(told)]))
    return asked, told


@pytest.mark.parametrize("oracle", sorted(ORACLES))
@pytest.mark.parametrize("ahead", [1, 2])
def test_a_resumed_study_asks_what_an_uninterrupted_one_asks(oracle, ahead):
    whole = study(space(oracle, ahead))
    asked, told = whole

    assert len(asked) > 8
    cuts = (1, 3, len(asked) // 2, len(asked) - 2) if oracle != "bayesian" else (len(asked) - 2,)  # a second a question
    for cut in cuts:
        for lag in (0, ahead):
            assert study(space(oracle, ahead), asked[:cut], told[: max(cut - lag, 0)]) == whole


@pytest.mark.parametrize("oracle", sorted(ORACLES))
@pytest.mark.parametrize("ahead", [1, 4])
def test_an_oracle_that_goes_on_asks_what_a_fresh_one_asks(oracle, ahead, monkeypatch):
    one, dice = space(oracle, ahead), random.Random(3)
    made, usual = [], oracles._Replay.__init__
    monkeypatch.setattr(oracles._Replay, "__init__", lambda self, space: made.append(1) or usual(self, space))
    asking, asked, told, waits, ready = Asking(one), [], [], 0, 0
    while len(asked) < one.trials:
        ready = dice.randint(ready, len(told))  # results come at any time
        question = asking.next(asked, told[:ready])
        alone = len(made)
        assert question == suggest(one, asked, told[:ready])
        del made[alone:]
        if question == DONE:
            break
        if question == WAIT:
            waits += 1
            told += [score(asked[len(told)])] if len(told) < len(asked) else []
        else:
            asked.append(question)

    assert len(asked) > 8
    assert len(made) <= 1 + waits
    number = len(asked) - 2
    assert asking.next(asked[:number], told[:number]) == suggest(one, asked[:number], told[:number])  # another past
    asking.close()


@pytest.mark.parametrize("oracle", sorted(ORACLES))
def test_a_question_does_not_depend_on_results_that_arrived_early(oracle):
    asked, told = study(space(oracle, 3))
    number = 9

    assert suggest(space(oracle, 3), asked[:number], told[:number]) == asked[number]
    if oracle not in ("hyperband", "grid"):  # which may need the next result before they can ask at all
        assert suggest(space(oracle, 3), asked[:number], told[: number - 2]) == asked[number]


@pytest.mark.parametrize("oracle", sorted(ORACLES))
def test_trial_0_is_the_defaults_and_lambda_0_is_among_the_values_tried(oracle):
    asked, _ = study(space(oracle))

    assert asked[0].values == {"l2": 1e-3, "dropout": 0.5, "units": 64}
    assert any(question.values["l2"] == 0 for question in asked[1:])
    if oracle != "grid":
        assert asked[1].values == {"l2": 0.0, "dropout": 0.5, "units": 64}


@pytest.mark.parametrize("oracle", sorted(ORACLES))
def test_every_value_lies_in_its_range(oracle):
    for question in study(space(oracle))[0]:
        assert all(RANGES[name].holds(value) for name, value in question.values.items())


@pytest.mark.parametrize("oracle", ["random", "bayesian", "hyperband"])
def test_seeds_near_each_other_ask_different_questions(oracle):
    tried = [{q.values["dropout"] for q in study(space(oracle, seed=seed, trials=8))[0][2:]} for seed in (0, 1, 2, 3)]

    assert all(len(one) > 3 for one in tried)
    assert not any(tried[a] & tried[b] for a in range(4) for b in range(a))


@pytest.mark.parametrize("oracle", sorted(ORACLES))
def test_trials_that_diverge_do_not_end_the_search(oracle):
    asked, told = study(space(oracle), grade=lambda question: None)

    assert len(asked) > 8
    assert told == [None] * len(asked)


def test_a_grid_fits_its_trials_holds_zero_and_ends():
    ranges = {name: RANGES[name] for name in ("l2", "dropout")}
    asked, _ = study(space("grid", ranges=ranges, trials=17))

    tried = [(question.values["l2"], question.values["dropout"]) for question in asked[1:]]
    assert len(asked) == 17 and len(set(tried)) == 16
    assert sorted({l2 for l2, _ in tried}) == pytest.approx([0.0, 1e-7, 1e-7 * 1e5**0.5, 1e-2])
    assert sorted({p for _, p in tried}) == pytest.approx([0.0, 0.7 / 3, 1.4 / 3, 0.7])
    assert suggest(space("grid", ranges=ranges, trials=17), asked, [score(q) for q in asked]) == DONE


def test_hyperband_promotes_the_best_to_more_epochs():
    asked, told = study(space("hyperband"))
    promoted = [question for question in asked if question.parent is not None]

    assert promoted
    for question in promoted:
        assert question.epochs > (asked[question.parent].epochs or 0)
        assert {k: question.values[k] for k in RANGES} == {k: asked[question.parent].values[k] for k in RANGES}
    first = promoted[0]
    rung = [k for k, question in enumerate(asked) if question.epochs == asked[first.parent].epochs and k > 1]
    assert told[first.parent] == max(told[k] for k in rung[:9])


@pytest.mark.parametrize(
    ("ahead", "direction", "eager"), [(1, "max", True), (4, "min", True), (4, "max", False), (7, "max", True)]
)
def test_every_trial_that_hyperband_promotes_was_promotable_since_it_was_told(ahead, direction, eager):
    dice = random.Random(ahead)
    one = Space(RANGES, "hyperband", direction, 90, 27, 0, ahead)
    asked, told, kept, most = [], [], set(), 0
    while len(asked) < one.trials:
        now = promotable(one, asked, told)
        assert now <= kept | {len(told) - 1}  # whoever is dropped does not come back
        kept, most = set(now), max(most, len(now))
        question = suggest(one, asked, told)
        if question == WAIT or (eager and len(told) < len(asked) and dice.random() < 0.9):
            # Few different scores, and some that diverged: ties go as keras-tuner breaks them.
            told.append(dice.choice([None, 0.1, 0.2, 0.3, 0.4, 0.5]))
            continue
        if question.parent is not None and told[question.parent] is not None:  # one that diverged has no state
            assert question.parent in kept
        asked.append(question)

    assert sum(question.parent is not None for question in asked) > 15
    assert 9 <= most <= 9 + 4 + ahead  # the best 9 of the first 27, some of the next round, and those not known yet
    assert not promotable(one, asked, told)


def test_other_oracles_promote_no_trial():
    assert not promotable(space("random"), *study(space("random", trials=6)))


def test_bayesian_search_looks_where_it_was_good():
    ranges = {"dropout": Range(0.5, min_value=0.0, max_value=1.0 - 1e-9)}
    one = Space(ranges, "bayesian", "max", 14, 9, 3, 2)
    asked, _ = study(one, grade=lambda question: -((question.values["dropout"] - 0.2) ** 2))

    assert all(abs(question.values["dropout"] - 0.2) < 0.15 for question in asked[-3:])


def test_a_space_without_ranges_has_one_trial():
    assert study(space("random", ranges={}, trials=5)) == (
        [Question({}, None, None, {})],
        [score(Question({}, None, None, {}))],
    )


def test_an_unknown_oracle_is_refused_with_the_nearest():
    with pytest.raises(ZooError, match="no oracle `bayes`; expected one of random, grid, bayesian, hyperband"):
        check("bayes")


def test_a_search_that_cannot_be_done_in_so_few_trials_or_epochs_is_refused():
    with pytest.raises(
        ZooError, match=r"the smallest grid of l2, dropout, units has 12 points beside the defaults; .* 13"
    ):
        check("grid", RANGES, trials=12, epochs=9)
    with pytest.raises(
        ZooError, match="hyperband shares epochs out among trials, and a trial has 2; expected 3 or more"
    ):
        check("hyperband", RANGES, trials=12, epochs=2)
    check("grid", RANGES, trials=13, epochs=9)


def test_the_smallest_grid_takes_the_middle_of_a_log_range():
    ranges = {name: RANGES[name] for name in ("l2", "dropout")}
    asked, _ = study(space("grid", ranges=ranges, trials=5))

    assert sorted({question.values["l2"] for question in asked[1:]}) == pytest.approx([0.0, 1e-7 * 1e5**0.5])


def test_the_private_names_of_keras_tuner_that_we_touch_are_there():
    common = {"objective": keras_tuner.Objective("score", "max"), "seed": 1}
    parameters = keras_tuner.HyperParameters()
    parameters.Float("x", 0, 1)
    oracle = keras_tuner.oracles.BayesianOptimizationOracle(hyperparameters=parameters, **common)

    for name in ("_seed_state", "_random_state", "_make_gpr", "_vectorize_trials", "_save_trial", "ongoing_trials"):
        assert hasattr(oracle, name), name
    assert hasattr(keras_tuner.oracles.HyperbandOracle, "_get_size")
    from keras_tuner.src.engine import oracle as engine

    assert isinstance(engine.LOCKS, dict) and isinstance(engine.THREADS, dict)


def test_oracles_are_let_go():
    from keras_tuner.src.engine import oracle as engine

    study(space("random"))

    assert not engine.LOCKS and not engine.THREADS


def test_the_gaussian_process_answers_as_scikit_learns_own_does():
    import keras_tuner
    import numpy as np

    from zoo import oracles

    usual = keras_tuner.oracles.BayesianOptimizationOracle(seed=1)._make_gpr()
    ours = oracles._surrogate()(**usual.get_params(deep=False))
    dice = np.random.default_rng(0)
    x, y = dice.random((12, 3)), dice.random(12)
    points = np.vstack([dice.random((50, 3)), x])

    for fitted in (usual, ours):
        fitted.fit(x, y)
    for mine, theirs in zip(ours.predict(points, return_std=True), usual.predict(points, return_std=True), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-7)
    np.testing.assert_allclose(ours.predict(points), usual.predict(points), rtol=1e-9)
