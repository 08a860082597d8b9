"""A user's own model, or the function that builds it, to a spec: the same network for every lambda and p, at speed."""

from __future__ import annotations

import functools
import json
import random
import re
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import yaml
from keras import layers as L

import zoo
from zoo import ZooError, adopting, building, ejecting, importing, meeting

R = keras.regularizers
VALUES = {"l2": 0.03, "dropout": 0.25}
OTHERS = {"l2": 0.0, "dropout": 0.0}


def chain(*parts, shape=(6,), name=None):
    return keras.Sequential([keras.Input(shape), *parts], name=name)


def small_cnn(l2=1e-4, dropout=0.3):
    return chain(
        L.Conv2D(4, 3, activation="relu", kernel_regularizer=R.L2(l2)),
        L.BatchNormalization(),
        L.SpatialDropout2D(dropout),
        L.SeparableConv2D(4, 3, depthwise_regularizer=R.L2(l2), pointwise_regularizer=R.L2(l2)),
        L.Flatten(),
        L.Dropout(dropout),
        L.Dense(3, activation="softmax", kernel_regularizer=R.L2(l2)),
        shape=(8, 8, 1),
    )


def perceptron(l2, dropout):
    inner = [part for _ in range(2) for part in (L.Dense(8, "relu", kernel_regularizer=R.L2(l2)), L.Dropout(dropout))]
    return chain(*inner, L.Dense(3, activation="softmax", kernel_regularizer=R.L2(l2)))


def recurrent(l2, dropout):
    return chain(
        L.LSTM(4, return_sequences=True, recurrent_regularizer=R.L2(l2)),
        L.Dropout(dropout),
        L.Bidirectional(L.GRU(3, kernel_regularizer=R.L2(l2), recurrent_regularizer=R.L2(l2))),
        L.Dense(1),
        shape=(5, 3),
    )


def branches(l2, dropout):
    one, other = keras.Input((6,), name="one"), keras.Input((6,), name="other")
    shared = L.Dense(5, kernel_regularizer=R.L2(l2), name="shared")
    tower = chain(L.Dense(4, kernel_regularizer=R.L2(l2)), L.Dropout(dropout), shape=(5,), name="tower")
    left, right = tower(shared(one)), L.Dropout(dropout)(L.Dense(4)(shared(other)))
    return keras.Model([one, other], L.Dense(2, activation="softmax")(L.Add()([left, right])), name="siamese")


def half(l2, dropout):
    return chain(
        L.Dense(8, kernel_regularizer=R.L2(l2)),
        L.Dropout(dropout),
        L.Dense(8, kernel_regularizer=R.L2(2 * l2 / 3)),
        L.GaussianDropout(0.3 * dropout),
        L.Dense(3, activation="softmax", kernel_regularizer=R.L2(l2 / 2)),
    )


def doubled(l2, dropout):
    penalty = {"kernel_regularizer": R.L2(2 * l2)}
    return chain(L.Dense(8, **penalty), L.Dropout(dropout / 2), L.Dense(3, activation="softmax", **penalty))


def partly(l2, dropout):
    return chain(
        L.Dense(8, kernel_regularizer=R.L2(0.01)),
        L.Dropout(0.1),
        L.Dense(8, kernel_regularizer=R.L2(l2)),
        L.Dropout(dropout),
        L.Dense(8, kernel_regularizer=R.L1(0.02)),
        L.Dense(3, activation="softmax"),
    )


def elsewhere(l2, dropout):
    return chain(
        L.LSTM(4, dropout=dropout, recurrent_dropout=dropout / 2, kernel_regularizer=R.L1L2(l2, l2 / 4)),
        L.Dense(4, kernel_regularizer=R.L2(l2), bias_regularizer=R.L2(l2)),
        L.GaussianNoise(dropout),
        L.Dense(1, activation="sigmoid"),
        shape=(5, 3),
    )


def wrapped(l2, dropout):
    cell = L.LSTMCell(4, kernel_regularizer=R.L2(l2), recurrent_regularizer=R.L2(l2 / 2))
    each = L.TimeDistributed(L.Dense(4, kernel_regularizer=R.L2(l2)))
    return chain(each, L.TimeDistributed(L.Dropout(dropout)), L.RNN(cell), L.Dense(2), shape=(5, 3))


def only_lambda(l2):
    return chain(L.Dense(8, kernel_regularizer=R.L2(l2)), L.Dropout(0.2), L.Dense(3, activation="softmax"))


def only_p(dropout):
    return chain(L.Dense(8, kernel_regularizer=R.L2(0.02)), L.Dropout(dropout), L.Dense(3, activation="softmax"))


def beside(l2, dropout):
    """What follows stands beside kernels and dropout layers that all have their own."""
    penalty = {"kernel_regularizer": R.L2(0.02), "recurrent_regularizer": R.L2(0.02)}
    recurrent = L.LSTM(4, dropout=dropout, bias_regularizer=R.L2(l2), **penalty)
    return chain(recurrent, L.Dropout(0.2), L.Dense(3, kernel_regularizer=R.L2(0.02)), L.Dropout(0.2), shape=(5, 3))


KNOBS = (small_cnn, perceptron, recurrent, branches, partly, half, doubled, only_lambda, only_p)
"""Functions in which `l2` and `dropout` act as knobs and nowhere else."""

ALL = (*KNOBS, elsewhere, wrapped, beside)


def taken(build, values):
    return {key: one for key, one in values.items() if key in build.__code__.co_varnames[: build.__code__.co_argcount]}


def flat_layers(model):
    """All layers in order, a model's own before those inside it; input layers have nothing to compare."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from flat_layers(layer)
        elif not isinstance(layer, L.InputLayer):
            yield layer


def config(value):
    """A config as it is compared: without names and seeds, and an `L2` of 0 is none."""
    if isinstance(value, (list, tuple)):
        return [config(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "L2" and value["config"]["l2"] == 0:
        return None
    unsaid = ("name", "seed", "build_config", "module", "registered_name")
    return {key: config(one) for key, one in value.items() if key not in unsaid}


def close(value):
    """A value with its numbers as float32 has them."""
    if isinstance(value, dict):
        return {key: close(one) for key, one in value.items()}
    if isinstance(value, list):
        return [close(one) for one in value]
    return pytest.approx(value, rel=1e-6) if isinstance(value, float) else value


def given(model, seed=0):
    dice = np.random.default_rng(seed)
    return [dice.normal(size=(4, *one.shape[1:])).astype("float32") for one in model.inputs]


def assert_same(made, theirs):
    """Classes, configs and counts of two models are equal; with weights copied in order, answers and penalties too."""
    mine, other = list(flat_layers(made)), list(flat_layers(theirs))
    assert [type(layer) for layer in mine] == [type(layer) for layer in other]
    for one, two in zip(mine, other, strict=True):
        assert config(one.get_config()) == close(config(two.get_config()))
    assert made.count_params() == theirs.count_params()
    made.set_weights(theirs.get_weights())
    rows = given(theirs)
    rows = rows if len(rows) > 1 else rows[0]
    np.testing.assert_array_equal(np.asarray(made(rows)), np.asarray(theirs(rows)))
    assert float(sum(made.losses)) == pytest.approx(float(sum(theirs.losses)), rel=1e-6)


def rows_of_three():
    dice = np.random.default_rng(0)
    x = dice.normal(size=(90, 6)).astype("float32")
    return x, (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)


# Functions


@pytest.mark.parametrize("values", [VALUES, OTHERS], ids=["some", "none"])
@pytest.mark.parametrize("build", ALL, ids=lambda build: build.__name__)
def test_what_is_built_is_what_the_function_builds(build, values):
    values = taken(build, values)
    spec = adopting.adopt(build)

    assert set(spec.ranges()) == set(values)
    assert_same(zoo.build(spec, **values), build(**values))


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.__name__)
def test_one_trace_serves_all_values_where_lambda_and_p_are_knobs(build):
    spec = adopting.adopt(build)
    plan = meeting.alone(spec)
    first, second = (building.trace_key(plan, taken(build, values)) for values in (VALUES, OTHERS))

    assert (first == second) or build not in KNOBS
    assert (first != second) or build not in (elsewhere, beside)
    knobs = {name.partition(" ")[0] for name in building.unfolded(spec, {}).knobs()}  # `l2 * 2` is one of `l2`
    assert knobs >= set(taken(build, VALUES)) or build not in KNOBS


def test_a_multiple_and_what_has_another_lambda_are_said_on_their_items():
    spec = adopting.adopt(half).written()

    assert spec["l2"] == {**meeting.WITHOUT_RANGES["l2"], "default": 0.001}
    assert spec["dropout"] == {**meeting.WITHOUT_RANGES["dropout"], "default": 0.5}
    assert spec["layers"] == [
        {"Dense": {"units": 8}},
        "Dropout",
        {"Dense": {"units": 8, "l2": "$l2 * 2 / 3"}},
        {"GaussianDropout": {"rate": "$dropout * 0.3"}},
    ]
    assert spec["head"] == [{"Dense": {"units": "$classes", "activation": "softmax", "l2": "$l2 / 2"}}]
    assert adopting.adopt(partly).written()["layers"] == [
        {"Dense": {"units": 8, "l2": 0.01}},
        {"Dropout": {"rate": 0.1}},
        {"Dense": {"units": 8}},
        "Dropout",
        {"Dense": {"units": 8, "kernel_regularizer": {"L1": {"l1": 0.02}}}},
    ]
    assert adopting.adopt(partly).written()["head"][0]["Dense"]["l2"] == 0


def test_kernels_of_one_layer_that_differ_keep_their_regularisers():
    layers = adopting.adopt(recurrent).written()["layers"]

    assert layers[0] == {"LSTM": {"units": 4, "return_sequences": True, "kernel_regularizer": None}}
    assert layers[2] == {"Bidirectional": {"layer": {"GRU": {"units": 3}}}}
    cell = adopting.adopt(wrapped).written()["layers"][2]["RNN"]["cell"]
    assert cell == {"LSTMCell": {"units": 4, "recurrent_regularizer": {"L2": {"l2": "$l2 / 2"}}}}


def test_lambda_inside_a_model_inside_is_a_knob():
    spec = adopting.adopt(branches).written()

    assert spec["blocks"]["tower"]["layers"] == [{"Dense": {"units": 4}}, "Dropout"]
    assert spec["layers"][-3]["Dense"]["l2"] == 0


@pytest.mark.parametrize(
    ("factor", "written"),
    [(1, ""), (2, " * 2"), (0.5, " / 2"), (2 / 3, " * 2 / 3"), (0.3, " * 0.3"), (0.01, " * 0.01"), (1e-5, " * 1e-05"),
     (1 / 7, " / 7"), (2.5, " * 2.5"), (-1, " * -1")],
)  # fmt: skip
def test_a_multiple_is_written_as_people_do(factor, written):
    assert adopting._times(factor * (1 + 1e-7)) == written


def test_a_range_begins_at_the_default_of_the_function():
    def named(*, dropout=0.9, l2=0.4, width=8):
        return perceptron(l2, dropout)

    quarter = np.float32(0.25)

    def none(l2=None, dropout=quarter):
        return perceptron(l2, dropout)

    ranges = adopting.adopt(named).ranges()
    assert (ranges["l2"].default, ranges["l2"].max_value, ranges["l2"].min_value) == (0.4, 0.4, 1e-7)
    assert (ranges["dropout"].default, ranges["dropout"].max_value) == (0.9, 0.9)
    assert [one.default for one in adopting.adopt(none).ranges().values()] == [0.0, 0.25]
    assert [one.default for one in adopting.adopt(perceptron).ranges().values()] == [0.001, 0.5]
    assert adopting.adopt(functools.partial(recurrent, l2=0.02)).ranges()["l2"].default == 0.02


def test_what_is_called_may_be_anything_that_takes_them_by_name():
    class Building:
        def build(self, l2):
            return only_lambda(l2)

        def __call__(self, dropout):
            return only_p(dropout)

    assert adopting.adopt(Building().build).name == "build"
    assert adopting.adopt(Building()).name == "Building"
    assert adopting.adopt(lambda dropout: only_p(dropout)).name == "lambda"
    assert adopting.adopt(branches).name == "siamese"
    assert adopting.adopt(branches, "mine").name == "mine"


def test_looking_at_a_function_disturbs_nothing():
    first = adopting.adopt(perceptron)
    dense, before = L.Dense(1), random.getstate()
    model = perceptron(0.1, 0.1)
    random.setstate(before)
    again = adopting.adopt(perceptron)

    assert random.getstate() == before
    assert again.written() == first.written()
    last = int(model.layers[-1].name.removeprefix("dense_"))
    assert last >= 1 + int(dense.name.removeprefix("dense").removeprefix("_") or 0)
    assert L.Dense(1).name == f"dense_{last + 1}"


def test_layers_from_outside_a_function_keep_their_names():
    keras.backend.clear_session()
    shared = L.Dense(8)

    def build(l2):
        return chain(shared, L.ReLU(), L.Dense(3, activation="softmax", kernel_regularizer=R.L2(l2)))

    with pytest.raises(ZooError, match="from outside, which each trial would train further; expected a function that"):
        adopting.adopt(build)
    shared.trainable = False
    with pytest.warns(UserWarning, match="is called again for each trial"):
        spec = adopting.adopt(build)
    [made] = [one for one in zoo.build(spec, l2=0.1).layers if isinstance(one, keras.Model)]
    assert [one.name for one in made.layers][-3:] == ["dense", "re_lu", "dense_1"]


def compiled(l2, dropout):
    model = perceptron(l2, dropout)
    rate = keras.optimizers.schedules.CosineDecay(0.1, 1000, warmup_steps=10, warmup_target=0.2)
    model.compile(keras.optimizers.SGD(rate, momentum=0.9, weight_decay=l2 / 2), "sparse_categorical_crossentropy")
    return model


def test_the_optimizer_of_a_function_is_taken_over_and_may_follow_too():
    schedule = {"initial_learning_rate": 0.1, "decay_steps": 1000, "warmup_target": 0.2, "warmup_steps": 10}

    assert adopting.adopt(compiled).train["optimizer"] == {
        "SGD": {"learning_rate": {"CosineDecay": schedule}, "momentum": 0.9, "weight_decay": "$l2 / 2"}
    }


# What no spec can say


@keras.saving.register_keras_serializable("tests_of_adopting")
class Own(L.Layer):
    def call(self, inputs):
        return inputs


class OwnOptimizer(keras.optimizers.SGD):
    pass


class OwnModel(keras.Model):
    def call(self, inputs):
        return inputs


def by_hp(hp):
    return perceptron(0.1, hp)


def with_more(l2, width):
    return chain(L.Dense(width, kernel_regularizer=R.L2(l2)))


def odd_default(l2, dropout="much"):
    return perceptron(l2, 0.5)


def fails(l2, dropout):
    raise KeyError("no such\nthing")


def gives_none(l2, dropout):
    perceptron(l2, dropout)


def ignores(l2, dropout):
    return perceptron(0.01, 0.5)


def width(dropout):
    return chain(L.Dense(int(64 * (1 - dropout)), name="wide"), L.Dropout(dropout), L.Dense(2))


def bounded(l2):
    return chain(L.Dense(4, kernel_regularizer=R.L2(min(l2, 1e-2))), L.Dense(4, kernel_regularizer=R.L2(l2), name="b"))


def both(l2, dropout):
    return chain(L.Dense(4, kernel_regularizer=R.L2(l2 * dropout)), L.Dropout(1 - dropout, name="rest"))


def deeper(l2, dropout):
    return perceptron(l2, dropout) if dropout > 0.5 else small_cnn(l2, dropout)


def longer(l2, dropout):
    more = [L.Dense(8, name="more")] if dropout > 0.5 else []
    return chain(L.Dense(8, kernel_regularizer=R.L2(l2)), L.Dense(8), *more)


def holds_code(dropout):
    return chain(L.Lambda(lambda x: x, name="code"), L.Dropout(dropout))


def holds_own(dropout):
    return chain(Own(name="own"), L.Dropout(dropout))


def subclassed(l2, dropout):
    return OwnModel()


def own_optimizer(dropout):
    model = only_p(dropout)
    model.compile(OwnOptimizer(), "mse")
    return model


def left_to_the_loss(dropout):
    model = chain(Own(name="own"), L.Dropout(dropout), L.Dense(3))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def own_of_three(l2=1e-3, dropout=0.2):
    parts = [L.Dense(8, "relu", kernel_regularizer=R.L2(l2)), Own(name="own")]
    return chain(*parts, *([L.Dropout(dropout)] if dropout > 0.3 else []), L.Dense(3, activation="softmax"))


def two_inputs(l2):
    one, other = keras.Input((6,), name="one"), keras.Input((4,), name="other")
    both = L.Concatenate()([Own(name="own")(one), other])
    return keras.Model([one, other], L.Dense(2, kernel_regularizer=R.L2(l2))(both))


def two_answers(dropout):
    source = keras.Input((6,))
    held = L.Dropout(dropout)(Own(name="own")(source))
    return keras.Model(source, [L.Dense(2)(held), L.Dense(3)(held)])


def regularized_by_the_optimizer(l2):
    model = chain(Own(name="own"), L.Dense(2, kernel_regularizer=R.L2(l2)))
    model.compile(keras.optimizers.AdamW(weight_decay=l2), "mse")
    return model


def averaged(dropout):
    model = only_p(dropout)
    model.compile(keras.optimizers.Adam(use_ema=True), "mse")
    return model


def frozen(dropout):
    base = chain(L.Dense(4), name="base")
    base.trainable = False
    return chain(base, L.Dropout(dropout), L.Dense(3, activation="softmax"))


LOW, HIGH = "l2=5.722e-06, dropout=0.7109", "l2=0.08984, dropout=0.05469"
REFUSALS = {
    by_hp: "`by_hp` takes `hp`; expected a function of `l2` and `dropout`, or of one of them, that makes a model",
    with_more: "`with_more` needs `width`; expected a default for all but `l2` and `dropout`",
    odd_default: "`odd_default` has dropout='much' as its default; expected 0 or above and below 1",
    fails: "`fails` with l2=0.001, dropout=0.5 raises KeyError: 'no such\\nthing'",
    gives_none: "`gives_none` gives a NoneType; expected a keras.Model",
    ignores: "nothing in the model that `ignores` makes follows `l2` and `dropout`; expected it to use them",
    subclassed: "`OwnModel` is a class of its own; expected a functional or a sequential model of Keras",
    own_optimizer: "the model is compiled with OwnOptimizer, which is no optimizer of a spec; expected one of ",
    regularized_by_the_optimizer: "what `regularized_by_the_optimizer` compiles its model with follows `l2`, and no ",
    averaged: "the model is compiled with Adam and use_ema=True, and here the weights themselves are kept, not their",
    two_answers: (
        "the model that `two_answers` makes answers 2 tensors, and a data set holds one target; expected one"
    ),
}
CALLED_AGAIN = {
    width: (
        "`units` of the layer `wide` differs between two calls of `width`, and is no multiple of dropout: `18` with "
        "dropout=0.7109, `60` with dropout=0.05469"
    ),
    bounded: (
        "`kernel_regularizer.L2.l2` of the layer `dense` differs between two calls of `bounded`, and is no multiple of "
        "l2: `5.722046e-06` with l2=5.722e-06, `0.01` with l2=0.08984"
    ),
    both: "`kernel_regularizer.L2.l2` of the layer `dense` differs between two calls of `both`, and is no multiple",
    deeper: f"`deeper` makes other layers for other values: `dense` (Dense) with {LOW}, `conv2d` (Conv2D) with {HIGH}",
    longer: f"`longer` makes other layers for other values: `more` (Dense) with {LOW}, nothing with {HIGH}",
    holds_code: "the layer `code` is a Lambda: it holds Python code, which a spec may not run",
    holds_own: "the layer `own` is a Own, which is no layer of Keras",
    frozen: "the model that `frozen` makes holds layers that are frozen (`base`), and a spec begins anew",
    left_to_the_loss: "the layer `own` is a Own, which is no layer of Keras",
    two_inputs: "the layer `own` is a Own, which is no layer of Keras",
    own_of_three: "the layer `own` is a Own, which is no layer of Keras",
}
"""Functions that no layers of a spec can say, and why."""


@pytest.mark.parametrize("build", REFUSALS, ids=lambda build: build.__name__)
def test_what_cannot_be_taken_over_is_refused_in_a_sentence(build):
    with pytest.raises(ZooError) as caught:
        adopting.adopt(build)

    assert str(caught.value).startswith(REFUSALS[build])


def again(build):
    """What is done with a function that is called again, which is told."""
    with pytest.warns(UserWarning, match="is called again for each trial") as told:
        spec = adopting.adopt(build)
    [one] = [str(one.message) for one in told if "again" in str(one.message)]
    assert one.startswith(
        f"`{build.__name__}` is called again for each trial, which takes longer: {CALLED_AGAIN[build]}"
    )
    return spec


@pytest.mark.parametrize("values", [VALUES, OTHERS], ids=["some", "none"])
@pytest.mark.parametrize("build", CALLED_AGAIN, ids=lambda build: build.__name__)
def test_a_function_that_no_layers_can_say_is_called_again_for_all_values(build, values):
    spec, values = again(build), taken(build, values)
    plan = meeting.alone(spec)
    made, theirs = building.build(plan, values, 7, adjustable=True).network, build(**values)
    rows = given(theirs)

    assert set(spec.ranges()) == set(values)
    assert made.count_params() == theirs.count_params()
    made.set_weights(theirs.get_weights())
    answers = [np.asarray(model(rows if len(rows) > 1 else rows[0])) for model in (made, theirs)]
    if build is left_to_the_loss:
        answers[1] = np.asarray(keras.ops.softmax(answers[1]))
    np.testing.assert_array_equal(*answers)
    assert float(sum(made.losses)) == pytest.approx(float(sum(theirs.losses)), rel=1e-6)
    assert building.trace_key(plan, values) != building.trace_key(plan, taken(build, {"l2": 0.01, "dropout": 0.1}))


def test_a_model_of_a_function_begins_anew_under_each_seed_and_the_same_under_one():
    plan, values = (
        meeting.meet(again(own_of_three), zoo.data(rows_of_three()).description),
        {"l2": 0.01, "dropout": 0.6},
    )
    first, same, other = (building.build(plan, values, seed, adjustable=True) for seed in (7, 7, 8))

    assert first.weights().keys() == same.weights().keys() == other.weights().keys()
    for path, value in first.weights().items():
        np.testing.assert_array_equal(value, same.weights()[path])
        assert "bias" in path or not np.array_equal(value, other.weights()[path])
    for seed in (8, 7):
        building.reset(first, values, seed)
        for path, value in first.weights().items():
            np.testing.assert_array_equal(value, (same if seed == 7 else other).weights()[path])


def test_what_a_function_loads_is_where_each_trial_begins():
    held = np.arange(24, dtype="float32").reshape(6, 4)

    def pretrained(dropout):
        model = frozen(dropout)
        model.get_layer("base").layers[0].kernel.assign(held)
        return model

    CALLED_AGAIN[pretrained] = "the model that `pretrained` makes holds layers that are frozen (`base`)"
    try:
        plan = meeting.meet(again(pretrained), zoo.data(rows_of_three()).description)
        made = building.build(plan, {"dropout": 0.5}, 7, adjustable=True)
    finally:
        del CALLED_AGAIN[pretrained]
    for seed in (8, 9):
        building.reset(made, {"dropout": 0.5}, seed)
        [kernel] = [value for path, value in made.weights().items() if value.shape == (6, 4)]
        np.testing.assert_array_equal(kernel, held)


@pytest.mark.parametrize("source", [3, None, np.zeros(3)])
def test_what_is_no_model_is_refused(source):
    with pytest.raises(ZooError, match="is nothing to adopt; expected a keras"):
        adopting.adopt(source)


# Models and files


def test_a_model_is_imported_with_its_optimizer():
    model = perceptron(0.02, 0.3)
    assert "train" not in adopting.adopt(model).data
    model.compile("adam", "sparse_categorical_crossentropy")
    spec = adopting.adopt(model)

    assert spec.train["optimizer"] == {"Adam": {"learning_rate": 0.001}}
    assert (spec.name, spec.data["l2"], spec.data["dropout"], spec.ranges()) == ("sequential", 0.02, 0.3, {})
    assert_same(zoo.build(spec), model)


def test_a_lambda_that_some_kernels_of_a_model_share_is_the_spec_s():
    keras.backend.clear_session()
    penalty = {"kernel_regularizer": R.L2(0.02)}
    model = chain(L.Dense(8, **penalty), L.LSTM(4, recurrent_regularizer=R.L2(0.02)), L.Dense(3), shape=(5, 3))
    spec = adopting.adopt(model)

    assert spec.data["l2"] == 0.02
    assert spec.written()["layers"] == [{"Dense": {"units": 8}}, {"LSTM": {"units": 4, "kernel_regularizer": None}}]
    assert spec.written()["head"] == [{"Dense": {"units": "$targets", "l2": 0}}]
    assert_same(zoo.build(spec), model)
    other = chain(L.Dense(8, **penalty), L.Dense(8, kernel_regularizer=R.L2(0.01)), L.Dense(3))
    assert adopting.adopt(other).data["l2"] == 0
    assert_same(zoo.build(adopting.adopt(other)), other)


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "AdamW", "Adagrad", "Nadam", "Lion", "Adafactor", "Ftrl"])
def test_every_optimizer_comes_back_as_it_was(name, tmp_path):
    model = only_p(0.5)
    theirs = getattr(keras.optimizers, name)(3e-4, clipnorm=1.5, gradient_accumulation_steps=2)
    model.compile(theirs, "mse")
    model.save(tmp_path / "model.keras")
    for source in (model, tmp_path / "model.keras", str(tmp_path / "model.keras")):
        ours = zoo.build(adopting.adopt(source)).optimizer

        assert config(ours.get_config()) == config(theirs.get_config())


def test_a_file_is_called_as_it_is_unless_its_model_has_a_name(tmp_path):
    perceptron(0.02, 0.3).save(tmp_path / "my net.keras")
    branches(0.02, 0.3).save(tmp_path / "other.keras")

    assert adopting.adopt(tmp_path / "my net.keras").name == "my_net"
    assert adopting.adopt(tmp_path / "other.keras").name == "siamese"


@pytest.mark.parametrize(
    ("loss", "units", "activation", "task"),
    [("SparseCategoricalCrossentropy", 3, "softmax", "classification"), ("BinaryCrossentropy", 1, "sigmoid", "binary")],
)
def test_an_activation_that_is_left_to_the_loss_stands_last(loss, units, activation, task, tmp_path):
    def build(l2=0.01):
        made = chain(L.Dense(8, kernel_regularizer=R.L2(l2)), L.Dense(units))
        made.compile("adam", getattr(keras.losses, loss)(from_logits=True))
        return made

    build().save(tmp_path / "model.keras")
    for source in (build, build(), tmp_path / "model.keras"):
        spec = adopting.adopt(source)

        assert spec.task == task
        assert spec.written()["head"][1:] == [{"Activation": {"activation": activation}}]
        assert "softmax" not in json.dumps(adopting.adopt(chain(L.Dense(units))).written())


def scaled():
    return chain(L.Dense(8), L.Dense(3), L.Rescaling(2.0))


def pooled():
    return chain(L.Conv2D(3, 3), L.GlobalAveragePooling2D(), shape=(8, 8, 1))


def summed():
    rows = keras.Input((4,))
    return keras.Model(rows, L.Dense(3)(rows) + L.Dense(3)(rows))


def of_models():
    return chain(chain(L.Dense(8), L.Dense(3)), shape=(6,))


@pytest.mark.parametrize("make", [scaled, pooled, summed, of_models])
def test_any_last_layer_leaves_its_activation_to_the_loss(make, tmp_path):
    keras.backend.clear_session()
    model = make()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.save(tmp_path / "model.keras")
    rows = given(model)
    for source in (model, tmp_path / "model.keras"):
        spec = adopting.adopt(source)
        made = zoo.build(spec)
        made.set_weights(model.get_weights())

        assert spec.task == "classification"
        np.testing.assert_allclose(made(rows[0]), keras.ops.softmax(model(rows[0])), rtol=1e-6)


@pytest.mark.parametrize("last", [L.Softmax, lambda: keras.ops.softmax, lambda: L.Dense(3, "softmax")])
def test_an_activation_that_the_loss_is_told_of_in_vain_stands_once(last):
    keras.backend.clear_session()
    rows = keras.Input((4,))
    model = keras.Model(rows, last()(L.Dense(3)(rows)))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    assert json.dumps(adopting.adopt(model).written()).lower().count("softmax") == 1


def test_an_activation_before_the_one_of_the_loss_is_refused():
    model = chain(L.Dense(3, activation="relu"))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(ZooError, match="SparseCategoricalCrossentropy, which is no loss for regression, as its last"):
        adopting.adopt(model)


def test_a_file_that_does_not_tell_the_delta_of_its_loss_is_said_to(tmp_path):
    model, file = chain(L.Dense(8), L.Dense(1)), tmp_path / "model.keras"
    model.compile("adam", keras.losses.Huber(delta=0.3))
    model.save(file)

    assert adopting.adopt(model).train["loss"] == {"Huber": {"delta": 0.3}}
    with pytest.warns(UserWarning, match="whose delta Keras leaves out of the file: it is taken to be 1; train.loss.H"):
        assert adopting.adopt(file).train["loss"] == "Huber"
    with pytest.warns(UserWarning, match="train.loss.Huber.delta sets another"):
        spec = zoo.load(file, {"train.loss.Huber.delta": 0.3})
    assert spec.train["loss"] == {"Huber": {"delta": 0.3}}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        zoo.build(spec).save(tmp_path / "ours.keras")
        assert adopting.adopt(tmp_path / "ours.keras").train["loss"] == {"Huber": {"delta": 0.3}}


def test_an_optimizer_around_another_is_refused():
    model = only_p(0.5)
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()), "mse")
    with pytest.raises(ZooError) as caught:
        adopting.adopt(model)

    assert str(caught.value).startswith(
        "the model is compiled with LossScaleOptimizer, which is no optimizer of a spec"
    )
    assert "MultiOptimizer" not in str(caught.value)


def test_layers_that_no_spec_can_hold_may_come_from_a_function(tmp_path):
    says = "expected layers that everybody has, or a function build(l2, dropout) that makes the model, which is taken"
    with pytest.raises(ZooError, match=re.escape(says)):
        adopting.adopt(chain(Own(name="own")))
    code = chain(L.Lambda(lambda x: x, name="code"))
    code.save(tmp_path / "code.keras")
    for source in (code, tmp_path / "code.keras"):
        with pytest.raises(ZooError, match=r"a spec may not run; expected a function build\(l2, dropout\) that makes"):
            adopting.adopt(source)
    with pytest.raises(ZooError) as caught:
        adopting.importing.spec_of(code)
    assert "build(l2" not in str(caught.value)


def test_frozen_layers_begin_with_what_the_file_holds(tmp_path):
    model = frozen(0.5)
    model.save(tmp_path / "model.keras")
    with pytest.raises(ZooError, match=r"holds layers that are frozen \(`base`\), and a spec begins anew"):
        adopting.adopt(model)
    made = zoo.build(adopting.adopt(tmp_path / "model.keras"))

    assert [len(one.trainable_weights) for one in (made, model)] == [2, 2]
    for one, other in zip(made.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


# Searches


@pytest.mark.parametrize("kind", ["function", "multiples", "model", "file"])
def test_a_search_runs_on_what_was_taken_over(kind, tmp_path):
    model = perceptron(0.01, 0.2)
    model.compile(keras.optimizers.Adam(0.01))
    model.save(tmp_path / "mine.keras")
    source = {"function": perceptron, "multiples": half, "model": model, "file": tmp_path / "mine.keras"}[kind]
    study = zoo.tune(adopting.adopt(source), rows_of_three(), trials=3, epochs=2, run=tmp_path / "run", workers=1)

    assert [one["status"] for one in study.trials] == ["completed"] * 3
    assert set(study.values) == {"l2", "dropout"}
    assert study.trials[1]["l2"] == 0
    assert len({(one["l2"], one["dropout"]) for one in study.trials}) == 3


def test_a_search_calls_a_function_that_no_layers_can_say_for_each_trial(tmp_path):
    called = []

    @functools.wraps(own_of_three)
    def own(**values):
        called.append((values["l2"], values["dropout"]))
        return own_of_three(**values)

    def search(run, trials, **more):
        with pytest.warns(UserWarning, match="`own_of_three` is called again for each trial, which takes longer"):
            return zoo.tune(own, rows_of_three(), trials=trials, epochs=2, run=tmp_path / run, **more)

    search("run", 3)
    study, whole = search("run", 5), search("whole", 5)

    assert (tmp_path / "run/trials.csv").read_bytes() == (tmp_path / "whole/trials.csv").read_bytes()
    assert {(one["l2"], one["dropout"]) for one in study.trials} <= set(called)
    assert [one["status"] for one in study.trials] == ["completed"] * 5 == [one["status"] for one in whole.trials]
    study.export(tmp_path / "served")
    for more in ({"workers": 2}, {"cluster": "tcp://127.0.0.1:1"}):
        with pytest.raises(ZooError, match="the function is called again for each trial, in this process, and"):
            search("refused", 2, **more)
    code = "import zoo; print(zoo.load(SPEC).name); zoo.build(SPEC)".replace(
        "SPEC", repr(str(tmp_path / "run/best.yaml"))
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert other.stdout == "own_of_three\n"
    wrong = "the network is made by the Python function `own_of_three`, which this process was not handed; expected"
    assert wrong in other.stderr.splitlines()[-1]
    with pytest.raises(ZooError, match="is made by the Python function `own_of_three`, which is all the code there"):
        ejecting.eject(building.unfolded(zoo.load(tmp_path / "run/best.yaml"), {}))


def test_a_function_that_sets_its_weights_begins_with_them():
    held = np.arange(18, dtype="float32").reshape(6, 3)

    def warm(dropout):
        model = chain(L.Dense(3, name="first"), L.Dropout(dropout), L.Dense(3, activation="softmax"))
        model.get_layer("first").kernel.assign(held)
        return model

    with pytest.warns(UserWarning, match="first/kernel` is set by the function, and a spec begins anew"):
        spec = adopting.adopt(warm)
    made = building.build(meeting.meet(spec, zoo.data(rows_of_three()).description), {"dropout": 0.5}, 7).weights()
    np.testing.assert_array_equal(next(value for path, value in made.items() if path.endswith("first/kernel")), held)


def test_a_function_that_is_called_again_is_told_from_others_by_all_that_it_does():
    def own(l2, width=8, act="relu"):
        return chain(Own(), L.Dense(width, act, kernel_regularizer=R.L2(l2)), L.Dense(3, activation="softmax"))

    class Makes:
        def __init__(self, width):
            self.width = width

        def __call__(self, l2):
            return own(l2, self.width)

    def closed(width):
        return lambda l2: own(l2, width)

    builds = [
        own, functools.partial(own, act="tanh"), functools.partial(own, act="selu"), Makes(4), Makes(5), closed(4),
        closed(5), Makes(6).__call__,
    ]  # fmt: skip
    codes = []
    for build in builds:
        with pytest.warns(UserWarning, match="is called again for each trial"):
            spec = adopting.adopt(build)
        codes.append(spec.data["layers"][0]["Function"]["code"])
        assert zoo.build(spec, l2=0.1).count_params() == build(l2=0.1).count_params()

    assert len(set(codes)) == len(builds)


def test_what_a_function_makes_reads_its_rows_as_the_same_layers_would():
    def ids(dropout):
        return chain(L.Embedding(30, 4), Own(), L.Flatten(), L.Dropout(dropout), L.Dense(3, activation="softmax"))

    def pixels(dropout):
        parts = [L.Rescaling(1 / 255), Own(), L.Flatten(), L.Dropout(dropout), L.Dense(3, activation="softmax")]
        return chain(*parts, shape=(8, 8, 3))

    dice = np.random.default_rng(0)
    for build, x in (
        (ids, dice.integers(0, 30, (90, 6))),
        (pixels, dice.integers(0, 256, (90, 8, 8, 3)).astype("uint8")),
    ):
        with pytest.warns(UserWarning, match="is called again for each trial"):
            spec = adopting.adopt(build)
        assert meeting.meet(spec, zoo.data((x, np.arange(90) % 3)).description).steps == ()
    with pytest.warns(UserWarning), pytest.raises(ZooError, match="are int64 from 20 to"):
        meeting.meet(adopting.adopt(ids), zoo.data((dice.integers(20, 50, (90, 6)), np.arange(90) % 3)).description)


@pytest.mark.parametrize(
    ("units", "loss", "says"),
    [
        (
            3,
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "its loss takes logits: `task: classification`",
        ),
        (1, keras.losses.BinaryCrossentropy(from_logits=True), "its loss takes logits: `task: binary`"),
        (3, None, "if what it answers are logits: `task: classification`"),
        (3, "mse", ""),
        (1, None, ""),
    ],
    ids=["classes", "one of two", "not compiled", "numbers", "a number"],
)
def test_what_an_imported_network_of_logits_lacks_to_be_trained_is_said_and_enough(units, loss, says, tmp_path):
    model = chain(L.Dense(8, "relu"), L.Dense(units))
    if loss:
        model.compile("adam", loss)
    model.save(tmp_path / "model.keras")
    spec = importing.spec_of(importing.read(tmp_path / "model.keras"))
    told = adopting.logits(tmp_path / "model.keras", spec)

    assert told.startswith(says) and bool(told) == bool(says)
    if told:  # and what it says is enough
        words = {key: value for one in told.split("`")[1::2] for key, value in yaml.safe_load(one).items()}
        changed = {key: words.pop(key) for key in ("task", "classes") if key in words}
        *_, last = spec.pop("head")
        del spec["targets"]
        again = zoo.load({**spec, **changed, "head": [{"Dense": {**last["Dense"], **words}}]})
        rows = np.random.default_rng(0).normal(size=(90, 6)).astype("float32")
        study = zoo.train(again, (rows, np.arange(90) % max(units, 2)), epochs=1, run=tmp_path / "run")
        assert len(study.trials) == 1


@pytest.mark.parametrize("own", ["a function", "a model", "a file"])
def test_a_model_that_is_made_for_other_data_is_told_so(own, tmp_path):
    def build(l2, dropout):
        layers = [keras.Input((12,)), keras.layers.Dense(4, kernel_regularizer=keras.regularizers.L2(l2))]
        return keras.Sequential([*layers, keras.layers.Dropout(dropout), keras.layers.Dense(5, activation="softmax")])

    model = build(1e-3, 0.5)
    model.save(tmp_path / "model.keras")
    source = {"a function": build, "a model": model, "a file": tmp_path / "model.keras"}[own]
    with pytest.warns(UserWarning, match=r"made for rows of 12, not 30 and 5 classes, not 2 as breast_cancer has: it"):
        study = zoo.tune(source, "breast_cancer", trials=1, epochs=1, run=tmp_path / "run")

    assert study.run.plan.spec.shape == (30,)
