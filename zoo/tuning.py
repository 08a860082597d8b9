"""A study from its plan to a finished journal: ask, run, tell in the order of the numbers, judge."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace

from zoo.errors import ZooError
from zoo.judging import judge
from zoo.oracles import DONE, Asking, Question, Space, promotable
from zoo.places import Here, Place
from zoo.runs import KEPT_WEIGHTS, Again, Run, Told
from zoo.seeding import derive
from zoo.training.engine import Epoch
from zoo.working import Job, Outcome, State, Training, Trial, Workshop, seed_of, trainings_of


@dataclass(frozen=True)
class Cost:
    """What a study will cost, from its first epochs: seconds of a trial and of all that is left, bytes at its peak.

    The oracle's patience is not in it: Hyperband ends most trials early. `memory` is of all workers, `disk` of the kept
    weights; both are 0 where no trial runs in this process, as on a cluster.
    """

    seconds_a_trial: float
    seconds: float
    workers: int
    memory: int
    disk: int


class Watch:
    """Who wants to see a study go on; all of its methods may be left as they are."""

    def starting(self) -> None:
        """Spec and data fit; TensorFlow is about to be loaded."""

    def began(self, run: Run) -> None:
        """The study was opened, new or with what is in its journal."""

    def expects(self, cost: Cost) -> None:
        """What the study will cost is known, from the first epochs of its first trial."""

    def epoch(self, trial: int, epoch: Epoch, epochs: int) -> None:
        """A trial ended an epoch of so many."""

    def told(self, run: Run, told: Told) -> None:
        """A trial ended, and those before it had."""

    def confirming(self, run: Run, number: int, of: int, epoch: Epoch) -> None:
        """An epoch ended of one of so many trainings with fresh seeds."""

    def judging(self, run: Run) -> None:
        """All trials ended; the test part is about to be opened."""


def tune(
    run: Run,
    workshop: Workshop,
    watch: Watch,
    place: Place | None = None,
    *,
    confirm: int = 0,
    budget: float | None = None,
) -> None:
    """Run what is left of a study. May be stopped at any moment: what is in the journal stays, the rest is done again.

    Trials run in `place` (default: here, one after the other), and are told in the order of their numbers, whoever
    ended first. The next question is answered on a thread of its own meanwhile. `confirm`: the default and the best
    are trained again so often before they are judged. `budget`: seconds after which no trial is begun that would not
    end by then; those spent before a study went on count. Raises `ZooError` if all trials diverge.
    """
    place = place or Here(workshop)
    watch.began(run)
    try:
        _Search(run, workshop, place, watch, budget).go()
        if run.best is None:
            raise ZooError(f"every trial diverged; the first because {run.told[0].reason}; try a lower learning rate")
        again = _confirmed(run, place, watch, confirm)
    finally:
        place.close()
    watch.judging(run)
    judge(run, workshop, again)


def _confirmed(run: Run, place: Place, watch: Watch, times: int) -> list[Again]:
    """The default and the best trial trained again under fresh seeds, the same for both; what is missing is run."""
    best = run.best
    if best is None or best.trial == 0 or run.told[0].score is None:
        return []
    pairs = [Again(trial.trial, index) for index in range(times) for trial in (run.told[0], best)]
    wanted = [one for one in pairs if not run.has_again(one)]
    first = len(run.told)
    trials = []
    for number, one in enumerate(wanted, first):
        seed = derive(run.plan.seed, "confirm", one.index)
        values = run.told[one.trial].values
        epochs = int(run.plan.spec.fill(values).train["epochs"])
        trials.append(Trial(number, values, epochs, (Training(seed),)))

    def seen(number: int, epoch: Epoch, state: State | None) -> None:
        watch.confirming(run, number - first, len(wanted), epoch)

    for outcome in place.run((Job((trial,)) for trial in trials), seen):
        run.keep_again(wanted[outcome.told.trial - first], outcome.told, outcome.weights)
    return pairs


class _Search:
    """The state of a study under way: what was asked, what runs, what ended out of turn."""

    def __init__(self, run: Run, workshop: Workshop, place: Place, watch: Watch, budget: float | None = None) -> None:
        self.run, self.workshop, self.place, self.watch, plan = run, workshop, place, watch, run.plan
        epochs = plan.spec.fill().train["epochs"]
        self.space = Space(plan.spec.ranges(), plan.oracle, plan.direction, plan.trials, epochs, plan.seed, plan.ahead)
        self.asking = Asking(self.space)
        self.asked = [Question(**payload["question"]) for payload in run.asked]
        self.scores = [one.score for one in run.told]
        self.submitted = len(self.scores)
        self.ended = {number: Outcome(*both) for number, both in run.aside().items()}
        self.answer: Future[Question | str] | None = None
        self.known = 0  # so many results did the oracle have when it was last asked
        self.waits_for = 0  # so many results must be told before the oracle can answer
        self.exhausted = False
        self.first: tuple[int, float] | None = None  # the trial of the first epoch, which holds the trace, and its end
        self.expected = False
        self.until = None if budget is None else time.monotonic() + budget - run.spent()
        self.began: dict[int, float] = {}  # when a trial was submitted
        self.took: list[float] = []  # seconds of those that ended here

    def go(self) -> None:
        """Ask, run and tell until all trials are told, the oracle has nothing left to ask, or the time is up."""
        thinking = ThreadPoolExecutor(1, thread_name_prefix="oracle")
        try:
            while len(self.scores) < self.run.plan.trials and not self._is_over():
                self._ask(thinking)
                self._submit()
                if self.submitted > len(self.scores) and len(self.scores) not in self.ended:
                    for outcome in self.place.wait(self._seen):
                        self._ends(outcome)
                elif len(self.scores) not in self.ended:
                    if self._is_late():
                        continue
                    assert self.answer is not None, "a question waits for results, and all are told"
                    self._hear(self.answer.result())
                self._tell()
                if self.answer is not None and self.answer.done():
                    self._hear(self.answer.result())
        finally:
            thinking.shutdown(wait=False, cancel_futures=True)
            self.asking.close()
        self.run.drop_states(())
        if self.until is not None:
            self.run.cut()

    def _is_over(self) -> bool:
        """Whether nothing runs any more, and nothing will."""
        idle = self.submitted == len(self.scores)
        return idle and (self._is_late() or (self.exhausted and len(self.scores) == len(self.asked)))

    def _is_late(self) -> bool:
        """Whether another trial would not end in the time that there is; the first one is always run."""
        if self.until is None or not self.scores:
            return False
        usual = statistics.median(self.took) if self.took else 0.0
        return time.monotonic() + usual > self.until

    # Questions

    def _ask(self, thinking: ThreadPoolExecutor) -> None:
        """Have the next question answered, if it is wanted and can be: one is kept in store."""
        wanted = len(self.asked) < self.run.plan.trials and len(self.asked) - self.submitted < 1 and not self.exhausted
        if wanted and self.answer is None and len(self.scores) >= self.waits_for:
            self.known = len(self.scores)
            self.answer = thinking.submit(self.asking.next, list(self.asked), list(self.scores))
            self.answer.add_done_callback(lambda _: self.place.wake())  # a worker may be free by then

    def _hear(self, answer: Question | str) -> None:
        self.answer = None
        if isinstance(answer, Question):
            self.run.append("asked", {"trial": len(self.asked), "question": vars(answer)})
            self.asked.append(answer)
        elif answer == DONE:
            self.exhausted = True
        else:
            self.waits_for = self.known + 1  # not one more than is told by now: others ended meanwhile

    # Trials

    def _submit(self) -> None:
        while self.submitted < len(self.asked) and self.submitted - len(self.scores) < self._room():
            if self.submitted not in self.ended:
                if self._is_late():
                    return
                self.began[self.submitted] = time.monotonic()
                self.place.submit(self._job(self.submitted))
            self.submitted += 1

    def _room(self) -> int:
        """How many trials may be under way or ended out of turn: as many as there are workers at work."""
        return self.place.size + len(self.ended)

    def _job(self, number: int) -> Job:
        question, plan = self.asked[number], self.run.plan
        trainings = trainings_of(plan, seed_of(plan, _root(self.asked, number)))
        shortened = question.epochs is not None and question.epochs < self.space.epochs
        trial = Trial(number, question.values, self._epochs(number), trainings, self._state(number), shortened)
        return Job((trial,))

    def _state(self, number: int) -> State | None:
        """Where a trial goes on: where it stood itself, else where its parent ended; None: it begins anew."""
        for one in (number, self.asked[number].parent):
            stored = None if one is None else self.run.state_of(one)
            if stored is not None:
                with suppress(ZooError):
                    return State.unpacked(stored)
        return None

    def _epochs(self, number: int) -> int:
        question = self.asked[number]
        return question.epochs or int(self.run.plan.spec.fill(question.values).train["epochs"])

    def _seen(self, number: int, epoch: Epoch, state: State | None) -> None:
        if state is not None:
            self.run.keep_state(number, state.packed())
        if self.first is None:
            self.first = number, time.monotonic()
        elif not self.expected and (number == self.first[0] or self.place.size == 1):
            self.expected = True
            self._expect(number, time.monotonic() - self.first[1])
        self.watch.epoch(number, epoch, self._epochs(number) * self.run.plan.trainings)

    def _expect(self, number: int, seconds: float) -> None:
        """Say what the study will cost, to the place as well: the second epoch of a worker is like all that follow."""
        epochs, workers = self._epochs(number) * self.run.plan.trainings, self.place.most
        left = (self.run.plan.trials - len(self.scores)) * epochs * seconds
        unit = 1 if sys.platform == "darwin" else 1024
        each = self.workshop.weight_bytes()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit * workers if each else 0
        disk = each * min(KEPT_WEIGHTS + 1, self.run.plan.trials)
        self.place.expect(left)
        whole = left / workers
        if self.until is not None:
            whole = min(whole, max(self.until - time.monotonic(), 0.0))
        self.watch.expects(Cost(epochs * seconds, whole, workers, memory, disk))

    def _ends(self, outcome: Outcome) -> None:
        number = outcome.told.trial
        if outcome.state is not None:
            self.run.keep_state(number, outcome.state.packed())
        self.ended[number] = replace(outcome, state=None)
        if number in self.began:
            self.took.append(self._without_trace(number, time.monotonic() - self.began.pop(number)))
        if number != len(self.scores):
            self.run.set_aside(outcome.told, outcome.weights)

    def _without_trace(self, number: int, seconds: float) -> float:
        """What a trial took, as its later epochs say where its first one held the trace."""
        epochs = self._epochs(number) * self.run.plan.trainings
        if self.first is None or self.first[0] != number or epochs == 1:
            return seconds
        return (time.monotonic() - self.first[1]) * epochs / (epochs - 1)

    def _tell(self) -> None:
        """Tell what has its turn."""
        while (outcome := self.ended.pop(len(self.scores), None)) is not None:
            told = outcome.told
            if told.score is not None:
                self.run.keep_weights(told.trial, outcome.weights)
            self.run.append("told", vars(told))
            self.run.drop_weights()
            self.run.drop_aside(told.trial)
            self.scores.append(told.score)
            self.submitted = max(self.submitted, len(self.scores))
            self.run.drop_states(self._wanted())
            self.watch.told(self.run, told)

    def _wanted(self) -> set[int]:
        """The trials whose states are kept: those that are not told, whom these go on from, and who may be promoted."""
        open_ones = set(range(len(self.scores), len(self.asked)))
        parents = {parent for number in open_ones if (parent := self.asked[number].parent) is not None}
        return open_ones | parents | promotable(self.space, self.asked, self.scores)


def _root(asked: Sequence[Question], number: int) -> int:
    """The trial that a promoted one began as: it has that one's seed, and so goes on where it was, or begins as it."""
    parent = asked[number].parent
    return number if parent is None else _root(asked, parent)
