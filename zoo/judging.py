"""Default against tuned, on the validation part and on the test part, which is opened here and counted."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo import statistics
from zoo.datasets.dataset import Part
from zoo.files import write_atomic, write_json
from zoo.runs import Run, Told
from zoo.working import Workshop, seed_of

PROBED = 64
"""Raw rows of the test part that are stored with the evidence: an export is verified on them."""


def judge(run: Run, workshop: Workshop) -> None:
    """Judge the default and the best trial by their kept weights; write `evidence.npz`, `verdict.json` and the event.

    Does nothing if the study was judged with as many trials. Every opening of the test part is counted.
    """
    plan, best, judged = run.plan, run.best, run.last("judged")
    if best is None or (judged is not None and judged["trials"] == len(run.told)):
        return
    first = run.told[0]
    default = first if first.score is not None else None
    test = workshop.dataset.test()
    parts = {"validation": workshop.dataset.validation, "test": test}
    evidence: dict[str, dict[str, Mapping[str, np.ndarray]]] = {part: {} for part in parts}
    figures: dict[str, dict[str, Any]] = {part: {"default": None, "tuned": None} for part in parts}
    for who, trial in (("default", default), ("tuned", best)):
        if trial is None:
            continue
        built = _loaded(run, workshop, trial)
        for part, rows in parts.items():
            evidence[part][who] = plan.works.evidence(built.pieces, rows)
            figures[part][who] = plan.works.figures(evidence[part][who])
    difference, verdict = None, "The defaults diverged, so there is nothing to compare with."
    if default is not None and len(run.told) > 1:
        scores = [plan.works.rows(evidence["test"][who], plan.metric) for who in ("default", "tuned")]
        if scores[0] is not None and scores[1] is not None and len(test) > 1:
            difference = statistics.paired(scores[0], scores[1], plan.direction)
            verdict = statistics.sentence(difference, plan.metric, best.trial == first.trial)
    if len(run.told) == 1:
        verdict = "One training: nothing was searched, so there is nothing to compare."
    some = Part(test.x[:PROBED], None if test.y is None else test.y[:PROBED])
    _write_evidence(run, some, {**evidence["test"], "probe": plan.works.evidence(built.pieces, some)})
    openings = (judged["test_openings"] if judged else 0) + 1
    result = {
        "trials": len(run.told),
        **figures,
        "difference": None if difference is None else {"metric": plan.metric, **vars(difference)},
        "verdict": verdict,
        "test_openings": openings,
    }
    write_json(run.folder / "verdict.json", result)
    run.append("judged", result)


def _loaded(run: Run, workshop: Workshop, trial: Told) -> Any:
    built, _ = workshop.bench(trial.values, seed_of(run.plan, trial.trial))
    built.load(run.weights(trial.trial))
    return built


def _write_evidence(run: Run, some: Part, evidence: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    content = io.BytesIO()
    arrays: dict[str, Any] = {f"{who}_{key}": array for who, found in evidence.items() for key, array in found.items()}
    arrays |= {"x": some.x} | ({} if some.y is None else {"y": some.y})
    np.savez_compressed(content, **arrays)
    write_atomic(run.folder / "evidence.npz", content.getvalue())
