"""A model that was imported and built again beside the one that it comes from; for the tests of `zoo.importing`."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers as L

from zoo import importing, selection
from zoo.language import dumping, folding, unfolding
from zoo.lowering import Plain, lower

R, C = keras.regularizers, keras.constraints


def built(model, spec=None):
    """The model that a spec of this one builds; by the layers alone where no task knows such an answer."""
    found = selection.load(importing.spec_of(model) if spec is None else spec)
    return lower(unfolding.unfold(found.fill())[0], Plain())


def names(model) -> list[str]:
    """The names of all layers in order, a model's own before those inside it."""
    found = []
    for one in model.layers:
        found += [] if isinstance(one, L.InputLayer) else [one.name]
        found += names(one) if isinstance(one, keras.Model) else []
    return found


def answers(model, given) -> list[np.ndarray]:
    found = model(given if len(given) > 1 else given[0], training=False)
    return [np.asarray(one) for one in (found if isinstance(found, (list, tuple)) else [found])]


def given(model, seed=0) -> list[np.ndarray]:
    """Random rows for each input, sizes that are free filled with 5."""
    dice, rows = np.random.default_rng(seed), []
    for one in model.inputs:
        shape = (3, *(size or 5 for size in one.shape[1:]))
        rows.append(dice.normal(size=shape) if one.dtype == "float32" else dice.integers(0, 2, shape))
    return [row.astype(one.dtype) for row, one in zip(rows, model.inputs, strict=True)]


def assert_same(model, made, exact=True):
    """Names and counts are equal, and so are the answers once the weights, disturbed, are copied in order."""
    mine, theirs = names(made), names(model)
    assert (mine if exact else [one for one in mine if one in theirs]) == theirs
    assert made.count_params() == model.count_params()
    assert [w.shape for w in made.trainable_weights] == [w.shape for w in model.trainable_weights]
    dice = np.random.default_rng(1)
    noise = [(1 + dice.normal(0, 0.1, w.shape), dice.normal(0, 1e-3, w.shape)) for w in model.get_weights()]
    weights = [(w * a + b).astype(w.dtype) for w, (a, b) in zip(model.get_weights(), noise, strict=True)]
    model.set_weights(weights)
    made.set_weights(weights)
    for one, other in zip(answers(model, given(model)), answers(made, given(model)), strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-5 * np.abs(one).max())


def lines(spec) -> int:
    return dumping.dump(spec).count("\n")


def nodes(spec):
    return folding._meaning(unfolding.unfold(selection.load(spec).fill())[0])


def both_ways():
    backward = L.GRU(3, go_backwards=True, activation="relu")
    return keras.Sequential([
        keras.Input((5, 3)),
        L.Masking(0.5),
        L.Bidirectional(L.LSTM(4, return_sequences=True, dropout=0.1), merge_mode="sum"),
        L.Bidirectional(L.GRU(3, return_sequences=True)),
        L.Bidirectional(L.GRU(3), backward_layer=backward),
        L.Dropout(0.3),
        L.Dense(2, activation="softmax"),
    ])  # fmt: skip


def residual(blocks=6, width=8):
    """A network whose layers have no names of their own."""
    rows = keras.Input((8, 8, 3))
    found = L.ReLU()(L.BatchNormalization()(L.Conv2D(width, 3, padding="same")(rows)))
    for _ in range(blocks):
        before = found
        found = L.ReLU()(L.BatchNormalization()(L.Conv2D(width, 3, padding="same")(found)))
        found = L.BatchNormalization()(L.Conv2D(width, 3, padding="same")(found))
        found = L.ReLU()(L.Add()([before, found]))
    return keras.Model(rows, L.Dense(3, activation="softmax")(L.GlobalAveragePooling2D()(found)))


def staged():
    """A network whose layers' names begin alike, with a projection where the map gets smaller."""
    rows = keras.Input((16, 16, 3))
    found = L.Conv2D(8, 3, padding="same", name="stem_conv")(rows)
    for stage, depth in ((1, 2), (2, 4), (3, 3)):
        for block in range(1, depth + 1):
            name, filters, first = f"conv{stage}_block{block}", 8 * stage, block == 1
            before, strides = found, 2 if first and stage > 1 else 1
            if first:
                before = L.Conv2D(4 * filters, 1, strides=strides, name=f"{name}_0_conv")(found)
                before = L.BatchNormalization(name=f"{name}_0_bn")(before)
            for index, size in ((1, 1), (2, 3)):
                made = L.Conv2D(filters, size, strides=strides if index == 1 else 1, padding="same", use_bias=False,
                                name=f"{name}_{index}_conv")(found)  # fmt: skip
                found = L.ReLU(name=f"{name}_{index}_relu")(L.BatchNormalization(name=f"{name}_{index}_bn")(made))
            found = L.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(found)
            found = L.Add(name=f"{name}_add")([before, found])
            found = L.ReLU(name=f"{name}_out")(found)
    return keras.Model(rows, L.Dense(3, activation="softmax", name="predictions")(L.GlobalMaxPooling2D()(found)))


def u_net():
    rows = keras.Input((16, 16, 1))
    found, kept = rows, []
    for level in range(4):
        for index in (1, 2):
            found = L.Conv2D(4 * 2**level, 3, padding="same", name=f"down{level}_conv{index}")(found)
            found = L.BatchNormalization(name=f"down{level}_bn{index}")(found)
            found = L.ReLU(name=f"down{level}_relu{index}")(found)
        kept.append(found)
        found = L.MaxPooling2D(name=f"down{level}_pool")(found)
    for level in reversed(range(4)):
        found = L.Conv2DTranspose(4 * 2**level, 2, strides=2, name=f"up{level}_wider")(found)
        found = L.Concatenate(name=f"up{level}_skip")([kept[level], found])
        found = L.Conv2D(4 * 2**level, 3, padding="same", name=f"up{level}_conv")(found)
        found = L.BatchNormalization(name=f"up{level}_bn")(found)
        found = L.ReLU(name=f"up{level}_relu")(found)
    return keras.Model(rows, L.Conv2D(2, 1, activation="softmax", name="predictions")(found))


def odd_inputs():
    one, other = keras.Input((4,), name="input"), keras.Input((4,), name="second row")
    return keras.Model([one, other], L.Dense(3)(L.Add()([L.Dense(4)(one), other])))


def steps_of(call, shape=(6,)):
    """A model that looks at a mask behind what is called on an `Embedding` with one, and on another without."""

    def both(ids):
        found = call(L.Embedding(9, 4, mask_zero=True)(ids), L.Embedding(9, 4)(ids))
        return L.Dense(2, name="last")(L.LSTM(3, return_sequences=True)(found))

    return on(shape, both, dtype="int32")


def chain(*parts, shape=(4,), **more):
    return keras.Sequential([keras.Input(shape, **more), *parts])


def on(shape, call, **more):
    rows = keras.Input(shape, **more)
    return keras.Model(rows, call(rows))


def changed_name(model, name):
    model.name = name
    return model
