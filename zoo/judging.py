"""Default against tuned, on the validation part and on the test part, which is opened here and counted."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo import statistics
from zoo.datasets.dataset import Part
from zoo.files import write_atomic, write_json
from zoo.meeting import Plan
from zoo.runs import Again, Run, Told
from zoo.statistics import Difference
from zoo.working import Workshop, seed_of

Evidence = Mapping[str, np.ndarray]

PROBED = 64
"""Raw rows of the test part that are stored with the evidence: an export is verified on them."""


def judge(run: Run, workshop: Workshop, again: Sequence[Again] = ()) -> None:
    """Judge the default and the best trial by their kept weights; write `evidence.npz`, `verdict.json` and the event.

    `again`: trainings of both under fresh seeds, which the difference is then computed from. Does nothing if the study
    was judged with as many trials and seeds. Every opening of the test part is counted.
    """
    plan, best, judged = run.plan, run.best, run.last("judged")
    seeds = len({one.index for one in again})
    if best is None or (judged and (judged["trials"], judged.get("seeds", 0)) == (len(run.told), seeds)):
        return
    default = run.told[0] if run.told[0].score is not None else None
    test = workshop.dataset.test()
    # With folds, the kept weights are those of the first one, and the data's validation part is among what it learned.
    validation = workshop.dataset.folds(plan.folds)[0][1] if plan.folds else workshop.dataset.validation
    parts = {"validation": validation, "test": test}
    evidence: dict[str, dict[str, Evidence]] = {part: {} for part in parts}
    figures: dict[str, dict[str, Any]] = {part: {"naive": None, "default": None, "tuned": None} for part in parts}
    for who, trial in (("default", default), ("tuned", best)):
        if trial is None:
            continue
        built = _loaded(workshop, plan, trial, run.weights(trial.trial))
        for part, rows in parts.items():
            evidence[part][who] = plan.works.evidence(built.pieces, rows)
            figures[part][who] = plan.works.figures(evidence[part][who])
    for part, rows in parts.items():
        naive = plan.works.naive(built.pieces, workshop.dataset.train, rows)
        figures[part]["naive"] = None if naive is None else plan.works.figures(naive)
    some = Part(test.x[:PROBED], None if test.y is None else test.y[:PROBED])
    probe = plan.works.evidence(built.pieces, some)
    pairs = [(evidence["test"]["default"], evidence["test"]["tuned"])] if default else []
    confirmed = None
    if seeds:
        pairs = _pairs(run, workshop, again, test)
        metric = [[plan.works.figures(one)[plan.metric] for one in both] for both in pairs]
        confirmed = {"default": [one[0] for one in metric], "tuned": [one[1] for one in metric]}
    difference = _difference(plan, pairs, seeds) if len(run.told) > 1 and len(test) > 1 else None
    _write_evidence(run, some, {**evidence["test"], "probe": probe})
    result = {
        "trials": len(run.told),
        **figures,
        "seeds": seeds,
        "confirmed": confirmed,
        "difference": None if difference is None else {"metric": plan.metric, **vars(difference)},
        "verdict": _verdict(run, best, default, difference, seeds, len(pairs)),
        "warning": _no_better(plan, figures["test"]),
        "test_openings": (judged["test_openings"] if judged else 0) + 1,
    }
    write_json(run.folder / "verdict.json", result)
    run.append("judged", result)
    run.drop_again({0, best.trial})


def _verdict(run: Run, best: Told, default: Told | None, difference: Difference | None, seeds: int, pairs: int) -> str:
    """What may be said of default and best, for people."""
    if len(run.told) == 1:
        return "One training: nothing was searched, so there is nothing to compare."
    if default is None:
        return "The defaults diverged, so there is nothing to compare with."
    if difference is None:
        return "Nobody can say whether tuning helped: " + (
            "one of each pair of trainings with fresh seeds diverged." if seeds else "the test part has one row."
        )
    said = statistics.sentence(difference, run.plan.metric, best.trial == default.trial)
    return said + (f" {seeds - pairs} of {seeds} seeds are left out: a training diverged." if pairs < seeds else "")


def _no_better(plan: Plan, figures: Mapping[str, Any]) -> str:
    """That somebody who looks at no row answers the test part as well; an empty text if nobody does."""
    naive, tuned = ((figures[who] or {}).get(plan.metric) for who in ("naive", "tuned"))
    if naive is None or tuned is None or np.isnan(naive) or plan.better(tuned, naive):
        return ""
    return f"The network is no better than {plan.works.guess}: {plan.metric} {tuned:.4g} against {naive:.4g}."


def _pairs(run: Run, workshop: Workshop, again: Sequence[Again], test: Part) -> list[tuple[Evidence, Evidence]]:
    """The evidence of default and best for each fresh seed under which both ended."""
    found: list[tuple[Evidence, Evidence]] = []
    for index in sorted({one.index for one in again}):
        both = sorted((one for one in again if one.index == index), key=lambda one: one.trial)  # the default is trial 0
        told = [run.again(one) for one in both]
        if all(one is not None and one["score"] is not None for one in told):
            default, tuned = (
                run.plan.works.evidence(
                    _loaded(workshop, run.plan, run.told[one.trial], run.weights_again(one)).pieces, test
                )
                for one in both
            )
            found.append((default, tuned))
    return found


def _difference(plan: Plan, pairs: Sequence[tuple[Evidence, Evidence]], seeds: int) -> Difference | None:
    """How much better tuned is than default, over the pairs; None without any."""
    if not pairs:
        return None
    used = len(pairs) if seeds else 0
    scores = [[plan.works.rows(one, plan.metric) for one in both] for both in pairs]
    if all(one is not None for both in scores for one in both):
        default, tuned = (np.stack([both[which] for both in scores]) for which in (0, 1))  # type: ignore[misc]
        return statistics.paired(default, tuned, plan.direction, used)
    rows = len(next(iter(pairs[0][0].values())))

    def gain(training: int, some: np.ndarray) -> float:
        figures = []
        for one in pairs[training]:
            try:
                figures.append(plan.works.figures({key: array[some] for key, array in one.items()})[plan.metric])
            except ValueError:  # no figure of these rows, such as the area under a curve of one class
                return float("nan")
        return figures[1] - figures[0]

    return statistics.of_figures(gain, rows, plan.direction, len(pairs), used)


def _loaded(workshop: Workshop, plan: Plan, trial: Told, weights: Mapping[str, np.ndarray]) -> Any:
    built, _ = workshop.bench(trial.values, seed_of(plan, trial.trial))
    built.load(weights)
    return built


def _write_evidence(run: Run, some: Part, evidence: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    content = io.BytesIO()
    arrays: dict[str, Any] = {f"{who}_{key}": array for who, found in evidence.items() for key, array in found.items()}
    arrays |= {"x": some.x} | ({} if some.y is None else {"y": some.y})
    np.savez_compressed(content, **arrays)
    write_atomic(run.folder / "evidence.npz", content.getvalue())
