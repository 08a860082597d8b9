"""Trials side by side: one table whoever works and whoever dies. Real processes, real SIGKILL."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo import places, runs
from zoo.errors import ZooError
from zoo.meeting import meet
from zoo.places import Here, Pool
from zoo.runs import Told
from zoo.working import Job, Outcome, Training, Trial, Workshop, pinned, seed_of, trainings_of

COMMAND = ["tune", "mlp", "--data", "digits", "--trials", "7", "--epochs", "4", "--oracle", "random"]
TABLES = ("trials.csv", "epochs.csv", "best.yaml")


def start(folder: Path, workers: int, *more: str) -> subprocess.Popen:
    arguments = [*COMMAND, "--run", str(folder), "--workers", str(workers), *more]
    return subprocess.Popen(
        [sys.executable, "-c", "from zoo.cli import main; main()", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def finished(process: subprocess.Popen) -> str:
    said = process.communicate(timeout=400)[0].decode()
    assert process.returncode == 0, said
    return said


def workers_of(process: subprocess.Popen) -> list[int]:
    """The processes beside the one that was started."""
    found = []
    for one in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((one / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == process.pid and b"spawn_main" in (one / "cmdline").read_bytes():
                found.append(int(one.name))
        except (OSError, ValueError):
            continue
    return found


def events(folder: Path) -> int:
    try:
        return len((folder / "journal.jsonl").read_bytes().splitlines())
    except FileNotFoundError:
        return 0


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("alone") / "study"
    finished(start(folder, 1))
    return folder


def same(one: Path, other: Path) -> bool:
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in TABLES)


def test_two_workers_give_the_table_of_one(alone, tmp_path):
    finished(start(tmp_path / "study", 2))

    assert same(alone, tmp_path / "study")
    assert list((tmp_path / "study").glob("trials/*")) == []


def test_a_worker_that_is_killed_is_replaced_and_its_trial_is_run_again(alone, tmp_path):
    process, killed = start(tmp_path / "study", 2), 0
    until = time.monotonic() + 60
    while process.poll() is None and killed < 2 and time.monotonic() < until:
        for worker in workers_of(process):
            if events(tmp_path / "study") > 2 * killed:
                os.kill(worker, signal.SIGKILL)
                killed += 1
        time.sleep(0.3)
    finished(process)

    assert killed == 2
    assert same(alone, tmp_path / "study")


def test_a_study_of_two_workers_killed_whole_goes_on_and_no_worker_outlives_it(alone, tmp_path):
    dice, killed = random.Random(7), 0
    for least in (3, 8):
        process = start(tmp_path / "study", 2)
        while process.poll() is None and events(tmp_path / "study") < least:
            time.sleep(0.01)
        time.sleep(dice.random() * 0.5)
        others = workers_of(process)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.communicate()
        until = time.monotonic() + 30
        while any(Path(f"/proc/{one}").exists() for one in others):
            assert time.monotonic() < until, "a worker outlived the one who asked"
            time.sleep(0.1)
    finished(start(tmp_path / "study", 2))

    assert killed >= 1
    assert same(alone, tmp_path / "study")


@pytest.mark.slow
def test_twenty_kills_of_two_workers_leave_the_table_as_it_was(alone, tmp_path):
    dice, killed, studies = random.Random(3), 0, 0
    while killed < 20:
        folder = tmp_path / f"study{studies}"
        process, before = start(folder, 2), events(folder)
        while process.poll() is None and events(folder) <= before:
            time.sleep(0.01)
        time.sleep(dice.random() * 3)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            killed += 1
            process.communicate()
        else:  # it ended before it was killed: another one begins
            finished(process)
            assert same(alone, folder)
            studies += 1
    finished(start(folder, 2))

    assert same(alone, folder)


def test_ctrl_c_stops_all_workers_and_the_same_command_goes_on(alone, tmp_path):
    process = start(tmp_path / "study", 2)
    while process.poll() is None and events(tmp_path / "study") < 4:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[0].decode()

    assert process.returncode == 130, said
    assert "the same command goes on where it was" in said
    assert "Traceback" not in said
    finished(start(tmp_path / "study", 2))
    assert same(alone, tmp_path / "study")


@pytest.fixture(scope="module")
def workshop() -> Workshop:
    rows = zoo.data("breast_cancer")
    plan = pinned(meet(zoo.load("mlp", {"train.epochs": 2}), rows.description, oracle="random", trials=4))
    return Workshop(plan, rows)


def job(workshop: Workshop, number: int) -> Job:
    values, plan = {"l2": 10.0 ** -(number + 2), "dropout": 0.1}, workshop.plan
    return Job((Trial(number, values, 2, trainings_of(plan, seed_of(plan, number))),))


def test_every_place_gives_the_same_outcomes_and_shows_every_epoch(workshop):
    found = {}
    for place in (Here(workshop), Pool(workshop, 2)):
        seen, outcomes = [], {}
        for number in range(4):
            place.submit(job(workshop, number))
        while len(outcomes) < 4:
            ended = place.wait(lambda number, epoch, state, seen=seen: seen.append((number, epoch.number)))
            outcomes |= {outcome.told.trial: outcome for outcome in ended}
        place.close()
        found[type(place)] = outcomes
        assert sorted(seen) == [(number, epoch) for number in range(4) for epoch in (1, 2)]

    for number in range(4):
        ours, theirs = found[Here][number], found[Pool][number]
        assert ours.told == theirs.told
        assert all((ours.weights[path] == theirs.weights[path]).all() for path in ours.weights)


def test_a_pool_that_was_woken_returns_and_one_that_is_not_worth_it_stays_one(workshop):
    pool = Pool(workshop, 3, later=True)
    try:
        pool.wake()
        assert pool.wait(lambda *seen: None) == []
        pool.expect(places.WORTH / 2)
        assert pool.size == 1
        pool.expect(places.WORTH * 2)
        assert pool.size == 3
    finally:
        pool.close()


def test_workers_that_die_again_and_again_end_the_study_with_a_sentence(workshop):
    pool = Pool(workshop, 2)
    try:
        with pytest.raises(ZooError, match=r"3 workers died while they started, .* try --workers 1"):
            while True:
                os.kill(pool.members[1].process.pid, signal.SIGKILL)
                pool.events.put(("epoch", (0, None, None)))
                _until_dead(pool)
    finally:
        pool.close()


def _until_dead(pool: Pool) -> None:
    member = pool.members[1]
    while pool.members[1] is member:
        what, told = pool.events.get(timeout=30)
        if what == "died":
            pool._replace(*told)


def test_an_error_of_a_trial_comes_back_from_wherever_it_ran(workshop):
    pool = Pool(workshop, 2)
    try:
        for number in (0, 1):
            pool.submit(Job((Trial(number, {"nobody": object}, "two", (Training(1),)),)))
        with pytest.raises(Exception, match=r"str|nobody|integer"):
            while True:
                pool.wait(lambda *seen: None)
    finally:
        pool.close()


def test_what_ended_out_of_turn_is_kept_until_it_is_told(tmp_path, workshop):
    with runs.opened(tmp_path / "run", workshop.plan) as run:
        values = {"l2": 0.1, "dropout": 0.2}
        question = {"values": values, "epochs": None, "parent": None, "unit": {}}
        for trial in range(3):
            run.append("asked", {"trial": trial, "question": question})
        told = Told(2, values, "completed", 0.5, 1, ({"val_accuracy": 0.5},))
        weights = {"dense/kernel": np.arange(6.0).reshape(2, 3)}
        run.set_aside(told, weights)
        run.set_aside(Told(1, {"l2": 9.0}, "completed", 0.5, 1, ()), weights)  # an answer to another question

        found = {number: Outcome(*both) for number, both in run.aside().items()}
        assert list(found) == [2]
        assert json.dumps(vars(found[2].told)) == json.dumps(vars(told))
        assert (found[2].weights["dense/kernel"] == weights["dense/kernel"]).all()
        (tmp_path / "run" / "trials" / "0002.npz").write_bytes(b"torn")
        assert run.aside() == {}
        run.drop_aside(2)
        assert not (tmp_path / "run" / "trials" / "0002.npz").exists()


def test_an_oracle_that_waits_is_asked_again_with_what_ended_while_it_thought(tmp_path, workshop):
    from concurrent.futures import ThreadPoolExecutor

    from zoo.oracles import WAIT
    from zoo.tuning import Watch, _Search

    with runs.opened(tmp_path / "run", workshop.plan) as run, ThreadPoolExecutor(1) as thinking:
        search = _Search(run, workshop, Here(workshop), Watch())
        search._ask(thinking)
        search.answer.result()
        search.scores.append(0.5)  # told while the oracle thought
        search.submitted = len(search.scores)
        search._hear(WAIT)
        search._ask(thinking)

        assert search.answer is not None


def test_each_worker_sees_one_gpu_alone_and_this_process_keeps_what_it_saw(workshop, monkeypatch):
    monkeypatch.setenv(places.GPUS, "5,7")
    pool = Pool(workshop, 3, gpus=["5", "7"])
    try:
        seen = []
        for member in pool.members[1:]:
            environment = Path(f"/proc/{member.process.pid}/environ").read_bytes().split(b"\0")
            named = dict(one.decode().partition("=")[::2] for one in environment)
            seen.append((named[places.GPUS], named[places.GROWTH]))
    finally:
        pool.close()

    assert seen == [("7", "true"), ("5", "true")]  # the first is this process's
    assert os.environ[places.GPUS] == "5,7"
    assert places.gpus() == []  # there are none to be seen here


def test_workers_that_were_started_early_are_taken_first_and_those_that_nobody_took_are_ended(workshop):
    with places.early(2) as spare:
        processes = [process for process, _ in spare]
        pool = Pool(workshop, 2, spare=spare)
        try:
            assert pool.members[1].process in processes
            assert len(spare) == 1
            for number in (0, 1):
                pool.submit(job(workshop, number))
            told = []
            while len(told) < 2:
                told += pool.wait(lambda *seen: None)
        finally:
            pool.close()

    assert not any(process.is_alive() for process in processes)
