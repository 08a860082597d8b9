"""What `eject` writes builds the model that zoo builds, by Keras alone: the same graph, configs, weights, answers."""

from __future__ import annotations

import ast
import builtins
import functools
import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import keras
import numpy as np
import pytest

from zoo import layers, selection
from zoo.ejecting import eject
from zoo.errors import ZooError
from zoo.language import network, unfolding
from zoo.lowering import Plain, lower, make
from zoo.measuring import measure

NAMES = list(selection.names())
SLOW = 30_000_000  # parameters: above, a build takes a gigabyte
SIZES = (64, 96, 128)  # pixels or steps that are tried in the place of more, so that calls take no minutes


def smallest_of_each_file():
    """The variant of every spec file with the fewest parameters; large ones are for the slow ring."""
    parameters = {card.name: card.parameters or 0 for card in selection.cards()}
    variants = defaultdict(list)
    for name, (path, _) in selection.names().items():
        variants[path].append(name)
    found = [min(several, key=parameters.__getitem__) for several in variants.values()]
    return [pytest.param(one, marks=[pytest.mark.slow] * (parameters[one] > SLOW)) for one in found]


FILES = smallest_of_each_file()


def unfolded(source, changes=None):
    found, problems = unfolding.unfold(selection.load(source, changes).fill())
    assert found is not None, problems
    return found


def written(items, **more):
    """The network of a small spec; what is None in `more` is not in it."""
    usual = {"spec": 1, "name": "small", "family": "mlp", "task": "regression", "targets": 1, "input": {"shape": [6]}}
    data = {**usual, "l2": 0, **more, "layers": items}
    return unfolded({key: value for key, value in data.items() if value is not None})


@functools.cache
def ejected(name):
    """The network of a spec of the zoo, and its text."""
    flat = unfolded(name)
    return flat, eject(flat)


def smaller(name):
    """The networks of a spec on smaller inputs, the smallest first, and at last as it is."""
    data = selection.load(name).data
    shape = list((data.get("input") or {}).get("shape") or [])
    for size in SIZES:
        changed = [*(min(one, size) if one else one for one in shape[:-1]), *shape[-1:]]
        if len(shape) in (2, 3) and changed != shape:
            yield from unfolded_where_possible(name, {"input.shape": changed})
    yield unfolded(name)


def unfolded_where_possible(name, changes):
    try:
        yield unfolded(name, changes)
    except ZooError:
        return


def built(name):
    """A spec's network and its model by zoo, on the smallest input that it takes."""
    for flat in smaller(name):
        try:
            return flat, lower(flat, Plain())
        except ZooError as error:
            refused = error
    raise refused


@pytest.fixture(autouse=True)
def registry():
    """An ejected text registers its layers under our names; afterwards the names are ours again."""
    objects = keras.saving.get_custom_objects()
    before = dict(objects)
    yield
    objects.clear()
    objects.update(before)


def run(text):
    """Run an ejected text as a file of its own."""
    space = {"__name__": "ejected"}
    exec(compile(text, "ejected.py", "exec"), space)
    return space


def plainly(value):
    """A config without what differs from build to build: seeds, and the inputs that Keras numbers by process."""
    if isinstance(value, dict):
        kept = {key: plainly(one) for key, one in value.items() if key not in ("seed", "module")}
        if re.fullmatch(r"input_layer(_\d+)?", str(kept.get("name"))):
            del kept["name"]
        return kept
    return [plainly(one) for one in value] if isinstance(value, (list, tuple)) else value


def graph(model):
    """Everything that a model is but its weights: layers in order, their configs, and what each is called on.

    What Keras names by count in a process, operations of `keras.ops`, go by their place.
    """
    operations = [one for one in model.operations if not isinstance(one, keras.layers.Layer)]
    before = [one.name for one in operations]
    for index, one in enumerate(operations):
        one.name = f"operation_{index}"
    text = json.dumps(plainly(model.get_config()), indent=1, sort_keys=True)
    for name, one in zip(before, operations, strict=True):
        one.name = name
    return text.splitlines()


def shapes(variables):
    return [(variable.path.rsplit("/", 1)[-1], tuple(variable.shape)) for variable in variables]


def random_input(one, rng):
    shape = (2, *(32 if size is None else size for size in one.shape))
    if one.dtype == "string":
        return keras.ops.convert_to_tensor(rng.choice(["a", "b"], shape))
    return rng.random(shape, "float32") if one.dtype == "float32" else rng.integers(0, 2, shape).astype(one.dtype)


def answers(model, inputs):
    """What a model answers, as a list, and the losses of the call."""
    found = model(inputs, training=False)
    return [np.asarray(one) for one in (found if isinstance(found, (list, tuple)) else [found])], model.losses


def assert_same(flat, ours=None):
    """An ejected text builds our model: graph, weights by order, and with equal weights equal answers and losses."""
    ours = ours or lower(flat, Plain())
    theirs = run(eject(flat))["build"]()
    assert graph(theirs) == graph(ours)
    assert shapes(theirs.variables) == shapes(ours.variables)
    assert shapes(theirs.trainable_variables) == shapes(ours.trainable_variables)

    rng = np.random.default_rng(0)
    for variable in ours.weights:
        if len(variable.shape) == 1:  # scales, shifts and statistics begin at 0 or 1: no two of them shall be equal
            variable.assign(rng.uniform(0.5, 1.5, variable.shape).astype(variable.dtype))
    for variable, value in zip(theirs.variables, ours.variables, strict=True):
        variable.assign(value.numpy())
    inputs = [random_input(one, rng) for one in flat.inputs]
    (expected, losses), (found, same) = (
        answers(one, inputs if len(inputs) > 1 else inputs[0]) for one in (ours, theirs)
    )

    assert all(np.isfinite(one).all() for one in expected)
    assert [one.shape for one in found] == [one.shape for one in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(list(map(float, same)), list(map(float, losses)), rtol=1e-6)
    return ours, theirs


def names_in(text):
    """All `name=` of a text that stand in calls, counted."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    given = [one.value for call in calls for one in call.keywords if one.arg == "name"]
    return Counter(one.value for one in given if isinstance(one, ast.Constant))


# Every spec of the zoo


def test_there_are_specs_to_eject():
    assert len(NAMES) >= len(FILES) > 50


@pytest.mark.parametrize("name", NAMES)
def test_every_spec_ejects_to_a_text_of_its_layers_that_compiles_and_imports_nothing_of_ours(name):
    flat, text = ejected(name)
    compile(text, name, "exec")
    imported = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    modules = {one.module if isinstance(one, ast.ImportFrom) else one.names[0].name for one in imported}

    assert not re.search(r"(import|from) +zoo", text)
    assert {one.partition(".")[0] for one in modules} <= {"keras", *sys.stdlib_module_names}
    assert Counter(node.name for node in flat.walk()) <= names_in(text)


@pytest.mark.parametrize("name", FILES)
def test_an_ejected_spec_builds_the_same_model(name):
    assert_same(*built(name))


def test_every_text_is_formatted_and_linted_as_ruff_would(tmp_path):
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.exists():
        pytest.skip("ruff is not installed")
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(ejected(name)[1])
    alone = ["--isolated", "--quiet", "--line-length", "120"]
    for command in (["format", "--diff"], ["check", "--select", "E4,E7,E9,F,I,W,B,RUF,UP"]):
        done = subprocess.run([ruff, *command, *alone, tmp_path], capture_output=True, text=True)

        assert (done.returncode, done.stdout) == (0, "")


# What a network may hold


def test_a_layer_that_is_reused_is_made_once_and_called_again():
    items = [
        {"Dense": {"name": "tower", "units": 4, "from": "left"}},
        {"reuse": {"layer": "tower", "from": "right"}},
        {"Concatenate": {"from": ["tower", "previous"]}},
    ]
    flat = written(items, input=None, inputs={"left": {"shape": [6]}, "right": {"shape": [6]}})
    text = eject(flat)

    assert '    tower_layer = keras.layers.Dense(units=4, name="tower")\n    tower = tower_layer(left)\n' in text
    assert text.count("tower_layer(right)") == 1
    assert_same(flat)


def test_a_nested_model_of_several_outputs_answers_them_in_order():
    layers = [{"Dense": {"name": "mean", "units": 2}}, {"Dense": {"name": "spread", "units": 3, "from": "input"}}]
    blocks = {"tower": {"nested": True, "layers": layers, "outputs": ["spread", "mean"]}}
    items = [{"tower": {"name": "t"}}, {"Concatenate": {"from": ["t.1", "previous"]}}]

    assert_same(written(items, blocks=blocks))


STEPS = [
    ({"layers": [{"Dense": 6}, "BatchNormalization", "Dropout"]}, "keras.layers.TimeDistributed("),
    ({"layers": [{"Add": {"from": [[{"Dense": 3}], "input"]}}]}, "build_each(sequence)"),
    (
        {"layers": ["ReLU", {"Add": {"from": [[{"Dense": {"units": 3, "frozen": True}}], "input"]}}]},
        "build_each(sequence)",
    ),
]


@pytest.mark.parametrize(("block", "says"), STEPS)
@pytest.mark.parametrize("steps", [5, None])
@pytest.mark.parametrize("reused", [False, True])
def test_a_block_at_each_step_is_a_model_in_a_wrapper(block, says, steps, reused):
    once = {"TimeDistributed": {"layer": "frame", "name": "each", "activity_regularizer": "l2"}}
    again = [{"reuse": {"layer": "each", "from": "input"}}, {"Add": {"from": ["each", "previous"]}}] * reused
    given = {"input": {"shape": [steps, 3]}, "blocks": {"frame": {"nested": True, **block}}}
    flat = written([once, *again, {"LSTM": 4}], family="rnn", **given)

    assert says in eject(flat)
    ours, _ = assert_same(flat)
    assert type(ours.get_layer("each")).__name__ == "TimeDistributed"


def test_a_nested_model_that_is_reused_is_made_once():
    block = {"tower": {"nested": True, "layers": [{"Dense": 6}, {"Add": {"from": ["previous", "input"]}}]}}
    inputs = {"left": {"shape": [6]}, "right": {"shape": [6]}}
    items = [
        {"tower": {"name": "t", "from": "left"}},
        {"reuse": {"layer": "t", "from": "right", "name": "again"}},
        {"reuse": {"layer": "again", "name": "more"}},
        {"Concatenate": {"from": ["t", "more"]}},
    ]
    flat = written(items, input=None, inputs=inputs, blocks=block)

    assert "t_layer = build_t(left)" in eject(flat)
    ours, theirs = assert_same(flat)
    assert theirs.count_params() == ours.count_params() == 6 * 6 + 6 + 12 + 1


@pytest.mark.parametrize("more", [[], [{"Add": {"from": ["previous", "input"]}}]])
def test_a_nested_block_that_states_its_shape_is_called_on_several_sizes(more):
    layers = [{"Conv2D": {"filters": 4, "kernel_size": 3, "padding": "same"}}, *more]
    inputs = {"input": {"shape": [None, None, "$channels"]}}
    blocks = {"part": {"parameters": {"channels": 4}, "nested": True, "inputs": inputs, "layers": layers}}
    items = [
        {"Conv2D": {"name": "fine", "filters": 4, "kernel_size": 1}},
        {"MaxPooling2D": {"name": "coarse"}},
        {"part": {"name": "p", "from": "fine"}},
        {"reuse": {"layer": "p", "from": "coarse", "name": "q"}},
        {"Add": {"from": [[{"MaxPooling2D": {"from": "p"}}], "q"]}},
    ]
    flat = written(items, input={"shape": [8, 8, 2]}, blocks=blocks)
    ours, _ = assert_same(flat)

    assert [one.shape for one in ours.get_layer("p").inputs] == [(None, None, None, 4)]
    costs = {row.name: row.flops for row in measure(flat)}
    assert (costs["p/conv2d"], costs["q"]) == (2 * 8 * 8 * 4 * 4 * 9, 2 * 4 * 4 * 4 * 4 * 9)


def test_what_is_reused_on_several_sizes_inside_is_measured_as_far_as_it_can_be():
    inner = {"nested": True, "layers": [{"Conv2D": {"filters": 3, "kernel_size": 1}}]}
    outer = [
        {"MaxPooling2D": {"name": "p"}}, {"inner": {"name": "i"}}, {"UpSampling2D": {"name": "u"}},
        {"reuse": {"layer": "i", "from": "input", "name": "again"}}, {"Add": {"from": ["u", "again"]}},
    ]  # fmt: skip
    shapes = {"input": {"shape": [None, None, 3]}}
    blocks = {"inner": inner, "outer": {"nested": True, "inputs": shapes, "layers": outer}}
    items = [
        {"outer": {"name": "o"}}, {"MaxPooling2D": {"name": "half"}}, {"reuse": {"layer": "o", "from": "half"}},
        {"UpSampling2D": {"name": "up"}}, {"Add": {"from": ["o", "up"]}},
    ]  # fmt: skip
    flat = written(items, input={"shape": [16, 16, 3]}, blocks=blocks)
    ours, _ = assert_same(flat)

    assert sum(row.parameters for row in measure(flat)) == ours.count_params()


def test_a_nested_chain_is_a_sequential_that_holds_its_layers():
    block = {"stem": {"nested": True, "layers": [{"Dense": 4}, "BatchNormalization"]}}
    flat = written([{"stem": {"name": "first"}}], blocks=block)

    assert "first = keras.Sequential(\n" in eject(flat)
    _, theirs = assert_same(flat)
    assert type(theirs.get_layer("first")) is keras.Sequential


def test_a_nested_chain_of_nested_models_keeps_its_kinds_and_its_names():
    blocks = {
        "inner": {"nested": True, "layers": [{"Add": {"from": [[{"Dense": 6}], "input"]}}]},
        "list": {"nested": True, "layers": [{"Dense": 6}, "ReLU"]},
        "outer": {"nested": True, "layers": [{"list": {"name": "l"}}, {"inner": {"name": "i"}}, {"Dense": 4}]},
    }
    _, theirs = assert_same(written([{"outer": {"name": "o"}}], blocks=blocks))
    kinds = [type(layer).__name__ for layer in theirs.get_layer("o").layers]

    assert kinds == ["Sequential", "Functional", "Dense"]


def test_a_nested_block_of_two_inputs_takes_them_in_order():
    block = {
        "mix": {"nested": True, "inputs": ["one", "lambda"], "layers": [{"Subtract": {"from": ["one", "lambda"]}}]}
    }
    items = [{"Dense": {"name": "d", "units": 6}}, {"mix": {"from": ["d", "table"]}}]
    flat = written(items, input=None, inputs={"table": {"shape": [6]}}, blocks=block)

    assert "def build_mix(one: keras.KerasTensor, lambda_: keras.KerasTensor) -> keras.Model:" in eject(flat)
    assert_same(flat)


SEQUENCE = {"input": {"shape": [5, 3]}, "family": "rnn"}


def test_what_goes_by_the_names_of_the_call_is_handed_over_by_them():
    items = [
        {"ops.not_equal": {"name": "mask", "x2": 0.5, "from": "steps"}},
        {"Take": {"name": "seen", "indices": 0}},
        {"LSTM": {"name": "encoder", "units": 4, "return_state": True, "from": "steps"}},
        {
            "LSTM": {
                "units": 4,
                "from": {"sequences": "steps", "mask": "seen", "initial_state": ["encoder.1", "encoder.2"]},
            }
        },
        {"BatchNormalization": {"from": {"inputs": "previous", "training": False}}},
        {"Concatenate": {"from": ["previous", "encoder"]}},
    ]
    flat = written(items, family="rnn", input=None, inputs={"steps": {"shape": [5, 3]}})
    text = eject(flat)

    assert "mask=seen, initial_state=[encoder_1, encoder_2])\n" in text
    assert re.search(r"\blstm, training=False\)\n", text)
    assert_same(flat)


def test_second_outputs_have_variables_where_they_are_read_and_only_there():
    items = [
        {"LSTM": {"name": "first", "units": 4, "return_state": True}},
        {"LSTM": {"name": "second", "units": 4, "return_state": True, "from": "sequence"}},
        {"LSTM": {"name": "third", "units": 4, "return_state": True, "from": "sequence"}},
        {"Add": {"from": ["first.2", "second.1", "third.0"]}},
    ]
    flat = written(items, **SEQUENCE)
    text = eject(flat)

    assert "    first, _, first_2 = keras" in text
    assert "    second, second_1, *_ = keras" in text
    assert "    third, *_ = keras" in text
    assert_same(flat)


def test_a_list_of_one_tensor_is_handed_over_as_a_list():
    flat = written([{"Concatenate": {"from": [[{"Dense": 4}]]}}])

    assert 'keras.layers.Concatenate(name="concatenate")([dense])' in eject(flat)
    assert_same(flat)


@pytest.mark.parametrize(
    "item",
    [
        {"RNN": {"cell": {"GRUCell": {"units": 4}}, "return_state": True}},
        {
            "MultiHeadAttention": {
                "num_heads": 2,
                "key_dim": 2,
                "from": {"value": "sequence", "return_attention_scores": True},
            }
        },
        {"Identity": {"from": ["sequence", "sequence"]}},
        {"stem": {"name": "s"}},
    ],
)
def test_a_layer_that_answers_a_list_beyond_what_the_node_counts_goes_on_with_its_first(item):
    blocks = {"stem": {"nested": True, "layers": [{"LSTM": {"units": 4, "return_state": True}}]}}
    flat = written([item, "Flatten"], **SEQUENCE, **({"blocks": blocks} if "stem" in item else {}))

    assert ", *_ = " in eject(flat)
    assert_same(flat)


def test_several_inputs_and_outputs_keep_their_order_and_types():
    items = [
        {"Embedding": {"name": "words", "input_dim": 9, "output_dim": 2, "from": "tokens"}},
        {"Flatten": {"name": "flat"}},
        {"Concatenate": {"from": ["table", "flat"]}},
        {"Dense": {"name": "z", "units": 2}},
        {"Dense": {"name": "a", "units": 3, "from": "flat"}},
    ]
    inputs = {"tokens": {"shape": [4], "dtype": "int32", "vocabulary": 9}, "table": {"shape": [3]}}
    flat = written(items, input=None, inputs=inputs, outputs=["z", "a"], targets=None)
    _, theirs = assert_same(flat)

    assert [one.name for one in theirs.inputs] == ["tokens", "table"]
    assert [one.shape[1] for one in theirs.outputs] == [2, 3]


def test_what_is_frozen_is_not_trained():
    blocks = {"stem": {"nested": True, "layers": [{"Dense": 4}, "BatchNormalization"]}}
    items = [
        {"stem": {"name": "s", "frozen": True}},
        {"Dense": {"units": 5, "frozen": True, "trainable": True}},
        {"Dense": 3},
    ]
    _, theirs = assert_same(written(items, blocks=blocks))

    assert len(theirs.trainable_variables) == 4


def test_a_frozen_layer_that_holds_layers_is_frozen_after_its_call():
    both = {"layer": {"LSTM": {"units": 2, "return_sequences": True}}}
    blocks = {"tower": {"nested": True, "layers": [{"Bidirectional": both}, "SpatialDropout1D", "BatchNormalization"]}}
    items = [
        {"MultiHeadAttention": {"num_heads": 2, "key_dim": 2, "name": "heads", "frozen": True,
                                "from": {"query": "previous", "value": "previous"}}},
        {"reuse": {"layer": "heads", "name": "again", "from": {"query": "previous", "value": "previous"}}},
        {"Conv1D": {"filters": 2, "kernel_size": 2, "frozen": True, "activation": {"LeakyReLU": {}}}},
        {"Conv1D": {"filters": 2, "kernel_size": 2, "frozen": True}},
        {"tower": {"name": "t", "frozen": True}},
        "Flatten",
    ]  # fmt: skip
    flat = written(items, **SEQUENCE, blocks=blocks)
    text = eject(flat)
    _, theirs = assert_same(flat)

    late = re.findall(r"^    (\w+)\.trainable = False$", text, re.MULTILINE)
    assert late == ["bidirectional_layer", "heads_layer", "conv1d_layer"]
    assert text.count("trainable=False") == 2  # Conv1D and BatchNormalization, which take the word themselves
    assert [one.path for one in theirs.trainable_variables] == ["predictions/kernel", "predictions/bias"]


def test_lambda_stands_on_every_kernel_that_lowering_puts_it_on_and_only_there():
    items = [
        {"TimeDistributed": {"layer": {"Dense": {"units": 5, "name": "inner"}}}},
        {"SeparableConv1D": {"filters": 4, "kernel_size": 2}},
        {"SeparableConv1D": {"filters": 4, "kernel_size": 2, "depthwise_regularizer": {"L1": {"l1": 0.5}}}},
        {"Bidirectional": {"layer": {"GRU": {"units": 3, "return_sequences": True}}}},
        {"RNN": {"cell": {"LSTMCell": {"units": 3}}, "return_sequences": True}},
        {"TimeDistributed": {"layer": "BatchNormalization"}},
        "Flatten",
        {"Dense": {"units": 4, "l2": 0.5}},
        {"Dense": {"units": 4, "l2": 0}},
        {"Dense": {"units": 4, "kernel_regularizer": {"L1": {"l1": 0.25}}}},
        {"Dense": {"units": 4, "kernel_regularizer": None}},
    ]
    flat = written(items, **SEQUENCE, l2=0.125)
    found = Counter(re.findall(r"(\w+)=keras\.regularizers\.(\w+\([^()]*\))", eject(flat)))

    assert found == {
        ("kernel_regularizer", "L2(0.125)"): 4,  # time-distributed, GRU, LSTM cell, head
        ("recurrent_regularizer", "L2(0.125)"): 2,
        ("depthwise_regularizer", "L2(0.125)"): 1,
        ("depthwise_regularizer", "L1(l1=0.5)"): 1,
        ("pointwise_regularizer", "L2(0.125)"): 2,
        ("kernel_regularizer", "L2(0.5)"): 1,
        ("kernel_regularizer", "L1(l1=0.25)"): 1,
    }
    assert_same(flat)


def test_the_values_of_ranges_and_p_are_plain_numbers():
    ranged = {"l2": {"min_value": 1e-6, "max_value": 1e-1, "sampling": "log", "default": 0.01}}
    ranged["dropout"] = {"min_value": 0.0, "max_value": 0.7, "default": 0.25}
    text = eject(written([{"Dense": 4}, "Dropout", {"Dropout": 0.5}], **ranged))

    assert 'keras.layers.Dropout(rate=0.25, name="dropout")(dense)' in text
    assert 'keras.layers.Dropout(rate=0.5, name="dropout_1")(dropout)' in text
    assert "kernel_regularizer=keras.regularizers.L2(0.01)" in text


def test_named_objects_are_made_as_lowering_makes_them():
    normal = {"VarianceScaling": {"scale": 2.0, "mode": "fan_out", "distribution": "untruncated_normal"}}
    limits = {"kernel_constraint": {"MaxNorm": {"max_value": 2}}, "bias_regularizer": {"L1L2": {"l1": 0.1, "l2": 0.2}}}
    flat = written([
        {"Dense": {"units": 4, "kernel_initializer": normal, "bias_initializer": "ones"}},
        {"Dense": {"units": 4, **limits}},
        {"Rescaling": {"scale": 2.0, "offset": [0.5, -1.0, 1e-7, 3]}},
        {"SpectralNormalization": {"layer": {"Dense": {"units": 3}}}},
    ])  # fmt: skip
    text = eject(flat)

    assert "kernel_initializer=keras.initializers.VarianceScaling(\n" in text
    assert "bias_regularizer=keras.regularizers.L1L2(l1=0.1, l2=0.2)" in text
    assert 'layer=keras.layers.Dense(units=3, name="layer")' in text
    assert_same(flat)


def test_names_that_are_no_python_names_and_names_that_are_taken_get_variables_of_their_own():
    names = [
        "lambda",
        "0",
        "0-a",
        "0.a",
        "a-b",
        "a.b",
        "a_b",
        "a_b_2",
        "keras",
        "build",
        "Take",
        "input_",
        "None",
        "map",
    ]
    items = [{"Dense": {"name": name, "units": 2}} for name in names]
    flat = written([*items, {"Take": {"name": "ops", "indices": [1, 0]}}, {"Concatenate": {"from": [*names, "ops"]}}])
    text = eject(flat)
    variables = [line.split()[0] for line in text.splitlines() if re.match(r"    \w+ = ", line)]

    assert len(variables) == len(set(variables)) == len(flat.nodes) + 1
    assert {"lambda_", "layer_0", "layer_0_a", "a_b", "None_", "map_"} <= set(variables)
    _, theirs = assert_same(flat)
    assert [layer.name for layer in theirs.layers][1 : len(names) + 1] == names


def test_a_builder_is_not_hidden_by_a_layer_of_its_name():
    blocks = {"a": {"nested": True, "layers": [{"Add": {"from": [[{"Dense": 6}], "input"]}}]}}
    items = [
        {"Dense": {"name": "build_a", "units": 6}},
        {"a": {"name": "a"}},
        {"Dense": {"name": "build_a_2", "units": 6}},
    ]

    assert_same(written(items, blocks=blocks))


# Our own layers


@pytest.mark.parametrize("name", [name for name in layers.ROOMS if name != "Function"])  # whose code is the user's
def test_the_source_of_every_layer_of_ours_stands_alone(name):
    node = network.Node(name, name, {}, ("x",), "layers")
    text = eject(network.Network("one", (network.Input("x", (4,)),), (node,), (name,)))
    space = run(text)

    assert "zoo." not in text and "import zoo" not in text
    assert keras.saving.get_registered_name(space[name]) == f"zoo>{name}"
    assert space[name].__module__ == "ejected"
    assert not unbound(text)


def unbound(text):
    """Names that a text reads and nothing in it binds."""
    nodes = list(ast.walk(ast.parse(text)))
    bound = {one.id for one in nodes if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load)}
    bound |= {one.arg for one in nodes if isinstance(one, ast.arg)} | set(dir(builtins)) | {"__name__"}
    bound |= {one.name for one in nodes if isinstance(one, (ast.FunctionDef, ast.ClassDef))}
    for one in nodes:
        if isinstance(one, (ast.Import, ast.ImportFrom)):
            bound |= {(alias.asname or alias.name).partition(".")[0] for alias in one.names}
    return {one.id for one in nodes if isinstance(one, ast.Name)} - bound


ALONE = """
import sys
sys.modules["zoo"] = None  # importing it now fails
import runpy
import numpy as np
import keras
file, saved, weights, rows, out = sys.argv[1:]
space = runpy.run_path(file)
x = np.load(rows)
model = space["build"]()
model.load_weights(weights)
np.savez(out, built=model(x), loaded=keras.models.load_model(saved)(x))
"""


def test_without_zoo_the_text_builds_and_takes_weights_and_files_that_zoo_saved(tmp_path):
    blocks = {
        "stem": {"nested": True, "layers": [{"Dense": 6}, "BatchNormalization"]},
        "skip": {"nested": True, "layers": [{"Add": {"from": [[{"Dense": 6}, "LayerScale"], "input"]}}]},
    }
    items = [{"Take": {"indices": [5, 4, 3, 2, 1, 0]}}, {"stem": {"name": "s"}}, {"skip": {"name": "k"}}]
    flat = written(items, blocks=blocks)
    ours = lower(flat, Plain())
    rows = np.random.default_rng(0).random((3, 6), "float32")
    ours.save(tmp_path / "model.keras")
    ours.save_weights(tmp_path / "model.weights.h5")
    np.save(tmp_path / "rows.npy", rows)
    (tmp_path / "plain.py").write_text(eject(flat))
    files = [tmp_path / one for one in ("plain.py", "model.keras", "model.weights.h5", "rows.npy", "out.npz")]
    subprocess.run([sys.executable, "-c", ALONE, *files], check=True, cwd=tmp_path)
    out = np.load(tmp_path / "out.npz")

    np.testing.assert_allclose(out["built"], ours(rows), rtol=1e-6)
    np.testing.assert_allclose(out["loaded"], ours(rows), rtol=1e-6)


def test_a_file_that_the_text_saved_loads_in_zoo(tmp_path):
    flat = written(["LayerScale", {"Take": {"indices": [1, 0]}}])
    before = dict(keras.saving.get_custom_objects())
    theirs = run(eject(flat))["build"]()
    theirs.save(tmp_path / "model.keras")
    keras.saving.get_custom_objects().update(
        before | {f"zoo>{one}": layers.find(one) for one in ("LayerScale", "Take")}
    )
    loaded = keras.models.load_model(tmp_path / "model.keras")

    assert type(loaded.get_layer("layer_scale")) is layers.find("LayerScale")
    assert graph(loaded) == graph(theirs)


# The rest of the file


def test_the_published_preprocessing_is_a_model_beside_the_network():
    steps = [{"Take": {"indices": [2, 1, 0]}}, {"Rescaling": {"scale": 2.0, "offset": [-1.0, -2.0, -3.0]}}]
    flat = unfolded({
        "spec": 1, "name": "small", "family": "cnn", "task": "classification", "classes": 2,
        "input": {"shape": [4, 4, 3]}, "prepare": steps, "layers": ["Flatten"],
    })  # fmt: skip
    prepare = run(eject(flat))["build_prepare"]()
    rows = np.random.default_rng(0).random((2, 4, 4, 3), "float32")
    expected = rows
    for step in steps:
        name, arguments = next(iter(step.items()))
        expected = make(name, arguments, None, None, Plain())(expected)

    np.testing.assert_allclose(prepare(rows), expected, rtol=1e-6)
    assert [layer.name for layer in prepare.layers] == [node.name for node in flat.prepare]


def test_the_file_says_where_it_comes_from_and_no_command_leads_out_of_its_docstring():
    flat = written(["Flatten"])
    module = ast.parse(eject(flat, 'zoo eject my.yaml --set name="""\n\\x'))

    assert ast.get_docstring(module).splitlines()[-1].strip() == 'zoo eject my.yaml --set name=""" \\x'
    assert ast.get_docstring(ast.parse(eject(flat))).endswith("    zoo eject small")
    assert len(module.body) == len(ast.parse(eject(flat)).body)


def test_values_are_written_as_literals_and_never_run():
    wrong = "'\"); import os  # "
    node = network.Node(
        "d", "Dense", {"units": 2, "activation": wrong, "extra": {wrong: [wrong, 1e-7]}}, ("x",), "layers"
    )
    odd = network.Node("e", "Dense", {"units": 2}, ("d",), "layers", call={"a=print(), b": True, "class": "d"})
    text = eject(network.Network("one", (network.Input("x", (4,)),), (node, odd), ("e",)))
    calls = [ast.unparse(one.func) for one in ast.walk(ast.parse(text)) if isinstance(one, ast.Call)]
    strings = [one.value for one in ast.walk(ast.parse(text)) if isinstance(one, ast.Constant)]

    assert strings.count(wrong) == 3
    assert "print" not in calls and '**{"a=print(), b": True}, **{"class": d}' in text


def test_ejecting_needs_no_keras():
    code = (
        "import sys; from zoo import selection; from zoo.language import unfolding\nfrom zoo.ejecting import eject\n"
        "eject(unfolding.unfold(selection.load('lenet5').fill())[0])\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
