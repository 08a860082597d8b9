"""A promoted trial of a Hyperband search goes on where its parent ended, to the bits of one that begins anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from zoo import files, working
from zoo.meeting import meet
from zoo.runs import Run
from zoo.training.programs import Program
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
    "train": {"epochs": 9},
}
SCHEDULED = {
    **SMALL,
    "train": {
        "optimizer": {
            "SGD": {
                "learning_rate": {"CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": "$epochs * $steps"}},
                "momentum": 0.9,
            }
        },
        "epochs": 9,
    },
}
TRIALS = 21
"""The first bracket of 9 epochs and more: nine trials of 1 epoch, three of 3, one of 9."""


def searched(folder: Path, spec=SMALL, **more):
    options = {"trials": TRIALS, "oracle": "hyperband", "workers": 1, **more}
    return zoo.tune(spec, "breast_cancer", run=folder, **options)


def table(run: Run) -> list:
    return [vars(one) for one in run.told]


def parents(run: Run) -> dict[int, int]:
    asked = (one["question"]["parent"] for one in run.asked)
    return {number: parent for number, parent in enumerate(asked) if parent is not None}


def from_the_beginning(run: Run, data: str = "breast_cancer") -> list:
    """What becomes of the promoted trials that are trained for all their epochs, by hand."""
    shop, of = Workshop(run.plan, zoo.data(data)), parents(run)

    def root(number: int) -> int:
        return root(of[number]) if number in of else number

    jobs = [
        Trial(number, run.told[number].values, run.asked[number]["question"]["epochs"], trainings)
        for number in of
        for trainings in [trainings_of(run.plan, seed_of(run.plan, root(number)))]
    ]
    return [one.told for one in shop.work(Job(tuple(jobs)))]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return searched(tmp_path_factory.mktemp("plain") / "run")


@pytest.fixture
def trained(monkeypatch) -> list:
    """An entry for each epoch that is trained in this process."""
    counted, usual = [], Program.train

    def train(self, order):
        counted.append(len(order))
        return usual(self, order)

    monkeypatch.setattr(Program, "train", train)
    return counted


@pytest.mark.parametrize(
    ("spec", "data", "more"),
    [
        (SMALL, "breast_cancer", {}),
        (SCHEDULED, "breast_cancer", {}),
        (SMALL, "breast_cancer", {"repeats": 2, "folds": 2}),
        ("vae", "digits", {"changes": {"train.epochs": 9}}),
    ],
    ids=["plain", "schedule", "repeats and folds", "vae"],
)
def test_a_promoted_trial_trains_the_further_epochs_alone_to_the_bits_of_all(spec, data, more, tmp_path, trained):
    changes = more.pop("changes", {})
    run = zoo.tune(
        zoo.load(spec, changes), data, run=tmp_path / "run", trials=TRIALS, oracle="hyperband", workers=1, **more
    ).run
    count, of = len(trained), parents(run)

    assert {run.asked[one]["question"]["epochs"] for one in of} == {3, 9}
    assert any(parent in of for parent in of.values())
    lengths = [len(one.epochs) for one in run.told]
    further = sum(length - lengths[of[number]] if number in of else length for number, length in enumerate(lengths))
    assert count == further * run.plan.trainings
    assert from_the_beginning(run, data) == [run.told[number] for number in of]


def test_states_are_few_while_a_search_goes_on_and_none_at_its_end(tmp_path, monkeypatch):
    held, usual = [], Run.drop_states

    def drop_states(self, kept):
        usual(self, kept)
        held.append((len(self.told), sorted(int(one.name[:4]) for one in (self.folder / "trials").glob("*.state.npz"))))

    monkeypatch.setattr(Run, "drop_states", drop_states)
    run = searched(tmp_path / "run", ahead=1).run

    # Trials 1 to 9 are the first round, of which three are promoted.
    scores = {number: run.told[number].score for number in range(1, 10)}
    best = sorted(scores, key=lambda number: (-scores[number], number))[:3]
    assert next(states for told, states in held if told == 10) == sorted(best)
    assert max(len(states) for told, states in held if told <= 10) == 3
    assert max(len(states) for _, states in held) <= 5
    assert held[-1] == (TRIALS, [])
    assert not list((tmp_path / "run" / "trials").glob("*"))


@pytest.mark.parametrize("wrong", ["lost", "torn", "other arrays", "other shapes"])
def test_a_trial_whose_parents_state_cannot_be_read_begins_anew(wrong, plain, tmp_path, monkeypatch, trained):
    usual = Run.keep_state

    def keep_state(self, trial, state):
        other = {"other arrays": {"a": np.zeros(2)}, "other shapes": {**state, "0:variable:000000": np.zeros(2)}}
        usual(self, trial, other.get(wrong, state))
        path = self._state(trial)
        if wrong == "lost":
            path.unlink()
        elif wrong == "torn":
            path.write_bytes(path.read_bytes()[:-100])

    monkeypatch.setattr(Run, "keep_state", keep_state)
    run = searched(tmp_path / "run").run

    assert table(run) == table(plain.run)
    assert len(trained) == sum(len(one.epochs) for one in run.told)


class Quiet(keras.callbacks.Callback):
    """Counts its epochs over all trainings that it sees; what it holds is in no state."""


def test_with_callbacks_no_state_is_kept_and_promoted_trials_begin_anew(plain, tmp_path, monkeypatch, trained):
    kept = []
    monkeypatch.setattr(Run, "keep_state", lambda self, trial, state: kept.append(trial))
    run = searched(tmp_path / "run", callbacks=[Quiet()]).run

    assert not kept
    assert table(run) == table(plain.run)
    assert len(trained) == sum(len(one.epochs) for one in run.told)


def test_a_search_of_more_trials_than_before_goes_on_to_the_same_table(plain, tmp_path):
    for trials in (7, 12, TRIALS):  # in the first round, in the second, and to the end
        run = searched(tmp_path / "run", trials=trials).run

    assert table(run) == table(plain.run)


COMMAND = "from zoo.cli import main; main()"


def start(folder: Path, workers: int) -> subprocess.Popen:
    arguments = ["tune", "mlp", "--data", "digits", "--trials", str(TRIALS), "--epochs", "9", "--oracle", "hyperband"]
    command = [sys.executable, "-c", COMMAND, *arguments, "--workers", str(workers), "--run", str(folder)]
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_two_workers_and_a_search_that_is_killed_give_the_table_of_one_worker(tmp_path):
    assert start(tmp_path / "one", 1).wait(300) == 0
    assert start(tmp_path / "two", 2).wait(300) == 0
    killed, found = tmp_path / "killed", []
    for promoted in (1, 3, 4):  # a promoted trial was asked; two workers, then one
        process, until = start(killed, 2 if promoted == 3 else 1), time.monotonic() + 120
        while process.poll() is None and _promoted(killed) < promoted and time.monotonic() < until:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        found.append(len(list((killed / "trials").glob("*.state.npz"))))
    assert start(killed, 1).wait(300) == 0

    assert all(found), found
    for name in ("trials.csv", "epochs.csv", "best.yaml"):
        whole = (tmp_path / "one" / name).read_bytes()
        assert (tmp_path / "two" / name).read_bytes() == whole
        assert (killed / name).read_bytes() == whole
    assert not list((killed / "trials").glob("*.state.npz"))


def _promoted(folder: Path) -> int:
    try:
        asked = [line for line in files.whole_lines(folder / "journal.jsonl") if '"kind": "asked"' in line]
    except (OSError, zoo.ZooError):
        return 0
    return sum('"parent": null' not in line for line in asked)


def test_a_promoted_trial_that_is_killed_goes_on_in_any_of_its_trainings(monkeypatch, trained):
    monkeypatch.setattr(working, "PERIOD", 0.0)
    rows, states = zoo.data("breast_cancer"), []
    plan = meet(zoo.load(SMALL), rows.description, repeats=2)
    shop, trainings = Workshop(plan, rows), trainings_of(plan, seed_of(plan, 1))
    values = {name: one.default for name, one in plan.spec.ranges().items()}
    parent = shop.work(Job((Trial(1, values, 1, trainings, promotable=True),)))[0]
    child = Trial(2, values, 3, trainings, parent.state, promotable=True)
    whole = shop.work(Job((child,)), lambda number, epoch, state: states.append(state))[0]

    assert len(states) == 4
    for ended, state in enumerate(states, 1):
        trained.clear()
        again = shop.work(Job((replace(child, state=State.unpacked(state.packed())),)))[0]
        assert len(trained) == 4 - ended
        assert again.told == whole.told
        ours, theirs = again.state.packed(), whole.state.packed()
        assert ours.keys() == theirs.keys()
        assert all((ours[name] == theirs[name]).all() for name in ours)
