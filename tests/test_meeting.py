"""A spec meets data: which fit, what prepares the rows, what is optimised; all without Keras."""

import functools
import json
import re
import subprocess
import sys

import numpy as np
import pytest

from zoo import meeting, selection
from zoo.datasets import dataset
from zoo.errors import ZooError
from zoo.meeting import alone, meet

SPECS = ("lenet5", "lstm", "autoencoder", "vae", "mlp")
NUMBERS = r" is for classification, and the targets of {data} ask for {task}; try "
PICTURES = r" wants {what}, and {data} is a table of \d+ columns; try .*`mlp`"
PROBABILITIES = r"reads its output as probabilities .*, and {data} holds values from .*--set likelihood=gaussian"

# What becomes of each spec on each data set: its task and the layers that prepare the rows, or the sentence.
FITS = {
    ("lenet5", "digits"): ("classification", "Rescaling Resizing"),
    ("lstm", "digits"): ("classification", "Rescaling Reshape"),
    ("autoencoder", "digits"): ("reconstruction", "Rescaling Reshape"),
    ("vae", "digits"): ("generation", "Rescaling Reshape"),
    ("mlp", "digits"): ("classification", "Rescaling Reshape"),
    ("lenet5", "fashion_mnist_2k"): ("classification", "Rescaling Resizing"),
    ("lstm", "fashion_mnist_2k"): ("classification", "Rescaling Reshape"),
    ("autoencoder", "fashion_mnist_2k"): ("reconstruction", "Rescaling Reshape"),
    ("vae", "fashion_mnist_2k"): ("generation", "Rescaling Reshape"),
    ("mlp", "fashion_mnist_2k"): ("classification", "Rescaling Reshape"),
    ("lenet5", "co2"): "`lenet5`" + NUMBERS.format(data="co2", task="forecasting") + ".*`lstm`",
    ("lstm", "co2"): ("forecasting", "SinceLast Normalization"),
    ("autoencoder", "co2"): ("reconstruction", "Normalization Reshape"),
    ("vae", "co2"): PROBABILITIES.format(data="co2"),
    ("mlp", "co2"): ("forecasting", "SinceLast Normalization Reshape"),
    ("lenet5", "breast_cancer"): "`lenet5`" + PICTURES.format(what="images", data="breast_cancer"),
    ("lstm", "breast_cancer"): "`lstm`" + PICTURES.format(what="sequences", data="breast_cancer"),
    ("autoencoder", "breast_cancer"): ("reconstruction", "Normalization"),
    ("vae", "breast_cancer"): PROBABILITIES.format(data="breast_cancer"),
    ("mlp", "breast_cancer"): ("classification", "Normalization"),
    ("lenet5", "diabetes"): "`lenet5`" + NUMBERS.format(data="diabetes", task="regression") + ".*`mlp`",
    ("lstm", "diabetes"): "`lstm`" + PICTURES.format(what="sequences", data="diabetes"),
    ("autoencoder", "diabetes"): ("reconstruction", "Normalization"),
    ("vae", "diabetes"): PROBABILITIES.format(data="diabetes"),
    ("mlp", "diabetes"): ("regression", "Normalization"),
}

OBJECTIVES = {
    "classification": {"val_accuracy": "max", "val_crossentropy": "min"},
    "regression": {"val_mae": "min", "val_mse": "min"},
    "forecasting": {"val_mae": "min", "val_mse": "min"},
    "reconstruction": {"val_mse": "min"},
    "generation": {"val_negative_elbo": "min"},
}
ONE_OF_EACH = {
    "classification": ("mlp", "breast_cancer"),
    "regression": ("mlp", "diabetes"),
    "forecasting": ("lstm", "co2"),
    "reconstruction": ("autoencoder", "digits"),
    "generation": ("vae", "digits"),
}


@functools.cache
def described(data):
    return dataset.load(data).description


def described_rows(x, y=None):
    return dataset.load((x, y)).description


def plan_of(spec, data, changes=None, **choices):
    return meet(selection.load(spec, changes), described(data), **choices)


def layers(plan):
    return " ".join(name for step in plan.steps for name in step)


def step(plan, name):
    return next(one[name] for one in plan.steps if name in one)


# Fits


@pytest.mark.parametrize("spec, data", FITS, ids=[f"{spec} on {data}" for spec, data in FITS])
def test_a_spec_fits_data_or_says_why_not(spec, data):
    wanted = FITS[spec, data]
    if isinstance(wanted, str):
        with pytest.raises(ZooError, match=wanted):
            plan_of(spec, data)
        return
    plan = plan_of(spec, data)

    assert (plan.task, layers(plan)) == wanted
    assert {plan.objective: plan.direction}.items() <= OBJECTIVES[plan.task].items()


def test_the_table_of_fits_is_whole():
    assert len(FITS) == 25
    assert set(SPECS) <= set(selection.files())


def test_specs_that_are_suggested_do_fit():
    for spec, data in (("lenet5", "co2"), ("lstm", "diabetes"), ("lenet5", "breast_cancer")):
        with pytest.raises(ZooError) as error:
            plan_of(spec, data)
        tried = re.findall(r"`([a-z0-9_]+)`", str(error.value).split("try ")[1])
        assert tried and spec not in tried
        for other in tried:
            assert plan_of(other, data).task == described(data).task


def places_of(channels=3):
    """Images of 24 x 24 with a label for each pixel."""
    random = np.random.default_rng(0)
    x = random.integers(0, 255, (60, 24, 24, channels)).astype("uint8")
    return described_rows(x, (x[..., 0] > 127).astype("int32"))


def letters_of(count):
    """Rows of 32 ids, so many of them different, and the next id of each."""
    text = np.arange(60 * 33).reshape(60, 33) % (count - 1)
    text[7, 32] = count - 1  # the last one follows, and is followed by none
    return described_rows(text[:, :-1], text[:, 1:])


@pytest.mark.parametrize(("rows", "only"), [(places_of, "unet"), (lambda: letters_of(86), "charlm")])
def test_a_label_at_each_place_is_for_networks_that_answer_there(rows, only):
    """Those that fit, those that are suggested, and those whose cards say so are the same."""
    found, met = rows(), []
    for card in selection.cards():
        try:
            meet(selection.load(card.name), found)
            met += [] if card.coded else [card.name]
        except ZooError as error:
            said = str(error)
            assert card.coded or re.search(f"; try `{only}`(;|$)", said), said
    assert met == [only]
    assert [card.name for card in selection.cards() if meeting.suits(card, found)] == [only]
    says = (
        r"mlp.yaml:\d+:1: head.\w+: the network answers once a row; expected an answer at each (pixel|step), .* asks "
    )
    with pytest.raises(ZooError, match=says):
        meet(selection.load("mlp"), found)


def test_a_network_of_maps_is_for_no_label_a_row_and_for_one_a_pixel_whatever_it_states():
    maps = {
        "spec": 1,
        "name": "maps",
        "family": "cnn",
        "input": {"shape": [8, 8, 1]},
    }
    maps["layers"] = [{"Conv2D": {"filters": 4, "kernel_size": 1}}]
    rows = described_rows(np.random.default_rng(0).random((60, 8, 8, 1)), np.arange(60) % 3)

    with pytest.raises(ZooError, match=r"answers at each pixel; expected an answer once a row, .*; pool or flatten"):
        meet(selection.load({**maps, "classes": 3}), rows)
    assert meet(selection.load({**maps, "classes": 3}), places_of()).task == "segmentation"


def test_two_labels_are_for_specs_of_yes_or_no_as_well():
    ids = described_rows(np.random.default_rng(0).integers(0, 50, (60, 30)), np.arange(60) % 2)
    fits = [card.name for card in selection.cards() if meeting.suits(card, ids)]

    assert {"imdb_fasttext", "textcnn", "mlp"} <= set(fits)
    for name in fits:
        meet(selection.load(name), ids)


def test_the_data_say_how_many_ids_there_are_unless_the_spec_has_room_or_weights():
    def vocabulary(rows, changes=None):
        return meet(selection.load("charlm", changes), rows).spec.inputs["tokens"]["vocabulary"]

    assert (vocabulary(letters_of(86)), vocabulary(letters_of(20))) == (86, 76)
    plan = meet(selection.load("charlm"), letters_of(86))
    assert plan.works.shape() == (32, 86)
    assert not {"parameters", "flops"} & {*plan.spec.data}  # those of 76 ids
    with pytest.raises(ZooError, match="int64 from 0 to 84; expected whole numbers from 0 to 75, as its weights have"):
        vocabulary(letters_of(86), {"weights": "run:before"})
    words = np.random.default_rng(0).integers(0, 1_000_000_000, (60, 30))
    with pytest.raises(ZooError, match="expected whole numbers from 0 to 19999, or room for more: --set input"):
        meet(selection.load("textcnn"), described_rows(words, np.arange(60) % 3))  # numbers, and no words


def test_one_label_alone_is_for_autoencoders():
    with pytest.raises(ZooError, match=r"data has no targets or one label alone, .*; try `ae_"):
        meet(selection.load("mlp"), described_rows(np.random.random((60, 4))))


def test_sequences_that_may_be_images_get_a_hint():
    found = described_rows(np.random.random((60, 8, 8)), np.arange(60) % 3)
    with pytest.raises(ZooError, match=r"if these are images, give them a channel axis: x\[\.\.\., None\]"):
        meet(selection.load("lenet5"), found)


def test_meeting_needs_no_keras():
    code = """
import sys
from zoo import selection
from zoo.datasets import dataset
from zoo.meeting import meet
meet(selection.load("lenet5"), dataset.load("digits").description)
print([name for name in ("keras", "tensorflow", "keras_tuner") if name in sys.modules])
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ended.stdout == "[]\n"


# What the data know


def test_the_spec_takes_shape_and_facts_from_the_data():
    lenet, lstm, mlp = plan_of("lenet5", "digits"), plan_of("lstm", "co2"), plan_of("mlp", "diabetes")

    assert (lenet.spec.shape, lenet.spec.facts["classes"]) == ((32, 32, 1), 10)
    assert (lstm.spec.shape, lstm.spec.facts["horizon"], lstm.spec.facts["features"]) == ((52, 1), 4, 1)
    assert (mlp.spec.shape, mlp.spec.facts["targets"], mlp.spec.task) == ((10,), 1, "regression")
    assert "classes" not in mlp.spec.facts


def test_a_length_that_a_spec_leaves_open_stays_open():
    plan = plan_of("lstm", "co2", {"input.shape": [None, 8]})

    assert plan.spec.shape == (None, 1)


# What prepares the rows


@pytest.mark.parametrize(
    "low, high, dtype, scale, offset",
    [
        (0, 255, "uint8", 1 / 255, 0.0),
        (0, 200, "uint8", 1 / 255, 0.0),  # bytes that reach beyond half their range are pixels of 0 .. 255
        (0, 16, "uint8", 1 / 16, 0.0),
        (0, 1000, "int32", 1 / 1000, 0.0),
        (-1, 1, "float32", 1 / 2, 0.5),
    ],
)
def test_images_are_scaled_to_0_to_1(low, high, dtype, scale, offset):
    x = np.random.default_rng(0).uniform(low, high, (60, 6, 6, 1)).astype(dtype)
    x[:, 0, 0], x[:, 5, 5] = low, high
    plan = meet(selection.load("lenet5"), described_rows(x, np.arange(60) % 3))
    found = step(plan, "Rescaling")

    assert (found["scale"], found["offset"]) == pytest.approx((scale, offset))
    assert step(plan, "Resizing") == {"height": 32, "width": 32}


def test_images_that_fit_are_left_as_they_are():
    x = np.random.default_rng(0).random((60, 32, 32, 1))
    x[:, 0, 0], x[:, 5, 5] = 0, 1

    assert meet(selection.load("lenet5"), described_rows(x, np.arange(60) % 3)).steps == ()


def test_tables_are_standardised_by_the_training_part_alone():
    loaded = dataset.load("breast_cancer")
    found = step(meet(selection.load("mlp"), loaded.description), "Normalization")

    np.testing.assert_allclose(found["mean"], loaded.train.x.astype("float64").mean(axis=0))
    np.testing.assert_allclose(found["variance"], loaded.train.x.astype("float64").var(axis=0))


def test_a_column_that_never_varies_is_not_divided_by_nothing():
    x = np.random.default_rng(0).normal(size=(60, 4))
    x[:, 2] = 7
    found = step(meet(selection.load("mlp"), described_rows(x, np.arange(60) % 3)), "Normalization")

    assert (found["mean"][2], found["variance"][2]) == (7, 1)


def test_a_series_is_standardised_by_its_changes():
    loaded = dataset.load("co2")
    found = step(meet(selection.load("lstm"), loaded.description), "Normalization")
    changes = (loaded.train.x - loaded.train.x[:, -1:]).astype("float64")

    assert found["mean"] == pytest.approx([changes.mean()])
    assert found["variance"] == pytest.approx([changes.var()])


def test_values_between_0_and_1_are_probabilities_as_they_are():
    x = np.random.default_rng(0).random((60, 9))

    assert meet(selection.load("vae"), described_rows(x)).steps == ()


def images_of(channels, dtype="uint8"):
    x = (np.random.default_rng(0).random((60, 8, 8, channels)) * 255).astype(dtype)
    return described_rows(x, np.arange(60) % 3)


@pytest.mark.parametrize("changes", [{}, {"input.shape": [96, 96, 1]}])
def test_grey_images_are_prepared_as_the_published_network_wants_them(changes):
    assert meet(selection.load("mobilenetv2", changes), images_of(1)).steps[-1] == {
        "Rescaling": {"scale": pytest.approx(1 / 127.5), "offset": -1.0}
    }
    vgg = meet(selection.load("vgg16", changes), images_of(1)).steps
    assert [next(iter(one)) for one in vgg] == ["Resizing", "Rescaling"]  # there is no order of one channel
    assert vgg[-1]["Rescaling"]["offset"] == pytest.approx(-(103.939 + 116.779 + 123.68) / 3)
    dense = meet(selection.load("densenet121", changes), images_of(1)).steps[-1]["Normalization"]
    assert dense["mean"] == pytest.approx((0.485 + 0.456 + 0.406) / 3)
    assert dense["variance"] == pytest.approx((0.229**2 + 0.224**2 + 0.225**2) / 3)


def test_images_of_other_channels_are_refused_where_a_step_is_for_three():
    means = (
        r"densenet.yaml:\d+:\d+: prepare.*`mean` is for 3 channels, and the images of data have 4; expected a list of 4"
    )
    with pytest.raises(ZooError, match=means):
        meet(selection.load("densenet121"), images_of(4))
    for channels in (2, 4):
        order = rf"vgg.yaml:\d+:\d+: prepare.*Take puts the channels \[2, 1, 0\] in order, .* data have {channels}; "
        with pytest.raises(ZooError, match=order):
            meet(selection.load("vgg16"), images_of(channels))
    assert meet(selection.load("mobilenetv2"), images_of(4)).spec.shape[-1] == 4


# Objectives


@pytest.mark.parametrize("task", OBJECTIVES)
def test_each_task_has_its_objectives_and_their_directions(task):
    spec, data = ONE_OF_EACH[task]

    assert plan_of(spec, data).objective == next(iter(OBJECTIVES[task]))
    for objective, direction in OBJECTIVES[task].items():
        for given in (objective, objective.removeprefix("val_")):
            plan = plan_of(spec, data, objective=given)
            assert (plan.objective, plan.direction, plan.metric) == (objective, direction, objective[4:])
    for loss in ("val_loss", "loss"):
        with pytest.raises(ZooError, match=rf"`{loss}` cannot be the objective: it contains the L2 penalty"):
            plan_of(spec, data, objective=loss)


def test_an_unknown_objective_is_refused_with_the_nearest():
    says = r"no objective `acuracy` for classification; expected one of val_accuracy, .*; did you mean `val_accuracy`\?"
    with pytest.raises(ZooError, match=says):
        plan_of("mlp", "breast_cancer", objective="acuracy")


def test_better_is_strict_and_knows_its_direction():
    most, least = plan_of("mlp", "breast_cancer"), plan_of("mlp", "diabetes")

    assert most.better(0.9, 0.8) and not most.better(0.8, 0.8) and most.better(0.1, None)
    assert least.better(0.1, 0.2) and not least.better(0.2, 0.2) and least.better(9.0, None)


# Plans as JSON, and their differences


@pytest.mark.parametrize("task", ONE_OF_EACH)
def test_a_plan_survives_json(task):
    plan = plan_of(*ONE_OF_EACH[task], trials=7, seed=3, ahead=4, threads=2, oracle="random")
    written = json.loads(json.dumps(plan.written()))
    back = meeting.read(written)

    assert json.loads(json.dumps(back.written())) == written
    assert plan.differences(back) == back.differences(plan) == []
    assert (back.spec.ranges(), back.description, back.trials) == (plan.spec.ranges(), plan.description, 7)


def test_differences_name_what_differs():
    plan = plan_of("mlp", "breast_cancer")
    same = functools.partial(plan_of, "mlp", "breast_cancer")
    for other, says in (
        (same(trials=99), []),
        (same({"summary": "Other words."}), []),
        (same({"train.epochs": 3}), ["spec (train)"]),
        (same(seed=1), ["seed"]),
        (same(oracle="grid"), ["oracle"]),
        (same(ahead=1, threads=3), ["ahead", "number of threads a trial"]),
        (same(objective="crossentropy"), ["objective"]),
        (
            plan_of("mlp", "diabetes"),
            [
                "spec (classes, input, task, targets)",
                "data (other rows, or the same in another order)",
                "preparation",
                "task",
                "objective",
            ],
        ),
    ):
        assert plan.differences(other) == says


def test_the_number_of_trials_is_part_of_a_grid():
    few, many = (plan_of("mlp", "breast_cancer", oracle="grid", trials=trials) for trials in (6, 9))

    assert few.differences(many) == ["number of trials of a grid"]


# Ranges of a spec that names none

BARE = {"spec": 1, "name": "bare", "family": "mlp", "classes": 2, "input": {"shape": [4]}}


def ranges_of(body, **choices):
    return meet(selection.load({**BARE, **body}), described("breast_cancer"), **choices).spec.ranges()


def test_a_spec_without_ranges_gets_them_for_lambda_and_p():
    found = ranges_of({"layers": [{"Dense": {"units": 8}}, "Dropout"]})

    assert list(found) == ["l2", "dropout"]
    assert (found["l2"].default, found["l2"].sampling, found["l2"].zero) == (0.001, "log", True)
    assert (found["dropout"].default, found["dropout"].min_value, found["dropout"].max_value) == (0.5, 0.0, 0.8)


def test_such_ranges_hold_the_values_that_the_spec_has():
    found = ranges_of({"layers": [{"Dense": {"units": 8}}, "Dropout"], "l2": 0.5, "dropout": 0.9})
    nothing = ranges_of({"layers": [{"Dense": {"units": 8}}, "Dropout"], "l2": 0, "dropout": 0})

    for ranges, l2, dropout in ((found, 0.5, 0.9), (nothing, 0.0, 0.0)):
        assert (ranges["l2"].default, ranges["dropout"].default) == (l2, dropout)
        assert ranges["l2"].holds(l2) and ranges["dropout"].holds(dropout)


HEAD = {"Dense": {"units": 2, "activation": "softmax"}}


@pytest.mark.parametrize(
    ("body", "ranges"),
    [
        ({"layers": [{"Dense": 8}, {"Dropout": 0.1}]}, ["l2"]),
        ({"layers": [{"Dense": 8}, "Dropout"], "defaults": {"Dropout": {"rate": 0.3}}}, ["l2"]),
        ({"layers": [{"Dense": 8}, {"Dropout": "$p"}], "let": {"p": 0.2}}, ["l2"]),
        ({"layers": [{"Dense": 8}, {"Dropout": "$dropout / 2"}, {"Dropout": 0.1}]}, ["l2", "dropout"]),
        ({"layers": [{"Dense": {"units": 4, "l2": 0.01}}, "Dropout"],
          "head": [{"Dense": {**HEAD["Dense"], "l2": 0.1}}]}, ["dropout"]),
        ({"layers": [{"Dense": {"units": 4, "trainable": False}}],
          "head": [{"Dense": {**HEAD["Dense"], "trainable": False}}]}, []),
        ({"layers": [{"Dense": {"units": 4, "bias_regularizer": {"L2": {"l2": "$l2"}}, "kernel_regularizer": None}}],
          "head": [{"Dense": {**HEAD["Dense"], "kernel_regularizer": None}}]}, ["l2"]),
    ],
)  # fmt: skip
def test_what_layers_have_of_their_own_is_not_searched(body, ranges):
    assert list(ranges_of(body)) == ranges


def test_there_is_no_range_for_what_a_spec_does_not_have():
    assert list(ranges_of({"layers": [{"Dense": {"units": 8}}]})) == ["l2"]


def test_a_spec_with_a_range_of_its_own_keeps_to_it():
    own = {"layers": [{"Dense": {"units": 8}}, "Dropout"], "dropout": {"values": [0.1, 0.2], "default": 0.1}}

    assert list(ranges_of(own)) == ["dropout"]


def test_nothing_is_added_where_nothing_is_searched():
    assert ranges_of({"layers": [{"Dense": {"units": 8}}, "Dropout"]}, search=False) == {}


# A spec that has met no data


@pytest.mark.parametrize("name", SPECS)
def test_a_spec_alone_is_a_plan_too(name):
    found = selection.load(name)
    plan = alone(found)

    assert (plan.steps, plan.task, plan.description.x.shape) == ((), found.task, found.shape)
    assert {plan.objective: plan.direction}.items() <= OBJECTIVES[plan.task].items()


def test_videos_are_scaled_like_images_and_keep_their_frames():
    frames = (np.random.default_rng(0).random((60, 4, 8, 8, 1)) * 255).astype("uint8")
    data = dataset.load({"x_train": frames, "y_train": np.arange(60) % 3}, "clips")

    plan = meet(selection.load("convlstm"), data.description)

    assert data.description.said.startswith("videos 4 x 8 x 8 x 1, 3 classes")
    assert plan.spec.shape == (4, 8, 8, 1)
    assert [next(iter(step)) for step in plan.steps] == ["Rescaling"]
    with pytest.raises(ZooError, match="`lenet5` wants images, and clips is videos 4 x 8 x 8 x 1; try `convlstm`"):
        meet(selection.load("lenet5"), data.description)


def test_a_spec_that_reads_single_pixels_gets_an_image_pixel_by_pixel():
    digits = dataset.load("digits").description

    assert meet(selection.load("irnn"), digits).spec.shape == (64, 1)
    assert meet(selection.load("lstm"), digits).spec.shape == (8, 8)


def test_what_prepare_makes_is_compared_with_what_the_network_reads():
    from zoo import building

    spec = {
        "spec": 1, "name": "own", "family": "cnn", "input": {"shape": [8, 8, 3]}, "l2": 0, "classes": 3,
        "layers": ["Flatten"],
    }  # fmt: skip
    for steps, says in (
        ([{"Take": 1}], r"`prepare` makes \(8, 8\) of a row of \(8, 8, 3\); expected \(8, 8, 3\), which the network"),
        ([{"CenterCrop": {"height": 4, "width": 4}}], r"`prepare` makes \(4, 4, 3\) of a row"),
        ([{"Take": {"indices": 8, "axis": 1}}], r"rows of \(8, 8, 3\) cannot be prepared: .*index 8 is beyond the 8"),
    ):
        plan = meet(selection.load({**spec, "prepare": steps}), images_of(3))
        with pytest.raises(ZooError, match=says):
            building.build(plan, {}, 1)


LAST = {"filters": 3, "kernel_size": 3, "padding": "same"}
ENDS = [
    ("classification", (4,), [{"Dense": 3}, "ReLU"], "relu"),
    ("classification", (4,), [{"Dense": 3}, "Softmax"], ""),
    ("classification", (4,), [{"Dense": {"units": 3, "activation": "softmax"}}, "LeakyReLU"], "leaky_relu"),
    ("classification", (4,), [{"Dense": 3}, {"Activation": "elu"}], "elu"),
    ("classification", (4,), [{"Dense": {"units": 3, "activation": {"ELU": {"alpha": 0.5}}}}], "elu"),
    ("classification", (4,), [{"Dense": 3}, "PReLU", "Dropout"], "prelu"),
    ("classification", (4,), [{"Dense": {"units": 3, "activation": "softmax"}}, {"Reshape": [3]}, "Identity"], ""),
    ("classification", (4,), [{"Dense": 3}, {"Reshape": [3, 1]}, "Flatten"], "linear"),
    ("classification", (4,), [{"Dense": 3}, "BatchNormalization"], ""),  # nobody knows
    ("classification", (4,), [{"Dense": 3}, {"Multiply": {"from": ["previous", "previous"]}}], ""),
    ("classification", (4,), [{"EinsumDense": {"equation": "ab,bc->ac", "output_shape": 3}}], "linear"),
    ("classification", (6, 4), [{"LSTM": 3}], "tanh"),
    ("classification", (6, 4), [{"Bidirectional": {"layer": {"GRU": {"units": 3}}, "merge_mode": "sum"}}], "tanh"),
    ("classification", (6, 4), [{"RNN": {"cell": [{"GRUCell": {"units": 4}}, {"LSTMCell": {"units": 3}}]}}], "tanh"),
    ("classification", (4,), [{"SpectralNormalization": {"layer": {"Dense": {"units": 3}}}}], "linear"),
    ("segmentation", (8, 8, 3), [{"Conv2DTranspose": LAST}], "linear"),
    ("segmentation", (8, 8, 3), [{"Conv2DTranspose": {**LAST, "activation": "softmax"}}], ""),
    ("segmentation", (8, 8, 3), [{"SeparableConv2D": {**LAST, "activation": "relu"}}], "relu"),
    ("segmentation", (8, 8, 3), [{"DepthwiseConv2D": {"kernel_size": 3, "padding": "same"}}], "linear"),
    ("segmentation", (8, 8, 3), [{"Conv2D": {**LAST, "strides": 2}}, "UpSampling2D"], "linear"),
    ("segmentation", (8, 8, 3), [{"Conv2D": LAST}, "ZeroPadding2D", {"Cropping2D": {"cropping": 1}}], "linear"),
    ("segmentation", (8, 8, 3), [{"Reshape": [8, 24]}, {"TimeDistributed": {"layer": {"Dense": {"units": 24}}}},
                                 {"Reshape": [8, 8, 3]}], "linear"),
    ("segmentation", (8, 8, 3), [{"tail": {"name": "t"}}], "linear"),
]  # fmt: skip


@pytest.mark.parametrize(("task", "shape", "head", "has"), ENDS)
def test_the_activation_of_the_answer_is_compared_with_what_the_task_needs_wherever_it_is_known(task, shape, head, has):
    from zoo import building

    family, blocks = (
        {1: "mlp", 2: "rnn", 3: "cnn"}[len(shape)],
        {"tail": {"nested": True, "layers": [{"Conv2D": LAST}]}},
    )
    spec = {
        "spec": 1, "name": "own", "family": family, "task": task, "input": {"shape": list(shape)}, "classes": 3,
        "layers": ["Identity"], "head": head,
        **({"blocks": blocks} if "tail" in str(head) else {}),
    }  # fmt: skip
    plan = alone(selection.load(spec))
    if has:
        with pytest.raises(ZooError, match=f"the last activation is {has}; expected softmax for {task}"):
            building.build(plan, {}, 1)
    else:
        assert building.build(plan, {}, 1).network.outputs


@pytest.mark.parametrize(
    ("name", "likelihood", "needs"),
    [("ae_anomaly", "bernoulli", "linear; expected sigmoid"), ("conv_vae", "categorical", "sigmoid; expected softmax")],
)
def test_the_head_of_an_autoencoder_has_the_activation_of_its_likelihood(name, likelihood, needs):
    from zoo import building

    plan = alone(selection.load(name, {"likelihood": likelihood}))
    with pytest.raises(ZooError, match=rf"head\[0\]\.Conv\dDTranspose: the last activation is {needs} for"):
        building.build(plan, {}, 1)


@pytest.mark.parametrize(
    ("first", "ids"),
    [
        ([{"Take": {"indices": [0, 2]}}], {0, 2}),
        ([{"ops.get_item": {"key": ":, 1:3"}}, {"ops.cast": {"dtype": "int32"}}], {1, 2}),
        ([{"ops.get_item": {"key": ":, 1:"}}, {"Take": {"indices": [0, -1]}}], {1, 3}),
        ([{"ops.split": {"name": "s", "indices_or_sections": 2, "axis": 1}}, {"Identity": {"from": "s.1"}}], {2, 3}),
        ([{"ops.split": {"name": "s", "indices_or_sections": [1, 3], "axis": 1}},
          {"Reshape": {"target_shape": [2], "from": "s.1"}}], {1, 2}),
        ([{"ops.take": {"indices": [3, 1], "axis": 1}}, {"ops.flip": {"axis": 1}},
          {"ops.add": {"x2": [0.0, 4.0]}}], {1, 3}),
        ([{"Concatenate": {"from": [[{"Take": {"indices": 0, "from": "input"}}],
                                   [{"Take": {"indices": 3, "from": "input"}}]]}},
          {"Take": {"indices": 1}}], {3}),
        ([{"ops.cast": {"dtype": "int32"}}], {0, 1, 2, 3}),
        ([{"ops.flip": {"axis": 1}}, {"ops.get_item": {"key": ":, 0:2"}}], {2, 3}),
        ([{"Reshape": [2, 2]}, {"Take": {"indices": [1]}}], {1, 3}),
        ([{"Reshape": [2, 2]}, {"ops.get_item": {"key": ":, 1"}}], {2, 3}),
        ([{"Reshape": [2, 2]}, {"Permute": [2, 1]}, {"ops.get_item": {"key": ":, 1"}}], {1, 3}),
        ([{"ops.repeat": {"repeats": 2, "axis": 1}}, {"Take": {"indices": 1}}], {0}),
        ([{"ops.tile": {"repeats": [1, 2]}}, {"Take": {"indices": 5}}, {"ops.clip": {"x_min": 0, "x_max": 9}}], {1}),
        ([{"ops.stack": {"axis": 1, "from": [[{"Take": {"indices": 0, "from": "input"}}],
                                             [{"Take": {"indices": 2, "from": "input"}}]]}}], {0, 2}),
        ([{"ops.mod": {"x2": 16.0}}, {"Take": {"indices": [0, 2]}}], {0, 2}),
        ([{"Masking": {"mask_value": 0.0}}, {"RepeatVector": 3}, {"ops.get_item": {"key": ":, :, 1"}}], {1}),
        ([{"Dense": {"units": 4}}, {"Take": {"indices": [0, 2]}}], set()),
        ([{"ops.multiply": {"from": ["input", "input"]}}, {"Take": {"indices": [0, 2]}}], set()),
    ],
)  # fmt: skip
def test_columns_that_are_read_as_ids_stay_what_they_are(first, ids):
    layers = [*first, {"Embedding": {"input_dim": 30, "output_dim": 2}}, "Flatten"]

    assert unscaled(layers) == ids


@pytest.mark.parametrize(
    ("reader", "last", "refused"),
    [
        ({"Embedding": {"input_dim": 6, "output_dim": 2}}, 5, False),
        ({"Embedding": {"input_dim": 6, "output_dim": 2}}, 6, True),
        ({"Embedding": {"input_dim": 6, "output_dim": 2}}, -1, True),
        ({"CategoryEncoding": {"num_tokens": 6, "output_mode": "one_hot"}}, 6, True),
        ({"ops.one_hot": {"num_classes": 6}}, 6, True), ({"IntegerLookup": {"vocabulary": [1, 2]}}, 6, False),
    ],
    ids=str,
)  # fmt: skip
def test_ids_of_a_column_that_its_reader_does_not_know_are_told_wherever_the_row_stands(reader, last, refused):
    dice = np.random.default_rng(0)
    x = np.concatenate([dice.normal(size=(90, 3)), dice.integers(0, 6, (90, 1))], axis=1).astype("float32")
    rows = {"x_train": x, "y_train": dice.integers(0, 2, 90), "x_test": x[:9].copy(), "y_test": np.arange(9) % 2}
    rows["x_test"][3, 3] = last
    description = dataset.load(rows, "bank").description
    layers = [{"Take": {"indices": [3]}}, reader, "Flatten", {"Dense": 4}]
    spec = selection.load(
        {"spec": 1, "name": "bank", "family": "mlp", "l2": 0, "classes": 2, "input": {"shape": [4]}, "layers": layers}
    )

    if refused:
        says = (
            f"it reads column 3 of bank, which holds {min(last, 0)} to {max(last, 5)}, as ids; expected ids from 0 to 5"
        )
        with pytest.raises(ZooError, match=says):
            meet(spec, description)
    else:
        assert meet(spec, description).description is description
    added = [layers[0], {"ops.clip": {"x_min": 0, "x_max": 5}}, *layers[1:]]  # whatever computes knows better
    assert meet(selection.load({**spec.data, "layers": added}), description)


@pytest.mark.parametrize(
    ("dtype", "says"),
    [
        ("uint8", ""),
        ("int64", ""),
        ("int8", "reads int8, and whole holds 0 to 200"),
        ("float64", ""),
    ],
)
def test_what_is_read_as_whole_numbers_is_not_scaled(dtype, says):
    dice = np.random.default_rng(0)
    images = dice.integers(0, 201, (60, 4, 4, 1)).astype("uint8")
    images[:2, 0, 0, 0] = 0, 200
    spec = selection.load({
        "spec": 1, "name": "raw", "family": "cnn", "classes": 2, "input": {"shape": [4, 4, 1], "dtype": dtype}, "l2": 0,
        "layers": [{"ops.cast": {"dtype": "float32"}}, {"Conv2D": {"filters": 2, "kernel_size": 2}}, "Flatten"],
    })  # fmt: skip
    description = dataset.load((images, np.arange(60) % 2), "whole").description

    if says:
        with pytest.raises(ZooError, match=says):
            meet(spec, description)
    else:
        assert [next(iter(step)) for step in meet(spec, description).steps] == ["Rescaling"] * (dtype == "float64")
    halves = dataset.load(((images / 255).astype("float32"), np.arange(60) % 2), "halves").description
    if dtype != "float64":
        with pytest.raises(ZooError, match=rf"`raw` reads whole numbers \({dtype}\), and halves holds float32"):
            meet(spec, halves)


@pytest.mark.parametrize(
    "reader",
    [
        {"CategoryEncoding": {"num_tokens": 30, "output_mode": "one_hot"}}, {"ops.one_hot": {"num_classes": 30}},
        {"IntegerLookup": {"vocabulary": [4, 5, 6]}}, {"Discretization": {"bin_boundaries": [4.0, 6.0]}},
        {"ops.multi_hot": {"num_classes": 30}}, {"ops.digitize": {"bins": [4.0, 6.0]}},
        {"Hashing": {"num_bins": 3}}, {"ReversibleEmbedding": {"input_dim": 30, "output_dim": 2}},
    ],
    ids=lambda one: next(iter(one)),
)  # fmt: skip
def test_columns_that_are_looked_up_stay_what_they_are(reader):
    assert unscaled([{"Take": {"indices": 1}}, reader]) == {1}
    assert unscaled([reader]) == {0, 1, 2, 3}


def test_columns_that_are_read_inside_a_model_or_at_each_step_stay_what_they_are():
    embedding = {"Embedding": {"input_dim": 30, "output_dim": 2}}
    blocks = {"b": {"nested": True, "layers": [{"Take": {"indices": 1}}, embedding]}}

    assert unscaled(["b"], blocks=blocks) == {1}
    picked = {"b": {"nested": True, "layers": [{"Take": {"indices": [0, 3]}}]}}
    assert unscaled(["b", embedding], blocks=picked) == {0, 3}
    twice = [{"Take": {"indices": [1]}}, {"b": {"name": "f"}}, {"Take": {"indices": [2], "from": "input"}},
             {"reuse": {"layer": "f", "name": "g"}}, {"Concatenate": {"axis": 1, "from": ["f", "g"]}}]  # fmt: skip
    assert unscaled(twice, blocks={"b": {"nested": True, "layers": [embedding]}}) == {1, 2}
    assert unscaled([{"Take": {"indices": [2]}}, "b"], blocks={"b": {"nested": True, "layers": [embedding]}}) == {2}
    assert unscaled(
        [{"Take": {"indices": [0, 3]}}, {"Reshape": [2, 1]}, {"TimeDistributed": {"layer": embedding}}]
    ) == {0, 3}


def unscaled(layers, **more):
    """The columns of a table that reach these layers as they are."""
    rows = np.random.default_rng(0).normal(5, 2, (90, 4)).astype("float32").clip(0)
    spec = selection.load({"spec": 1, "name": "codes", "family": "mlp", "input": {"shape": [4]},
                           "layers": [*layers, "Flatten"], **more})  # fmt: skip
    (step,) = meet(spec, dataset.load((rows, np.arange(90) % 2)).description).steps
    found = {at for at, mean in enumerate(step["Normalization"]["mean"]) if mean == 0.0}
    assert found == {at for at, one in enumerate(step["Normalization"]["variance"]) if one == 1.0}
    return found
