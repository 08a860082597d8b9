"""Weights that a network starts from, in each of Keras's formats; what is adapted, and what is refused."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import zoo
from zoo.errors import ZooError

SIZE = 32


@pytest.fixture(scope="module")
def reference():
    """A network of Keras's, its weights disturbed so that none is what it begins with."""
    model = keras.applications.MobileNet(weights=None, alpha=0.25, input_shape=(SIZE, SIZE, 3), classes=20)
    rng = np.random.default_rng(0)
    for one in model.weights:
        one.assign(rng.uniform(0.5, 1.0, one.shape) if "variance" in one.path else rng.normal(0, 0.1, one.shape))
    return model


@pytest.fixture(scope="module", params=[".weights.h5", ".h5", ".keras"])
def file(request, reference, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / f"reference{request.param}"
    (reference.save_weights if request.param == ".weights.h5" else reference.save)(path)
    return path


@pytest.fixture(scope="module")
def saved(reference, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "saved.keras"
    reference.save(path)
    return path


def spec(**changes):
    stated = {"let.alpha": 0.25, "classes": 20, "input.shape": [SIZE, SIZE, 3]}
    return zoo.load("mobilenet", {**stated, **changes})


def answers(model):
    images = np.random.default_rng(1).uniform(-1, 1, (4, SIZE, SIZE, 3)).astype("float32")
    return np.asarray(model(images, training=False))


def test_a_file_of_keras_gives_the_answers_of_the_network_that_was_saved(file, reference):
    ours = zoo.build(spec(weights=str(file)), seed=1)

    np.testing.assert_allclose(answers(ours), answers(reference), atol=1e-6)


def test_a_head_of_other_classes_begins_anew_and_the_body_does_not(file, reference):
    ours = zoo.build(spec(classes=3, weights=str(file)), seed=1)

    assert ours.output_shape == (None, 3)
    assert (ours.get_layer("conv1").kernel.numpy() == reference.get_layer("conv1").kernel.numpy()).all()
    last = "conv_pw_13_bn"
    assert (ours.get_layer(last).gamma.numpy() == reference.get_layer(last).gamma.numpy()).all()


@pytest.mark.parametrize("channels", [1, 4, 6])
def test_a_stem_of_other_channels_answers_equal_channels_as_before(channels, saved, reference):
    ours = zoo.build(spec(**{"input.shape": [SIZE, SIZE, channels]}, weights=str(saved)), seed=1)
    before, after = (model.get_layer("conv1").kernel.numpy() for model in (reference, ours))

    assert after.shape[2] == channels
    if channels in (1, 6):
        np.testing.assert_allclose(after.sum(axis=2), before.sum(axis=2), rtol=1e-5, atol=1e-6)


def test_a_frozen_body_leaves_the_head_to_be_trained(saved):
    ours = zoo.build(spec(frozen=True, classes=3, weights=str(saved)), seed=1)

    assert [path.path for path in ours.trainable_weights] == ["conv_preds/kernel", "conv_preds/bias"]


def test_training_starts_from_the_weights_and_a_second_run_from_the_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = zoo.data("digits")
    small = {"spec": 1, "name": "small", "family": "mlp", "input": {"shape": [64]}, "l2": 0, "layers": [{"Dense": 16}]}

    first = zoo.train(small, rows, epochs=2, run="first")
    frozen = zoo.train({**small, "weights": "run:first", "frozen": True}, rows, epochs=1, run="second")

    kept, after = (study.run.weights(0) for study in (first, frozen))
    assert (kept["dense/kernel"] == after["dense/kernel"]).all()
    assert (kept["predictions/kernel"] != after["predictions/kernel"]).any()


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ("keras:MobilNet", "did you mean `keras:MobileNet`?"),
        ("nothere.h5", "nothere.h5 is not there; expected imagenet, keras:NAME, run:NAME or a file"),
        ("pyproject.toml", "no file of weights|is not there"),
        ("run:nothere", "nothere"),
    ],
)
def test_weights_that_are_not_there_are_refused_in_a_sentence(weights, says):
    with pytest.raises(ZooError, match=says.replace("?", r"\?")):
        zoo.build("mobilenet", weights=weights)


def test_weights_of_another_network_are_refused(reference, tmp_path):
    path = tmp_path / "other.weights.h5"
    reference.save_weights(path)

    with pytest.raises(ZooError, match=r"other\.weights\.h5 holds no weights of `resnet50`"):
        zoo.build("resnet50", weights=path)


def test_weights_that_cannot_be_downloaded_are_an_error_of_one_sentence(monkeypatch):
    def refuse(*_, **__):
        raise OSError("URL fetch failure")

    monkeypatch.setattr(keras.utils, "get_file", refuse)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", refuse)
    with pytest.raises(ZooError, match="the published weights of MobileNet could not be had: URL fetch failure"):
        zoo.build("mobilenet", weights="imagenet")


@pytest.fixture
def published(monkeypatch, tmp_path):
    """What Keras would download for a constructor, served from here: weights that none begins with."""

    def serve(name):
        model, rng = getattr(keras.applications, name)(weights=None), np.random.default_rng(0)
        for one in model.weights:
            if "seed" not in one.path and one.dtype == "float32":
                spread = rng.uniform(0.8, 1.2, one.shape)
                one.assign(spread if "variance" in one.path or "gamma" in one.path else spread - 1)
        path = tmp_path / f"{name}.h5"
        model.save(path)
        monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda *_, **__: str(path))
        return getattr(keras.applications, name)(weights="imagenet")

    return serve


def first(model, x):
    """What a network's first convolution answers."""
    layer = next(one for one in model.layers if isinstance(one, keras.layers.Conv2D))
    return np.asarray(keras.Model(model.inputs, layer.output)(x))


def test_published_weights_of_an_efficientnet_come_with_what_keras_computes_for_them(published):
    reference = published("EfficientNetB0")
    x = np.random.default_rng(1).uniform(0, 255, (1, 224, 224, 3)).astype("float32")
    wanted = first(reference, x)
    for ours in (
        zoo.build("efficientnetb0", weights="imagenet"),
        zoo.build("efficientnetb0", weights="keras:EfficientNetB0"),
        zoo.build(zoo.load("efficientnetb0", {"weights": "imagenet", "classes": 3})),
    ):
        assert (first(ours, x) == wanted).all()
        assert len([one for one in ours.layers if isinstance(one, keras.layers.Rescaling)]) == 2
    assert len([one for one in zoo.build("efficientnetb0").layers if isinstance(one, keras.layers.Rescaling)]) == 1

    grey = zoo.build(zoo.load("efficientnetb0", {"weights": "imagenet", "input.shape": [64, 64, 1]}))
    layer = next(one for one in grey.layers if isinstance(one, keras.layers.Normalization))
    theirs = next(one for one in reference.layers if isinstance(one, keras.layers.Normalization))
    assert layer.adapt_mean.shape == layer.adapt_variance.shape == (1,)
    assert layer.adapt_mean.numpy()[0] == pytest.approx(theirs.adapt_mean.numpy().mean(), rel=1e-5)
    assert first(grey, x[:, :64, :64, :1]).shape == (1, 32, 32, 32)


FLOWERS = """
spec: 1
extends: mobilenetv2
name: flowers
summary: MobileNetV2 from weights of its own.
input: {{shape: [96, 96, {channels}]}}
classes: 5
weights: {weights}
"""


def test_a_spec_that_extends_one_of_keras_starts_from_its_weights(published, tmp_path):
    reference = published("MobileNetV2")
    reference.save_weights(tmp_path / "whole.weights.h5")
    reference.save(tmp_path / "whole.keras")
    files = {"imagenet": 3, "keras:MobileNetV2": 1, tmp_path / "whole.weights.h5": 1, tmp_path / "whole.keras": 3}
    for weights, channels in files.items():
        (tmp_path / "flowers.yaml").write_text(FLOWERS.format(weights=weights, channels=channels))
        ours = zoo.build(tmp_path / "flowers.yaml")

        stem, theirs = (model.get_layer("Conv1").kernel.numpy() for model in (ours, reference))
        np.testing.assert_allclose(stem, theirs if channels == 3 else theirs.sum(axis=2, keepdims=True), rtol=1e-5)
        last, its = (model.get_layer("Conv_1_bn") for model in (ours, reference))
        assert (last.gamma.numpy() == its.gamma.numpy()).all()
        assert ours.output_shape == (None, 5)


def test_what_was_computed_for_published_weights_is_computed_from_their_run_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = {
        "spec": 1, "name": "own", "family": "mlp", "input": {"shape": [4]}, "classes": 2, "l2": 0,
        "let": {"imagenet": False}, "layers": [{"Rescaling": {"scale": 2.0, "if": "$imagenet"}}, {"Dense": 3}],
    }  # fmt: skip
    x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
    for name, said in (("published", True), ("own", False)):
        zoo.train({**spec, "let": {"imagenet": said}}, (x, np.arange(60) % 2), epochs=1, run=name)

        layers = [type(one).__name__ for one in zoo.build(spec, weights=f"run:{name}").layers]

        assert ("Rescaling" in layers) is said


def test_a_body_that_was_changed_is_none_that_keras_publishes():
    other = zoo.load("mobilenet", {"let.alpha": 0.5, "weights": "imagenet"}).written()
    with pytest.raises(ZooError, match="Keras publishes no weights of `mine`; expected keras:NAME with one of"):
        zoo.build({**other, "name": "mine"})


def test_a_schedule_is_computed_from_the_epochs_and_the_steps_of_the_data(tmp_path):
    rate = {"PiecewiseConstantDecay": {"boundaries": ["$epochs * $steps // 2"], "values": ["$first", 0.0]}}
    spec = {
        "spec": 1, "name": "scheduled", "family": "mlp", "input": {"shape": [30]}, "l2": 0,
        "let": {"first": {"values": [0.1, 0.2], "default": 0.1}}, "layers": [{"Dense": 8}],
        "train": {"optimizer": {"SGD": {"learning_rate": rate}}, "epochs": 4, "batch_size": 32},
    }  # fmt: skip
    from zoo import building
    from zoo.meeting import meet

    rows = zoo.data("breast_cancer")
    plan = meet(zoo.load(spec), rows.description)
    steps = -(-len(rows.train.x) // 32)
    built = [building.build(plan, {"first": first}, 1) for first in (0.1, 0.2)]

    schedules = [one.network.optimizer._learning_rate for one in built]
    assert [one.boundaries for one in schedules] == [[2 * steps], [2 * steps]]
    assert [one.values[0] for one in schedules] == [0.1, 0.2]
    keys = {building.trace_key(plan, {"first": first}) for first in (0.1, 0.2)}
    assert len(keys) == 2  # the schedule is part of the graph
