"""What to try next, asked of keras-tuner's oracles: a pure function of space, seed, number, and what was told.

An oracle's own saved state cannot be trusted (after a reload it hands out old trials again, or dies), so none is
written: a fresh oracle is made and the journal's questions and answers are replayed into it.
keras-tuner sees the unit interval; the ranges' own maps give the values. The private names of keras-tuner that this
needs are touched in this room alone, and a contract test holds them.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.errors import ZooError, listed, nearest
from zoo.language.ranges import ZERO_SHARE, Range
from zoo.seeding import derive

NO_LIMIT = 10**9
MANY_POINTS = 64
"""A range of more values than this is asked for as an interval and snapped."""


@dataclass(frozen=True)
class Question:
    """A trial to run: its values, how many epochs (None: all), and what the oracle must see again when replayed."""

    values: Mapping[str, Any]
    epochs: int | None
    parent: int | None
    unit: Mapping[str, Any]


@dataclass(frozen=True)
class Space:
    """What is searched, by which oracle, and how: all that stays the same between the questions of a study."""

    ranges: Mapping[str, Range]
    oracle: str
    direction: str
    trials: int
    epochs: int
    seed: int
    ahead: int


WAIT, DONE = "wait", "done"
"""Instead of a question: a result must be told first; the space is exhausted."""


def suggest(space: Space, asked: Sequence[Question], told: Sequence[float | None]) -> Question | str:
    """The next question, number `len(asked)`, or WAIT, or DONE.

    `told` are the results in the order of their numbers, None for a trial that diverged. Of them trial k knows
    0 .. k - `ahead`, whatever else is there; only where the oracle can ask nothing without the next result (Hyperband
    before a promotion, the grid always) is that result told too. So the answer does not depend on who finished first.
    """
    asking = Asking(space)
    try:
        return asking.next(asked, told)
    finally:
        asking.close()


class Asking:
    """Questions of a study one after another, each what `suggest` gives; the oracle goes on from the one before.

    Where what was asked and told is not what this oracle saw, and after a WAIT, it is made anew.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.baseline = _baselines(space)
        self.first = 0 if space.oracle == "bayesian" else len(self.baseline)
        self._replay: _Replay | None = None
        self._units: list[Mapping[str, Any]] = []

    def next(self, asked: Sequence[Question], told: Sequence[float | None]) -> Question | str:
        """The next question, or WAIT, or DONE: see `suggest`."""
        number = len(asked)
        if not self.space.ranges:
            return Question({}, None, None, {}) if number == 0 else DONE
        if number < len(self.baseline):
            return _asked(self.space, self.baseline[number])
        from threadpoolctl import threadpool_limits

        # One thread: matrices of twenty rows gain nothing from more, and these would be taken from the trials.
        with warnings.catch_warnings(), threadpool_limits(limits=1, user_api="blas"):
            warnings.simplefilter("ignore")  # the Gaussian process warns of bounds that nobody can act on
            unit = self._unit(asked, told)
        if isinstance(unit, str):
            self.close()
            return unit
        return _asked(self.space, unit, len(self.baseline))

    def _unit(self, asked: Sequence[Question], told: Sequence[float | None]) -> Mapping[str, Any] | str:
        """The oracle's own values for the next question, or WAIT, or DONE."""
        first, replay = self.first, self._at(asked, told)
        for k in range(first + len(self._units), len(asked) + 1):
            replay.reseed(k)
            while first + replay.told <= k - self.space.ahead:
                if first + replay.told >= len(told):
                    return WAIT
                replay.tell(told[first + replay.told])
            recorded = asked[k].unit if k < len(asked) else None
            unit = replay.ask(recorded if self.space.oracle == "bayesian" else None)
            while unit == "IDLE":
                if first + replay.told >= min(len(told), k):
                    return WAIT
                replay.tell(told[first + replay.told])
                unit = replay.ask(None)
            if unit == "STOPPED":
                return DONE
            if recorded is not None and dict(unit) != dict(recorded):
                raise ZooError(
                    f"the journal's trial {k} is not what this keras-tuner suggests; expected its version at the start"
                )
            self._units.append(unit)
        return self._units[-1]

    def _at(self, asked: Sequence[Question], told: Sequence[float | None]) -> _Replay:
        """The oracle after the questions that it was asked; a new one, if these are others, or it was told others."""
        before = [one.unit for one in asked[self.first : self.first + len(self._units)]]
        if self._replay is not None:
            heard = list(told[self.first : self.first + self._replay.told])
            if before != self._units or heard != self._replay.heard:
                self.close()
        if self._replay is None:
            self._replay = _Replay(self.space)
        return self._replay

    def close(self) -> None:
        """Let the oracle go."""
        if self._replay is not None:
            self._replay.close()
        self._replay, self._units = None, []


def promotable(space: Space, asked: Sequence[Question], told: Sequence[float | None]) -> frozenset[int]:
    """The trials that are told and that a question to come may promote; as `suggest` would, so that none is missing.

    Of a round of Hyperband's these are the best, as many as the next round has places left, among the results that the
    next question knows; and all whose results it does not know yet.
    """
    if space.oracle != "hyperband" or len(asked) >= space.trials:
        return frozenset()
    replay = _Replay(space)
    replay.close()
    size = replay.oracle._get_size
    rounds: dict[tuple[int, int, int], list[int]] = {}
    last, begun = (0, -1), {}  # of each trial its bracket: how many began before, and keras-tuner's number of it
    for number, question in enumerate(asked):
        if "tuner/round" not in question.unit:
            continue
        if question.parent is None:  # a bracket begins when the one before it has all its first trials
            if question.unit["tuner/bracket"] != last[1]:
                last = last[0] + 1, question.unit["tuner/bracket"]
            begun[number] = last
        else:
            begun[number] = begun[question.parent]
        rounds.setdefault((*begun[number], question.unit["tuner/round"]), []).append(number)
    promoted = {question.parent for question in asked}
    known = len(asked) - space.ahead + 1
    found: set[int] = set()
    for (_, bracket, rung), members in rounds.items():
        left = [one for one in members if one not in promoted and one < len(told)]
        if rung < bracket and (places := size(bracket, rung + 1) - len(promoted.intersection(members))) > 0:
            scores = {one: score for one in left if one < known and (score := told[one]) is not None}
            ranked = sorted(scores, key=scores.__getitem__, reverse=space.direction == "max")
            found.update(ranked[:places], (one for one in left if one >= known))
    return frozenset(found)


def check(oracle: str, ranges: Mapping[str, Range] | None = None, trials: int = 0, epochs: int = 0) -> None:
    """Raise `ZooError` for an oracle that there is not, or that cannot search the ranges in so few trials or epochs."""
    if oracle not in ORACLES:
        hint = nearest(oracle, ORACLES)
        raise ZooError(
            f"no oracle `{oracle}`; expected one of {listed(ORACLES)}" + (f"; did you mean `{hint}`?" if hint else "")
        )
    if oracle == "hyperband" and ranges and epochs < 3:
        raise ZooError(
            f"hyperband shares epochs out among trials, and a trial has {epochs}; expected 3 or more: --epochs"
        )
    if oracle == "grid" and ranges and trials > 1 and trials - 1 < _fewest(ranges):
        raise ZooError(
            f"the smallest grid of {listed(ranges)} has {_fewest(ranges):,} points beside the defaults; expected "
            f"--trials {_fewest(ranges) + 1} or more, or another oracle"
        )


def _fewest(ranges: Mapping[str, Range]) -> int:
    """The points of the smallest grid: two for each range that cannot be counted, all for those that can."""
    return math.prod(len(one.points) or 2 for one in ranges.values())


def _baselines(space: Space) -> list[dict[str, float]]:
    """What every study tries first: the defaults, then the defaults with 0 where a range says `zero: true`."""
    default = {name: one.to_unit(one.default) for name, one in space.ranges.items()}
    nothing = {name: one.to_unit(0) for name, one in space.ranges.items() if one.zero and one.default != 0}
    with_zero = [{**default, **nothing}] if nothing and space.oracle != "grid" else []  # a grid holds 0 by itself
    return [default, *with_zero]


def _asked(space: Space, unit: Mapping[str, Any], before: int = 0) -> Question:
    """A question from the oracle's values; Hyperband's own words among them say how long, and which trial goes on."""
    values = {name: one.from_unit(unit[name]) for name, one in space.ranges.items()}
    default = {name: one.to_unit(one.default) for name, one in space.ranges.items()}
    exact = {name: space.ranges[name].default for name in values if unit[name] == default[name]}
    parent = unit.get("tuner/trial_id")
    return Question(
        {**values, **exact}, unit.get("tuner/epochs"), None if parent is None else int(parent) + before, dict(unit)
    )


def _parameters(space: Space) -> Any:
    """The space as keras-tuner sees it: each range a place in the unit interval."""
    import keras_tuner

    parameters = keras_tuner.HyperParameters()
    continuous = [name for name, one in space.ranges.items() if not one.points]
    finite = math.prod(len(one.points) for one in space.ranges.values() if one.points)
    per_range = max(2, math.floor(((space.trials - 1) / finite) ** (1 / max(len(continuous), 1)) + 1e-9))
    for name, one in space.ranges.items():
        if space.oracle == "grid" and (not one.points):
            low = [ZERO_SHARE / 2] if one.zero else []
            begin = ZERO_SHARE if one.zero else 0.0
            count = max(per_range - len(low), 1)
            places = [index / (count - 1) for index in range(count)] if count > 1 else [0.5]
            steps = [begin + (1 - begin) * place for place in places]
            parameters.Choice(name, low + steps, default=(low + steps)[0])
        elif one.points and (space.oracle == "grid" or len(one.points) <= MANY_POINTS):
            parameters.Choice(name, [one.to_unit(value) for value in one.points], default=one.to_unit(one.default))
        else:
            parameters.Float(name, 0.0, 1.0, default=one.to_unit(one.default))
    return parameters


def _random(space: Space, **common: Any) -> Any:
    import keras_tuner

    return keras_tuner.oracles.RandomSearchOracle(max_trials=NO_LIMIT, **common)


def _grid(space: Space, **common: Any) -> Any:
    import keras_tuner

    return keras_tuner.oracles.GridSearchOracle(max_trials=NO_LIMIT, **common)


def _bayesian(space: Space, **common: Any) -> Any:
    import keras_tuner

    return keras_tuner.oracles.BayesianOptimizationOracle(max_trials=NO_LIMIT, **common)


def _hyperband(space: Space, **common: Any) -> Any:
    import keras_tuner

    return keras_tuner.oracles.HyperbandOracle(
        max_epochs=space.epochs, factor=3, hyperband_iterations=NO_LIMIT, **common
    )


ORACLES: dict[str, Callable[..., Any]] = {
    "random": _random,
    "grid": _grid,
    "bayesian": _bayesian,
    "hyperband": _hyperband,
}
"""keras-tuner's oracles by name. One row adds one."""


@functools.cache
def _surrogate() -> type:
    """Keras-tuner's Gaussian process, with answers that do not check their one point anew each of a thousand times.

    A question asks it for mean and deviation (Rasmussen & Williams 2006, eq. 2.25 and 2.26) under a Matern kernel of
    nu 2.5 (eq. 4.17), the only one that keras-tuner makes; scikit-learn's checks cost ten times the arithmetic.
    """
    from scipy.linalg import solve_triangular
    from scipy.spatial.distance import cdist
    from sklearn.gaussian_process import GaussianProcessRegressor

    class Surrogate(GaussianProcessRegressor):
        def predict(self, X: Any, return_std: bool = False, return_cov: bool = False) -> Any:
            if return_cov or not hasattr(self, "L_"):
                return super().predict(X, return_std=return_std, return_cov=return_cov)
            length = self.kernel_.length_scale
            far = math.sqrt(5) * cdist(np.asarray(X) / length, self.X_train_ / length)
            covariance = (1 + far + far**2 / 3) * np.exp(-far)
            mean = covariance @ self.alpha_ * self._y_train_std + self._y_train_mean
            if not return_std:
                return mean
            known = solve_triangular(self.L_, covariance.T, lower=True, check_finite=False)
            return mean, np.sqrt(np.maximum(1 - (known**2).sum(axis=0), 0)) * self._y_train_std

    return Surrogate


class _Replay:
    """A fresh oracle of keras-tuner, with nothing saved and nothing printed, whose every step is seeded anew."""

    def __init__(self, space: Space) -> None:
        import keras_tuner

        self.space, self.told = space, 0
        self.heard: list[float | None] = []
        self.oracle = ORACLES[space.oracle](
            space,
            objective=keras_tuner.Objective("score", space.direction),
            hyperparameters=_parameters(space),
            seed=derive(space.seed, "oracle"),  # 0 would mean random to keras-tuner; a hash of ours is never 0
            max_consecutive_failed_trials=NO_LIMIT,
        )
        self.oracle.verbose = 0
        self.oracle.save = lambda: None
        self.oracle._save_trial = lambda trial: None
        self.suggests = self.oracle.populate_space
        self.trials: list[Any] = []
        self.scores: list[float] = []

    def reseed(self, number: int) -> None:
        """Make what follows depend on the study's seed and the trial's number alone."""
        seed = derive(self.space.seed, number)
        self.oracle._seed_state = seed
        if self.space.oracle == "bayesian":
            self.oracle._random_state = np.random.RandomState(seed)
            self.oracle.gpr = _surrogate()(**self.oracle._make_gpr().get_params(deep=False))

    def ask(self, recorded: Mapping[str, Any] | None) -> Any:
        """The oracle's values, IDLE or STOPPED; a recorded answer is given back instead of being computed again."""
        if recorded is None:
            self.oracle.populate_space = self.suggests
            self._foresee()
        else:
            self.oracle.populate_space = lambda trial_id: {"status": "RUNNING", "values": dict(recorded)}
        # Each asker may hold one trial at a time, so every question comes from an asker of its own.
        trial = self.oracle.create_trial(f"asker {len(self.trials)} {self.told}")
        if trial.status != "RUNNING":
            return trial.status
        self.trials.append(trial)
        return dict(trial.hyperparameters.values)

    def _foresee(self) -> None:
        """Fit the Gaussian process to finished trials first: unfinished ones are then given its pessimistic guess."""
        oracle = self.oracle
        finished = {key: trial for key, trial in oracle.trials.items() if trial.status == "COMPLETED"}
        if self.space.oracle == "bayesian" and oracle.ongoing_trials and finished:
            ongoing, everything = oracle.ongoing_trials, oracle.trials
            oracle.ongoing_trials, oracle.trials = {}, finished
            oracle.gpr.fit(*oracle._vectorize_trials())
            oracle.ongoing_trials, oracle.trials = ongoing, everything

    def tell(self, score: float | None) -> None:
        """Tell the next result. A diverged trial counts as the worst so far, so that its region is not tried again."""
        trial = self.trials[self.told]
        self.told += 1
        self.heard.append(score)
        worst = min if self.space.direction == "max" else max
        if score is None and self.scores:
            score = worst(self.scores)
        if score is None:
            trial.status = "FAILED"
        else:
            self.scores.append(score)
            self.oracle.update_trial(trial.trial_id, {"score": score})
            trial.status = "COMPLETED"
        self.oracle.end_trial(trial)

    def close(self) -> None:
        """Let the oracle go: keras-tuner keeps every oracle it ever locked."""
        from keras_tuner.src.engine import oracle as engine

        engine.LOCKS.pop(self.oracle, None)
        engine.THREADS.pop(self.oracle, None)
