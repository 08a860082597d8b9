"""A study from its plan to a finished journal: ask, run, tell in the order of the numbers, judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from zoo.errors import ZooError
from zoo.judging import judge
from zoo.oracles import DONE, Question, Space, suggest
from zoo.runs import Run, Told
from zoo.training.engine import Epoch
from zoo.working import Job, Outcome, Workshop, seed_of


class Watch:
    """Who wants to see a study go on; all of its methods may be left as they are."""

    def starting(self) -> None:
        """Spec and data fit; TensorFlow is about to be loaded."""

    def began(self, run: Run) -> None:
        """The study was opened, new or with what is in its journal."""

    def epoch(self, trial: int, epoch: Epoch, epochs: int) -> None:
        """A trial ended an epoch of so many."""

    def told(self, run: Run, told: Told) -> None:
        """A trial ended."""

    def judging(self, run: Run) -> None:
        """All trials ended; the test part is about to be opened."""


def tune(run: Run, workshop: Workshop, watch: Watch) -> None:
    """Run what is left of a study. May be stopped at any moment: what is in the journal stays, the rest is done again.

    The next question is answered on a thread of its own while a trial trains. Raises `ZooError` if all trials diverge.
    """
    plan = run.plan
    space = _space(run)
    watch.began(run)
    asked = [Question(**payload["question"]) for payload in run.asked]
    scores = [one.score for one in run.told]
    pool = ThreadPoolExecutor(1, thread_name_prefix="oracle")
    try:
        while len(scores) < plan.trials:
            if len(scores) == len(asked):
                question = suggest(space, asked, scores)
                if not isinstance(question, Question):
                    assert question == DONE, "a question waits for results, and all are told"
                    break
                _record(run, asked, question)
            wanted = len(asked) < plan.trials
            following = pool.submit(suggest, space, list(asked), list(scores)) if wanted else None
            outcome = _run(run, workshop, asked, len(scores), watch)
            scores.append(outcome.told.score)
            watch.told(run, outcome.told)
            question = following.result() if following else DONE
            if isinstance(question, Question):
                _record(run, asked, question)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    if run.best is None:
        raise ZooError(f"every trial diverged; the first because {run.told[0].reason}; try a lower learning rate")
    watch.judging(run)
    judge(run, workshop)


def _space(run: Run) -> Space:
    plan = run.plan
    epochs = plan.spec.fill().train["epochs"]
    return Space(plan.spec.ranges(), plan.oracle, plan.direction, plan.trials, epochs, plan.seed, plan.ahead)


def _record(run: Run, asked: list[Question], question: Question) -> None:
    run.append("asked", {"trial": len(asked), "question": vars(question)})
    asked.append(question)


def _run(run: Run, workshop: Workshop, asked: Sequence[Question], number: int, watch: Watch) -> Outcome:
    question = asked[number]
    epochs = question.epochs or run.plan.spec.fill(question.values).train["epochs"]
    seed = seed_of(run.plan, _root(asked, number))
    see: Callable[[int, Epoch], None] = lambda trial, epoch: watch.epoch(trial, epoch, epochs)  # noqa: E731
    outcome = workshop.work(Job((number,), (question.values,), (seed,), (epochs,)), see)[0]
    if outcome.told.score is not None:
        run.keep_weights(number, outcome.weights)
    run.append("told", vars(outcome.told))
    run.drop_weights()
    return outcome


def _root(asked: Sequence[Question], number: int) -> int:
    """The trial that a promoted one began as: it is run again from that one's seed, to more epochs, and so goes on."""
    parent = asked[number].parent
    return number if parent is None else _root(asked, parent)
