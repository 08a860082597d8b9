"""What a study says to people is so in its journal, and what is not so is not said."""

from __future__ import annotations

import numpy as np
import pytest

import zoo
from zoo import explaining, runs
from zoo.meeting import meet
from zoo.runs import Told


@pytest.fixture
def told(tmp_path):
    """A run with the results of trials: (values, scores of its epochs, losses), or a reason to have diverged."""
    rows = zoo.data("breast_cancer")

    def of(trials, spec="mlp"):
        plan = meet(zoo.load(spec), rows.description, oracle="random", trials=40)
        with runs.opened(tmp_path / "run", plan, fresh=True) as run:
            for number, (values, scores, losses) in enumerate(trials):
                if isinstance(scores, str):
                    run.append("told", vars(Told(number, values, "diverged", None, None, (), scores)))
                    continue
                epochs = tuple({"loss": loss, "val_accuracy": s} for loss, s in zip(losses, scores, strict=True))
                best = int(np.argmax(scores))
                run.append("told", vars(Told(number, values, "completed", scores[best], best + 1, epochs)))
        return explaining.why(runs.read_at(tmp_path / "run"))

    return of


def trial(l2=1e-3, dropout=0.3, scores=(0.8, 0.9, 0.9), losses=(0.5, 0.4, 0.3)):
    return ({"l2": l2, "dropout": dropout}, list(scores), list(losses))


def test_a_study_without_a_result_says_so(told):
    assert told([]) == ["No trial has ended yet."]
    assert told([({"l2": 1.0, "dropout": 0.1}, "loss is nan after epoch 1", [])]) == [
        "1 of 1 trials diverged, trial 0 first: loss is nan after epoch 1."
    ]


def test_a_best_value_at_an_edge_is_told_and_one_in_the_middle_or_at_zero_is_not(told):
    high, low = zoo.load("mlp").ranges()["l2"].max_value, zoo.load("mlp").ranges()["l2"].min_value
    others = [trial(scores=(0.5, 0.5, 0.5))] * 3

    assert any(f"`l2` ({high:.3g}) lies at the upper edge" in one for one in told([trial(l2=high), *others]))
    for value in (0.0, low, (low * high) ** 0.5):  # 0 is in the range too
        assert not any("edge" in one for one in told([trial(l2=value, dropout=0.3), *others]))


def test_overfitting_and_epochs_that_end_too_early_are_told(told):
    worse = trial(scores=(0.7, 0.95, 0.9, 0.84, 0.8), losses=(0.5, 0.4, 0.3, 0.2, 0.1))
    climbing = trial(scores=(0.7, 0.95, 0.9, 0.84, 0.8), losses=(0.5, 0.4, 0.5, 0.6, 0.7))
    rising = trial(scores=(0.7, 0.8, 0.9, 0.95), losses=(0.5, 0.4, 0.3, 0.2))
    flat = trial(scores=(0.7, 0.95, 0.949, 0.949, 0.949), losses=(0.5, 0.4, 0.3, 0.2, 0.1))

    said = "from epoch 2 on: val_accuracy was 0.95 then, and 0.84 in the median of the 3 epochs that followed"
    assert f"Trial 0 overfits {said}, while the loss fell on." in told([worse])
    assert f"Trial 0 gets worse {said}." in told([climbing])
    assert any("Trial 0 was best in its last epoch, 4" in one for one in told([rising]))
    assert not any("epoch" in one for one in told([flat]))


@pytest.mark.parametrize(("batch_size", "lags"), [(32, True), (2, False)])
def test_averages_that_lag_behind_are_told_of_beside_overfitting(told, batch_size, lags):
    normalised = {
        "spec": 1, "name": "normalised", "family": "mlp", "classes": 2, "input": {"shape": [30]},
        "l2": {"min_value": 1e-6, "max_value": 1e-2, "default": 1e-3},
        "dropout": {"min_value": 0.0, "max_value": 0.8, "default": 0.3},
        "layers": [{"Dense": 8}, "BatchNormalization", "ReLU", "Dropout"], "train": {"batch_size": batch_size},
    }  # fmt: skip
    worse = trial(scores=(0.7, 0.95, 0.9, 0.84, 0.8), losses=(0.5, 0.4, 0.3, 0.2, 0.1))
    said = next(one for one in told([worse], normalised) if "overfits from epoch 2 on" in one)

    assert ("the moving averages of its BatchNormalization may lag behind" in said) == lags
    assert not any("BatchNormalization" in one for one in told([worse]))


def test_a_noisy_epoch_is_no_overfitting(told):
    last = trial(scores=(0.7, 0.8, 0.95, 0.9), losses=(0.5, 0.4, 0.3, 0.2))
    two = trial(scores=(0.7, 0.8, 0.95, 0.9, 0.8), losses=(0.5, 0.4, 0.3, 0.2, 0.1))
    jitter = trial(scores=(0.7, 0.95, 0.8, 0.94, 0.82, 0.93, 0.81), losses=(0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1))

    for one in (last, two, jitter):
        assert not any("overfits" in sentence for sentence in told([one]))


def test_of_scores_that_only_jitter_overfitting_is_hardly_ever_said(told):
    dice = np.random.default_rng(2)
    scores = [dice.normal(0.8, 0.03, 20) for _ in range(40)]

    said = [told([trial(scores=some, losses=np.linspace(1, 0.1, 20))]) for some in scores]
    assert sum("overfits" in " ".join(one) for one in said) <= 3


def test_noise_is_told_by_the_rows_of_the_validation_part(told):
    near, far = trial(scores=(0.9, 0.9, 0.9)), trial(scores=(0.5, 0.5, 0.5))

    assert any(one.startswith("All 4 trials lie within noise") for one in told([near] * 4))
    alike = told([near, far, near, far])
    assert any(one.startswith("1 of the other 3 trials cannot be told from the best") for one in alike)
    assert not any("noise" in one or "cannot be told" in one for one in told([near, far, far, far]))


def test_which_range_matters_is_found_and_not_invented(told):
    dice = np.random.default_rng(1)
    values = [(10.0 ** dice.uniform(-6, -3), dice.uniform(0, 0.7)) for _ in range(40)]

    follows = told([trial(l2, p, scores=(0.5, 0.6, 0.95 - (p - 0.3) ** 2)) for l2, p in values])
    chance = told([trial(l2, p, scores=(0.5, 0.6, dice.uniform(0.7, 0.9))) for l2, p in values])
    few = told([trial(l2, p, scores=(0.5, 0.6, 0.95 - (p - 0.3) ** 2)) for l2, p in values[:5]])

    assert any(one.startswith("`dropout` matters, `l2` hardly does") for one in follows)
    assert any(one.startswith("What was searched, ") for one in chance)
    assert not any("matter" in one or "explains" in one for one in few)
