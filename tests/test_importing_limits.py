"""What is trained of a model that is imported, and what no spec can say: refused with the names of the layers."""

from __future__ import annotations

import functools
import json
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from imported import R, answers, assert_same, built, chain, given, names, on, steps_of
from keras import layers as L

import zoo
from zoo import ZooError, ejecting, importing
from zoo.language import unfolding

# What is trained


def chain_of_two():
    return keras.Sequential([keras.Input((3, 4)), L.Dense(3, name="first"), L.Dense(3, name="second")], name="base")


def graph_of_two():
    rows = keras.Input((3, 4))
    return keras.Model(rows, L.Dense(3, name="second")(L.Dense(3, name="first")(rows)), name="base")


def normal_at_each_step():
    return L.TimeDistributed(keras.Sequential([keras.Input((4,)), L.Dense(3), L.BatchNormalization()]), name="each")


TRAINED = {
    "one of a chain": (chain_of_two, lambda base: [base.get_layer("second")]),
    "one of a graph": (graph_of_two, lambda base: [base.get_layer("second")]),
    "all of a chain": (chain_of_two, lambda base: base.layers),
    "what is wrapped": (lambda: L.TimeDistributed(L.Dense(3)), lambda each: [each.layer]),
    "forwards": (lambda: L.Bidirectional(L.LSTM(3)), lambda both: [both.forward_layer]),
    "backwards": (lambda: L.Bidirectional(L.LSTM(3)), lambda both: [both.backward_layer]),
    "a cell": (lambda: L.RNN([L.LSTMCell(3), L.GRUCell(3)]), lambda both: [both.cell.cells[1]]),
    "a layer at each step": (normal_at_each_step, lambda each: [each.layer.layers[0]]),
    "nothing": (lambda: L.Bidirectional(L.LSTM(3)), lambda both: []),
}
"""What is frozen, and what of it is trained nevertheless."""


@pytest.mark.parametrize("reloaded", [False, True])
@pytest.mark.parametrize("what", TRAINED)
def test_what_is_trained_of_what_is_frozen_is_so_in_the_spec(what, reloaded, tmp_path):
    keras.backend.clear_session()
    make, thawed = TRAINED[what]
    held = make()
    model = keras.Sequential([keras.Input((3, 4)), held, L.Dense(2, name="last")])
    held.trainable = False
    for one in thawed(held):
        one.trainable = True
    if reloaded:
        model.save(tmp_path / "model.keras")
        model = importing.read(tmp_path / "model.keras")
    made = built(model)

    assert [one.trainable for one in made.weights] == [one.trainable for one in model.weights]
    assert_same(model, made, exact="each step" not in what)


def test_a_model_that_is_frozen_as_a_whole_trains_nothing():
    model = keras.Sequential([keras.Input((4,)), L.Dense(3), L.Dense(2)])
    model.trainable = False
    model.layers[1].trainable = True

    assert built(model).trainable_weights == model.trainable_weights == []


def test_what_keras_thaws_when_it_reads_a_file_stays_frozen(tmp_path):
    rows = keras.Input((3, 4))
    model = keras.Model(rows, L.Dense(2)(L.MultiHeadAttention(1, 2)(rows, rows)))
    model.layers[1].trainable = False
    model.save(tmp_path / "model.keras")

    assert len(keras.saving.load_model(tmp_path / "model.keras").trainable_weights) == 10
    assert len(built(importing.read(tmp_path / "model.keras")).trainable_weights) == 2


# Refusals


@keras.saving.register_keras_serializable("tests")
class Twice(L.Layer):
    def call(self, inputs):
        return 2 * inputs

    def compute_output_shape(self, input_shape):
        return input_shape


def mine(x):
    return 2 * x


class Mine(R.Regularizer):
    def __call__(self, x):
        return keras.ops.sum(x)


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


def quantized(model, mode="int8"):
    model.quantize(mode)
    return model


def in_one_of_two_branches(rows):
    both = L.Pipeline([L.Dense(4, name="first"), L.Dense(4, name="last")], name="both")
    return L.Add()([both(rows), L.Dense(4, name="two")(L.Dense(4, name="one")(rows))])


def scaled_again(rows):
    from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

    layer = CustomScaleLayer(0.2, name="scale")
    return layer([rows, layer([rows, rows])])


def words(name):
    return L.Embedding(9, 4, mask_zero=True, name=name)


def passing(rows):
    from keras.src.applications.convnext import StochasticDepth

    return StochasticDepth(0.1, name="passing")(rows)


def shared_by(call):
    """A model of sequences in which one layer is held by two, or by one and the graph."""
    return on((3, 4), lambda rows: L.Add()(call(rows)))


def held_twice():
    once = L.Dense(4, name="once")
    return shared_by(lambda rows: [L.TimeDistributed(once, name="each")(rows), once(rows)])


def cell_twice():
    cell = L.LSTMCell(4, name="cell")
    return shared_by(lambda rows: [L.RNN(cell, name="there")(rows), L.RNN(cell, go_backwards=True, name="back")(rows)])


def model_twice():
    inside = keras.Sequential([keras.Input((4,)), L.Dense(2, name="held")], name="inside")
    return shared_by(lambda rows: [L.TimeDistributed(inside, name=name)(rows) for name in ("one", "other")])


def changed(model, change):
    change(*model.layers)
    return model


def with_batches():
    return chain(L.Dense(2, name="dense"), L.BatchNormalization(name="normal"))


def looking(**more):
    return on((3, 4), lambda rows: L.MultiHeadAttention(1, 2, name="look", **more)(rows, rows))


def thaw_in_still(model):
    model.trainable = False
    model.layers[1].trainable = True
    return model


WHOLE = "which no spec can say; expected a layer that is frozen as a whole, or trained as a whole"
REFUSALS = {
    "a weight that is frozen": (
        lambda: changed(with_batches(), lambda dense, normal: setattr(normal.gamma, "trainable", False)),
        f"the layer `normal` is trained, but not its `gamma`, {WHOLE}",
    ),
    "a part that is frozen": (
        lambda: changed(looking(), lambda _, look: setattr(look._query_dense, "trainable", False)),
        f"the layer `look` is trained, but not its `query/kernel`, {WHOLE}",
    ),
    "parts that are trained": (
        lambda: looking(trainable=False), f"the layer `look` is frozen, but not its `query/kernel`, {WHOLE}",
    ),
    "a part of what is wrapped that is frozen": (
        lambda: changed(
            chain(L.TimeDistributed(L.Dense(2), name="each"), shape=(3, 4)),
            lambda each: setattr(each.layer.bias, "trainable", False),
        ),
        f"the layer `each` is frozen in part, {WHOLE}",
    ),
    "what is seen in a model that is frozen": (
        lambda: thaw_in_still(with_batches()), f"the layer `normal` is trained, but not its `gamma`, {WHOLE}",
    ),
    "a layer in a wrapper and in the graph": (
        held_twice, "the layer `once` is held by `each` as well; expected a layer for each",
    ),
    "a cell in two layers": (
        cell_twice, "the layer `back` holds `cell`, which is held by `there` as well; expected a layer for each",
    ),
    "a cell twice in one": (
        lambda: chain(L.RNN([(cell := L.LSTMCell(4)), cell], name="both"), shape=(3, 4)),
        "the layer `both` holds a cell twice; expected a cell for each",
    ),
    "a model in two wrappers": (
        model_twice,
        "the layer `held` is called in two models, one inside the other or beside it; expected its calls in one model",
    ),
    "code": (
        lambda: chain(L.Lambda(lambda x: 2 * x, name="half")),
        "the layer `half` is a Lambda: it holds Python code, which a spec may not run",
    ),
    "a layer of one's own": (
        lambda: chain(Twice(name="double")),
        "the layer `double` is a Twice, which is no layer of Keras; expected layers that everybody has",
    ),
    "one wrapped": (
        lambda: chain(L.TimeDistributed(Twice(), name="each"), shape=(3, 4)),
        "the layer `each` holds a Twice, which no wrapper can hold in a spec",
    ),
    "a mask that a layer of keras.applications drops": (
        lambda: steps_of(lambda one, other: passing(one)),
        "the layer `passing` is a StochasticDepth, which drops the mask of what it is called on; expected none",
    ),
    "weights in eight bits that Keras does not read back": (
        lambda: quantized(steps_of(lambda one, other: L.MultiHeadAttention(2, 4, name="asks")(one, other))),
        "the layer `asks` has the weights of its `query` in eight bits, which Keras does not read back",
    ),
    "a policy of eight bits": (
        lambda: chain(L.Dropout(0.5, name="small", dtype="int8_from_float32")),
        "the layer `small` computes in int8_from_float32; expected one of float32, mixed_float16, mixed_bfloat16, "
        "float16, bfloat16, float64",
    ),
    "an activation of one's own": (
        lambda: chain(L.Dense(2, name="odd", activation=mine)),
        "the layer `odd` has the activation mine, which is none of Keras's own",
    ),
    "a regulariser of one's own": (
        lambda: chain(L.Dense(2, name="odd", kernel_regularizer=Mine())),
        "the layer `odd` has a Mine that does not tell its config",
    ),
    "a pipeline in one of two branches": (
        lambda: on((4,), in_one_of_two_branches),
        "the layer `both` is a Pipeline, whose layers stand one after another in a spec, and with that the weights of "
        "`first` come before those of `one`; expected branches in which it changes no order",
    ),
    "a layer of two, twice": (
        lambda: on((4,), scaled_again),
        "the layer `scale` is called again, and two layers stand for it",
    ),
    "an operation that runs code": (
        lambda: on((4,), lambda rows: keras.ops.vectorized_map(keras.ops.sum, rows)),
        "the layer `vectorized_map` is the operation VectorizedMap, which is none of keras.ops that a spec knows; "
        "expected a function of rows that makes tensors of tensors",
    ),
    "too many numbers": (
        lambda: on((10_001, 100), lambda rows: rows + np.ones((10_001, 100), "float32")),
        "the layer `add` holds 1,000,100 numbers under x2; expected 1,000,000 at most",
    ),
    "no layers": (
        lambda: on((4,), lambda rows: rows, name="rows"),
        "`functional` has no layers; expected at least one",
    ),
    "a layer that cannot be made again": (
        lambda: chain(L.RandomShear(0.2, name="shear"), shape=(8, 8, 3)),
        "the layer `shear` cannot be made again of what it says of itself: The `factor` argument should be a number "
        "(or a list of two numbers) in the range [",
    ),
    "an input of another type": (
        lambda: chain(L.Activation("relu"), dtype="complex64", name="rows"),
        "the input `rows` is complex64; expected one of float32, int32, int64, uint8, bool, string, float16, bfloat16, "
        "float64, int8, int16, uint16 and 2 more",
    ),
    "an input of too many sizes": (
        lambda: chain(L.Flatten(), shape=(1, 2, 3, 4, 5, 6, 7, 8), name="rows"),
        "the input `rows` has 8 sizes; expected 0 to 7",
    ),
    "a model that is a class": (
        lambda: Subclassed(),
        "`Subclassed` is a class of its own; expected a functional or a sequential model of Keras",
    ),
    "a model that has no input yet": (
        lambda: keras.Sequential([L.Dense(2)], name="later"),
        "`later` has no input yet; expected a sequential model with an `Input`",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSALS)
def test_what_no_spec_can_say_is_refused_by_name(what):
    keras.backend.clear_session()
    make, says = REFUSALS[what]
    with pytest.raises(ZooError) as caught:
        importing.spec_of(make())

    told = str(caught.value).split("\n")
    assert told == [says] if not says.endswith("[") else told[-1].startswith(says)


def test_all_that_is_refused_is_told_at_once():
    keras.backend.clear_session()
    model = chain(L.Lambda(lambda x: x, name="a"), L.Dense(2, name="b"), Twice(name="c"))
    with pytest.raises(ZooError) as caught:
        importing.spec_of(model)

    assert [str(one).split("`")[1] for one in caught.value.problems] == ["a", "c"]


def test_a_file_that_runs_code_or_is_no_model_is_refused(tmp_path):
    inside = chain(L.Dense(2), Twice(name="own"), shape=(4,))
    chain(L.Lambda(lambda x: 2 * x, name="half"), inside, shape=(4,)).save(tmp_path / "code.keras")
    chain(L.Dense(2, activation=tf.nn.softmax, name="odd")).save(tmp_path / "odd.keras")
    (tmp_path / "text.keras").write_text("no model")
    (tmp_path / "folder.keras").mkdir()
    with zipfile.ZipFile(tmp_path / "empty.keras", "w"):
        pass
    for name, says in (
        ("code.keras", "the layer `half` is a Lambda: it holds Python code, .*\n.*`own` is a Twice"),
        (
            "odd.keras",
            "the layer `odd` has the activation softmax_v2, which is none of Keras's own; expected one of Kera",
        ),
        ("text.keras", "text.keras holds no model: it is no zip archive; expected a file that Keras saved as .keras"),
        ("empty.keras", "Keras cannot read"),
        ("none.keras", "is no model; expected the path of a file that Keras saved as .keras"),
        ("folder.keras", "folder.keras is a folder; expected the path of a file that Keras saved as .keras"),
        ("model.h5", "is no model; expected the path of a file that Keras saved as .keras"),
    ):
        with pytest.raises(ZooError, match=says):
            importing.read(tmp_path / name)


def test_an_activation_of_ones_own_in_a_file_is_named(tmp_path, monkeypatch):
    chain(L.Dense(4, activation=Twice(name="own"))).save(tmp_path / "active.keras")
    for known in [one for one in keras.saving.get_custom_objects() if one.endswith(">Twice")]:  # as for who has it not
        monkeypatch.delitem(keras.saving.get_custom_objects(), known)
    with pytest.raises(ZooError, match="the layer `own` is a Twice, which is no layer of Keras"):
        importing.read(tmp_path / "active.keras")


def _adapted(layer, rows):
    layer.adapt(np.asarray(rows))
    return layer


SPREAD = np.random.default_rng(0).random((50, 4, 2)).astype("float32") * 9 + 5
ADAPTED = {
    "Normalization": lambda: (_adapted(L.Normalization(), SPREAD), SPREAD[:3], "Normalization"),
    "Normalization over two axes": lambda: (_adapted(L.Normalization(axis=(1, 2)), SPREAD), SPREAD[:3], "axis"),
    "Discretization": lambda: (
        _adapted(L.Discretization(num_bins=4, output_mode="one_hot"), SPREAD[:, :1, 0]), SPREAD[:3, :1, 0],
        "bin_boundaries",
    ),
    "IntegerLookup": lambda: (
        _adapted(L.IntegerLookup(output_mode="one_hot"), [[5], [7], [7]]),
        np.array([[5], [7], [9]], "int32"), "vocabulary",
    ),
    "StringLookup": lambda: (
        _adapted(L.StringLookup(output_mode="one_hot"), [["x"], ["y"], ["y"]]),
        np.array([["x"], ["z"]], object), "vocabulary",
    ),
    "TextVectorization": lambda: (
        _adapted(L.TextVectorization(output_mode="count"), ["x y", "y"]), np.array([["x y y"], ["z"]], object),
        "vocabulary",
    ),
    "all axes": lambda: (
        _adapted(L.Normalization(axis=None), np.arange(24.0).reshape(4, 3, 2)),
        np.arange(12, dtype="float32").reshape(2, 3, 2), "null",
    ),
    "weights of words": lambda: (
        _adapted(L.TextVectorization(output_mode="tf_idf"), ["x y", "y", "w w"]),
        np.array([["x y y"], ["z w"]], object), "idf_weights",
    ),
    "weights of numbers": lambda: (
        _adapted(L.IntegerLookup(output_mode="tf_idf"), [[5, 6], [7, 7], [7, 1]]),
        np.array([[5, 7], [7, 9]], "int32"), "idf_weights",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ADAPTED)
def test_what_a_layer_was_adapted_to_goes_along(what, tmp_path):
    layer, rows, argument = ADAPTED[what]()
    kind = "string" if rows.dtype == object else rows.dtype.name
    source = keras.Input(rows.shape[1:], dtype=kind)
    model = keras.Model(source, L.Dense(2, name="last")(L.Flatten()(layer(source))))
    model.save(tmp_path / "model.keras")
    given = tf.convert_to_tensor(rows.tolist() if kind == "string" else rows)
    for read in (model, importing.read(tmp_path / "model.keras")):
        spec = importing.spec_of(read)
        again = zoo.build(spec, weights=str(tmp_path / "model.keras"))

        assert argument in json.dumps(spec)
        np.testing.assert_array_equal(model(given), again(given))


def test_a_number_of_rows_that_keras_took_from_a_batch_binds_nobody():
    model = keras.Sequential([L.Dense(4, name="a"), L.Dense(1, name="b")])
    model.compile("sgd", "mse")
    model.fit(np.zeros((64, 6)), np.zeros(64), verbose=0)

    assert importing.spec_of(model)["input"] == {"shape": [6]}


def test_the_vocabulary_of_a_head_is_no_other_input_s():
    source, target = (keras.Input((None,), dtype="int32", name=name) for name in ("source", "target"))
    state = L.GRU(8)(L.Embedding(40, 8)(source))
    steps = L.GRU(8, return_sequences=True)(L.Embedding(30, 8)(target), initial_state=state)
    spec = importing.spec_of(keras.Model([source, target], L.Dense(30, activation="softmax")(steps)))

    assert "vocabulary" not in json.dumps(spec["inputs"])
    zoo.build(spec)


def test_ngrams_of_several_lengths_come_back():
    source = keras.Input((1,), dtype="string")
    layer = _adapted(L.TextVectorization(ngrams=(1, 2), output_mode="multi_hot"), ["x y", "y z"])
    spec = importing.spec_of(keras.Model(source, layer(source)))
    space: dict = {"__name__": "ejected"}
    exec(ejecting.eject(unfolding.unfold(zoo.load(spec).fill())[0]), space)

    for again in (zoo.build(spec), space["build"]()):
        assert again.layers[-1].get_vocabulary() == layer.get_vocabulary()
        assert again.layers[-1].get_config()["ngrams"] == (1, 2)


def test_an_activation_of_ones_own_that_is_called_as_keras_s_is_no_keras_s():
    def mish(x):
        return x**3

    source = keras.Input((4, 2))
    for function in (keras.ops.relu, tf.nn.relu, tf.tanh, keras.ops.sigmoid, keras.ops.softmax):
        layer = L.Dense(3, activation=function)
        spec = importing.spec_of(keras.Model(source, layer(source)))
        assert function.__name__ in json.dumps(spec)

    def relu(x):
        return keras.activations.relu(x, max_value=60)

    for layer in (L.Dense(3, activation=relu), L.Dense(3, activation=mish), L.Dense(3, activation=keras.ops.gelu),
                  L.RNN(L.LSTMCell(3, activation=mish)), L.Activation(mish)):  # fmt: skip
        with pytest.raises(ZooError, match="which is another function than Keras's of that name"):
            importing.spec_of(keras.Model(source, layer(source)))
    partial = functools.partial(keras.activations.gelu, approximate=True)
    with pytest.raises(ZooError, match="has a part that does not tell its config"):
        importing.spec_of(keras.Model(source, L.Dense(3, activation=partial)(source)))


def frame(kind):
    """A model of images for each step of a film: what cannot be said step by step, in several ways."""
    one = keras.Input((8, 8, 1), name="image")
    left = L.Conv2D(3, 3, padding="same", kernel_regularizer="l2", name="left")
    right = L.BatchNormalization(name="normal")
    if kind == "a chain":
        layers = [left, right, L.MaxPooling2D(), L.Dropout(0.3), L.Flatten(), L.Dense(4)]
        return keras.Sequential([one, *layers], name="frame")
    first, second = left(one), right(L.Conv2D(3, 5, padding="same", name="right")(one))
    if kind == "branches":
        joint = L.Concatenate(axis=1)([first, second, first])
    elif kind == "operations":
        joint = keras.ops.concatenate([first * 2.0, second[:, ::2]], axis=1)
    elif kind == "a layer twice":
        joint = L.Add()([first, left(one)])
    else:
        inner = keras.Sequential([keras.Input((8, 8, 3)), L.Conv2D(3, 3), L.ReLU()], name="inner")
        joint = inner(first)
    return keras.Model(one, L.Dense(4)(L.Flatten()(joint)), name="frame")


@pytest.mark.parametrize("kind", ["a chain", "branches", "operations", "a layer twice", "a model inside"])
@pytest.mark.parametrize("again", [False, True], ids=["once", "again"])
def test_a_model_at_each_step_comes_back_as_it_was(kind, again):
    keras.backend.clear_session()
    frames, more = keras.Input((4, 8, 8, 1), name="film"), keras.Input((4, 4), name="more")
    each = L.TimeDistributed(frame(kind), name="each")
    hidden = [each(frames), *([each(L.Rescaling(0.5)(frames))] if again else [])]
    beside = L.Dense(4, name="second")(L.Dense(4, name="first")(more))
    model = keras.Model([frames, more], L.Dense(2)(L.LSTM(6)(L.Add()([*hidden, beside]))))
    for number, one in enumerate(model.weights):
        one.assign(np.random.default_rng(number).uniform(0.1, 0.9, one.shape))
    made = built(model)
    made.set_weights(model.get_weights())

    assert names(made) == names(model)
    inner = [[one.name for one in found.get_layer("each").layer._layers][1:] for found in (made, model)]
    assert inner[0][-3:] == inner[1][-3:]
    for one, other in zip(answers(model, given(model)), answers(made, given(model)), strict=True):
        np.testing.assert_array_equal(other, one)
    assert float(sum(made.losses)) == pytest.approx(float(sum(model.losses)))


class Tripled(L.TimeDistributed):
    def call(self, inputs, training=None, mask=None):
        return super().call(inputs) * 3.0


def test_a_wrapper_of_ones_own_around_a_model_is_refused():
    inside = keras.Sequential([keras.Input((4,)), L.Dense(3)], name="inside")
    with pytest.raises(ZooError, match="the layer `own` is a Tripled, which is no layer of Keras"):
        importing.spec_of(chain(Tripled(inside, name="own"), shape=(3, 4)))


def test_a_model_within_two_wrappers_is_refused():
    inside = keras.Sequential([keras.Input((4,)), L.Dense(3)], name="inside")
    with pytest.raises(ZooError, match="the layer `two` holds a Sequential, a model, which only a TimeDistributed by"):
        importing.spec_of(chain(L.TimeDistributed(L.TimeDistributed(inside), name="two"), shape=(3, 2, 4)))


def attending(rows, name, mask):
    """A layer of a transformer by hand: what heads attend to is computed by operations alone."""
    ops = keras.ops

    def heads(what):
        found = ops.reshape(L.Dense(8, name=f"{name}_{what}")(normal), (-1, 5, 2, 4))
        return ops.transpose(found, (0, 2, 1, 3))

    normal = L.LayerNormalization(name=f"{name}_normal")(rows)
    scores = ops.matmul(heads("query"), ops.transpose(heads("key"), (0, 1, 3, 2))) / 2.0
    weights = ops.softmax(ops.where(mask, scores, float("-inf")))
    found = ops.reshape(ops.transpose(ops.matmul(weights, heads("value")), (0, 2, 1, 3)), (-1, 5, 8))
    return L.Add(name=f"{name}_add")([rows, L.Dense(8, name=f"{name}_out")(found)])


def test_layers_that_repeat_are_folded_with_the_operations_in_them(tmp_path):
    keras.backend.clear_session()
    rows = running = keras.Input((5, 8), name="rows")
    mask = np.tril(np.ones((5, 5), "bool"))
    for index in range(3):
        running = attending(running, f"layer{index}", mask)
    model = keras.Model(rows, L.Dense(2, activation="softmax", name="last")(L.Flatten()(running)))
    model.save(tmp_path / "model.keras")
    spec = importing.spec_of(model)
    x = np.random.default_rng(0).normal(size=(4, 5, 8)).astype("float32")

    assert [next(iter(one)) for one in spec["layers"][:-1]] == ["layer"] * len(spec["layers"][:-1])
    assert len(spec["blocks"]["layer"]["layers"]) == 20 and "$table" in str(spec["blocks"]["layer"])
    assert not any("name" in (body or {}) for one in spec["blocks"]["layer"]["layers"] if isinstance(one, dict)
                   for target, body in one.items() if target.startswith("ops."))  # fmt: skip
    made = zoo.build(spec, weights=tmp_path / "model.keras")
    assert names(made) == names(model)
    np.testing.assert_array_equal(made.predict(x, verbose=0), model.predict(x, verbose=0))


def test_a_constant_of_many_thousand_numbers_is_built_as_it_was():
    keras.backend.clear_session()
    table = np.random.default_rng(0).normal(size=(1, 128, 100)).astype("float32")
    model = on((128, 100), lambda rows: L.Dense(2, name="last")(rows + table), name="rows")
    spec = importing.spec_of(model)

    assert np.array_equal(np.asarray(spec["let"]["table"], "float32"), table)
    assert_same(model, built(model, spec))


CONSTANT = np.random.default_rng(0).normal(size=(1, 5, 4)).astype("float32")
AMONG_TENSORS = {
    "a mask of steps": lambda rows: L.MultiHeadAttention(2, 3)(
        rows, rows, attention_mask=np.tril(np.ones((5, 5), "bool"))
    ),
    "a mask with rows": lambda rows: L.MultiHeadAttention(2, 3)(rows, rows, attention_mask=np.tril(np.ones((1, 5, 5)))),
    "a sum": lambda rows: L.Add()([rows, CONSTANT]),
    "a product": lambda rows: L.Multiply()([rows, keras.ops.convert_to_tensor(CONSTANT), L.Dense(4)(rows)]),
    "an einsum": lambda rows: keras.ops.einsum("ij,bjk->bik", CONSTANT[0, :, :1] @ np.ones((1, 5), "float32"), rows),
    "an einsum with one in front": lambda rows: keras.ops.einsum("xij,bij->bj", CONSTANT, rows),
}


@pytest.mark.parametrize("what", AMONG_TENSORS)
def test_a_constant_among_the_tensors_of_a_call_is_made_by_operations(what, tmp_path):
    keras.backend.clear_session()
    model = on((5, 4), lambda rows: L.Dense(2, name="last")(L.Flatten()(AMONG_TENSORS[what](rows))), name="rows")
    model.save(tmp_path / "model.keras")
    read = importing.read(tmp_path / "model.keras")

    for one in (model, read):
        assert_same(one, built(one, importing.spec_of(one)), exact=False)


def test_long_constants_have_names_and_equal_ones_one():
    keras.backend.clear_session()
    mask = np.tril(np.ones((5, 5), "float32"))
    rows = keras.Input((5, 5), name="rows")
    model = keras.Model(rows, L.Flatten()((rows * mask + np.eye(5, dtype="float32")) * mask + np.ones(5, "float32")))
    spec = importing.spec_of(model)

    assert {name: np.shape(one) for name, one in spec["let"].items()} == {"table": (5, 5), "table_1": (5, 5)}
    said = [one["x2"] for item in spec["layers"] if isinstance(item, dict) for one in item.values()]
    assert said == ["$table", "$table_1", "$table", [1.0] * 5]
    np.testing.assert_array_equal(built(model, spec)(np.ones((2, 5, 5))), model(np.ones((2, 5, 5))))


def beside(rows):
    once = L.Dense(4, kernel_regularizer="l2", name="once")
    models = [keras.Sequential([keras.Input((4,)), one, L.ReLU()], name=f"m{i}") for i, one in enumerate([once] * 3)]
    return [one(rows) for one in models]


def around(rows):
    once = L.Dense(4, name="once")
    inner = keras.Sequential([keras.Input((4,)), once, L.Dropout(0.3)], name="inner")
    one = keras.Input((4,))
    outer = keras.Model(one, L.Dense(4, name="after")(inner(one)), name="outer")
    return [outer(rows), once(rows), inner(rows), outer(keras.ops.tanh(rows))]


def frozen_beside(rows):
    norm = L.BatchNormalization(name="norm")
    still = keras.Sequential([keras.Input((4,)), norm], name="still")
    still.trainable = False
    return [still(rows, training=False), keras.Sequential([keras.Input((4,)), norm, L.Dense(4, name="z")])(rows)]


@pytest.mark.parametrize("shared", [beside, around, frozen_beside])
def test_models_that_share_a_layer_are_laid_out_flat(shared):
    keras.backend.clear_session()
    model = on((4,), lambda rows: L.Dense(2, name="last")(L.Add(name="sum")(shared(rows))))
    for number, one in enumerate(model.weights):
        one.assign(np.random.default_rng(number).uniform(0.1, 0.9, one.shape))
    made = built(model)
    made.set_weights(model.get_weights())

    assert not any(isinstance(one, keras.Model) for one in made.layers)
    assert len(made.trainable_weights) == len(model.trainable_weights)
    assert float(sum(made.losses)) == pytest.approx(float(sum(model.losses)))
    for one, other in zip(answers(model, given(model)), answers(made, given(model)), strict=True):
        np.testing.assert_array_equal(other, one)


def test_an_encoder_and_a_decoder_that_share_their_words_are_laid_out_flat():
    keras.backend.clear_session()
    embed = L.Embedding(20, 6, mask_zero=True, name="embed")
    read, said, state = keras.Input((5,), dtype="int32"), keras.Input((4,), dtype="int32"), keras.Input((6,))
    encoder = keras.Model(read, L.LSTM(6, name="reader")(embed(read)), name="encoder")
    steps = L.LSTM(6, return_sequences=True, name="speaker")(embed(said), initial_state=[state, state])
    decoder = keras.Model([said, state], steps, name="decoder")
    first, second = keras.Input((5,), dtype="int32", name="first"), keras.Input((4,), dtype="int32", name="second")
    answer = L.Dense(20, activation="softmax", name="word")(decoder([second, encoder(first)]))
    model = keras.Model([first, second], answer)
    rows = [np.random.default_rng(0).integers(0, 20, (3, size)).astype("int32") for size in (5, 4)]
    made = built(model)
    made.set_weights(model.get_weights())

    np.testing.assert_array_equal(made.predict(rows, verbose=0), model.predict(rows, verbose=0))


def test_an_operation_of_a_model_that_is_laid_out_flat_is_called_as_often_as_the_model():
    keras.backend.clear_session()
    once, one, other = L.Dense(4, name="once"), keras.Input((4,)), keras.Input((4,))
    first = keras.Model(one, keras.ops.relu(L.Dense(4, name="first")(once(one))), name="a")
    second = keras.Model(other, L.Dense(4, name="second")(once(other)), name="b")
    model = on((4,), lambda rows: L.Add()([second(first(rows)), first(keras.ops.tanh(rows))]))
    made = built(model)
    made.set_weights(model.get_weights())

    for expected, found in zip(answers(model, given(model)), answers(made, given(model)), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("outer", "inner", "call"),
    [("uint8", "float32", lambda rows: rows - 200), ("float32", "int32", lambda rows: keras.ops.cast(rows, "float32"))],
)
def test_what_a_model_inside_is_given_is_cast_to_the_type_of_its_input(outer, inner, call):
    keras.backend.clear_session()
    one = keras.Input((4,), dtype=inner)
    inside = keras.Model(one, L.Dense(3, name="dense")(call(one)), name="inside")
    rows = keras.Input((4,), dtype=outer, name="rows")
    model = keras.Model(rows, L.Dense(2, name="last")(inside(rows)))
    made = built(model)
    made.set_weights(model.get_weights())
    x = (np.random.default_rng(0).random((5, 4)) * 9).astype(outer)

    np.testing.assert_array_equal(made(x), model(x))


def test_models_that_share_a_layer_and_have_others_of_one_name_are_refused():
    once = L.Dense(4, name="once")
    models = [keras.Sequential([keras.Input((4,)), once, L.Dense(4, name="same")], name=name) for name in "ab"]
    model = on((4,), lambda rows: L.Add()([one(rows) for one in models]))

    with pytest.raises(ZooError, match="the layer `once` is called in two models"):
        importing.spec_of(model)


def test_masks_at_each_step_and_of_the_steps_are_what_they_were():
    inside = keras.Sequential([keras.Input((8,)), L.Reshape((4, 2)), L.Masking(), L.LSTM(3)], name="words")
    model = chain(L.Masking(), L.TimeDistributed(inside, name="each"), L.LSTM(2), shape=(3, 8))
    rows = np.random.default_rng(0).normal(size=(5, 3, 8)).astype("float32")
    rows[:, 1] = 0
    rows[:, :, 4:] = 0
    made = built(model)
    made.set_weights(model.get_weights())

    np.testing.assert_array_equal(made.predict(rows, verbose=0), model.predict(rows, verbose=0))


def test_models_inside_whose_last_one_is_the_head_are_folded():
    encoder = chain(L.Dense(2, name="dense"), L.Dense(2, name="code"))
    decoder = chain(L.Dense(2, name="dense"), L.Dense(4, name="out"), shape=(2,))
    encoder.name, decoder.name = "encoder", "decoder"
    model = on((4,), lambda rows: decoder(encoder(rows)))
    spec = importing.spec_of(model)

    assert spec["head"] == ["decoder"]
    assert spec["blocks"]["decoder"]["layers"][0] == {"Dense": {"units": 2}}
    assert names(built(model, spec))[-3:] == ["decoder", "dense", "out"]


def test_a_class_that_keras_exports_under_another_name_goes_by_that():
    model = on((5, 4), lambda rows: L.GlobalAveragePooling1D()(L.GroupQueryAttention(2, 4, 2)(rows, rows)))

    assert any("GroupQueryAttention" in one for one in importing.spec_of(model)["layers"] if isinstance(one, dict))
    assert built(model).count_params() == model.count_params()


def test_layers_without_weights_may_be_held_by_several():
    act = L.LeakyReLU(0.1)
    model = on((8,), lambda rows: L.Dense(8, activation=act)(L.Dense(8, activation=act)(rows)))
    each = L.ReLU(max_value=1.0)
    steps = on((3, 4), lambda rows: L.TimeDistributed(each, name="b")(L.TimeDistributed(each, name="a")(rows)))

    for one in (model, steps):
        rows = np.random.default_rng(0).normal(size=(5, *one.input_shape[1:])).astype("float32")
        again = built(one)
        again.set_weights(one.get_weights())
        np.testing.assert_array_equal(again(rows), one(rows))


@pytest.mark.parametrize("odd", [{"threshold": -0.1}, {"max_value": -1.0}, {"negative_slope": -0.1}])
def test_a_relu_that_no_layer_can_be_is_refused_by_its_name(odd):
    source = keras.Input((4,))
    model = keras.Model(source, L.Dense(1)(keras.activations.relu(L.Dense(4)(source), **odd)))

    with pytest.raises(ZooError, match=r"the layer `re_lu\w*` is a relu that is no layer of Keras: .* negative value"):
        importing.spec_of(model)
