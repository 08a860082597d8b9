"""`train.loss`: every loss of every task, against its formula; from the data to a saved model; in a search."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
from test_labelling import CASES

import zoo
from zoo import adopting, layers
from zoo.building import build
from zoo.errors import ZooError
from zoo.language.catalogue import bounds, catalogue, is_bounded
from zoo.language.families import FACTS, FAMILIES, LOSSES
from zoo.meeting import meet

dice = np.random.default_rng(5)
TABLE = dice.normal(size=(90, 6)).astype("float32")
SERIES = np.cumsum(dice.normal(size=(60, 8, 2)), axis=1).astype("float32")
DENSE = {
    "spec": 1, "family": "mlp", "input": {"shape": [6]}, "l2": 0,
    "layers": [{"Dense": {"units": 16, "activation": "relu"}}],
}  # fmt: skip
TASKS = {
    **{task: case[:3] for task, case in CASES.items()},
    "classification": ({**DENSE, "name": "classes"}, TABLE, (TABLE[:, 0] > 0).astype(int) + (TABLE[:, 1] > 0)),
    "regression": ({**DENSE, "name": "numbers"}, TABLE, TABLE[:, :2] * 3 + 1),
    "forecasting": (
        {
            "spec": 1, "name": "steps", "family": "rnn", "input": {"shape": [6, 2]}, "l2": 0,
            "layers": [{"GRU": {"units": 4}}],
        },
        SERIES[:, :6], SERIES[:, 6:],
    ),
}  # fmt: skip

ARGUMENTS = {
    "CategoricalCrossentropy": {"label_smoothing": 0.1},
    "CategoricalFocalCrossentropy": {"alpha": 0.5, "gamma": 3, "label_smoothing": 0.2},
    "CategoricalGeneralizedCrossEntropy": {"q": 0.7},
    "BinaryCrossentropy": {"label_smoothing": 0.1},
    "BinaryFocalCrossentropy": {"gamma": 1},
    "Huber": {"delta": 0.5},
    "Tversky": {"alpha": 0.3, "beta": 0.7},
}


def smoothed(truth, share, classes):
    return truth * (1 - share) + share / classes


def focal(t, p, alpha, gamma, label_smoothing):
    t = smoothed(t, label_smoothing, p.shape[-1])
    return np.sum(alpha * (1 - p) ** gamma * -t * np.log(p), axis=-1)


def binary(t, p, label_smoothing=0.0):
    t = smoothed(t, label_smoothing, 2)
    return -(t * np.log(p) + (1 - t) * np.log(1 - p))


def huber(t, p, delta):
    away = np.abs(t - p)
    return np.where(away <= delta, away**2 / 2, delta * away - delta**2 / 2)


FORMULAS = {
    "CategoricalCrossentropy": lambda t, p, label_smoothing: np.sum(
        -smoothed(t, label_smoothing, p.shape[-1]) * np.log(p), axis=-1
    ),
    "CategoricalFocalCrossentropy": focal,
    "CategoricalGeneralizedCrossEntropy": lambda t, p, q: (1 - np.sum(t * p, axis=-1) ** q) / q,
    "CategoricalHinge": lambda t, p: np.maximum(np.max((1 - t) * p, axis=-1) - np.sum(t * p, axis=-1) + 1, 0),
    "SparseCategoricalCrossentropy": lambda t, p: -np.log(np.sum(t * p, axis=-1)),
    "BinaryCrossentropy": binary,
    "BinaryFocalCrossentropy": lambda t, p, gamma: np.where(t == 1, 1 - p, p) ** gamma * binary(t, p),
    "Dice": lambda t, p: 1 - 2 * np.sum(t * p) / (np.sum(t) + np.sum(p)),
    "Tversky": lambda t, p, alpha, beta: (
        1 - np.sum(t * p) / (np.sum(t * p) + alpha * np.sum((1 - t) * p) + beta * np.sum(t * (1 - p)))
    ),
    "Huber": huber,
    "LogCosh": lambda t, p: np.log(np.cosh(t - p)),
    "MeanAbsoluteError": lambda t, p: np.abs(t - p),
    "MeanSquaredError": lambda t, p: (t - p) ** 2,
}
"""Of one-hot rows, or of what is to be answered, and of what is answered."""

ALL = [(task, name) for task, names in LOSSES.items() for name in names]


def with_loss(task, loss):
    spec, x, y = TASKS[task]
    return {**spec, "task": task, "train": {"loss": loss}}, x, y


def test_the_tables_go_together():
    assert len(ALL) > 30
    assert {name for _, name in ALL} == {*FORMULAS}
    assert {name for _, name in ALL} <= {*catalogue()["losses"]}
    assert {*LOSSES} == {task for task in FACTS if not any(task in one.tasks for one in FAMILIES.values()
                                                           if one.body != ("layers",))}  # fmt: skip


@pytest.mark.parametrize(("task", "name"), ALL)
def test_a_network_is_trained_on_the_loss_that_its_spec_names(task, name, tmp_path):
    given = ARGUMENTS.get(name, {})
    spec, x, y = with_loss(task, {name: given} if given else name)
    rows = zoo.data((x, y))
    plan = meet(zoo.load(spec), rows.description)
    made = build(plan, {}, seed=3)
    features = made.prepare.predict(rows.train.x, verbose=0)
    told = plan.works.targets(rows.train, features)
    answers = made.network.predict(features, verbose=0).astype("float64")
    truth = np.asarray(told)
    if truth.ndim < answers.ndim:  # numbers of classes
        truth = np.eye(answers.shape[-1])[truth.astype(int)]
    meant = float(np.mean(FORMULAS[name](truth.astype("float64"), answers, **given)))
    size = len(features)
    found = made.network.evaluate(features, told, batch_size=size, verbose=0)[0]

    np.testing.assert_allclose(found, meant, rtol=2e-4)
    before = {key: value.copy() for key, value in made.weights().items()}
    made.network.fit(features, told, epochs=1, verbose=0)
    assert any((before[key] != value).any() for key, value in made.weights().items())
    after = made.network.evaluate(features, told, batch_size=size, verbose=0)[0]
    made.network.save(tmp_path / "model.keras")
    layers.register()
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.evaluate(features, told, batch_size=size, verbose=0)[0], after, rtol=1e-5)


def test_a_weight_for_each_class_is_one_for_each():
    spec, x, y = with_loss("classification", {"CategoricalFocalCrossentropy": {"alpha": ["$classes / 30", 0.3, 0.6]}})
    rows = zoo.data((x, y))
    plan = meet(zoo.load(spec), rows.description)
    made = build(plan, {}, seed=3)
    features = made.prepare.predict(rows.train.x, verbose=0)
    told = np.asarray(plan.works.targets(rows.train, features))
    answers = made.network.predict(features, verbose=0).astype("float64")
    meant = np.mean(focal(np.eye(3)[told], answers, np.array([0.1, 0.3, 0.6]), gamma=2, label_smoothing=0))

    found = made.network.evaluate(features, told, batch_size=len(features), verbose=0)[0]
    np.testing.assert_allclose(found, meant, rtol=2e-4)
    spec["train"]["loss"]["CategoricalFocalCrossentropy"]["alpha"] = [0.1, 0.3]
    with pytest.raises(ZooError, match="2 numbers for 3 classes; expected one number, or one for each class"):
        meet(zoo.load(spec), rows.description)


@pytest.mark.parametrize(
    ("loss", "names"),
    [
        ({"Huber": {"delta": {"min_value": 0.1, "max_value": 2.0, "default": 1.0}}}, {"delta"}),
        ({"values": ["LogCosh", "Huber"], "default": "LogCosh"}, {"loss"}),
    ],
)
def test_a_loss_may_be_searched_and_the_score_is_the_tasks(loss, names, tmp_path):
    spec, x, y = with_loss("regression", loss)
    study = zoo.tune(spec, (x, y), trials=4, epochs=2, oracle="random", run=tmp_path / "run", workers=1)

    assert set(study.values) == names
    assert {one["status"] for one in study.trials} == {"completed"}
    assert study.run.plan.objective == "val_mae"
    assert len({one["score"] for one in study.trials}) == len(study.trials)


def test_an_argument_of_a_loss_is_an_expression_too():
    spec, x, y = with_loss("regression", {"Huber": {"delta": "$far / 2"}})
    plan = meet(zoo.load({**spec, "let": {"far": 3}}), zoo.data((x, y)).description)

    assert build(plan, {}, seed=0).network.loss.get_config()["delta"] == 1.5


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"train.loss": "CategoricalHinge"}, "CategoricalHinge"),
        (
            {"train.loss.CategoricalCrossentropy.label_smoothing": 0.1},
            {"CategoricalCrossentropy": {"label_smoothing": 0.1}},
        ),
        (
            {"train.loss": "CategoricalFocalCrossentropy", "train.loss.CategoricalFocalCrossentropy.gamma": 3},
            {"CategoricalFocalCrossentropy": {"gamma": 3}},
        ),
    ],
)
def test_a_loss_may_be_set_from_outside(changes, told):
    assert zoo.load({**DENSE, "name": "one"}, changes).train["loss"] == told


def test_what_is_set_of_another_loss_is_refused():
    changes = {"train.loss": "CategoricalHinge", "train.loss.Huber.delta": 1}
    with pytest.raises(ZooError, match=r"`train\.loss` is no mapping; expected train\.loss=VALUE"):
        zoo.load({**DENSE, "name": "one"}, changes)


def test_a_loss_that_the_data_cannot_be_trained_on_is_refused_at_its_place():
    spec = {**DENSE, "name": "numbers", "train": {"loss": "Huber"}}
    with pytest.raises(ZooError, match=r"train\.loss: Huber is no loss for classification; expected one of Categ"):
        meet(zoo.load(spec), zoo.data(TASKS["classification"][1:]).description)


# Models of one's own


SMOOTHED = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)


NUMBERS = (keras.losses.mean_absolute_error, "Huber", "poisson")
"""Losses below of models that answer numbers."""


def compiled(loss, l2=0.1):
    numbers = ((isinstance(loss, str) or callable(loss)) and loss in NUMBERS) or isinstance(
        loss, (keras.losses.Huber, LogCosh, functools.partial)
    )
    first = keras.layers.Dense(8, kernel_regularizer=keras.regularizers.L2(l2))
    last = keras.layers.Dense(3, activation=None if numbers else "softmax")
    model = keras.Sequential([keras.Input((6,)), first, last], name="mine")
    model.compile("adam", loss)
    return model


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        ("sparse_categorical_crossentropy", None),
        (keras.losses.sparse_categorical_crossentropy, None),
        (SMOOTHED, {"CategoricalCrossentropy": {"label_smoothing": 0.1}}),
        (keras.losses.CategoricalFocalCrossentropy(), "CategoricalFocalCrossentropy"),
        ("mse", "MeanSquaredError"),
        ("mean_squared_error", "MeanSquaredError"),
        (keras.losses.mean_absolute_error, "MeanAbsoluteError"),
        (keras.losses.Huber(delta=0.5), {"Huber": {"delta": 0.5}}),
    ],
    ids=["text", "function", "smoothed", "focal", "short", "long", "absolute", "huber"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["model", "file", "function"])
def test_the_loss_of_a_compiled_model_goes_along(loss, told, kind, tmp_path):
    model = compiled(loss)
    model.save(tmp_path / "mine.keras")
    if kind == "file" and told == {"Huber": {"delta": 0.5}}:
        told = "Huber"  # Keras saves it without its delta, and reads it with 1
    source = {
        "model": model, "file": tmp_path / "mine.keras", "function": lambda l2=0.1: compiled(loss, l2),
    }[kind]  # fmt: skip

    assert adopting.adopt(source, "mine").written()["train"].get("loss") == told


def dice(y_true, y_pred):
    return 1 - keras.ops.sum(y_true * y_pred)


class LogCosh(keras.losses.Loss):
    """A loss of one's own that is called like one of Keras's."""

    def call(self, y_true, y_pred):
        return keras.ops.mean(y_true - y_pred, axis=-1)


@pytest.mark.parametrize("loss", ["CategoricalHinge", "MeanSquaredError", "CategoricalGeneralizedCrossEntropy"])
def test_labels_may_be_a_column(loss):
    spec, x, y = with_loss("classification", loss)
    one, other = (zoo.build(spec | {"classes": 3}, seed=0) for _ in range(2))

    assert one.evaluate(x, y, verbose=0)[0] == pytest.approx(other.evaluate(x, y[:, None], verbose=0)[0], rel=1e-6)


def test_a_spec_that_met_no_data_is_trained_on_what_it_is_for():
    spec = {**DENSE, "name": "one", "classes": 3, "train": {"loss": "Huber"}}
    with pytest.raises(ZooError, match=r"train\.loss: Huber is no loss for classification"):
        zoo.build(spec)
    del spec["classes"]
    assert zoo.build({**spec, "task": "regression"}).loss.delta == 1.0


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (["mae"], "MeanAbsoluteError"),
        ({"last": "mae"}, "MeanAbsoluteError"),
        ("MAE", "MeanAbsoluteError"),
        ("MSE", None),
    ],
)
@pytest.mark.parametrize("kind", ["model", "file"])
def test_one_loss_of_one_output_goes_along_however_it_is_written(loss, told, kind, tmp_path):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2, name="last")], name="mine")
    model.compile("adam", loss)
    model.save(tmp_path / "mine.keras")
    source = model if kind == "model" else tmp_path / "mine.keras"

    assert adopting.adopt(source).written()["train"].get("loss") == told


def test_weights_of_losses_are_refused(tmp_path):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)], name="mine")
    model.compile("adam", "mse", loss_weights=[5.0])
    model.save(tmp_path / "mine.keras")
    for source in (model, tmp_path / "mine.keras"):
        with pytest.raises(ZooError, match=r"loss_weights=\[5\.0\], which no spec can say"):
            adopting.adopt(source)


def test_a_loss_that_does_not_go_with_the_last_activation_is_refused():
    with pytest.raises(ZooError, match="BinaryCrossentropy, which is no loss for classification"):
        adopting.adopt(compiled("binary_crossentropy"))


def far_off(y_true, y_pred):
    return keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)


@pytest.mark.parametrize("loss", [{"Huber": {"delta": 0.5}}, {"MeanSquaredError": {}}])
def test_what_zoo_exports_goes_on_with_its_loss(loss, tmp_path):
    task = "regression" if "Huber" in loss else "classification"
    spec, x, y = with_loss(task, loss)
    model = build(meet(zoo.load(spec), zoo.data((x, y)).description), {}, seed=0).network
    model.save(tmp_path / "mine.keras")
    told = loss if "Huber" in loss else "MeanSquaredError"

    for source in (model, tmp_path / "mine.keras"):
        assert adopting.adopt(source).written()["train"]["loss"] == told


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (far_off, "far_off, a loss of its own"),
        ("poisson", "poisson, which is no loss of a spec"),
        (keras.losses.Huber(reduction="sum"), "the model's loss Huber has reduction='sum', which no spec can say"),
        (["mse", "mse"], "several losses, which is no loss of a spec"),
        (dice, "dice, a loss of its own"),
        (LogCosh(), "LogCosh, a loss of its own"),
        (functools.partial(keras.losses.huber, delta=0.3), "partial, a loss of its own"),
        (lambda y_true, y_pred: y_true - y_pred, "<lambda>, a loss of its own"),
    ],
    ids=["own", "unfit", "summed", "several", "namesake", "class", "partial", "lambda"],
)
def test_a_loss_that_no_spec_has_is_refused(loss, says):
    with pytest.raises(ZooError, match=says):
        adopting.adopt(compiled(loss))


def mse(y_true, y_pred):
    return keras.ops.mean(y_true - y_pred, axis=-1)


def test_a_function_in_a_file_that_is_called_as_keras_is_for_short_is_ones_own(tmp_path):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)], name="mine")
    model.compile("adam", mse)
    model.save(tmp_path / "mine.keras")
    for source in (model, tmp_path / "mine.keras"):
        with pytest.raises(ZooError, match="mse, a loss of its own"):
            adopting.adopt(source)


def test_weights_of_losses_that_change_nothing_are_none():
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)], name="mine")
    model.compile("adam", "mae", loss_weights=[1.0])

    assert adopting.adopt(model).written()["train"]["loss"] == "MeanAbsoluteError"


BOUNDED = [
    (module, name, key)
    for module in ("optimizers", "schedules")
    for name, entry in catalogue()[module].items()
    for key in entry["arguments"]
    if bounds(name, key) and bounds(name, key)[0].get("type") != "array"
]


@pytest.mark.parametrize(("module", "name", "key"), BOUNDED)
def test_what_stands_at_the_bounds_of_an_argument_keras_takes(module, name, key):
    given, entry = bounds(name, key)[0], catalogue()[module][name]
    whole = given.get("type") == "integer"
    low = given.get("minimum", given.get("exclusiveMinimum", -5.0) + 1e-3)
    high = given.get("maximum", given.get("exclusiveMaximum", 5.0) - 1e-3)
    ema = {"use_ema": True} if "use_ema" in entry["arguments"] else {}
    home = keras.optimizers if module == "optimizers" else keras.optimizers.schedules

    for value in (low, 7 if whole else high):
        number = value if whole else float(value)
        assert is_bounded(number, given)
        getattr(home, name)(**{**dict.fromkeys(entry["required"], 3), **ema, key: number})


def test_lists_within_their_bounds_keras_takes():
    found = {key: bounds("PiecewiseConstantDecay", key)[0] for key in ("boundaries", "values")}
    for given in ({"boundaries": [0, 1.5], "values": [0, 1.0, 0.5]}, {"boundaries": [3], "values": [0.1, 0.01]}):
        assert all(is_bounded(given[key], one) for key, one in found.items())
        made = keras.optimizers.schedules.PiecewiseConstantDecay(
            given["boundaries"], [float(one) for one in given["values"]]
        )
        assert np.isfinite(float(made(1)))
    assert not any(is_bounded(value, one) for one in found.values() for value in (3, [], [-1], ["a"], [True]))


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("SGD", {"momentum": 1.5}), ("SGD", {"momentum": -0.5}), ("Lion", {"beta_1": 0.0}),
        ("Ftrl", {"learning_rate_power": 0.5}), ("Ftrl", {"initial_accumulator_value": -0.1}),
        ("Adam", {"gradient_accumulation_steps": 1}),
    ],
    ids=str,
)  # fmt: skip
def test_what_keras_refuses_of_an_optimizer_is_refused_without_it(name, given):
    with pytest.raises(ValueError, match=next(iter(given))):
        getattr(keras.optimizers, name)(**given)
    with pytest.raises(ZooError, match=rf"train\.optimizer\.{name}\.{next(iter(given))}: .* is not accepted"):
        zoo.load({**DENSE, "name": "one", "classes": 3, "train": {"optimizer": {name: given}}})
