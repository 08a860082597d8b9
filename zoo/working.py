"""A trial: `work(job)` gives an `Outcome`, a pure function of plan, data, values and seeds, in any process."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.building import Built, build, reset, trace_key
from zoo.datasets.dataset import Dataset, Part
from zoo.errors import ZooError
from zoo.meeting import Plan
from zoo.preparing import preparer
from zoo.runs import Told
from zoo.seeding import derive
from zoo.training.engine import Epoch, fit
from zoo.training.programs import Program, Resident, Rows, Source, Streamed, bytes_of

LARGEST_CACHE = 2
"""Built models kept in a process: the one in use, and one more for studies whose ranges change shapes."""


PERIOD = 20.0
"""Seconds of training after which a trial's state is handed on, so that a kill loses no more than these."""


@dataclass(frozen=True)
class Training:
    """One training of a trial: its seed, and the fold that it validates on; None: the data's own validation part."""

    seed: int
    fold: int | None = None


@dataclass(frozen=True)
class Finished:
    """What one training gave: the score of its best epoch, all epochs, that epoch's weights; or why it diverged."""

    score: float | None
    best_epoch: int | None
    logs: tuple[Mapping[str, float], ...]
    weights: Mapping[str, np.ndarray]
    reason: str = ""


@dataclass(frozen=True)
class State:
    """Where a trial stands after an epoch, so that it goes on bit by bit: in another process, or after a kill.

    `ended` are the scores of the trainings before this one, whose first has its logs, best epoch and weights in
    `first`; `variables` are the network's, seeds included, and the optimizer's, in their order.
    """

    ended: tuple[float, ...]
    first: Finished | None
    logs: tuple[Mapping[str, float], ...]
    best: float | None
    best_epoch: int | None
    weights: Mapping[str, np.ndarray]
    variables: tuple[np.ndarray, ...]

    def packed(self) -> dict[str, np.ndarray]:
        """The state as named arrays, for a file."""
        told: dict[str, Any] = {
            "ended": self.ended,
            "logs": self.logs,
            "best": self.best,
            "best_epoch": self.best_epoch,
        }
        arrays = {f"weights:{path}": array for path, array in self.weights.items()}
        arrays |= {f"variable:{index:06d}": array for index, array in enumerate(self.variables)}
        if self.first is not None:
            told["first"] = {key: value for key, value in vars(self.first).items() if key != "weights"}
            arrays |= {f"first:{path}": array for path, array in self.first.weights.items()}
        return {**arrays, "told": np.array(json.dumps(told))}

    @classmethod
    def unpacked(cls, arrays: Mapping[str, np.ndarray]) -> State:
        """The state that `packed` gave. Raises `ZooError` for other arrays."""

        def named(kind: str) -> dict[str, np.ndarray]:
            return {key.removeprefix(kind): value for key, value in arrays.items() if key.startswith(kind)}

        try:
            told = json.loads(str(arrays["told"]))
            first = told.pop("first", None)
            if first is not None:
                first = Finished(**{**first, "logs": tuple(first["logs"]), "weights": named("first:")})
            variables = tuple(value for _, value in sorted(named("variable:").items()))
            ended, logs = tuple(told.pop("ended")), tuple(told.pop("logs"))
            return cls(ended, first, logs, weights=named("weights:"), variables=variables, **told)
        except (KeyError, TypeError, ValueError) as error:
            raise ZooError(f"these arrays hold no state of a trial: {error!r}") from None


@dataclass(frozen=True)
class Trial:
    """A trial to run: values, epochs, and its trainings, whose mean score is its own; `state` says where it stood."""

    number: int
    values: Mapping[str, Any]
    epochs: int
    trainings: tuple[Training, ...]
    state: State | None = None


@dataclass(frozen=True)
class Job:
    """Trials to run in one process, of one of the plans that it knows. Picklable, and small but for a state."""

    trials: tuple[Trial, ...]
    plan: int = 0

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of its trials."""
        return tuple(one.number for one in self.trials)

    def standing(self, states: Mapping[int, State]) -> Job:
        """The same, to go on where its trials stand."""
        return replace(self, trials=tuple(replace(one, state=states.get(one.number, one.state)) for one in self.trials))


@dataclass(frozen=True)
class Outcome:
    """What became of one trial, and the weights of the epoch that its score is from, by path; of its first training."""

    told: Told
    weights: Mapping[str, np.ndarray]
    look: Look | None = None


@dataclass(frozen=True)
class Look:
    """What is seen of a network beside its score, where several are compared: its size, and what it costs.

    `rows` are the scores of the validation rows, whose mean is the objective, or None where it is no mean of such.
    """

    parameters: int
    seconds: float
    milliseconds: float
    rows: np.ndarray | None


Sources = tuple[Source, Source]
"""The rows that a training learns from, and those that it is scored on."""

Seen = Callable[[int, Epoch, "State | None"], None]
"""Who sees the epochs: of (the trial's number, the epoch, and now and then the state after it)."""


@dataclass
class Workshop:
    """Plan and data in one process, and what was built there: one trace for all trials that differ in knobs alone."""

    plan: Plan
    dataset: Dataset
    callbacks: Sequence[Any] = ()
    """The caller's Keras callbacks, for epochs alone."""
    beside: int = 1
    """So many processes of this machine do the same, this one among them, each with rows of its own."""
    _benches: dict[str, tuple[Built, Program]] = field(default_factory=dict)
    _rows: dict[int | None, Sources] = field(default_factory=dict)

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The plan, as the only one."""
        return (self.plan,)

    def work(self, job: Job, watch: Seen = lambda number, epoch, state: None) -> list[Outcome]:
        """Run the trials of a job, one after the other; `watch` sees each epoch as it ends."""
        return [self._trial(trial, watch) for trial in job.trials]

    def _trial(self, trial: Trial, watch: Seen) -> Outcome:
        number, values, state = trial.number, dict(trial.values), trial.state
        scores = list(state.ended) if state else []
        first = state.first if state else None
        for index in range(len(scores), len(trial.trainings)):
            try:
                found = self._training(trial, index, first, tuple(scores), state, watch)
            except ZooError as error:
                if number == 0:  # the spec itself, not what a range makes of it
                    raise
                found = Finished(None, None, (), {}, f"it cannot be built: {error}")
            state, first = None, first or found
            if found.score is None:
                which = f"training {index + 1} of {len(trial.trainings)}: " if len(trial.trainings) > 1 else ""
                reason = which + found.reason
                return Outcome(Told(number, values, "diverged", None, None, first.logs, reason), first.weights)
            scores.append(found.score)
        assert first is not None, "a trial has a training"
        kept = tuple(scores) if len(scores) > 1 else ()
        score = float(np.mean(scores))
        return Outcome(
            Told(number, values, "completed", score, first.best_epoch, first.logs, scores=kept), first.weights
        )

    def _training(
        self,
        trial: Trial,
        index: int,
        first: Finished | None,
        ended: tuple[float, ...],
        state: State | None,
        watch: Seen,
    ) -> Finished:
        """Run one training of a trial, from its beginning or from where it stood."""
        training, plan = trial.trainings[index], self.plan
        built, program = self.bench(trial.values, training.seed, training.fold)
        reset(built, trial.values, training.seed)
        logs: list[Mapping[str, float]] = []
        best, best_epoch, weights, reason = None, None, built.weights(), ""
        if state is not None:
            logs, best, best_epoch, weights = list(state.logs), state.best, state.best_epoch, dict(state.weights)
            built.restore(state.variables)
        since = time.monotonic()
        epochs = fit(
            program, training.seed, trial.epochs, plan.objective, plan.direction, after=len(logs), best=best,
            callbacks=self._called(),
        )  # fmt: skip
        for epoch in epochs:
            logs.append(dict(epoch.logs))
            reason, kept = epoch.diverged, None
            if epoch.best:
                best, best_epoch, weights = epoch.score, epoch.number, built.weights()
            # What a callback holds is in no state: then a trial that is killed begins anew.
            if time.monotonic() - since >= PERIOD and not reason and not self.callbacks:
                kept = State(ended, first, tuple(logs), best, best_epoch, weights, built.variables())
                since = time.monotonic()
            watch(trial.number, replace(epoch, number=index * trial.epochs + epoch.number), kept)
        if reason or best is None:
            return Finished(None, None, tuple(logs), weights, reason)
        return Finished(best, best_epoch, tuple(logs), weights)

    def _called(self) -> Sequence[Any]:
        """The caller's callbacks for a training; of several, each has copies, and finds nothing left by another."""
        single = self.plan.trials * self.plan.trainings == 1
        return self.callbacks if single else copy.deepcopy(list(self.callbacks))

    def bench(self, values: Mapping[str, Any], seed: int, fold: int | None = None) -> tuple[Built, Program]:
        """The built model and its program for values, on the rows of a fold; built anew only where shapes change."""
        key = trace_key(self.plan, values)
        if key not in self._benches:
            if len(self._benches) >= LARGEST_CACHE:
                self._benches.pop(next(iter(self._benches)))
            built = build(self.plan, values, seed, adjustable=True)
            size = self.plan.spec.fill(values).train["batch_size"]
            self._benches[key] = (built, Program(built, size))
        self._benches[key] = self._benches.pop(key)
        built, program = self._benches[key]
        program.use(*self._rows_of(built, fold))
        return built, program

    def weight_bytes(self) -> int:
        """The size of the weights of a model that was built here; 0 while none was."""
        built = next((one for one, _ in self._benches.values()), None)
        return sum(one.nbytes for one in built.weights().values()) if built else 0

    def _rows_of(self, built: Built, fold: int | None) -> Sources:
        """The rows that a training learns from, and those that it is scored on; they serve every bench."""
        if fold not in self._rows:
            parts: dict[int | None, tuple[Part, Part]] = {None: (self.dataset.train, self.dataset.validation)}
            if fold is not None:
                parts = dict(enumerate(self.dataset.folds(self.plan.folds)))
            features, room = preparer(built.prepare), room_for_rows() // self.beside // len(parts)
            self._rows.update({key: self._sources(both, features, room) for key, both in parts.items()})
        return self._rows[fold]

    def _sources(self, parts: tuple[Part, Part], features: Callable[[np.ndarray], np.ndarray], room: int) -> Sources:
        """Two parts as a program reads them: from memory if they fit into so many bytes, else block by block."""
        works = self.plan.works

        def reader(part: Part) -> Callable[[np.ndarray | slice], Rows]:
            def read(rows: np.ndarray | slice) -> Rows:
                some = part.read(rows)
                found = features(np.asarray(some.x))
                return works.inputs(some, found), works.targets(some, found)

            return read

        train, validation = reader(parts[0]), reader(parts[1])
        row = parts[0].read(slice(1)).nbytes + bytes_of(train(slice(1)))
        if row * sum(map(len, parts)) <= room:
            return Resident(train(slice(None))), Resident(validation(slice(None)))
        return Streamed(train, len(parts[0]), row), Streamed(validation, len(parts[1]), row)


@dataclass
class Workshops:
    """Several plans on the same data in one process, for a race; what was built for the plan in use is kept alone."""

    plans: tuple[Plan, ...]
    dataset: Dataset
    beside: int = 1
    _open: tuple[int, Workshop] | None = None

    def work(self, job: Job, watch: Seen = lambda number, epoch, state: None) -> list[Outcome]:
        """Run the trials of a job of one plan, and look at its network."""
        if self._open is None or self._open[0] != job.plan:
            self._open = (job.plan, Workshop(self.plans[job.plan], self.dataset, beside=self.beside))
        began, shop = time.monotonic(), self._open[1]
        outcomes = shop.work(job, watch)
        seconds = (time.monotonic() - began) / len(outcomes)
        return [replace(one, look=_look(shop, one, seconds)) for one in outcomes]


def workshop(plans: Sequence[Plan], dataset: Dataset, beside: int = 1) -> Workshop | Workshops:
    """The place in a process where jobs of these plans are done, one of so many on this machine."""
    if len(plans) == 1:
        return Workshop(plans[0], dataset, beside=beside)
    return Workshops(tuple(plans), dataset, beside)


TIMED = 20
"""Predictions of one row of which the median time is told."""


def _look(shop: Workshop, outcome: Outcome, seconds: float) -> Look | None:
    """Look at the network of a trial that has ended; None if it could not be built."""
    if not outcome.weights:
        return None
    import tensorflow as tf

    plan, told = shop.plan, outcome.told
    built, _ = shop.bench(told.values, seed_of(plan, told.trial))
    built.load(outcome.weights)
    evidence = plan.works.evidence(built.pieces, shop.dataset.validation)
    row = tf.constant(shop.dataset.validation.x[:1])
    label = [] if shop.dataset.validation.y is None or plan.spec.label is None else [shop.dataset.validation.y[:1]]

    @tf.function
    def answer(*given: Any) -> Any:
        return built.network([built.prepare(given[0]), *given[1:]] if label else built.prepare(given[0]))

    answer(row, *label)  # traced now
    times = []
    for _ in range(TIMED):
        began = time.perf_counter()
        answer(row, *label)
        times.append(time.perf_counter() - began)
    rows = plan.works.rows(evidence, plan.metric)
    return Look(built.network.count_params(), seconds, 1000 * float(np.median(times)), rows)


def trainings_of(plan: Plan, seed: int) -> tuple[Training, ...]:
    """The trainings of a trial whose first has this seed: each fold once, or the data's own parts, and all so often."""
    folds: list[int | None] = list(range(plan.folds)) if plan.folds else [None]
    pairs = [(repeat, fold) for repeat in range(plan.repeats) for fold in folds]
    return tuple(
        Training(derive(seed, "again", index) if index else seed, fold) for index, (_, fold) in enumerate(pairs)
    )


def seed_of(plan: Plan, trial: int, parent: int | None = None) -> int:
    """The seed of a trial, far from all others; a trial that goes on where another stopped has that one's seed."""
    return derive(plan.seed, "trial", trial if parent is None else parent)


SHARE, ROOM = 4, "ZOO_ROOM_FOR_ROWS"
"""One part in so many of the memory is for rows that stay there, of all processes together, and making them takes as
much again for a moment; the variable sets it in bytes. Results do not depend on it."""


def room_for_rows() -> int:
    """Bytes of prepared rows that may stay in the memory that this machine has, or this container."""
    stated = os.environ.get(ROOM)
    if stated is not None:
        if not stated.isdecimal():
            raise ZooError(f"{ROOM} is {stated!r}; expected a number of bytes")
        return int(stated)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")):
        with contextlib.suppress(OSError, ValueError):  # not there, or "max"
            memory = min(memory, int(limit.read_text()))
    return memory // SHARE


def pinned(plan: Plan) -> Plan:
    """The plan with the threads that trials will really run on: TensorFlow takes their number only before its start."""
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(plan.threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        return plan
    except RuntimeError:
        threads = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count() or 1
        return replace(plan, threads=threads)
