"""Data: every source loads and is described; parts are whole, apart and free of leaks; what is wrong is said."""

import functools
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zoo.datasets import dataset, description, sources, splitting
from zoo.datasets.sources import SOURCES
from zoo.errors import ZooError

OFFLINE = [name for name in SOURCES if not name.startswith("keras:")]
SHARED = Path(__file__).parents[2] / "shared" / "data"
ZOO = shutil.which("zoo", path=str(Path(sys.executable).parent)) or "zoo"

ROWS = np.random.default_rng(0).normal(size=(90, 5)).astype("float32")
LABELS = np.arange(90) % 3
PIXELS = np.random.default_rng(1).integers(0, 256, (60, 6, 6)).astype("uint8")


@functools.cache
def load(name):
    return dataset.load(name)


def each(*but):
    """A test for each offline source that is not excepted."""
    return pytest.mark.parametrize("name", [name for name in OFFLINE if name not in but])


def parts_of(loaded):
    return {"train": loaded.train, "validation": loaded.validation, "test": loaded.test()}


def keys(rows):
    """What tells rows apart: their bytes."""
    return [np.ascontiguousarray(row).tobytes() for row in rows]


def saved(folder, **arrays):
    path = folder / "mine.npz"
    np.savez_compressed(path, **arrays)
    return str(path)


# Sources


def test_there_are_sources_to_test():
    assert len(OFFLINE) >= 5


@each()
def test_an_offline_source_is_described_as_it_is(name):
    loaded = load(name)
    parts, says = parts_of(loaded), loaded.description

    assert says.name == name
    assert says.rows == {part: len(rows) for part, rows in parts.items()}
    assert all(count > 0 for count in says.rows.values())
    for rows in parts.values():
        assert rows.x.shape[1:] == says.x.shape and rows.x.dtype.name == says.x.dtype
        assert rows.y.shape[1:] == says.y.shape and len(rows.y) == len(rows.x)
    train = loaded.train.x.astype("float64")
    axes = tuple(range(train.ndim - 1))
    np.testing.assert_allclose(says.x.mean, train.mean(axis=axes), rtol=1e-9)
    np.testing.assert_allclose(says.x.variance, train.var(axis=axes), rtol=1e-9)
    assert (says.x.minimum, says.x.maximum) == (train.min(), train.max())
    assert f"{len(loaded.train):,} rows to train" in repr(loaded)


@each()
def test_a_description_survives_json(name):
    says = load(name).description

    assert description.read(json.loads(json.dumps(says.written()))) == says


@each()
def test_the_parts_of_an_offline_source_share_no_row(name):
    kept = [set(keys(rows.x)) for rows in parts_of(load(name)).values()]

    assert not (kept[0] & kept[1] or kept[0] & kept[2] or kept[1] & kept[2])


@each("co2")  # a series that is cut into windows, tested value by value below
def test_the_parts_of_an_offline_source_hold_every_row_once(name):
    raw, parts = sources.load(name), parts_of(load(name))
    whole = raw.x if raw.x_test is None else np.concatenate([raw.x, raw.x_test])
    together = np.concatenate([rows.x for rows in parts.values()])

    assert Counter(keys(together)) == Counter(keys(dataset._numbers(whole)))
    if raw.x_test is None:
        shares = [len(rows) / len(whole) for rows in parts.values()]
        assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.01)
    else:
        assert keys(parts["test"].x) == keys(dataset._numbers(raw.x_test))
        assert len(parts["validation"]) / len(raw.x) == pytest.approx(0.2, abs=0.01)


@each("co2")
def test_rows_keep_their_labels(name):
    raw, loaded = sources.load(name), load(name)
    whole, targets = dataset._numbers(raw.x), np.asarray(raw.y)
    truth = dict(zip(keys(whole), targets.tolist(), strict=True))
    for rows in (loaded.train, loaded.validation):
        for key, y in zip(keys(rows.x), rows.y.tolist(), strict=True):
            assert truth[key] == (y if loaded.description.classes else y[0])


@each("co2", "diabetes")
def test_classes_stand_in_every_part_at_the_same_share(name):
    classes = len(load(name).description.classes)
    shares = [np.bincount(rows.y, minlength=classes) / len(rows) for rows in parts_of(load(name)).values()]

    assert min(share.min() for share in shares) > 0
    assert np.ptp(shares, axis=0).max() < 0.02


def test_a_source_is_found_whatever_its_case_dashes_and_underscores():
    assert sources.named("Breast-Cancer") == "breast_cancer"
    assert dataset.load("Breast-Cancer").description.name == "breast_cancer"


def test_an_unknown_source_is_refused_with_the_nearest():
    with pytest.raises(ZooError, match=r"no data set `digitz`; expected one of digits, .*; did you mean `digits`\?$"):
        dataset.load("digitz")


def test_openings_of_the_test_part_are_counted():
    loaded = dataset.load((ROWS, LABELS))
    before = loaded.test_openings
    loaded.test(), loaded.test()

    assert (before, loaded.test_openings) == (0, 2)


def test_equal_data_have_one_fingerprint_and_other_data_another():
    once, again = (dataset.load((ROWS, LABELS)).description.fingerprint for _ in range(2))
    changed = ROWS.copy()
    changed[3, 2] += 1e-3

    assert once == again
    assert dataset.load((changed, LABELS)).description.fingerprint != once
    assert dataset.load((ROWS, np.roll(LABELS, 1))).description.fingerprint != once


# Keras's downloads: a real file in Keras's own cache, or no network at all

KERAS_CACHE = """
import gzip, json, os, sys
import numpy as np

folder = os.path.join(os.environ["KERAS_HOME"], "datasets")
os.makedirs(folder + "/fashion-mnist")
rng = np.random.default_rng(0)
x, y = rng.integers(0, 256, (50, 28, 28)).astype("uint8"), (np.arange(50) % 10).astype("uint8")
np.savez(folder + "/mnist.npz", x_train=x, y_train=y, x_test=x[::-1][:20], y_test=y[::-1][:20])
np.savez(folder + "/california_housing.npz", x=rng.random((100, 8)), y=rng.random(100))
for part, rows in (("train", 50), ("t10k", 20)):
    with gzip.open(f"{folder}/fashion-mnist/{part}-labels-idx1-ubyte.gz", "wb") as file:
        file.write(bytes(8) + y[:rows].tobytes())
    with gzip.open(f"{folder}/fashion-mnist/{part}-images-idx3-ubyte.gz", "wb") as file:
        file.write(bytes(16) + x[:rows].tobytes())

from keras.src.utils import file_utils
file_utils.validate_file = lambda *a, **k: True  # these small files are not the published ones
from zoo.datasets import dataset

for name in ("keras:mnist", "keras:fashion_mnist", "keras:california_housing"):
    print(json.dumps(dataset.load(name).description.written()))
"""


def without_network(folder):
    proxy = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https")}
    return {**os.environ, **proxy, "no_proxy": "", "KERAS_HOME": str(folder)}


def test_keras_sources_load_from_keras_cache(tmp_path):
    command = [sys.executable, "-c", KERAS_CACHE]
    ended = subprocess.run(command, env=without_network(tmp_path), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    digits, clothes, houses = (description.read(json.loads(line)) for line in ended.stdout.splitlines())

    assert (digits.name, digits.task, digits.x.shape) == ("keras:mnist", "classification", (28, 28, 1))
    assert digits.classes == tuple(range(10)) and digits.rows["test"] == 20
    assert (clothes.task, clothes.x.shape, clothes.rows["test"]) == ("classification", (28, 28, 1), 20)
    assert (houses.task, houses.x.shape, houses.y.shape) == ("regression", (8,), (1,))


def test_a_download_that_fails_is_said_in_a_sentence(tmp_path):
    command = [ZOO, "check", "lenet5", "--data", "keras:mnist"]
    ended = subprocess.run(
        command, env=without_network(tmp_path), cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "keras:mnist could not be loaded: URL fetch failure" in ended.stderr
    assert "Traceback" not in ended.stderr


# Splitting


def test_by_hash_takes_the_share_of_each_class():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(1000, 3)), rng.choice(4, 1000, p=[0.7, 0.2, 0.09, 0.01])
    kept, held = splitting.by_hash(splitting.keys(x), y, 0.2, stratify=True)

    assert sorted([*kept, *held]) == list(range(1000))
    for label in range(4):
        assert (y[held] == label).sum() == max(1, round(0.2 * (y == label).sum()))


def test_by_hash_does_not_depend_on_the_order_of_the_rows():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(300, 4)), rng.integers(0, 3, 300)
    order = rng.permutation(300)
    for stratify in (True, False):
        held = splitting.by_hash(splitting.keys(x), y, 0.25, stratify)[1]
        again = splitting.by_hash(splitting.keys(x[order]), y[order], 0.25, stratify)[1]
        assert {*keys(x[held])} == {*keys(x[order][again])}


def test_equal_rows_are_never_on_both_sides():
    rng = np.random.default_rng(4)
    x = rng.integers(0, 2, (400, 5))  # 32 different rows, each about a dozen times
    x = np.where(x == 0, rng.choice([0.0, -0.0], x.shape), x)  # equal, though their bytes differ
    y = rng.integers(0, 3, 400)
    for stratify in (True, False):
        kept, held = splitting.by_hash(splitting.keys(x), y, 0.2, stratify)
        assert len(kept) and len(held)
        assert not {tuple(row) for row in x[kept].tolist()} & {tuple(row) for row in x[held].tolist()}


def test_a_class_of_one_row_is_kept_whole():
    kept, held = splitting.by_hash(splitting.keys(ROWS), np.r_[np.zeros(89, int), 1], 0.2, stratify=True)

    assert 89 in kept and 89 not in held


def test_a_class_of_three_rows_stands_in_every_part():
    labels = np.where(np.arange(90) < 3, 1, 0)
    parts = parts_of(dataset.load((ROWS, labels)))

    assert [int(rows.y.sum()) for rows in parts.values()] == [1, 1, 1]


def test_by_time_keeps_the_gap():
    kept, held = splitting.by_time(100, 0.2, 3)

    assert kept.tolist() == list(range(77)) and held.tolist() == list(range(80, 100))


@pytest.mark.parametrize("rows, share, gap", [(0, 0.2, 0), (1, 0.2, 0), (5, 0.2, 9), (3, 0.9, 1)])
def test_by_time_names_only_rows_that_there_are(rows, share, gap):
    kept, held = splitting.by_time(rows, share, gap)

    assert set(kept.tolist()) | set(held.tolist()) <= set(range(rows))
    assert not set(kept.tolist()) & set(held.tolist())


# Series


def counted(monkeypatch, steps=None):
    """The co2 source with the numbers of its steps in place of its values, so that each value tells its own time."""
    rows = sources.load("co2")
    series = np.arange(steps or len(rows.series), dtype="float32")[:, None]
    monkeypatch.setitem(SOURCES, "counted", ("", lambda: replace(rows, series=series)))
    return dataset.load("counted"), rows.window, rows.horizon, len(series)


def test_no_value_that_is_forecast_later_is_a_training_target(monkeypatch):
    loaded, window, horizon, steps = counted(monkeypatch)
    train, validation, test = (set(rows.y.ravel().tolist()) for rows in parts_of(loaded).values())

    assert not (train & validation or train & test or validation & test)
    assert max(train) < min(validation) and max(validation) < min(test)
    assert train | validation | test == set(range(window, steps))
    assert max(loaded.train.x.ravel()) < min(validation)
    assert max(loaded.validation.x.ravel()) < min(test)
    assert (window, horizon) == (52, 4)


def test_a_window_is_followed_by_its_horizon(monkeypatch):
    loaded, window, horizon, _ = counted(monkeypatch)
    for rows in parts_of(loaded).values():
        for x, y in zip(rows.x[..., 0], rows.y[..., 0], strict=True):
            begin = x[0]
            assert x.tolist() == list(np.arange(begin, begin + window))
            assert y.tolist() == list(np.arange(begin + window, begin + window + horizon))


def test_co2_holds_the_values_of_its_series():
    series, loaded = sources.load("co2").series[:, 0], dataset.load("co2")

    np.testing.assert_array_equal(loaded.train.x[0, :, 0], series[:52])
    np.testing.assert_array_equal(loaded.test().y[-1, :, 0], series[-4:])
    changes = loaded.train.y - loaded.train.x[:, -1:]
    assert loaded.description.y_change.mean == pytest.approx((changes.astype("float64").mean(),))


def windows(steps, window, horizon):
    series = np.arange(steps, dtype="float32")
    starts = range(steps - window - horizon + 1)
    x = np.stack([series[start : start + window] for start in starts])[..., None]
    return x, np.stack([series[start + window : start + window + horizon] for start in starts])


def test_windows_of_a_users_own_share_no_target_between_parts(tmp_path):
    x, y = windows(200, 10, 4)
    loaded = dataset.load(saved(tmp_path, x_train=x, y_train=y))
    train, validation, test = (set(rows.y.ravel().tolist()) for rows in parts_of(loaded).values())

    assert (loaded.description.task, loaded.description.order) == ("forecasting", "time")
    assert loaded.description.y.shape == (4, 1)
    assert not (train & validation or train & test or validation & test)
    assert max(train) < min(validation) and max(validation) < min(test)


def test_a_horizon_of_one_step_is_a_forecast_too(tmp_path):
    x, y = windows(100, 10, 1)
    loaded = dataset.load(saved(tmp_path, x_train=x, y_train=y, x_test=x[:9], y_test=y[:9]))

    assert (loaded.description.task, loaded.description.y.shape) == ("forecasting", (1, 1))
    assert loaded.train.y.max() < loaded.validation.y.min()


def test_too_few_windows_are_said():
    with pytest.raises(ZooError, match="no rows are left for the train part; expected more rows"):
        dataset.load((np.random.random((5, 6, 1)), np.random.random((5, 10))))


# .npz files: what they mean


def test_an_npz_without_a_test_part_is_split(tmp_path):
    loaded = dataset.load(saved(tmp_path, x_train=ROWS, y_train=LABELS))

    assert loaded.description.name == "mine"
    assert loaded.description.rows == {"train": 54, "validation": 18, "test": 18}
    assert loaded.description.classes == (0, 1, 2)


def test_an_npz_with_a_test_part_keeps_it(tmp_path):
    loaded = dataset.load(saved(tmp_path, x_train=ROWS[:60], y_train=LABELS[:60], x_test=ROWS[60:], y_test=LABELS[60:]))

    assert loaded.description.rows == {"train": 48, "validation": 12, "test": 30}
    np.testing.assert_array_equal(loaded.test().x, ROWS[60:])
    np.testing.assert_array_equal(loaded.test().y, LABELS[60:])


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"x_test": ROWS[:7]}, "holds `x_test` without `y_test`; expected both, or `x_test` under another name"),
        ({"y_test": LABELS[:7]}, "holds `y_test` without `x_test`"),
        ({"x_val": ROWS[:7], "y_val": LABELS[:7]}, "holds `x_val`, which nothing reads: the validation part is split"),
        ({"y_validation": LABELS[:7]}, "holds `y_validation`, which nothing reads"),
    ],
)
def test_a_part_that_nothing_would_read_is_refused(tmp_path, more, says):
    arrays = {"x_train": ROWS, "y_train": LABELS, **more}
    for source in (saved(tmp_path, **arrays), arrays):
        with pytest.raises(ZooError, match=says):
            dataset.load(source)


def test_rows_without_targets_may_have_a_test_part_without_them(tmp_path):
    assert len(dataset.load({"x_train": ROWS, "x_test": ROWS[:7]}).test()) == 7


@pytest.mark.parametrize("kind", ["U", "S", "O"])
def test_labels_may_be_text(kind):
    words = np.array(["Käse", "apfel", "brot"])
    labels = {"U": words, "S": np.char.encode(words), "O": words.astype(object)}[kind][LABELS]
    loaded = dataset.load((ROWS, labels))

    assert loaded.description.classes == ("Käse", "apfel", "brot")
    read = description.read(json.loads(json.dumps(loaded.description.written())))
    assert read == loaded.description


def test_labels_may_be_booleans():
    loaded = dataset.load((ROWS, LABELS > 0))

    assert loaded.description.classes == (0, 1)
    assert [type(one) for one in loaded.description.classes] == [int, int]


@pytest.mark.parametrize("encode", [str, np.char.encode])
def test_class_names_belong_to_the_numbers(tmp_path, encode):
    names = np.array(["cat", "dog", "eel", "fox"])
    names = names if encode is str else np.char.encode(names)
    loaded = dataset.load(saved(tmp_path, x_train=ROWS, y_train=LABELS + 1, classes=names))

    assert loaded.description.classes == ("dog", "eel", "fox")


def test_numbers_of_classes_need_not_be_contiguous(tmp_path):
    loaded = dataset.load(saved(tmp_path, x_train=ROWS, y_train=np.array([-5, 7, 1000])[LABELS]))

    assert loaded.description.classes == (-5, 7, 1000)
    assert sorted(np.unique(loaded.train.y).tolist()) == [0, 1, 2]


def test_a_column_of_labels_is_labels():
    labels = LABELS[:, None]
    loaded = dataset.load({"x_train": ROWS, "y_train": labels, "x_test": ROWS[:9], "y_test": LABELS[:9]})

    assert loaded.description.task == "classification"
    assert loaded.train.y.ndim == loaded.test().y.ndim == 1


def test_a_single_label_is_no_label(tmp_path):
    loaded = dataset.load(saved(tmp_path, x_train=ROWS, y_train=np.zeros(90, int), x_test=ROWS[:9], y_test=LABELS[:9]))

    assert (loaded.description.task, loaded.description.y) == ("reconstruction", None)
    assert loaded.train.y is None and len(loaded.test()) == 9


@pytest.mark.parametrize("source", [{"x_train": ROWS}, {"x_train": ROWS, "y_train": None}, (ROWS, None)])
def test_rows_without_targets_are_reconstructed(source):
    assert dataset.load(source).description.task == "reconstruction"


@pytest.mark.parametrize("shape", [(90,), (90, 1), (90, 2)])
def test_numbers_with_a_point_are_regressed(shape):
    targets = np.random.default_rng(5).random(shape)
    loaded = dataset.load((ROWS, targets))

    assert loaded.description.task == "regression"
    assert loaded.train.y.dtype == np.float32
    assert loaded.train.y.shape[1:] == ((*shape, 1)[1],)


def test_gray_images_get_their_channel(tmp_path):
    path = saved(tmp_path, x_train=PIXELS, y_train=LABELS[:60], x_test=PIXELS[:9].astype("int64"), y_test=LABELS[:9])
    loaded = dataset.load(path)

    assert loaded.description.x.kind == "image"
    assert loaded.train.x.shape[1:] == loaded.test().x.shape[1:] == (6, 6, 1)
    assert loaded.train.x.dtype == loaded.test().x.dtype == np.uint8


@pytest.mark.parametrize("kind", ["i4", "f4", "u2"])
def test_rows_of_another_machines_byte_order_are_turned(kind):
    rows = np.random.default_rng(0).integers(0, 99, (90, 5))
    theirs, ours = (dataset.load((rows.astype(order + kind), LABELS)) for order in (">", "="))

    assert theirs.description == ours.description
    assert theirs.train.x.dtype.isnative


def test_measurements_in_two_dimensions_are_a_sequence():
    loaded = dataset.load((np.random.random((60, 6, 2)), LABELS[:60]))

    assert (loaded.description.x.kind, loaded.description.x.shape) == ("sequence", (6, 2))


# .npz files: what is refused


X, Y = {"x_train": ROWS}, {"y_train": LABELS}
HOLES = np.where(ROWS > 2, np.nan, ROWS)
WRONG = {
    "nothing": ({}, r"holds nothing, no `x_train`; expected x_train and y_train"),
    "no x_train": ({"X_Train": ROWS, **Y}, r"no `x_train`; .*did you mean to call `X_Train` x_train\?"),
    "unequal lengths": ({**X, "y_train": LABELS[:80]}, r"x_train has 90 rows, y_train 80; expected as many"),
    "unequal lengths of test": ({**X, **Y, "x_test": ROWS, "y_test": LABELS[1:]}, r"x_test has 90 rows, y_test 89"),
    "no rows": ({"x_train": ROWS[:0], "y_train": LABELS[:0]}, r"x_train has the shape \(0, 5\); expected rows"),
    "no columns": ({"x_train": ROWS[:, :0], **Y}, r"x_train has the shape \(90, 0\); expected rows"),
    "one number a row": ({"x_train": ROWS[:, 0], **Y}, r"x_train has the shape \(90,\); expected rows"),
    "nine dimensions": ({"x_train": np.zeros((90, *[1] * 8)), **Y}, r"the shape \(90(, 1){8}\); expected rows"),
    "NaN": ({"x_train": HOLES, **Y}, r"rows of the \w+ part hold NaN or infinity; expected numbers alone"),
    "infinity in a target": ({**X, "y_train": np.full(90, np.inf)}, r"hold NaN or infinity; expected numbers alone"),
    "beyond float32": (
        {"x_train": ROWS.astype("float64") * 1e300, **Y},
        r"hold NaN or infinity; expected numbers alone",
    ),
    "nothing but NaN": ({"x_train": ROWS * np.nan, **Y}, r"90 rows of the train part hold NaN or infinity; expected"),
    "text": (
        {"x_train": ROWS.astype("U9"), **Y},
        r"x_train holds text; expected numbers, such as the columns that pandas.get_dummies makes of words$",
    ),
    "texts": (
        {"x_train": np.array(["some words"] * 90), **Y},
        r"x_train holds text; expected numbers, such as the ids that keras.layers.TextVectorization gives words$",
    ),
    "complex targets": ({**X, "y_train": LABELS * 1j}, r"y_train has the shape \(90,\) of complex128; expected labels"),
    "a lone target": ({**X, "y_train": np.array(3)}, r"y_train has the shape \(\) of int64; expected labels"),
    "one-hot labels": (
        {**X, "y_train": np.eye(3, dtype=int)[LABELS]},
        r"y_train is one-hot, a column a class; expected one label a row: y\.argmax\(axis=1\)",
    ),
    "other rows of test": ({**X, **Y, "x_test": ROWS[:, 1:], "y_test": LABELS}, r"x_test has the shape \(4,\), one of"),
    "other targets of test": (
        {**X, "y_train": ROWS[:, :2], "x_test": ROWS, "y_test": ROWS[:, :3]},
        r"a row of y_test has the shape \(3,\), one of y_train \(2,\)",
    ),
    "wide labels of test": (
        {**X, **Y, "x_test": ROWS, "y_test": np.eye(3, dtype=int)[LABELS]},
        r"a row of y_test has the shape \(3,\), one of y_train \(\)",
    ),
    "text to be regressed": (
        {**X, "y_train": ROWS[:, 0], "x_test": ROWS, "y_test": np.full(90, "a")},
        r"y_test holds <U1, y_train float32; expected numbers",
    ),
    "an unknown label in test": (
        {**X, **Y, "x_test": ROWS, "y_test": LABELS + 1},
        r"the test part has the label `3`, which no training row has",
    ),
    "a scaled test part": (
        {"x_train": PIXELS, "y_train": LABELS[:60], "x_test": PIXELS / 255, "y_test": LABELS[:60]},
        r"x_train holds uint8, x_test float64; expected one type, scaled alike",
    ),
    "one row": ({"x_train": ROWS[:1], "y_train": LABELS[:1]}, r"no rows are left for the \w+ part; expected more rows"),
    "equal rows": (
        {"x_train": np.ones((90, 5)), **Y},
        r"of \d+ rows so many are equal, .* none is left for the \w+ part; expected",
    ),
    "pickled rows": ({"x_train": np.array([{}] * 90), **Y}, r"holds pickled objects, which could run code; expected"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_learned_from_is_refused_in_a_sentence(tmp_path, case):
    arrays, says = WRONG[case]
    path = saved(tmp_path, **arrays)
    with pytest.raises(ZooError, match=says):
        dataset.load(path)


def test_a_pickle_in_an_npz_never_runs(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "owned",))

    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "|O", "fortran_order": False, "shape": (2,)})
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train.npy", content.getvalue() + pickle.dumps([Bomb(), Bomb()]))
    with pytest.raises(ZooError, match="pickled objects, which could run code"):
        dataset.load(str(path))
    assert not (tmp_path / "owned").exists()


def test_no_file_or_another_kind_of_file_is_said(tmp_path):
    torn, text = tmp_path / "torn.npz", tmp_path / "rows.csv"
    torn.write_bytes(b"PK\3\4 this is no archive")
    text.write_text("1,2\n")
    (tmp_path / "folder.npz").mkdir()
    for path, says in {
        torn: "is torn or not an .npz archive",
        text: "with x_train and y_train; pandas.read_csv reads this one, and numpy.savez writes what it gives",
        tmp_path / "folder.npz": "cannot be read: Is a directory",
        tmp_path / "absent.npz": "absent.npz is not there",
        tmp_path / ("long" * 100 + ".npz"): "cannot be read: File name too long",
        tmp_path: r"holds folder.npz/, rows.csv, torn.npz and no .npy files; expected a folder with x_train.npy",
    }.items():
        with pytest.raises(ZooError, match=says):
            dataset.load(str(path))


def test_a_folder_of_pictures_is_told_what_makes_data_of_it(tmp_path):
    for word in ("cat", "dog"):
        (tmp_path / "pics" / word).mkdir(parents=True)
        (tmp_path / "pics" / word / "1.PNG").write_bytes(b"")
    (tmp_path / "nothing").mkdir()

    said = r'pics holds cat/, dog/ and no .npy files; .*image_dataset_from_directory\(".*pics", shuffle=False\)$'
    with pytest.raises(ZooError, match=said):
        dataset.load(tmp_path / "pics")
    with pytest.raises(ZooError, match=r"nothing is empty; expected a folder with x_train.npy and y_train.npy$"):
        dataset.load(tmp_path / "nothing")


@pytest.mark.parametrize(
    "source, says",
    [
        (3, r"a int is no data; expected a name, an \.npz path, a folder, a mapping of arrays, a pair \(x, y\) or"),
        ((ROWS, LABELS, LABELS), "a tuple is no data"),
        ({"x": ROWS}, "holds x, no `x_train`"),
        ({3: ROWS}, "holds 3, no `x_train`"),
        (([[1, 2], [3]], [0, 1]), "x is no array .*; expected rows of one shape"),
        ((None, LABELS), "x_train holds object; expected numbers"),
        ("", "no data set ``"),
    ],
)
def test_what_is_no_data_is_refused(source, says):
    with pytest.raises(ZooError, match=says):
        dataset.load(source)


# Real files

TASKS = {"concrete": "regression", "shakespeare_chars": "language"} | {
    name: task
    for task, names in {
        "forecasting": ("fc_co2", "fc_electricity", "fc_sunspots"),
        "reconstruction": ("ecg5000_ae", "sensor_motes_ae"),
    }.items()
    for name in names
}
FILES = sorted(SHARED.glob("*.npz"))


@pytest.mark.skipif(not FILES, reason=f"{SHARED} is not there")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_real_file_loads_or_is_refused_in_a_sentence(path):
    task = TASKS.get(path.stem, "classification")
    loaded = dataset.load(path)

    assert loaded.description.task == task
    with np.load(path) as raw:
        gap = raw["y_train"].shape[1] - 1 if task == "forecasting" else 0
        rows, given = loaded.description.rows, len(raw["x_train"])
        assert rows["test"] == len(raw["x_test"])
        assert rows["train"] + rows["validation"] + gap == given
        assert rows["validation"] / given == pytest.approx(0.2, abs=0.04)


def test_targets_that_may_be_meant_otherwise_are_told():
    dice = np.random.default_rng(0)
    x, whole = dice.normal(size=(300, 4)), dice.integers(0, 150, 300)
    few, yes = dice.integers(0, 3, 300), dice.integers(0, 2, 300)

    def told(y):
        return dataset.load((x, y), "mine").description.doubt

    assert told(whole).endswith("whole numbers are classes; if they are numbers to predict, give them a point: "
                                "y.astype(float)")  # fmt: skip
    assert told(yes.astype("float32")[:, None]).startswith("the targets of mine are 0 and 1 with a point")
    assert told(np.stack([yes, few > 0], 1).astype(float)) == told(yes.astype(float))
    for fine in (few, yes, whole.astype(float), dice.random(300), np.where(yes, 0.9, 0.0), whole.astype(str)):
        assert told(fine) == ""
