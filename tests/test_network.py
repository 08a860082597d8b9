"""A filled spec laid out flat: names, inputs, lambda and p, the ends of a task, and what a trace depends on."""

from __future__ import annotations

import json

import pytest

from zoo import selection
from zoo.errors import ZooError
from zoo.language import items, network, unfolding

BASE = {"spec": 1, "name": "small", "family": "mlp", "classes": 3, "input": {"shape": [4]}}
CODED = {
    "spec": 1, "name": "small", "family": "ae", "input": {"shape": [4]}, "encoder": [{"Dense": 8}],
    "latent": {"Dense": {"units": 2}}, "decoder": [{"Dense": 8}],
}  # fmt: skip


def unfolded(source):
    found, problems = unfolding.unfold(selection.load(source).fill())
    assert problems == []
    return found


def layers(*items, **more):
    return unfolded({**BASE, "layers": list(items), **more})


def inputs(found) -> dict[str, tuple[str, ...]]:
    return {node.name: node.inputs for node in found.walk()}


def refusal(*items, **more) -> list[str]:
    with pytest.raises(ZooError) as caught:
        selection.load({**BASE, "layers": list(items), **more})
    return str(caught.value).replace("the mapping: ", "").split("\n")


@pytest.mark.parametrize("name", sorted(selection.names()))
def test_every_node_stands_after_its_inputs_knows_its_line_and_has_a_name_of_its_own(name):
    found, path = unfolded(name), selection.names()[name][0]
    lines = path.read_text(encoding="utf-8").split("\n")

    def holds(inside):
        seen = {one.name for one in inside.inputs}
        for node in inside.nodes:
            assert {network.owner(one) for one in node.read()} <= seen
            assert node.name not in seen
            seen.add(node.name)
            assert node.mark.file == path.name
            if node.path.endswith(f"].{node.layer}"):
                assert lines[node.mark.line - 1][node.mark.column - 1 :].startswith(node.layer)
            if node.network:
                assert len(node.inputs) == len(node.network.inputs)
                holds(node.network)
        assert {network.owner(one) for one in inside.outputs} <= seen

    holds(found)


@pytest.mark.parametrize("name", sorted(selection.names()))
def test_the_parts_of_a_network_follow_from_its_family(name):
    parts = list(dict.fromkeys(node.part for node in unfolded(name).nodes))

    spec = selection.load(name)
    expected = {
        "layers": ["layers", "head"],
        "reconstruction": ["encoder", "decoder"],
        "generation": ["encoder", "latent", "decoder", "criterion"],
    }[spec.task if spec.coded else "layers"]
    contracted = "contractive" in spec.data.get("penalties", {})

    assert parts == expected + ["criterion"] * contracted


def test_an_item_is_a_name_a_lone_value_or_arguments():
    found = layers(
        "Flatten", {"Dense": 8}, {"Dropout": 0.25}, {"Dense": {"units": 4, "activation": "relu"}}, {"Flatten": None}
    )

    assert [(node.layer, node.arguments) for node in found.nodes[:-1]] == [
        ("Flatten", {}), ("Dense", {"units": 8}), ("Dropout", {}), ("Dense", {"units": 4, "activation": "relu"}),
        ("Flatten", {}),
    ]  # fmt: skip
    assert found.nodes[2].dropout == 0.25


def test_a_list_of_one_is_that_tensor_to_a_layer_that_takes_one():
    found = layers({"Dense": {"units": 4, "name": "a"}}, {"Dense": {"units": 4, "from": ["a"]}})

    assert (found.nodes[1].inputs, found.nodes[1].many) == (("a",), False)


def test_a_lone_list_is_the_one_required_argument():
    assert layers({"Reshape": [2, 2]}, "Flatten").nodes[0].arguments == {"target_shape": [2, 2]}


def test_a_layer_without_a_name_goes_by_its_class_counted_within_the_spec():
    found = layers(
        {"Dense": 8}, {"Dense": {"units": 8, "name": "dense_1"}}, {"Dense": 8}, {"PReLU": {}},
        {"LayerNormalization": {}}, {"RMSNormalization": {}}, {"Dense": {"units": 8, "name": 0}},
    )  # fmt: skip

    assert [node.name for node in found.nodes] == [
        "dense", "dense_1", "dense_2", "p_re_lu", "layer_normalization", "rms_normalization", "0", "predictions",
    ]  # fmt: skip
    assert layers({"Dense": 8}).nodes[0].name == "dense"


def test_default_names_are_keras_own():
    import keras

    from zoo.language.catalogue import catalogue

    named = {layer: keras.src.utils.naming.to_snake_case(layer) for layer in catalogue()["layers"]}

    assert {layer: network.snake_case(layer) for layer in named} == named


def test_from_says_what_a_layer_is_called_on():
    found = layers(
        {"Dense": {"name": "a", "units": 8}},
        {"Dense": {"name": "b", "units": 8, "from": "input"}},
        {"Dense": {"name": "c", "units": 8, "from": "table"}},
        {"Add": {"name": "d", "from": ["b", "a", "previous"]}},
        {"Dense": {"name": "e", "units": 8}},
    )

    assert inputs(found) == {
        "a": ("table",), "b": ("table",), "c": ("table",), "d": ("b", "a", "c"), "e": ("d",), "predictions": ("e",),
    }  # fmt: skip


def test_in_a_decoder_and_the_head_that_ends_it_the_input_is_the_code():
    decoder = [
        {"Dense": {"name": "a", "units": 8}},
        {"Dense": {"name": "b", "units": 8, "from": "input"}},
        {"Add": {"from": ["a", "b"]}},
    ]
    head = [{"Dense": {"name": "c", "units": 4}}, {"Add": {"name": "d", "from": ["c", "input"]}}]
    found = inputs(unfolded({**CODED, "decoder": decoder, "head": head}))

    assert (found["a"], found["b"], found["add"]) == (("code",), ("code",), ("a", "b"))
    assert (found["c"], found["d"]) == (("add",), ("c", "code"))


def test_lambda_reaches_every_kernel_and_nothing_else():
    found = layers(
        {"Dense": 8}, {"BatchNormalization": {}}, {"Reshape": [2, 4]},
        {"Bidirectional": {"layer": {"LSTM": {"units": 3, "return_sequences": True}}}},
        {"TimeDistributed": {"layer": {"Dense": {"units": 3}}}}, {"SeparableConv1D": {"filters": 2, "kernel_size": 1}},
        {"TimeDistributed": {"layer": "Flatten"}}, "Flatten", "PReLU",
        {"Dense": {"units": 8, "kernel_regularizer": "l1"}}, {"Dense": {"units": 8, "kernel_regularizer": None}},
        l2=0.25,
    )  # fmt: skip

    assert {node.name: node.l2 for node in found.nodes} == {
        "dense": 0.25, "batch_normalization": None, "reshape": None, "bidirectional": 0.25, "time_distributed": 0.25,
        "separable_conv1d": 0.25, "time_distributed_1": None, "flatten": None, "p_re_lu": None, "dense_1": None,
        "dense_2": None, "predictions": 0.25,
    }  # fmt: skip


def test_a_layer_may_have_its_own_lambda_and_its_own_p():
    own, none = {"Dense": {"units": 8, "l2": 0.5}}, {"Dense": {"units": 8, "l2": 0}}
    found = layers(own, {"Dropout": 0.1}, none, "GaussianDropout", l2=0.25, dropout=0.75)

    assert [node.l2 for node in found.nodes] == [0.5, None, 0, None, 0.25]
    assert [node.dropout for node in found.nodes] == [None, 0.1, None, 0.75, None]
    assert all(not {"l2", "rate", "name", "from"} & set(node.arguments) for node in found.nodes)


def test_a_layer_whose_own_argument_is_called_as_a_word_of_ours_keeps_it():
    found = layers(
        {"ActivityRegularization": {"l2": 0.5}},
        {"Dense": {"units": 3, "kernel_constraint": {"MinMaxNorm": {"rate": 0.5}}}},
    )

    assert found.nodes[0].arguments == {"l2": 0.5}
    assert found.nodes[1].arguments["kernel_constraint"] == {"MinMaxNorm": {"rate": 0.5}}


@pytest.mark.parametrize(
    ("task", "facts", "ends"),
    [
        ("classification", {"classes": 5}, [("predictions", "Dense", {"units": 5, "activation": "softmax"})]),
        ("regression", {}, [("predictions", "Dense", {"units": 1})]),
        ("regression", {"targets": 2}, [("predictions", "Dense", {"units": 2})]),
        ("forecasting", {"horizon": 3, "features": 2}, [
            ("steps", "Dense", {"units": 6}), ("predictions", "Reshape", {"target_shape": [3, 2]}),
        ]),
    ],
)  # fmt: skip
def test_the_task_gives_the_head(task, facts, ends):
    source = {key: value for key, value in BASE.items() if key != "classes"}
    found = unfolded({**source, "task": task, **facts, "layers": ["Flatten"]})

    assert [(node.name, node.layer, node.arguments) for node in found.nodes if node.part == "head"] == ends
    assert [node.path for node in found.nodes if node.part == "head"] == [f"head.{layer}" for _, layer, _ in ends]


def test_a_head_of_the_spec_replaces_the_tasks():
    found = layers("Flatten", head=[{"Dense": 7}, "Softmax"])

    assert [(node.name, node.part) for node in found.nodes] == [
        ("flatten", "layers"),
        ("dense", "head"),
        ("softmax", "head"),
    ]


@pytest.mark.parametrize(
    ("shape", "likelihood", "layer", "arguments"),
    [
        ([4], "gaussian", "Dense", {"units": 4, "activation": "linear"}),
        ([5, 3], "bernoulli", "Dense", {"units": 3, "activation": "sigmoid"}),
        (
            [8, 8, 2],
            "bernoulli",
            "Conv2D",
            {"filters": 2, "kernel_size": 3, "padding": "same", "activation": "sigmoid"},
        ),
    ],
)
def test_a_decoder_ends_in_the_shape_of_the_input_and_what_the_likelihood_needs(shape, likelihood, layer, arguments):
    last = unfolded({**CODED, "input": {"shape": shape}, "likelihood": likelihood})
    last = list(last.walk())[-1]

    assert (last.name, last.layer, last.part, last.arguments) == ("reconstruction", layer, "decoder", arguments)


def test_a_size_that_only_data_know_gets_its_reconstruction_when_they_are_met():
    open_size = selection.load({**CODED, "input": {"shape": [None]}})

    assert unfolding.unfold(open_size)[0].nodes[-1].network.output == "dense"
    assert list(unfolding.unfold(open_size.adapted(shape=(9,)))[0].walk())[-1].arguments["units"] == 9


@pytest.mark.parametrize(
    ("latent", "name"),
    [
        ({"Dense": {"units": 2}}, "code"),
        ({"Dense": 2}, "code"),
        ("Flatten", "code"),
        ({"Dense": {"units": 2, "name": "z"}}, "z"),
    ],
)
def test_the_layer_of_a_latent_ends_the_encoder_and_is_called_the_code(latent, name):
    found = unfolded({**CODED, "latent": latent})

    assert [(node.name, node.part) for node in found.walk() if node.path.startswith("latent")] == [(name, "encoder")]
    assert inputs(found)["dense"] == (name,)  # the decoder's, which has names of its own


@pytest.mark.parametrize("latent", [{"Gaussian": {"units": 2}}, {"Gaussian": 2}])
def test_a_gaussian_latent_stands_for_means_variances_a_sample_and_the_bound(latent):
    found = unfolded({**CODED, "family": "vae", "latent": latent, "l2": 0.25})
    nodes = {node.name: node for node in found.walk()}

    assert [(node.name, node.layer, node.part) for node in found.walk()] == [
        ("dense", "Dense", "encoder"), ("z_mean", "Dense", "encoder"), ("z_log_var", "Dense", "encoder"),
        ("z", "Sampling", "latent"), ("dense", "Dense", "decoder"), ("reconstruction", "Dense", "decoder"),
        ("evidence", "EvidenceLowerBound", "criterion"),
    ]  # fmt: skip
    assert (nodes["z_mean"].arguments, nodes["z_mean"].l2, nodes["z"].l2) == ({"units": 2}, 0.25, None)
    assert inputs(found)["z_mean"] == inputs(found)["z_log_var"] == ("dense",)
    assert (inputs(found)["z"], inputs(found)["dense"]) == (("encoder", "encoder:1"), ("z",))
    assert inputs(found)["evidence"] == ("table", "decoder", "encoder", "encoder:1", "z")


# What may go wrong in the graph


def test_one_unknown_layer_is_one_problem_whatever_follows_it():
    wrong = {"Dens": {"name": "a", "units": 8}}
    after = [{"Dense": {"name": "b", "units": 8, "from": "input"}}, {"Add": {"from": ["a", "b"]}}]

    assert refusal(wrong, *after, l2=0.5) == [
        "layers[0].Dens: no layer `Dens`; expected the name of a Keras layer; did you mean `Dense`?"
    ]


def test_one_unknown_tensor_is_one_problem_though_another_is_left_unused():
    before = [{"Dense": {"name": "first", "units": 8}}, {"Dense": {"units": 8, "from": "input"}}]

    assert refusal(*before, {"Add": {"from": ["frist", "previous"]}}) == [
        "layers[2].Add.from[0]: no tensor `frist`; expected previous, input or a name above; did you mean `first`?"
    ]


def test_problems_of_arguments_do_not_hide_those_of_the_graph():
    assert refusal({"Dense": {"name": "a", "units": -8}}, {"Dense": {"units": 8, "from": "input"}}, dropout=0.25) == [
        "layers[0].Dense.units: `-8` is not accepted; expected a whole number above 0",
        "layers[0].Dense: `a` leads to no output; expected every layer to be used",
        "dropout: nothing reads it; expected a Dropout without a rate of its own",
    ]


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ({"Dense": {"name": "predictions", "units": 3}}, "predictions"),
        ({"Dense": {"name": "steps", "units": 3}}, "steps"),
    ],
)
def test_the_names_of_a_head_are_taken_at_the_layer_that_took_them(item, name):
    said = f"`{name}` is the name of a layer that is added to every forecasting network without `head`"

    found = {key: value for key, value in BASE.items() if key != "classes"}
    with pytest.raises(ZooError) as caught:
        selection.load({**found, "task": "forecasting", "horizon": 2, "layers": [item]})
    assert str(caught.value) == (
        f"the mapping: layers[0].Dense.name: {said}; expected another name, or this layer under `head`"
    )
    assert layers(item, head=["Softmax"]).nodes[0].name == name


def test_a_layer_that_no_lambda_can_act_on_takes_none():
    says = "nothing reads it; expected a layer with a kernel that has no regularizer of its own"

    assert refusal({"Flatten": {"l2": 0.5}}, {"Dense": {"units": 8, "l2": 0.5, "kernel_regularizer": "l1"}}) == [
        f"layers[0].Flatten.l2: {says}", f"layers[1].Dense.l2: {says}",
    ]  # fmt: skip


def test_after_a_hundred_problems_no_more_items_are_looked_at():
    assert len(refusal(*[{"Dens": 8}] * 5000)) == items.MOST


# What a trace depends on

LAMBDA = {"min_value": 1e-7, "max_value": 1e-2, "sampling": "log", "zero": True, "default": 1e-3}
RATE = {"min_value": 0.0, "max_value": 0.5, "default": 0.25}


def searched(**more):
    items = [
        {"Dense": {"name": "fc1", "units": {"values": [8, 16], "default": 8}, "l2": LAMBDA}},
        "Dropout",
        {"LeakyReLU": {"name": "leak", "negative_slope": RATE}},
        {"Dropout": {"name": "second", "rate": RATE}},
    ]
    return selection.load({**BASE, "l2": LAMBDA, "dropout": RATE, "layers": items, **more})


def traced(values) -> str:
    return json.dumps(unfolding.unfold(searched().fill(values))[0].without_values())


def test_the_knobs_are_the_ranges_that_act_as_lambda_or_p():
    assert unfolding.unfold(searched().fill())[0].knobs() == {"fc1.l2", "l2", "dropout", "second.rate"}
    assert unfolding.unfold(searched(dropout=0.5).fill())[0].knobs() == {"fc1.l2", "l2", "second.rate"}
    assert layers("Flatten").knobs() == set()


@pytest.mark.parametrize("values", [{"l2": 0}, {"l2": 1e-5, "dropout": 0.0}, {"fc1.l2": 0.0, "second.rate": 0.5}])
def test_a_trace_serves_every_value_of_a_knob(values):
    assert traced(values) == traced({})


@pytest.mark.parametrize("values", [{"fc1.units": 16}, {"leak.negative_slope": 0.5}])
def test_a_trace_serves_one_value_of_everything_else(values):
    assert traced(values) != traced({})


def test_a_network_without_values_names_its_knobs_and_states_the_rest():
    assert unfolding.unfold(searched().fill())[0].without_values() == [
        ["fc1", "Dense", {"units": 8}, ["table"], "layers", {}, False, "", "<fc1.l2>", None, None],
        ["dropout", "Dropout", {}, ["fc1"], "layers", {}, False, "", None, "<dropout>", None],
        ["leak", "LeakyReLU", {"negative_slope": 0.25}, ["dropout"], "layers", {}, False, "", None, None, None],
        ["second", "Dropout", {}, ["leak"], "layers", {}, False, "", None, "<second.rate>", None],
        [
            "predictions",
            "Dense",
            {"units": 3, "activation": "softmax"},
            ["second"],
            "head",
            {},
            False,
            "",
            "<l2>",
            None,
            None,
        ],
    ]


@pytest.mark.parametrize(
    ("item", "acting"),
    [
        ({"Dense": {"units": 8, "kernel_regularizer": {"L2": {"l2": 0.5}}}}, ([0.5], [])),
        ({"LSTM": {"units": 4, "dropout": "$dropout", "recurrent_dropout": 0.1}}, ([0.01], [0.25, 0.1])),
        ({"TimeDistributed": {"layer": {"Dropout": {"rate": 0.4}}}}, ([], [0.4])),
        ({"Bidirectional": {"layer": {"GRU": {"units": 4, "kernel_regularizer": "L1L2"}}}}, ([0.01, 0.0], [])),
        ("Dropout", ([], [0.25])),
        ({"Dense": {"units": 2, "frozen": True}}, ([], [])),
    ],
    ids=str,
)
def test_lambda_and_p_are_told_where_they_act(item, acting):
    source = {"input": {"shape": [6, 4]}, "l2": 0.01, "dropout": 0.25, "family": "rnn"}
    found = layers(item, "Dropout", "Flatten", **source)

    assert found.nodes[0].acting() == acting
