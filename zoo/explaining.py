"""What a study says to people: its best values at an edge, overfitting, noise, and which range matters.

Everything is read from the journal; nothing is run. What cannot be said from it is not said.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from zoo.errors import joined
from zoo.language.expressions import words_of
from zoo.language.ranges import Range
from zoo.runs import Run, Told

SETTLED = 500
"""After so many steps the averages of batch normalisation, of momentum 0.99, have forgotten how they began."""

EDGE = 0.04
"""So near to an end of the unit interval lies an edge."""

AFTERWARDS = 3
"""So many epochs must follow the best one before it is said that a trial got worse."""

USUAL = 2.5
"""So many standard deviations of the changes between epochs: of scores that only jitter, it is said in 3 of 100."""

FEWEST = 12
"""Trials from which on it can be asked which range matters."""

EXPLAINED = 0.2
"""So much of the scores' variance must values explain on trials that were left out, or nothing is said of them."""


def why(run: Run) -> list[str]:
    """Sentences on a study, the most pressing first. Raises nothing: of a study without a result one says so."""
    scored = [one for one in run.told if one.score is not None]
    found = list(_failures(run))
    if run.best is None or not scored:
        return found or ["No trial has ended yet."]
    noise = _noise(run, run.best)
    found += _edges(run, run.best)
    found += _course(run, run.best, noise)
    found += _spread(run, scored, noise)
    found += _importance(run, scored)
    judged = run.last("judged") or {}
    return [*found, *(str(judged[key]) for key in ("verdict", "warning") if judged.get(key))]


def _failures(run: Run) -> Iterator[str]:
    lost = [one for one in run.told if one.score is None]
    if lost:
        yield f"{len(lost)} of {len(run.told)} trials diverged, trial {lost[0].trial} first: {lost[0].reason}."


def _edges(run: Run, best: Told) -> Iterator[str]:
    """The best values that lie at an end of their range: the best may lie beyond it."""
    for name, one in run.plan.spec.ranges().items():
        value = best.values[name]
        if one.values or len(run.told) < 3 or (one.zero and value == 0):
            continue
        ends = {"lower": one.min_value, "upper": one.max_value}
        near = {"lower": _from_the_end(one, value), "upper": 1 - one.to_unit(value)}
        for which, end in ends.items():
            if near[which] <= EDGE and not (which == "lower" and (one.zero or one.min_value == 0)):
                yield (
                    f"The best `{name}` ({value:.3g}) lies at the {which} edge of its range ({end:g}): "
                    "a wider one may hold a better."
                )


def _from_the_end(one: Range, value: float) -> float:
    """How far a value lies from the lower end, in the unit interval."""
    return one.to_unit(value) - (one.to_unit(one.min_value) if one.min_value is not None else 0.0)


def _course(run: Run, best: Told, noise: float) -> Iterator[str]:
    """Whether the best trial got worse after its best epoch, or was still getting better at its last.

    The best of several epochs is better than the others by chance alone. It got worse if the median of what followed
    lies farther below than epochs usually move, and by more than the rows of the validation part can tell.
    """
    scores = [epoch[run.plan.objective] for epoch in best.epochs]
    if len(scores) < 3 or best.best_epoch is None:
        return
    at, last = best.best_epoch, len(scores)
    if at == last:
        yield f"Trial {best.trial} was best in its last epoch, {last}: more epochs may do better (--epochs)."
        return
    losses = [epoch.get("loss", math.nan) for epoch in best.epochs]
    then, later = scores[at - 1], float(np.median(scores[at:]))
    lost = then - later if run.plan.direction == "max" else later - then
    if last - at < AFTERWARDS:
        return
    jitter = float(np.std(np.diff(scores[at - 1 :]), ddof=1))
    if lost <= max(noise, 0.01 * abs(then), USUAL * jitter):
        return
    falls = float(np.median(losses[at:])) < losses[at - 1]
    yield (
        f"Trial {best.trial} {'overfits' if falls else 'gets worse'} from epoch {at} on: {run.plan.objective} was "
        f"{then:.4g} then, and {later:.4g} in the median of the {last - at} epochs that followed"
        + (", while the loss fell on." if falls else ".")
        + _lagging(run, best)
    )


def _lagging(run: Run, best: Told) -> str:
    """That moving averages which lag behind look like overfitting, where that may be; else an empty text."""
    spec = run.plan.spec.fill(best.values)
    batch = spec.train["batch_size"]
    if not isinstance(batch, int):  # an expression
        return ""
    steps = math.ceil(run.plan.description.rows.get("train", 1) / batch) * len(best.epochs)
    if steps >= SETTLED or "BatchNormalization" not in words_of(spec.data):
        return ""
    return (
        f" But in {steps} steps the moving averages of its BatchNormalization may lag behind, which looks the same: "
        "more epochs, smaller batches or `momentum: 0.9` tell."
    )


def _noise(run: Run, best: Told) -> float:
    """The standard error of a score: by its trainings where there are several, else by the rows of an accuracy."""
    scores = np.array([one.scores for one in run.told if one.scores])
    if len(scores) > 1:  # less what a fold does to every trial alike
        rest = scores - scores.mean(axis=0) - scores.mean(axis=1, keepdims=True) + scores.mean()
        return math.sqrt(float((rest**2).sum()) / ((len(scores) - 1) * (scores.shape[1] - 1)) / scores.shape[1])
    rows = run.plan.description.rows.get("validation", 0)
    if run.plan.metric != "accuracy" or not rows or best.score is None:
        return 0.0
    return math.sqrt(max(best.score * (1 - best.score), 1 / rows) / rows)


def _spread(run: Run, scored: list[Told], noise: float) -> Iterator[str]:
    """How many trials cannot be told from the best by the rows of the validation part."""
    best = run.best
    if not noise or best is None or best.score is None or len(scored) < 3:
        return
    alike = [one for one in scored if one.score is not None and abs(best.score - one.score) <= 2 * noise]
    several = f"{run.plan.trainings} trainings each"
    rows = several if run.plan.trainings > 1 else f"{run.plan.description.rows['validation']:,} rows"
    if len(alike) == len(scored):
        yield (
            f"All {len(scored)} trials lie within noise: their scores differ by less than two standard errors "
            f"({2 * noise:.3g}) of {rows}."
        )
    elif len(alike) > 1:
        yield (
            f"{len(alike) - 1} of the other {len(scored) - 1} trials cannot be told from the best: they lie within two "
            f"standard errors ({2 * noise:.3g}) of {rows}."
        )


def _importance(run: Run, scored: list[Told]) -> Iterator[str]:
    """Which ranges the scores follow: permutation importance (Breiman 2001, section 10) in a forest of trees."""
    ranges = run.plan.spec.ranges()
    if len(scored) < FEWEST or not ranges:
        return
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.inspection import permutation_importance
    from sklearn.model_selection import cross_val_predict

    x = np.array([[one.to_unit(trial.values[name]) for name, one in ranges.items()] for trial in scored])
    y = np.array([trial.score for trial in scored], "float64")
    if np.ptp(y) == 0:
        return
    y = np.argsort(np.argsort(y, kind="stable"), kind="stable").astype("float64")  # ranks: one bad trial is one trial
    forest = ExtraTreesRegressor(200, min_samples_leaf=2, random_state=0)
    left_out = cross_val_predict(forest, x, y, cv=min(10, len(y)))
    explained = 1 - float(((y - left_out) ** 2).sum() / ((y - y.mean()) ** 2).sum())
    if explained < EXPLAINED:
        yield f"What was searched, {joined(ranges)}, does not explain the scores of {len(scored)} trials."
        return
    shares = permutation_importance(forest.fit(x, y), x, y, n_repeats=20, random_state=0).importances_mean
    shares = np.maximum(shares, 0) / max(float(np.maximum(shares, 0).sum()), 1e-12)
    matter = [name for name, share in zip(ranges, shares, strict=True) if share >= 0.2]
    hardly = [name for name, share in zip(ranges, shares, strict=True) if share < 0.05]
    said = ", ".join(f"`{name}` {share:.0%}" for name, share in zip(ranges, shares, strict=True))
    yield (
        f"{joined(matter)} matter{'s' * (len(matter) == 1)}"
        + (f", {joined(hardly)} hardly do{'es' * (len(hardly) == 1)}" if hardly else "")
        + f" (shares of what the ranges explain: {said})."
    )
