"""What Keras has, as data: fresh, guarded against words of ours, and every name that cannot be used says why."""

from __future__ import annotations

import inspect

import keras
import pytest

from zoo import cataloguing, layers
from zoo.language import catalogue, objects

MODULES = ("layers", "optimizers", "schedules", "initializers", "regularizers", "constraints")
CLASSES = [(module, name) for module in MODULES for name in catalogue.catalogue()[module]]
LAYERS = catalogue.catalogue()["layers"]


def said(found) -> list[str]:
    return [
        f"{wrong}; expected {expected}" + (f"; did you mean {hint}" if hint else "")
        for _, wrong, expected, hint in found
    ]


def test_layers_of_images_are_those_that_keras_makes_of_one_class():
    base = next(one for one in keras.layers.RandomFlip.__mro__ if one.__name__ == "BaseImagePreprocessingLayer")

    assert {*catalogue.IMAGES} == {name for name in LAYERS if issubclass(getattr(keras.layers, name, object), base)}


@pytest.mark.parametrize("name", catalogue.ADAPTED)
def test_what_keras_would_adapt_must_be_given(name):
    assert LAYERS[name]["required"] == [catalogue.ADAPTED[name]]


def test_the_catalogue_is_what_the_installed_keras_has():
    assert len(LAYERS) > 100
    assert cataloguing.generate() == catalogue.catalogue()


@pytest.mark.parametrize(("module", "name"), CLASSES)
def test_the_arguments_of_a_class_are_accepted_at_keras_own_defaults(module, name):
    entry = catalogue.entry(module, name)
    given = {key: value for key, value in entry["arguments"].items() if value is not None}

    assert [wrong for _, wrong, _, _ in objects.arguments(name, given, entry, ()) if "missing" not in wrong] == []


@pytest.mark.parametrize(("module", "name"), CLASSES)
def test_a_class_is_where_keras_has_it(module, name):
    home = keras.optimizers.schedules if module == "schedules" else getattr(keras, module)

    assert inspect.isclass(layers.find(name) if name in layers.PUBLIC else getattr(home, name))
    assert set(catalogue.entry(module, name)["required"]) <= set(catalogue.entry(module, name)["arguments"])


def test_no_argument_of_a_layer_bears_a_word_of_ours():
    """`ActivityRegularization` alone has an `l2`; it has no kernel, so the word stays its own."""
    for word in objects.OURS:
        bearers = [name for name, entry in LAYERS.items() if word in entry["arguments"]]
        assert bearers == (["ActivityRegularization"] if word == "l2" else [])


def test_lambda_reaches_the_regularizers_of_kernels_and_of_nothing_else():
    every = {key for entry in LAYERS.values() for key in entry["arguments"] if key.endswith("regularizer")}
    others = {f"{what}_regularizer" for what in ("bias", "activity", "gamma", "beta", "alpha", "embeddings")}

    assert every - set(catalogue.KERNELS) == others
    assert set(catalogue.KERNELS) <= every


def test_p_reaches_the_layers_that_must_be_given_a_rate():
    assert sorted(catalogue.DROPOUTS) == [name for name, entry in LAYERS.items() if "rate" in entry["required"]]


@pytest.mark.parametrize("argument", [*catalogue.COUNTS, *catalogue.SIZES])
def test_an_argument_that_is_checked_is_one(argument):
    entries = [*LAYERS.values(), objects.GAUSSIAN]
    assert [entry for entry in entries if argument in entry["arguments"]]


def test_an_alias_leads_to_a_layer_and_is_none():
    aliases = catalogue.catalogue()["aliases"]

    assert len(aliases) == 21
    assert not set(aliases) & set(LAYERS)
    assert set(aliases.values()) <= set(LAYERS)
    for alias, name in aliases.items():
        assert catalogue.entry("layers", alias) == (f"`{alias}` is an alias", "Keras's own name", name)


@pytest.mark.parametrize("name", catalogue.REFUSED)
def test_a_layer_that_may_not_be_used_says_why(name):
    assert name not in LAYERS
    assert catalogue.entry("layers", name) == (f"`{name}` is refused: {catalogue.REFUSED[name]}", "another layer", "")


@pytest.mark.parametrize(
    ("module", "name", "says"),
    [
        ("layers", "Cnov2D", ("no layer `Cnov2D`", "the name of a Keras layer", "Conv2D")),
        ("layers", "dense", ("no layer `dense`", "the name of a Keras layer", "Dense")),
        ("layers", "Qqqq", ("no layer `Qqqq`", "the name of a Keras layer", "")),
        ("optimizers", "adam", ("no optimizer `adam`", "the name of a Keras optimizer", "Adam")),
        ("regularizers", "Qqqq", ("no regularizer `Qqqq`",
                                  "the name of a Keras regularizer: L1, L1L2, L2, OrthogonalRegularizer", "")),
        ("schedules", "CosinDecay", ("no learning-rate schedule `CosinDecay`",
                                     "the name of a Keras learning-rate schedule", "CosineDecay")),
    ],
)  # fmt: skip
def test_an_unknown_name_is_told_with_the_nearest_one(module, name, says):
    assert catalogue.entry(module, name) == says


@pytest.mark.parametrize(
    ("argument", "module"),
    [("kernel_initializer", "initializers"), ("activity_regularizer", "regularizers"),
     ("kernel_constraint", "constraints"),
     ("layer", "layers"), ("backward_layer", "layers"), ("cell", "layers"), ("optimizer", "optimizers"),
     ("learning_rate", "schedules"), ("initial_learning_rate", ""), ("units", ""), ("activation", "")],
)  # fmt: skip
def test_a_named_object_is_looked_up_in_one_module(argument, module):
    assert catalogue.module_of(argument) == module


@pytest.mark.parametrize("word", catalogue.words("recurrent_activation"))
def test_an_activation_that_may_be_named_can_be_called(word):
    assert keras.activations.get(word)(keras.ops.ones((1, 4))) is not None


@pytest.mark.parametrize(
    ("module", "word"),
    [(module, word) for module in ("initializers", "regularizers", "constraints")
     for word in catalogue.words(f"kernel_{module.rstrip('s')}")],
)  # fmt: skip
def test_a_word_for_an_object_is_one_to_keras(module, word):
    assert getattr(keras, module).get(word) is not None


@pytest.mark.parametrize("word", catalogue.UNABLE)
def test_a_name_that_keras_cannot_use_alone_is_refused_with_what_serves(word):
    arguments = {"activation": word} if word == "threshold" else {"kernel_initializer": word}
    arguments = {"kernel_regularizer": word} if word == "l1_l2" else arguments

    found = objects.arguments("Dense", {"units": 3, **arguments}, LAYERS["Dense"], ())
    assert said(found) == [f"`{word}` cannot stand alone; expected {catalogue.UNABLE[word]}"]


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("Dense", {"units": 0}, "`0` is not accepted; expected a whole number above 0"),
        ("Dense", {"units": [3]}, "`[3]` is not accepted; expected a whole number above 0"),
        ("Dense", {"units": None}, "`null` is not accepted; expected a value"),
        ("Conv2D", {"filters": 1, "kernel_size": [3, 0]},
         "`[3, 0]` is not accepted; expected a whole number above 0, or a list of them"),
        ("Conv2D", {"filters": 1, "kernel_size": []},
         "`[]` is not accepted; expected a whole number above 0, or a list of them"),
        ("Dense", {"units": 3, "use_bias": "true"},
         '`"true"` is not accepted; expected true or false; did you mean true'),
        ("Dense", {"units": 3, "use_bias": 1}, "`1` is not accepted; expected true or false"),
        ("Dense", {"units": 3, "use_bias": None}, "`null` is not accepted; expected a value"),
        ("Dense", {"units": 3, "activation": 1}, "`1` is not accepted; expected one of celu, elu"),
        ("Dense", {"units": 3, "kernel_initializer": []}, "`[]` is not accepted; expected one of glorot_normal"),
        ("Dense", {"units": 3, "kernel_initializer": {}},
         "`{}` is no named object; expected one name with its arguments, {Name: {argument: value}}"),
        ("LeakyReLU", {"negative_slope": "0.1"}, '`"0.1"` is not accepted; expected a number of 0 or above'),
        ("LeakyReLU", {"negative_slope": True}, "`true` is not accepted; expected a number of 0 or above"),
        ("Rescaling", {"scale": True}, "`true` is not accepted; expected a number"),
        ("Reshape", {"target_shape": {"a": 1}}, '`{"a": 1}` is not accepted; expected a plain value'),
        ("LSTM", {"units": 3, "dropout": 1.5},
         "`1.5` is not accepted; expected a number of at least 0 and below 1, or a range"),
        ("LSTM", {"units": 3, "recurrent_dropout": -1},
         "`-1` is not accepted; expected a number of at least 0 and below 1, or a range"),
        ("Bidirectional", {"layer": 3}, "`3` is not accepted; expected a layer, such as LSTM: {units: 64}"),
        ("Bidirectional", {"layer": "LSTM"}, "`units` is missing; expected LSTM: {units: ...}"),
        ("Bidirectional", {"layer": {"LSTM": 3}}, "`3` is no mapping of arguments; expected LSTM: {units: ...}"),
        ("Adam", {"learning_rate": "fast"},
         "no learning-rate schedule `fast`; expected the name of a Keras learning-rate schedule: CosineDecay"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_refused_without_keras(name, given, says):
    entry = catalogue.catalogue()["optimizers" if name == "Adam" else "layers"][name]

    found = said(objects.arguments(name, given, entry, ()))

    assert len(found) == 1
    assert found[0] == says or (says.endswith(("elu", "normal", "Decay")) and found[0].startswith(says))


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("Dense", {"units": 3, "activation": None, "kernel_initializer": "HeNormal", "bias_constraint": "non_neg"}),
        (
            "Dense",
            {"units": 3, "kernel_initializer": {"RandomNormal": {"stddev": 0.1}}, "kernel_regularizer": {"L2": None}},
        ),
        ("Embedding", {"input_dim": 3, "output_dim": 2, "embeddings_initializer": "uniform"}),
        ("MaxPooling2D", {"pool_size": [2, 2], "strides": None}),
        ("Bidirectional", {"layer": {"LSTM": {"name": "inner", "units": 3}}, "backward_layer": None}),
        ("TimeDistributed", {"layer": "Flatten"}),
        ("LSTM", {"units": 3, "dropout": 0.5, "use_cudnn": False}),
        ("BatchNormalization", {"axis": [1, 2], "momentum": 0}),
    ],
)
def test_what_keras_takes_is_taken(name, given):
    assert list(objects.arguments(name, given, LAYERS[name], ())) == []


@pytest.mark.parametrize(
    ("value", "is_rate", "is_lambda", "is_count", "is_named"),
    [
        (0, True, True, False, False), (0.5, True, True, False, False), (1, False, True, True, False),
        (1.0, False, True, False, False), (-0.5, False, False, False, False), (True, False, False, False, False),
        ("0.5", False, False, False, False), (None, False, False, False, False),
        ({"Adam": 1}, False, False, False, True), ({"adam": 1}, False, False, False, False),
        ({"A": 1, "B": 1}, False, False, False, False), ({}, False, False, False, False),
    ],
)  # fmt: skip
def test_values_are_told_apart(value, is_rate, is_lambda, is_count, is_named):
    found = (objects.is_rate(value), objects.is_lambda(value), objects.is_count(value), objects.is_named(value))

    assert found == (is_rate, is_lambda, is_count, is_named)
