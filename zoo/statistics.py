"""Whether a difference is more than noise: an interval by the bootstrap, and one sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from zoo.errors import ZooError

LEVEL, RESAMPLES = 0.95, 9999
RESAMPLES_OF_FIGURES = 499
"""Resamples where each must compute a figure of all rows anew, which takes milliseconds."""


@dataclass(frozen=True)
class Difference:
    """How much better tuned is than default: the mean over rows and seeds, and its interval. Above 0 is better.

    `seeds` fresh seeds under which both were trained; 0: each was trained once, under a seed of its own.
    """

    estimate: float
    low: float
    high: float
    rows: int
    seeds: int = 0

    @property
    def helped(self) -> bool | None:
        """True or False where the interval says so, None where nobody can say."""
        return True if self.low > 0 else False if self.high < 0 else None


def paired(default: np.ndarray, tuned: np.ndarray, direction: str, seeds: int = 0) -> Difference:
    """The difference of two sets of scores of the same rows, (rows,) or (seeds, rows), by resampling rows and seeds.

    Percentile bootstrap (Efron & Tibshirani 1993, chapter 13), 9,999 resamples from a fixed seed, level 0.95. Seeds and
    rows are resampled independently of one another (the pigeonhole bootstrap, Owen 2007).
    """
    default, tuned = np.atleast_2d(default), np.atleast_2d(tuned)
    rows = default.shape[1]
    if default.shape != tuned.shape or rows < 2:
        wrong = f"{default.shape[1]} and {tuned.shape[1]} scores"
        raise ZooError(f"{wrong}; expected two or more rows, the same on both sides")
    gain = (tuned - default) * (1 if direction == "max" else -1)
    if np.ptp(gain) == 0:
        return Difference(float(gain[0, 0]), float(gain[0, 0]), float(gain[0, 0]), rows, seeds)
    if len(gain) == 1:
        return Difference(float(gain.mean()), *interval(gain[0]), rows, seeds)
    random, means = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        some = gain[random.integers(len(gain), size=len(gain))].mean(axis=0)
        means.append(some[random.integers(rows, size=rows)].mean())
    return _difference(float(gain.mean()), means, rows, seeds)


def interval(rows: np.ndarray) -> tuple[float, float]:
    """The interval of the mean of some rows' scores, as in `paired`."""
    if len(rows) < 2 or np.ptp(rows) == 0:
        return float(rows[0]), float(rows[0])
    from scipy.stats import bootstrap

    found = bootstrap(
        (rows,), np.mean, n_resamples=RESAMPLES, confidence_level=LEVEL, method="percentile", batch=256, rng=0
    ).confidence_interval  # fmt: skip
    return float(found.low), float(found.high)


def of_figures(
    gain: Callable[[int, np.ndarray], float], rows: int, direction: str, trainings: int = 1, seeds: int = 0
) -> Difference:
    """The difference where a figure is no mean over rows: `gain(training, rows)` is tuned less default on some rows.

    As `paired`, with 499 resamples; those on which a figure is not defined are left out.
    """
    sign = 1 if direction == "max" else -1
    random, means = np.random.default_rng(0), []
    for _ in range(RESAMPLES_OF_FIGURES):
        some = random.integers(rows, size=rows)
        drawn = random.integers(trainings, size=trainings)
        means.append(sign * float(np.mean([gain(one, some) for one in drawn])))
    everything = np.arange(rows)
    estimate = sign * float(np.mean([gain(one, everything) for one in range(trainings)]))
    return _difference(estimate, [one for one in means if np.isfinite(one)] or [estimate], rows, seeds)


def _difference(estimate: float, means: Sequence[float], rows: int, seeds: int) -> Difference:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return Difference(estimate, float(low), float(high), rows, seeds)


def sentence(difference: Difference, metric: str, same: bool) -> str:
    """What may be said of the difference, for people."""
    if same:
        return "The best trial is the defaults themselves: tuning found nothing better on the validation part."
    says = {True: "Tuning helped", False: "Tuning did harm", None: "Nobody can say whether tuning helped"}
    sign, word = (1, "better") if difference.estimate >= 0 else (-1, "worse")
    fresh = f"{difference.seeds} fresh seed" + "s" * (difference.seeds > 1)
    seeds = fresh if difference.seeds else "one seed"
    low, high = difference.low + 0.0, difference.high + 0.0  # no minus before 0
    change = f"is {word} by {sign * difference.estimate:.4g}" if difference.estimate else "is the same"
    alone = difference.helped is not None and not difference.seeds  # whose luck the interval does not know
    return (
        f"{says[difference.helped]}{', in one training of each' if alone else ''}: {metric} {change} "
        f"(95 % interval {low:+.4g} to {high:+.4g}; on {difference.rows:,} untouched rows, {seeds})"
        f"{'; whether other seeds agree, `--confirm 3` tells.' if alone else '.'}"
    )
