"""What an imported spec says of a model: task, names, words, lambda and p; and how it is folded."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from imported import R, assert_same, both_ways, built, chain, lines, nodes, odd_inputs, residual, staged, u_net
from keras import layers as L

import zoo
from zoo import ZooError, importing
from zoo.language import folding

# What the spec says


def test_a_spec_reads_as_one_written_by_hand():
    keras.backend.clear_session()
    rate, l2 = 0.25, R.L2(0.02)
    model = keras.Sequential(
        [
            keras.Input((5, 3), name="steps"),
            L.Bidirectional(L.LSTM(4, kernel_regularizer=l2, recurrent_regularizer=l2)),
            L.Dropout(rate),
            L.Dense(6, activation="relu", kernel_regularizer=l2, name="wide"),
            L.GaussianDropout(rate),
            L.Dense(3, kernel_regularizer=l2),
            L.Activation("softmax"),
        ],
        name="My model",
    )

    assert importing.spec_of(model) == {
        "spec": 1,
        "name": "My_model",
        "family": "rnn",
        "task": "classification",
        "summary": "Imported from the Keras model My model.",
        "classes": 3,
        "input": {"shape": [5, 3]},
        "l2": 0.02,
        "dropout": 0.25,
        "layers": [
            {"Bidirectional": {"layer": {"LSTM": {"units": 4}}}},
            "Dropout",
            {"Dense": {"name": "wide", "units": 6, "activation": "relu"}},
            "GaussianDropout",
        ],
        "head": [{"Dense": {"units": "$classes"}}, {"Activation": {"activation": "softmax"}}],
    }
    assert importing.spec_of(model, name="mine")["name"] == "mine"


def test_a_default_that_follows_from_another_argument_is_not_said():
    keras.backend.clear_session()
    pools = [L.MaxPooling2D(3), L.MaxPooling2D(3, strides=2), L.MaxPooling2D(2), L.MaxPooling2D((2, 1), strides=(2, 1))]
    spec = importing.spec_of(chain(*pools, L.Flatten(), shape=(48, 48, 1)))

    assert spec["layers"] == [
        {"MaxPooling2D": {"pool_size": 3}}, {"MaxPooling2D": {"pool_size": 3, "strides": 2}}, "MaxPooling2D",
        {"MaxPooling2D": {"pool_size": [2, 1]}},
    ]  # fmt: skip


def test_lambda_and_p_are_the_specs_only_where_all_kernels_and_all_dropout_layers_agree():
    keras.backend.clear_session()
    parts = [keras.Input((4,)), L.Dense(3, kernel_regularizer=R.L2(0.02)), L.Dropout(0.1), L.Dense(3), L.Dropout(0.2)]
    spec = importing.spec_of(keras.Sequential([*parts, L.Dense(2)]))

    assert spec["l2"] == 0 and "dropout" not in spec
    assert spec["layers"] == [
        {"Dense": {"units": 3, "kernel_regularizer": {"L2": {"l2": 0.02}}}}, {"Dropout": {"rate": 0.1}},
        {"Dense": {"units": 3}}, {"Dropout": {"rate": 0.2}},
    ]  # fmt: skip
    assert "l2" not in importing.spec_of(keras.Sequential([keras.Input((4, 4, 1)), L.MaxPooling2D(), L.Flatten()]))


def test_inputs_whose_names_the_language_has_no_place_for_get_others():
    assert list(importing.spec_of(odd_inputs())["inputs"]) == ["input_1", "second_row"]


def test_an_input_keeps_its_name_where_a_layer_has_the_one_that_it_would_get():
    rows = keras.Input((4,), name="rows")
    model = keras.Model(rows, L.Dense(3)(L.Dense(4, name="table")(rows)))

    assert importing.spec_of(model)["inputs"] == {"rows": {"shape": [4]}}
    assert_same(model, built(model))


def test_a_model_without_a_dense_at_its_end_ends_as_it_is():
    model = keras.Sequential([keras.Input((4, 4, 2)), L.Conv2D(3, 1), L.GlobalAveragePooling2D(name="pool")])
    single = keras.Sequential([keras.Input((4,)), L.Dense(3, activation="softmax", name="only")])

    assert importing.spec_of(model)["head"] == [{"GlobalAveragePooling2D": {"name": "pool"}}]
    assert importing.spec_of(single)["layers"] == [] and "Dense" in importing.spec_of(single)["head"][0]
    assert_same(single, zoo.build(importing.spec_of(single)))


# Folding


@pytest.mark.parametrize("make", [residual, staged, u_net])
def test_folding_gives_a_shorter_text_of_the_same_nodes(make):
    keras.backend.clear_session()
    flat = importing.spec_of(make(), folded=False)
    spec = folding.fold(flat)

    assert lines(spec) < lines(flat)
    assert nodes(spec) == nodes(flat)


@pytest.mark.parametrize("make", [residual, staged])
def test_a_residual_network_is_folded_to_fewer_lines_than_it_has_layers(make):
    keras.backend.clear_session()
    model = make()

    assert lines(importing.spec_of(model)) < len(model.layers)


def test_names_that_begin_alike_make_blocks_and_what_differs_their_parameters():
    keras.backend.clear_session()
    spec = importing.spec_of(staged())

    assert {name: block["parameters"] for name, block in spec["blocks"].items()} == {
        "conv_block": {"filters": None, "kernel_size": None, "strides": 1},
        "conv_block_2": {"filters": None, "filters_2": None, "strides": 2},
        "conv_block_3": {"filters": None, "filters_2": None},
    }
    assert spec["layers"][1:4] == [
        {"conv_block_2": {"name": "conv1_block1", "filters": 32, "strides": 1, "filters_2": 8}},
        {"conv_block_3": {"name": "conv1_block2", "filters": 8, "filters_2": 32}},
        {"conv_block_2": {"name": "conv2_block1", "filters": 64, "filters_2": 16}},
    ]


def test_a_block_takes_what_it_reads_from_elsewhere_as_an_input():
    keras.backend.clear_session()
    spec = importing.spec_of(u_net())

    assert spec["blocks"]["up"]["inputs"] == ["input", "other"]
    assert spec["layers"][-1] == {"up": {"name": "up0", "from": ["previous", "down0_relu2"], "filters": 4}}


def test_numbers_that_grow_in_names_make_a_loop():
    keras.backend.clear_session()
    parts = [
        part
        for index in range(4)
        for part in (L.Dense(8 * (index + 1), name=f"wide_{index + 3}"), L.ReLU(name=f"relu_{2 * index}_x"))
    ]

    assert importing.spec_of(chain(*parts, L.Dense(2)))["layers"] == [
        {
            "for": ["i", "units"],
            "in": [[3, 8], [4, 16], [5, 24], [6, 32]],
            "layers": [
                {"Dense": {"name": "wide_$i", "units": "$units"}},
                {"ReLU": {"name": "relu_${2 * $i - 6}_x"}},
            ],
        }
    ]


def test_layers_without_names_that_come_again_make_a_loop():
    keras.backend.clear_session()
    spec = importing.spec_of(residual())
    (loop,) = [item for item in spec["layers"] if isinstance(item, dict) and "for" in item]
    found = [next(iter(one)) if isinstance(one, dict) else one for one in loop["layers"]]

    assert sorted(found) == sorted(2 * ["Conv2D", "BatchNormalization", "ReLU"] + ["Add"])
    assert loop["in"] == ["re_lu", *(f"re_lu_{2 * index}" for index in range(1, 6))]


def test_equal_layers_in_a_row_are_one_that_repeats():
    keras.backend.clear_session()
    dense = [L.Dense(8, activation="relu", name=f"wide{index + 1}") for index in range(3)]
    plain = [L.Dense(8) for _ in range(4)]
    spec = importing.spec_of(keras.Sequential([keras.Input((4,)), *dense, *plain, L.Dense(2)]))

    assert spec["layers"] == [
        {"Dense": {"name": "wide", "repeat": 3, "units": 8, "activation": "relu"}},
        {"Dense": {"repeat": 4, "units": 8}},
    ]


def test_what_all_layers_of_a_class_share_is_said_once():
    keras.backend.clear_session()
    initial = keras.initializers.VarianceScaling(2.0, "fan_out")
    first, second, third = (L.Conv2D(4 + n, 3, padding="same", kernel_initializer=initial) for n in range(3))
    spec = importing.spec_of(chain(first, L.ReLU(), second, L.MaxPooling2D(), third, L.Flatten(), shape=(8, 8, 1)))

    assert spec["defaults"] == {
        "Conv2D": {
            "kernel_size": 3,
            "padding": "same",
            "kernel_initializer": {"VarianceScaling": {"scale": 2.0, "mode": "fan_out"}},
        }
    }


def test_a_short_model_stays_flat():
    keras.backend.clear_session()
    flat = importing.spec_of(both_ways(), folded=False)

    assert folding.fold(flat) == flat


@pytest.mark.parametrize(
    "wrong",
    [
        ("_counting", lambda pieces, index, begin: f"{pieces[0]}${{${index} + 7}}"),
        ("_mostly", lambda values: values[0] if isinstance(values[0], int) else None),
        ("_without_names", lambda data, unnamed: {**data, "layers": data["layers"][1:]}),
    ],
)
def test_a_fold_that_is_wrong_is_not_taken(monkeypatch, wrong):
    keras.backend.clear_session()
    monkeypatch.setattr(folding, *wrong)
    for make in (residual, staged, u_net):
        flat = importing.spec_of(make(), folded=False)

        assert nodes(folding.fold(flat)) == nodes(flat)


def test_a_spec_that_is_not_flat_or_says_several_networks_comes_back_as_it_is():
    base = {"spec": 1, "name": "small", "family": "mlp", "classes": 3, "input": {"shape": [4]}}
    wide = {"Dense": {"units": {"values": [4, 8], "default": 4}}}
    for layers, more in (
        (["Nothing"], {}),
        ([{"Dense": 8}] * 5, {}),
        ([{"Dense": {"units": 4, "repeat": 3}}], {}),
        ([wide] * 5, {}),
        ([{"Dense": {"units": "$width"}}] * 5, {"let": {"width": {"values": [4, 5], "default": 4}}}),
        ([{"Dense": {"units": "$width"}}] * 5, {"let": {"width": "$half * 2", "half": 2}}),
        ([{"Dense": {"units": 4}}] * 5, {"l2": {"values": [0.1, 0.2], "default": 0.1}}),
    ):
        assert folding.fold({**base, **more, "layers": layers}) == {**base, **more, "layers": layers}
    assert folding.fold({**base, "layers": [{"Dense": {"units": 4}}] * 5})["layers"] == [
        {"Dense": {"repeat": 5, "units": 4}}
    ]


@pytest.mark.parametrize(
    ("layer", "arguments"),
    [
        (lambda: L.Hashing(5), {"num_bins": 5}),
        (lambda: L.Hashing(5, dtype="int32"), {"num_bins": 5, "dtype": "int32"}),
        (lambda: L.Hashing(5, output_mode="one_hot"), {"num_bins": 5, "output_mode": "one_hot"}),
        (lambda: L.CategoryEncoding(3, dtype="int64"), {"num_tokens": 3, "dtype": "int64"}),
    ],
)
def test_a_layer_of_whole_numbers_computes_in_the_type_that_it_did(layer, arguments):
    keras.backend.clear_session()
    model = keras.Sequential([keras.Input((3,), dtype="int32"), layer()])
    made, rows = built(model), np.array([[0, 1, 2], [2, 1, 0]], "int32")

    assert [dict(*one.values()) for one in importing.spec_of(model)["head"]] == [arguments]
    assert made(rows).dtype == model(rows).dtype
    np.testing.assert_array_equal(made(rows), model(rows))


@pytest.mark.parametrize("reloaded", [False, True])
@pytest.mark.parametrize("kind", ["float32", "float64", "int32", "tensor"])
def test_an_array_is_a_list(kind, reloaded, tmp_path):
    keras.backend.clear_session()
    tenths = keras.ops.array([1, 0.1]) if kind == "tensor" else np.array([1, 3 if kind == "int32" else 0.1], kind)
    model = keras.Sequential([keras.Input((2,)), L.Rescaling(tenths, offset=np.array([0.3, 0.0])), L.Dense(2)])
    if reloaded:
        model.save(tmp_path / "model.keras")
        model = importing.read(tmp_path / "model.keras")

    scale = [1, 3] if kind == "int32" else [1.0, 0.1]
    assert importing.spec_of(model)["layers"] == [{"Rescaling": {"scale": scale, "offset": [0.3, 0.0]}}]
    assert_same(model, built(model))


def test_a_spec_is_called_as_specs_are():
    with pytest.raises(
        ZooError, match=r"`\.x` is no name of a spec; expected letters .*, which begin with a letter or"
    ):
        importing.spec_of(keras.Sequential([keras.Input((4,)), L.Dense(2)]), ".x")
