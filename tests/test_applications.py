"""The forty networks of keras.applications: with the reference's weights copied in order, the same answers."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

import zoo

APPLICATIONS = sorted(name for name, thing in vars(keras.applications).items() if name[0].isupper() and callable(thing))

SMALL = {
    "MobileNet": 64, "MobileNetV2": 64, "MobileNetV3Small": 64, "DenseNet121": 64, "EfficientNetB0": 64,
    "EfficientNetV2B0": 64, "NASNetMobile": 64, "Xception": 75, "InceptionV3": 75, "ResNet50": 64, "ResNet50V2": 64,
    "ConvNeXtTiny": 64, "InceptionResNetV2": 75, "VGG16": 32,
}  # fmt: skip
"""One of each file, and the size of the images that it is compared on; whole sizes are in `make test-all`."""


def trained(model):
    """The shapes of what training changes, in order, and how many numbers those and the others are."""
    fixed = [one for one in model.non_trainable_weights if "seed" not in one.path]
    numbers = [sum(math.prod(one.shape) for one in some) for some in (model.trainable_weights, fixed)]
    return [tuple(one.shape) for one in model.trainable_weights], *numbers


def agree(reference, ours, images):
    """The largest difference before the softmax after the reference's weights were copied in order, in its spread."""
    rng = np.random.default_rng(0)
    assert trained(ours) == trained(reference)
    theirs, mine = ([one for one in model.weights if "seed" not in one.path] for model in (reference, ours))
    assert [tuple(one.shape) for one in mine] == [tuple(one.shape) for one in theirs]
    for one, other in zip(mine, theirs, strict=True):
        value = rng.uniform(0.8, 1.2, other.shape) if "variance" in other.path or "gamma" in other.path else None
        if value is None and len(other.shape) > 1:
            fan = np.prod(other.shape[:2] if "depthwise" in other.path else other.shape[:-1])
            value = rng.normal(0, (2 / fan) ** 0.5, other.shape)
        other.assign(rng.normal(0, 0.05, other.shape) if value is None else value)
        one.assign(other)
    for model in (reference, ours):
        model.layers[-1].activation = keras.activations.linear
    want, got = (np.asarray(model(images, training=False)) for model in (reference, ours))
    return float(np.abs(got - want).max() / np.std(want))


NORMALISE = ("ConvNeXtTiny", "EfficientNetB0", "EfficientNetV2B0")
"""Those that know the statistics of three colours."""


@pytest.mark.parametrize(("name", "channels"), [*((one, 3) for one in SMALL), *((one, 1) for one in NORMALISE)])
def test_one_of_each_file_answers_as_the_reference_does(name, channels):
    size, rng = SMALL[name], np.random.default_rng(1)
    shape = [size, size, channels]
    top = {"include_top": True, "weights": None, "classes": 7, "input_shape": tuple(shape)}
    reference = getattr(keras.applications, name)(**top)
    ours = zoo.build(zoo.load(name, {"input.shape": shape, "classes": 7}), l2=0.0, dropout=0.0)

    assert agree(reference, ours, rng.uniform(-1, 1, (2, *shape)).astype("float32")) < 1e-4
    keras.backend.clear_session()


@pytest.mark.slow
@pytest.mark.parametrize("name", APPLICATIONS)
def test_each_of_the_forty_answers_as_the_reference_does_at_its_own_size(name):
    reference = getattr(keras.applications, name)(weights=None)
    shape = [size or 224 for size in reference.input_shape[1:]]
    ours = zoo.build(name, l2=0.0, dropout=0.0)

    assert agree(reference, ours, np.random.default_rng(1).uniform(-1, 1, (1, *shape)).astype("float32")) < 1e-4
    keras.backend.clear_session()
