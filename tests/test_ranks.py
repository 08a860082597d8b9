"""The axes of what layers answer, told from their names, are those that Keras has."""

from __future__ import annotations

import keras
import pytest

from zoo import lowering, selection
from zoo.language import ranks, unfolding

SMALL = [card.name for card in selection.cards(parameters=300_000) if not card.coded]
ODD = {
    "layers": [
        {"Reshape": {"target_shape": [4, 6]}}, {"Bidirectional": {"layer": {"GRU": {"units": 3}}}},
        {"RepeatVector": {"n": 4}}, {"TimeDistributed": {"layer": {"Dense": {"units": 6}}}},
        {"Permute": {"dims": [2, 1]}},
        {"ConvLSTM1D": {"filters": 2, "kernel_size": 1}}, "GlobalMaxPooling1D",
    ],
}  # fmt: skip
TAKES = [{"Embedding": {"input_dim": 9, "output_dim": 4}}, {"Take": {"indices": [0, 1], "axis": 1}},
         {"Take": {"indices": 0, "axis": 1}}]  # fmt: skip
HEAD = {"spec": 1, "name": "odd", "family": "mlp", "classes": 2, "input": {"shape": [24]}, "l2": 0}


def flat_of(spec):
    found, problems = unfolding.unfold(selection.load(spec).fill())
    assert found is not None, problems
    return found


@pytest.mark.parametrize("spec", [*SMALL, {**HEAD, "layers": TAKES, "input": {"shape": [24], "vocabulary": 9}}])
def test_the_axes_are_those_of_keras(spec):
    flat = flat_of(spec)
    found = ranks.axes(flat)
    with keras.StatelessScope():
        model = lowering.lower(flat, lowering.Plain())

    assert found[flat.output] == len(model.output_shape) - 1
    told = {node.name: found[node.name] for node in flat.nodes if found[node.name] is not None and node.outputs == 1}
    assert told == {name: len(model.get_layer(name).output.shape) - 1 for name in told}


def test_what_a_layer_does_not_take_is_told_to_the_end():
    flat = flat_of({**HEAD, **ODD})
    found = list(ranks.axes(flat).values())

    assert found[:6] == [1, 2, 1, 2, 2, 2]
    assert found[6:] == [ranks.NOTHING] * 3  # steps of maps are three axes and more


def test_of_what_is_not_known_nothing_is_told():
    flat = flat_of({**HEAD, "layers": ["ops.relu", {"Dense": {"units": 4}}]})

    assert ranks.axes(flat)[flat.output] is None
