"""Trials on a Dask cluster: the table of one process, whoever joins and whoever dies. Real processes, real SIGKILL."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

import zoo
from zoo import clusters, racing, runs, tuning
from zoo.clusters import Cluster
from zoo.errors import ZooError
from zoo.meeting import meet
from zoo.places import Here
from zoo.working import Job, Training, Trial, Workshop, pinned, seed_of, trainings_of

distributed = pytest.importorskip("distributed")

TABLES = ("trials.csv", "epochs.csv", "best.yaml")


class Machines:
    """A scheduler and its workers, each a process with an output of its own."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.folder, self.processes = folder, []
        self.scheduler = self.start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", *more)
        self.address = self.said(self.scheduler, r"Scheduler at: +(tcp://\S+)")

    def start(self, what: str, *arguments: str) -> subprocess.Popen:
        said = self.folder / f"{len(self.processes)}.txt"
        command = [sys.executable, "-m", "dask", what, *arguments]
        process = subprocess.Popen(command, cwd=self.folder, stdout=said.open("w"), stderr=subprocess.STDOUT)
        process.said = said
        self.processes.append(process)
        return process

    def worker(self, *more: str) -> subprocess.Popen:
        # Without a nanny the worker is the process itself, which can be killed and stays dead.
        arguments = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(self.folder), *more]
        return self.start("worker", self.address, *arguments)

    def said(self, process: subprocess.Popen, pattern: str) -> str:
        until = time.monotonic() + 60
        while not (found := re.search(pattern, process.said.read_text())):
            assert process.poll() is None and time.monotonic() < until, process.said.read_text()
            time.sleep(0.05)
        return found[1]

    def joined(self, process: subprocess.Popen) -> subprocess.Popen:
        self.said(process, r"(Registered to): ")
        return process

    def end(self, *processes: subprocess.Popen) -> None:
        for process in processes or reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture(autouse=True)
def _in_time() -> None:
    """What waits for a worker in vain fails."""

    def late(*_) -> None:
        raise TimeoutError("the test took too long")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(240)
    yield
    signal.alarm(0)


@pytest.fixture
def machines(tmp_path) -> Machines:
    found = Machines(tmp_path)
    yield found
    found.end()


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Machines:
    """A scheduler and two workers that no test ends."""
    found = Machines(tmp_path_factory.mktemp("running"))
    for worker in [found.worker(), found.worker()]:
        found.joined(worker)
    yield found
    found.end()


@pytest.fixture(scope="module")
def workshop() -> Workshop:
    rows = zoo.data("breast_cancer")
    spec = zoo.load("mlp", {"train.epochs": 3})
    return Workshop(pinned(meet(spec, rows.description, oracle="random", trials=6)), rows)


def job(workshop: Workshop, number: int, epochs: int = 2) -> Job:
    values, plan = {"l2": 10.0 ** -(number + 2), "dropout": 0.1}, workshop.plan
    return Job((Trial(number, values, epochs, trainings_of(plan, seed_of(plan, number))),))


def unseen(*seen) -> None:
    """Nobody."""


def same(ours, theirs) -> bool:
    return ours.told == theirs.told and all(
        (ours.weights[path] == theirs.weights[path]).all() for path in {*ours.weights, *theirs.weights}
    )


@pytest.fixture(scope="module")
def alone(workshop, tmp_path_factory) -> Path:
    return studied(workshop, Here(workshop), tmp_path_factory.mktemp("alone") / "study")


def studied(workshop: Workshop, place, folder: Path, watch=None) -> Path:
    with runs.opened(folder, workshop.plan) as run:
        tuning.tune(run, workshop, watch or tuning.Watch(), place)
    return folder


def assert_same(one: Path, other: Path) -> None:
    for name in TABLES:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_a_cluster_gives_the_outcomes_of_one_process_and_shows_every_epoch(workshop, running):
    here, there, seen = Here(workshop), Cluster(workshop, running.address), []
    try:
        assert there.size == there.most == 2
        for number in range(4):
            here.submit(job(workshop, number))
            there.submit(job(workshop, number))
        found = {}
        while len(found) < 4:
            for outcome in there.wait(lambda number, epoch, state: seen.append((number, epoch.number))):
                found[outcome.told.trial] = outcome
    finally:
        there.close()

    assert sorted(seen) == [(number, epoch) for number in range(4) for epoch in (1, 2)]
    for number in range(4):
        mine = here.wait(unseen)[0]
        assert same(mine, found[number]), (mine.told, found[number].told)


def test_a_study_on_a_cluster_gives_the_table_of_one_and_sends_the_data_once_a_worker(
    workshop, running, alone, tmp_path
):
    with distributed.Client(running.address, set_as_default=False) as client:
        before = client.run(clusters.received)
        folder = studied(workshop, Cluster(workshop, running.address), tmp_path / "study")
        after = client.run(clusters.received)

    assert {worker: after[worker] - before[worker] for worker in after} == dict.fromkeys(after, 1)
    assert len(after) == 2
    assert_same(alone, folder)


def test_promoted_trials_go_on_on_a_cluster_too(workshop, running, tmp_path):
    spec, rows, seen = zoo.load("mlp", {"train.epochs": 9}), workshop.dataset, []
    promoting = Workshop(pinned(meet(spec, rows.description, oracle="hyperband", trials=21)), rows)

    class Watch(tuning.Watch):
        def epoch(self, trial, epoch, epochs):
            seen.append((trial, epoch.number))

    alone = studied(promoting, Here(promoting), tmp_path / "alone")
    folder = studied(promoting, Cluster(promoting, running.address), tmp_path / "study", Watch())
    asked = [one["question"] for one in runs.read_at(folder).asked]
    first = {trial: min(number for one, number in seen if one == trial) for trial, _ in seen}

    assert_same(alone, folder)
    promoted = {number: one["parent"] for number, one in enumerate(asked) if one["parent"] is not None}
    assert promoted
    for number, parent in promoted.items():
        assert first[number] == asked[parent]["epochs"] + 1


def test_a_worker_that_is_killed_in_a_trial_costs_nothing_but_time(workshop, machines, alone, tmp_path, monkeypatch):
    slowly = (
        "import time, zoo.clusters as room\n"
        "room._is_unwanted = lambda *told, was=room._is_unwanted: time.sleep(0.2) or was(*told)"
    )
    workers = [machines.worker("--preload", _preload(machines, slowly)) for _ in range(2)]
    found = {machines.said(worker, r"Start worker at: +(tcp://\S+)"): machines.joined(worker) for worker in workers}
    place, killed = Cluster(workshop, machines.address), []
    begun = _begun(place, monkeypatch)

    class Killer(tuning.Watch):
        def epoch(self, trial, epoch, epochs):
            if trial >= 2 and epoch.number == 1 and not killed:  # of three, each of which lasts
                killed.append(trial)
                machines.end(found[begun[-1][1] if begun[-1][0] == (trial,) else begun[-2][1]])

    folder = studied(workshop, place, tmp_path / "study", Killer())

    assert [numbers for numbers, _ in begun].count(tuple(killed)) == 2
    assert len(begun) == workshop.plan.trials + 1
    assert_same(alone, folder)


@pytest.fixture
def specs(tmp_path, listing) -> Path:
    """A folder of five small specs."""
    made = tmp_path / "specs"
    made.mkdir()
    for units in (2, 4, 8, 16, 32):
        spec = {"spec": 1, "name": f"of{units}", "family": "mlp", "classes": 2, "input": {"shape": [30]}}
        spec |= {"l2": 0, "parameters": 33 * units + 2, "layers": [{"Dense": units}, "ReLU"]}
        (made / f"of{units}.yaml").write_text(json.dumps(spec))
    listing(made)
    return made


def test_a_race_on_a_cluster_whose_worker_is_killed_gives_the_table_of_one_process(
    specs, machines, tmp_path, monkeypatch
):
    slowly = (
        "import time, zoo.clusters as room\n"
        "room._is_unwanted = lambda *told, was=room._is_unwanted: time.sleep(0.1) or was(*told)"
    )
    workers = [machines.worker("--preload", _preload(machines, slowly)) for _ in range(2)]
    found = {machines.said(worker, r"Start worker at: +(tcp://\S+)"): machines.joined(worker) for worker in workers}
    begun, killed, hand_out = {}, [], Cluster._hand_out

    def told(place: Cluster, ticket: str, address: str, holds: bool) -> None:
        begun[place.turns[ticket].job.numbers[0]] = address
        hand_out(place, ticket, address, holds)

    monkeypatch.setattr(Cluster, "_hand_out", told)

    class Killer(racing.Watch):
        def epoch(self, spec, epoch, epochs):
            names = sorted(path.stem for path in specs.iterdir())
            if epochs == 9 and epoch.number == 5 and not killed:  # in the second round
                killed.append(spec)
                machines.end(found[begun[names.index(spec) + 1]])

    race = {"pattern": "of*", "epochs": 9, "max_parameters": 2000}
    theirs, study = zoo.race("breast_cancer", **race, cluster=machines.address, run=tmp_path / "there", watch=Killer())
    ours, _ = zoo.race("breast_cancer", **race, workers=1, run=tmp_path / "here")

    assert len(killed) == 1 and len(ours) == 5
    plain = [replace(one, seconds=None, milliseconds=None) for one in ours]
    assert [replace(one, seconds=None, milliseconds=None) for one in theirs] == plain
    assert study.score == ours[0].score


def test_a_race_has_workers_or_a_cluster(specs):
    with pytest.raises(ZooError, match="workers is 2 and cluster is tcp://a:1; expected one of them"):
        zoo.race("breast_cancer", pattern="of*", workers=2, cluster="tcp://a:1")


def _begun(place: Cluster, monkeypatch) -> list[tuple[tuple[int, ...], str]]:
    """The turns as they begin: numbers of the trials, and the worker."""
    begun, hand_out = [], place._hand_out

    def told(ticket: str, address: str, holds: bool) -> None:
        begun.append((place.turns[ticket].job.numbers, address))
        hand_out(ticket, address, holds)

    monkeypatch.setattr(place, "_hand_out", told)
    return begun


def test_a_trial_of_a_dead_worker_goes_on_where_it_stood_elsewhere(workshop, machines, monkeypatch):
    first = machines.joined(machines.worker("--preload", _preload(machines, "zoo.working.PERIOD = 0.0")))
    place, seen = Cluster(workshop, machines.address), []
    begun = _begun(place, monkeypatch)

    def watch(number, epoch, state):
        seen.append(epoch.number)
        if state is not None and len(state.trainings[-1].logs) >= 3 and first.poll() is None:
            machines.end(first)
            machines.worker()

    try:
        place.submit(job(workshop, 0, epochs=300))
        outcome = _outcome(place, watch)
    finally:
        place.close()
    here = Here(workshop)
    here.submit(job(workshop, 0, epochs=300))

    assert len(begun) == 2
    assert seen.count(1) == 1
    assert seen[-1] == 300
    assert same(here.wait(unseen)[0], outcome)


def _preload(machines: Machines, line: str) -> str:
    path = machines.folder / "preload.py"
    path.write_text(f"import sys, zoo.runs, zoo.working\n{line}\n", encoding="utf-8")
    return str(path)


def _outcome(place: Cluster, watch=unseen):
    while not (outcomes := place.wait(watch)):
        pass
    return outcomes[0]


def test_a_worker_that_joins_late_is_used_and_one_that_leaves_no_longer_counts(workshop, machines):
    machines.joined(machines.worker())
    place, seen, late = Cluster(workshop, machines.address), set(), []
    try:
        assert place.size == 1
        place.submit(job(workshop, 0, epochs=10**6))
        assert place.wait(lambda *seen: late or late.append(machines.joined(machines.worker()))) == []
        # it has joined while trial 0 ran: there is room for another one
        assert place.size == 2
        place.submit(job(workshop, 1, epochs=2))
        outcome = _outcome(place, lambda number, epoch, state: seen.add(number))
        assert outcome.told.trial == 1
        assert seen == {0, 1}
        machines.end(late[0])
        until = time.monotonic() + 20
        while place.size == 2:
            assert time.monotonic() < until
            threading.Timer(1.1, place.wake).start()
            place.wait(unseen)
    finally:
        place.close()


def test_what_was_submitted_is_taken_back_when_a_study_is_stopped(workshop, running):
    place = Cluster(workshop, running.address)
    place.submit(job(workshop, 0, epochs=10**6))
    place.submit(job(workshop, 1, epochs=10**6))
    seen = set()
    with pytest.raises(KeyboardInterrupt):
        place.wait(lambda number, epoch, state: _interrupt(seen, number))
    place.close()
    place.close()

    again = Cluster(workshop, running.address)  # both workers are there still, and free
    try:
        assert again.size == 2
        for number in range(2):
            again.submit(job(workshop, number))
        began = time.monotonic()
        assert {_outcome(again).told.trial, _outcome(again).told.trial} == {0, 1}
        assert time.monotonic() - began < 60
    finally:
        again.close()


def _interrupt(seen: set[int], number: int) -> None:
    seen.add(number)
    if len(seen) == 2:
        raise KeyboardInterrupt


def test_a_cluster_that_was_woken_returns(workshop, running):
    place = Cluster(workshop, running.address)
    try:
        place.wake()
        assert place.wait(unseen) == []
        place.expect(1e9)
        assert place.size == 2
    finally:
        place.close()


def test_an_error_of_a_trial_comes_back(workshop, running):
    place = Cluster(workshop, running.address)
    try:
        place.submit(Job((Trial(0, {"nobody": object}, "two", (Training(1),)),)))
        with pytest.raises(Exception, match=r"str|nobody|integer"):
            _outcome(place)
    finally:
        place.close()


def test_a_job_on_which_workers_die_again_and_again_ends_the_study_with_a_sentence(workshop, machines, monkeypatch):
    monkeypatch.setattr(clusters, "MOST_DEATHS", 2)
    line = "import os; sys.modules['zoo.working'].Workshop.work = lambda *_: os._exit(9)"
    workers = [machines.worker("--preload", _preload(machines, line)) for _ in range(3)]
    for worker in workers:
        machines.joined(worker)
    place = Cluster(workshop, machines.address)
    try:
        place.submit(job(workshop, 7))
        with pytest.raises(ZooError, match="2 workers died at trial 7; expected enough memory for each of them"):
            _outcome(place)
        assert sum(worker.poll() is None for worker in workers) == 1
    finally:
        place.close()


# What is refused


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "127.0.0.1:1", "nonsense", "nobody://here"])
def test_an_address_without_a_scheduler_is_refused_within_seconds(workshop, address):
    began = time.monotonic()
    with pytest.raises(ZooError, match=f"no scheduler answers at `{address}`; expected the address that `dask sch"):
        Cluster(workshop, address)
    assert time.monotonic() - began < 10
    assert "IO loop" not in {thread.name for thread in threading.enumerate()}


def test_a_scheduler_without_zoo_is_refused(workshop, tmp_path):
    (tmp_path / "preload.py").write_text("import sys; sys.modules['zoo'] = None\n", encoding="utf-8")
    found = Machines(tmp_path, "--preload", "preload.py")
    try:
        with pytest.raises(ZooError, match=rf"the scheduler at {found.address} has no zoo such as this one"):
            Cluster(workshop, found.address)
    finally:
        found.end()


def test_without_distributed_it_is_said_what_to_install(workshop, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ZooError, match=re.escape("pip install 'zoo[cluster]'")):
        Cluster(workshop, "tcp://127.0.0.1:1")


def test_a_cluster_without_workers_is_refused_after_a_while(workshop, machines, monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE", 1.0)
    expected = f"no worker at {machines.address} for 1 seconds; expected at least one: dask worker {machines.address}"
    with pytest.raises(ZooError, match=expected):
        Cluster(workshop, machines.address)


@pytest.mark.parametrize(
    ("line", "more", "sentence"),
    [
        ("found = zoo.runs.environment(); zoo.runs.environment = lambda: {**found, 'keras': '2.4.0'}", [],
         r"the worker tcp://\S+ has keras 2.4.0 instead of \S+; expected the same versions on all machines"),
        ("", ["--nthreads", "3"], r"the worker tcp://\S+ has 3 threads, .* expected workers of one thread: dask wor"),
        ("sys.modules['zoo.clusters'] = None", [], r"the worker tcp://\S+ has no zoo such as this one"),
    ],
    ids=["version", "threads", "no zoo"],
)  # fmt: skip
def test_a_worker_that_is_not_like_this_process_is_refused_before_and_in_the_study(
    workshop, machines, line, more, sentence
):
    wrong = machines.joined(machines.worker("--preload", _preload(machines, line), *more))
    with pytest.raises(ZooError, match=sentence):
        Cluster(workshop, machines.address)

    machines.end(wrong)
    machines.joined(machines.worker())
    place = Cluster(workshop, machines.address)
    try:
        place.submit(job(workshop, 0, epochs=10**6))
        machines.joined(machines.worker("--preload", _preload(machines, line), *more))
        with pytest.raises(ZooError, match=sentence):
            _outcome(place)
    finally:
        place.close()


def test_a_worker_refuses_its_turn_if_it_is_not_like_the_one_who_asks(workshop, running):
    place = Cluster(workshop, running.address)
    place.wanted = {**place.wanted, "keras": "2.4.0"}
    try:
        place.submit(job(workshop, 0))
        with pytest.raises(
            ZooError, match=r"has keras \S+ instead of 2.4.0; expected the same versions on all machines"
        ):
            _outcome(place)
    finally:
        place.close()


def test_threads_that_a_worker_cannot_have_are_refused(workshop, running):
    _done(Cluster(workshop, running.address), workshop)
    here = workshop.plan.threads  # another test may have started TensorFlow in this process
    other = Workshop(replace(workshop.plan, threads=here + 1), workshop.dataset)
    says = f"has started TensorFlow on {here} threads, and a trial of this study runs on {here + 1}; "
    with pytest.raises(ZooError, match=says):
        _done(Cluster(other, running.address), other)


def _done(place: Cluster, workshop: Workshop) -> None:
    try:
        for number in range(2):
            place.submit(job(workshop, number))
        for _ in range(2):
            _outcome(place)
    finally:
        place.close()


def test_a_scheduler_that_is_gone_ends_the_study_with_a_sentence(workshop, machines):
    machines.joined(machines.worker())
    place = Cluster(workshop, machines.address)
    place.submit(job(workshop, 0, epochs=10**6))
    with pytest.raises(ZooError, match=f"the scheduler at {machines.address} is gone, or was started anew"):
        place.wait(lambda *seen: os.kill(machines.scheduler.pid, signal.SIGKILL))
    began = time.monotonic()
    place.close()
    assert time.monotonic() - began < 15
