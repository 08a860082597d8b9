"""Trials of several trainings, trials that go on where they stood, fresh seeds at the end, and a search in time."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo import console, runs, selection, working
from zoo.datasets import splitting
from zoo.errors import ZooError
from zoo.meeting import meet
from zoo.runs import Again
from zoo.statistics import of_figures, paired
from zoo.working import Job, State, Trial, Workshop, seed_of, trainings_of

SMALL = {
    "spec": 1,
    "name": "small",
    "family": "mlp",
    "classes": 2,
    "input": {"shape": [30]},
    "l2": {"min_value": 1e-6, "max_value": 1e-2, "sampling": "log", "default": 1e-3},
    "dropout": {"min_value": 0.0, "max_value": 0.6, "default": 0.2},
    "layers": [{"Dense": {"units": 8, "activation": "relu"}}, "BatchNormalization", "Dropout"],
    "train": {"epochs": 3},
}


def tried(folder: Path) -> list[dict[str, str]]:
    with (folder / "trials.csv").open() as file:
        return list(csv.DictReader(file))


# Folds


def test_every_row_validates_once_equal_rows_stay_together_and_classes_are_shared_out():
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(60, 3)), 2, axis=0)
    y = np.repeat(np.arange(60) % 3, 2)
    fold = splitting.in_folds(splitting.keys(x), y, 5, stratify=True)
    shuffled = rng.permutation(len(x))

    assert set(fold) == set(range(5))
    assert (fold[::2] == fold[1::2]).all()
    assert (np.bincount(fold) == 24).all()
    for label in range(3):
        assert np.ptp(np.bincount(fold[y == label], minlength=5)) <= 2
    assert (splitting.in_folds(splitting.keys(x[shuffled]), y[shuffled], 5, stratify=True) == fold[shuffled]).all()


def test_the_folds_of_a_data_set_hold_its_open_rows_and_no_row_of_the_test_part():
    rows = zoo.data("breast_cancer")
    folds = rows.folds(4)
    opened = {row.tobytes() for part in (rows.train, rows.validation) for row in part.x}

    assert len(folds) == 4
    assert sum(len(held) for _, held in folds) == len(rows.train) + len(rows.validation)
    assert {row.tobytes() for _, held in folds for row in held.x} == opened
    for kept, held in folds:
        assert not {row.tobytes() for row in kept.x} & {row.tobytes() for row in held.x}
        assert len(kept) + len(held) == len(rows.train) + len(rows.validation)
    assert rows.test_openings == 0


def test_rows_in_time_and_too_few_rows_are_not_folded(tmp_path):
    with pytest.raises(ZooError, match="follow one another in time"):
        zoo.tune("lstm", "co2", folds=3, trials=2, run=tmp_path / "run")
    few = (np.arange(24.0).reshape(12, 2).astype("float32"), np.arange(12) % 2)
    with pytest.raises(ZooError, match="different rows to learn from, too few for 40 folds; expected"):
        zoo.tune("mlp", few, folds=40, trials=2, run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("folds", 1, "folds is 1; expected 2 or more"),
        ("folds", -2, "folds is -2"),
        ("repeats", 0, "repeats is 0; expected a whole number above 0"),
        ("confirm", -1, "confirm is -1; expected a whole number, 0 or above"),
        ("budget", 0, "budget is 0; expected seconds above 0"),
        ("budget", float("inf"), "budget is inf"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(option, value, says, tmp_path):
    with pytest.raises(ZooError, match=says):
        zoo.tune("mlp", "breast_cancer", run=tmp_path / "run", **{option: value})


# Several trainings


@pytest.mark.parametrize(
    "schedule",
    [
        {"PiecewiseConstantDecay": {"boundaries": [10, 20], "values": [1, 0.1, 0]}},
        {"CosineDecay": {"initial_learning_rate": 0, "decay_steps": "$epochs * $steps", "warmup_target": 1,
                         "warmup_steps": "2 * $steps"}},
        {"CosineDecayRestarts": {"initial_learning_rate": 1, "first_decay_steps": 10}},
    ],
    ids=lambda one: next(iter(one)),
)  # fmt: skip
def test_whole_numbers_in_a_schedule_are_what_they_are_with_a_point(schedule, tmp_path):
    text = json.dumps(schedule).replace(" 1,", " 1.0,").replace(" 0,", " 0.0,").replace("[1,", "[1.0,")
    scores = []
    for name, one in (("whole", schedule), ("point", json.loads(text))):
        spec = {"spec": 1, "name": name, "family": "mlp", "input": {"shape": [64]}, "layers": [{"Dense": 8}]}
        spec["train"] = {"optimizer": {"SGD": {"learning_rate": one}}, "epochs": 3}
        scores.append(zoo.train(spec, "digits", run=tmp_path / name).run.best.score)

    assert scores[0] == scores[1]


def test_each_training_keeps_its_score_and_the_trial_has_their_mean(tmp_path, capsys):
    found = zoo.tune(SMALL, "breast_cancer", trials=3, oracle="random", repeats=2, folds=3, run=tmp_path / "run")
    plan = found.run.plan
    shop = Workshop(plan, zoo.data("breast_cancer"))

    for row, told in zip(tried(tmp_path / "run"), found.run.told, strict=True):
        scores = [float(row[f"val_accuracy_{index}"]) for index in range(1, 7)]
        assert float(row["val_accuracy"]) == told.score == pytest.approx(np.mean(scores), abs=1e-12)
        trainings = trainings_of(plan, seed_of(plan, told.trial))
        assert [one.fold for one in trainings] == [0, 1, 2, 0, 1, 2]
        assert len({one.seed for one in trainings}) == 6
        alone = [shop.work(Job((Trial(told.trial, told.values, 3, (one,)),)))[0].told.score for one in trainings]
        assert alone == scores
    assert len({tuple(one.scores) for one in found.run.told}) == 3
    for who, told in (("default", found.run.told[0]), ("tuned", found.run.best)):  # on rows the weights have not seen
        assert found.validation[who]["accuracy"] == pytest.approx(told.scores[0], abs=1e-6)
    console.verdict(found.summary)
    table = capsys.readouterr().out.splitlines()
    assert "mean of 6  validation accuracy" in table[1]
    assert table[4].split()[-3] == console.number(found.run.best.score)
    assert table[3].split()[-3] == console.number(found.run.told[0].score)


def test_the_first_of_several_trainings_is_the_one_that_a_plain_study_has(tmp_path):
    plain = zoo.tune(SMALL, "breast_cancer", trials=3, oracle="random", run=tmp_path / "plain")
    several = zoo.tune(SMALL, "breast_cancer", trials=3, oracle="random", repeats=2, run=tmp_path / "several")

    assert [one.score for one in plain.run.told] == [one.scores[0] for one in several.run.told]
    assert [one.epochs for one in plain.run.told] == [one.epochs for one in several.run.told]
    with pytest.raises(ZooError, match="another repeats"):
        zoo.tune(SMALL, "breast_cancer", trials=3, oracle="random", repeats=3, run=tmp_path / "several")


def test_a_trial_one_of_whose_trainings_diverges_has_diverged_and_says_which(tmp_path):
    spec = {**SMALL, "train": {"optimizer": {"SGD": {"learning_rate": 1e14}}, "epochs": 2}}

    with pytest.raises(ZooError, match=r"training 1 of 2: .* after epoch 1"):
        zoo.tune(spec, "breast_cancer", trials=2, oracle="random", repeats=2, run=tmp_path / "run")


# Where a trial stands


@pytest.mark.parametrize(
    ("spec", "data"),
    [
        (SMALL, "breast_cancer"),
        ("lenet5", "digits"),
        ("gru", "digits"),
        ("vae", "digits"),
        ("ae_denoising", "digits"),
    ],
)
def test_a_trial_goes_on_bit_by_bit_from_each_of_its_epochs(spec, data, tmp_path, monkeypatch):
    monkeypatch.setattr(working, "PERIOD", 0.0)
    rows = zoo.data(data)
    plan = replace(meet(selection.load(spec, {"train.epochs": 3}), rows.description), repeats=2)
    values = {name: one.default for name, one in plan.spec.ranges().items()}
    trial = Trial(1, values, 3, trainings_of(plan, seed_of(plan, 1)))
    states: list[State] = []
    whole = Workshop(plan, rows).work(Job((trial,)), lambda number, epoch, state: states.append(state))[0]
    other = Workshop(plan, rows)

    assert len(states) == 6
    with runs.opened(tmp_path / "run", plan) as run:
        for number in range(2):
            run.append(
                "asked", {"trial": number, "question": {"values": values, "epochs": None, "parent": None, "unit": {}}}
            )
        for state in states[:-1]:
            run.keep_state(1, state.packed())
            stored = State.unpacked(run.state_of(1))
            seen = []
            again = other.work(
                Job((replace(trial, state=stored),)), lambda number, epoch, _, seen=seen: seen.append(epoch)
            )[0]
            assert again.told == whole.told
            assert len(seen) == 6 - sum(len(one.logs) for one in state.trainings)
            for path, weights in whole.weights.items():
                assert (again.weights[path] == weights).all(), path
        run.drop_states({0})
        assert run.state_of(1) is None


def test_a_state_of_other_values_or_a_torn_one_is_not_gone_on_from(tmp_path):
    plan = meet(selection.load(SMALL), zoo.data("breast_cancer").description)
    question = {"values": {"l2": 0.1}, "epochs": None, "parent": None, "unit": {}}
    with runs.opened(tmp_path / "run", plan) as run:
        run.append("asked", {"trial": 0, "question": question})
        run.keep_state(0, {"a": np.zeros(2)})
        assert list(run.state_of(0)) == ["a"]
        run.events[-1]["payload"]["question"]["values"] = {"l2": 0.2}
        assert run.state_of(0) is None
        next((tmp_path / "run" / "trials").glob("*.state.npz")).write_bytes(b"torn")
        assert run.state_of(0) is None
    with pytest.raises(ZooError, match="hold no state of a trial"):
        State.unpacked({"a": np.zeros(2)})


LONG = "import zoo.working; zoo.working.PERIOD = 0.2; from zoo.cli import main; main()"


def test_a_study_killed_in_the_middle_of_a_trial_goes_on_in_its_middle(tmp_path):
    command = ["tune", "mlp", "--data", "digits", "--trials", "1", "--epochs", "400", "--workers", "1"]

    def start(folder: str) -> subprocess.Popen:
        return subprocess.Popen([sys.executable, "-c", LONG, *command, "--run", str(tmp_path / folder)])

    assert start("whole").wait(300) == 0
    process, state = start("killed"), tmp_path / "killed" / "trials" / "0000.state.npz"
    until = time.monotonic() + 60
    while not state.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert state.exists()
    assert runs.read_at(tmp_path / "killed").told == []
    assert start("killed").wait(300) == 0

    for name in ("trials.csv", "epochs.csv", "best.yaml"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not state.exists()


# Confirmed


def test_default_and_best_are_trained_again_under_the_same_fresh_seeds_and_only_what_is_missing_is_run(
    tmp_path, capsys
):
    options = {"trials": 5, "oracle": "random", "run": tmp_path / "run", "confirm": 3}
    found = zoo.tune(SMALL, "breast_cancer", **options)
    best = found.run.best.trial
    held = sorted(path.name for path in (tmp_path / "run" / "confirm").glob("*"))

    assert best != 0
    assert held == sorted(f"{trial:04d}-{index}.npz" for trial in (0, best) for index in range(3))
    assert "3 fresh seeds" in found.verdict
    confirmed = found.run.last("judged")["confirmed"]
    assert len(set(confirmed["default"])) > 1
    assert len(confirmed["default"]) == len(confirmed["tuned"]) == 3
    assert found.summary["confirmed"] == confirmed
    console.verdict(found.summary)
    *_, default, tuned, _ = capsys.readouterr().out.splitlines()
    for line, name in ((default, "default"), (tuned, "tuned")):
        assert line.split()[-1] == console.number(sum(confirmed[name]) / 3)
    default, tuned = (found.run.weights_again(Again(trial, 1)) for trial in (0, best))
    assert default.keys() == tuned.keys() and any((default[path] != tuned[path]).any() for path in default)

    count = len(found.run.events)
    (tmp_path / "run" / "confirm" / held[0]).unlink()
    again = zoo.tune(SMALL, "breast_cancer", **{**options, "confirm": 4})
    since = [event["kind"] for event in again.run.events[count:]]
    assert since.count("confirmed") == 3  # the one that is missing, and the fourth of both
    assert since.count("judged") == 1
    assert again.run.last("judged")["confirmed"]["default"][:3] == confirmed["default"]
    assert again.summary["test_openings"] == 2


def test_fresh_seeds_make_the_interval_as_wide_as_seeds_differ():
    rng = np.random.default_rng(0)
    rows = rng.normal(0.0, 1.0, 500)
    default = np.tile(rows, (6, 1))
    tuned = default + rng.normal(0.05, 0.01, (6, 500)) + rng.normal(0.0, 0.2, (6, 1))
    alike = paired(default, default + rng.normal(0.05, 0.01, (6, 500)), "max", 6)
    apart = paired(default, tuned, "max", 6)

    assert alike.helped is True
    assert apart.helped is None
    assert apart.high - apart.low > 20 * (alike.high - alike.low)
    assert apart.estimate == pytest.approx((tuned - default).mean())
    assert (apart.rows, apart.seeds) == (500, 6)


def test_a_figure_that_is_no_mean_over_rows_has_an_interval_too(tmp_path):
    rng = np.random.default_rng(0)
    gain = rng.normal(0.3, 1.0, 300)
    by_mean = paired(np.zeros(300), gain, "max")
    by_figure = of_figures(lambda training, rows: float(gain[rows].mean()), 300, "max")

    assert by_figure.estimate == pytest.approx(by_mean.estimate)
    assert by_figure.low == pytest.approx(by_mean.low, abs=0.03)
    assert by_figure.high == pytest.approx(by_mean.high, abs=0.03)
    binary = {key: value for key, value in SMALL.items() if key != "classes"} | {"task": "binary"}
    found = zoo.tune(binary, "breast_cancer", trials=4, oracle="random", objective="auc", run=tmp_path / "run")
    assert found.summary["difference"]["metric"] == "auc"
    assert "diverged" not in found.verdict


# In time


def test_a_budget_ends_a_study_with_the_last_trial_that_fits_in(tmp_path):
    options = {"oracle": "random", "run": tmp_path / "run", "workers": 1}
    budget, found = 4.0, None
    while found is None or len(found.trials) < 2:  # however slow the machine is
        budget *= 1.5
        found = zoo.tune(SMALL, "breast_cancer", **options, budget=budget)
        assert runs.read_at(tmp_path / "run").state == "finished"
    trials = len(found.trials)

    assert found.run.plan.trials == trials
    begun, told = ([one["time"] for one in found.run.events if one["kind"] == kind] for kind in ("begun", "told"))
    assert told[-2] - begun[-1] < budget
    fixed = zoo.tune(SMALL, "breast_cancer", trials=3, oracle="random", run=tmp_path / "fixed")
    assert [one.score for one in found.run.told][:3] == [one.score for one in fixed.run.told]
    more = zoo.tune(SMALL, "breast_cancer", **options, budget=1.5 * budget)
    assert len(more.trials) >= trials
    assert [one.score for one in more.run.told][:trials] == [one.score for one in found.run.told]


@pytest.mark.parametrize(("said", "means"), [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("1.5s", 1.5)])
def test_a_time_is_read_as_people_write_it(said, means):
    from zoo.cli import _seconds

    assert _seconds(None, None, said) == means


@pytest.mark.parametrize("said", ["", "soon", "10 minutes", "-5m", "m"])
def test_what_is_no_time_is_refused(said):
    import click

    from zoo.cli import _seconds

    with pytest.raises(click.BadParameter, match="is no time"):
        _seconds(None, None, said)
