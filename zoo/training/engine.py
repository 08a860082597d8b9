"""The engine: runs epochs and yields each; knows no run directory, no oracle and no clock."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.seeding import derive
from zoo.training.programs import Program


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


BATCH_HOOKS = tuple(f"on_{when}batch_{end}" for when in ("", "train_", "test_", "predict_") for end in ("begin", "end"))
"""Hooks of a Keras callback that the loop over batches, which is compiled, cannot call."""


def check_callbacks(callbacks: Any) -> list[Any]:
    """A caller's Keras callbacks as a list. Raises `ZooError` for what is none, and for one with hooks of batches."""
    import keras

    found = list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
    for one in found:
        name = type(one).__name__
        if not isinstance(one, keras.callbacks.Callback):
            raise ZooError(f"{name} is no callback; expected a keras.callbacks.Callback, or a list of them")
        own = [hook for hook in BATCH_HOOKS if getattr(type(one), hook) is not getattr(keras.callbacks.Callback, hook)]
        if own:
            raise ZooError(
                f"{name} wants to be called at each batch ({own[0]}), and a whole epoch is one call here; expected a "
                "callback of epochs alone, or model.fit: build the model with zoo.build"
            )
    return found


def fit(
    program: Program, seed: int, epochs: int, objective: str, direction: str, *, after: int = 0,
    best: float | None = None, callbacks: Sequence[Any] = (),
) -> Iterator[Epoch]:  # fmt: skip
    """Train for some epochs and yield each with its validation metrics.

    The order of the rows in an epoch follows from the seed and the epoch's number alone, so that a training goes on
    `after` an epoch whose weights, optimizer and seeds were put back; `best` is the best score until then. `callbacks`
    are called as `model.fit` would, but for the hooks of batches; one may end the training (`stop_training`).
    Raises `ZooError` if a row cannot be computed.
    """
    import keras
    import tensorflow as tf

    called = keras.callbacks.CallbackList(list(callbacks), model=program.model, epochs=epochs) if callbacks else None
    if called:
        program.model.stop_training = False
        called.on_train_begin()
    for number in range(after + 1, epochs + 1):
        shuffle = derive(seed, "order", number)
        if called:
            called.on_epoch_begin(number - 1)
        try:
            logs = program.train(np.random.default_rng(shuffle).permutation(program.rows))
            logs |= program.evaluate()
        except (tf.errors.OpError, tf.errors.OperatorNotAllowedInGraphError) as error:  # the latter as it is traced
            raise program.refused(error) from error
        score = logs[objective]
        bad = next((key for key, value in logs.items() if not math.isfinite(value)), "")
        better = not bad and (best is None or (score > best if direction == "max" else score < best))
        best = score if better else best
        yield Epoch(number, logs, score, better, f"{bad} is {logs[bad]} after epoch {number}" if bad else "")
        if called:  # after the epoch was seen: a callback may put back other weights
            called.on_epoch_end(number - 1, dict(logs))
        if bad or (called and program.model.stop_training):
            break
    if called:
        called.on_train_end()
