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
class Stand:
    """Where a training stands after an epoch: all epochs so far, the best one and its score, or why it diverged.

    `weights` are those of the best epoch, of a trial's first training alone; `variables` the network's, seeds included,
    and the optimizer's, in their order, where something may go on from here.
    """

    logs: tuple[Mapping[str, float], ...]
    best: float | None
    best_epoch: int | None
    weights: Mapping[str, np.ndarray]
    variables: tuple[np.ndarray, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class State:
    """Where each training of a trial stands that has begun: one that is killed or promoted goes on from it, bit by bit.

    Trainings with all epochs of their trial have ended; of a promoted trial, those behind them stand where its parent
    left them.
    """

    trainings: tuple[Stand, ...]

    def packed(self) -> dict[str, np.ndarray]:
        """The state as named arrays, for a file."""
        told = [{"logs": one.logs, "best": one.best, "best_epoch": one.best_epoch} for one in self.trainings]
        arrays = {"told": np.array(json.dumps(told))}
        for index, one in enumerate(self.trainings):
            arrays |= {f"{index}:weights:{path}": array for path, array in one.weights.items()}
            arrays |= {f"{index}:variable:{place:06d}": array for place, array in enumerate(one.variables)}
        return arrays

    @classmethod
    def unpacked(cls, arrays: Mapping[str, np.ndarray]) -> State:
        """The state that `packed` gave. Raises `ZooError` for other arrays."""

        def named(kind: str) -> dict[str, np.ndarray]:
            return {key.removeprefix(kind): value for key, value in arrays.items() if key.startswith(kind)}

        found = []
        try:
            for index, one in enumerate(json.loads(str(arrays["told"]))):
                variables = tuple(value for _, value in sorted(named(f"{index}:variable:").items()))
                logs, weights = tuple(one["logs"]), named(f"{index}:weights:")
                found.append(Stand(logs, one["best"], one["best_epoch"], weights, variables))
        except (KeyError, TypeError, ValueError) as error:
            raise ZooError(f"these arrays hold no state of a trial: {error!r}") from None
        return cls(tuple(found))


@dataclass(frozen=True)
class Trial:
    """A trial to run: values, epochs, and its trainings, whose mean score is its own.

    `state` is where it goes on: where it stood itself, or where the trial ended that it was promoted from.
    `promotable`: another one may go on from its end, which the outcome then holds.
    """

    number: int
    values: Mapping[str, Any]
    epochs: int
    trainings: tuple[Training, ...]
    state: State | None = None
    promotable: bool = False


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
    """What became of one trial, and the weights of the epoch that its score is from, by path; of its first training.

    `state` is where it ended, if it may be promoted.
    """

    told: Told
    weights: Mapping[str, np.ndarray]
    look: Look | None = None
    state: State | None = None


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
        number, values = trial.number, dict(trial.values)
        before = trial.state.trainings if trial.state else ()
        stands: list[Stand] = []

        def seen(epoch: Epoch, now: Stand | None) -> None:
            index = len(stands)
            state = None if now is None else State((*stands, now, *before[index + 1 :]))
            watch(number, replace(epoch, number=index * trial.epochs + epoch.number), state)

        for index in range(len(trial.trainings)):
            stand = before[index] if index < len(before) else None
            if stand is None or len(stand.logs) < trial.epochs:
                try:
                    stand = self._training(trial, index, stand, seen)
                except ZooError as error:
                    if number == 0:  # the spec itself, not what a range makes of it
                        raise
                    stand = Stand((), None, None, {}, reason=f"it cannot be trained: {error}")
            stands.append(stand)
            if stand.best is None:
                which = f"training {index + 1} of {len(trial.trainings)}: " if len(trial.trainings) > 1 else ""
                reason, logs = which + stand.reason, stands[0].logs
                return Outcome(Told(number, values, "diverged", None, None, logs, reason), stands[0].weights)
        scores = tuple(one.best for one in stands if one.best is not None)
        first, kept = stands[0], scores if len(scores) > 1 else ()
        told = Told(number, values, "completed", float(np.mean(scores)), first.best_epoch, first.logs, scores=kept)
        state = State(tuple(stands)) if self._keeps(trial) else None
        return Outcome(told, first.weights, state=state)

    def _keeps(self, trial: Trial) -> bool:
        """Whether the end of a trial is kept. What a callback holds is in no state: then a promoted one begins anew."""
        return trial.promotable and not self.callbacks

    def _training(
        self, trial: Trial, index: int, stand: Stand | None, seen: Callable[[Epoch, Stand | None], None]
    ) -> Stand:
        """Run one training of a trial, from its beginning or from where it stood."""
        training, plan = trial.trainings[index], self.plan
        built, program = self.bench(trial.values, training.seed, training.fold)
        reset(built, trial.values, training.seed)

        def weights_now() -> Mapping[str, np.ndarray]:
            return built.weights() if index == 0 else {}

        logs: list[Mapping[str, float]] = []
        best, best_epoch, weights, reason = None, None, weights_now(), ""
        if stand is not None and built.restore(stand.variables):
            logs, best, best_epoch, weights = list(stand.logs), stand.best, stand.best_epoch, stand.weights
        since = time.monotonic()
        epochs = fit(
            program, training.seed, trial.epochs, plan.objective, plan.direction, after=len(logs), best=best,
            callbacks=self._called(),
        )  # fmt: skip
        for epoch in epochs:
            logs.append(dict(epoch.logs))
            reason, now = epoch.diverged, None
            if epoch.best:
                best, best_epoch, weights = epoch.score, epoch.number, weights_now()
            # What a callback holds is in no state: then a trial that is killed begins anew.
            if time.monotonic() - since >= PERIOD and not reason and not self.callbacks:
                now = Stand(tuple(logs), best, best_epoch, weights, built.variables())
                since = time.monotonic()
            seen(epoch, now)
        if reason:
            return Stand(tuple(logs), None, None, weights, reason=reason)
        variables = built.variables() if self._keeps(trial) else ()
        return Stand(tuple(logs), best, best_epoch, weights, variables)

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
