"""Where trials run: on the workers of a Dask cluster that somebody else started, on this machine or on many.

A task of Dask is a worker's turn and no more: when it begins, it asks for its job and, once in a worker's life, for
plan and data; the one who asked for trials sends both. So a turn that Dask gives to another worker, since the first one
died, goes on where the trial stood. Epochs come back as events of Dask, states when they are asked for.
"""

from __future__ import annotations

import itertools
import os
import pickle
import queue
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from zoo import meeting, runs
from zoo.errors import ZooError
from zoo.places import MOST_DEATHS, Place, Shop
from zoo.training.engine import Epoch
from zoo.working import Job, Outcome, Seen, State, pinned, workshop

ANSWER = 5.0
"""Seconds that a scheduler has to answer at all."""

PATIENCE = 60.0
"""Seconds that a study waits for a first worker, or for another one when all have left."""

LOOK = 1.0
"""Seconds between two looks at how many workers there are, and whether a turn is still wanted."""

PIECE = 2**25
"""Bytes of data that are sent at once: the scheduler hands them on, and answers nobody meanwhile."""

SHARE = 10
"""A state is fetched if that takes no more than one part in so many of the time: those of large networks are heavy."""

MOST_STUDIES = 2
"""Studies whose plan and data a worker holds: the one at work, and one beside it or left by one that was killed."""

SAME = ("zoo", "tensorflow", "keras", "numpy")
"""What must be of one version on all machines: another one gives other bits."""

START = "dask worker {} --nthreads 1 --nworkers 4"
"""How workers are started, as sentences say it."""


# The one who asks


@dataclass
class _Turn:
    """A job that was submitted: the task that is its turn, and how many workers began it and came no further."""

    job: Job
    future: Any = None
    begun: int = 0


class Cluster(Place):
    """The workers of the Dask scheduler at an address, each with one job at a time; they may join and leave meanwhile.

    Raises `ZooError` if no scheduler or worker is there, if a worker's versions or threads are not ours, and if workers
    die on one job again and again.
    """

    def __init__(self, workshop: Shop, address: str) -> None:
        self.workshop, self.address = workshop, address
        self.events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self.token = uuid.uuid4().hex
        self.tickets = (f"{self.token}-{number}" for number in itertools.count())
        self.turns: dict[str, _Turn] = {}
        self.states: dict[int, State] = {}
        self.wanted = _versions()
        self.workers: set[str] = set()
        self._looked, self._manned = 0.0, time.monotonic()
        self._fetches_from = 0.0
        self.client = _client(address)
        try:
            self._inspect_scheduler()
            self.client.subscribe_topic(self.token, self._hear)
            while not self._look():
                time.sleep(LOOK / 10)
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        """As many as there are workers now, and one while there is none."""
        return max(len(self.workers), 1)

    @property
    def most(self) -> int:
        """As many as there are workers now."""
        return self.size

    def expect(self, seconds: float) -> None:
        """Nothing: workers come and go as whoever started them wants."""

    def submit(self, job: Job) -> None:
        """Have a job run by a worker that is free, or by the first that will be."""
        ticket = next(self.tickets)
        turn = self.turns[ticket] = _Turn(job)
        turn.future = self.client.submit(work, self.token, ticket, self.wanted, key=f"trial-{ticket}", pure=False)
        turn.future.add_done_callback(partial(self._ended, ticket))

    def wait(self, seen: Seen) -> list[Outcome]:
        """Wait for the first job to end, handing jobs out and epochs on before that; none if a worker has joined."""
        while True:
            if self._look():
                return []
            try:
                what, told = self.events.get(timeout=LOOK)
            except queue.Empty:
                continue
            if what == "wake":
                return []
            if what == "begun":
                self._hand_out(*told)
            elif what == "epoch":
                self._show(seen, *told)
            elif what == "failed":
                raise self._said(*told)
            else:
                ticket, outcomes = told
                for number in self.turns.pop(ticket).job.numbers:
                    self.states.pop(number, None)
                return outcomes

    def wake(self) -> None:
        """Let `wait` return."""
        self.events.put(("wake", None))

    def close(self) -> None:
        """Take back what was submitted and let the cluster go; its workers stop at the end of their epochs."""
        with suppress(Exception):  # of a scheduler that is gone nothing is left to take back
            if self.client.status == "running":
                self.client.cancel([turn.future for turn in self.turns.values() if turn.future is not None])
                self.client.run(forget, self.token, on_error="ignore")
        self.turns.clear()
        with suppress(Exception):
            self.client.close(ANSWER)

    # What comes in, on threads of Dask's

    def _hear(self, event: tuple[float, bytes]) -> None:
        self.events.put(pickle.loads(event[1]))

    def _ended(self, ticket: str, future: Any) -> None:
        # The result is fetched here and not in `wait`: if it was lost with its worker, Dask has the job run again, and
        # that turn asks for its job, which `wait` must answer.
        try:
            self.events.put(("outcomes", (ticket, future.result())))
        except BaseException as error:
            self.events.put(("failed", (ticket, error)))

    # What is done about it, in `wait`

    def _hand_out(self, ticket: str, address: str, holds: bool) -> None:
        """Give a worker its job, as far as it came elsewhere; and before that plan and data if it has not got them."""
        turn = self.turns.get(ticket)
        if turn is None:
            return
        turn.begun += 1
        if turn.begun > MOST_DEATHS:
            raise self._deadly(turn.job)
        if not holds:
            packed = memoryview(
                pickle.dumps(([plan.written() for plan in self.workshop.plans], self.workshop.dataset), protocol=5)
            )
            for begin in range(0, len(packed), PIECE):
                self._run(address, receive, self.token, begin, bytes(packed[begin : begin + PIECE]))
        self._run(address, take, self.token, ticket, turn.job.standing(self.states))

    def _show(self, seen: Seen, ticket: str, number: int, epoch: Epoch, address: str, has_state: bool) -> None:
        if ticket not in self.turns:
            return
        began, state = time.monotonic(), None
        if has_state and began >= self._fetches_from:
            state = self._run(address, state_of, self.token, number)
            self._fetches_from = time.monotonic() + SHARE * (time.monotonic() - began)
        if state is not None:
            self.states[number] = state
            self.turns[ticket].begun = 1  # it came further: this worker's death is not the job's fault
        seen(number, epoch, state)

    def _run(self, address: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Have a worker run a function beside its trial; None if the worker is gone: its turn will be another's."""
        found = self._ask([address], function, *arguments).get(address)
        if isinstance(found, Exception) and not isinstance(found, OSError):
            raise found
        return None if isinstance(found, Exception) else found

    def _ask(self, workers: list[str], function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """What a function gives on workers, or the error that it ends with; OSError for a worker that is gone."""
        with self._reaching():
            return self.client.run(function, *arguments, workers=workers, on_error="return")

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError, CancelledError):
            raise self._lost() from None

    def _look(self) -> bool:
        """Now and then see which workers there are; tell whether others have joined. Raises `ZooError` if none came."""
        now = time.monotonic()
        if now < self._looked + LOOK and self.workers:
            return False
        with self._reaching():
            workers = set(self.client.nthreads())
        joined, self.workers, self._looked = workers - self.workers, workers, now
        if workers:
            self._manned = now
        elif now > self._manned + PATIENCE:
            raise ZooError(
                f"there was no worker at {self.address} for {PATIENCE:.0f} seconds; expected at least one: "
                + START.format(self.address)
            )
        if joined:
            self._inspect(sorted(joined))
        return bool(joined)

    def _inspect_scheduler(self) -> None:
        """Refuse a scheduler that cannot read what it hands on."""
        try:
            with self._reaching():
                self.client.run_on_scheduler(received)
        except (ImportError, AttributeError) as error:
            raise ZooError(self._unable("scheduler at", self.address, error)) from None

    def _inspect(self, workers: list[str]) -> None:
        """Refuse workers whose trials would not be ours; who has its turn before that looks itself."""
        found = self._ask(workers, unfit, self.wanted)
        problems = {address: one for address, one in found.items() if one and not isinstance(one, OSError)}
        if problems:
            raise ZooError(
                *(
                    one if isinstance(one, str) else self._unable("worker", address, one)
                    for address, one in problems.items()
                )
            )

    # Sentences

    def _said(self, ticket: str, error: BaseException) -> BaseException:
        """What a turn failed of: an error of the trial as it is, one of the cluster in a sentence."""
        from distributed.scheduler import KilledWorker

        if isinstance(error, KilledWorker):
            return self._deadly(self.turns[ticket].job)
        if isinstance(error, CancelledError):
            return self._lost()
        if isinstance(error, ImportError | AttributeError) and "zoo" in str(error):
            return ZooError(self._unable("cluster at", self.address, error))
        return error

    def _deadly(self, job: Job) -> ZooError:
        return ZooError(
            f"{MOST_DEATHS} workers died at trial {job.numbers[0]}; expected enough memory for each of them: fewer "
            "workers a machine, or a higher --memory-limit of dask worker"
        )

    def _lost(self) -> ZooError:
        return ZooError(
            f"the scheduler at {self.address} is gone, or was started anew; expected it for the whole study: the same "
            "command goes on where it was"
        )

    def _unable(self, who: str, address: str, error: object) -> str:
        return f"the {who} {address} has no zoo such as this one ({error}); expected zoo {self.wanted['zoo']} there"


def _client(address: str) -> Any:
    """A client of the scheduler at an address. Raises `ZooError` if there is none."""
    try:
        import distributed
    except ImportError:
        raise ZooError("a cluster needs distributed, which is not installed; pip install 'zoo[cluster]'") from None
    try:
        _knock(address)
        return distributed.Client(address, timeout=ANSWER, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError):
        raise ZooError(
            f"no scheduler answers at `{address}`; expected the address that `dask scheduler` says at its start, such "
            "as tcp://node1:8786"
        ) from None


def _knock(address: str) -> None:
    """Connect, and no more: a client that finds nobody leaves a thread behind, which may keep the next from starting.

    Raises `OSError` if nobody is there, and `ValueError` for what is no address.
    """
    from distributed.comm import get_address_host_port

    socket.create_connection(get_address_host_port(address, strict=True), ANSWER).close()


def _versions() -> dict[str, str]:
    found = runs.environment()
    return {name: found[name] for name in SAME}


# The worker


@dataclass
class _Study:
    """What a worker's process holds of a study: what came for it, the shop made of that, and where its trials stand."""

    pieces: dict[int, bytes] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    states: dict[int, State] = field(default_factory=dict)
    shop: Shop | None = None


_STUDIES: dict[str, _Study] = {}
_ARRIVED = threading.Condition()
"""Notified when something came; held by whoever reads or changes the studies, never for long: so does Dask's loop."""

_ONE_AT_A_TIME = threading.Lock()
"""Held by a job while it runs: two in one process would share TensorFlow's threads."""

_received = 0


class _Unwanted(Exception):
    """The turn was taken back, or the one who asked is gone."""


def work(token: str, ticket: str, wanted: Mapping[str, str]) -> list[Outcome]:
    """What a worker does in its turn. Raises `ZooError` if its trials would not be what they are elsewhere."""
    import distributed

    worker = distributed.get_worker()
    if problem := unfit(wanted, worker):
        raise ZooError(problem)
    key = worker.get_current_task()

    def tell(what: str, *told: Any) -> None:
        worker.log_event(token, pickle.dumps((what, (ticket, *told))))

    def seen(number: int, epoch: Epoch, state: State | None) -> None:
        if _is_unwanted(worker, key):
            raise _Unwanted
        if state is not None:
            study.states = {number: state}
        tell("epoch", number, epoch, worker.address, state is not None)

    with _ONE_AT_A_TIME, suppress(_Unwanted):
        study = _study(token)
        tell("begun", worker.address, study.shop is not None)
        job = _job(study, ticket, partial(_is_unwanted, worker, key))
        study.shop = study.shop or _open(study, worker.address)
        return study.shop.work(job, seen)
    return []


def _is_unwanted(worker: Any, key: str) -> bool:
    """Whether nobody waits for a task any more; Dask does not stop one that runs."""
    task = worker.state.tasks.get(key)
    return task is None or task.state == "cancelled"


def _study(token: str) -> _Study:
    with _ARRIVED:
        _STUDIES[token] = _STUDIES.pop(token) if token in _STUDIES else _Study()
        while len(_STUDIES) > MOST_STUDIES:
            _STUDIES.pop(next(iter(_STUDIES)))
        return _STUDIES[token]


def _job(study: _Study, ticket: str, unwanted: Callable[[], bool]) -> Job:
    """Wait for the job of a turn."""
    with _ARRIVED:
        while ticket not in study.jobs:
            _ARRIVED.wait(LOOK)
            if unwanted():
                raise _Unwanted
        return study.jobs.pop(ticket)


def _open(study: _Study, address: str) -> Shop:
    """The shop of a study whose plans and data have come."""
    plans, dataset = pickle.loads(b"".join(piece for _, piece in sorted(study.pieces.items())))
    study.pieces.clear()
    read = [meeting.read(plan) for plan in plans]
    threads = pinned(read[0]).threads
    if threads != read[0].threads:
        raise ZooError(
            f"the worker {address} has started TensorFlow on {threads} threads, and a trial of this study runs on "
            f"{read[0].threads}; expected a worker that was started anew"
        )
    return workshop(read, dataset, beside=max(1, (os.cpu_count() or 1) // threads))


# What the one who asks has a worker do beside its trial: short, for Dask's own loop waits for it


def unfit(wanted: Mapping[str, str], dask_worker: Any) -> str:
    """Why trials of a worker would not be what they are elsewhere, in a sentence; nothing if they would."""
    has, threads = _versions(), dask_worker.state.nthreads
    others = [f"{name} {has[name]} instead of {version}" for name, version in wanted.items() if has[name] != version]
    if others:
        return f"the worker {dask_worker.address} has {', '.join(others)}; expected the same versions on all machines"
    if threads != 1:
        return (
            f"the worker {dask_worker.address} has {threads} threads, and a process runs one trial at a time; expected "
            f"workers of one thread: {START.format('ADDRESS')}"
        )
    return ""


def receive(token: str, begin: int, piece: bytes) -> None:
    """Take a piece of the plans and the data of a study."""
    global _received
    _received += begin == 0
    with _ARRIVED:
        if token in _STUDIES:  # else the turn was taken back meanwhile
            _STUDIES[token].pieces[begin] = piece


def take(token: str, ticket: str, job: Job) -> None:
    """Take the job of a turn, after all that it needs."""
    with _ARRIVED:
        if token in _STUDIES:
            _STUDIES[token].jobs[ticket] = job
            _ARRIVED.notify_all()


def state_of(token: str, number: int) -> State | None:
    """Where a trial stood when its state was last told."""
    with _ARRIVED:
        return _STUDIES[token].states.get(number) if token in _STUDIES else None


def forget(token: str) -> None:
    """Let go of a study."""
    with _ARRIVED:
        _STUDIES.pop(token, None)


def received() -> int:
    """So often did plans and data come to this process."""
    return _received
