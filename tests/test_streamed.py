"""Rows of a `tf.data.Dataset`: the same data set as from arrays, or a sentence."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

import zoo
from zoo import ZooError

X, Y = load_digits(return_X_y=True)
X = X.reshape(-1, 8, 8, 1).astype("uint8")
WHOLE = tf.data.Dataset.from_tensor_slices((X, Y))
WORDS = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])[Y]


def generated(rows, *signature):
    return tf.data.Dataset.from_generator(
        lambda: iter(rows), output_signature=signature if signature[1:] else signature[0]
    )


def failing():
    yield np.zeros(3, "float32")
    raise OSError("no such picture")


@pytest.mark.parametrize(
    "pipeline", [WHOLE, WHOLE.batch(50), WHOLE.batch(3, drop_remainder=True).prefetch(2)], ids=["rows", "50", "3"]
)
def test_a_pipeline_is_the_data_set_of_its_arrays(pipeline):
    found, expected = zoo.data(pipeline), zoo.data((X, Y))

    assert found.description == expected.description
    for part in ("train", "validation"):
        one, other = getattr(found, part), getattr(expected, part)
        np.testing.assert_array_equal(np.asarray(one.x), other.x)
        np.testing.assert_array_equal(one.y, other.y)


def test_the_rows_lie_in_a_file_and_train_as_arrays_do(tmp_path):
    rows = zoo.data(WHOLE.batch(64))
    scores = [
        zoo.train("lenet5", source, epochs=1, run=tmp_path / name).score
        for name, source in (("pipeline", rows), ("arrays", (X, Y)))
    ]

    assert not isinstance(rows.train.x, np.ndarray)
    assert scores[0] == scores[1]


def test_a_pipeline_may_have_a_test_part_labels_of_text_and_no_target():
    parts = zoo.data({"train": WHOLE.take(1200), "test": WHOLE.skip(1200)}).description
    words = zoo.data(tf.data.Dataset.from_tensor_slices((X, WORDS)).batch(7)).description
    alone = zoo.data(tf.data.Dataset.from_tensor_slices(X)).description

    assert (parts.rows["train"] + parts.rows["validation"], parts.rows["test"]) == (1200, 597)
    assert words.classes == tuple(sorted(set(WORDS)))
    assert alone.y is None
    fixed = zoo.data(tf.data.Dataset.from_tensor_slices(X).batch(3, drop_remainder=True)).description
    assert fixed == alone


def test_a_folder_of_pictures_as_keras_reads_it_keeps_the_names_of_its_classes(tmp_path):
    for name, at in (("ones", 1), ("fours", 4)):
        (tmp_path / name).mkdir()
        for index, row in enumerate(X[at == Y][:40]):
            keras.utils.save_img(tmp_path / name / f"{index}.png", row * 16, scale=False)
    pictures = keras.utils.image_dataset_from_directory(
        tmp_path, image_size=(8, 8), color_mode="grayscale", verbose=False
    )

    found = zoo.data(pictures).description
    assert found.classes == ("fours", "ones")
    assert sum(found.rows.values()) == 80


@pytest.mark.parametrize(
    ("pipeline", "says"),
    [
        (WHOLE.repeat(), "the pipeline repeats without end; expected it without `repeat`"),
        (tf.data.Dataset.from_tensor_slices({"a": X}), r"gives {a: uint8 \(8, 8, 1\)}; expected rows \(x, y\) of one"),
        (
            tf.data.Dataset.from_tensor_slices((X, Y, Y)),
            r"int64 \(\), int64 \(\)\); expected rows \(x, y\) of one shape",
        ),
        (WHOLE.take(0), "the pipeline is empty; expected rows"),
        (tf.data.Dataset.from_tensor_slices(WORDS), "the pipeline's rows are text; expected numbers"),
        (generated([(np.zeros(3), 1)], tf.TensorSpec((None,)), tf.TensorSpec(())), "the rows are of several shapes"),
        (generated([], tf.TensorSpec(None)), "does not say the shape of its rows"),
        (generated([], tf.RaggedTensorSpec((None, None))), "gives RaggedTensorSpec; expected rows"),
        (
            tf.data.Dataset.from_generator(failing, output_signature=tf.TensorSpec((3,))),
            "the pipeline fails: .*no such picture",
        ),
        ({"train": WHOLE, "validation": WHOLE}, "holds `validation`, a .*, beside a pipeline; expected `train`, and"),
        ({"train": WHOLE, "test": X}, "holds `test`, a ndarray, beside a pipeline; expected `train`, and `test`"),
    ],
    ids=lambda one: one[:24] if isinstance(one, str) else "of",
)
def test_what_is_no_rows_is_refused_in_a_sentence(pipeline, says):
    with pytest.raises(ZooError, match=says):
        zoo.data(pipeline)
