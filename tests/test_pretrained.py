"""Weights that a network starts from, in each of Keras's formats; what is adapted, and what is refused."""

from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest

import zoo
from zoo import selection
from zoo.errors import ZooError
from zoo.language import catalogue
from zoo.lowering import weights_by_path

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


@pytest.mark.parametrize("channels", [1, 2, 4, 6])
def test_a_stem_of_other_channels_answers_equal_channels_as_before(channels, saved, reference):
    ours = zoo.build(spec(**{"input.shape": [SIZE, SIZE, channels]}, weights=str(saved)), seed=1)
    before, after = (model.get_layer("conv1").kernel.numpy() for model in (reference, ours))

    assert after.shape[2] == channels
    if channels in (1, 6):
        np.testing.assert_allclose(after.sum(axis=2), before.sum(axis=2), rtol=1e-5, atol=1e-6)
    else:  # in turn, and scaled by old / new: one colour counts more
        np.testing.assert_allclose(after, before[:, :, [one % 3 for one in range(channels)]] * 3 / channels, rtol=1e-6)


def stem(channels, *layers, **more):
    return {
        "spec": 1, "name": "stem", "family": "cnn", "input": {"shape": [6, 6, channels]}, "classes": 2, "l2": 0,
        "layers": [*layers, "GlobalAveragePooling2D"], **more,
    }  # fmt: skip


def disturbed(spec):
    model, rng = zoo.build(spec, seed=1), np.random.default_rng(0)
    for one in model.weights:
        one.assign(rng.uniform(0.5, 1.5, one.shape))
    return model


APART = {"DepthwiseConv2D": {"kernel_size": 3, "depth_multiplier": 2, "name": "apart"}}
MIXED = {"Conv2D": {"filters": 5, "kernel_size": 1, "name": "mixed"}}


@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("channels", [1, 2, 4, 6])
def test_a_separable_stem_of_other_channels_answers_repeated_images_as_before(channels, multiplier, tmp_path):
    layer = {"SeparableConv2D": {"filters": 5, "kernel_size": 3, "depth_multiplier": multiplier, "name": "first"}}
    before = disturbed(stem(3, layer))
    if channels == 1:  # of one shape but for a factor: so few depthwise kernels hold their sum
        kernel = before.get_layer("first").depthwise_kernel
        kernel.assign(np.broadcast_to(kernel.numpy()[:, :, :1, :1], kernel.shape) * [[1.0], [2.0], [-0.5]])
    after = zoo.build(stem(channels, layer, weights=kept(before, tmp_path / "before.npz")), seed=2)
    image = np.random.default_rng(1).random((2, 6, 6, 3), "float32")

    ours, theirs = after.get_layer("first"), before.get_layer("first")
    assert ours.depthwise_kernel.shape == (3, 3, channels, multiplier)
    if channels == 1:
        grey = image[..., :1]
        np.testing.assert_allclose(after(grey), before(np.repeat(grey, 3, axis=-1)), rtol=1e-4)
    elif channels == 6:
        np.testing.assert_allclose(after(np.concatenate([image, image], axis=-1)), before(image), rtol=1e-4)
    if channels > 1:
        order = [one % 3 for one in range(channels)]
        assert (ours.depthwise_kernel.numpy() == theirs.depthwise_kernel.numpy()[:, :, order]).all()
        wide = theirs.pointwise_kernel.numpy().reshape(3, multiplier, 5)[order] * 3 / channels
        np.testing.assert_allclose(ours.pointwise_kernel.numpy().reshape(channels, multiplier, 5), wide, rtol=1e-6)


@pytest.mark.parametrize("channels", [2, 4, 6])
def test_a_stem_that_leaves_the_channels_apart_is_repeated_until_they_are_mixed(channels, tmp_path):
    layers = [APART, {"BatchNormalization": {"name": "normal"}}, "ReLU", MIXED]
    before = disturbed(stem(3, *layers))
    after = zoo.build(stem(channels, *layers, weights=kept(before, tmp_path / "before.npz")), seed=2)
    image = np.random.default_rng(1).random((2, 6, 6, 3), "float32")

    assert after.get_layer("mixed").kernel.shape == (1, 1, 2 * channels, 5)
    if channels == 6:
        np.testing.assert_allclose(after(np.concatenate([image, image], axis=-1)), before(image), rtol=1e-4)


def test_channels_that_stay_apart_are_not_made_one(tmp_path):
    file = kept(disturbed(stem(3, APART, MIXED)), tmp_path / "before.npz")
    with pytest.raises(ZooError, match=r"for `apart/kernel`, \(3, 3, 1, 2\), it has one of 3 channels that stay apart"):
        zoo.build(stem(1, APART, MIXED, weights=file))


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


@pytest.mark.parametrize("ending", selection.WEIGHTS[:3])
def test_a_file_without_a_top_gives_its_body_whatever_its_format(tmp_path, ending):
    body = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(32, 32, 3), pooling="avg")
    path = tmp_path / f"body{ending}"
    (body.save_weights if ending == ".weights.h5" else body.save)(path)
    changes = {"weights": str(path), "input.shape": [32, 32, 3], "classes": 3}
    model = zoo.build(zoo.load("mobilenetv2", changes))
    x = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")

    ours = keras.Model(model.inputs, model.layers[-2].output)
    np.testing.assert_allclose(ours(x).numpy(), body(x).numpy(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("ending", selection.WEIGHTS[:3])
def test_what_keras_makes_with_the_top_alone_begins_anew_where_a_file_has_none(tmp_path, ending):
    body = keras.applications.MobileNetV3Small(weights=None, include_top=False, input_shape=(32, 32, 3))
    path = tmp_path / f"body{ending}"
    (body.save_weights if ending == ".weights.h5" else body.save)(path)
    model = zoo.build(zoo.load("mobilenetv3small", {"weights": str(path), "input.shape": [32, 32, 3], "classes": 3}))

    for name in ("conv", "conv_1"):
        np.testing.assert_array_equal(model.get_layer(name).get_weights()[0], body.get_layer(name).get_weights()[0])
    with pytest.raises(ZooError, match=r"conv_2.*begins anew and is frozen"):
        zoo.build(zoo.load("mobilenetv3small", {"weights": str(path), "input.shape": [32, 32, 3], "frozen": True}))


def test_the_weights_of_a_run_reach_a_body_that_ends_in_a_pool_under_another_head(tmp_path):
    layers = [{"Conv2D": {"filters": 4, "kernel_size": 3, "name": "c"}}, "GlobalAveragePooling2D"]
    body = {"spec": 1, "family": "cnn", "classes": 3, "input": {"shape": [8, 8, 1]}, "layers": layers}
    first = zoo.build({**body, "name": "a", "head": [{"Dense": {"units": 3, "name": "logits"}}, "Softmax"]})
    kept = dict(weights_by_path(first))
    np.savez(tmp_path / "a.npz", **{path: one.numpy() for path, one in kept.items()})
    made = zoo.build({**body, "name": "b"}, weights=tmp_path / "a.npz")

    np.testing.assert_array_equal(made.get_layer("c").get_weights()[0], kept["c/kernel"].numpy())


FLATTENED = """
spec: 1
name: flattened
family: cnn
classes: 3
input: {shape: [16, 16, 3]}
weights: FILE
layers:
  - Conv2D: {name: c1, filters: 4, kernel_size: 3, padding: same}
  - BatchNormalization: {name: n1}
  - MaxPooling2D
  - Conv2D: {name: c2, filters: 4, kernel_size: 3, padding: same}
  - layers:
      - Flatten
      - Dense: {name: fc1, units: 8}
      - Dropout
      - Dense: {name: fc2, units: 6}
    frozen: false
"""


def flattened(path, top):
    """What the spec above is, in Keras's words, kept with or without its top."""
    layers = keras.layers
    body = [layers.Input((16, 16, 3)), layers.Conv2D(4, 3, padding="same", name="c1"),
            layers.BatchNormalization(name="n1"), layers.MaxPooling2D(),
            layers.Conv2D(4, 3, padding="same", name="c2")]  # fmt: skip
    ends = [layers.Flatten(), layers.Dense(8, name="fc1"), layers.Dropout(0.5), layers.Dense(6, name="fc2"),
            layers.Dense(3, name="predictions")]  # fmt: skip
    chain, rng = keras.Sequential(body + top * ends), np.random.default_rng(0)
    model = keras.Model(chain.inputs, chain.outputs)
    for one in model.weights:
        if "seed" not in one.path:
            one.assign(rng.uniform(0.5, 1, one.shape))
    kept(model, path)
    return {f"{one.name}/{each.name}": each.numpy() for one in model.layers for each in one.weights}


@pytest.mark.parametrize("ending", selection.WEIGHTS[:3])
@pytest.mark.parametrize(("top", "size", "classes"), [(True, 16, 5), (True, 24, 3), (False, 16, 3), (False, 24, 5)])
def test_what_stands_behind_a_flatten_begins_anew_where_it_does_not_fit(top, size, classes, ending, tmp_path):
    file, text = tmp_path / f"kept{ending}", tmp_path / "flattened.yaml"
    theirs = flattened(file, top)
    text.write_text(FLATTENED.replace("FILE", str(file)))
    model = zoo.build(zoo.load(text, {"input.shape": [size, size, 3], "classes": classes, "frozen": True}), seed=1)
    ours = {path: one.numpy() for path, one in weights_by_path(model)}

    whole = top and size == 16
    for path, array in ours.items():
        layer = path.split("/")[0]
        fits = layer in ("c1", "n1", "c2") or (whole and layer in ("fc1", "fc2"))
        assert (path in theirs and theirs[path].shape == array.shape and (theirs[path] == array).all()) == fits, path
    assert [one.name for one in model.layers if one.trainable_weights] == ["fc1", "fc2", "predictions"]


def test_a_layer_that_begins_anew_is_not_frozen_and_a_body_is_not_left_out(tmp_path):
    file, text = tmp_path / "kept.h5", tmp_path / "flattened.yaml"
    flattened(file, True)
    text.write_text(FLATTENED.replace("FILE", str(file)).replace("frozen: false", "frozen: true"))
    with pytest.raises(ZooError, match=r"kept.h5 holds nothing that fits `fc1`, which begins anew and is frozen; exp"):
        zoo.build(zoo.load(text, {"input.shape": [24, 24, 3]}))

    for right, wrong in (("filters: 4", "filters: 5"), ("kernel_size: 3", "kernel_size: 5")):  # another body
        text.write_text(FLATTENED.replace("FILE", str(file)).replace(right, wrong))
        with pytest.raises(ZooError, match="holds no weights of `flattened`: for `c1/kernel`"):
            zoo.build(zoo.load(text, {"input.shape": [24, 24, 3]}))


@pytest.mark.parametrize("ending", selection.WEIGHTS[:3])
@pytest.mark.parametrize(
    ("right", "wrong"),
    [("units: 8", "units: 20"), ("  - Conv2D: {name: c2, filters: 4, kernel_size: 3, padding: same}\n", "")],
    ids=["another dense layer", "a shallower body"],
)
@pytest.mark.parametrize("top", [True, False])
def test_a_file_of_another_network_is_refused_whatever_stands_behind_its_flatten(right, wrong, top, ending, tmp_path):
    file, text = tmp_path / f"kept{ending}", tmp_path / "flattened.yaml"
    flattened(file, top)
    text.write_text(FLATTENED.replace("FILE", str(file)).replace(right, wrong))

    if top or not wrong:
        with pytest.raises(ZooError, match=r"holds (no weights of|\d weights? more than) `flattened`"):
            zoo.build(zoo.load(text))
    else:  # what is not in a file without a top may be any
        assert zoo.build(zoo.load(text)).get_layer("fc1").units == 20


def test_weights_of_a_run_of_a_deeper_network_without_this_top_are_refused(tmp_path):
    file, text = tmp_path / "kept.npz", tmp_path / "flattened.yaml"
    lines = FLATTENED.replace("weights: FILE\n", "").split("  - layers:")[0]
    text.write_text(lines + "  - Conv2D: {name: c3, filters: 4, kernel_size: 3}\n  - GlobalAveragePooling2D\n")
    kept(zoo.build(zoo.load(text), seed=1), file)
    text.write_text(FLATTENED.replace("FILE", str(file)))

    with pytest.raises(ZooError, match=r"holds 2 weights more than `flattened` has, the first `c3/kernel`"):
        zoo.build(zoo.load(text))


def test_a_bias_of_the_head_goes_with_its_kernel(tmp_path):
    file, text = tmp_path / "kept.h5", tmp_path / "headed.yaml"
    text.write_text(FLATTENED.replace("weights: FILE\n", "").split("  - layers:")[0] + "  - Flatten\n")
    before = zoo.build(zoo.load(text), seed=1)
    before.get_layer("predictions").bias.assign([1.0, 2.0, 3.0])
    kept(before, file)

    same = zoo.build(zoo.load(text, {"weights": str(file)}), seed=2)
    other = zoo.build(zoo.load(text, {"weights": str(file), "input.shape": [24, 24, 3]}), seed=2)
    assert same.get_layer("predictions").bias.numpy().tolist() == [1, 2, 3]
    assert other.get_layer("predictions").bias.numpy().tolist() == [0, 0, 0]
    assert (other.get_layer("c2").kernel.numpy() == before.get_layer("c2").kernel.numpy()).all()


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


def kept(model, path):
    """A model's weights in a file of the format that its ending names."""
    if path.suffix == ".npz":
        np.savez(path, **{name.replace("/", "|"): one.numpy() for name, one in weights_by_path(model)})
    else:
        (model.save_weights if path.name.endswith(".weights.h5") else model.save)(path)
    return str(path)


EVERY = (".weights.h5", ".keras", ".h5", ".npz")
MIXER = {"input.shape": [8, 8, 1], "let.hidden": 8, "let.depth": 4, "classes": 3}


@pytest.mark.parametrize("ending", EVERY)
def test_weights_of_a_deeper_network_are_refused_and_the_first_that_is_left_is_named(ending, tmp_path):
    deep = kept(zoo.build(zoo.load("mixer", {**MIXER, "let.depth": 8}), seed=1), tmp_path / f"deep{ending}")
    more = 4 * 12  # weights: of a block four kernels and their biases, and two pairs of a normalisation

    for classes in (3, 5):
        with pytest.raises(ZooError, match=rf"holds {more} weights more than `mixer` has, the first `\S+\d\S*`; exp"):
            zoo.build(zoo.load("mixer", {**MIXER, "classes": classes, "weights": deep}))


@pytest.mark.parametrize("ending", EVERY)
def test_a_file_of_the_network_itself_is_taken_with_a_head_or_a_stem_of_other_sizes(ending, tmp_path):
    same = zoo.build(zoo.load("mixer", MIXER), seed=1)
    file = kept(same, tmp_path / f"same{ending}")
    head = zoo.build(zoo.load("mixer", {**MIXER, "classes": 5, "weights": file}), seed=2)
    stem = zoo.build(zoo.load("mixer", {**MIXER, "input.shape": [8, 8, 2], "weights": file}), seed=2)

    for ours, other in ((head, "predictions"), (stem, "stem")):
        wanted = dict(weights_by_path(same))
        for path, one in weights_by_path(ours):
            assert path.startswith(other) or (one.numpy() == wanted[path].numpy()).all()


def test_a_shorter_head_begins_anew_from_a_file_that_tells_it_from_the_body(tmp_path):
    def small(*head, **more):
        body = {"layers": [{"Dense": {"units": 6, "name": "body"}}], "head": list(head)}
        return {"spec": 1, "name": "s", "family": "mlp", "input": {"shape": [4]}, "classes": 3, **body, **more}

    last = {"units": 3, "activation": "softmax"}
    long = zoo.build(small({"Dense": {"units": 5, "name": "a"}}, {"Dense": {**last, "name": "b"}}), seed=1)
    file = kept(long, tmp_path / "long.npz")
    short = zoo.build(small({"Dense": {**last, "name": "c"}}, weights=file), seed=2)

    assert (short.get_layer("body").kernel.numpy() == long.get_layer("body").kernel.numpy()).all()


INSIDE = {"nested": True, "layers": ["BatchNormalization", "ReLU", "BatchNormalization", {"Dense": 5}]}
TOWERS = {
    "spec": 1, "name": "towers", "family": "mlp", "input": {"shape": [5]}, "classes": 2, "blocks": {"tower": INSIDE},
    "layers": [{"tower": {"name": "a"}}, {"Dense": 5}, {"tower": {"name": "b"}}],
}  # fmt: skip


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_an_old_file_holds_what_is_trained_of_a_nested_model_before_the_rest(whole, frozen, tmp_path):
    from keras.src.legacy.saving import legacy_h5_format

    model, rng = zoo.build(TOWERS, seed=1), np.random.default_rng(0)
    for one in model.weights:
        one.assign(rng.uniform(0.5, 1.5, one.shape))
    model.get_layer("a").trainable = not frozen  # as it was when the file was written
    path = tmp_path / "old.h5"
    if whole:
        model.save(path, include_optimizer=False)  # whose names Keras would write twice
    else:  # as earlier versions of Keras saved weights alone
        with h5py.File(path, "w") as file:
            legacy_h5_format.save_weights_to_hdf5_group(file, model)

    for more in ({}, {"frozen": True}):
        ours = zoo.build({**TOWERS, **more, "weights": str(path)}, seed=2)
        for one, other in zip(model.weights, ours.weights, strict=True):
            assert (one.numpy() == other.numpy()).all(), one.path


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
        model.save(path, include_optimizer=False)  # whose names Keras would write twice
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


def test_a_shorter_head_may_follow_a_published_network_and_a_shorter_body_may_not(monkeypatch):
    def small(weights):
        names = ("c1", "c2", "c3")
        body = [keras.layers.Conv2D(4, 3, name=name, bias_initializer="random_normal") for name in names]
        head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(6, name="fc"), keras.layers.Dense(9)]
        return keras.Sequential([keras.Input((9, 9, 3)), *body, *head])

    monkeypatch.setattr(keras.applications, "Small", small, raising=False)
    monkeypatch.setitem(catalogue.catalogue(), "applications", ["Small"])
    convolutions = [{"Conv2D": {"filters": 4, "kernel_size": 3, "name": name}} for name in ("a", "b", "c")]

    def ours(*layers):
        spec = stem(3, *layers, weights="keras:Small")
        return zoo.build({**spec, "input": {"shape": [9, 9, 3]}})

    assert ours(*convolutions).get_layer("c").bias.numpy().all()  # zeros where it begins anew
    with pytest.raises(ZooError, match=r"keras:Small holds 4 weights more than `stem` has, the first `\S*c3/kernel`"):
        ours(*convolutions[:2])


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


def test_weights_of_a_network_that_calls_a_first_layer_twice_are_read(tmp_path):
    spec = {
        "spec": 1, "name": "pair", "family": "mlp", "task": "binary",
        "inputs": {"one": {"shape": [4]}, "other": {"shape": [4]}},
        "layers": [{"Dense": {"name": "tower", "units": 3}}, {"reuse": {"layer": "tower", "from": "other"}},
                   {"Concatenate": {"from": ["tower", "previous"]}}],
    }  # fmt: skip
    first = zoo.build(spec, seed=1)
    for end in (".keras", ".weights.h5", ".h5"):
        file = tmp_path / f"pair{end}"
        (first.save_weights if end == ".weights.h5" else first.save)(file)
        again = zoo.build(spec, seed=2, weights=file)
        assert all((a.numpy() == b.numpy()).all() for a, b in zip(first.weights, again.weights, strict=True)), end


def test_a_chain_of_layers_in_a_functional_model_begins_from_the_file_it_was_imported_from(tmp_path):
    import keras

    from zoo import importing

    rows = keras.Input((4,))
    inside = keras.Input((4,))
    tower = keras.Model(inside, keras.layers.Dense(3, name="b")(keras.layers.Dense(5, name="a")(inside)), name="tower")
    model = keras.Model(rows, keras.layers.Dense(2, name="out")(tower(rows)))
    model.save(tmp_path / "whole.keras")
    again = zoo.build(importing.spec_of(importing.read(tmp_path / "whole.keras")), weights=tmp_path / "whole.keras")
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")

    assert isinstance(again.get_layer("tower"), keras.Sequential)
    assert np.abs(model(x).numpy() - again(x).numpy()).max() == 0
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5), keras.layers.Dense(3), keras.layers.Dense(2)])
    other.save(tmp_path / "other.keras")
    with pytest.raises(ZooError, match="holds no weights of"):
        zoo.build(importing.spec_of(model), weights=tmp_path / "other.keras")


def test_a_model_at_each_step_begins_from_the_file_it_was_imported_from(tmp_path):
    import keras

    from zoo import importing

    layers = keras.layers
    frame = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(3)])
    film = keras.Input((5, 8, 8, 1))
    steps = layers.LSTM(4)(layers.TimeDistributed(frame)(film))
    model = keras.Model(film, layers.Dense(3, activation="softmax")(steps), name="film")
    model.save(tmp_path / "film.keras")
    again = zoo.build(importing.spec_of(model), weights=tmp_path / "film.keras")
    x = np.random.default_rng(0).normal(size=(3, 5, 8, 8, 1)).astype("float32")

    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    other = importing.spec_of(model, folded=False)
    (block,) = other["blocks"].values()
    block["layers"][0]["Conv2D"]["use_bias"] = False
    with pytest.raises(ZooError, match="holds 1 weight more than"):
        zoo.build(other, weights=tmp_path / "film.keras")


def test_weights_that_are_not_there_are_said_at_their_line(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "spec: 1\nname: mine\nfamily: mlp\ninput: {shape: [4]}\nclasses: 2\nweights: no.keras\nlayers: [Dense: 3]\n"
    )
    with pytest.raises(ZooError, match=r"mine\.yaml:6:\d+: weights: no\.keras is not there"):
        zoo.build(path)
    with pytest.raises(ZooError, match=r"^weights: no\.keras is not there"):
        zoo.build("mlp", weights="no.keras")
