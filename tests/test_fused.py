"""Layers that are trained in fewer operations compute what Keras's do."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.building import build
from zoo.layers.fused import FUSED, FusedLSTM
from zoo.meeting import alone

FORMS = {
    "the last step": {},
    "all steps": {"return_sequences": True},
    "states": {"return_state": True, "return_sequences": True},
    "backwards": {"go_backwards": True, "return_sequences": True},
    "dropout": {"dropout": 0.3, "return_sequences": True},
    "no forget bias": {"unit_forget_bias": False},
    "penalties": {"kernel_regularizer": "l2", "recurrent_regularizer": "l2"},
    "without biases": {"use_bias": False},
    "another activation": {"activation": "relu"},
    "another gate": {"recurrent_activation": "hard_sigmoid"},
    "dropout between steps": {"recurrent_dropout": 0.3},
    "gates apart": {"implementation": 1},
}
FALLING_BACK = ("without biases", "another activation", "another gate", "dropout between steps", "gates apart")
ROWS = np.random.default_rng(0).normal(size=(5, 7, 3)).astype("float32")


def pair(rows=ROWS, **form):
    """A layer of Keras's and its fused one, with the same weights, none of them zero, and the same dice."""
    made = [kind(4, seed=3, **form) for kind in (keras.layers.LSTM, FusedLSTM)]
    dice = np.random.default_rng(1)
    weights = None
    for layer in made:
        layer.build(rows.shape)
        weights = weights or [dice.normal(0, 0.7, one.shape) for one in layer.weights[: 2 + layer.use_bias]]
        for variable, value in zip(layer.weights, weights, strict=False):
            variable.assign(value)
    return made


def learned(layer, call):
    """All answers of a layer, and the gradients of something that depends on each of them."""
    variables = [one.value for one in layer.trainable_variables]
    with tf.GradientTape() as tape:
        found = keras.tree.flatten(call(layer))
        loss = sum(tf.reduce_sum(tf.sin(one * (2 + index))) for index, one in enumerate(found))
        loss += sum(layer.losses)
    return [np.asarray(one) for one in (*found, *tape.gradient(loss, variables))]


def assert_close(call, rows=ROWS, **form):
    one, other = (learned(layer, call) for layer in pair(rows, **form))
    assert len(one) == len(other) > 2
    for mine, theirs in zip(other, one, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("training", [False, True])
def test_answers_and_gradients_are_those_of_keras(form, training, monkeypatch):
    called = []
    usual = tf.raw_ops.BlockLSTM
    monkeypatch.setattr(tf.raw_ops, "BlockLSTM", lambda **given: called.append(1) or usual(**given))

    assert_close(lambda layer: layer(ROWS, training=training), **FORMS[form])
    assert len(called) == (form not in FALLING_BACK)


def test_given_states_are_where_it_begins():
    states = [np.full((5, 4), 0.3, "float32"), np.full((5, 4), -0.8, "float32")]

    assert_close(lambda layer: layer(ROWS, initial_state=states), return_sequences=True)


def test_under_a_mask_it_is_keras_own():
    mask = np.arange(7) < np.array([[7], [3], [1], [5], [6]])

    assert_close(lambda layer: layer(ROWS, mask=mask), return_sequences=True)


def test_both_ways_and_steps_that_are_not_known_before():
    found = []
    for kind in (keras.layers.LSTM, FusedLSTM):
        keras.utils.set_random_seed(1)
        source = keras.Input((None, 3))
        model = keras.Model(source, keras.layers.Bidirectional(kind(4, return_sequences=True))(source))
        assert type(model.layers[1].backward_layer) is kind
        found.append(model.predict(ROWS, verbose=0))

    np.testing.assert_allclose(found[1], found[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layer", FUSED)
def test_what_is_searched_is_fused_and_what_a_user_gets_is_not(layer):
    spec = zoo.load(
        {
            "spec": 1, "name": "one", "family": "rnn", "task": "classification", "classes": 3,
            "input": {"shape": [6, 4]}, "layers": [{layer: {"units": 4, "name": "one"}}],
        }
    )  # fmt: skip
    kinds = [type(build(alone(spec), {}, 1, adjustable).network.get_layer("one")) for adjustable in (False, True)]

    assert kinds == [getattr(keras.layers, layer), FUSED[layer]]
