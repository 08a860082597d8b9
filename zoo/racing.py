"""Which spec? All that fit the data are trained for the same few epochs, the worse are dropped, the rest train longer.

Successive halving (Jamieson & Talwalkar 2016, algorithm 1) over specs at their defaults, a third going on from each
round to three times the epochs, from where it stands. A round's results are in the race's journal; the winner becomes a
run like any other.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from zoo import building, measuring, meeting, runs, selection, statistics
from zoo.datasets.description import Description
from zoo.errors import ZooError
from zoo.files import append_synced, finite, read_arrays, read_json, whole_lines, write_arrays, write_atomic, write_json
from zoo.meeting import Plan
from zoo.oracles import Question
from zoo.places import Place
from zoo.runs import JOURNAL, TOLD, Run
from zoo.selection import Card
from zoo.training.engine import Epoch
from zoo.working import Job, Outcome, State, Training, Trial, seed_of

RACE, TABLE = runs.RACE, "race.csv"

FACTOR = 3
"""A third goes on to the next round, with three times the epochs."""

FINALISTS = 3
"""So many train for all epochs, at most, where there are epochs enough for a round before."""

MOST_PARAMETERS = 1_000_000
"""Larger specs are not raced unless it is said: a race tries many, and on most data it is the small ones that learn."""


@dataclass(frozen=True)
class Raced:
    """What became of a spec in a round: its score and the interval that its validation rows give it, and its cost.

    `seconds` a training of so many `epochs`, those of the rounds before included; `milliseconds` a prediction of one
    row. A spec that diverged or could not be built has no score and a `reason`.
    """

    round: int
    spec: str
    epochs: int
    score: float | None
    low: float | None
    high: float | None
    parameters: int | None
    seconds: float | None
    milliseconds: float | None
    reason: str = ""


class Watch:
    """Who wants to see a race; all of its methods may be left as they are."""

    def starting(self) -> None:
        """Specs and data fit; TensorFlow is about to be loaded."""

    def round(self, number: int, specs: Sequence[str], epochs: int) -> None:
        """A round begins, of these specs, of so many epochs."""

    def epoch(self, spec: str, epoch: Epoch, epochs: int) -> None:
        """A spec ended an epoch of so many."""

    def ended(self, raced: Raced) -> None:
        """A spec ended a round."""

    def left_out(self, specs: Sequence[str], reason: str) -> None:
        """Some specs take no part, for the same reason; said before the first round."""


@dataclass
class Entries:
    """Who could start: the plans of the specs that take part, and why which others do not."""

    plans: list[Plan]
    out: dict[str, list[str]]
    """The names of those that take no part by the reason, which ends a sentence about them."""
    most: int | None
    """The parameters that a network may have."""

    def leave(self, name: str, reason: str) -> None:
        """Note that a spec takes no part."""
        self.out.setdefault(reason, []).append(name)

    @property
    def larger(self) -> str:
        """The reason of those that have more parameters than that."""
        return f"more than {self.most:,} parameters"


def entered(
    description: Description, pattern: str, family: str, most: int | None, epochs: int, objective: str | None,
    seed: int, threads: int,
) -> Entries:  # fmt: skip
    """The specs that fit the data, chosen as `zoo list` does, all with the same objective. Raises `ZooError` for none.

    Those whose card states more parameters than `most` are not among them.
    """
    found, reasons = Entries([], {}, most), dict[str, str]()
    coded = description.task == "reconstruction" or family in ("ae", "vae")
    every = selection.cards(pattern, family)
    cards = [card for card in every if card.coded == coded]
    if not cards:
        known = "learns from targets, and the data have none"
        known = known if coded else "is an autoencoder; expected --family ae or vae, by which these are raced"
        raise ZooError(f"no spec fits {description.name}: `{every[0].name}` {known}")
    suiting = [card for card in cards if meeting.suits(card, description)]
    for card in cards:
        if most is not None and (card.parameters or 0) > most:
            if card in suiting:
                found.leave(card.name, found.larger)
            continue
        try:
            spec = selection.load(card.name, {"train.epochs": epochs})
            plan = meeting.meet(
                spec, description, objective=objective, oracle="random", trials=1, seed=seed, threads=threads
            )
        except ZooError as error:
            reasons[card.name] = str(error)
            found.leave(card.name, f"not for {description.name}")
            continue
        if found.plans and plan.objective != found.plans[0].objective:
            found.leave(card.name, f"judged by {plan.objective}, the others by {found.plans[0].objective}")
        else:
            found.plans.append(plan)
    if not found.plans:
        raise _nobody(description, found, cards, reasons, [card for card in suiting if card.name not in reasons])
    return found


def _nobody(
    description: Description,
    found: Entries,
    cards: Sequence[Card],
    reasons: Mapping[str, str],
    large: Sequence[Card],
) -> ZooError:
    """Why nobody can start: all that suit the data are too large, or the reason of the one that is nearest to them."""
    if large:
        smallest = min(large, key=lambda card: card.parameters or 0)
        usual = " unless said otherwise" if found.most == MOST_PARAMETERS else ""
        return ZooError(
            f"no spec that fits {description.name} is small enough: `{smallest.name}` has {smallest.parameters:,} "
            f"parameters, and --max-params is {found.most:,}{usual}; expected a larger limit"
        )
    first = next((card.name for card in cards if meeting.suits(card, description)), next(iter(reasons), ""))
    return ZooError(f"no spec fits {description.name}" + (f"; the first because {reasons[first]}" if reasons else ""))


def built(found: Entries) -> None:
    """Leave out who cannot be built on these data, or has grown with them beyond the limit. Raises `ZooError` for none.

    A network that the data left as it is has as many parameters as its spec states; it is built when it is trained.
    """
    kept, reasons = [], list[str]()
    for plan in found.plans:
        try:
            parameters = plan.spec.data.get("parameters") or measuring.counted(plan.spec.fill())[0]
        except ZooError as error:
            reasons.append(str(building.resized(plan, {}) or error.problems[0]))
            found.leave(plan.spec.name, reasons[-1])
            continue
        if found.most is not None and parameters > found.most:
            found.leave(plan.spec.name, found.larger)
        else:
            kept.append(plan)
    if not kept:
        data = found.plans[0].description.name
        if reasons:
            raise ZooError(f"no spec that fits {data} can be built; the first because {reasons[0]}")
        raise ZooError(f"no spec fits {data} with {found.most:,} parameters at most; expected a larger limit")
    found.plans = kept


def rounds(specs: int, epochs: int) -> list[tuple[int, int]]:
    """(specs, epochs) of each round: from all specs and few epochs to a few specs and all epochs.

    Where epochs are too few for so many rounds, those that would train nobody longer are left out.
    """
    count = max(0, math.ceil(math.log(max(specs, 1) / FINALISTS, FACTOR) - 1e-9))
    found = dict[int, int]()
    for left in range(count, -1, -1):
        found.setdefault(max(1, round(epochs / FACTOR**left)), specs)
        specs = max(1, math.ceil(specs / FACTOR))
    return [(specs, epochs) for epochs, specs in found.items()]


@dataclass
class Race:
    """A race in its folder: the plans of its specs, and what its journal says."""

    folder: Path
    plans: tuple[Plan, ...]
    raced: list[Raced]

    @property
    def direction(self) -> str:
        """Of the objective: max or min."""
        return self.plans[0].direction

    @property
    def trainings(self) -> int:
        """How many trainings all rounds are, if none fails."""
        return sum(specs for specs, _ in rounds(len(self.plans), self.epochs))

    @property
    def epochs(self) -> int:
        """The epochs of the last round."""
        return int(self.plans[0].spec.fill().train["epochs"])

    def table(self) -> list[Raced]:
        """Every spec in its last round, the best first; those of a later round before those that were dropped."""
        last = {one.spec: one for one in sorted(self.raced, key=lambda one: one.round)}
        return sorted(last.values(), key=lambda one: (-one.round, *self._rank(one)))

    def _rank(self, one: Raced) -> tuple[bool, float, float, str]:
        """By score; of equals, the smaller; whoever ended first."""
        score = (one.score or 0.0) * (-1 if self.direction == "max" else 1)
        return one.score is None, score, one.parameters or math.inf, one.spec

    def of_round(self, number: int) -> list[Raced]:
        """What ended in a round, the best first."""
        return sorted((one for one in self.raced if one.round == number), key=self._rank)

    def in_round(self, number: int, specs: int) -> list[str]:
        """The specs that a round is of: the best of the round before it, those that have a score alone."""
        if number == 0:
            return [plan.spec.name for plan in self.plans]
        return [one.spec for one in self.of_round(number - 1)[:specs] if one.score is not None]

    def weights(self, spec: str) -> Path:
        """Where the weights of a spec in the last round lie."""
        return self.folder / "weights" / f"{spec}.npz"

    def keep_state(self, spec: str, state: State) -> None:
        """Store where a spec stands: a kill loses no more than what came after, and the next round goes on from it."""
        write_arrays(self._state(spec), state.packed())

    def state(self, spec: str) -> State | None:
        """Where a spec stood when that was last stored; None if it was not, or is torn or dropped."""
        with contextlib.suppress(ZooError):  # it begins anew then, to the same bits
            return State.unpacked(read_arrays(self._state(spec)))
        return None

    def drop_states(self, kept: Collection[str]) -> None:
        """Remove where specs stood, of all but some."""
        for path in (self.folder / "states").glob("*.npz"):
            if path.stem not in kept:
                path.unlink()

    def _state(self, spec: str) -> Path:
        return self.folder / "states" / f"{spec}.npz"


def opened(folder: Path, plans: Sequence[Plan], fresh: bool) -> Race:
    """The race in a folder that is held, or a new one. Raises `ZooError` if there is another in it."""
    written = {"plans": {plan.spec.name: plan.written() for plan in plans}}
    if fresh:
        runs.clear(folder)
    if (folder / RACE).exists():
        held = read_json(folder / RACE)
        if held["plans"].keys() != written["plans"].keys():
            odd = sorted(held["plans"].keys() ^ written["plans"].keys())
            raise ZooError(
                f"{folder} holds a race of other specs (`{odd[0]}` is in one of the two); expected the same, to go on "
                "with it; name another with --run NAME, or begin anew with --fresh"
            )
        for plan in plans:
            if json.loads(json.dumps(plan.written())) != held["plans"][plan.spec.name]:
                raise ZooError(
                    f"{folder} holds a race in which `{plan.spec.name}` was trained otherwise; expected the same data, "
                    "epochs, objective and seed; name another with --run NAME, or begin anew with --fresh"
                )
    elif any(path.name not in (runs.LOCK, JOURNAL) for path in folder.iterdir()):
        raise ZooError(f"{folder} is there and is no race; expected a new folder: --run NAME")
    else:
        write_json(folder / RACE, written)
    raced = [Raced(**json.loads(line)) for line in whole_lines(folder / JOURNAL)]
    return Race(folder, tuple(plans), raced)


def unfinished() -> list[Race]:
    """The races under `runs/` that have no winner yet, by name; what cannot be read is left out."""
    found = []
    for path in sorted(runs.HOME.glob(f"*/{RACE}")):
        with contextlib.suppress(ZooError, KeyError, TypeError, ValueError):
            held = read_json(path)
            if "winner" not in held:
                raced = [Raced(**json.loads(line)) for line in whole_lines(path.parent / JOURNAL)]
                found.append(Race(path.parent, tuple(map(meeting.read, held["plans"].values())), raced))
    return found


def race(found: Race, place: Place, watch: Watch) -> None:
    """Run what is left of a race, round by round. May be stopped at any moment: what has ended is not run again.

    Raises `ZooError` if no spec ends the first round.
    """
    every = rounds(len(found.plans), found.epochs)
    try:
        for number, (specs, epochs) in enumerate(every):
            names = found.in_round(number, specs)
            going_on = every[number + 1][0] if number + 1 < len(every) else 0
            if names:
                watch.round(number, names, epochs)
                _round(found, place, watch, number, names, epochs, going_on)
    finally:
        place.close()
    best = found.table()[0]
    if best.score is None:
        raise ZooError(f"no spec could be trained; the first because {best.reason}")


def _round(
    found: Race, place: Place, watch: Watch, number: int, names: Sequence[str], epochs: int, going_on: int
) -> None:
    """Train the specs of a round that did not end before, and tell them as they end; the best so many will go on."""
    last = epochs == found.epochs  # then their weights are what the winner is made from
    ended = found.of_round(number)
    done = {one.spec for one in ended if not last or one.score is None or found.weights(one.spec).exists()}
    numbers = {plan.spec.name: index for index, plan in enumerate(found.plans)}

    before: dict[str, float] = {}  # seconds of the rounds that a spec goes on from

    def seen(trial: int, epoch: Epoch, state: State | None) -> None:
        name = found.plans[trial - 1].spec.name
        if state is not None:
            found.keep_state(name, state)
        watch.epoch(name, epoch, epochs)

    def job(name: str) -> Job:
        index, state = numbers[name], found.state(name)
        plan = found.plans[index]
        values = {name: one.default for name, one in plan.spec.ranges().items()}
        if state is not None:
            earlier = [one for one in found.raced if one.spec == name and one.round < number]
            before[name] = earlier[-1].seconds or 0.0 if earlier else 0.0
        # Number 0 is for a spec whose failure ends the study; here it only ends its own race.
        trial = Trial(index + 1, values, epochs, (Training(seed_of(plan, 0)),), state, not last)
        return Job((trial,), index)

    for outcome in place.run((job(name) for name in names if name not in done), seen):
        name = found.plans[outcome.told.trial - 1].spec.name
        if outcome.state is not None:
            found.keep_state(name, outcome.state)
        _tell(found, number, epochs, outcome, last, before.get(name, 0.0))
        told = [one.spec for one in found.of_round(number)]
        found.drop_states({*told[:going_on], *(one for one in names if one not in told)})
        watch.ended(found.raced[-1])


def _tell(found: Race, number: int, epochs: int, outcome: Outcome, last: bool, before: float) -> None:
    """Write what became of a spec in a round: weights first, then the journal, then the table that people read."""
    plan, told, look = found.plans[outcome.told.trial - 1], outcome.told, outcome.look
    name = plan.spec.name
    low = high = parameters = seconds = milliseconds = None
    if look is not None:
        parameters, seconds, milliseconds = (
            look.parameters,
            round(before + look.seconds, 3),
            round(look.milliseconds, 3),
        )
        if told.score is not None and look.rows is not None:
            low, high = statistics.interval(look.rows)
    raced = Raced(
        number, name, epochs, told.score, low, high, parameters, seconds, milliseconds, told.reason
    )  # fmt: skip
    if last and told.score is not None:
        result = np.array(json.dumps(finite({**vars(told), "trial": 0})))
        write_arrays(found.weights(name), {**outcome.weights, TOLD: result})
    append_synced(found.folder / JOURNAL, json.dumps(finite(vars(raced))))
    found.raced.append(raced)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(vars(raced)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(vars(one) for one in found.table())
    write_atomic(found.folder / TABLE, text.getvalue())


def winner(found: Race) -> tuple[Plan, Path]:
    """The plan of the best spec, and the folder of its run."""
    name = found.table()[0].spec
    plan = next(plan for plan in found.plans if plan.spec.name == name)
    return plan, found.folder / name


def crowned(found: Race, run: Run) -> None:
    """Give the winner's run what its training in the last round gave, so that it is told and judged, not run again."""
    if run.told:
        return
    stored = read_arrays(found.weights(run.plan.spec.name))
    told = runs.read_told(json.loads(str(stored.pop(TOLD))))
    if not run.asked:
        run.append("asked", {"trial": 0, "question": vars(Question(dict(told.values), None, None, {}))})
    run.set_aside(replace(told, trial=0), stored)
    write_json(found.folder / RACE, {**read_json(found.folder / RACE), "winner": run.plan.spec.name})
