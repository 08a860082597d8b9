"""Specs written out flat come back as the same network; how two specs differ is said exactly."""

from __future__ import annotations

import functools
from textwrap import dedent

import pytest

from zoo import selection
from zoo.language import comparing, dumping, parsing, unfolding, writing

NAMES = sorted(selection.names())
HEAD = "spec: 1\nname: small\nfamily: mlp\nclasses: 3\ninput: {shape: [8, 4]}\n"

every_spec = pytest.mark.parametrize("name", NAMES)


def load(text, head=HEAD):
    value, _, problems = parsing.parse((head + dedent(text)).encode(), "f")
    assert problems == []
    return selection.load(value)


def unfolded(spec):
    found, problems = unfolding.unfold(spec.fill())
    assert problems == []
    return found


def said(found) -> dict:
    """What makes two networks the same, models inside the model included."""
    return {
        "inputs": found.inputs, "outputs": found.outputs, "prepare": list(map(node, found.prepare)),
        "nodes": list(map(node, found.nodes)),
    }  # fmt: skip


def node(one):
    return (
        one.name, one.layer, one.arguments, one.inputs, one.many, dict(one.call), one.outputs, one.l2, one.dropout,
        one.frozen, one.reuses, one.part, said(one.network) if one.network else None,
    )  # fmt: skip


def out(spec):
    """A filled spec written out."""
    return writing.written_out(spec, unfolded(spec), unfolding.names(spec))


@functools.cache
def written(name) -> str:
    spec = selection.load(name).fill()
    return dumping.dump(out(spec))


def test_there_are_specs_to_try():
    assert len(NAMES) >= 100


# Written out


@every_spec
def test_a_spec_written_out_is_a_spec_again_and_unfolds_to_the_same_network(name):
    value, _, problems = parsing.parse(written(name).encode(), "f")

    assert problems == []
    assert said(unfolded(selection.load(value))) == said(unfolded(selection.load(name)))


@every_spec
def test_a_spec_written_out_has_nothing_left_to_unfold(name):
    value = parsing.parse(written(name).encode(), "f")[0]
    spec = selection.load(name)

    assert not {"let", "defaults", "variants", "extends"} & set(value)
    assert all(block["nested"] for block in value.get("blocks", {}).values())
    assert "$" not in "".join(str(one) for key, one in value.items() if key not in ("summary", "reference", "metric"))
    assert selection.load(value).ranges() == {}
    assert value["train"] == spec.fill().train
    assert {key: value[key] for key in ("name", "family", "input") if key in value} == {
        key: spec.fill().written()[key] for key in ("name", "family", "input") if key in spec.data
    }


@every_spec
def test_what_is_written_out_comes_out_the_same_when_it_is_written_out_again(name):
    again = selection.load(parsing.parse(written(name).encode(), "f")[0]).fill()

    assert dumping.dump(out(again)) == written(name)


ALL_OF_IT = """
    l2: 0.5
    dropout: $rate / 2
    let: {n: 4, rate: 0.5, on: false}
    defaults: {Dense: {use_bias: false}, LSTM: {return_sequences: true}}
    blocks:
      wide: {parameters: {units}, layers: [Dense: {name: fc, units: $units}, ReLU]}
      tower: {nested: true, layers: [Dense: {name: fc, units: $n}, Dropout, inner]}
      inner: {nested: true, inputs: [one], layers: [Dense: {units: $n, l2: 0}, ReLU]}
      fork: {nested: true, inputs: [one, two], layers: [Concatenate: {from: [one, two]}, Dense: $n]}
      gone: {nested: true, layers: [Dense: {units: 4, if: $on}]}
    prepare: [Rescaling: {name: 0, scale: 1 / 255}]
    layers:
      - LSTM: {name: 0, units: $n, return_state: true}
      - LSTM: {name: second, units: $n, from: {inputs: input, initial_state: ["0.1", "0.2"]}}
      - Attention: {from: {inputs: ["0", second], use_causal_mask: true}}
      - MultiHeadAttention: {num_heads: 1, key_dim: $n, from: {query: previous, value: second}}
      - Add: {from: [previous, [Dense: {units: $n, if: $on}], [Dense: {units: $n, l2: 0.25}]]}
      - Concatenate: {from: [previous]}
      - {frozen: true, layers: [wide: $n, wide: {units: $n, frozen: false}]}
      - tower: {name: t, frozen: true}
      - reuse: {layer: t, from: second}
      - fork: {name: f, from: [t, previous]}
      - reuse: {layer: f, from: {two: f, one: t}}
      - BatchNormalization: {from: {training: false}}
      - gone
      - for: i
        in: 2
        layers: [Dropout: {name: "n", rate: 0.125 * $i, if: $i == 1}, SpatialDropout1D: {name: s$i}]
      - Flatten
      - Dense: {name: "y", units: $n, kernel_regularizer: l1, activation: "relu if $on else tanh"}
"""


@pytest.mark.parametrize(
    "more",
    ["", "head: [Dense: {name: end, units: $classes}]", 'outputs: ["y", "0.1"]', 'outputs: ["y"]', "frozen: true"],
    ids=lambda more: more.split(":")[0] or "plain",
)
def test_every_word_of_the_language_survives(more):
    spec = load(dedent(ALL_OF_IT) + more + "\n")
    text = dumping.dump(out(spec.fill()))

    assert said(unfolded(selection.load(parsing.parse(text.encode(), "f")[0]))) == said(unfolded(spec))


@pytest.mark.parametrize(
    "text",
    [
        "layers: [Flatten: {if: false}]",
        "let: {n: 0}\nlayers: [Dense: {units: 4, repeat: $n}]\nhead: [Flatten: {if: false}, Dense: 3]",
        "layers: [Flatten, Dense: {name: 'no', units: 4, l2: 0}]\nl2: 0",
        "layers: [ActivityRegularization: {l2: 0.5}, Embedding: {input_dim: 3, output_dim: 4}]\noutputs: [previous]",
        "frozen: true\nlayers: [Dense: {units: 4, frozen: false}, Dense: 4]",
    ],
    ids=lambda text: text[:40],
)
def test_little_networks_survive(text):
    spec = load(text)
    made = dumping.dump(out(spec.fill()))

    assert said(unfolded(selection.load(parsing.parse(made.encode(), "f")[0]))) == said(unfolded(spec))


@pytest.mark.parametrize(
    ("family", "text"),
    [
        ("ae", "encoder: [Dense: {name: a, units: 4}, Dense: 3]\nlatent: {Add: {from: [[Dense: 2], [Dense: {from: a, "
               "units: 2}]]}}\ndecoder: [Add: {from: [[Dense: 4], [Dense: {from: input, units: 4}]]}]"),
        ("ae", "encoder: [Dense: 4]\nlatent: {Dense: {units: 2, l2: 0}}\ndecoder: [Dense: 4]"),
        ("ae", "encoder: []\nlatent: Flatten\ndecoder: []"),
        ("ae", "encoder: [Flatten]\nlatent: {Dense: {units: 2, name: z}}\ndecoder: [Dense: 32]\n"
               "head: [Dense: {name: reconstruction, units: 32}, Reshape: [8, 4]]"),
        ("vae", "let: {n: 3, b: 4.0}\npenalties: {kl: {weight: $b, warm_up: 5}, mmd: 0.5}\n"
                "encoder: [Flatten, Dense: 8]\nlatent: {Gaussian: {units: $n, l2: 0.25}}\n"
                "decoder: [Dense: 8]\nhead: [Dense: 32]"),
        ("vae", "let: {n: 3}\npenalties: {mmd: 0.5}\n"
                "encoder: [Flatten, Dense: 8]\nlatent: {Gaussian: {units: $n, samples: $n, l2: 0.25}}\n"
                "decoder: [Dense: 8]\nhead: [Dense: 32]"),
        ("vae", "penalties: {mmd: 0.5}\nencoder: [Flatten]\nlatent: {Gaussian: 2}\ndecoder: []\nhead: [Dense: 32]"),
        ("vae", "encoder: [Dense: 4]\nlatent: {VectorQuantizer: {codes: 8}}\ndecoder: [Dense: 8]"),
    ],
    ids=str,
)  # fmt: skip
def test_autoencoders_survive(family, text):
    spec = load(text, HEAD.replace("mlp", family).replace("classes: 3\n", ""))
    made = dumping.dump(out(spec.fill()))

    assert said(unfolded(selection.load(parsing.parse(made.encode(), "f")[0]))) == said(unfolded(spec))


def test_names_that_training_asks_for_are_kept_with_their_values():
    text = """
        let: {n: 4, rate: 0.5, twice: 2 * $rate}
        layers: [Flatten, Dense: $n]
        train:
          optimizer:
            SGD: {learning_rate: {CosineDecay: {initial_learning_rate: $twice, decay_steps: $epochs * $steps}}}
    """
    spec = load(text)
    value = out(spec.fill())
    again = selection.load(parsing.parse(dumping.dump(value).encode(), "f")[0])

    assert value["let"] == {"twice": 1.0}
    assert unfolding.training(again.fill(), 320) == unfolding.training(spec.fill(), 320)


def test_a_trial_is_written_out_with_its_values():
    spec = load("let: {n: {values: [4, 8], default: 4}}\nl2: {values: [0.1, 0.2], default: 0.1}\nlayers: [Dense: $n]")
    filled = spec.fill({"n": 8, "l2": 0.2})
    value = out(filled)

    assert (value["l2"], value["layers"]) == (0.2, [{"Dense": {"name": "dense", "units": 8}}])
    assert dumping.dump(value) == (
        "spec: 1\nname: small\nfamily: mlp\nclasses: 3\ninput: {shape: [8, 4]}\nl2: 0.2\n"
        "layers:\n- Dense: {name: dense, units: 8}\nhead:\n"
        "- Dense: {name: predictions, units: 3, activation: softmax}\n"
        "train: {optimizer: {Adam: {learning_rate: 0.001}}, batch_size: 32, epochs: 20}\n"
    )


def test_what_stands_in_two_places_is_written_twice():
    shared = ["a", "b"]

    assert dumping.dump({"one": shared, "layers": shared}) == "one: [a, b]\nlayers: [a, b]\n"


# How two specs differ


@every_spec
def test_a_spec_does_not_differ_from_itself(name):
    spec = selection.load(name)

    assert comparing.differences(spec, selection.load(spec.written())) == []


PLAIN = """\
l2: 0.5
layers:
  - Flatten
  - Dense: {name: a, units: 8, activation: relu}
  - Dense: {name: b, units: 8}
  - Add: {from: [a, previous]}
  - Dropout: 0.25
"""


REGRESSION = "spec: 1\nname: one\nfamily: mlp\ntask: regression\ninput: {shape: [4]}\n"
TRAINED = """\
l2: 0.5
let: {rate: 0.1}
layers: [{frozen: true, layers: [Dense: 4, ops.tanh]}]
train: {optimizer: {SGD: {learning_rate: $rate}}, epochs: 3}
"""


@pytest.mark.parametrize(
    ("old", "new", "rows"),
    [
        ("", "", []),
        ("let: {rate: 0.1}\n", "", []),
        ("rate: 0.1", "rate: 0.2", [("let.rate", "0.1", "0.2")]),
        ("$rate}", "$rate * 1}", []),
        ("let: {rate: 0.1}", "targets: 1\nlet: {rate: 0.1}", []),
        ("rate: 0.1}", "rate: {values: [0.1, 0.2], default: 0.1}}", [
            ("range of rate", "-", '{"values": [0.1, 0.2], "default": 0.1}')]),
    ],
    ids=["the same", "a number", "another rate", "another way", "as it is anyway", "a range"],
)  # fmt: skip
def test_how_a_network_is_trained_is_compared_by_what_it_comes_to(old, new, rows):
    changed = TRAINED.replace(old, new) if old else TRAINED
    changed = changed.replace("$rate", "0.1") if new == "" and old else changed
    one, other = (load(text, REGRESSION) for text in (TRAINED, changed))
    filled = one.fill()

    assert comparing.differences(one, other) == rows
    out = writing.written_out(filled, unfolding.unfold(filled)[0], unfolding.names(filled))
    assert comparing.differences(one, selection.load(out)) == []


@pytest.mark.parametrize(
    ("old", "new", "rows"),
    [
        ("", "", []),
        ("name: b, units: 8", "name: other, units: 2 ** 3", []),
        ("l2: 0.5", "l2: 0.5\nsummary: Another one.\nyear: 1990", []),
        ("units: 8, activation", "units: 16, activation", [("a.units", "8", "16")]),
        ("activation: relu", "activation: tanh", [("a.activation", "relu", "tanh")]),
        (", activation: relu", "", [("a.activation", "relu", "-")]),
        ("0.25", "0.5", [("dropout.rate", "0.25", "0.5")]),
        ("units: 8}", "units: 8, l2: 0}", [("b.l2", "0.5", "0")]),
        ("units: 8}", "units: 8, frozen: true}", [("b.frozen", "-", "true")]),
        ("  - Dropout: 0.25\n", "", [("dropout", "Dropout", "-")]),
        ("  - Dropout: 0.25\n", "  - Dropout: 0.25\n  - Dense: 4\n", [("dense", "-", "Dense 4")]),
        ("Dropout: 0.25", "ReLU", [("dropout", "Dropout", "ReLU")]),
        ("[a, previous]", "[previous, a]", [("add.from", "a, b", "b, a")]),
        ("[a, previous]", "[a, previous, a]", [("add.inputs", "2", "3")]),
        ("name: b, units", "name: b, from: flatten, units", [("b.from", "a", "flatten")]),
        ("l2: 0.5", "l2: 0.25", [(what, "0.5", "0.25") for what in ("l2", "a.l2", "b.l2", "predictions.l2")]),
        ("l2: 0.5", "l2: 0.5\ntrain: {epochs: 3}", [("train.epochs", "20", "3")]),
        ("l2: 0.5", "l2: 0.5\nprepare: [Rescaling: 0.5]", [("prepare: rescaling", "-", "Rescaling")]),
        ("units: 8, activation", "units: {values: [8, 16], default: 8}, activation",
         [("range of a.units", "-", '{"values": [8, 16], "default": 8}')]),
        ("units: 8, activation", "units: {values: [8, 16], default: 16}, activation", [
            ("range of a.units", "-", '{"values": [8, 16], "default": 16}'), ("a.units", "8", "16")]),
    ],
    ids=lambda one: one[:40] if isinstance(one, str) else "",
)  # fmt: skip
def test_what_differs_is_said_exactly(old, new, rows):
    assert old in PLAIN

    assert comparing.differences(load(PLAIN), load(PLAIN.replace(old, new) if old else PLAIN)) == rows


def test_what_differs_is_said_the_other_way_round_too():
    other = PLAIN.replace("units: 8}", "units: 9}").replace("0.25", "0.5") + "train: {epochs: 3}\n"

    assert comparing.differences(load(other), load(PLAIN)) == [
        (what, two, one) for what, one, two in comparing.differences(load(PLAIN), load(other))
    ]


def convolutions(*skip, more=()):
    layers = [{"Conv2D": {"name": name, "filters": 8, "kernel_size": 3}} for name in ("stem", "c1", "c2", *more)]
    end = [{"Add": {"name": "skip", "from": list(skip)}}, "GlobalAveragePooling2D"]
    usual = {"spec": 1, "name": "n", "family": "cnn", "classes": 3, "input": {"shape": [16, 16, 1]}}
    return selection.load({**usual, "defaults": {"Conv2D": {"padding": "same"}}, "layers": layers + end})


@pytest.mark.parametrize(
    ("skip", "rows"),
    [
        (("c1", "c3"), []),  # what a layer in between changes is told with it
        (("stem", "c3"), [("skip.from", "c1, c2", "stem, c3")]),
        (("c2", "c3"), [("skip.from", "c1, c2", "c2, c3")]),
    ],
)
def test_another_wiring_beside_a_layer_that_one_side_alone_has_is_told(skip, rows):
    one, other = convolutions("c1", "c2"), convolutions(*skip, more=["c3"])

    assert comparing.differences(one, other) == [("c3", "-", "Conv2D 8 3"), *rows]
    assert comparing.differences(other, one) == [("c3", "Conv2D 8 3", "-"), *((what, b, a) for what, a, b in rows)]


def dense(*layers, end=()):
    items = [{"Dense": {"name": name, "units": 8, "activation": activation}} for name, activation in layers]
    usual = {"spec": 1, "name": "n", "family": "mlp", "classes": 3, "input": {"shape": [8]}}
    return selection.load({**usual, "layers": [*items, *end]})


def test_layers_of_one_name_are_set_beside_one_another():
    one, other = dense(("a", "relu"), ("b", None)), dense(("new", "selu"), ("a", "tanh"), ("b", None))

    assert comparing.differences(one, other) == [("new", "-", "Dense 8"), ("a.activation", "relu", "tanh")]


def test_another_wiring_of_a_layer_that_is_of_another_class_now_is_told():
    layers = ("a", "relu"), ("b", "tanh"), ("c", "selu")
    ends = [[{layer: {"name": "s", "from": read}}, {"Add": {"from": ["s", "b"]}}]
            for layer, read in (("Add", ["a", "c"]), ("Multiply", ["b", "c"]), ("Multiply", ["a", "c"]))]  # fmt: skip
    add, other, same = (dense(*layers, end=end) for end in ends)

    assert comparing.differences(add, other) == [("s", "Add", "Multiply"), ("s.from", "a, c", "b, c")]
    assert comparing.differences(add, same) == [("s", "Add", "Multiply")]


def test_the_shape_that_a_model_inside_states_is_told():
    def stated(**inputs):
        block = {"nested": True, "layers": [{"Dense": 4}], **inputs}
        return selection.load({"spec": 1, "name": "n", "family": "mlp", "classes": 3, "input": {"shape": [8]},
                               "blocks": {"b": block}, "layers": [{"b": {"name": "m"}}]})  # fmt: skip

    open_ = stated(inputs={"input": {"shape": [None]}})

    assert comparing.differences(open_, stated()) == [("m.shape", "[[null]]", "-")]
    assert comparing.differences(open_, stated(inputs={"input": {"shape": [8]}})) == [("m.shape", "[[null]]", "[[8]]")]


def test_specs_of_the_zoo_differ_in_what_their_variants_say():
    def rows(one, other):
        return comparing.differences(selection.load(one), selection.load(other))

    assert [row[1:] for row in rows("vgg16", "vgg19")] == [
        ("-", "Conv2D 256 3"), ("-", "Conv2D 512 3"), ("-", "Conv2D 512 3"),
    ]  # fmt: skip
    assert rows("lenet5", "lenet5") == []
    assert {what.split("_")[0] for what, _, _ in rows("resnet50", "resnet101")} == {"conv4"}


@pytest.mark.parametrize(
    "text",
    [
        """blocks: {b: {nested: true, layers: [Dense: 4, {Dense: {units: 4, frozen: false}}]}}
layers: [Flatten, b: {frozen: true}]""",
        "horizon: 3\nlayers: [Flatten, Dense: {units: $horizon}]\nhead: [Dense: 2]",
        """layers:
  - Reshape: {target_shape: [2, 4], name: r}
  - Dense: {name: a, units: 8}
  - Dense: {name: b, units: 8, from: r}
  - {from: a, layers: [MultiHeadAttention: {from: {value: b}, num_heads: 2, key_dim: 4}]}
  - Flatten""",
        "layers: [Flatten, Dense: {name: a, units: 2}, Dense: {name: b, units: 2}]\noutputs: [b, a]",
        "layers: [Flatten, Dense: {name: a, units: 2}]\noutputs: [a, input]",
    ],
)
def test_what_is_written_out_is_a_spec_of_the_same_network(text):
    spec = load(text)
    again = selection.load(out(spec.fill()))

    assert said(unfolded(again)) == said(unfolded(spec))
    assert [row for row in comparing.differences(spec, again) if row[0] != "horizon"] == []


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        ("[Flatten, Dense: {name: d, units: 4}, reuse: {layer: d}]",
         "[Flatten, Dense: {name: d, units: 4}, Dense: {units: 4}]", "reuse"),
        ("[Reshape: [4, 2], LSTM: {name: s, units: 3, return_state: true}, Dense: {units: 2, from: s.1}]",
         "[Reshape: [4, 2], LSTM: {name: s, units: 3, return_state: true}, Dense: {units: 2, from: s.2}]",
         "dense.from"),
        ("[Flatten: {name: f}, b: {name: x}, b: {name: y}]",
         "[Flatten: {name: f}, b: {name: x}, reuse: {layer: x, name: y}]", "y.reuse"),
        ("[Dense: {name: p, units: 4}, Dense: {name: q, units: 4}, b: {name: x, from: p}, Add: {from: [x, q]}]",
         "[Dense: {name: p, units: 4}, Dense: {name: q, units: 4}, b: {name: x, from: q}, Add: {from: [x, p]}]",
         "x.from"),
        ("[Dense: {name: d, units: 1}, ops.subtract: {from: [d, input]}]",
         "[Dense: {name: d, units: 1}, ops.subtract: {from: [input, d]}]", "subtract.from"),
        ("[Dense: {name: d, units: 1}, Dense: {name: e, units: 1}, Add: {from: [e, d, input]}]",
         "[Dense: {name: d, units: 1}, Dense: {name: e, units: 1}, Add: {from: [e, d, d]}]", "add.from"),
    ],
)  # fmt: skip
def test_what_is_called_on_other_tensors_or_again_is_another_network(one, other, what):
    block = "blocks: {b: {nested: true, layers: [Dense: 4, ReLU]}}\n" if "b: {" in one else ""
    rows = comparing.differences(*(load(f"{block}layers: {layers}") for layers in (one, other)))

    assert what in rows[0][0], rows


def test_what_is_stated_at_keras_s_default_is_no_difference_and_another_output_is():
    one, other = "layers: [Flatten, Dense: {name: a, units: 2}]", "layers: [Flatten, Dense: {units: 2, use_bias: true}]"

    assert comparing.differences(load(one), load(other)) == []
    assert comparing.differences(load(f"{one}\noutputs: [a]"), load(f"{one}\noutputs: [a, input]"))[-1][0] == "outputs"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("kernel_initializer: he_normal", "kernel_initializer: HeNormal"),
        ("kernel_initializer: he_normal", "kernel_initializer: {HeNormal: {seed: null}}"),
        ("kernel_constraint: {MaxNorm: {max_value: 2}}", "kernel_constraint: {MaxNorm: {max_value: 2.0, axis: 0}}"),
        ("bias_initializer: zeros", "use_bias: true"),
        ("kernel_size: 3", "kernel_size: [3, 3], strides: 1"),
        ("strides: [1, 1]", "dilation_rate: [1, 1]"),
    ],
)
def test_another_spelling_is_no_difference_and_another_value_is(one, other):
    head = "task: classification\nl2: 0.001\ndropout: 0.5\nfrozen: false\n"
    body = "layers: [Reshape: [4, 2, 1], Conv2D: {filters: 2, %s}, Flatten, Dropout]"
    said = [body % (text if "kernel_size" in text else f"kernel_size: 3, {text}") for text in (one, other)]

    assert comparing.differences(load(said[0]), load(head + said[1])) == []
    assert comparing.differences(load(said[0]), load(said[1].replace("filters: 2", "filters: 3")))
    assert comparing.differences(load(said[0]), load(said[0].replace("he_normal", "he_uniform"))) or "he_" not in one


def test_a_window_that_moves_by_its_size_is_what_is_meant_by_saying_nothing():
    alike = ["strides: 2", "pool_size: [2, 2]", "pool_size: 2, strides: null", "pool_size: 2, strides: [2, 2]"]
    *same, other = (
        load(f"layers: [Reshape: [8, 4, 1], MaxPooling2D: {{{one}}}, Flatten]") for one in [*alike, "strides: 1"]
    )

    assert [comparing.differences(same[0], one) for one in same] == [[]] * len(alike)
    assert comparing.differences(same[0], other)


WIDTHS = "{values: [8, 16, 32], default: 8}"
INTERVAL = "{min_value: 8, max_value: 64, default: 8}"


@pytest.mark.parametrize(
    ("let", "one", "other", "what"),
    [
        (f"{{w: {WIDTHS}}}", "$w", "$w if $w < 32 else 99", "range of w"),
        (f"{{w: {INTERVAL}}}", "$w", "64 if $w > 8 else 8", "range of w"),
        (f"{{a: {WIDTHS}, b: {WIDTHS}}}", "$a * $b - 56", "$a + $b - 8", "ranges together"),
        (f"{{a: {WIDTHS}, b: {WIDTHS}}}", "$a + $b", "$b + $a", ""),
    ],
)
def test_networks_that_are_one_at_the_defaults_and_another_elsewhere_differ(let, one, other, what):
    rows = comparing.differences(*(load(f"let: {let}\nlayers: [Dense: {units}]") for units in (one, other)))

    assert [row[0] for row in rows][-1:] == ([what] if what else [])


def test_a_lambda_of_0_is_one_however_it_is_written():
    assert (
        comparing.differences(load("layers: [Dense: {units: 4, l2: 0}]"), load("layers: [Dense: {units: 4, l2: 0.0}]"))
        == []
    )


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        ("[LSTM: 4]", "[LSTM: {units: 4, activation: null}]", "lstm.activation"),
        ("[LSTM: 4]", "[LSTM: {units: 4, recurrent_activation: null}]", "lstm.recurrent_activation"),
        ("[ops.multiply: {x2: 1}, Flatten]", "[ops.multiply: {x2: 1.0}, Flatten]", "multiply.x2"),
        ("[ops.multiply: {x2: 1}, Flatten]", "[ops.multiply: {x2: true}, Flatten]", "multiply.x2"),
        ("[Dense: {name: a, units: 4}, Dense: {name: b, units: 4}, Rescaling: {from: a, scale: 2}, "
         "Add: {from: [a, b, rescaling]}]",
         "[Dense: {name: a, units: 4}, Dense: {name: b, units: 4}, Rescaling: {from: b, scale: 2.0}, "
         "Add: {from: [a, b, rescaling]}]",
         "rescaling.from"),
    ],
)  # fmt: skip
def test_null_and_types_of_numbers_and_what_a_spelling_hides_are_differences(one, other, what):
    head = HEAD.replace("mlp", "rnn")
    rows = comparing.differences(load(f"layers: {one}", head), load(f"layers: {other}", head))

    assert [row[0] for row in rows] == [what]


def test_the_order_of_inputs_is_a_difference_and_layers_are_known_by_the_names_that_they_read():
    head = "spec: 1\nname: two\nfamily: mlp\nclasses: 3\n"
    body = "layers: [Dense: {from: a, units: 4}, Dense: {from: b, units: 5}, Concatenate: {from: [dense, previous]}]"
    one = f"inputs: {{a: {{shape: [8]}}, b: {{shape: [3]}}}}\n{body}"
    other = f"inputs: {{b: {{shape: [3]}}, a: {{shape: [8]}}}}\n{body}"
    swapped = other.replace("from: a", "from: c").replace("from: b", "from: a").replace("from: c", "from: b")

    assert [row[0] for row in comparing.differences(load(one, head), load(other, head))] == ["inputs"]
    assert [row[0] for row in comparing.differences(load(one, head), load(swapped, head))] == [
        "inputs", "dense.from", "dense_1.from",
    ]  # fmt: skip


def test_a_model_inside_is_called_on_its_inputs_in_their_order():
    text = """
        blocks:
          u: {nested: true, inputs: [p, q], layers: [Dense: {name: a, units: 4, from: p}, Subtract: {from: [a, q]}]}
        layers: [Flatten: {name: f}, Dense: {name: x, units: 4}, Dense: {from: f, units: 4}, u: {from: [x, previous]}]
    """
    rows = comparing.differences(load(text), load(text.replace("inputs: [p, q]", "inputs: [q, p]")))

    assert [row[0] for row in rows] == ["u/a.from", "u/subtract.from"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[Dense: {name: a, units: $w}, Dense: {name: b, units: 8}]",
         "[Dense: {name: a, units: 8}, Dense: {name: b, units: $w}]"),
        ("[Dense: {name: a, units: $w}, Dense: {name: b, units: 8}]",
         "[Dense: {name: a, units: $w}, Dense: {name: b, units: $w}]"),
        ("[u: {name: a, n: {values: [8, 16], default: 8}}, u: {name: b, n: $w}]",
         "[u: {name: a, n: $w}, u: {name: b, n: {values: [8, 16], default: 8}}]"),
    ],
)  # fmt: skip
def test_ranges_that_decide_other_layers_are_a_difference(one, other):
    let = "let: {w: {values: [8, 16], default: 8}}\n"
    let += "blocks: {u: {parameters: {n}, layers: [Dense: {name: d, units: $n}]}}\n" if "u: " in one else ""
    rows = comparing.differences(load(f"{let}layers: {one}"), load(f"{let}layers: {other}"))

    assert rows and all("decides" in row[1] and row[1] != row[2] for row in rows if row[0] == "range of w")
    assert comparing.differences(load(f"{let}layers: {one}"), load(f"{let}layers: {one}")) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sparsity: 0.1", "sparsity: {weight: 0.1}"), ("sparsity: 1", "sparsity: {weight: 1.0, target: 0.05}"),
        ("contractive: 0, sparsity: 0.1", "sparsity: 0.1"),
    ],
)  # fmt: skip
def test_penalties_are_compared_by_what_they_weigh(one, other):
    head = "spec: 1\nname: ae\nfamily: ae\ninput: {shape: [8]}\nencoder: []\ndecoder: []\n"
    head += "latent: {Dense: {units: 2, activation: sigmoid}}\n"
    rows = comparing.differences(*(load(f"penalties: {{{text}}}", head) for text in (one, other)))

    assert [row for row in rows if row[0] == "penalties"] == []
    assert comparing.differences(load(f"penalties: {{{one}}}", head), load("penalties: {sparsity: 0.2}", head))


def test_an_operation_of_any_number_of_tensors_is_compared():
    one = 'layers: [ops.einsum: {from: [input, input], subscripts: "bij,bik->bj"}]'

    assert comparing.differences(load(one), load(one)) == []
    assert comparing.differences(load(one), load(one.replace("->bj", "->bk")))[0][0] == "einsum.subscripts"


def test_p_that_expressions_alone_read_is_compared_where_it_acts():
    head = HEAD + "dropout: 0.3\n"
    one, other = load("layers: [Flatten, Dropout: $dropout / 2]", head), load("layers: [Flatten, Dropout: 0.15]")

    assert comparing.differences(one, other) == []
    assert comparing.differences(one, load("layers: [Flatten, Dropout: $dropout / 3]", head))[-1][0] == "dropout.rate"


def test_how_a_block_is_written_makes_no_difference():
    blocks = """
        blocks: {pair: {parameters: {units}, layers: [Dense: $units, ReLU]}}
        layers: [Flatten, {for: i, in: [4, 8], layers: [pair: $i]}]
    """
    flat = "layers: [Flatten, Dense: 4, ReLU, Dense: 8, ReLU]"

    assert comparing.differences(load(blocks), load(flat)) == []


def test_plain_arguments_of_a_call_are_compared():
    head = HEAD.replace("mlp", "rnn")
    one = "layers: [BatchNormalization: {from: {training: false}}, Flatten]"
    two = "layers: [BatchNormalization, Flatten]"
    masks = "layers: [LSTM: {name: a, units: 4, return_sequences: true}, LSTM: {from: {mask: a}, units: 4}]"

    assert comparing.differences(load(one, head), load(two, head)) == [
        ("batch_normalization.from.training", "false", "-")
    ]
    assert comparing.differences(load(masks, head), load(masks.replace("from: {mask: a}, ", ""), head)) == [
        ("lstm.from.mask", "1", "-")
    ]


def test_networks_inside_the_network_are_compared_layer_by_layer():
    text = "encoder: [Dense: 8]\nlatent: {Dense: 2}\ndecoder: [Dense: {name: d, units: 8}]"
    head = HEAD.replace("mlp", "ae").replace("classes: 3\n", "").replace("[8, 4]", "[4]")

    assert comparing.differences(load(text, head), load(text.replace("d, units: 8", "d, units: 9"), head)) == [
        ("decoder/d.units", "8", "9")
    ]


@pytest.mark.parametrize(
    "spec",
    [
        {"family": "vae", "frozen": True, "encoder": [{"Dense": 4}], "latent": {"Gaussian": {"units": 2}},
         "decoder": [{"Dense": 4}]},
        {"family": "vae", "encoder": [{"Dense": 4}], "latent": {"Gaussian": {"units": 2, "frozen": True}},
         "decoder": [{"Dense": 4}]},
        {"family": "mlp", "classes": 3,
         "layers": [{"frozen": True, "layers": [{"Dense": 4}, "ops.tanh"]}, {"Dense": 3}]},
    ],
)  # fmt: skip
def test_what_is_frozen_is_written_where_it_stands(spec):
    found = selection.load({"spec": 1, "name": "one", "input": {"shape": [6]}, **spec})
    again = selection.load(parsing.parse(dumping.dump(out(found.fill())).encode(), "f")[0])
    still = [
        {one.name: one.still for one in unfolded(each.fill()).walk() if one.layer == "Dense"} for each in (found, again)
    ]

    assert still[0] == still[1]
    assert any(still[0].values())


def test_what_models_inside_answer_in_another_order_is_another_network():
    text = """blocks:
  n: {nested: true, layers: [Dense: {name: u, units: 4}, Dense: {name: v, units: 4}], outputs: [u, v]}
layers: [Flatten, n: {name: m}, Subtract: {from: [m.0, m.1]}]"""

    rows = comparing.differences(load(text), load(text.replace("[u, v]", "[v, u]")))
    assert [what for what, _, _ in rows] == ["m.outputs"]


def test_what_is_the_same_for_some_rows_or_some_values_alone_is_not_the_same():
    decay = "{{CosineDecay: {{initial_learning_rate: 0.1, decay_steps: {}}}}}"
    steps = f"train: {{{{{{}}optimizer: {{{{SGD: {{{{learning_rate: {decay}}}}}}}}}}}}}\n"
    epochs = "epochs: {values: [10, 20], default: 20}, "

    drops = (f"layers: [Dense: 4]\ndropout: {rate}\ntrain: {{optimizer: {{SGD: {{learning_rate: $dropout / 9}}}}}}"
             for rate in (0.1, 0.2))  # fmt: skip
    assert comparing.differences(*(load(text, REGRESSION) for text in drops)) == [("dropout", "0.1", "0.2")]
    both = "$epochs * $steps"
    for more, mine, its in (
        ("", both, "62500"),
        ("", both, "34000"),
        (epochs, both, "20 * $steps"),
        ("", "'min($steps, 100)'", "100"),
    ):
        one, other = (load(f"layers: [Dense: 4]\n{steps.format(more, text)}", REGRESSION) for text in (mine, its))
        assert [what for what, _, _ in comparing.differences(one, other)] == ["train.optimizer"]
    one, other = (load(f"layers: [Dense: 4]\n{steps.format(f'epochs: {count}, ', '$epochs * $steps')}", REGRESSION)
                  for count in (20, 30))  # fmt: skip
    assert comparing.differences(one, other) == [("train.epochs", "20", "30")]
