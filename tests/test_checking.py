"""Checking with data and by building, and comparing: what was said to be fine is so, what is refused is wrong."""

from __future__ import annotations

import json
from textwrap import dedent

import numpy as np
import pytest

import zoo
from zoo import checking, cli, selection
from zoo.datasets import dataset
from zoo.errors import ZooError
from zoo.language import comparing, parsing

CONV = """\
spec: 1
name: conv
family: cnn
classes: 4
input: {shape: [16, 16, 1]}
l2: 0
layers: [Conv2D: {filters: 4, kernel_size: 3}, Flatten]
"""
SEQS = """\
spec: 1
name: seqs
family: rnn
input: {shape: [12, 2]}
l2: 0
layers: [GRU: 4]
"""


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """An empty folder with data: images with a label a pixel, and sequences of numbers to forecast."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    images = random.random((40, 16, 16, 3)).astype("float32")
    np.savez(tmp_path / "pixels.npz", x_train=images, y_train=random.integers(0, 3, (40, 16, 16)))
    steps = random.random((60, 12, 2)).astype("float32")
    np.savez(tmp_path / "steps.npz", x_train=steps, y_train=steps[:, :3] + 1)
    (tmp_path / "conv.yaml").write_text(CONV)
    (tmp_path / "seqs.yaml").write_text(SEQS)
    return tmp_path


def check(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["check", *map(str, arguments)])
    told = capsys.readouterr()
    return stopped.value.code or 0, told.out, told.err


def test_what_is_built_is_what_met_the_data(desk, capsys):
    """A head of pixels behind Flatten is refused without building, with the place in the spec's own file."""
    code, told, wrong = check(capsys, "conv.yaml", "--data", "pixels.npz", "--build")

    assert (code, told) == (1, "")
    says = "conv.yaml:1:1: head.Conv2D: the network answers once a row; expected an answer at each pixel, which "
    assert wrong == f"{says}segmentation on pixels asks for; try `unet`\n"
    assert check(capsys, "conv.yaml", "--data", "pixels.npz") == (1, "", wrong)
    assert check(capsys, "seqs.yaml", "--data", "steps.npz") == (0, "seqs.yaml: fine\n", "")
    assert check(capsys, "seqs.yaml", "--data", "steps.npz", "--build") == (0, "seqs.yaml: fine\n", "")


def test_sizes_that_do_are_told_where_those_of_the_images_do_not(desk, capsys):
    """Halved four times, 24 x 40 does not come back; a network that no size nearby suits is told as Keras tells it."""
    random = np.random.default_rng(0)
    images = random.random((40, 24, 40, 1)).astype("float32")
    np.savez("maps.npz", x_train=images, y_train=random.integers(0, 3, (40, 24, 40)))
    body = "[Conv2D: {name: a, filters: 2, kernel_size: 3, padding: same}, MaxPooling2D: {pool_size: 16}, "
    back = "UpSampling2D: {size: 16}, Concatenate: {from: [a, previous]}]\n"
    head = CONV[: CONV.index("layers:")].replace("classes: 4\n", "task: segmentation\nclasses: 3\n")
    (desk / "down.yaml").write_text(f"{head}layers: {body}{back}")
    (desk / "never.yaml").write_text(f"{head}layers: {body}{back.replace('size: 16', 'size: 8')}")

    code, _, wrong = check(capsys, "down.yaml", "--data", "maps.npz", "--build")
    assert code == 1 and "Keras refuses Concatenate" in wrong
    says = "input: images of 24 x 40 do not fit this network; expected 16 x 32 or 32 x 48, multiples of 16: resize or"
    assert says in wrong
    code, _, wrong = check(capsys, "never.yaml", "--data", "maps.npz", "--build")
    assert code == 1 and "Keras refuses Concatenate" in wrong and "multiples" not in wrong
    assert check(capsys, "down.yaml", "--data", "pixels.npz", "--build")[0] == 0


def test_data_that_do_not_fit_hide_no_shape_that_does_not_meet(desk, capsys):
    (desk / "both.yaml").write_text(CONV.replace("Flatten]", "Flatten, MaxPooling2D]").replace("classes: 4\n", ""))

    code, _, wrong = check(capsys, "both.yaml", "--data", "steps.npz", "--build")

    assert code == 1
    lines = wrong.splitlines()
    assert any(line.startswith("`conv` wants images, and steps is sequences") for line in lines)
    assert any("layers[2]: Keras refuses MaxPooling2D" in line for line in lines)
    assert len(lines) == 2


def test_every_variant_meets_the_data_and_says_which_it_is(desk, capsys):
    same = "{layers: [Conv2D: {filters: 4, kernel_size: 3, padding: same}]}"
    text = CONV.replace("layers:", f"variants: {{flat: {{}}, same: {same}, other: {{}}}}\nlayers:")
    (desk / "many.yaml").write_text(text)

    code, told, wrong = check(capsys, "many.yaml", "--data", "pixels.npz", "--build")

    assert (code, told) == (1, "")
    assert len(wrong.splitlines()) == 1
    assert "answers once a row, in the variants `flat` and `other`; expected an answer at each pixel" in wrong


def test_data_that_are_not_there_are_told_once_and_beside_the_specs_problems(desk, capsys):
    (desk / "typo.yaml").write_text(CONV.replace("filters", "filtres"))

    code, told, wrong = check(capsys, "conv.yaml", "typo.yaml", "seqs.yaml", "--data", "nothing.npz")

    assert (code, told) == (1, "")
    assert len(wrong.splitlines()) == 2
    assert "nothing.npz is not there" in wrong and "did you mean `filters`?" in wrong


def test_a_run_that_weights_name_is_looked_for(desk, capsys):
    (desk / "conv.yaml").write_text(f"{CONV}weights: run:first\n")
    code, _, wrong = check(capsys, "conv.yaml")

    assert code == 1 and wrong.startswith("conv.yaml:8:1: weights: no run `first`: runs/first holds no plan.json; ")


def test_the_ends_of_ranges_are_built_as_the_data_have_them(desk):
    description = dataset.load(desk / "pixels.npz").description
    text = CONV.replace("kernel_size: 3}, Flatten", "kernel_size: 3, padding: same}, MaxPooling2D: {pool_size: $wide}")
    text = text.replace("l2: 0\n", "l2: 0\nlet: {wide: {values: [1, 40], default: 1}}\n")
    (desk / "deep.yaml").write_text(text)

    (wrong,) = checking.problems(selection.load("deep.yaml"), description, build=True)

    assert wrong.wrong.endswith(", where `wide` is 40")
    assert (wrong.path, wrong.mark.line) == ("layers[1].MaxPooling2D", 8)


TOLD_WHEN_COMPUTED = {
    "Discretization: {bin_boundaries: [1, 0]}": "Expected sorted boundaries",
    "RandomCrop: {height: 12, width: 12}": "incompatible with the layer",
    "Resizing: {height: 0, width: 4}": "output dimensions must be positive",
    "StringLookup: {vocabulary: [a]}": "Cast float to string is not supported",
    "IntegerLookup: {vocabulary: [1, 2], num_oov_indices: 0}": "all inputs should be in vocabulary",
}


def test_prepare_is_tried_as_images_of_one_channel_have_it():
    for changes in ({"input.shape": [64, 64, 1]}, {"input.shape": [64, 64, 3]}):
        assert checking.problems(selection.load("resnet50", changes), None, build=True, counted=False) == []
    (wrong,) = checking.problems(
        selection.load("resnet50", {"input.shape": [64, 64, 4]}), None, build=True, counted=False
    )
    assert "puts the channels [2, 1, 0] in order" in wrong.wrong and "--set prepare=null" in wrong.expected


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ("[Rescaling: 0.5, CenterCrop: {height: 16, width: 16}]", ""),
        (
            "[Rescaling: 0.5, CenterCrop: {height: 20, width: 20}]",
            "`prepare` makes (20, 20, 1) of a row of (16, 16, 1)",
        ),
        ("[Rescaling: 0.5, Reshape: [3, 3]]", "Keras refuses Reshape on a row of (16, 16, 1)"),
    ],
    ids=["fine", "another size", "refused"],
)
def test_prepare_is_tried_on_what_the_network_reads(steps, says, tmp_path):
    (tmp_path / "spec.yaml").write_text(CONV + f"prepare: {steps}\n")
    found = checking.problems(selection.load(tmp_path / "spec.yaml"), None, build=True)

    assert [one.wrong.startswith(says) and one.mark.line == 8 for one in found] == [True] * bool(says)


@pytest.mark.parametrize("item", TOLD_WHEN_COMPUTED)
def test_what_only_computing_shows_is_a_problem_of_the_spec_and_of_a_training(item, tmp_path):
    rows = np.random.default_rng(0).integers(0, 256, (120, 8, 8, 3)).astype("uint8")
    data = dataset.load((rows, np.arange(120) % 2))
    text = CONV.replace("classes: 4", "classes: 2").replace("[16, 16, 1]", "[8, 8, 3]")
    (tmp_path / "spec.yaml").write_text(text[: text.index("layers:")] + f"layers: [{item}, Flatten]\n")
    spec = selection.load(tmp_path / "spec.yaml")

    for description in (None, data.description):
        (wrong,) = checking.problems(spec, description, build=True)
        assert wrong.wrong.startswith("the network cannot be computed: ") and TOLD_WHEN_COMPUTED[item] in wrong.wrong
        assert wrong.mark.line in (1, 7)
    with pytest.raises(ZooError, match="the network cannot be computed"):
        zoo.train(spec, data, epochs=1, run=tmp_path / "run")


def test_an_embedding_that_is_too_small_for_the_vocabulary_is_told(tmp_path):
    text = """spec: 1
name: small
family: rnn
classes: 3
input: {shape: [40], dtype: int32, vocabulary: 100}
layers:
  - Embedding: {input_dim: 50, output_dim: 4}
  - GlobalAveragePooling1D
"""
    (tmp_path / "small.yaml").write_text(text)
    (wrong,) = checking.problems(selection.load(tmp_path / "small.yaml"), None, build=True)

    assert (wrong.path, wrong.mark.line) == ("layers[0].Embedding", 7)


def test_what_cannot_be_computed_is_told_at_the_first_layer_that_cannot(tmp_path):
    text = """spec: 1
name: states
family: rnn
classes: 3
input: {shape: [8, 2]}
layers:
  - LSTM: {units: 4, name: first, return_state: true, return_sequences: true}
  - LSTM: {units: 4, from: {initial_state: [first.1]}}
  - Dense: 4
"""
    (tmp_path / "states.yaml").write_text(text)
    (wrong,) = checking.problems(selection.load(tmp_path / "states.yaml"), None, build=True)

    assert (wrong.path, wrong.mark.line) == ("layers[1].LSTM", 8)


def test_what_a_call_that_reuses_a_layer_cannot_compute_is_told_at_its_own_line(tmp_path):
    text = """spec: 1
name: again
family: rnn
classes: 3
input: {shape: [8, 2]}
layers:
  - LSTM: {units: 4, name: l, return_state: true, return_sequences: true}
  - LSTM: {units: 4, name: m, return_sequences: true, from: l}
  - reuse: {layer: m, name: again, from: {sequences: l, initial_state: [l.1]}}
  - Add: {from: [m, again]}
  - GlobalAveragePooling1D
"""
    (tmp_path / "again.yaml").write_text(text)
    (wrong,) = checking.problems(selection.load(tmp_path / "again.yaml"), None, build=True)

    assert (wrong.path, wrong.mark.line) == ("layers[2].reuse", 9)


RIGHT = {
    "ids behind what cannot be followed": """
        input: {shape: [4]}
        layers:
          - ops.pad: {pad_width: [[0, 0], [0, 1]]}
          - Embedding: {input_dim: 5, output_dim: 2}
          - Flatten
""",
    "ids behind a cast": """
        input: {shape: [4]}
        layers: [ops.cast: {dtype: int32}, Embedding: {input_dim: 5, output_dim: 2}, Flatten]
""",
    "ids at each step": """
        input: {shape: [4]}
        layers: [Reshape: [4, 1], TimeDistributed: {layer: {Embedding: {input_dim: 5, output_dim: 2}}}, Flatten]
""",
    "two inputs": "inputs: {a: {shape: [4]}, b: {shape: [3]}}\nlayers: [Concatenate: {from: [a, b]}, Dense: 4]",
    "ids beside numbers": """
        inputs: {a: {shape: [4], dtype: int32, vocabulary: 9}, b: {shape: [3]}}
        layers:
          - Embedding: {from: a, input_dim: 9, output_dim: 4}
          - GlobalAveragePooling1D
          - Concatenate: {from: [previous, b]}
        """,
    "texts": """
        input: {shape: [5], dtype: string}
        layers: [StringLookup: {vocabulary: [a, b, c]}, CategoryEncoding: {num_tokens: 4, output_mode: count}]
        """,
    "numbers to look up": """
        input: {shape: [1], dtype: int32}
        layers: [IntegerLookup: {vocabulary: [1, 2], num_oov_indices: 0, output_mode: one_hot}]
        """,
    "steps that data decide": """
        input: {shape: [null], dtype: int32, vocabulary: 100}
        layers:
          - Embedding: {input_dim: 100, output_dim: 4}
          - Conv1D: {filters: 4, kernel_size: 5}
          - Conv1D: {filters: 4, kernel_size: 5}
          - GlobalMaxPooling1D
        """,
    "pixels that data decide": """
        input: {shape: [null, null, 3]}
        layers: [MaxPooling2D: {pool_size: 16}, Conv2D: {filters: 4, kernel_size: 3}, GlobalAveragePooling2D]
        """,
    "ids without a type": """
        input: {shape: [5], vocabulary: 29}
        layers: [Embedding: {input_dim: 29, output_dim: 4}, Flatten, Dense: 4]
        """,
    "ids that an embedding knows": "input: {shape: [5]}\nlayers: [Embedding: {input_dim: 9, output_dim: 4}, Flatten]",
    "large images of any size": """
        input: {shape: [null, null, 3]}
        layers: [MaxPooling2D: {pool_size: 70}, Conv2D: {filters: 2, kernel_size: 1}, GlobalAveragePooling2D]
        """,
    "steps of which some are a whole": "input: {shape: [null, 3]}\nlayers: [Reshape: {target_shape: [-1, 5]}, GRU: 4]",
    "whole numbers that are not 0": """
        input: {shape: [4], dtype: int32, vocabulary: 50}
        layers: [ops.add: {x2: 1}, ops.floor_divide: {x1: 100}, ops.cast: {dtype: float32}]
        """,
    "numbers from 1 up": "input: {shape: [4]}\nlayers: [ops.arccosh, Dense: 4]",
    "numbers far from 0": "input: {shape: [4]}\nlayers: [ops.subtract: {x2: 150.0}, ops.sqrt, Dense: 4]",
    "a head alone": "input: {shape: [4]}\nlayers: []",
    "classes that an expression reads": """
        input: {shape: [8], classes: 5}
        layers: [Dense: $input.classes]
        """,
    "two answers": "input: {shape: [4]}\nlayers: [Dense: {name: a, units: 2}, Dense: 3]\noutputs: [a, dense]",
}
WRONG = {
    "input: {shape: [4]}\nlayers: [Dense: 4, ops.nanmedian: {axis: 1}, ops.expand_dims: -1]": "cannot be computed",
    """
        input: {shape: [9, 4]}
        layers: [Conv1D: {filters: 4, kernel_size: 3, kernel_regularizer: orthogonal_regularizer}, Flatten]
    """: "must have rank 2",
    "input: {shape: [4]}\nlayers: [Normalization: {mean: 0, variance: -1}]": "answers NaN",
    "input: {shape: [8, 8, 1]}\nlayers: [RandomHue: 0.5, Flatten]": "cannot be computed: Dimension must be 3",
    "input: {shape: [9]}\nlayers: [Dense: {units: 4, kernel_constraint: {MaxNorm: {axis: 3}}}]": "MaxNorm does not fit",
}


def _alone(text):
    head = "spec: 1\nname: alone\nfamily: mlp\ntask: regression\nl2: 0\n"
    value, _, problems = parsing.parse((head + dedent(text)).encode(), "f")
    assert problems == []
    return selection.load(value)


@pytest.mark.parametrize("text", RIGHT.values(), ids=list(RIGHT))
def test_what_can_be_built_alone_is_fine(text):
    assert checking.problems(_alone(text), None, build=True) == []


@pytest.mark.parametrize(("text", "says"), WRONG.items(), ids=["graph", "penalty", "nan", "training", "constraint"])
def test_what_only_a_graph_or_a_penalty_or_the_answers_show_is_told(text, says):
    (wrong,) = checking.problems(_alone(text), None, build=True)

    assert says in wrong.wrong


def test_columns_far_apart_are_tried_each_in_its_own_range():
    rows = np.random.default_rng(0).normal(size=(80, 6)) * [1e-4, 1, 1e4, 1e-3, 1e3, 10] + 5e3 * np.arange(6)
    text = "spec: 1\nname: far\nfamily: vae\nl2: 0\ninput: {shape: [6]}\nencoder: [Dense: 16]\n"
    spec = selection.load(
        parsing.parse((text + "latent: {Gaussian: {units: 2}}\ndecoder: [Dense: 8]\n").encode(), "f")[0]
    )
    description = dataset.load({"x_train": rows.astype("float32")}).description

    assert [checking.problems(spec, description, build=True) for _ in range(8)] == [[]] * 8


@pytest.mark.parametrize(
    ("rows", "fits"),
    [
        (np.eye(4, dtype="float32")[np.arange(120) % 4], True),
        (np.eye(4, dtype="int32")[np.arange(840) % 4].reshape(120, 7, 4), True),
        (np.eye(4, dtype="bool")[np.arange(840) % 4].reshape(120, 7, 4), True),
        (np.random.default_rng(0).normal(size=(120, 4)).astype("float32"), False),
        (np.random.default_rng(0).random((120, 4)).astype("float32"), False),
        (np.random.default_rng(0).random((120, 1)).astype("float32"), False),
    ],
    ids=["one-hot", "steps", "steps of true and false", "of both signs", "no shares", "one column"],
)
def test_a_categorical_likelihood_is_of_shares_alone(rows, fits):
    text = "spec: 1\nname: shares\nfamily: ae\nlikelihood: categorical\nl2: 0\nencoder: []\n"
    text += f"input: {{shape: {list(rows.shape[1:]) if rows.ndim > 2 else [4]}}}\n"
    spec = selection.load(parsing.parse((text + "latent: {Dense: {units: 2}}\ndecoder: []\n").encode(), "f")[0])
    told = checking.problems(spec, dataset.load({"x_train": rows}).description, build=False)

    assert [one.wrong.split(" reads ")[0] for one in told] == ([] if fits else ["`shares`"])


def test_the_figures_of_a_network_do_not_outlive_a_change_by_data_or_by_a_range():
    plain = selection.load("mnist_mlp")
    searched = selection.load({**plain.written(), "let": {"w": {"values": [8, 16], "default": 8}},
                               "layers": [{"Dense": "$w"}, "Dropout"]})  # fmt: skip

    rated = selection.load({**plain.written(), "let": {"rate": {"values": [8, 16], "default": 8}},
                            "layers": [{"Dense": "$rate"}, "Dropout"]})  # fmt: skip
    assert "parameters" in rated.fill({}).data and "parameters" not in rated.fill({"rate": 16}).data
    assert "parameters" in plain.fill({"l2": 0.5}).data
    assert "parameters" in plain.adapted(classes=10).data
    for changed in (plain.adapted(classes=3), plain.adapted(shape=(30,)), searched.fill({"w": 16})):
        assert not {"parameters", "flops", "metric"} & {*changed.data}
    assert "parameters" in searched.fill({"w": 8}).data


def test_a_trial_that_cannot_be_computed_does_not_end_a_search(tmp_path):
    ids = np.random.default_rng(0).integers(0, 30, (120, 12)).astype("int32")
    ids[0, 0] = 29
    layers = [{"Embedding": {"input_dim": "$w", "output_dim": 4}}, "Flatten"]
    sizes = {"w": {"values": [20, 40], "default": 40}}
    spec = {"spec": 1, "name": "ids", "family": "rnn", "classes": 2, "input": {"shape": [12], "dtype": "int32"}}
    study = zoo.tune({**spec, "let": sizes, "layers": layers}, (ids, np.arange(120) % 2), trials=3, epochs=1,
                     oracle="grid", run=tmp_path / "run", workers=1)  # fmt: skip
    described = dataset.load((ids, np.arange(120) % 2)).description
    (wrong,) = checking.problems(selection.load({**spec, "let": sizes, "layers": layers}), described, build=True)

    assert {one["status"] for one in study.trials} == {"completed", "diverged"}
    assert "is not in [0, 20), where `w` is 20" in wrong.wrong


def test_class_names_that_are_too_few_are_refused():
    rows, labels = np.random.default_rng(0).random((120, 6)), np.arange(120) % 3

    with pytest.raises(ZooError) as caught:
        dataset.load({"x_train": rows, "y_train": labels, "classes": ["a", "b"]})

    says = "data: classes holds 2 names, and the label 2 has none; expected a name for each, the first for the label 0"
    assert str(caught.value) == says


DIFF = {"spec": 1, "name": "d", "family": "mlp", "classes": 3, "input": {"shape": [8]}, "l2": 0.1}
RANGE = {"values": [0.1, 0.2], "default": 0.1}
HELD = json.dumps(RANGE)


def differences(one, other):
    return comparing.differences(*(selection.load({**DIFF, "layers": layers}) for layers in (one, other)))


def dense(**more):
    return {"Dense": {"units": 4, **more}}


@pytest.mark.parametrize(
    ("one", "other", "rows"),
    [
        ([dense(l2=RANGE)], [dense(l2=0.1)], [("range of layers[0].Dense.l2", HELD, "-")]),
        ([dense(l2=0.1)], [dense(l2=RANGE)], [("range of layers[0].Dense.l2", "-", HELD)]),
        ([{"layers": [dense()], "l2": RANGE}], [dense(l2=0.1)], [("range of layers[0].l2", HELD, "-")]),
        ([dense(l2=RANGE)], [dense(l2={**RANGE, "values": [0.1, 0.3]})],
         [("range of layers[0].Dense.l2", HELD, '{"values": [0.1, 0.3], "default": 0.1}')]),
        ([dense(l2=RANGE), dense()], [dense(), dense(l2=RANGE)],
         [("range of layers[0].Dense.l2", HELD, "-"), ("range of layers[1].Dense.l2", "-", HELD)]),
        ([{"layers": [dense()], "l2": RANGE}], [dense(l2=RANGE)], []),
        ([dense(l2=RANGE)], ["Flatten", dense(l2=RANGE)], [("flatten", "-", "Flatten")]),
    ],
    ids=["layer", "other", "group", "another", "moved", "the same, said otherwise", "a layer before it"],
)  # fmt: skip
def test_a_range_on_a_layer_or_a_group_is_compared(one, other, rows):
    assert differences(one, other) == rows
    assert differences(one, one) == []


def test_every_layer_that_keras_refuses_is_told_and_what_reads_it_is_not():
    text = """
        input: {shape: [9, 9, 3]}
        blocks:
          inside: {nested: true, layers: [Conv2D: {filters: 2, kernel_size: 30}, Conv2D: {filters: 2, kernel_size: 2}]}
        layers:
          - Conv2D: {filters: 2, kernel_size: 12}
          - MaxPooling2D: {name: after, pool_size: 2}
          - MaxPooling2D: {name: other, pool_size: 20, from: input}
          - inside: {name: third, from: input}
          - Concatenate: {from: [after, other, third]}
          - Flatten
        """
    told = checking.problems(_alone(text), None, build=True)

    assert [one.path for one in told] == [
        "layers[0].Conv2D",
        "layers[2].MaxPooling2D",
        "blocks.inside.layers[0].Conv2D",
    ]
