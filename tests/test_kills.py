"""A study that is killed goes on as if it had not been: the same table, byte for byte. Real processes, real SIGKILL."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = ["tune", "mlp", "--data", "breast_cancer", "--trials", "6", "--epochs", "6", "--run", "./study"]


def start(folder: Path, arguments: list[str]) -> subprocess.Popen:
    script = "from zoo.cli import main; main()"
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )


def finish(folder: Path, arguments: list[str]) -> str:
    process = start(folder, arguments)
    said = process.communicate(timeout=300)[0].decode()
    assert process.returncode == 0, said
    return said


def lines(path: Path) -> int:
    try:
        return len(path.read_bytes().splitlines())
    except FileNotFoundError:  # a study of which no trial ended begins anew, and takes its journal away first
        return 0


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    finish(folder, COMMAND)
    return folder / "study"


def kill_at(folder: Path, events: int, delay: float) -> bool:
    """Run the study and SIGKILL it `delay` seconds after its journal has so many events; False if it ended first."""
    process = start(folder, COMMAND)
    journal = folder / "study" / "journal.jsonl"
    while process.poll() is None and lines(journal) < events:
        time.sleep(0.005)
    time.sleep(delay)
    alive = process.poll() is None
    if alive:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return alive


def test_a_study_killed_at_any_moment_resumes_to_the_table_of_an_uninterrupted_one(uninterrupted, tmp_path):
    dice = random.Random(20261124)
    killed = 0
    for events in (1, 3, 6, 9, 12):
        killed += kill_at(tmp_path, events, dice.random() * 0.2)
    finish(tmp_path, COMMAND)

    assert killed >= 3
    for name in ("trials.csv", "epochs.csv", "best.yaml"):
        assert (tmp_path / "study" / name).read_bytes() == (uninterrupted / name).read_bytes()


@pytest.mark.slow
def test_twenty_kills_at_random_moments_leave_the_table_as_it_was(uninterrupted, tmp_path):
    dice = random.Random(1)
    killed = sum(kill_at(tmp_path, dice.randint(0, 14), dice.random() * 0.4) for _ in range(20))
    finish(tmp_path, COMMAND)

    assert killed >= 10
    assert (tmp_path / "study" / "trials.csv").read_bytes() == (uninterrupted / "trials.csv").read_bytes()


def test_the_same_seed_gives_the_same_table_and_another_gives_another(uninterrupted, tmp_path):
    finish(tmp_path, [*COMMAND[:-1], "./other", "--seed", "1"])
    finish(tmp_path, COMMAND)
    table = (uninterrupted / "trials.csv").read_bytes()

    assert (tmp_path / "study" / "trials.csv").read_bytes() == table
    assert (tmp_path / "other" / "trials.csv").read_bytes() != table


def test_a_finished_study_is_extended_and_the_longer_table_is_that_of_one_run_in_one_go(tmp_path):
    few = [*COMMAND[:5], "3", *COMMAND[6:]]
    finish(tmp_path, few)
    said = finish(tmp_path, COMMAND)
    finish(tmp_path, [*COMMAND[:-1], "./whole"])

    assert "going on after 3 finished trials" in said
    assert (tmp_path / "study" / "trials.csv").read_bytes() == (tmp_path / "whole" / "trials.csv").read_bytes()


def test_a_second_process_is_refused_while_the_first_writes(tmp_path):
    first = start(tmp_path, COMMAND)
    while first.poll() is None and lines(tmp_path / "study" / "journal.jsonl") < 2:
        time.sleep(0.02)
    os.killpg(first.pid, signal.SIGSTOP)  # it holds the lock and gets no further
    second = subprocess.run(
        [sys.executable, "-c", "from zoo.cli import main; main()", *COMMAND],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()

    assert second.returncode == 1
    assert "is being written by another zoo" in second.stderr


SWALLOWED = """
import os, signal, time
from zoo import console
from zoo.cli import main

began = console.Progress.began

def swallow(self, run):
    began(self, run)
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
    except KeyboardInterrupt:
        pass  # as the destructor of an object of a library does

console.Progress.began = swallow
main({arguments})
"""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupt_that_a_library_swallows_stops_the_search_all_the_same(workers, tmp_path):
    arguments = [*COMMAND, "--workers", workers]
    code = SWALLOWED.replace("{arguments}", repr(arguments))
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=200)

    assert ended.returncode == 130, ended.stderr
    assert "stopped; the same command goes on where it was" in ended.stderr
    assert lines(tmp_path / "study" / "trials.csv") <= 2
