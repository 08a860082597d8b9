"""Where trials run: in this process alone, or in this one and others beside it. One seam: submit, wait, close.

A worker gets plan and data once, when it starts, and one job at a time; epochs and outcomes come back as they happen.
A worker that dies is replaced, and its job is run again: a trial is a pure function of its job.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import pickle
import queue
import signal
import sys
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import meeting
from zoo.datasets.dataset import Dataset
from zoo.errors import ZooError
from zoo.working import Job, Outcome, Seen, State, Workshop, Workshops, pinned, workshop

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from zoo.training.engine import Epoch

Shop = Workshop | Workshops

MOST_DEATHS = 3
"""So often may workers die on one job; then it is the job."""

WORTH = 15.0
"""Seconds of work for one worker from which on it is shared: a process starts, and traces, in about seven."""

PATIENCE = 20.0
"""Seconds that a trial in this process has to end its epoch when the study is stopped."""


class Place(ABC):
    """Where jobs are run."""

    @property
    @abstractmethod
    def size(self) -> int:
        """So many jobs at once."""

    @property
    @abstractmethod
    def most(self) -> int:
        """So many jobs at once, when it is worth it."""

    @abstractmethod
    def submit(self, job: Job) -> None:
        """Have a job run; at most `size` at a time."""

    @abstractmethod
    def wait(self, seen: Seen) -> list[Outcome]:
        """Wait for a job to end and return the outcomes of its trials; none if `wake` was called meanwhile."""

    @abstractmethod
    def wake(self) -> None:
        """Let `wait` return: there is something to submit."""

    @abstractmethod
    def expect(self, seconds: float) -> None:
        """What is left would take one worker so long: a place may want more of them."""

    @abstractmethod
    def close(self) -> None:
        """Let the workers go; what they are at is lost."""

    def run(self, jobs: Iterable[Job], seen: Seen) -> Iterator[Outcome]:
        """Run jobs that wait for nothing, as many at once as there is room, and give their outcomes as they end."""
        waiting, out = deque(jobs), 0
        while waiting or out:
            while waiting and out < self.size:
                self.submit(waiting.popleft())
                out += 1
            for outcome in self.wait(seen):
                out -= 1
                yield outcome


class Here(Place):
    """One job at a time in this process, while `wait` waits."""

    def __init__(self, workshop: Shop) -> None:
        self.workshop = workshop
        self.jobs: deque[Job] = deque()

    @property
    def size(self) -> int:
        """One."""
        return 1

    @property
    def most(self) -> int:
        """One."""
        return 1

    def submit(self, job: Job) -> None:
        """Have a job run by the next `wait`."""
        self.jobs.append(job)

    def wait(self, seen: Seen) -> list[Outcome]:
        """Run the oldest job."""
        return self.workshop.work(self.jobs.popleft(), seen)

    def wake(self) -> None:
        """Nothing: who waits here works."""

    def expect(self, seconds: float) -> None:
        """Nothing: there is one worker."""

    def close(self) -> None:
        """Nothing: no worker outlives its job."""


class Pool(Place):
    """This process and others beside it, each with one job at a time on threads of its own.

    The others are spawned, so that no state of this one is in them: `size` - 1 at once, or if `later`, when what is
    left is worth their start; `spare` ones are taken first. Where there are GPUs, each worker sees one of them. Raises
    `ZooError` if workers die on one job again and again.
    """

    def __init__(
        self, workshop: Shop, size: int, later: bool = False, gpus: Sequence[str] = (),
        spare: list[Started] | None = None,
    ) -> None:  # fmt: skip
        workshop.beside = size
        self.workshop, self.gpus, self.spare = workshop, gpus, spare or []
        self.events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self.waiting: deque[Job] = deque()
        self.deaths: dict[tuple[int, ...], int] = {}
        self.states: dict[int, State] = {}
        self.members: list[_Member] = [_Own(self.events, workshop)]
        self._most = size
        if not later:
            self._grow()

    @property
    def size(self) -> int:
        """So many at once."""
        return len(self.members)

    @property
    def most(self) -> int:
        """So many, when all are there."""
        return self._most

    def _grow(self) -> None:
        study = [plan.written() for plan in self.workshop.plans], self.workshop.dataset, self._most
        while len(self.members) < self._most:
            gpu = self.gpus[len(self.members) % len(self.gpus)] if self.gpus else None
            started = self.spare.pop() if self.spare else _started(gpu)
            self.members.append(_Other(self.events, study, gpu, started))

    def expect(self, seconds: float) -> None:
        """Start the other workers if so much is left that it is worth their start."""
        if seconds > WORTH:
            self._grow()

    def submit(self, job: Job) -> None:
        """Have a job run by a worker that is free and ready, or by the first that will be."""
        self.waiting.append(job)
        self._hand_out()

    def _hand_out(self) -> None:
        for member in self.members:
            if self.waiting and member.ready and member.job is None:
                member.take(self.waiting.popleft())

    def wait(self, seen: Seen) -> list[Outcome]:
        """Wait for the first job to end, handing on the epochs that come before that."""
        while True:
            what, told = self.events.get()
            if what == "wake":
                return []
            if what == "epoch":
                number, epoch, state = told
                self.states.update({} if state is None else {number: state})
                seen(number, epoch, state)
                continue
            member, given = told
            if what == "ready":
                member.ready = True
            elif what == "failed":
                raise given
            elif what == "died":
                self._replace(member, given)
            else:
                for number in member.job.numbers if member.job else ():
                    self.states.pop(number, None)
                member.job = None
            self._hand_out()
            if what == "outcomes":
                return given

    def _replace(self, member: _Member, code: int | None) -> None:
        assert isinstance(member, _Other)
        numbers = member.job.numbers if member.job else ()
        self.deaths[numbers] = self.deaths.get(numbers, 0) + 1
        if self.deaths[numbers] == MOST_DEATHS:
            at = f"at trial {numbers[0]}" if numbers else "while they started"
            raise ZooError(
                f"{MOST_DEATHS} workers died {at}, the last with exit code {code}; expected enough memory for all of "
                "them: try --workers 1"
            )
        if member.job is not None:
            self.waiting.appendleft(member.job.standing(self.states))
        another = _Other(self.events, member.study, member.gpu, _started(member.gpu))
        self.members[self.members.index(member)] = another

    def wake(self) -> None:
        """Let `wait` return."""
        self.events.put(("wake", None))

    def close(self) -> None:
        """Stop all workers; the one in this process at the end of its epoch."""
        for member in self.members:
            member.close()


class _Member(ABC):
    """One worker: what it is at, and whether it can be given a job."""

    def __init__(self, events: queue.SimpleQueue[tuple[str, Any]]) -> None:
        self.events = events
        self.job: Job | None = None
        self.ready = False

    @abstractmethod
    def take(self, job: Job) -> None:
        """Begin a job."""

    @abstractmethod
    def close(self) -> None:
        """Stop."""


_Study = tuple[list[dict[str, Any]], Dataset, int]
"""What a worker's process gets once: plans as JSON, rows or the names of their files, the number of such workers."""


class _Stopped(Exception):
    """The study was stopped while a trial ran."""


class _Own(_Member):
    """The worker in this process, on a thread of its own, so that epochs of the others are seen meanwhile."""

    def __init__(self, events: queue.SimpleQueue[tuple[str, Any]], workshop: Shop) -> None:
        super().__init__(events)
        self.workshop, self.ready = workshop, True
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True, name="trials")
        self.thread.start()

    def take(self, job: Job) -> None:
        self.job = job
        self.jobs.put(job)

    def _run(self) -> None:
        while (job := self.jobs.get()) is not None:
            try:
                self.events.put(("outcomes", (self, self.workshop.work(job, self._seen))))
            except _Stopped:
                return
            except BaseException as error:
                self.events.put(("failed", (self, error)))

    def _seen(self, number: int, epoch: Epoch, state: State | None) -> None:
        if self.stopped.is_set():
            raise _Stopped
        self.events.put(("epoch", (number, epoch, state)))

    def close(self) -> None:
        self.stopped.set()
        self.jobs.put(None)
        self.thread.join(PATIENCE)


class _Other(_Member):
    """A worker in a process of its own, and the thread that listens to it."""

    def __init__(
        self, events: queue.SimpleQueue[tuple[str, Any]], study: _Study, gpu: str | None, started: Started
    ) -> None:
        super().__init__(events)
        self.study, self.gpu, self.closed = study, gpu, False
        self.process, self.pipe = started
        threading.Thread(target=self._listen, daemon=True, name="listener").start()

    def take(self, job: Job) -> None:
        self.job = job
        with contextlib.suppress(OSError):  # it has just died: the listener says so
            self.pipe.send(job)

    def _listen(self) -> None:
        # Not among the process's arguments: `start` would wait until they are read, for ever if the process died first.
        with contextlib.suppress(OSError):
            self.pipe.send(self.study)
        while True:
            try:
                what, told = self.pipe.recv()
            except (EOFError, OSError):
                break
            self.events.put((what, told if what == "epoch" else (self, told)))
        self.process.join()
        self.pipe.close()  # here: what another thread closes cannot be sent through or read in this one
        if not self.closed:
            self.events.put(("died", (self, self.process.exitcode)))

    def close(self) -> None:
        self.closed = True
        self.process.terminate()
        self.process.join()


GPUS, GROWTH = "CUDA_VISIBLE_DEVICES", "TF_FORCE_GPU_ALLOW_GROWTH"
"""The variables that say which GPUs a process sees, and that it takes of their memory what it needs alone."""


def gpus() -> list[str]:
    """The GPUs of this machine, as the variable names them; of these, this process keeps the first to itself alone.

    TensorFlow takes a GPU's whole memory otherwise, and of every GPU that it sees.
    """
    import tensorflow as tf

    found = tf.config.list_physical_devices("GPU")
    named = [one.strip() for one in os.environ.get(GPUS, "").split(",") if one.strip()]
    with contextlib.suppress(RuntimeError):  # TensorFlow has started: what it sees, it keeps
        tf.config.set_visible_devices(found[:1], "GPU")
        for one in found[:1]:
            tf.config.experimental.set_memory_growth(one, True)
    return named[: len(found)] if named else [str(number) for number in range(len(found))]


Started = tuple[Any, "Connection"]
"""A worker's process, and the pipe that leads to it."""


def _started(gpu: str | None = None) -> Started:
    """Start a worker's process, which loads TensorFlow and then waits for plans and data."""
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True, name="zoo worker")
    with _without_main(), _seeing(gpu):
        process.start()
    theirs.close()
    return process, pipe


@contextlib.contextmanager
def early(count: int) -> Iterator[list[Started]]:
    """Start some workers' processes before they are needed, so that they load TensorFlow while this one does.

    Where there may be GPUs there are none, since each worker must be told its own before. Those that nobody took are
    ended.
    """
    spare = [] if Path("/dev/nvidiactl").exists() else [_started() for _ in range(count)]
    try:
        yield spare
    finally:
        for process, pipe in spare:
            process.terminate()
            process.join()
            pipe.close()


@contextlib.contextmanager
def _seeing(gpu: str | None) -> Any:
    """Have a process that is started within see one GPU alone."""
    kept = os.environ.get(GPUS)
    if gpu is not None:
        os.environ[GPUS] = gpu
        os.environ.setdefault(GROWTH, "true")
    try:
        yield
    finally:
        if gpu is not None:
            os.environ.pop(GPUS) if kept is None else os.environ.update({GPUS: kept})


@contextlib.contextmanager
def _without_main() -> Any:
    """Spawn without running the user's script again: a worker needs none of it, and a script need not be guarded."""
    main = sys.modules["__main__"]
    kept = {name: getattr(main, name) for name in ("__file__", "__spec__") if hasattr(main, name)}
    for name in kept:
        setattr(main, name, None)
    if "__file__" in kept:
        del main.__file__
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(main, name, value)


def _serve(pipe: Connection) -> None:
    """What a worker's process does: jobs as they come, until the pipe is closed or the one who asked is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who asked
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with contextlib.suppress(EOFError, OSError):
        with _quiet():
            importlib.import_module("keras")
            _silent()
        try:
            plans, dataset, beside = pipe.recv()
        except ZooError as error:  # rows that are in their file no more
            pipe.send(("failed", error))
            return
        read = [meeting.read(plan) for plan in plans]
        with _quiet():
            pinned(read[0])
        shop = workshop(read, dataset, beside)
        pipe.send(("ready", None))
        while True:
            job = pipe.recv()
            try:
                outcomes = shop.work(job, lambda *seen: pipe.send(("epoch", seen)))
            except (EOFError, OSError):
                raise
            except BaseException as error:
                pipe.send(("failed", _portable(error)))
            else:
                pipe.send(("outcomes", outcomes))


def _silent() -> None:
    """Have TensorFlow not say that functions are traced again, which is no news."""
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")


@contextlib.contextmanager
def _quiet() -> Any:
    """What TensorFlow says at its start, it has said once already."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _portable(error: BaseException) -> BaseException:
    """An error that can be sent: as it is, or in words."""
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
