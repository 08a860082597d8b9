"""A Keras model to a spec and back: the same layers, names, counts and answers; what cannot be said is refused."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml
from imported import (
    C,
    R,
    answers,
    assert_same,
    both_ways,
    built,
    chain,
    changed_name,
    given,
    lines,
    names,
    nodes,
    odd_inputs,
    on,
    residual,
    staged,
    steps_of,
    u_net,
)
from keras import layers as L

import zoo
from zoo import ZooError, ejecting, importing, selection
from zoo.language import dumping, folding, unfolding, writing

SMALLEST, LARGE = 8_000_000, 30_000_000
SIZES = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71}
SMALL = (
    "DenseNet121", "DenseNet169", "DenseNet201", "EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3",
    "EfficientNetB4", "EfficientNetB5", "EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2", "EfficientNetV2B3",
    "EfficientNetV2S", "ConvNeXtTiny", "InceptionV3", "MobileNet", "MobileNetV2", "MobileNetV3Large",
    "MobileNetV3Small", "NASNetMobile", "ResNet50", "ResNet50V2", "Xception",
)  # fmt: skip
"""Below 30 million parameters with ten classes, at the smallest input."""

LARGER = (
    "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtXLarge", "EfficientNetB6", "EfficientNetB7",
    "EfficientNetV2L", "EfficientNetV2M", "InceptionResNetV2", "NASNetLarge", "ResNet101", "ResNet101V2", "ResNet152",
    "ResNet152V2", "VGG16", "VGG19",
)  # fmt: skip
STRUCTURE = ("ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtXLarge", "EfficientNetV2L")
"""So large that only what they consist of is compared."""

TWO_FOR_ONE = ("ConvNeXt", "InceptionResNetV2")
"""They have layers that two of ours stand for, beside the others."""

# keras.applications


def test_all_of_keras_applications_are_tried():
    constructors = {name for name, thing in vars(keras.applications).items() if callable(thing)}

    assert constructors == {*SMALL, *LARGER}


@pytest.mark.parametrize("name", [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGER)])
def test_a_published_network_comes_back_as_it_was_in_fewer_lines(name):
    keras.backend.clear_session()
    size = SIZES.get(name, 32)
    model = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10)
    flat = importing.spec_of(model, folded=False)
    spec = folding.fold(flat)
    exact, large = not name.startswith(TWO_FOR_ONE), model.count_params() > LARGE

    assert large == (name in LARGER)
    assert nodes(spec) == nodes(flat)
    assert lines(spec) < lines(flat)
    made = zoo.build(spec) if model.count_params() < SMALLEST else built(model, spec)
    if name not in STRUCTURE:
        assert_same(model, made, exact)
    else:
        assert [one for one in names(made) if one in names(model)] == names(model)
        assert [w.shape for w in made.weights] == [w.shape for w in model.weights]


# Other models


def encoder_decoder():
    words, speech = keras.Input((None,), dtype="int32", name="words"), keras.Input((None, 8), name="speech")
    _, *state = L.LSTM(4, return_state=True, name="encoder")(L.Embedding(20, 6, mask_zero=True)(words))
    steps = L.LSTM(4, return_sequences=True, name="decoder")(speech, initial_state=state)
    return keras.Model([words, speech], L.TimeDistributed(L.Dense(3, activation="softmax"))(steps))


def cells():
    return keras.Sequential([keras.Input((None, 3)), L.RNN(L.GRUCell(4), return_sequences=True), L.RNN(L.LSTMCell(4))])


def explicit_mask():
    rows, mask = keras.Input((5, 3), name="rows"), keras.Input((5,), dtype="bool", name="mask")
    found = L.GRU(4, return_sequences=True)(rows, mask=mask)
    return keras.Model([rows, mask], L.Dense(1, activation="sigmoid")(L.SimpleRNN(4)(found)))


def masks_by_operation():
    rows = keras.Input((6,), dtype="float32")
    return keras.Model(rows, L.LSTM(4)(L.Reshape((6, 1))(rows), mask=keras.ops.not_equal(rows, 1)))


def attention():
    one, other = keras.Input((6, 4), name="one"), keras.Input((7, 4), name="other")
    query, value = L.Dense(4)(one), L.Dense(4)(other)
    found = L.LayerNormalization()(L.Add()([L.MultiHeadAttention(2, 3)(query, value), query]))
    found = L.MultiHeadAttention(2, 3, name="self")(found, found, use_causal_mask=True)
    found = L.Attention()([found, value], use_causal_mask=True)
    found = L.BatchNormalization()(L.GlobalAveragePooling1D()(found), training=False)
    return keras.Model([one, other], L.Dense(2, activation="softmax")(found))


def looks_at_the_layer_before():
    rows = keras.Input((6, 4))
    query = L.Dense(4)(rows)
    found = L.MultiHeadAttention(2, 3)(query, L.Dense(4)(query))
    return keras.Model(rows, L.Dense(2, activation="softmax")(L.GlobalAveragePooling1D()(found)))


def siamese():
    left, right = keras.Input((8,), name="left"), keras.Input((8,), name="right")
    tower = keras.Sequential([keras.Input((8,)), L.Dense(6, activation="relu"), L.Dense(4)], name="tower")
    shared = L.Dense(4, name="Shared")
    one, other = tower(left), tower(right)
    product = L.Multiply()([shared(one), shared(other)])
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    inner = keras.Model([a, b], L.Add()([L.Dense(4)(a), b]), name="Inner-model")
    found = inner([product, L.Subtract()([one, other])])
    return keras.Model([left, right], [L.Dense(1, activation="sigmoid", name="same")(found), L.Dense(3)(product)])


def nested_twice():
    inner = keras.Sequential([keras.Input((8, 8, 4)), L.Conv2D(4, 3, padding="same"), L.ReLU()], name="inner")
    outer = keras.Sequential([keras.Input((8, 8, 4)), inner, L.MaxPooling2D()], name="outer")
    return keras.Sequential([keras.Input((8, 8, 4)), outer, L.Flatten(), L.Dense(3, activation="softmax")])


def at_each_level():
    """A head that is shared by levels of a pyramid, each of another size; one head is a graph, one a chain."""
    rows = keras.Input((16, 16, 3))
    fine = L.Conv2D(4, 3, padding="same", name="fine")(rows)
    coarse = L.MaxPooling2D(name="coarse")(fine)
    inside = keras.Input((None, None, 4))
    shortcut = L.Add()([L.Conv2D(4, 3, padding="same", name="box")(inside), inside])
    heads = (
        keras.Model(inside, shortcut, name="boxes"),
        keras.Sequential([inside, L.Conv2D(2, 1), L.ReLU()], name="names"),
    )
    found = [L.GlobalAveragePooling2D()(head(level)) for head in heads for level in (fine, coarse)]
    return keras.Model(rows, L.Dense(3, activation="softmax")(L.Concatenate()(found)))


def frozen():
    base = keras.Sequential([keras.Input((8, 8, 3)), L.Conv2D(4, 3), L.BatchNormalization()], name="base")
    base.trainable = False
    normal = L.BatchNormalization(trainable=False)
    parts = [keras.Input((8, 8, 3)), base, normal, L.GlobalAveragePooling2D(), L.Dense(5, activation="softmax")]
    return keras.Sequential(parts)


def particular():
    initial = keras.initializers.VarianceScaling(2.0, "fan_out")
    return keras.Sequential([
        keras.Input((9, 9, 2)),
        L.Conv2D(4, 3, kernel_regularizer=R.L2(0.01), kernel_initializer="he_normal", bias_constraint=C.NonNeg()),
        L.SeparableConv2D(4, (1, 3), depthwise_regularizer=R.L1(0.1), pointwise_constraint=C.MaxNorm(3.0)),
        L.BatchNormalization(gamma_initializer="zeros", momentum=0.9),
        L.ZeroPadding2D(((0, 1), (2, 1))),
        L.MaxPooling2D(3, strides=2),
        L.AveragePooling2D(2, strides=2, padding="same"),
        L.Flatten(),
        L.Dense(4, kernel_initializer=initial, activity_regularizer=R.L1L2(1e-3, 1e-4)),
        L.Dense(2, bias_initializer=keras.initializers.Constant(0.5), kernel_constraint=C.MinMaxNorm(0.0, 1.0)),
    ])  # fmt: skip


def letters():
    parts = [L.Embedding(30, 8), L.LSTM(6, return_sequences=True), L.Dense(30, activation="softmax")]
    return keras.Sequential([keras.Input((12,), dtype="int32"), *parts])


def over_each_other():
    """Cells over each other, said in both of Keras's ways."""
    return keras.Sequential([
        keras.Input((5, 3)),
        L.RNN([L.LSTMCell(4, kernel_regularizer=R.L2(0.1)), L.GRUCell(3)], return_sequences=True),
        L.Bidirectional(L.RNN(L.StackedRNNCells([L.SimpleRNNCell(2), L.SimpleRNNCell(3)]))),
        L.Dense(2, activation="softmax"),
    ])  # fmt: skip


def transferred(training=False):
    """As Keras's own guide says of transfer learning, with another model inside the base."""
    inner = keras.Sequential([keras.Input((6, 6, 4)), L.BatchNormalization(), L.Dropout(0.5)], name="inner")
    rows = keras.Input((8, 8, 3))
    found = inner(L.ReLU()(L.BatchNormalization()(L.Conv2D(4, 3)(rows))))
    base = keras.Model(rows, L.GaussianNoise(0.5)(found), name="base")
    base.trainable = False
    again = keras.Input((8, 8, 3))
    found = L.GlobalAveragePooling2D()(base(again, training=training))
    return keras.Model(again, L.Dense(2, activation="softmax")(L.Dropout(0.2)(found)))


def transferred_twice():
    base = keras.Sequential([keras.Input((4,)), L.Dense(4), L.BatchNormalization()], name="base")
    one, other = keras.Input((4,), name="one"), keras.Input((4,), name="other")
    found = L.Add()([base(one, training=False), base(other, training=False)])
    return keras.Model([one, other], L.Dense(2)(found))


def by_keys():
    p, q = keras.Input((4,), name="p"), keras.Input((4,), name="q")
    inner = keras.Model({"p": p, "q": q}, L.Concatenate()([L.Dense(2)(q), p]), name="inner")
    single = keras.Model({"p": p}, L.Dense(3)(p), name="single")
    one, other = keras.Input((4,), name="one"), keras.Input((4,), name="other")
    plain = keras.Model([q, p], L.Concatenate()([L.Dense(5)(q), p]), name="plain")
    found = [inner({"q": other, "p": one}), single({"p": one}), plain({"p": one, "q": other})]
    return keras.Model([one, other], L.Dense(2, name="last")(L.Concatenate()(found)))


def scored():
    rows = keras.Input((3, 4))
    found, scores = L.MultiHeadAttention(1, 2, name="look")(rows, rows, return_attention_scores=True)
    return keras.Model(rows, L.Dense(2)(L.Concatenate()([L.Flatten()(found), L.Flatten()(scores)])))


def unread():
    one, other = keras.Input((4,), name="one"), keras.Input((4,), name="other")
    return keras.Model([one, other], L.Dense(2, name="last")(one))


def in_half_precision():
    """A network as Keras makes it for a GPU, its answers in float32."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        image = keras.Input((8, 8, 3), name="image")
        running = L.BatchNormalization(name="bn")(L.Conv2D(4, 3, kernel_regularizer=R.L2(1e-4), name="conv")(image))
        steps = L.Reshape((36, 4), name="steps")(keras.ops.tanh(L.LeakyReLU(0.1, name="leaky")(running)))
        running = L.Bidirectional(L.LSTM(3, return_sequences=True), name="both")(steps)
        running = L.TimeDistributed(L.Dense(2, activation=L.ELU(0.5)), name="each")(running)
        running = L.Flatten(name="flat")(L.MultiHeadAttention(1, 2, name="looks")(running, running))
        answers = L.Activation("softmax", dtype="float32", name="answers")(L.Dense(3, name="last")(running))
        return keras.Model(image, answers)
    finally:
        keras.config.set_dtype_policy("float32")


def of_other_types():
    whole, long = keras.Input((4,), dtype="uint16", name="whole"), keras.Input((3,), dtype="float64", name="long")
    parts = [L.Dense(2, name="one")(keras.ops.cast(whole, "float32")), L.Dense(2, dtype="float64", name="two")(long)]
    return keras.Model([whole, long], L.Concatenate(name="both", dtype="float64")(parts))


def answered_twice():
    rows, inner = keras.Input((4,), name="rows"), keras.Input((4,))
    hidden = L.Dense(3, name="hidden")(inner)
    first, second = keras.Model(inner, [hidden, hidden], name="inner")(rows)
    last = L.Add(name="last")([first, second])
    return keras.Model(rows, [last, hidden_of(rows), last], name="twice")


def hidden_of(rows):
    return L.Dense(2, name="beside")(rows)


def cells_in_half_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        rows = keras.Input((5, 3), name="rows")
        over = L.RNN([L.LSTMCell(3), L.GRUCell(4)], return_sequences=True, name="over")(rows)
        inner = keras.Sequential([keras.Input((4,)), L.Dense(3), L.BatchNormalization(), L.Dense(2)])
        each = L.TimeDistributed(inner, name="each")(over)
        return keras.Model(rows, L.Activation("tanh", dtype="float32", name="last")(L.Flatten(name="flat")(each)))
    finally:
        keras.config.set_dtype_policy("float32")


def numbered():
    """Names as PyTorch's `downsample`, `downsample.0`, `downsample.1`, in any order."""
    names = ("d", "d.0", "d.1", "e.0", "e.1", "e")
    return chain(*(L.Dense(3, name=name) for name in names))


def models_called_as_words():
    """Models inside the model that are called as classes are, or as a word of the language."""
    rows = keras.Input((4,), name="rows")
    running = rows
    for name in ("dense", "input", "batch_normalization"):
        inner = keras.Input((4,))
        layers = L.BatchNormalization(name=f"{name}_bn")(L.Dense(4, name=f"{name}_one")(inner))
        running = keras.Model(inner, L.ReLU(name=f"{name}_two")(layers), name=name)(running)
    return keras.Model(rows, L.Dense(2, name="last")(running))


def of_low_rank():
    """Kernels that stand still beside two of low rank, as in Hu et al. 2021."""
    rows = keras.Input((5,), dtype="int32", name="rows")
    embed, step, last = L.Embedding(7, 4, name="embed"), L.Dense(3, name="step"), L.Dense(2, name="last")
    each = L.TimeDistributed(step, name="each")
    model = keras.Model(rows, last(L.Flatten()(each(embed(rows)))))
    for one in (embed, step, last):
        one.enable_lora(2)
    step.trainable = False
    return model


def in_eight_bits():
    rows = keras.Input((5,), dtype="int32", name="rows")
    each = L.TimeDistributed(L.Dense(4))(L.Embedding(7, 4)(rows))
    model = keras.Model(rows, L.Dense(2, name="last")(L.EinsumDense("abc,cd->abd", output_shape=(None, 3))(each)))
    model.quantize("int8")
    return model


def along_the_rows():
    """Two views of each row one below the other, as in contrastive learning, which one layer reads at once."""
    rows, other = keras.Input((6,), name="rows"), keras.Input((6,), name="other")
    both = L.Dense(4, name="both")(L.Concatenate(axis=0, name="views")([rows, other]))
    return keras.Model([rows, other], L.Softmax(axis=0, name="among")(both))


def called_as_outputs():
    """Names as those of networks that came from PyTorch, and beside them an output that goes by such a text."""
    rows = keras.Input((5, 3), name="rows")
    running, *states = L.LSTM(4, return_state=True, name="states")(rows)
    first = L.Dense(4, name="features.0")(running)
    second = L.Dense(4, name="features>1.1")(L.ReLU(name="features.1")(first))
    return keras.Model(rows, L.Dense(2, name=".last")(L.Add(name="input")([first, second, *states])))


MODELS = (
    encoder_decoder, both_ways, cells, over_each_other, explicit_mask, attention, scored, siamese, nested_twice,
    at_each_level, frozen, transferred, transferred_twice, by_keys, particular, residual, staged, u_net, letters,
    odd_inputs, looks_at_the_layer_before, in_half_precision, of_other_types, answered_twice, called_as_outputs,
    models_called_as_words, numbered, along_the_rows, of_low_rank, unread, in_eight_bits,
)  # fmt: skip


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("reloaded", [False, True])
def test_a_model_comes_back_as_it_was_fresh_and_from_a_file(make, reloaded, tmp_path):
    keras.backend.clear_session()
    model = make()
    if reloaded:
        model.save(tmp_path / "model.keras")
        keras.backend.clear_session()
        model = importing.read(tmp_path / "model.keras")

    assert_same(model, built(model))


ANSWERED = {
    both_ways: "classification", explicit_mask: "binary", attention: "classification", nested_twice: "classification",
    frozen: "classification", particular: "regression", residual: "classification", u_net: "segmentation",
    letters: "language",
}  # fmt: skip


@pytest.mark.parametrize("make", ANSWERED)
def test_what_a_task_can_answer_is_built_by_the_zoo(make):
    keras.backend.clear_session()
    model = make()
    spec = importing.spec_of(model)

    assert spec["task"] == ANSWERED[make]
    assert_same(model, zoo.build(spec))


BARE = {
    "a backbone": lambda: chain(L.Conv2D(4, 3), L.BatchNormalization(), L.ReLU(name="out"), shape=(16, 16, 3)),
    "batch normalization at the end": lambda: chain(L.Conv2D(4, 3), L.BatchNormalization(), shape=(8, 8, 3)),
    "an image to an image": lambda: chain(L.Conv2D(3, 3, padding="same"), shape=(None, None, 3)),
    "a map of yes and no": lambda: chain(L.Conv2D(1, 1, activation="sigmoid"), shape=(8, 8, 3)),
    "a smaller map of classes": lambda: chain(L.ReLU(), L.Conv2D(2, 3, activation="softmax"), shape=(8, 8, 3)),
    "classes of each value": lambda: chain(L.Reshape((4, 3, 2, 1)), L.Dense(5, activation="softmax"), shape=(4, 3, 2)),
    "classes of each place": lambda: chain(L.ReLU(), L.Conv3D(2, 1), L.Softmax(), shape=(4, 4, 4, 1)),
    "steps": lambda: chain(L.LSTM(4, return_sequences=True), shape=(None, 3)),
    "classes of each step": lambda: chain(L.GRU(3, return_sequences=True), L.Softmax(), shape=(5, 3)),
    "a number": lambda: chain(L.Dense(1), L.Reshape(()), shape=(3,)),
    "a share of one": lambda: chain(L.Dense(3), L.Dense(1, activation="softmax"), shape=(3,)),
    "a map of one class": lambda: chain(L.Conv2D(1, 1, activation="softmax"), shape=(8, 8, 3)),
}  # fmt: skip


@pytest.mark.parametrize("what", BARE)
def test_what_no_task_can_answer_is_built_by_the_zoo_as_it_is(what):
    keras.backend.clear_session()
    model = BARE[what]()
    spec = importing.spec_of(model)
    made = zoo.build(spec)

    assert spec.get("outputs") == [model.layers[-1].name] or spec["task"] == "forecasting"
    assert made.compiled == ("outputs" not in spec)
    assert_same(model, made)


def test_a_network_of_one_output_that_meets_data_must_answer_what_the_data_hold():
    keras.backend.clear_session()
    spec = importing.spec_of(chain(L.Dense(2, name="only"), shape=(4,)))
    assert spec["layers"] == [] and spec["head"] == [{"Dense": {"name": "only", "units": "$targets"}}]
    del spec["head"]
    spec |= {"layers": [{"Dense": {"name": "only", "units": 2}}], "outputs": ["only"]}
    dice = np.random.default_rng(0)
    x, y = dice.normal(size=(40, 4)), dice.normal(size=(40, 3))

    with pytest.raises(ZooError, match=r"the network answers \(2,\) a row; expected \(3,\) for regression"):
        zoo.train(spec, (x, y), epochs=1, run="wrong")


def test_what_a_model_inside_is_told_of_training_is_told_to_the_layers_in_it():
    for training in (False, True):
        keras.backend.clear_session()
        model = transferred(training)
        spec = importing.spec_of(model)
        made = built(model, spec)
        assert_same(model, made)

        told = [body["from"] for item in spec["blocks"]["inner"]["layers"] for body in item.values()]
        assert told == 2 * [{"training": training}]
        asked = [node.call.get("training") for node in unfolding.unfold(selection.load(spec).fill())[0].walk()]
        assert asked == [None, training, None, training, training, training, None, None, None]


def test_names_that_keras_counted_in_a_process_are_kept():
    keras.backend.clear_session()
    residual(1)
    model = residual()

    assert "conv2d_3" in names(model) and "conv2d" not in names(model)
    assert_same(model, built(model))


@pytest.mark.parametrize("own", ["_a", "-a", ">a", "a>", "a>_b", "a>>b", "..", "two words", "previous", "été"])
def test_a_name_that_no_spec_has_becomes_one_like_it(own, tmp_path):
    rows = keras.Input((6,))
    model = keras.Model(rows, L.Dense(2, name="a")(L.Dense(3, name=own)(L.Dense(4)(rows))), name="named")
    model.save(tmp_path / "named.keras")
    spec = zoo.load(importing.spec_of(model))
    made = zoo.build(spec, weights=str(tmp_path / "named.keras"))
    x = given(model)

    called = made.layers[2].name
    assert [one.name for one in made.layers[1:]] == [model.layers[1].name, called, "a"]
    assert spec.data["summary"].endswith(f"; names that no spec has: `{called}` for `{own}`.")
    np.testing.assert_array_equal(answers(model, x), answers(made, x))


@pytest.mark.parametrize("before", [True, False])
def test_a_layer_that_is_called_as_the_output_of_another_is_called_otherwise(before):
    rows = keras.Input((4, 3))
    first = L.Dense(3, name="states.1")(rows) if before else rows
    out, *states = L.LSTM(2, return_state=True, name="states")(first)
    last = states[0] if before else L.Dense(3, name="states.1")(states[0])
    model = keras.Model(rows, [L.Dense(2, name="end")(last), out])
    made = built(model)

    assert [one for one in names(made) if one != "states_1"] == [one for one in names(model) if one != "states.1"]
    for mine, theirs in zip(made.weights, model.weights, strict=True):
        mine.assign(theirs)
    for mine, theirs in zip(answers(made, x := given(model)), answers(model, x), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def stateful():
    rows = keras.Input(batch_shape=(3, 5, 2), name="rows")
    return keras.Model(rows, L.Dense(2, name="last")(L.LSTM(4, stateful=True, name="long")(rows)))


def in_batches_of_one_size():
    rows = keras.Input(batch_shape=(3, 6), name="rows")
    return keras.Model(rows, L.Dense(2)(keras.ops.reshape(rows, (3, 6))))


def of_sparse_rows():
    rows = keras.Input((6,), sparse=True, name="rows")
    return keras.Model(rows, L.Dense(2)(rows))


def with_what_may_be_missing():
    rows, more = keras.Input((6,), name="rows"), keras.Input((6,), optional=True, name="more")
    return keras.Model([rows, more], L.Dense(2)(L.Add()([rows, more])))


@pytest.mark.parametrize("make", [stateful, in_batches_of_one_size, of_sparse_rows, with_what_may_be_missing])
def test_what_no_task_trains_is_imported_and_ejected_as_it_is(make, tmp_path):
    keras.backend.clear_session()
    model = make()
    model.save(tmp_path / "model.keras")
    spec = importing.spec_of(importing.read(tmp_path / "model.keras"))
    made, space = zoo.build(spec, weights=str(tmp_path / "model.keras")), {"__name__": "ejected"}
    exec(compile(ejecting.eject(unfolding.unfold(zoo.load(spec).fill())[0]), "ejected.py", "exec"), space)
    ejected = space["build"]()
    ejected.set_weights(made.get_weights())
    rows = given(model)

    for one in (made, ejected):
        assert [(i.shape, i.sparse) for i in one.inputs] == [(i.shape, i.sparse) for i in model.inputs]
        for _ in range(2):  # states are kept
            np.testing.assert_array_equal(answers(one, rows), answers(model, rows))
        for layer in (layer for it in (one, model) for layer in it.layers if getattr(layer, "stateful", False)):
            layer.reset_state()
    head = {**{key: value for key, value in spec.items() if key != "outputs"}, "head": [{"Dense": 2}]}
    with pytest.raises(ZooError, match="no task trains a network with such an input"):
        zoo.load(head)


def test_importing_leaves_the_names_of_the_users_next_layers_alone():
    keras.backend.clear_session()
    importing.spec_of(particular())

    assert [L.Dense(1).name, L.Conv2D(1, 1).name, L.SeparableConv2D(1, 1).name] == [
        "dense_2", "conv2d_1", "separable_conv2d_1",
    ]  # fmt: skip


def test_every_layer_that_is_called_with_masks_of_its_input_hands_them_on_by_itself():
    found = importing.spec_of(both_ways())["layers"]

    assert not any("from" in body for one in found if isinstance(one, dict) for body in one.values())


OPERATIONS = {
    "the last step": (lambda x: x[:, -1], {"ops.get_item": {"key": ":, -1"}}),
    "a feature": (lambda x: x[..., 1], {"ops.get_item": {"key": "..., 1"}}),
    "steps and a feature": (lambda x: x[:, 1:3, 0], {"ops.get_item": {"key": ":, 1:3, 0"}}),
    "every second step": (lambda x: x[:, ::2], {"ops.get_item": {"key": ":, ::2"}}),
    "an axis more": (lambda x: x[:, None, -2:, ...], {"ops.get_item": {"key": ":, None, -2:, ..."}}),
    "a half": (lambda x: x / 2, {"ops.true_divide": {"x2": 2}}),
    "the negative": (lambda x: -x, "ops.negative"),
    "1 minus it": (lambda x: 1 - x, {"ops.subtract": {"x1": 1}}),
    "1 by it": (lambda x: 1.0 / (x + 9), {"ops.add": {"x2": 9}}),
    "a number for each feature": (
        lambda x: x - np.array([1, 2, 3.5], "float32"), {"ops.subtract": {"x2": [1.0, 2.0, 3.5]}},
    ),
    "a number for each step": (
        lambda x: x * keras.ops.convert_to_tensor([[1.0], [2], [3], [4], [5]]),
        {"ops.multiply": {"x2": [[1.0], [2.0], [3.0], [4.0], [5.0]]}},
    ),
    "the same twice": (
        lambda x: keras.ops.concatenate([x, x], axis=-1),
        {"ops.concatenate": {"from": ["previous", "previous"], "axis": -1}},
    ),
    "the same beside it": (
        lambda x: keras.ops.stack([x, x], axis=1), {"ops.stack": {"from": ["previous", "previous"], "axis": 1}},
    ),
    "shares": (keras.ops.softmax, "ops.softmax"),
    "shares of the steps": (lambda x: keras.ops.softmax(x, axis=1), {"ops.softmax": {"axis": 1}}),
    "a slope": (lambda x: keras.ops.leaky_relu(x, 0.3), {"ops.leaky_relu": {"negative_slope": 0.3}}),
    "a product": (
        lambda x: keras.ops.einsum("bij,bkj->bik", x, x),
        {"ops.einsum": {"from": ["previous", "previous"], "subscripts": "bij,bkj->bik"}},
    ),
    "rows of it": (lambda x: keras.ops.reshape(x, (-1, 15)), {"ops.reshape": {"newshape": [-1, 15]}}),
    "its axes": (lambda x: keras.ops.transpose(x, (0, 2, 1)), {"ops.transpose": {"axes": [0, 2, 1]}}),
    "its mean": (lambda x: keras.ops.mean(x, axis=[1]), {"ops.mean": {"axis": 1}}),
    "one or the other": (
        lambda x: keras.ops.where(x > 0, x, 0.0), {"ops.greater": {"x2": 0}},
    ),
    "none below 0": (lambda x: keras.activations.relu(x), {"ops.relu": {"name": "re_lu"}}),
    "none above 6": (lambda x: keras.activations.relu(x, max_value=6.0), {"ReLU": {"max_value": 6.0}}),
    "its largest": (
        lambda x: keras.ops.norm(x, ord=float("inf"), axis=-1, keepdims=True),
        {"ops.norm": {"ord": "inf", "axis": -1, "keepdims": True}},
    ),
    "room around it": (
        lambda x: keras.ops.pad(x, [[0, 0], [1, 2], [0, 0]]), {"ops.pad": {"pad_width": [[0, 0], [1, 2], [0, 0]]}},
    ),
}  # fmt: skip
"""Operations of `keras.ops` on five steps of three features, and the first item that stands for them."""


@pytest.mark.parametrize("what", OPERATIONS)
@pytest.mark.parametrize("reloaded", [False, True])
def test_an_operation_stays_an_operation(what, reloaded, tmp_path):
    keras.backend.clear_session()
    call, item = OPERATIONS[what]
    model = on((5, 3), lambda rows: L.Dense(2, name="last")(L.Flatten()(call(rows))))
    if reloaded:
        model.save(tmp_path / "model.keras")
        model = importing.read(tmp_path / "model.keras")
    spec = importing.spec_of(model)

    assert spec["layers"][0] in (item, next(iter(item)))
    assert_same(model, built(model, spec), exact="ReLU" not in item)


@pytest.mark.parametrize(
    ("call", "item"),
    [
        (lambda x: keras.ops.clip(x, np.float32(0), np.float32(1)), {"ops.clip": {"x_min": 0.0, "x_max": 1.0}}),
        (lambda x: keras.ops.clip(x, np.zeros(3), np.ones(3)),
         {"ops.clip": {"x_min": [0.0, 0.0, 0.0], "x_max": [1.0, 1.0, 1.0]}}),
        (lambda x: keras.ops.pad(x, np.array([[0, 0], [1, 2], [0, 0]])),
         {"ops.pad": {"pad_width": [[0, 0], [1, 2], [0, 0]]}}),
        (lambda x: keras.ops.repeat(x, np.array([1, 2, 1]), axis=2), {"ops.repeat": {"repeats": [1, 2, 1], "axis": 2}}),
    ],
)  # fmt: skip
def test_arrays_that_keras_cannot_save_come_from_a_model_in_memory(call, item):
    keras.backend.clear_session()
    model = on((5, 3), lambda rows: L.Dense(2, name="last")(L.Flatten()(call(rows))))
    spec = importing.spec_of(model)

    assert spec["layers"][0] == item
    assert_same(model, built(model, spec))


@pytest.mark.parametrize("layer", [L.Conv2D, L.Conv2DTranspose, L.SeparableConv2D])
def test_activations_with_weights_are_made_in_the_type_that_their_layer_computes_in(layer):
    keras.backend.clear_session()
    half = {"dtype": "mixed_float16"}

    def parts(x):
        return layer(3, 3, activation=L.PReLU(shared_axes=[1, 2], **half), **half)(L.Conv2D(4, 3, **half)(x))

    model = on((8, 8, 3), lambda rows: L.Dense(2, name="last", **half)(L.Flatten()(parts(rows))))
    model(np.zeros((1, 8, 8, 3), "float32"))  # Keras makes the weights of activations when it first computes

    assert_same(model, built(model))


def test_a_table_with_fewer_axes_than_what_it_is_added_to():
    keras.backend.clear_session()
    table = np.linspace(0, 1, 5, dtype="float32").reshape(1, 5)
    model = on((5,), lambda rows: L.Dense(2, name="last")(L.Flatten()(L.Add()([L.RepeatVector(3)(rows), table]))))

    assert_same(model, built(model), exact=False)


def test_a_second_answer_of_an_operation_has_its_number():
    keras.backend.clear_session()

    def parts(x):
        one, other, rest = keras.ops.split(x, [1, 4], axis=1)
        mean, variance = keras.ops.moments(other, axes=[1, 2])
        found = [mean[:, None], variance[:, None], rest[:, 0], keras.ops.sum(one, axis=1)]
        return keras.ops.concatenate(found, axis=-1)

    model = on((5, 3), lambda rows: L.Dense(2, name="last")(parts(rows)))

    assert any("split.2" in str(item) for item in importing.spec_of(model)["layers"])
    assert_same(model, built(model))


def test_tensors_that_stand_apart_among_the_arguments_go_by_name():
    keras.backend.clear_session()

    def seen(x):
        steps = keras.ops.reshape(x, (-1, 5, 1, 3))
        mask = keras.ops.expand_dims(keras.ops.expand_dims(x[:, :, 0] > 0, 1), 1)
        return keras.ops.dot_product_attention(steps, steps, steps, mask=mask)

    model = on((5, 3), lambda rows: L.Dense(2, name="last")(L.Flatten()(seen(rows))))

    assert any("mask: " in line and "ops.dot" in line for line in dumping.dump(importing.spec_of(model)).splitlines())
    assert_same(model, built(model))


def test_several_operations_on_several_tensors():
    one, other = keras.Input((4,), name="one"), keras.Input((4,), name="other")
    found = keras.ops.maximum(one * other + 3.0, other) - 0.5
    found = keras.ops.minimum(keras.ops.relu(2 * found) - one, keras.ops.sigmoid(found + one))
    model = keras.Model([one, other], keras.ops.tanh(found - keras.ops.mean(other, axis=-1, keepdims=True)))

    assert_same(model, built(model))


def test_what_is_taken_from_what_is_kept():
    keras.backend.clear_session()
    one, other = keras.Input((4,), name="one"), keras.Input((4,), name="other")
    model = keras.Model([one, other], L.Dense(2)(other - one))

    assert importing.spec_of(model)["layers"][0]["ops.subtract"]["from"] == ["other", "previous"]
    assert_same(model, built(model))


def test_whole_numbers_stay_whole():
    keras.backend.clear_session()
    call = lambda ids: L.Embedding(30, 4)((ids * 3 + np.array([1, 2, 3], "int32")) // 2)  # noqa: E731
    model = on((3,), call, dtype="int32")
    made = built(model)

    assert made.get_layer("embedding").input.dtype == model.get_layer("embedding").input.dtype == "int32"
    assert_same(model, made)


def test_the_preparation_of_a_published_network_stays_in_the_model():
    keras.backend.clear_session()
    prepare = keras.applications.mobilenet_v2.preprocess_input
    model = on((8, 8, 3), lambda rows: L.Dense(2)(L.Flatten()(L.Conv2D(2, 3)(prepare(rows)))))

    assert_same(model, built(model), exact=False)


@pytest.mark.parametrize("folded", [False, True])
def test_a_model_inside_may_answer_several_tensors(folded):
    keras.backend.clear_session()
    rows = keras.Input((4,), name="rows")
    hidden = L.Dense(3, name="hidden")(rows)
    steps = [L.Dense(2, name=f"step_{index}_dense")(hidden) for index in range(4)]
    inner = keras.Model(rows, [*steps, hidden, rows], name="inner")
    one, other = keras.Input((4,)), keras.Input((4,))
    first, _, second, *_, third = inner(one)
    model = keras.Model([one, other], L.Concatenate()([first, second, third, inner(other)[4], inner(other)[5]]))
    spec = importing.spec_of(model, folded=folded)

    assert len(spec["blocks"]["inner"]["outputs"]) == 6
    assert_same(model, built(model, spec))


def test_an_activation_that_is_a_layer_stays_in_its_layer():
    keras.backend.clear_session()
    parts = [
        L.Conv2D(2, 3, activation=L.LeakyReLU(0.2), activity_regularizer="l2"), L.Flatten(),
        L.Dense(3, activation=L.ELU(0.5), name="wide"), L.Dense(4, activation=L.UnitNormalization()),
        L.Dense(2, activation=L.Softmax()),
    ]  # fmt: skip
    model = chain(*parts, shape=(6, 6, 1))
    spec = importing.spec_of(model)

    convolution, _, wide, normal = spec["layers"]
    assert convolution["Conv2D"]["activation"] == {"LeakyReLU": {"negative_slope": 0.2}}
    assert wide == {"Dense": {"name": "wide", "units": 3, "activation": {"ELU": {"alpha": 0.5}}}}
    assert normal == {"Dense": {"units": 4, "activation": {"UnitNormalization": {}}}}
    assert spec["task"] == "classification" and spec["head"] == [
        {"Dense": {"units": "$classes", "activation": {"Softmax": {}}}}
    ]
    assert_same(model, zoo.build(spec), exact=False)


def test_what_most_layers_compute_in_is_the_specs_and_reaches_all_that_they_hold():
    keras.backend.clear_session()
    model = in_half_precision()
    spec = importing.spec_of(model)
    made = built(model, spec)
    kinds = [[one.dtype_policy.name for one in list(side._flatten_layers())[2:]] for side in (model, made)]

    assert spec["dtype"] == "mixed_float16"
    assert [one for one in map(str, (*spec["layers"], *spec["head"])) if "dtype" in one] == [
        "{'Activation': {'name': 'answers', 'activation': 'softmax', 'dtype': 'float32'}}"
    ]
    assert kinds[0] == kinds[1]
    assert "dtype" not in importing.spec_of(residual())


def test_cells_and_models_at_each_step_compute_in_the_type_that_they_did():
    keras.backend.clear_session()
    model = cells_in_half_precision()
    made = zoo.build(importing.spec_of(model))
    made.set_weights(model.get_weights())
    rows = np.random.default_rng(0).normal(size=(3, 5, 3)).astype("float32")
    space: dict = {"__name__": "ejected"}
    exec(compile(ejecting.eject(unfolding.unfold(zoo.load(importing.spec_of(model)).fill())[0]), "e.py", "exec"), space)
    ejected = space["build"]()
    ejected.set_weights(model.get_weights())

    for other in (made, ejected):  # in a graph, where a loop minds its types
        np.testing.assert_array_equal(other.predict(rows, verbose=0), model.predict(rows, verbose=0))


def test_an_activation_of_tensorflow_is_keras_s_that_computes_the_same():
    parts = [L.Dense(3, activation=tf.nn.swish), L.Dense(3, activation=tf.nn.elu), L.Reshape((3, 1)),
             L.GRU(3, activation=tf.nn.relu), L.Dense(4, activation=tf.nn.softmax, name="last")]  # fmt: skip
    model = chain(*parts)
    spec = importing.spec_of(model)
    said = [body["activation"] for one in (*spec["layers"], *spec["head"]) for body in one.values() if "units" in body]

    assert said[1:] == ["elu", "relu", "softmax"] and said[0] in ("silu", "swish")
    assert model.layers[0].activation is tf.nn.swish  # the model is the caller's
    assert_same(model, built(model, spec))


def test_shares_at_each_step_are_no_forecast_and_of_other_classes_than_the_words_no_language():
    def tagger(classes):
        read = L.LSTM(5, return_sequences=True)(L.Embedding(10, 4)(words := keras.Input((7,), dtype="int32")))
        return keras.Model(words, L.TimeDistributed(L.Dense(classes, activation="softmax"), name="last")(read))

    assert importing.spec_of(tagger(10))["task"] == "language"
    assert importing.spec_of(tagger(4))["outputs"] == ["last"]
    model = on((5, 4), lambda rows: L.TimeDistributed(L.Dense(8, activation="softmax"), name="last")(rows))

    assert importing.spec_of(model)["outputs"] == ["last"]
    assert importing.spec_of(on((5, 4), lambda rows: L.Dense(8)(rows)))["task"] == "forecasting"


@pytest.mark.parametrize("name", ["old.h5", "new.keras", "of.weights.h5"])
def test_weights_of_a_model_at_each_step_come_from_every_format(name, tmp_path):
    inner = keras.Sequential([keras.Input((6,)), L.BatchNormalization(), L.ReLU(), L.BatchNormalization()])
    model = on((4, 6), lambda rows: L.Dense(3, name="last")(L.Flatten()(L.TimeDistributed(inner)(rows))))
    for number, one in enumerate(model.weights):
        one.assign(np.random.default_rng(number).uniform(0.1, 0.9, one.shape))
    (model.save_weights if "weights" in name else model.save)(tmp_path / name)
    rows = np.random.default_rng(0).normal(size=(2, 4, 6)).astype("float32")
    made = zoo.build(importing.spec_of(model), weights=tmp_path / name)

    np.testing.assert_array_equal(made.predict(rows, verbose=0), model.predict(rows, verbose=0))


def test_weights_of_a_last_activation_come_from_its_file(tmp_path):
    model = chain(L.Dense(3), L.Dense(4, activation=L.PReLU(keras.initializers.Constant(0.3)), name="last"))
    rows = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    wanted = model.predict(rows, verbose=0)
    model.save(tmp_path / "model.keras")
    spec = importing.spec_of(model)

    assert spec["head"][0]["Dense"]["activation"] == {"PReLU": {"alpha_initializer": {"Constant": {"value": 0.3}}}}
    np.testing.assert_array_equal(zoo.build(spec, weights=tmp_path / "model.keras").predict(rows, verbose=0), wanted)


@pytest.mark.parametrize("reloaded", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_an_activation_with_weights_stays_in_its_layer(frozen, reloaded, tmp_path):
    keras.backend.clear_session()

    def both(rows):
        one = L.Conv1D(3, 2, activation=L.PReLU(shared_axes=[1]), name="one")(rows)
        two = L.EinsumDense("abc,cd->abd", (4, 3), activation=L.PReLU(keras.initializers.Constant(0.2)), name="two")
        return L.Dense(2)(L.Flatten()(L.Add()([one, two(one)])))

    model = on((5, 2), both)
    model.get_layer("two").trainable = not frozen
    model(np.zeros((1, 5, 2), "float32"))  # Keras makes the weights of activations when it first computes
    if reloaded:
        model.save(tmp_path / "model.keras")
        model = importing.read(tmp_path / "model.keras")
    spec = importing.spec_of(model)

    bodies = [body for one in spec["layers"] if isinstance(one, dict) for body in one.values()]
    still = {"trainable": False} if frozen else {}
    assert [body["activation"] for body in bodies if "activation" in body] == [
        {"PReLU": {"shared_axes": [1]}},
        {"PReLU": {"alpha_initializer": {"Constant": {"value": 0.2}}, **still}},
    ]
    assert [body for body in bodies if body.get("frozen")] == [bodies[1]] * frozen
    assert_same(model, built(model, spec), exact=False)


def with_states():
    rows = keras.Input((4,), name="rows")
    return keras.Model(rows, L.Dense(2)(L.LSTMCell(4, name="step")(rows, states=[rows, rows])[1][1]))


def given_what_may_be_missing():
    one, other = keras.Input((4,), name="one"), keras.Input((4,), optional=True, name="other")
    inner = keras.Model([one, other], L.Dense(3)(L.Add()([one, other])), name="inner")
    return on((4,), lambda rows: L.Dense(2)(inner([rows, rows])))


def of_many_sizes():
    return chain(L.ConvLSTM3D(2, 2), L.Flatten(), L.Dense(2), shape=(3, 4, 4, 4, 2))


def with_a_mask_for_one():
    rows = keras.Input((3, 4), name="rows")
    one, other = (
        L.Attention(name=name)([rows, rows], mask=mask)
        for name, mask in (("one", [rows[..., 0] > 0, None]), ("other", [None, rows[..., 1] > 0]))
    )
    return keras.Model(rows, L.Dense(2)(L.Flatten()(L.Add()([one, other]))))


def with_what_leads_nowhere_inside():
    one, other = keras.Input((4,), name="one"), keras.Input((4,), name="other")
    inner = keras.Model([one, other], L.Dense(3)(one), name="inner")
    return on((4,), lambda rows: L.Dense(2)(inner([rows, L.Dense(4, name="lost")(rows)])))


def told_and_not():
    inner = keras.Sequential([keras.Input((4,)), L.BatchNormalization()], name="inner")
    return on((4,), lambda rows: inner(inner(rows, training=False)))


def on_constants():
    rows = keras.Input((5, 3), batch_size=3, name="rows")
    some = np.linspace(0, 1, 54, dtype="float32").reshape(3, 6, 3)
    asked = L.MultiHeadAttention(1, 2)(L.Attention()([rows, some]), some)
    states = L.LSTM(3)(asked, initial_state=[some[:, 0], some[:, 1]], mask=np.arange(15).reshape(3, 5) % 4 > 0)
    return keras.Model(rows, L.Dense(2)(states))


def with_models_that_do_nothing():
    one, other = keras.Input((4,), name="one"), keras.Input((4,), name="other")
    same, crossed = keras.Model(one, one, name="same"), keras.Model([one, other], [other, one], name="crossed")
    rows = keras.Input((4,), name="rows")
    left, right = crossed([same(L.Dense(4)(rows)), same(rows)])
    return keras.Model(rows, L.Dense(2)(L.Subtract()([same(left), right])))


def with_what_goes_by_without_its_name():
    rows = keras.Input((6, 6, 1), name="rows")
    seen = L.Conv2D(4, 3, name="seen")(rows)
    steps = L.LSTM(3, zero_output_for_mask=True, return_sequences=True)(L.Masking()(L.Reshape((16, 4))(seen)))
    model = keras.Model(rows, L.Dense(2)(L.Flatten()(steps)))
    model.get_layer("seen").enable_lora(2, lora_alpha=4)
    return model


def images_of_sequences_in_a_row():
    return chain(L.Pipeline([L.Dense(3), L.RandomFlip()], name="both"), L.Flatten(), L.Dense(2), shape=(8, 3))


def images_of_sequences():
    return chain(L.RandomFlip("horizontal"), L.Resizing(4, 8), L.Flatten(), L.Dense(2), shape=(8, 3))


@pytest.mark.parametrize(
    "make",
    [
        with_states,
        given_what_may_be_missing,
        of_many_sizes,
        images_of_sequences,
        with_a_mask_for_one,
        with_what_leads_nowhere_inside,
        told_and_not,
        on_constants,
        with_what_goes_by_without_its_name,
    ],
    ids=lambda one: one.__name__,
)
def test_what_few_models_hold_is_imported_as_it_is(make, tmp_path):
    keras.backend.clear_session()
    model = make()
    model.save(tmp_path / "model.keras")
    spec = importing.spec_of(importing.read(tmp_path / "model.keras"))
    space = {"__name__": "ejected"}
    exec(compile(ejecting.eject(unfolding.unfold(zoo.load(spec).fill())[0]), "ejected.py", "exec"), space)

    assert ("outputs" in spec) == (make in (images_of_sequences, on_constants))
    assert_same(model, zoo.build(spec))
    assert_same(model, space["build"]())


def test_models_that_do_nothing_leave_nothing_behind():
    keras.backend.clear_session()
    model = with_models_that_do_nothing()
    made, rows = built(model), given(model)
    made.set_weights(model.get_weights())

    assert [type(one).__name__ for one in made.layers] == ["InputLayer", "Dense", "Subtract", "Dense"]
    np.testing.assert_array_equal(answers(made, rows), answers(model, rows))


def test_images_of_sequences_in_a_pipeline_are_given_as_they_are():
    keras.backend.clear_session()
    spec = importing.spec_of(images_of_sequences_in_a_row())

    assert "outputs" in spec
    zoo.build(spec)


@pytest.mark.parametrize("inner", [None, "l2"])
def test_a_penalty_is_that_of_the_layer_and_of_its_activation_each(inner):
    keras.backend.clear_session()
    penalty = keras.regularizers.L2(0.01)
    active = L.Dense(4, kernel_regularizer=penalty if inner else None)
    parts = [L.Dense(4, kernel_regularizer=penalty, activation=active), L.Dense(3, kernel_regularizer=penalty)]
    model = chain(*parts)
    model(np.zeros((1, 4), "float32"))
    spec = importing.spec_of(model)
    made = zoo.build(spec)
    made.set_weights(model.get_weights())

    assert spec["l2"] == (0.01 if inner else 0)
    assert float(sum(made.losses)) == pytest.approx(float(sum(model.losses)), rel=1e-6)


def test_the_layers_of_a_pipeline_are_imported_one_after_another(tmp_path):
    keras.backend.clear_session()
    parts = [L.Rescaling(2.0), L.Conv2D(3, 3, kernel_regularizer="l2"), L.BatchNormalization()]
    inner = changed_name(on((4, 4, 3), lambda rows: L.Add()([rows, L.Conv2D(3, 1)(rows)])), "inner")
    model = chain(L.Pipeline([*parts, inner], name="both"), L.Flatten(), L.Dense(2), shape=(6, 6, 1))
    model.save(tmp_path / "model.keras")
    made = zoo.build(importing.spec_of(importing.read(tmp_path / "model.keras")), weights=tmp_path / "model.keras")
    rows = given(model)

    kinds = [type(one).__name__ for one in made.layers[1:5]]
    assert kinds == ["Rescaling", "Conv2D", "BatchNormalization", "Functional"]
    np.testing.assert_array_equal(made.predict(rows, verbose=0), model.predict(rows, verbose=0))


@pytest.mark.parametrize("mode", ["int8", "float8", "int4"])
def test_weights_of_few_bits_come_back(mode, tmp_path):
    keras.backend.clear_session()
    model = chain(L.Embedding(9, 8, name="words"), L.Flatten(), L.Dense(6), L.Dense(2), shape=(5,), dtype="int32")
    model.quantize(mode)
    model.save(tmp_path / "model.keras")
    ids = np.random.default_rng(0).integers(0, 9, (7, 5))
    made = zoo.build(importing.spec_of(importing.read(tmp_path / "model.keras")), weights=tmp_path / "model.keras")

    assert [one.dtype_policy.name for one in made.layers[1:]] == [one.dtype_policy.name for one in model.layers]
    np.testing.assert_array_equal(made.predict(ids, verbose=0), model.predict(ids, verbose=0))


def test_words_that_look_like_expressions_come_back_as_they_are():
    keras.backend.clear_session()
    words = ["$", "$a", "1 / 2", "3/4", "max(1)", "it's ${b}", "$$", "plain"]
    model = chain(L.StringLookup(vocabulary=words, name="words"), shape=(1,), dtype="string")
    spec = importing.spec_of(model)
    written = yaml.safe_load(dumping.dump(spec))
    filled = zoo.load(written).fill()
    flat = unfolding.unfold(filled)[0]
    again = zoo.load(writing.written_out(filled, flat, unfolding.names(filled)))

    for one in (zoo.build(written), zoo.build(again)):
        assert one.layers[1].get_vocabulary()[1:] == words


SLOPED = {
    "LSTM": lambda: L.LSTM(3, activation=L.LeakyReLU(0.2), recurrent_activation=L.ReLU(max_value=1.0)),
    "ConvLSTM1D": lambda: L.ConvLSTM1D(2, 1, activation=L.ELU(0.5)),
    "wrapper": lambda: L.TimeDistributed(L.Dense(3, activation=L.LeakyReLU(0.1), activity_regularizer="l2")),
    "both ways": lambda: L.Bidirectional(L.GRU(3, activation=L.ReLU(max_value=2.0))),
    "cell": lambda: L.RNN(L.SimpleRNNCell(3, activation=L.ELU(0.3))),
    "LSTM with weights": lambda: L.LSTM(3, activation=L.PReLU(), recurrent_activation=L.PReLU("ones")),
    "wrapper with weights": lambda: L.TimeDistributed(L.Dense(3, activation=L.PReLU(alpha_regularizer="l2"))),
    "both ways with weights": lambda: L.Bidirectional(L.GRU(3, activation=L.PReLU())),
    "cells with weights": lambda: L.RNN([L.SimpleRNNCell(3, activation=L.PReLU()), L.GRUCell(2)]),
    "normalised with weights": lambda: L.LSTM(3, activation=L.LayerNormalization()),
    "each normalised, with weights": lambda: L.TimeDistributed(L.Dense(3, activation=L.BatchNormalization())),
    "before a penalty": lambda: L.Dense(3, activation=L.UnitNormalization(), activity_regularizer="l2"),
    "one in another, with weights": lambda: L.Dense(3, activation=L.Dense(3, activation=L.ELU(0.5), use_bias=False)),
    "a word": lambda: L.GRU(3, activation=L.Activation("gelu")),
}


@pytest.mark.parametrize("what", SLOPED)
def test_an_activation_with_arguments_stays_in_whatever_holds_it(what, tmp_path):
    keras.backend.clear_session()
    shape = (4, 5, 2) if what == "ConvLSTM1D" else (4, 2)
    model = on(shape, lambda rows: L.Dense(2)(L.Flatten()(SLOPED[what]()(rows))), name="rows")
    model(np.zeros((1, *shape), "float32"))  # Keras makes the weights of activations when it first computes
    for number, one in enumerate(model.trainable_weights):
        one.assign(np.random.default_rng(number).normal(size=one.shape))

    assert_same(model, zoo.build(importing.spec_of(model)), exact=False)
    if "weights" in what:
        model.save(tmp_path / "model.keras")
        read = zoo.build(importing.spec_of(importing.read(tmp_path / "model.keras")), weights=tmp_path / "model.keras")
        assert all(map(np.array_equal, read.get_weights(), model.get_weights()))


@pytest.mark.parametrize("ends", [True, False])
def test_a_file_from_before_the_weights_of_an_activation_were_made_is_read(ends, tmp_path):
    keras.backend.clear_session()
    parts = [L.LSTM(3, activation=L.LayerNormalization()), L.Dense(4, activation=L.PReLU("ones"))]
    last = L.Dense(3, activation=L.Activation("softmax")) if ends else L.Dense(3, activation=L.PReLU("ones"))
    model = chain(*parts, last, shape=(5, 2))
    model.save(tmp_path / "model.keras")  # Keras makes them when it first computes
    spec = importing.spec_of(importing.read(tmp_path / "model.keras"))
    made, rows = zoo.build(spec, weights=tmp_path / "model.keras"), given(model)

    assert spec["task"] == ("classification" if ends else "regression") and spec["head"]
    np.testing.assert_array_equal(made.predict(rows, verbose=0), model.predict(rows, verbose=0))
    chain(L.LSTM(3), L.Dense(4), L.Dense(3, activation="softmax"), shape=(5, 2)).save(tmp_path / "other.keras")
    with pytest.raises(ZooError, match=r"other\.keras holds"):  # never had them
        zoo.build(spec, weights=tmp_path / "other.keras")
    parts = [L.LSTM(3, activation=L.LayerNormalization()), L.Dense(4, activation=L.LeakyReLU(0.3))]
    chain(*parts, L.Dense(3, activation=L.ReLU()), shape=(5, 2)).save(tmp_path / "slope.keras")
    with pytest.raises(ZooError, match=r"slope\.keras holds"):  # activations that have none
        zoo.build(spec, weights=tmp_path / "slope.keras")


@pytest.mark.parametrize("active", [lambda: L.PReLU(keras.initializers.Constant(0.3)), L.LayerNormalization])
def test_an_activation_with_weights_is_called_again(active):
    keras.backend.clear_session()
    rows = keras.Input((4,), name="rows")
    both = L.Dense(4, activation=active(), name="both")
    model = keras.Model(rows, L.Dense(2)(L.Add()([both(rows), both(L.Dense(4)(rows))])))
    model(np.zeros((1, 4), "float32"))

    assert {"reuse": {"layer": "both"}} in importing.spec_of(model)["layers"]
    assert_same(model, built(model))


@pytest.mark.parametrize("reloaded", [False, True])
def test_an_activation_may_be_frozen_in_a_layer_that_is_trained(reloaded, tmp_path):
    keras.backend.clear_session()
    active = L.LayerNormalization()
    model = on((4,), lambda rows: L.Dense(2)(L.Dense(4, activation=active, name="both")(rows)))
    model(np.zeros((1, 4), "float32"))
    active.trainable = False
    if reloaded:
        model.save(tmp_path / "model.keras")
        model = importing.read(tmp_path / "model.keras")
    spec = importing.spec_of(model)
    made = built(model, spec)

    assert spec["layers"][0]["Dense"]["activation"] == {"LayerNormalization": {"trainable": False}}
    assert [one.trainable for one in made.variables] == [one.trainable for one in model.variables]
    assert [one.trainable for one in made.variables].count(False) == 2


def test_a_mask_by_an_operation_is_that_operation():
    model = masks_by_operation()

    assert {"ops.not_equal": {"x2": 1}} in [
        {key: {k: v for k, v in body.items() if k == "x2"}}
        for item in importing.spec_of(model)["layers"] if isinstance(item, dict) for key, body in item.items()
    ]  # fmt: skip
    assert_same(model, built(model))


# Masks


def inside(*parts, **more):
    return keras.Sequential([keras.Input(**more), *parts], name="inner")


def added(shape=(6, 4)):
    """A model that adds an operation's result to its rows."""
    rows = keras.Input(shape)
    return keras.Model(rows, L.GRU(4, return_sequences=True)(L.Dense(4)(rows) + rows), name="inner")


def masked_and_not():
    inner = added()
    return steps_of(lambda one, other: L.Add()([inner(other), inner(one)]))


def masked_by_hand():
    rows, mask = keras.Input((5, 3), name="rows"), keras.Input((5,), dtype="bool", name="mask")
    return keras.Model([rows, mask], L.SimpleRNN(4)(keras.ops.tanh(L.GRU(4, return_sequences=True)(rows, mask=mask))))


def masked_twice():
    ids = keras.Input((6,), dtype="int32")
    mask = keras.ops.not_equal(ids, 0)
    one = L.LSTM(3)(L.Embedding(9, 4, mask_zero=True)(ids))
    return keras.Model(ids, L.Dense(2)(L.Concatenate()([one, L.LSTM(3)(L.Embedding(9, 4)(ids), mask=mask)])))


def forward_and_back(one, _):
    _, back = L.Bidirectional(L.LSTM(3, return_sequences=True), merge_mode=None)(one)
    return keras.ops.tanh(back)


MASKED = {
    "a sum": lambda: steps_of(lambda one, other: one + L.Dense(4)(one)),
    "a sum with what has none": lambda: steps_of(lambda one, other: other + one),
    "a product": lambda: steps_of(lambda one, other: one * L.Dense(4)(one)),
    "a product with what has none": lambda: steps_of(lambda one, other: other * one),
    "the larger": lambda: steps_of(lambda one, other: keras.ops.maximum(one, L.Dense(4)(one))),
    "beside each other": lambda: steps_of(lambda one, other: keras.ops.concatenate([one, other], -1)),
    "behind each other": lambda: steps_of(lambda one, other: keras.ops.concatenate([one, one], 1)),
    "an activation": lambda: steps_of(lambda one, other: keras.ops.tanh(one), (None,)),
    "shares": lambda: steps_of(lambda one, other: keras.ops.softmax(one)),
    "a number": lambda: steps_of(lambda one, other: one * 2),
    "several": lambda: steps_of(lambda one, other: (one - 1) * (one + 3) / 2),
    "both ways": lambda: steps_of(forward_and_back),
    "after a layer": lambda: on(
        (6, 1), lambda rows: L.LSTM(3)(keras.ops.tanh(L.Dropout(0.1)(L.Masking()(L.ReLU()(rows)))))
    ),
    "of a model inside": lambda: steps_of(
        lambda one, other: keras.ops.tanh(inside(L.Dense(4), L.Dropout(0.1), shape=(6, 4))(one))
    ),
    "in a model inside": lambda: steps_of(lambda one, other: added()(one)),
    "in a model inside that is called without as well": masked_and_not,
    "by hand": masked_by_hand,
    "twice": masked_twice,
    "shares as an activation": lambda: steps_of(lambda one, other: L.Dense(4, activation=L.Softmax(axis=1))(one)),
    "a slope as an activation": lambda: steps_of(lambda one, other: L.Dense(4, activation=L.LeakyReLU())(one)),
}  # fmt: skip


@pytest.mark.parametrize("what", MASKED)
@pytest.mark.parametrize("reloaded", [False, True])
def test_a_mask_that_an_operation_drops_is_dropped_in_the_spec(what, reloaded, tmp_path):
    keras.backend.clear_session()
    model = MASKED[what]()
    if reloaded:
        model.save(tmp_path / "model.keras")
        keras.backend.clear_session()
        model = importing.read(tmp_path / "model.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # that something drops a mask is said of the user's model, not of its import
        spec = importing.spec_of(model)
    keras.backend.clear_session()

    assert_same(model, built(model, spec), exact=False)


def test_a_network_that_keras_does_not_build_again_is_refused(monkeypatch):
    def refuse(*_):
        raise ValueError('The name "concatenate" is used 2 times in the model.\nMore.')

    monkeypatch.setattr(importing, "lower", refuse)
    with pytest.raises(ZooError) as caught:
        importing.spec_of(in_batches_of_one_size())

    assert str(caught.value).startswith("Keras does not build `functional")
    assert str(caught.value).endswith('again: The name "concatenate" is used 2 times in the model.')


def test_shares_of_what_has_a_mask_end_a_network():
    keras.backend.clear_session()
    model = on((6,), lambda ids: keras.ops.softmax(L.Dense(9)(L.Embedding(9, 4, mask_zero=True)(ids))), dtype="int32")
    spec = importing.spec_of(model)

    assert spec["task"] == "language" and spec["head"] == [{"Dense": {"units": 9}}, "ops.softmax"]
    assert_same(model, zoo.build(spec))


def two_branches(first, second, **more):
    one, other = keras.Input((5,), name="one", **more), keras.Input((5,), name="other", **more)
    return keras.Model([one, other], L.Dense(1)(L.Concatenate()([first(one), second(other)])))


def test_a_layer_more_in_one_of_two_branches_changes_the_order_of_no_weights():
    keras.backend.clear_session()
    sloped = L.Dense(5, activation=L.LeakyReLU(0.2), name="sloped")
    model = two_branches(L.Dense(5, name="plain"), sloped)
    spec = importing.spec_of(model)

    assert {
        "Dense": {"name": "sloped", "from": "other", "units": 5, "activation": {"LeakyReLU": {"negative_slope": 0.2}}}
    } in spec["layers"]
    assert_same(model, built(model, spec))


def test_what_keras_applications_make_for_themselves_is_said_by_layers_that_everybody_has():
    from keras.src.applications.convnext import LayerScale, StochasticDepth
    from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

    rows = keras.Input((4, 4, 3))
    found = CustomScaleLayer(0.2, name="sum")([rows, StochasticDepth(0.1, name="drop")(LayerScale(0.5, 3)(rows))])
    model = keras.Model(rows, L.GlobalAveragePooling2D(name="pool")(found))
    spec = importing.spec_of(model)

    assert spec["layers"] == [
        {"LayerScale": {"init_values": 0.5}},
        {"Dropout": {"name": "drop", "noise_shape": [None, 1, 1, 1]}},
        {"Rescaling": {"scale": 0.2}},
        {"Add": {"name": "sum", "from": ["input", "previous"]}},
    ]
    assert spec["dropout"] == 0.1
    assert_same(model, built(model), exact=False)
