"""A run's folder: a plan, a journal with one writer, and what people read, derived from the two.

The journal is the truth: begun, asked, told, judged, exported, one synced line each. It is replayed when the run is
opened; a torn last line is dropped. Everything else in the folder is derived from it, or a blob that it names.
"""

from __future__ import annotations

import contextlib
import csv
import importlib.metadata
import io
import json
import os
import platform
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo import meeting
from zoo.errors import Problem, ZooError, listed, nearest
from zoo.files import (
    append_synced,
    finite,
    foreign,
    locked,
    read_arrays,
    read_json,
    whole_lines,
    write_arrays,
    write_atomic,
    write_json,
)
from zoo.meeting import Plan

HOME = Path("runs")
PLAN, JOURNAL, LOCK, RACE = "plan.json", "journal.jsonl", "lock", "race.json"
KEPT_WEIGHTS = 3
"""The best so many trials keep their weights, and trial 0 always."""

ENVIRONMENT = ("tensorflow", "keras", "keras-tuner")
"""Libraries of which another minor version is not resumed with unasked."""


@dataclass(frozen=True)
class Told:
    """The result of one trial: its score and the epoch that it is from, all epochs, and how it ended.

    `status` is completed or diverged; a diverged trial has a `reason` and no score. Of several trainings, `score` is
    the mean of their `scores`, and the epochs are those of the first.
    """

    trial: int
    values: Mapping[str, Any]
    status: str
    score: float | None
    best_epoch: int | None
    epochs: tuple[Mapping[str, float], ...]
    reason: str = ""
    scores: tuple[float, ...] = ()


@dataclass(frozen=True)
class Again:
    """A training of a trial again, under the fresh seed of this index."""

    trial: int
    index: int


TOLD, _VALUES = "/told", "/values"
"""The names of a result, and of a trial's values, among the arrays that belong to it; no weight is called so."""

_STATE = ".state.npz"
"""How the names of files end that say where a trial stands."""


@dataclass
class Run:
    """One study on disk. Read it with `read`; write through `opened`, which holds the lock."""

    folder: Path
    plan: Plan
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What the run is called: its folder's name, or for the winner of a race that of the race."""
        parent = self.folder.parent
        return parent.name if os.path.isfile(parent / RACE) else self.folder.name

    # What the journal says

    @property
    def asked(self) -> list[dict[str, Any]]:
        """What was asked, in the order of the trials."""
        return [event["payload"] for event in self.events if event["kind"] == "asked"]

    @property
    def told(self) -> list[Told]:
        """The results, in the order of the trials."""
        return [read_told(event["payload"]) for event in self.events if event["kind"] == "told"]

    def last(self, kind: str) -> dict[str, Any] | None:
        """The payload of the last event of a kind, or None."""
        return next((event["payload"] for event in reversed(self.events) if event["kind"] == kind), None)

    @property
    def best(self) -> Told | None:
        """The best trial: the best score, the earliest of equals."""
        best = None
        for one in self.told:
            if one.score is not None and self.plan.better(one.score, best.score if best else None):
                best = one
        return best

    @property
    def state(self) -> str:
        """Where the study stands: so many trials of so many, judged or not."""
        return "finished" if self.last("judged") else "unfinished"

    @property
    def begun(self) -> bool:
        """Whether there is something to lose: a trial that ended, in its turn or out of it, or stands somewhere."""
        return bool(self.told) or any((self.folder / "trials").glob("*.npz"))

    # Writing

    def append(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Add an event to the journal, synced before this returns, and write anew what is derived from it."""
        event = {
            "sequence": len(self.events),
            "time": round(time.time(), 3),
            "kind": kind,
            "payload": finite(dict(payload)),
        }
        append_synced(self.folder / JOURNAL, json.dumps(event))
        self.events.append(json.loads(json.dumps(event)))
        if kind in ("told", "judged"):
            self.derive()

    def keep_weights(self, trial: int, weights: Mapping[str, np.ndarray]) -> None:
        """Store the weights of a trial's best epoch."""
        write_arrays(self._weights(trial), weights)

    def weights(self, trial: int) -> dict[str, np.ndarray]:
        """The kept weights of a trial by path. Raises `ZooError` if they are not there or torn."""
        return read_arrays(self._weights(trial))

    def keep_again(self, again: Again, told: Told, weights: Mapping[str, np.ndarray]) -> None:
        """Store what became of a training with a fresh seed, its weights first."""
        write_arrays(self._again(again), weights)
        self.append("confirmed", {**vars(again), "score": told.score, "reason": told.reason})

    def has_again(self, again: Again) -> bool:
        """Whether a training with a fresh seed has ended, and its weights are there."""
        return self.again(again) is not None and self._again(again).is_file()

    def again(self, again: Again) -> dict[str, Any] | None:
        """What became of a training with a fresh seed: its `score` on the validation part, None with a `reason`."""
        ended = (event["payload"] for event in reversed(self.events) if event["kind"] == "confirmed")
        return next((one for one in ended if (one["trial"], one["index"]) == (again.trial, again.index)), None)

    def weights_again(self, again: Again) -> dict[str, np.ndarray]:
        """The weights of a training with a fresh seed by path."""
        return read_arrays(self._again(again))

    def drop_again(self, kept: Collection[int]) -> None:
        """Remove the weights of trainings with fresh seeds of all but some trials."""
        for path in (self.folder / "confirm").glob("*.npz"):
            if int(path.stem.partition("-")[0]) not in kept:
                path.unlink()

    def _again(self, again: Again) -> Path:
        return self.folder / "confirm" / f"{again.trial:04d}-{again.index}.npz"

    def cut(self) -> None:
        """Have the study end with the trials that are told."""
        self.plan = replace(self.plan, trials=len(self.told))
        write_json(self.folder / PLAN, self.plan.written())

    def spent(self) -> float:
        """Seconds that went into the study: in each sitting, from its beginning to the last trial told in it."""
        seconds, begin, last = 0.0, 0.0, 0.0
        for event in self.events:
            if event["kind"] == "begun":
                seconds, begin, last = seconds + last - begin, event["time"], event["time"]
            elif event["kind"] == "told":
                last = event["time"]
        return seconds + last - begin

    def drop_weights(self) -> None:
        """Remove the weights of all but trial 0 and the best few."""
        scored = [one for one in self.told if one.score is not None]
        sign = -1 if self.plan.direction == "max" else 1
        ranked = sorted(scored, key=lambda one: (sign * (one.score or 0.0), one.trial))
        kept = {0, *(one.trial for one in ranked[:KEPT_WEIGHTS])}
        for path in (self.folder / "weights").glob("*.npz"):
            if int(path.stem) not in kept:
                path.unlink()

    def set_aside(self, told: Told, weights: Mapping[str, np.ndarray]) -> None:
        """Store the result of a trial that ended before its turn to be told, so that a kill does not lose it."""
        write_arrays(self._aside(told.trial), {**weights, TOLD: np.array(json.dumps(finite(vars(told))))})

    def aside(self) -> dict[int, tuple[Told, dict[str, np.ndarray]]]:
        """The results that were set aside, with their weights, of trials that were asked and are not told."""
        found = {}
        for number in range(len(self.told), len(self.asked)):
            with contextlib.suppress(ZooError, KeyError, ValueError, TypeError):  # it is run again then
                stored = read_arrays(self._aside(number))
                told = read_told(json.loads(str(stored.pop(TOLD))))
                if dict(told.values) == dict(self.asked[number]["question"]["values"]):
                    found[number] = (told, stored)
        return found

    def drop_aside(self, trial: int) -> None:
        """Remove what was set aside of a trial that is told."""
        self._aside(trial).unlink(missing_ok=True)

    def keep_state(self, trial: int, state: Mapping[str, np.ndarray]) -> None:
        """Store where a trial stands: a kill loses no more than what came after, and a promoted one goes on from it."""
        values = np.array(json.dumps(self.asked[trial]["question"]["values"]))
        write_arrays(self._state(trial), {**state, _VALUES: values})

    def state_of(self, trial: int) -> dict[str, np.ndarray] | None:
        """Where a trial that was asked stood when that was last stored; None if it was not, or is torn or dropped."""
        with contextlib.suppress(ZooError, KeyError, ValueError):  # it begins anew then
            stored = read_arrays(self._state(trial))
            if json.loads(str(stored.pop(_VALUES))) == self.asked[trial]["question"]["values"]:
                return stored
        return None

    def drop_states(self, kept: Collection[int]) -> None:
        """Remove where trials stood, of all but some."""
        for path in (self.folder / "trials").glob(f"*{_STATE}"):
            if int(path.name.removesuffix(_STATE)) not in kept:
                path.unlink()

    def _aside(self, trial: int) -> Path:
        return self.folder / "trials" / f"{trial:04d}.npz"

    def _state(self, trial: int) -> Path:
        return self.folder / "trials" / f"{trial:04d}{_STATE}"

    def weights_file(self, trial: int) -> Path:
        """Where the kept weights of a trial lie."""
        return self._weights(trial)

    def _weights(self, trial: int) -> Path:
        return self.folder / "weights" / f"{trial:04d}.npz"

    def derive(self) -> None:
        """Write `trials.csv`, `epochs.csv`, `best.yaml` and `run.json` from the journal."""
        told, names = self.told, list(self.plan.spec.ranges())
        several = range(self.plan.trainings if self.plan.trainings > 1 else 0)
        rows = [
            [
                one.trial,
                one.status,
                *(one.values.get(name) for name in names),
                one.score,
                one.best_epoch,
                len(one.epochs),
                *(one.scores[index] if one.scores else None for index in several),
            ]
            for one in told
        ]
        head = ["trial", "status", *names, self.plan.objective, "best_epoch", "epochs"]
        head += [f"{self.plan.objective}_{index + 1}" for index in several]
        write_atomic(self.folder / "trials.csv", _csv(head, rows))
        logs = list(dict.fromkeys(key for one in told for epoch in one.epochs for key in epoch))
        lines = [
            [one.trial, number, *(epoch.get(key) for key in logs)]
            for one in told
            for number, epoch in enumerate(one.epochs, 1)
        ]
        write_atomic(self.folder / "epochs.csv", _csv(["trial", "epoch", *logs], lines))
        best = self.best
        if best is not None:
            write_atomic(self.folder / "best.yaml", self.plan.spec.fill(best.values).dump())
            write_json(self.folder / "run.json", self.summary(best))

    def summary(self, best: Told) -> dict[str, Any]:
        """What `run.json` holds: the values found, and the figures on validation and test where they were judged."""
        plan, judged = self.plan, self.last("judged") or {}
        begun: dict[str, str] = next((event["payload"] for event in self.events if event["kind"] == "begun"), {})
        return {
            "spec": plan.spec.name,
            "data": plan.description.name,
            "task": plan.task,
            "objective": plan.objective,
            "direction": plan.direction,
            "trials": len(self.told),
            "best_trial": best.trial,
            "best_epoch": best.best_epoch,
            "score": best.score,
            "default_score": self.told[0].score,
            "trainings": plan.trainings,
            "values": dict(best.values),
            "defaults": {name: one.default for name, one in plan.spec.ranges().items()},
            **{
                key: judged.get(key)
                for key in ("validation", "test", "confirmed", "difference", "verdict", "warning", "test_openings")
            },
            "seed": plan.seed,
            "fingerprint": plan.description.fingerprint,
            "environment": begun,
        }


def folder_of(name: str | None, default: str) -> Path:
    """The folder of a run: a bare word lies under `runs/`, anything with a separator is a path."""
    chosen = name or default
    if not chosen.strip() or chosen in (".", ".."):
        raise ZooError(f"`{chosen}` names no run; expected a word, or a path with a separator")
    return Path(chosen) if "/" in chosen or Path(chosen).is_absolute() else HOME / chosen


def exists(folder: Path) -> bool:
    """Whether a run lies in the folder."""
    return os.path.isfile(folder / PLAN)


def read(name: str) -> Run:
    """Read a run by its name or path, without its lock. Raises `ZooError` with the nearest name if there is none."""
    folder = _winner(folder_of(name, name))
    if not exists(folder):
        known = sorted(path.parent.name for path in HOME.glob(f"*/{PLAN}"))
        hint = nearest(name, known)
        raise ZooError(
            f"no run `{name}`: {folder} holds no {PLAN}; expected "
            + (f"one of {listed(known)}, or " if known else "")
            + "the folder of a run"
            + (f"; did you mean `{hint}`?" if hint else "")
        )
    return read_at(folder)


def _winner(folder: Path) -> Path:
    """The folder itself, or that of the winner where a finished race lies in it."""
    if os.path.isfile(folder / RACE):
        return folder / str(read_json(folder / RACE).get("winner", ""))
    return folder


def read_at(folder: Path) -> Run:
    """Read the run in a folder, without its lock. Raises `ZooError` if it cannot be read."""
    try:
        plan = meeting.read(read_json(folder / PLAN))
        events = [_event(line) for line in whole_lines(folder / JOURNAL)]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        lacks = f"`{error.args[0]}` is missing in it" if isinstance(error, KeyError) else str(error)
        raise ZooError(Problem(f"{folder} cannot be read: {lacks}", "a run that this zoo wrote")) from None
    return Run(folder, plan, events)


def every() -> list[Run]:
    """All runs under `runs/`, by name, of a race the winner's; what cannot be read is left out."""
    found = []
    for path in sorted([*HOME.glob(f"*/{PLAN}"), *HOME.glob(f"*/{RACE}")]):
        try:
            found.append(read_at(_winner(path.parent)))
        except ZooError:
            continue
    return found


@contextmanager
def opened(folder: Path, plan: Plan, fresh: bool = False, accept_environment: bool = False) -> Iterator[Run]:
    """Hold a run for writing: a new one, or the one in the folder if it is of the same plan.

    Raises `ZooError` if another process holds it, if its plan differs (with the two ways out), or if it began under
    another minor version of TensorFlow, Keras or keras-tuner and `accept_environment` is not given.
    """
    if folder.exists() and not exists(folder) and not (folder.is_dir() and all(map(_leftover, folder.iterdir()))):
        raise ZooError(f"{folder} is there and is no run; expected a new folder: --run NAME")
    with held(folder):
        if fresh or (exists(folder) and not read_at(folder).begun):
            clear(folder)
        if exists(folder):
            run = read_at(folder)
            refuse_another(run, plan, accept_environment)
            plan = replace(plan, trials=max(plan.trials, len(run.told)))  # what was tried is not taken back
            if run.plan.trials != plan.trials:
                write_json(folder / PLAN, plan.written())
            run.plan = plan
        else:
            write_json(folder / PLAN, plan.written())
            write_atomic(folder / "spec.yaml", plan.spec.dump())
            run = Run(folder, plan)
        run.append("begun", environment())
        if run.told:
            run.derive()  # a kill may have come between the journal and what is derived from it
        try:
            yield run
        except ZooError:
            with contextlib.suppress(ZooError):
                if not run.begun:  # what was refused is no study to go on with
                    clear(folder)
            raise


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Be the one writer of a run. Raises `ZooError` if another process is."""
    busy = f"{folder} is being written by another zoo; wait for it, or name another: --run NAME"
    with locked(folder / LOCK, busy):
        whole_lines(folder / JOURNAL, mend=True)
        yield


def refuse_another(run: Run, plan: Plan, accept_environment: bool) -> None:
    """Raise `ZooError` if a run cannot go on under a plan, in this environment: the ways out are in the sentence."""
    different = run.plan.differences(plan)
    if different:
        raise ZooError(
            f"{run.folder} holds a study with another {listed(different)}; expected the same, to go on with it; "
            "name another with --run NAME, or begin anew with --fresh"
        )
    _same_environment(run, accept_environment)


def _leftover(path: Path) -> bool:
    """Whether a file is what a run that was killed in its first moment leaves behind."""
    return path.name == LOCK or path.name.startswith(f".{PLAN}.")


def environment() -> dict[str, str]:
    """The versions that a run is made with."""
    names = ("zoo", *ENVIRONMENT, "numpy", "scikit-learn")
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}}


def _same_environment(run: Run, accept: bool) -> None:
    began = run.last("begun")  # the last, so that a change is accepted once
    if began is None or accept:
        return
    now = environment()
    for name in ENVIRONMENT:
        if began[name].split(".")[:2] != now[name].split(".")[:2]:
            raise ZooError(
                f"{run.folder} began with {name} {began[name]}, and {now[name]} is installed: its trials would not be "
                "comparable; expected the same minor version, or --accept-environment"
            )


_OWN = (
    PLAN, JOURNAL, LOCK, RACE, "race.csv", "spec.yaml", "trials.csv", "epochs.csv", "best.yaml", "run.json", "weights",
    "states", "trials", "confirm", "evidence.npz", "verdict.json", ".npz",
)  # fmt: skip
"""What stands in a run's folder, or a race's, and in the folders in it."""


def clear(folder: Path) -> None:
    """Empty a run's folder, the lock excepted: another process may be waiting on it.

    Raises `ZooError`, with nothing removed, if it holds what is not zoo's.
    """
    exports = [path for path in folder.rglob("exports") if path.is_dir()]
    inside = {path.name for path in exports} | {child.name for one in exports for child in one.rglob("*")}
    winners = {path.parent.name for path in folder.glob(f"*/{PLAN}")} if os.path.isfile(folder / RACE) else set()
    odd = foreign(folder, {*_OWN, *inside, *winners})
    whole = [_is_plan(path) for path in folder.glob(PLAN)] + [_is_race(path) for path in folder.glob(RACE)]
    if odd is None and not all(whole):
        odd = folder / (PLAN if (folder / PLAN).exists() else RACE)
    if odd is not None:
        raise ZooError(f"{odd} was not made by zoo, and {folder} would be emptied; expected another folder: --run NAME")
    for path in folder.iterdir():
        if path.name != LOCK:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_plan(path: Path) -> bool:
    """Whether a file is a plan, or the torn one of a process that was killed."""
    with contextlib.suppress(ZooError, ValueError):
        held = read_json(path)
        return isinstance(held, dict) and {"spec", "data", "oracle"} <= held.keys()
    return False


def _is_race(path: Path) -> bool:
    with contextlib.suppress(ZooError, ValueError):
        held = read_json(path)
        return isinstance(held, dict) and "plans" in held
    return False


def _event(line: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(line)
    if event["kind"] == "told":
        read_told(event["payload"])
    return event


def read_told(payload: Mapping[str, Any]) -> Told:
    """A result from what `vars` of it was written as."""
    return Told(**{**payload, "epochs": tuple(payload["epochs"]), "scores": tuple(payload.get("scores", ()))})


def _csv(head: list[str], rows: list[list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()
