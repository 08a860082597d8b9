"""Lambda and p do exactly what they say, as variables in a search and as plain numbers in an export alike."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest

from zoo import building, selection
from zoo.building import build, reset
from zoo.datasets import dataset
from zoo.layers.adjustable import ADJUSTABLE, AdjustableL2, Knob
from zoo.lowering import Plain
from zoo.meeting import alone, meet
from zoo.training.programs import Program, Resident
from zoo.working import Workshop

DATA = {"lenet5": "digits", "lstm": "digits", "autoencoder": "digits", "vae": "digits", "mlp": "breast_cancer"}
SPECS = sorted(DATA)  # one of each family; what holds of every spec is in test_zoo.py

WRAPPED = {
    "spec": 1,
    "name": "wrapped",
    "family": "rnn",
    "task": "classification",
    "classes": 3,
    "input": {"shape": [6, 4]},
    "l2": 0.01,
    "layers": [
        {"TimeDistributed": {"layer": {"Dense": {"units": 5}}}},
        {"SeparableConv1D": {"filters": 4, "kernel_size": 2}},
        "BatchNormalization",
        "PReLU",
        {"Bidirectional": {"layer": {"GRU": {"units": 3}}}},
        {"Dense": {"units": 4, "l2": 0.1}},
        {"Dense": {"units": 4, "kernel_regularizer": {"L1": {"l1": 0.5}}}},
    ],
}


def plan_of(name: str):
    assert name in DATA, f"say in DATA what {name} is tried on"
    rows = dataset.load(DATA[name])
    return meet(selection.load(name), rows.description), rows


def batches(plan, rows, size=16, count=4):
    """Features and targets of some rows, as training gets them."""
    built = build(plan, {}, 0)
    features = built.prepare.predict(rows.train.x[: size * count], verbose=0)
    part = dataset.Part(rows.train.x[: size * count], None if rows.train.y is None else rows.train.y[: size * count])
    targets = plan.works.targets(part, features)
    for begin in range(0, size * count, size):
        x = features[begin : begin + size]
        yield (x,) if targets is None else (x, targets[begin : begin + size])


def kernels(model):
    """The weights that lambda must reach, by their names alone: an opinion independent of the catalogue's."""
    names = {"kernel", "recurrent_kernel", "depthwise_kernel", "pointwise_kernel"}
    return [weight for weight in model.weights if weight.path.rsplit("/", 1)[-1] in names]


def penalty(model) -> float:
    """What regularisation adds to the loss of a model."""
    return float(sum(np.float64(loss) for loss in model._get_regularization_losses()))


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("adjustable", [False, True])
def test_the_penalty_is_lambda_times_the_sum_of_squares_of_the_kernels(name, adjustable):
    plan, _ = plan_of(name)
    built = build(plan, {"l2": 0.003}, 1, adjustable)
    expected = 0.003 * sum(
        float(np.sum(np.square(weight.numpy().astype("float64")))) for weight in kernels(built.network)
    )

    assert kernels(built.network)
    assert penalty(built.network) == pytest.approx(expected, rel=1e-6)


def test_lambda_reaches_wrapped_kernels_the_innermost_wins_and_an_explicit_regulariser_replaces_it():
    model = build(alone(selection.load(WRAPPED)), {}, 1).network
    squares = {w.path: float(np.sum(np.square(w.numpy().astype("float64")))) for w in kernels(model)}
    own, explicit = "dense/kernel", "dense_1/kernel"
    expected = sum(0.01 * value for path, value in squares.items() if path not in (own, explicit))
    expected += 0.1 * squares[own] + 0.5 * float(np.abs(model.get_layer("dense_1").kernel.numpy()).sum())

    assert len(squares) == 10  # time-distributed, 2 separable, 4 of two GRU directions, two dense, the head
    assert penalty(model) == pytest.approx(expected, rel=1e-6)


RANGED = {**WRAPPED, "l2": {"min_value": 1e-6, "max_value": 1e-1, "sampling": "log", "default": 0.01}}


def test_a_range_of_lambda_turns_the_kernels_of_wrapped_layers_too():
    built = build(alone(selection.load(RANGED)), {"l2": 0.01}, 1, adjustable=True)
    before = penalty(built.network)
    own = 0.1 * float(np.sum(np.square(built.network.get_layer("dense").kernel.numpy().astype("float64"))))
    own += 0.5 * float(np.abs(built.network.get_layer("dense_1").kernel.numpy()).sum())
    built.knobs["l2"].turn(0.02)

    assert set(built.knobs) == {"l2"}
    assert penalty(built.network) - own == pytest.approx(2 * (before - own), rel=1e-5)
    plain = build(alone(selection.load(RANGED)), {"l2": 0.02}, 1)
    assert penalty(plain.network) == pytest.approx(penalty(built.network), rel=1e-5)


def test_initial_values_that_layers_make_for_themselves_follow_from_the_seed_and_the_users_own_dice_are_left_alone():
    import random

    layers = [{"SpectralNormalization": {"layer": {"Dense": {"units": 4}}}}, "Flatten"]
    spec = selection.load({**WRAPPED, "layers": layers})
    random.seed(3)
    expected = random.random()
    random.seed(3)
    first, second = (build(alone(spec), {}, 8).weights() for _ in range(2))

    assert random.random() == expected
    assert all((first[path] == second[path]).all() for path in first)


def test_initial_values_follow_from_the_seed_whatever_other_threads_draw():
    import random
    import threading

    spec, over = selection.load({**WRAPPED, "layers": ["Flatten", *({"Dense": {"units": 4}} for _ in range(12))]}), []

    def throw() -> None:
        while not over:
            random.random()

    first, thread = build(alone(spec), {}, 8).weights(), threading.Thread(target=throw)
    thread.start()
    try:
        several = [build(alone(spec), {}, 8).weights() for _ in range(5)]
    finally:
        over.append(True)
        thread.join()

    assert all((found[path] == first[path]).all() for found in several for path in first)


REPLICAS = """
import keras, numpy as np, tensorflow as tf, zoo
one = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [one, one])
spec = {"spec": 1, "name": "r", "family": "mlp", "classes": 3, "input": {"shape": [4]}, "l2": 0.5,
        "layers": [{"Dense": 3}], "train": {"optimizer": {"SGD": {"learning_rate": 0.1}}}}
x, y = np.random.default_rng(0).normal(size=(8, 4)).astype("float32"), np.arange(8) % 3
for names in (["CPU:0"], ["CPU:0", "CPU:1"]):
    with tf.distribute.MirroredStrategy(names).scope():
        model = zoo.build(spec)
        model.set_weights([np.full_like(one, 0.1) for one in model.get_weights()])
    loss = model.fit(x, y, batch_size=8, verbose=0).history["loss"][0]
    print(round(loss, 5), round(float(sum(abs(one).sum() for one in model.get_weights())), 4))
"""


def test_a_penalty_counts_once_however_many_replicas_there_are():
    ended = subprocess.run([sys.executable, "-c", REPLICAS], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    one, two = ended.stdout.splitlines()[-2:]

    assert one == two


LAYERS_WITH_SEEDS = {
    "wrapped": WRAPPED["layers"],
    "cells": [{"RNN": {"cell": [{"LSTMCell": {"units": 4, "dropout": 0.2}}, {"GRUCell": {"units": 5}}]}}],
    "attention": [
        {"MultiHeadAttention": {"num_heads": 2, "key_dim": 3, "dropout": 0.1, "from": {"query": "previous", "value":
         "previous"}}}, "Flatten",
    ],
    "noise": [{"GaussianNoise": {"stddev": 0.1}}, "Flatten", {"AlphaDropout": {"rate": 0.1}},
              {"Dense": {"units": 4, "kernel_initializer": "orthogonal"}}],
    "a single number": ["Normalization", "Flatten", {"Dense": 4}],
    "a seed of the user's": ["Flatten", {"Dense": {"units": 4, "kernel_initializer": {"HeNormal": {"seed": 3}}}}],
    "a bias drawn inside a function": [{"LSTM": {"units": 4, "bias_initializer": "random_normal"}}],
}  # fmt: skip


@pytest.mark.parametrize("case", LAYERS_WITH_SEEDS)
def test_first_values_drawn_anew_are_those_of_a_fresh_build_or_are_not_used(case):
    spec = {**WRAPPED, "layers": LAYERS_WITH_SEEDS[case], "l2": {"min_value": 0.0, "max_value": 0.1, "default": 0.01}}
    plan = alone(selection.load(spec))
    used = build(plan, {}, 1, adjustable=True)
    for seed in (2, 3, 4):
        reset(used, {}, seed)
        fresh = build(plan, {}, seed, adjustable=True)
        for ours, theirs in zip(used.network.variables, fresh.network.variables, strict=True):
            assert (ours.numpy() == theirs.numpy()).all(), (case, seed, ours.path)

    assert (used.beginning is not None) == (case != "a bias drawn inside a function")


def test_weights_have_the_same_paths_however_often_a_process_builds():
    paths = [list(build(alone(selection.load(WRAPPED)), {}, seed).weights()) for seed in (1, 2)]

    assert paths[0] == paths[1]
    assert any("forward" in path for path in paths[0])


def test_a_spec_that_states_neither_gets_lambda_0_001_and_p_one_half():
    silent = {**WRAPPED, "layers": ["Flatten", {"Dense": {"units": 4}}, "Dropout", {"Dropout": 0.2}]}
    del silent["l2"]
    model = build(alone(selection.load(silent)), {}, 1).network

    assert model.get_layer("dense").kernel_regularizer.get_config() == {"l2": 0.001}
    assert model.get_layer("predictions").kernel_regularizer.get_config() == {"l2": 0.001}
    assert [model.get_layer(name).rate for name in ("dropout", "dropout_1")] == [0.5, 0.2]


def test_a_plain_model_holds_stock_layers_and_plain_numbers():
    model = build(alone(selection.load("lenet5")), {"l2": 0.002, "dropout": 0.25}, 1).network

    assert {type(layer).__module__.split(".")[0] for layer in model._flatten_layers()} == {"keras"}
    assert type(model.get_layer("c1").kernel_regularizer) is keras.regularizers.L2
    assert model.get_layer("dropout").rate == 0.25
    assert keras.models.model_from_json(model.to_json()).count_params() == 61706


@pytest.mark.parametrize("name", SPECS)
def test_knobs_and_plain_numbers_give_the_same_losses_and_the_same_weights_from_the_same_seeds(name):
    plan, rows = plan_of(name)
    values = {key: value for key, value in {"l2": 0.004, "dropout": 0.3}.items() if key in plan.spec.ranges()}
    knobs, plain = build(plan, values, 5, adjustable=True), build(plan, values, 5)
    losses = [
        [float(built.network.train_on_batch(*data)[0]) for data in batches(plan, rows)] for built in (knobs, plain)
    ]

    assert len(losses[0]) == 4
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    for path, weights in knobs.weights().items():
        np.testing.assert_allclose(weights, plain.weights()[path], rtol=1e-4, atol=2e-6, err_msg=path)


@pytest.mark.parametrize("name", SPECS)
def test_a_model_reset_for_a_trial_is_bit_equal_to_one_freshly_built(name):
    plan, rows = plan_of(name)
    values = {key: value for key, value in {"l2": 0.0, "dropout": 0.6}.items() if key in plan.spec.ranges()}
    used, fresh = build(plan, {}, 5, adjustable=True), build(plan, values, 9, adjustable=True)
    reset(used, {}, 4)  # the first is done by building anew, and proves that the others need not be
    for data in batches(plan, rows):
        used.network.train_on_batch(*data)
    reset(used, values, 9)

    assert used.beginning.proved
    assert all(
        (a.numpy() == b.numpy()).all() for a, b in zip(used.network.variables, fresh.network.variables, strict=True)
    )
    for data in batches(plan, rows):
        assert used.network.train_on_batch(*data)[0] == fresh.network.train_on_batch(*data)[0]
    slots = zip(used.network.optimizer.variables, fresh.network.optimizer.variables, strict=True)
    assert all((a.numpy() == b.numpy()).all() for a, b in slots)
    assert all(
        (a.numpy() == b.numpy()).all() for a, b in zip(used.network.variables, fresh.network.variables, strict=True)
    )


@pytest.mark.parametrize("name", SPECS)
def test_the_compiled_epoch_is_what_fit_does_with_the_same_batches(name):
    plan, rows = plan_of(name)
    ours, keras_own = build(plan, {}, 3, adjustable=True), build(plan, {}, 3)
    data = [np.concatenate(arrays) for arrays in zip(*batches(plan, rows, size=10, count=7), strict=True)]
    pair = (data[0], data[1] if len(data) > 1 else None)
    order = np.random.default_rng(0).permutation(70)
    program = Program(ours, batch_size=16)
    program.use(Resident(pair), Resident(pair))  # 70 rows: four batches of 16 and one of 6
    reset(ours, {}, 3)
    logs = program.train(order)
    ordered = [array[order] for array in data]
    history = keras_own.network.fit(*ordered, batch_size=16, shuffle=False, verbose=0).history

    assert logs == pytest.approx({key: value[0] for key, value in history.items()}, rel=1e-5)
    for path, weights in ours.weights().items():
        np.testing.assert_allclose(weights, keras_own.weights()[path], rtol=1e-4, atol=1e-6, err_msg=path)


@pytest.mark.parametrize("task", ["classification", "binary"])
@pytest.mark.parametrize("chosen", ["balanced", {0: 1, 1: 7}, {"1": 3.5}])
def test_rows_are_weighed_by_their_class_as_fit_weighs_them(task, chosen):
    from sklearn.utils.class_weight import compute_class_weight

    dice = np.random.default_rng(0)
    table, labels = dice.normal(size=(140, 4)).astype("float32"), (dice.random(140) < 0.2).astype(int)
    rows = dataset.load((table, labels), "rare")
    spec = {"spec": 1, "name": "one", "family": "mlp", "input": {"shape": [4]}, "layers": [{"Dense": {"units": 5}}]}
    spec |= {"task": "binary"} if task == "binary" else {"classes": 2}
    plan = meet(selection.load({**spec, "train": {"class_weight": chosen}}), rows.description)
    ours, keras_own = build(plan, {}, 3, adjustable=True), build(plan, {}, 3)
    part = rows.train
    pair = (np.asarray(part.x), plan.works.targets(part, part.x))
    program = Program(ours, batch_size=16)
    program.use(Resident(pair), Resident(pair))
    reset(ours, {}, 3)
    logs = program.train(np.arange(len(part)))
    balanced = compute_class_weight("balanced", classes=np.arange(2), y=part.y)
    weights = dict(enumerate(balanced)) if chosen == "balanced" else {0: 1.0, 1: float(list(chosen.values())[-1])}
    history = keras_own.network.fit(
        *pair, batch_size=16, shuffle=False, verbose=0, class_weight=weights
    ).history  # fmt: skip

    assert logs == pytest.approx({key: value[0] for key, value in history.items()}, rel=1e-5)
    for path, found in ours.weights().items():
        np.testing.assert_allclose(found, keras_own.weights()[path], rtol=1e-4, atol=1e-6, err_msg=path)


@pytest.mark.parametrize("name", SPECS)
def test_no_objective_changes_with_the_penalty_of_the_same_weights(name):
    plan, rows = plan_of(name)
    shop = Workshop(plan, rows)
    values = {key: one.default for key, one in plan.spec.ranges().items()}
    built, program = shop.bench(values, 2)
    logs = []
    for l2 in (0.0, 10.0):
        reset(built, {**values, "l2": l2}, 2)
        logs.append(program.evaluate())

    assert logs[1]["val_loss"] > logs[0]["val_loss"] * 1.01
    for metric in {*plan.works.metrics} - {"f1_macro"}:  # which is counted where it is the objective
        assert logs[0][f"val_{metric}"] == pytest.approx(logs[1][f"val_{metric}"], rel=1e-6)


@pytest.mark.parametrize("name", SPECS)
def test_parameters_on_the_card_are_what_is_built(name):
    found = selection.load(name)

    assert build(alone(found), {}, 1).network.count_params() == found.data["parameters"]


@pytest.mark.parametrize("layer", sorted(ADJUSTABLE))
@pytest.mark.parametrize("rate", [0.0, 0.3, 0.8])
def test_each_adjustable_dropout_computes_what_keras_own_computes(layer, rate):
    shape = {"SpatialDropout1D": (4, 5, 6), "SpatialDropout2D": (4, 5, 5, 6), "SpatialDropout3D": (4, 3, 3, 3, 6)}
    x = np.random.default_rng(0).normal(size=shape.get(layer, (64, 32))).astype("float32")
    stock = Plain().dropout(layer, rate, {"seed": 11})
    ours = ADJUSTABLE[layer](Knob("p", rate), seed=11)

    np.testing.assert_allclose(ours(x, training=True), stock(x, training=True), rtol=1e-5, atol=1e-6)
    assert (np.asarray(ours(x, training=False)) == x).all()
    if rate:
        assert not np.allclose(ours(x, training=True), x)


def test_a_knob_turns_without_a_new_trace_and_is_no_weight():
    import tensorflow as tf

    knob = Knob("l2", 0.5)
    dense = keras.layers.Dense(2, kernel_regularizer=AdjustableL2(knob))
    dense.build((None, 3))
    traces = []

    @tf.function
    def loss():
        traces.append(1)
        return dense.losses[0]

    first = float(loss())
    knob.turn(1.0)

    assert float(loss()) == pytest.approx(2 * first)
    assert traces == [1]
    assert len(dense.variables) == 2


def test_two_builds_with_a_seed_are_equal_whatever_was_built_before_and_without_one_differ():
    import zoo

    first = zoo.build("lstm", seed=4).get_weights()
    zoo.build("mlp", seed=1)
    second, other, unseeded = (zoo.build("lstm", seed=seed).get_weights() for seed in (4, 5, None))

    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))
    assert any((a != b).any() for a, b in zip(first, unseeded, strict=True))


def test_a_build_takes_values_and_refuses_what_is_no_value():
    import zoo

    model = zoo.build("lenet5", l2=0, dropout=0.1)

    assert model.get_layer("c1").kernel_regularizer is None
    assert model.get_layer("dropout").rate == 0.1
    for wrong in ({"dropout": 1.0}, {"dropout": True}, {"l2": -1.0}, {"l2": "much"}, {"units": 5}):
        with pytest.raises(zoo.ZooError, match="expected"):
            zoo.build("lenet5", **wrong)


def test_an_error_of_keras_comes_with_the_line_of_the_spec(tmp_path):
    path = tmp_path / "deep.yaml"
    path.write_text(
        "spec: 1\nname: deep\nfamily: cnn\ntask: classification\nclasses: 2\ninput: {shape: [8, 8, 1]}\nlayers:\n"
        "  - Conv2D: {filters: 4, kernel_size: 3}\n  - MaxPooling2D: {pool_size: 9}\n  - Flatten\n"
    )
    with pytest.raises(
        building.ZooError, match=r"deep\.yaml:9:5: layers\[1\]\.MaxPooling2D: Keras refuses MaxPooling2D"
    ):
        build(alone(selection.load(path)), {}, 1)
