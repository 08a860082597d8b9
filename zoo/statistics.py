"""Whether a difference is more than noise: an interval by the bootstrap, and one sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.errors import ZooError

LEVEL, RESAMPLES = 0.95, 9999


@dataclass(frozen=True)
class Difference:
    """How much better tuned is than default: the mean over paired rows, and its interval. Above 0 is better."""

    estimate: float
    low: float
    high: float
    rows: int

    @property
    def helped(self) -> bool | None:
        """True or False where the interval says so, None where nobody can say."""
        return True if self.low > 0 else False if self.high < 0 else None


def paired(default: np.ndarray, tuned: np.ndarray, direction: str) -> Difference:
    """The difference of two sets of scores of the same rows, by resampling rows.

    Percentile bootstrap (Efron & Tibshirani 1993, chapter 13), 9,999 resamples from a fixed seed, level 0.95.
    """
    if len(default) != len(tuned) or len(default) < 2:
        raise ZooError(f"{len(default)} and {len(tuned)} scores; expected two or more rows, the same on both sides")
    gain = (tuned - default) * (1 if direction == "max" else -1)
    if np.ptp(gain) == 0:
        return Difference(float(gain[0]), float(gain[0]), float(gain[0]), len(gain))
    from scipy.stats import bootstrap

    found = bootstrap(
        (gain,), np.mean, n_resamples=RESAMPLES, confidence_level=LEVEL, method="percentile", batch=256, rng=0
    ).confidence_interval  # fmt: skip
    return Difference(float(gain.mean()), float(found.low), float(found.high), len(gain))


def sentence(difference: Difference, metric: str, same: bool) -> str:
    """What may be said of the difference, for people."""
    if same:
        return "The best trial is the defaults themselves: tuning found nothing better on the validation part."
    says = {True: "Tuning helped", False: "Tuning did harm", None: "Nobody can say whether tuning helped"}
    sign, word = (1, "better") if difference.estimate >= 0 else (-1, "worse")
    low, high = difference.low + 0.0, difference.high + 0.0  # no minus before 0
    change = f"is {word} by {sign * difference.estimate:.4g}" if difference.estimate else "is the same"
    return (
        f"{says[difference.helped]}: {metric} {change} "
        f"(95 % interval {low:+.4g} to {high:+.4g}; on {difference.rows:,} untouched rows, one seed)."
    )
