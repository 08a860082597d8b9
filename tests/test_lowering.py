"""What only building shows: layers of several answers, cells over each other, ids in a nested chain, two outputs."""

from __future__ import annotations

import numpy as np
import pytest

import zoo
from zoo import building, columns, measuring, meeting
from zoo.ejecting import eject
from zoo.errors import ZooError
from zoo.language import catalogue, network, unfolding
from zoo.lowering import Plain, lower, weights_by_path


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
    blocks = {"tower": {"nested": True, "layers": [{"Take": {"indices": [1, 0]}}]}}
    ids = np.array([[2**24, 2**24 + 1]], "int32")
    spec = _spec(["tower", {"Dense": 2}], "mlp", (2,), blocks=blocks)
    spec["input"] |= {"kind": "tokens", "dtype": "int32", "vocabulary": 2**25}

    tower = zoo.build(spec).get_layer("tower")

    assert type(tower).__name__ == "Sequential"
    assert np.asarray(tower(ids)).tolist() == [[2**24 + 1, 2**24]]


@pytest.mark.parametrize("nested", [False, True])
def test_a_block_answers_the_tensors_that_it_names(nested):
    layers = [{"Dense": {"name": "mean", "units": 2}}, {"Dense": {"name": "spread", "units": 3, "from": "input"}}]
    blocks = {"tower": {"nested": nested, "layers": layers, "outputs": ["mean", "spread", "input"]}}
    joined = {"Concatenate": {"from": ["tower.1", "tower.2", "first"]}}
    items = ["tower", {"Dense": {"units": 5, "name": "first"}}, joined]
    spec = _spec(items, "mlp", (4,), blocks=blocks)

    model = zoo.build(spec, seed=1)

    assert model.get_layer("first").input.shape == (None, 2)
    assert model.get_layer("concatenate").output.shape == (None, 3 + 4 + 5)


def test_a_nested_layer_of_several_answers_is_no_chain():
    blocks = {"tower": {"nested": True, "layers": [{"LSTM": {"units": 4, "return_state": True}}]}}

    flat, problems = unfolding.unfold(zoo.load(_spec(["tower"], blocks=blocks)).fill())

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


def test_layers_that_join_masks_keep_their_names():
    embedding = {"Embedding": {"name": "e", "input_dim": 20, "output_dim": 4, "mask_zero": True}}
    both = {"Concatenate": {"from": ["e", "previous"]}}
    spec = _spec([embedding, both, both, {"LSTM": {"units": 4}}], "rnn", (6,))
    spec["input"] |= {"dtype": "int32", "vocabulary": 20}
    for _ in range(2):  # Keras counts by process
        names = [one.name for one in zoo.build(spec).layers]
        assert names == ["tokens", "e", "concatenate", "concatenate_1", "lstm", "predictions"]


def test_a_single_number_is_an_input():
    assert zoo.build(_spec([{"Reshape": {"target_shape": [1]}}, {"Dense": 4}], "mlp", ())).input_shape == (None,)


# What is frozen

SIZES = {"units": 4, "filters": 2, "kernel_size": 2, "num_heads": 2, "key_dim": 2, "input_dim": 5, "output_dim": 4,
         "codes": 3, "groups": 2, "equation": "ab,bc->ac", "output_shape": 4,
         "head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}  # fmt: skip
WITHIN = {
    "Bidirectional": {"layer": {"GRU": {"units": 3}}},
    "TimeDistributed": {"layer": {"Dense": {"units": 3}}},
    "SpectralNormalization": {"layer": {"Dense": {"units": 3}}},
    "RNN": {"cell": [{"LSTMCell": {"units": 3}}, {"GRUCell": {"units": 2}}]},
    "Attention": {"use_scale": True},
    "GroupNormalization": {"groups": 2},
}
KNOWN = catalogue.catalogue()["layers"]
MORE = ("Attention", "AdditiveAttention", "Normalization", "RMSNormalization", "LayerScale", "VectorQuantizer")
HOLDING = [
    layer
    for layer, entry in KNOWN.items()
    if layer in (*MORE, *WITHIN) or any(key.endswith("initializer") for key in entry["arguments"])
]
"""Every layer of the catalogue that has weights."""


def alone(layer):
    """The networks of one frozen layer with all its penalties, for inputs of each rank and each way to call it."""
    taken = KNOWN[layer]["arguments"]
    arguments = {key: SIZES[key] for key in KNOWN[layer]["required"] if key in SIZES} | WITHIN.get(layer, {})
    penalty = {"L2": {"l2": 1.0}}
    arguments |= {key: penalty for key in taken if key.endswith("regularizer") and key != "activity_regularizer"}
    for rank in range(1, 6):
        shape = (5, 4, 6, 6, 4)[-rank:]
        inputs = [network.Input("x", shape), network.Input("h", (4,))]
        for given, many, call in (
            (("x",), False, {}), (("x", "x"), True, {}), ((), False, {"query": "x", "value": "x"}),
            (("x",), False, {"states": ("h",)}), (("x",), False, {"states": ("h", "h")}),
        ):  # fmt: skip
            node = network.Node("one", layer, arguments, given, "layers", l2=1.0, many=many, call=call, frozen=True)
            used = [one for one in inputs if one.name in set(node.read())]
            yield network.Network("alone", tuple(used), (node,), ("one",))


def first_that_builds(layer):
    for flat in alone(layer):
        try:
            return flat, lower(flat, Plain(), 1)
        except ZooError as error:
            refused = error
    raise refused


@pytest.mark.parametrize("layer", HOLDING)
def test_no_weight_of_a_frozen_layer_is_trained_or_penalised_in_a_model_or_an_ejected_text(layer):
    flat, model = first_that_builds(layer)
    space = {"__name__": "ejected"}
    exec(compile(eject(flat), "ejected.py", "exec"), space)

    for one in (model, space["build"]()):
        assert one.weights
        assert [variable.path for variable in one.trainable_variables] == []
        assert layer == "VectorQuantizer" or one.losses == []  # whose loss is no penalty
    assert measuring.total(measuring.measure(flat))[1] == 0


def test_layers_that_hold_weights_are_all_of_that_table():
    assert {"Dense", "LSTM", "MultiHeadAttention", "ConvLSTM2D", "Bidirectional", "PReLU"} <= set(HOLDING)


HEADS = {"num_heads": 2, "key_dim": 2, "from": {"query": "previous", "value": "previous"}}
TWICE = {"nested": True, "layers": [{"MultiHeadAttention": {**HEADS, "name": "heads"}}]}
FLAT = {"layers": [{"Bidirectional": {"layer": {"LSTM": {"units": 2, "return_sequences": True}}, "name": "both"}}]}


@pytest.mark.parametrize(
    ("items", "blocks", "trained"),
    [
        ([{"inner": {"name": "a", "frozen": True}}, {"reuse": {"layer": "a", "name": "b"}}], {"inner": TWICE}, set()),
        ([{"inner": {"name": "a", "frozen": True}}, {"inner": {"name": "b"}}], {"inner": TWICE}, {"b"}),
        ([{"inner": {"name": "a"}}, {"inner": {"name": "b", "frozen": True}}], {"inner": FLAT}, {"a_both"}),
        ([{"layers": [{"ConvLSTM1D": {"filters": 2, "kernel_size": 1, "name": "a", "from": "r"}}], "frozen": True}],
         {}, set()),
        ([{"MultiHeadAttention": {**HEADS, "name": "a", "trainable": False}}], {}, set()),
        ([{"MultiHeadAttention": {**HEADS, "name": "a", "frozen": False}}], {}, {"a"}),
    ],
)  # fmt: skip
def test_what_is_frozen_in_blocks_and_groups_and_reused_is_still_and_the_head_is_learnt(items, blocks, trained):
    begin = [{"Reshape": {"target_shape": [6, 4, 1], "name": "r"}}] if "'r'" in str(items) else []
    spec = zoo.load(_spec([*begin, *items, "Flatten"], l2=0.5, **({"blocks": blocks} if blocks else {})))
    flat, _ = unfolding.unfold(spec.fill())
    model = lower(flat, Plain(), 1)
    space = {"__name__": "ejected"}
    exec(compile(eject(flat), "ejected.py", "exec"), space)

    for one in (model, space["build"]()):
        layers = {layer.name for layer in one.layers if layer.trainable_variables}
        assert layers == {*trained, "predictions"}
        assert {path.split("/")[0] for path, variable in weights_by_path(one) if variable.trainable} == layers
    assert len(model.losses) == sum(
        1 for _, one in weights_by_path(model) if one.trainable and getattr(one, "regularizer", None)
    )


def test_a_frozen_layer_begins_with_the_values_that_it_would_have_anyway():
    wrapped = {"Bidirectional": {"layer": {"LSTM": {"units": 4}}, "name": "a"}}
    plain, still = (zoo.build(_spec([wrapped], **more), seed=3) for more in ({}, {"frozen": True}))

    assert [one.path for one in still.trainable_variables] == ["predictions/kernel", "predictions/bias"]
    for one, other in zip(plain.weights, still.weights, strict=True):
        assert (one.numpy() == other.numpy()).all()


def test_a_layer_that_takes_no_word_on_its_weights_may_stand_in_what_is_frozen():
    items = [{"layers": [{"Conv1D": {"filters": 2, "kernel_size": 1}}, "SpatialDropout1D"], "frozen": True}, "Flatten"]

    model = zoo.build(_spec(items, dropout=0.5), seed=1)

    assert [one.path for one in model.trainable_variables] == ["predictions/kernel", "predictions/bias"]


def test_frozen_layers_are_reset_to_the_bits_of_a_fresh_build():
    heads = {"MultiHeadAttention": {**HEADS, "dropout": 0.1, "frozen": True}}
    wrapped = {"Bidirectional": {"layer": {"LSTM": {"units": 3}}, "frozen": True}}
    plan = meeting.alone(zoo.load(_spec([heads, wrapped], l2={"min_value": 0.0, "max_value": 0.1, "default": 0.01})))
    used = building.build(plan, {}, 1, adjustable=True)
    for seed in (2, 3):
        building.reset(used, {}, seed)
        fresh = building.build(plan, {}, seed, adjustable=True)
        for ours, theirs in zip(used.network.variables, fresh.network.variables, strict=True):
            assert (ours.numpy() == theirs.numpy()).all(), ours.path

    assert used.beginning.proved
    assert len(used.network.losses) == 1  # of the head


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ({"Softmax": {"axis": -2}}, "axis -2 is that of the rows"),
        ({"UnitNormalization": {"axis": -2}}, "axis -2 is that of the rows"),
        ({"LayerNormalization": {"axis": [-2, -1]}}, "axis -2 is that of the rows"),
        ({"Concatenate": {"axis": -2, "from": ["input", "input"]}}, "axis -2 is that of the rows"),
        ({"Take": {"indices": [0], "axis": -2}}, "axis -2 is that of the rows"),
        ({"Attention": {"from": ["input", "input"]}}, "it asks one row what another answers"),
        (
            {"MultiHeadAttention": {"num_heads": 2, "key_dim": 2, "from": {"query": "input", "value": "input"}}},
            "it asks",
        ),
        ({"RandomFlip": {}}, "it takes them for the height of one image"),
        ({"TimeDistributed": {"layer": {"CenterCrop": {"height": 2, "width": 2}}}}, "it takes them for the height"),
        ({"Dense": {"units": 4, "activation": {"Softmax": {"axis": -2}}}}, "axis -2 is that of the rows"),
        ({"Activation": {"activation": {"Softmax": {"axis": -2}}}}, "axis -2 is that of the rows"),
    ],
)
def test_a_layer_that_goes_over_the_rows_of_a_batch_is_refused_where_it_is_built(item, says):
    spec = {
        "spec": 1,
        "name": "one",
        "family": "mlp",
        "classes": 3,
        "input": {"shape": [8]},
        "layers": [item, {"Dense": 2}],
    }
    with pytest.raises(ZooError, match=rf"layers\[0\]\.\w+: .* takes rows together.*: {says}"):
        zoo.build(spec)


def test_an_index_that_takes_nothing_is_refused_where_it_is_built():
    item = {"ops.get_item": {"key": ":, 7:"}}
    spec = {"spec": 1, "name": "one", "family": "mlp", "classes": 3, "input": {"shape": [6]}, "layers": [item]}
    with pytest.raises(ZooError, match="the slice takes none of the 6 parts along axis 1"):
        zoo.build(spec)


@pytest.mark.parametrize("layer", ["Softmax", "UnitNormalization"])
def test_an_axis_inside_a_wrapper_is_counted_at_each_step(layer):
    def built(axis):
        item = {"TimeDistributed": {"layer": {layer: {"axis": axis}}}}
        spec = {"spec": 1, "name": "one", "family": "mlp", "classes": 3, "input": {"shape": [6, 4]}}
        return zoo.build({**spec, "layers": [item, "Flatten"]})

    with pytest.raises(ZooError, match="axis -2 is that of the rows"):
        built(-2)
    assert built(-1).output_shape == (None, 3)


# Blocks at each step

FRAME = {
    "frame": {
        "nested": True, "parameters": {"filters": 4},
        "layers": [
            {"Conv2D": {"filters": "$filters", "kernel_size": 3, "name": "conv"}}, "BatchNormalization", "Flatten",
            "Dropout",
        ],
    },
}  # fmt: skip
EACH = {"TimeDistributed": {"layer": {"frame": {"filters": 5}}, "name": "each"}}


def _film(layers, **more):
    return _spec(layers, shape=(4, 8, 8, 1), blocks=FRAME, **more)


def test_a_block_at_each_step_is_what_keras_makes_of_a_model_at_each_step():
    model = zoo.build(_film([EACH, {"LSTM": 6}]), l2=0.01, dropout=0.25, seed=1)
    same = zoo.build(_film([EACH, {"LSTM": 6}]), l2=0.01, dropout=0.25, seed=1)
    each = model.get_layer("each")

    assert [one.name for one in each.layer.layers] == ["conv", "batch_normalization", "flatten", "dropout"]
    assert each.layer.get_layer("conv").kernel_regularizer.l2 == pytest.approx(0.01)
    assert each.layer.get_layer("dropout").rate == 0.25
    for one, other in zip(model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    paths = [path for path, _ in weights_by_path(model)]
    assert len(set(paths)) == len(paths) == len(model.weights) and any(one.startswith("each/") for one in paths)
    rows = np.random.default_rng(0).normal(size=(3, 4, 8, 8, 1)).astype("float32")
    apart = np.stack([each.layer(rows[:, step]) for step in range(4)], axis=1)
    np.testing.assert_allclose(each(rows), apart, rtol=1e-5, atol=1e-6)


def test_a_block_at_each_step_costs_so_often_as_there_are_steps():
    spec = zoo.load(_film([EACH, {"reuse": {"layer": "each", "from": "input", "name": "more"}},
                           {"Add": {"from": ["each", "more"]}}, {"LSTM": 6}]))  # fmt: skip
    flat, problems = unfolding.unfold(spec.fill())
    rows = {one.name: one for one in measuring.measure(flat)}

    assert not problems
    assert rows["each/conv"].flops == 2 * 4 * 6 * 6 * 9 * 5
    assert rows["each/conv"].parameters == 50 and rows["more"].parameters == 0
    assert rows["more"].flops == sum(one.flops for name, one in rows.items() if name.startswith("each/"))


def test_a_block_at_each_step_of_steps_that_data_will_count_has_no_costs_yet():
    layers = [{"TimeDistributed": {"layer": "part", "name": "each"}}, {"LSTM": 6}]
    blocks = {"part": {"nested": True, "layers": [{"Dense": 4}, {"Dense": 3}]}}
    flat, _ = unfolding.unfold(zoo.load(_spec(layers, shape=(None, 4), blocks=blocks)).fill())

    assert {one.flops for one in measuring.measure(flat) if "each" in one.name} == {None}


def test_a_block_at_each_step_needs_steps():
    with pytest.raises(ZooError, match=r"TimeDistributed on \(None, 4\): it goes through steps, the second axis"):
        layers = [{"TimeDistributed": {"layer": "part"}}]
        blocks = {"part": {"nested": True, "layers": [{"Dense": 4}]}}
        zoo.build(_spec(layers, family="mlp", shape=(4,), blocks=blocks))


def test_words_of_a_block_at_each_step_stand_beside_it():
    wrapper = EACH["TimeDistributed"]
    repeated = {"TimeDistributed": {"layer": "part", "repeat": 2, "name": "part", "l2": 0.5, "frozen": "$still"}}
    blocks = {**FRAME, "part": {"nested": True, "layers": [{"Dense": 180}]}}
    layers = [{"TimeDistributed": {**wrapper, "if": "$classes > 1"}}, repeated, {"LSTM": 6}]
    flat, problems = unfolding.unfold(zoo.load({**_film(layers), "blocks": blocks, "let": {"still": True}}).fill())

    assert not problems
    assert [one.name for one in flat.nodes] == ["each", "part1", "part2", "lstm", "predictions"]
    assert [(one.l2, one.frozen) for node in flat.nodes[1:3] for one in node.network.walk()] == [(0.5, True)] * 2
    assert len(lower(flat, Plain()).get_layer("part1").trainable_weights) == 0


def test_a_search_fills_lambda_and_p_of_a_block_at_each_step(tmp_path):
    ranges = {
        "l2": {"min_value": 1e-6, "max_value": 1e-2, "sampling": "log", "default": 1e-3},
        "dropout": {"min_value": 0.0, "max_value": 0.7, "default": 0.5},
    }
    dice = np.random.default_rng(0)
    rows = dice.normal(size=(90, 4, 8, 8, 1)).astype("float32")
    np.savez(tmp_path / "films.npz", x_train=rows, y_train=np.arange(90) % 3)
    spec = _film([EACH, {"LSTM": 6}], **ranges, train={"epochs": 2})
    study = zoo.tune(spec, zoo.data(str(tmp_path / "films.npz")), trials=2, run=str(tmp_path / "run"))
    served = study.export(str(tmp_path / "served"))

    assert study.trials[1].values != study.trials[0].values
    assert served


@pytest.mark.parametrize("beside", [False, True])
def test_defaults_of_a_wrapper_reach_a_block_at_each_step(beside):
    layers = [EACH, *([{"TimeDistributed": {"layer": "Flatten", "name": "flat"}}] * beside), {"LSTM": 6}]
    given = {"TimeDistributed": {"activity_regularizer": "l2", "trainable": False}}
    spec = zoo.load(_film(layers, defaults=given))
    model = zoo.build(spec)

    assert type(model.get_layer("each").activity_regularizer).__name__ == "L2"
    assert model.get_layer("each").trainable_weights == []
    assert len(model.trainable_weights) == 5  # of the LSTM and the head


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"dtype": "$odd"}, r"layers\[0\].TimeDistributed.dtype: `\$odd` is `\"banana\"`; expected one of float32"),
        ({"activity_regularizer": "$odd"}, r"TimeDistributed.activity_regularizer: `\$odd` is no activity regularizer"),
        ({"activity_regularizer": {"L2": {"l2": "$less"}}}, r"activity_regularizer.L2.l2: .*-1"),
    ],
)
def test_computed_arguments_of_a_wrapper_of_a_block_are_checked(words, says):
    item = {"TimeDistributed": {**EACH["TimeDistributed"], **words}}
    with pytest.raises(ZooError, match=says):
        zoo.load(_film([item, {"LSTM": 6}], let={"odd": "banana", "less": -1}))


def test_ids_that_a_block_at_each_step_reads_are_known_as_such():
    blocks = {"word": {"nested": True, "layers": [{"Embedding": {"input_dim": 30, "output_dim": 4}}, "Flatten"]}}
    layers = [{"Reshape": [3, 2]}, {"TimeDistributed": {"layer": "word"}}, "Flatten"]
    flat, problems = unfolding.unfold(zoo.load(_spec(layers, family="mlp", shape=(6,), blocks=blocks)).fill())

    assert not problems
    assert [(limit, read) for _, limit, read in columns.read_as_ids(flat, 6)] == [
        (30, [0, 1]),
        (30, [2, 3]),
        (30, [4, 5]),
    ]
