"""The engine: runs epochs and yields each; knows no run directory, no oracle and no clock."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from zoo.seeding import derive
from zoo.training.programs import Resident


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave. `number` counts from 1; `best` says that the objective was better than in all before it.

    `diverged` is empty, or says which number is not finite any more; then no epoch follows.
    """

    number: int
    logs: Mapping[str, float]
    score: float
    best: bool
    diverged: str = ""


def fit(
    program: Resident, seed: int, epochs: int, objective: str, direction: str, *, after: int = 0,
    best: float | None = None,
) -> Iterator[Epoch]:  # fmt: skip
    """Train for some epochs and yield each with its validation metrics.

    The order of the rows in an epoch follows from the seed and the epoch's number alone, so that a training goes on
    `after` an epoch whose weights, optimizer and seeds were put back; `best` is the best score until then.
    """
    for number in range(after + 1, epochs + 1):
        shuffle = derive(seed, "order", number)
        logs = program.train(np.random.default_rng(shuffle).permutation(program.rows))
        logs |= program.evaluate()
        score = logs[objective]
        bad = next((key for key, value in logs.items() if not math.isfinite(value)), "")
        if bad:
            yield Epoch(number, logs, score, False, f"{bad} is {logs[bad]} after epoch {number}")
            return
        better = best is None or (score > best if direction == "max" else score < best)
        best = score if better else best
        yield Epoch(number, logs, score, better)
