"""A trial: `work(job)` gives an `Outcome`, a pure function of plan, data, values and seeds, in any process."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from zoo.building import Built, build, reset, trace_key
from zoo.datasets.dataset import Dataset, Part
from zoo.errors import ZooError
from zoo.meeting import Plan
from zoo.runs import Told
from zoo.seeding import derive
from zoo.training.engine import Epoch, fit
from zoo.training.programs import Resident

LARGEST_CACHE = 2
"""Built models kept in a process: the one in use, and one more for studies whose ranges change shapes."""


@dataclass(frozen=True)
class Job:
    """Trials to run: their numbers, and for each its values, its seed and its epochs. Small, picklable, no arrays."""

    numbers: tuple[int, ...]
    values: tuple[Mapping[str, Any], ...]
    seeds: tuple[int, ...]
    epochs: tuple[int, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of one trial, and the weights of the epoch that its score is from, by path."""

    told: Told
    weights: Mapping[str, np.ndarray]


@dataclass
class Workshop:
    """Plan and data in one process, and what was built there: one trace for all trials that differ in knobs alone."""

    plan: Plan
    dataset: Dataset
    _benches: dict[str, tuple[Built, Resident]] = field(default_factory=dict)

    def work(self, job: Job, watch: Callable[[int, Epoch], None] = lambda number, epoch: None) -> list[Outcome]:
        """Run the trials of a job, one after the other; `watch` sees each epoch as it ends."""
        tasks = zip(job.numbers, job.values, job.seeds, job.epochs, strict=True)
        return [self._trial(*one, watch) for one in tasks]

    def _trial(
        self, number: int, values: Mapping[str, Any], seed: int, epochs: int, watch: Callable[[int, Epoch], None]
    ) -> Outcome:
        try:
            built, program = self.bench(values, seed)
        except ZooError as error:
            if number == 0:  # the spec itself, not what a range makes of it
                raise
            return Outcome(Told(number, dict(values), "diverged", None, None, (), f"it cannot be built: {error}"), {})
        reset(built, values, seed)
        logs: list[Mapping[str, float]] = []
        best, weights, reason = None, built.weights(), ""
        for epoch in fit(program, seed, epochs, self.plan.objective, self.plan.direction):
            logs.append(dict(epoch.logs))
            reason = epoch.diverged
            if epoch.best:
                best, weights = epoch, built.weights()
            watch(number, epoch)
        score, at = (None, None) if reason or best is None else (best.score, best.number)
        status = "diverged" if score is None else "completed"
        told = Told(number, dict(values), status, score, at, tuple(logs), reason)
        return Outcome(told, weights)

    def bench(self, values: Mapping[str, Any], seed: int) -> tuple[Built, Resident]:
        """The built model and its program for values; built anew only where they change shapes."""
        key = trace_key(self.plan, values)
        if key not in self._benches:
            if len(self._benches) >= LARGEST_CACHE:
                self._benches.pop(next(iter(self._benches)))
            built = build(self.plan, values, seed, adjustable=True)
            parts = [self._prepared(built, part) for part in (self.dataset.train, self.dataset.validation)]
            size = self.plan.spec.fill(values).train["batch_size"]
            self._benches[key] = (built, Resident(built, parts[0], parts[1], size))
        self._benches[key] = self._benches.pop(key)
        return self._benches[key]

    def weight_bytes(self) -> int:
        """The size of the weights of a model that was built here; 0 while none was."""
        built = next((one for one, _ in self._benches.values()), None)
        return sum(one.nbytes for one in built.weights().values()) if built else 0

    def _prepared(self, built: Built, part: Part) -> tuple[Any, np.ndarray | None]:
        """Features and targets of a part: `prepare` runs once over the rows, before the study."""
        features = built.prepare.predict(part.x, batch_size=256, verbose=0)
        return self.plan.works.inputs(part, features), self.plan.works.targets(part, features)


def seed_of(plan: Plan, trial: int, parent: int | None = None) -> int:
    """The seed of a trial, far from all others; a trial that goes on where another stopped has that one's seed."""
    return derive(plan.seed, "trial", trial if parent is None else parent)


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
