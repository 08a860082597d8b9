"""Specs written flat, and what they are folded to. Real networks, and folds that are wrong, are in test_importing."""

from zoo import selection
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


def test_letters_behind_numbers_make_a_loop():
    made = folded(pairs((f"res2{letter}_branch2a", f"bn2{letter}") for letter in "bcd"))

    assert made["layers"] == loop("mark", ["b", "c", "d"], "res2${$mark}_branch2a", "bn2$mark")


def test_two_columns_of_words_make_no_loop():
    data = pairs((f"a{word}", f"b{word}") for word in ("left", "right", "top"))

    assert folding.fold(data) == data
