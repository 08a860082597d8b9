"""Yes or no, several labels at once, a label a pixel, a token a step: data to a served model, each the whole road."""

from __future__ import annotations

import numpy as np
import pytest

import zoo
from zoo.errors import ZooError

rng = np.random.default_rng(0)
TABLE = rng.uniform(size=(240, 6)).astype("float32")
IMAGES = (rng.uniform(size=(120, 8, 8, 1)) * 255).astype("uint8")
TOKENS = np.cumsum(rng.integers(1, 3, (240, 10)), axis=1) % 5

DENSE = {
    "spec": 1,
    "family": "mlp",
    "input": {"shape": [6]},
    "l2": 0,
    "layers": [{"Dense": {"units": 16, "activation": "relu"}}],
}
CASES = {
    "binary": (
        {**DENSE, "name": "binary", "task": "binary"}, TABLE, np.where(TABLE[:, 0] > 0.5, "yes", "no"), "auc",
        {"label": ((5,), "U"), "predictions": ((5, 1), "f")},
    ),
    "multilabel": (
        {**DENSE, "name": "multilabel", "task": "multilabel"}, TABLE, (TABLE[:, :3] > 0.4).astype("uint8"), "auc",
        {"predictions": ((5, 3), "f")},
    ),
    "segmentation": (
        {
            "spec": 1, "name": "segmentation", "family": "cnn", "task": "segmentation", "input": {"shape": [8, 8, 1]},
            "l2": 0, "layers": [{"Conv2D": {"filters": 8, "kernel_size": 1, "activation": "relu"}}],
        },
        IMAGES, (IMAGES[..., 0] > 128).astype("uint8") * 2, "mean_iou",
        {"label": ((5, 8, 8), "i"), "predictions": ((5, 8, 8, 2), "f")},
    ),
    "language": (
        {
            "spec": 1, "name": "language", "family": "rnn", "task": "language", "l2": 0,
            "input": {"shape": [10], "dtype": "int32", "vocabulary": 5},
            "layers": [
                {"Embedding": {"input_dim": "$input.vocabulary", "output_dim": 8}},
                {"GRU": {"units": 16, "return_sequences": True}},
            ],
        },
        TOKENS[:, :-1], TOKENS[:, 1:], "crossentropy", {"label": ((5, 9), "i"), "predictions": ((5, 9, 5), "f")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("task", CASES)
def test_a_task_goes_from_data_to_a_served_model(task, tmp_path):
    spec, x, y, metric, served = CASES[task]
    changes = {"train.epochs": 40, "train.optimizer.Adam.learning_rate": 0.02}

    study = zoo.train(spec, (x, y), set=changes, run=tmp_path / "run")
    folder = study.export(tmp_path / "served")
    told = zoo.predict(folder, x[:5])

    assert study.run.plan.task == task
    assert metric in study.test["tuned"]
    assert {key: (value.shape, value.dtype.kind) for key, value in told.items()} == served
    assert (
        study.test["tuned"]["accuracy"]
        > {"binary": 0.9, "multilabel": 0.85, "segmentation": 0.9, "language": 0.45}[task]
    )
    if task == "segmentation":
        assert set(np.unique(told["label"])) <= {0, 2}
    if task == "binary":
        assert ((told["predictions"][:, 0] > 0.5) == (told["label"] == "yes")).all()


@pytest.mark.parametrize("task", CASES)
def test_figures_are_those_of_the_metrics_that_training_saw(task):
    from zoo.datasets import dataset
    from zoo.meeting import meet
    from zoo.working import Workshop

    spec, x, y, _, _ = CASES[task]
    rows = dataset.load((x, y))
    plan = meet(zoo.load(spec), rows.description)
    built, program = Workshop(plan, rows).bench({}, 1)
    logs = program.evaluate()
    evidence = plan.works.evidence(built.pieces, rows.validation)
    figures = plan.works.figures(evidence)

    for metric in plan.works.metrics:
        if metric != "auc":  # Keras's is on a grid of thresholds
            assert logs[f"val_{metric}"] == pytest.approx(figures[metric], rel=2e-3, abs=1e-5), metric
        found = plan.works.rows(evidence, metric)
        if found is not None:
            assert len(found) == len(rows.validation.x)
            assert found.mean() == pytest.approx(figures[metric], rel=1e-5)


def test_labels_of_pixels_that_no_training_row_has_are_refused():
    y = (IMAGES[..., 0] > 128).astype("uint8")
    with pytest.raises(ZooError, match="expected two or more, all known"):
        zoo.data({"x_train": IMAGES, "y_train": y, "x_test": IMAGES[:9], "y_test": y[:9] + 3})


def test_a_network_for_pixels_takes_images_as_they_are():
    from zoo.meeting import meet

    spec, x, y, _, _ = CASES["segmentation"]
    plan = meet(zoo.load({**spec, "input": {"shape": [64, 64, 1]}}), zoo.data((x, y)).description)

    assert plan.spec.shape == (8, 8, 1)
    assert all("Resizing" not in step for step in plan.steps)


def test_a_conditional_autoencoder_is_served_with_its_label(tmp_path):
    import tensorflow as tf

    x, y = zoo.data("digits").train.x[:400], zoo.data("digits").train.y[:400]
    spec = zoo.load("cvae", {"train.epochs": 2})
    study = zoo.tune(spec, (x.reshape(400, -1) / 16, y), trials=2, oracle="random", run=tmp_path / "run")
    folder = study.export(tmp_path / "served")
    model = tf.saved_model.load(str(folder))

    labels = tf.constant(np.arange(10), tf.int32)
    drawn = model.signatures["sample"](label=labels, seed=tf.constant(3))["sample"].numpy()
    again = model.signatures["sample"](label=labels, seed=tf.constant(3))["sample"].numpy()
    other = model.signatures["sample"](label=labels[::-1], seed=tf.constant(3))["sample"].numpy()

    assert drawn.shape == (10, 64)
    assert (drawn == again).all()
    assert (drawn != other).any()
    assert study.run.plan.spec.inputs["label"]["classes"] == 10


def test_a_spec_that_is_told_labels_refuses_data_without_them():
    with pytest.raises(ZooError, match="`cvae` is given the label of each row, and data has none"):
        zoo.tune("cvae", (rng.uniform(size=(60, 784)), None))


def test_a_spec_of_inputs_that_data_do_not_hold_is_refused():
    two = {**DENSE, "name": "two", "inputs": {"a": {"shape": [6]}, "b": {"shape": [6]}}, "classes": 2}
    del two["input"]
    two["layers"] = [{"Concatenate": {"from": ["a", "b"]}}]
    with pytest.raises(ZooError, match=r"`two` takes 2 inputs \(a, b\), and a data set holds one"):
        zoo.tune(two, (TABLE, (TABLE[:, 0] > 0.5).astype(int)))


def test_macro_f1_is_that_of_scikit_learn():
    from sklearn import metrics

    from zoo.layers.units import MacroF1

    dice = np.random.default_rng(0)
    truth, answers = dice.integers(0, 4, (50,)), dice.random((50, 5))
    answers[:, 4] = 0  # a class that is neither there nor answered
    counted, again = MacroF1(5), MacroF1.from_config(MacroF1(5).get_config())
    for begin in range(0, 50, 16):
        counted.update_state(truth[begin : begin + 16], answers[begin : begin + 16])
        again.update_state(
            truth[begin : begin + 16], answers[begin : begin + 16], np.arange(begin, min(begin + 16, 50))
        )
    options = {"labels": range(5), "average": "macro", "zero_division": 0.0}
    told = answers.argmax(axis=1)

    assert float(counted.result()) == pytest.approx(metrics.f1_score(truth, told, **options))
    weighted = metrics.f1_score(truth, told, sample_weight=np.arange(50), **options)
    assert float(again.result()) == pytest.approx(weighted)
    counted.reset_state()
    assert float(counted.result()) == 0


def test_a_search_for_the_classes_that_are_rare(tmp_path):
    spec = {**DENSE, "name": "rare", "classes": 3}
    y = np.digitize(TABLE[:, 0], [0.1, 0.9])
    study = zoo.tune(spec, (TABLE, y), trials=2, epochs=5, objective="f1_macro", run=tmp_path / "run")

    assert study.summary["objective"] == "val_f1_macro"
    assert study.validation["tuned"]["f1_macro"] == pytest.approx(study.score, abs=1e-6)
    assert "f1_macro is better by" in study.verdict or "defaults themselves" in study.verdict


def test_weights_of_classes_are_searched_and_those_of_no_class_are_refused(tmp_path):
    spec = {**DENSE, "name": "rare", "classes": 2}
    y = np.where(TABLE[:, 0] > 0.9, "yes", "no")
    weight = {"min_value": 1, "max_value": 30, "sampling": "log", "default": 5}
    changes = {"train.class_weight": {"yes": weight}, "train.epochs": 2}
    study = zoo.tune(spec, (TABLE, y), trials=3, set=changes, objective="f1_macro", run=tmp_path / "run")

    assert set(study.values) == {"class_weight.yes"}
    for before in (None, "balanced", {"yes": 2}):
        changed = zoo.load({**spec, "train": {"class_weight": before}}, {"train.class_weight.yes": 5})
        assert changed.train["class_weight"] == {"yes": 5}
    assert len({one["class_weight.yes"] for one in study.trials}) == 3
    for weights, says in {
        "maybe": (spec, {"maybe": 2}, "train.class_weight.maybe: data has no label `maybe`; expected one of no, yes"),
        "0": (spec, {"yes": 0}, "train.class_weight.yes: `0` is not accepted; expected a number above 0"),
        "numbers": (
            {**DENSE, "name": "one", "task": "regression"},
            "balanced",
            "rows are weighed by their class, and the task is regression; expected a spec without it",
        ),
    }.items():
        kind, given, said = says
        rows = (TABLE, TABLE[:, 1] if weights == "numbers" else y)
        with pytest.raises(ZooError, match=said):
            zoo.train(kind, rows, set={"train.class_weight": given}, run=tmp_path / weights)
