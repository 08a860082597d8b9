"""Specs written flat, and what they fold to. Real networks and folds that are wrong are in test_importing_words."""

import itertools

import keras
from keras import layers as L

import zoo
from zoo import importing, selection
from zoo.language import dumping, folding, unfolding


def flat(*layers, **more):
    return {"spec": 1, "name": "one", "family": "mlp", "task": "regression", "input": {"shape": [8, 8]}} | {
        **more, "layers": list(layers),
    }  # fmt: skip


def folded(data):
    """The data folded, which mean the same network in fewer lines."""
    made = folding.fold(data)
    nodes, same = (folding._meaning(unfolding.unfold(selection.load(one).fill())[0]) for one in (data, made))

    assert nodes == same
    assert dumping.dump(made).count("\n") < dumping.dump(data).count("\n")
    return made


# Numbers and letters in names


def attending(first, second, index):
    return (
        {"MultiHeadAttention": {"from": {"value": "previous"}, "num_heads": 2, "key_dim": 4}},
        {"ops.add": {"from": [first, "previous"], "name": f"add_{2 * index + 1}"}},
        {"Dense": {"units": 8, "name": f"wide_{3 * index + 4}"}},
        {"Dense": {"units": 8, "name": f"wide_{3 * index + 5}"}},
        {"ops.add": {"from": [second, "previous"], "name": f"add_{2 * index + 2}"}},
    )


def test_numbers_that_grow_by_more_than_one_make_a_loop_of_three_rounds():
    blocks = (attending(f"add_{2 * index}", f"add_{2 * index + 1}", index) for index in range(3))
    made = folded(flat({"Dense": {"units": 8, "name": "add_0"}}, *(one for block in blocks for one in block)))
    (loop,) = made["layers"][1:]

    assert loop["for"] == ["number", "number_2"] and loop["in"] == [[1, 4], [3, 7], [5, 10]]
    assert loop["layers"][1:3] == [
        {"ops.add": {"name": "add_$number", "from": ["add_${$number - 1}", "previous"]}},
        {"Dense": {"name": "wide_$number_2", "units": 8}},
    ]


def pairs(names):
    layers = [{"Dense": {"name": one, "units": 8}, "LayerNormalization": {"name": other}} for one, other in names]
    return flat(*({target: body} for pair in layers for target, body in pair.items()))


def loop(variable, over, one, other):
    layers = [{"Dense": {"name": one, "units": 8}}, {"LayerNormalization": {"name": other}}]
    return [{"for": variable, "in": over, "layers": layers}]


def test_numbers_in_no_order_make_a_loop_if_they_stay_as_far_apart():
    numbers = [3, 7, 20, 21]
    near, apart = (pairs((f"a{n}_x", f"b{n + 2 + far * (n == 21)}") for n in numbers) for far in (0, 1))

    assert folded(near)["layers"] == loop("number", numbers, "a${$number}_x", "b${$number + 2}")
    assert folded(apart)["layers"][0]["for"] == ["number", "number_2"]


def test_a_loop_counts_as_the_numbers_do():
    names = [f"{2 * n}_x" for n in range(4, 0, -1)]
    made = folded(pairs((f"a{name}", f"b{name}") for name in names))

    assert made["layers"] == loop("i", "range(8, 0, -2)", "a${$i}_x", "b${$i}_x")


def test_numbers_and_lists_in_the_same_place_are_no_counting():
    sizes = ((1, 2, 8), (3, 7, 16), ([5, 1], 3, 32))
    rounds = [
        [{"Conv2D": {"filters": 8, "kernel_size": size, "padding": "same"}} for size in (one, other)]
        + [{"Conv2D": {"filters": filters, "kernel_size": 1}}, "ReLU"]
        for one, other, filters in sizes
    ]
    made = folded(flat(*(one for ones in rounds for one in ones), family="cnn", input={"shape": [64, 64, 3]}))

    assert made["layers"][0]["for"] == ["kernel_size", "kernel_size_2", "filters"]


def test_two_rounds_of_many_layers_make_a_loop_if_they_differ_in_little():
    items = ("ReLU", "LayerNormalization", "Dense", "Softmax", "Dense", "UnitNormalization", "Dense", "Flatten")

    def rounds(*units):
        named = [(one, f"{one.lower()}{place}_{n}_x") for n in (1, 2) for place, one in enumerate(items)]
        sizes = itertools.chain(units, itertools.repeat(8))
        made = [{one: {"name": name, **({"units": next(sizes)} if one == "Dense" else {})}} for one, name in named]
        return flat(*made, {"Dense": {"units": 8}})

    def first(data):
        return folding.fold(data)["layers"][0]

    assert first(rounds())["in"] == "range(1, 3)" and len(first(rounds())["layers"]) == 8
    assert first(rounds(4))["for"] == ["i", "units"]
    assert "for" not in first(rounds(4, 5)) and "for" not in first(
        flat(*rounds()["layers"][1:8], *rounds()["layers"][9:])
    )


def test_letters_behind_numbers_make_a_loop():
    made = folded(pairs((f"res2{letter}_branch2a", f"bn2{letter}") for letter in "bcd"))

    assert made["layers"] == loop("mark", ["b", "c", "d"], "res2${$mark}_branch2a", "bn2$mark")


def test_two_columns_of_words_make_no_loop():
    data = pairs((f"a{word}", f"b{word}") for word in ("left", "right", "top"))

    assert folding.fold(data) == data


# Models inside the model


def inside(*names, **more):
    return {"nested": True, **more, "layers": [{"Dense": {"name": name, "units": 8}} for name in names]}


def test_models_inside_that_are_equal_are_one_block_called_in_a_loop():
    blocks = {f"mlp_{n}": inside("wide", "back") for n in range(8)}
    made = folded(flat(*({name: {"name": f"part{name[4:]}_x"}} for name in blocks), blocks=blocks))

    assert made["blocks"] == {"mlp_0": blocks["mlp_0"]}
    assert made["layers"] == [{"for": "i", "in": 8, "layers": [{"mlp_0": {"name": "part${$i}_x"}}]}]


def test_names_that_need_not_be_said_stay_unsaid_where_models_inside_become_one():
    blocks = {name: inside("wide", "back") for name in ("mlp", "mlp_1", "mlp_7")}

    assert folded(flat("mlp", "mlp_1", blocks={name: blocks[name] for name in ("mlp", "mlp_1")}))["layers"] == [
        {"mlp": {"repeat": 2}}
    ]
    assert folded(flat("mlp", "mlp_1", "mlp_7", blocks=blocks))["layers"] == [
        "mlp", {"mlp": {"name": "mlp_1"}}, {"mlp": {"name": "mlp_7"}},
    ]  # fmt: skip


def test_what_differs_in_models_inside_are_the_parameters_of_one_block():
    keras.backend.clear_session()
    rows = running = keras.Input((8,), name="rows")
    for index in range(5):
        wide = [L.Dense(4 * index + 4), L.LayerNormalization(), L.Dense(8), L.Dropout(0.1, name=f"rest{index}_x")]
        running = L.Add()([running, keras.Sequential(wide, name=f"mlp{index}")(running)])
    model = keras.Model(rows, L.Dense(2, name="last")(running))
    spec = importing.spec_of(model)

    assert list(spec["blocks"]) == ["mlp0", "mlp1"]
    assert spec["blocks"]["mlp1"] == {
        "parameters": {"number": None, "units": None},
        "nested": True,
        "layers": [
            {"Dense": {"name": "dense_${2 * $number}", "units": "$units"}},
            {"LayerNormalization": {"name": "layer_normalization_$number"}},
            {"Dense": {"name": "dense_${2 * $number + 1}", "units": 8}},
            {"Dropout": {"name": "rest${$number}_x"}},
        ],
    }
    built = zoo.build(spec)
    inner = [[layer.name for layer in made.get_layer(f"mlp{n}").layers] for made in (built, model) for n in range(5)]
    assert inner[:5] == inner[5:] and [one.name for one in built.layers][1:] == [one.name for one in model.layers][1:]


def test_a_model_at_each_step_keeps_its_name():
    blocks = {name: inside("wide", "back", "again", "more") for name in ("one", "two", "three")}
    steps = [{"TimeDistributed": {"name": f"each_{name}", "layer": name}} for name in blocks]
    data = flat(*steps, blocks=blocks)

    assert list(folding.fold(data)["blocks"]) == list(blocks)


def test_models_inside_that_are_shorter_apart_stay_apart():
    names = {"mlp": [f"wide_{n}" for n in range(9)], "mlp_1": [f"wide_{n}" for n in range(20, 29)]}
    blocks = {name: inside(*ones) for name, ones in names.items()}
    made = folding.fold(flat("mlp", "mlp_1", blocks=blocks))

    assert list(made["blocks"]) == ["mlp", "mlp_1"]


def test_models_inside_that_are_called_otherwise_stay_apart():
    blocks = {name: inside("wide", "back", "again") for name in ("encoder", "decoder")}

    assert list(folding.fold(flat("encoder", "decoder", blocks=blocks))["blocks"]) == ["encoder", "decoder"]


# Rows of equal layers


RELU = {"Activation": {"activation": "relu"}}


def test_a_layer_that_ends_one_block_and_begins_the_next_does_not_repeat():
    wide, last = {"Dense": {"units": 8}}, {"Dense": {"units": 4}}
    made = folded(flat("Dropout", RELU, *3 * [RELU, wide, wide, "LayerNormalization", last]))
    block = [RELU, {"Dense": {"repeat": 2, "units": 8}}, "LayerNormalization", last]

    assert made["layers"] == ["Dropout", RELU, {"repeat": 3, "layers": block}]


def test_layers_that_repeat_more_often_in_a_later_block_are_folded():
    many = {1: 2, 2: 2, 3: 3, 4: 3}
    names = [f"block{n}_{one}" for n, times in many.items() for one in (*(f"wide{k + 1}" for k in range(times)), "x")]
    made = folded(
        flat(*({"Dense": {"name": one, "units": 8}} if "wide" in one else {"ReLU": {"name": one}} for one in names))
    )

    assert made["layers"] == [
        {
            "for": ["i", "times"],
            "in": [list(one) for one in many.items()],
            "layers": [
                {"Dense": {"name": "block${$i}_wide", "repeat": "$times", "units": 8}},
                {"ReLU": {"name": "block${$i}_x"}},
            ],
        }
    ]


def test_of_two_loops_that_overlap_that_which_saves_more_lines_is_taken():
    start = {"VarianceScaling": {"scale": 2.0, "mode": "fan_out", "distribution": "truncated_normal"}}
    tall = [{"Dense": {"units": 8, "kernel_initializer": start, "bias_initializer": "ones"}}, "LayerNormalization"]
    low = ["LayerNormalization", "ReLU", "Softmax", "UnitNormalization"]

    assert folded(flat(*3 * tall, *(3 * low)[1:]))["layers"][0] == {"repeat": 3, "layers": tall}
