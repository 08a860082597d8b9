"""Which columns of a table a network reads as ids, or looks up: these must arrive as the data hold them.

The places of the columns are laid out as a row of the table would be, and sent through what lies between the input and
the reader; where something computes with the numbers, nothing is known of what comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.language import catalogue, objects
from zoo.language.network import Input, Network, Node, output
from zoo.lowering import Plain, lower

READERS = {
    **dict.fromkeys(("Embedding", "ReversibleEmbedding"), "input_dim"), "CategoryEncoding": "num_tokens",
    **dict.fromkeys(("ops.one_hot", "ops.multi_hot"), "num_classes"), "IntegerLookup": "vocabulary",
    **dict.fromkeys(("Discretization", "Hashing", "HashedCrossing", "ops.digitize"), ""),
}  # fmt: skip
"""What reads numbers as they stand in the data, and which of its arguments says which ids there are."""

_SAME = (
    "Identity", "Masking", "ReLU", "ops.relu", "ops.stop_gradient", "ops.cast", "ops.round", "ops.floor", "ops.ceil",
    "ops.trunc", "ops.abs", "ops.clip", "ops.maximum", "ops.minimum", "ops.add", "ops.subtract", "ops.multiply",
    "ops.divide", "ops.true_divide", "ops.floor_divide", "ops.mod",
)  # fmt: skip
"""What leaves every number in its place, and makes an id of one, where a plain number is its other operand."""

_MOVING: dict[str, Callable[[np.ndarray, Mapping[str, Any]], Any]] = {
    "Flatten": lambda row, _: row.reshape(len(row), -1),
    "Reshape": lambda row, given: row.reshape(len(row), *given["target_shape"]),
    "ops.reshape": lambda row, given: row.reshape(-1 if -1 not in given["newshape"][1:] else 1, *given["newshape"][1:]),
    "ops.expand_dims": lambda row, given: np.expand_dims(row, given["axis"]),
    "ops.squeeze": lambda row, given: (
        np.squeeze(row, tuple(axis for axis in range(1, row.ndim) if row.shape[axis] == 1))
        if given.get("axis") is None
        else np.squeeze(row, given["axis"])
    ),
    "ops.flip": lambda row, given: np.flip(row, given["axis"]),
    "ops.roll": lambda row, given: np.roll(row, given["shift"], given["axis"]),
    "ops.repeat": lambda row, given: np.repeat(row, given["repeats"], given["axis"]),
    "ops.tile": lambda row, given: np.tile(row, given["repeats"]),
    "RepeatVector": lambda row, given: np.repeat(row[:, None], given["n"], 1),
    "Permute": lambda row, given: np.transpose(row, (0, *given["dims"])),
    "ops.transpose": lambda row, given: np.transpose(row, given["axes"]),
    "ops.swapaxes": lambda row, given: np.swapaxes(row, given["axis1"], given["axis2"]),
    "Take": lambda row, given: np.take(row, given["indices"], given.get("axis", -1)),
    "ops.take": lambda row, given: np.take(row, given["indices"], given["axis"]),
    "ops.split": lambda row, given: np.split(row, given["indices_or_sections"], given["axis"]),
    "ops.get_item": lambda row, given: row[catalogue.index(given["key"])],
}
"""What puts the numbers of a row elsewhere, or takes some of them: the same as an operation of NumPy."""

_JOINING: dict[str, Callable[..., Any]] = {
    "Concatenate": np.concatenate,
    "ops.concatenate": np.concatenate,
    "ops.stack": np.stack,
}


_COMPUTING = tuple(one for one in _SAME if one not in ("Identity", "Masking", "ops.cast", "ops.stop_gradient"))
"""Those of them that make other numbers of the ids."""


def read_as_ids(network: Network, features: int, untouched: bool = False) -> Iterator[tuple[Node, Any, list[int]]]:
    """What reads some columns of the first input, a table of so many, as they are, and the places of those columns.

    Of each reader, its node and the ids that it knows: how many there are, a list of them, or None. An `Embedding` of
    the input itself is not among them: it says what the input is. `untouched` are those that nothing has computed with.
    """
    if not any(_reader(node)[0] in READERS for node in network.walk()):
        return
    for node, row in _sent(network, {network.input: np.arange(features)[None]}, untouched)[0]:
        layer, given = _reader(node)
        if layer != "Embedding" or network.input not in node.inputs:
            yield node, given.get(READERS[layer]), np.unique(row[row >= 0]).tolist()


def _sent(
    network: Network, rows: Mapping[str, np.ndarray], untouched: bool
) -> tuple[list[tuple[Node, np.ndarray]], list[Any]]:
    """What the readers of a network read that is given these rows, in models inside it too, and what it answers.

    Of an answer that holds something else than numbers of the rows, None.
    """
    rows, found = dict(rows), list[tuple[Node, np.ndarray]]()
    for node in network.nodes:
        given, made = [rows[one] for one in node.inputs if one in rows], list[Any]()
        if _reader(node)[0] in READERS:
            found += [(node, row) for row in given]
        elif node.network and node.at_steps:
            steps = [
                _sent(node.network, {node.network.input: row[:, step]}, untouched)
                for row in given
                for step in range(row.shape[1] if row.ndim > 1 else 0)
            ]
            found += [one for inside, _ in steps for one in inside]
            each = [answers[0] for _, answers in steps]
            made = [np.stack(each, axis=1)] if each and all(one is not None for one in each) else []
        elif node.network:
            pairs = zip(node.network.inputs, node.inputs, strict=True)
            inside, made = _sent(node.network, {one.name: rows[name] for one, name in pairs if name in rows}, untouched)
            found += inside
        elif given and len(given) == len(node.inputs) and not (untouched and node.layer in _COMPUTING):
            made = _carried(node, given)
        for number, row in enumerate(made):
            if row is not None:
                rows[output(node.name, number)] = row
    return found, [rows.get(one) for one in network.outputs]


def _reader(node: Node) -> tuple[str, Mapping[str, Any]]:
    """The layer of a node and its arguments, those of the layer that it applies to each step if it does so."""
    inner = node.arguments.get("layer") if node.layer == "TimeDistributed" else None
    if isinstance(inner, Mapping):
        return next((name, given or {}) for name, given in inner.items())
    return node.layer, node.arguments


def _carried(node: Node, given: list[np.ndarray]) -> list[np.ndarray]:
    """What a layer answers where it only moves numbers: one row for each of its outputs, else none."""
    try:
        if node.layer in _JOINING:
            return [_JOINING[node.layer](given, axis=node.arguments.get("axis", 0 if "stack" in node.layer else -1))]
        if len(given) == 1 and node.layer in _SAME:
            return given
        if len(given) == 1 and node.layer in _MOVING:
            made = _MOVING[node.layer](given[0], node.arguments)
            return made if isinstance(made, list) else [made]
    except (IndexError, KeyError, TypeError, ValueError):  # what Keras will refuse
        return []
    is_plain = not (node.network or node.call or node.reuses or objects.kernels(node.layer, node.arguments))
    return _tried(node, given) if is_plain and node.layer not in (*_SAME, *_MOVING) else []


def _tried(node: Node, given: list[np.ndarray]) -> list[np.ndarray]:
    """The same of a layer that nobody listed: it moves numbers, or puts zeros beside them, if it does with any."""
    names = [f"row{number}" for number in range(len(given))]
    inputs = tuple(Input(name, row.shape[1:]) for name, row in zip(names, given, strict=True))
    outputs = tuple(output(node.name, number) for number in range(node.outputs))
    network = Network("tried", inputs, (replace(node, inputs=tuple(names)),), outputs)
    import keras

    try:
        model = lower(network, Plain(), rows=len(given[0]))
    except (ZooError, ValueError):  # what it computes with is another row, or Keras will refuse it
        return []
    dice, many = np.random.default_rng(0), max(int(row.max(initial=0)) for row in given) + 2
    made = list[np.ndarray]()
    for numbers in (np.arange(many), *(np.append(0, 1 + dice.permutation(many - 1)) for _ in range(2))):
        rows = [numbers[row + 1].astype("float32") for row in given]
        try:
            answers = [np.asarray(one) for one in keras.tree.flatten(model(rows if len(rows) > 1 else rows[0]))]
        except Exception:  # whatever it raises on numbers that it is not for: one that moves them takes any
            return []
        if not made:
            made = [one.astype(int) for one in answers]
        if any(one.min(initial=0) < 0 or one.max(initial=0) >= many for one in made):
            return []
        if not all(np.array_equal(numbers[one], answer) for one, answer in zip(made, answers, strict=True)):
            return []
    return [one - 1 for one in made]
