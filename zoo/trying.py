"""A network computed on a few rows before anything is trained: what only computing shows, at its line."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from zoo.building import Built
from zoo.columns import read_as_ids
from zoo.datasets.dataset import Part
from zoo.errors import Problem, ZooError, first_sentence
from zoo.language import catalogue
from zoo.language.network import Network, Node
from zoo.lowering import Plain, make, refused, weights_by_path, whole
from zoo.measuring import call_of
from zoo.meeting import for_channels

LARGEST_ROW = 20_000
"""Numbers of a row up to which a network is tried on rows before anything is trained: it takes less than a second."""


OPEN = (8, 64, 60, 256)
"""Sizes that stand in turn for one that only data know: what refuses the first may take another."""

SPANS = ((0.0, 1.0), (1.0, 2.0), (100.0, 200.0))
"""Between these lie the numbers of the rows that a network is tried on that met no data."""


def tried(built: Built) -> None:
    """Compute the network and its penalties on two rows, in a graph as training does, and its constraints once.

    The rows are of such numbers as the data hold; without data, of numbers that its inputs take. Raises `ZooError` at
    the layer that refuses, and where all answers are NaN. Nothing is tried on rows of more than `LARGEST_ROW` numbers,
    nor where nothing is known of the texts or numbers that are looked up.
    """
    met = bool(built.plan.description.rows)
    shapes = [built.plan.description.x.shape] if met else [one.shape[1:] for one in built.network.inputs]
    wrong, rows = list[Exception](), list[Any]()
    for size in OPEN if any(None in shape for shape in shapes) else OPEN[:1]:
        try:
            rows = [_rows_of_data(built, size)] if met else [_rows_alone(built, size, *span) for span in SPANS]
            if any(one is None for one in rows):
                return
            answers = _computed(built.network, rows)
            break
        except Exception as error:  # Keras and TensorFlow raise whatever a layer makes them stumble over
            wrong.append(error)
    else:
        of_ids = not met and "is not in [" in str(wrong[0])  # ids that the rows do not hold; data may
        answers = _computed_on_ids(built) if of_ids else []
        if not answers:
            raise _placed(wrong[0], built, rows) from wrong[0]
    _constrained(built)
    if answers and all(np.isnan(one).all() for one in answers):
        where = "such rows as the data hold" if met else f"rows of numbers from 0 to {SPANS[-1][1]:.0f}"
        raise ZooError(
            Problem(f"the network answers NaN for {where}", "layers that answer numbers", mark=whole(built.unfolded))
        )


def prepared(built: Built) -> None:
    """Go through `prepare` with a row of the shape that the network reads. Raises `ZooError` at a step that refuses it.

    Nothing is tried where the plan has met data, as these are prepared, nor where a size is open.
    """
    wanted, inside = built.plan.spec.shape, built.unfolded
    if built.plan.description.rows or None in wanted or built.plan.spec.kind != "image":
        return
    row: Any = np.random.default_rng(0).uniform(0, 255, (1, *(size or 1 for size in wanted))).astype("float32")
    steps = [(node, step) for node in inside.prepare for step in for_channels((node,), row.shape[-1], inside.name)]
    for node, step in steps:
        given = row.shape[1:]
        try:
            row = np.asarray(make(*next(iter(step.items())), None, None, Plain())(row))
        except Exception as error:  # whatever a layer stumbles over
            wrong = f"Keras refuses {node.layer} on a row of {given}: {first_sentence(error)}"
            raise ZooError(Problem(wrong, "", "", node.path, node.mark)) from error
    if inside.prepare and row.shape[1:] != wanted:
        last = inside.prepare[-1]
        wrong = f"`prepare` makes {row.shape[1:]} of a row of {wanted}"
        raise ZooError(Problem(wrong, f"{wanted}, which the network reads", "", last.path, last.mark))


def _placed(error: Exception, built: Built, rows: list[Any]) -> ZooError:
    """What cannot be computed, at the layer that the error names, else at the first that cannot be computed."""
    import keras

    found = refused(error, built.unfolded)
    if found.problems[0].path or not rows:
        return found
    nodes = built.unfolded.nodes
    tensors = [call_of(built.network, built.unfolded, node).output_tensors[0] for node in nodes]
    low, high = 0, len(nodes)  # the first `low` can be computed, the first `high` cannot
    while high - low > 1:
        middle = (low + high) // 2
        part = keras.Model(built.network.inputs, tensors[:middle])
        try:
            _computed(part, rows)
            low = middle
        except Exception:
            high = middle
    return ZooError(replace(found.problems[0], path=nodes[high - 1].path, mark=nodes[high - 1].mark))


def _computed_on_ids(built: Built) -> list[np.ndarray]:
    """The answers for rows of zeros, which are ids wherever ids are read; nothing if that cannot be computed either."""
    embeds = any("Embedding" in str((node.layer, node.arguments)) for node in built.unfolded.walk())
    stated = any({"vocabulary", "classes"} & {*one} for one in built.plan.spec.inputs.values())
    for size in OPEN if embeds and not stated else ():
        rows = _rows_alone(built, size, 0.0, 0.0)
        try:
            return _computed(built.network, [[np.zeros_like(one) for one in rows]]) if rows else []
        except Exception:  # what was raised for other numbers says it
            continue
    return []


def _computed(network: Any, several: list[Any]) -> list[np.ndarray]:
    """The answers of a network for each of several batches, as far as they are numbers with a point."""
    import tensorflow as tf

    given = [
        [tf.convert_to_tensor(one) for one in (rows if isinstance(rows, (list, tuple)) else [rows])] for rows in several
    ]
    specs = [tf.TensorSpec((None, *one.shape[1:]), one.dtype) for one in given[0]]

    def computed(training: bool) -> Any:
        @tf.function(autograph=False, input_signature=[specs])
        def answers(rows: Any) -> Any:
            return network(rows if len(specs) > 1 else rows[0], training=training), network.losses

        answers._omit_frequent_tracing_warning = True  # each network is traced once
        return answers

    moved = [(one, one.numpy()) for one in network.non_trainable_variables]  # statistics, and the states of dice
    computed(training=True)(given[0])
    for one, before in moved:
        one.assign(before)
    answers = computed(training=False)
    values = [one.numpy() for rows in given for one in tf.nest.flatten(answers(rows)[0])]
    return [one for one in values if one.dtype.kind == "f" and one.size]


def _constrained(built: Built) -> None:
    """Let each constraint see the weight that it is for. Raises `ZooError` at the layer where it does not fit."""
    for path, variable in weights_by_path(built.network):
        try:
            if variable.constraint is not None:
                variable.constraint(variable.value)
        except Exception as error:  # whatever Keras and TensorFlow raise where an axis is not there
            node = _node_of(built.unfolded, path.split("/"))
            name = type(variable.constraint).__name__
            wrong = f"{name} does not fit `{path}` of the shape {tuple(variable.shape)}: {first_sentence(error)}"
            raise ZooError(Problem(wrong, "axes of that shape", "", node.path, node.mark)) from error


def _node_of(network: Network, names: list[str]) -> Node:
    """The layer whose weight a path of names leads to, in models inside the model too."""
    found = next(one for one in network.nodes if one.name == names[0] and not one.reuses)
    inside = found.network and any(one.name == names[1] for one in found.network.nodes)
    return _node_of(found.network, names[1:]) if found.network and inside else found


def _rows_of_data(built: Built, size: int) -> Any:
    """What a network is given for two rows of numbers such as each column of the data holds; ids, with both ends."""
    x = built.plan.description.x
    shape = tuple(one or size for one in x.shape)
    if built.prepare is None or math.prod(shape) > LARGEST_ROW:
        return None
    away = 2 * np.sqrt(np.asarray(x.variance))
    low, high = (np.clip(np.asarray(x.mean) + one, x.minimum, x.maximum) for one in (-away, away))
    if np.dtype(x.dtype).kind in "iub":
        low, high = np.asarray(x.minimum), np.asarray(x.maximum)
    rows = np.random.default_rng(0).uniform(low, high, (2, *shape)).astype(x.dtype)
    if np.dtype(x.dtype).kind in "iub":
        rows[0].flat[0], rows[1].flat[0] = x.minimum, x.maximum
    _ids_in(built, rows, np.random.default_rng(0))
    labels = np.zeros(len(rows), "int32")
    return built.plan.works.inputs(Part(rows, labels), np.asarray(built.prepare(rows)))


def _ids_in(built: Built, rows: np.ndarray, dice: np.random.Generator) -> None:
    """Put ids into the columns of a table that are read as such."""
    for _, known, columns in read_as_ids(built.unfolded, rows.shape[-1]) if rows.ndim == 2 else ():
        if isinstance(known, (int, list)):
            rows[:, columns] = dice.choice(known, (len(rows), len(columns)))


def _rows_alone(built: Built, size: int, low: float, high: float) -> list[np.ndarray] | None:
    """Two rows for each input of a network that met no data: numbers of a span, or ids that its spec knows."""
    inputs, dice, rows = built.plan.spec.inputs, np.random.default_rng(0), []
    looked_up = any(node.layer in catalogue.LOOKUPS for node in built.unfolded.walk())
    for one, tensor in zip(inputs.values(), built.network.inputs, strict=True):
        shape, dtype = (tensor.shape[0] or 2, *(each or size for each in tensor.shape[1:])), tensor.dtype
        if dtype == "string" or (looked_up and "float" not in dtype):
            return None
        readers = [node for node in built.unfolded.walk() if tensor.name in node.inputs and node.layer == "Embedding"]
        known = [one[key] for key in ("vocabulary", "classes") if key in one]
        ids = min(known or [node.arguments["input_dim"] for node in readers], default=0)
        numbers = "float" in dtype and not ids
        drawn = dice.uniform(low, high, shape) if numbers else dice.integers(0, ids or 2, shape)
        rows.append(drawn.astype(dtype))
    _ids_in(built, rows[0], dice)
    return rows if sum(one.size // 2 for one in rows) <= LARGEST_ROW else None
