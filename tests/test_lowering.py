"""What only building shows: layers of several answers, cells over each other, ids in a nested chain, two outputs."""

from __future__ import annotations

import numpy as np
import pytest

import zoo
from zoo.errors import ZooError
from zoo.language import network


def _spec(layers, family="rnn", shape=(6, 4), **more):
    given = {"shape": list(shape)}
    head = {"spec": 1, "name": "t", "family": family, "task": "classification", "classes": 3, "input": given}
    return {**head, **more, "layers": layers}


BOTH = {"Bidirectional": {"layer": {"LSTM": {"units": 4}}, "merge_mode": None, "name": "a"}}
STATES = {"Bidirectional": {**BOTH["Bidirectional"], "layer": {"GRU": {"units": 4, "return_state": True}}}}
CELL = {"RNN": {"cell": {"LSTMCell": {"units": 4}}, "return_state": True, "name": "a"}}
CELLS = {"RNN": {"cell": [{"LSTMCell": {"units": 4}}, {"GRUCell": {"units": 5}}], "name": "a"}}
SCORES = {"query": "previous", "value": "previous", "return_attention_scores": True}


@pytest.mark.parametrize(
    ("layer", "answers"),
    [(BOTH, 2), (STATES, 4), (CELL, 3), (CELLS, 1),
     ({"MultiHeadAttention": {"num_heads": 2, "key_dim": 3, "name": "a", "from": SCORES}}, 2)],
)  # fmt: skip
def test_every_answer_of_a_layer_can_be_named(layer, answers):
    reads = [
        {"Flatten": {"from": f"a.{index}" if answers > 1 else "a", "name": f"f{index}"}} for index in range(answers)
    ]
    spec = _spec(
        [layer, *reads, *([{"Concatenate": {"from": [f"f{i}" for i in range(answers)]}}] if answers > 1 else [])]
    )

    model = zoo.build(spec, seed=1)

    given = model.get_layer("a").output
    assert len(given if isinstance(given, (list, tuple)) else [given]) == answers
    assert np.isfinite(model.predict(np.ones((2, 6, 4), "float32"), verbose=0)).all()


def test_the_half_that_reads_backward_is_not_lost_in_silence():
    with pytest.raises(ZooError, match=r"`a\.1`, what it read backward, leads to no output"):
        zoo.build(_spec([BOTH]))


def test_cells_over_each_other_are_kerass_stack():
    model = zoo.build(_spec([CELLS]), l2=0.01, seed=1)

    layer = model.get_layer("a")
    assert [type(cell).__name__ for cell in layer.cell.cells] == ["LSTMCell", "GRUCell"]
    assert all(cell.kernel_regularizer.l2 == pytest.approx(0.01) for cell in layer.cell.cells)
    paths = [variable.path for variable in layer.weights]
    assert len(set(paths)) == len(paths) == 6
    assert [variable.path for variable in zoo.build(_spec([CELLS])).get_layer("a").weights] == paths


def test_the_states_of_cells_over_each_other_can_be_named():
    cells = {"RNN": {**CELLS["RNN"], "return_state": True}}
    spec = _spec([cells, {"Concatenate": {"from": ["a.0", "a.1", "a.2", "a.3"]}}])

    model = zoo.build(spec, seed=1)

    assert model.get_layer("concatenate").output.shape == (None, 5 + 4 + 4 + 5)


def test_ids_beyond_what_float32_holds_are_themselves_in_a_nested_chain():
    blocks = {"tower": {"nested": True, "layers": [{"NotEqual": {"value": 2**24}}]}}
    ids = np.array([[2**24, 2**24 + 1]], "int32")
    spec = _spec(["tower", {"Dense": 2}], "mlp", (2,), blocks=blocks)
    spec["input"] |= {"kind": "tokens", "dtype": "int32", "vocabulary": 2**25}

    tower = zoo.build(spec).get_layer("tower")

    assert type(tower).__name__ == "Sequential"
    assert np.asarray(tower(ids)).tolist() == [[0.0, 1.0]]


def test_a_nested_layer_of_several_answers_is_no_chain():
    blocks = {"tower": {"nested": True, "layers": [{"LSTM": {"units": 4, "return_state": True}}]}}

    flat, problems = network.unfold(zoo.load(_spec(["tower"], blocks=blocks)).fill())

    assert problems == []
    assert flat.nodes[0].layer == "Functional"
    assert zoo.build(_spec(["tower"], blocks=blocks)).count_params() == 144 + 15


def test_a_network_of_two_outputs_is_built_and_says_that_no_data_set_holds_both():
    spec = _spec(
        [{"Dense": {"units": 3, "name": "p"}}, {"Dense": {"units": 2, "name": "q", "from": "table"}}], "mlp", (8,)
    )
    spec["outputs"] = ["p", "q"]

    model = zoo.build(spec, seed=1)

    assert [tuple(one.shape) for one in model.outputs] == [(None, 3), (None, 2)]
    data = zoo.data({"x_train": np.random.rand(40, 8).astype("float32"), "y_train": np.arange(40) % 3})
    with pytest.raises(ZooError, match="outputs: the network answers 2 tensors, and a data set holds one target"):
        zoo.train(spec, data)


def test_a_single_number_is_an_input():
    assert zoo.build(_spec([{"Reshape": {"target_shape": [1]}}, {"Dense": 4}], "mlp", ())).input_shape == (None,)
