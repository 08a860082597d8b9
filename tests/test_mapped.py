"""Rows that do not fit into memory: they stay in their files, and every bit is what it is in memory."""

from __future__ import annotations

import csv
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo import places, selection, working
from zoo.datasets import dataset, description, mapped, sources
from zoo.datasets.mapped import Mapped
from zoo.errors import ZooError
from zoo.meeting import meet
from zoo.training import programs
from zoo.training.programs import Resident, Streamed
from zoo.working import Job, Training, Trial, Workshop

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (120, 6, 6)).astype("uint8")
TABLE = RANDOM.normal(size=(120, 5))
STEPS = RANDOM.normal(size=(120, 8, 2))
TOKENS = RANDOM.integers(0, 9, (120, 7))
LABELS = np.arange(120) % 3

KINDS = {
    "classification": {
        "x_train": IMAGES,
        "y_train": LABELS,
        "x_test": IMAGES[:9].astype("int64"),
        "y_test": LABELS[:9],
    },
    "text labels": {"x_train": TABLE, "y_train": np.array(["a", "b", "c"])[LABELS]},
    "named classes": {"x_train": TABLE, "y_train": LABELS, "classes": np.array(["low", "middle", "high"])},
    "multilabel": {"x_train": TABLE, "y_train": RANDOM.integers(0, 2, (120, 4))},
    "segmentation": {"x_train": np.stack([IMAGES] * 3, -1), "y_train": 10 * (IMAGES // 90)},
    "language": {"x_train": TOKENS, "y_train": np.roll(TOKENS, -1, 1), "x_test": TOKENS, "y_test": TOKENS},
    "regression": {"x_train": TABLE, "y_train": TABLE[:, :2] * 1e3},
    "forecasting": {"x_train": STEPS.astype("float32"), "y_train": STEPS[:, :3] * 2},
    "reconstruction": {"x_train": IMAGES > 128},
}


def folder_of(path: Path, arrays) -> str:
    """The arrays as a folder of .npy files."""
    path.mkdir(exist_ok=True)
    for name, array in arrays.items():
        np.save(path / f"{name}.npy", array)
    return str(path)


def parts_of(loaded):
    return [loaded.train, loaded.validation, loaded.test()]


def same(one, other) -> bool:
    """Whether two arrays, or the rows of a file and an array, hold the same."""
    if one is None or other is None:
        return one is other
    one, other = np.asarray(one), np.asarray(other)
    return one.dtype == other.dtype and np.array_equal(one, other)


# Rows in a file


@pytest.fixture
def rows(tmp_path):
    np.save(tmp_path / "rows.npy", STEPS)
    return mapped.mapped(np.load(tmp_path / "rows.npy", mmap_mode="r"))


INDICES = [
    3, -1, slice(None), slice(5, 9), slice(None, None, -7), [4, 2, 2], np.array([7, 0]), np.arange(120) % 3 == 0,
    (slice(2, 5), slice(-1, None)), (slice(None), 0, 1), (3, 1), ([5, 1], 2),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_rows_in_a_file_are_read_as_an_array_would_be(rows, index):
    order = np.array([119, 5, 5, 40, *range(116)])

    assert isinstance(rows, Mapped)
    assert same(rows[index], STEPS[index])
    assert same(rows.at(order)[index], STEPS[order][index])
    assert same(rows.then(np.float32)[index], STEPS.astype("float32")[index])


def test_rows_know_their_shape_type_and_size_before_anything_is_read(rows):
    changed = rows.at(np.arange(50, 60)).then(np.float32)

    assert (rows.shape, rows.ndim, rows.dtype, len(rows), rows.nbytes) == ((120, 8, 2), 3, float, 120, STEPS.nbytes)
    assert (changed.shape, changed.dtype, changed.nbytes) == ((10, 8, 2), np.float32, 10 * 64)
    assert same(changed.before(rows.then(np.float32).at(np.array([3]))), STEPS[[*range(50, 60), 3]].astype("float32"))
    assert all(same(one, other) for one, other in zip(changed, STEPS[50:60].astype("float32"), strict=True))


@pytest.mark.parametrize(
    "view",
    [lambda a: a, lambda a: a[20:3090], lambda a: a[::-2], lambda a: a[:, 1:5, ::-1], lambda a: np.asarray(a)[3:]],
)
def test_another_process_gets_the_name_of_the_file_and_finds_the_same_rows(tmp_path, view):
    with open(tmp_path / "raw", "wb") as file:
        file.write(b"head")
        file.write(np.repeat(STEPS, 50, axis=0).tobytes())
    array = view(np.memmap(tmp_path / "raw", float, "r", offset=4, shape=(6000, 8, 2)))
    rows = mapped.mapped(array).at(np.arange(0, 1000, 3)).then(np.float32)
    sent = pickle.dumps(rows)

    assert len(sent) < 2000
    assert same(pickle.loads(sent), array[np.arange(0, 1000, 3)].astype("float32"))


def test_a_file_that_became_another_is_refused_where_it_is_opened_again(tmp_path, rows):
    sent = pickle.dumps(rows)
    np.save(tmp_path / "rows.npy", STEPS[:50])
    with pytest.raises(
        ZooError, match=r"rows\.npy is not there as it was; expected the rows of a study under the same"
    ):
        pickle.loads(sent)
    (tmp_path / "rows.npy").unlink()
    with pytest.raises(ZooError, match="is not there as it was"):
        pickle.loads(sent)


def test_what_no_other_process_could_map_and_labels_are_read(tmp_path):
    np.save(tmp_path / "rows.npy", STEPS)
    own = np.load(tmp_path / "rows.npy", mmap_mode="c")
    own[0] = 7.0

    assert type(mapped.mapped(own)) is np.ndarray and mapped.mapped(own)[0, 0, 0] == 7.0
    assert mapped.mapped(STEPS) is STEPS
    np.save(tmp_path / "labels.npy", LABELS[:, None])
    assert type(mapped.mapped(np.load(tmp_path / "labels.npy", mmap_mode="r"))) is np.ndarray


# Data sets


@pytest.mark.parametrize("small", [False, True], ids=["one piece", "many pieces"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_is_the_data_set_that_an_npz_is_and_its_rows_stay_in_their_files(tmp_path, monkeypatch, kind, small):
    arrays = KINDS[kind]
    if small:
        monkeypatch.setattr(mapped, "PIECE", 100)
    np.savez(tmp_path / "rows.npz", **arrays)
    there, here = dataset.load(folder_of(tmp_path / "rows", arrays)), dataset.load(tmp_path / "rows.npz")
    given = dataset.load({key: np.load(tmp_path / "rows" / f"{key}.npy", mmap_mode="r") for key in arrays}, "rows")

    assert there.description == here.description == given.description
    assert here.description.task == {"text labels": "classification", "named classes": "classification"}.get(kind, kind)
    for theirs, ours, also in zip(parts_of(there), parts_of(here), parts_of(given), strict=True):
        assert isinstance(theirs.x, Mapped) and isinstance(also.x, Mapped) and type(ours.x) is np.ndarray
        assert isinstance(theirs.y, Mapped) == (ours.y is not None and ours.y[0].size > 1)
        assert same(theirs.x, ours.x) and same(theirs.y, ours.y) and same(also.x, ours.x)
    if kind != "forecasting":
        for pairs in zip(there.folds(3), here.folds(3), strict=True):
            for theirs, ours in zip(*pairs, strict=True):
                assert isinstance(theirs.x, Mapped) and same(theirs.x, ours.x) and same(theirs.y, ours.y)


def test_statistics_of_many_pieces_are_those_of_all_rows(monkeypatch):
    rows = (RANDOM.normal(size=(1000, 4, 3)) * [1, 1e-3, 50] + [0, 1e4, -7]).astype("float32")
    at_once = description.field(rows, "sequence")
    monkeypatch.setattr(mapped, "PIECE", 200)
    in_pieces = description.field(rows, "sequence")
    exact = rows.astype("float64").reshape(-1, 3)

    assert at_once.mean == tuple(exact.reshape(1000, 4, 3).mean(axis=(0, 1)))  # a data set of one piece is as it was
    assert in_pieces.mean == pytest.approx(exact.mean(axis=0), rel=1e-12)
    assert in_pieces.variance == pytest.approx(exact.var(axis=0), rel=1e-12)
    assert (in_pieces.minimum, in_pieces.maximum) == (exact.min(), exact.max())


def test_a_data_set_in_a_folder_goes_to_a_worker_without_its_rows(tmp_path):
    x = np.repeat(IMAGES, 500, axis=0) ^ RANDOM.integers(0, 256, (60000, 6, 6)).astype("uint8")
    loaded = dataset.load(folder_of(tmp_path / "rows", {"x_train": x, "y_train": np.arange(60000) % 3}))
    loaded.folds(2)
    sent = pickle.dumps(loaded)
    arrived = pickle.loads(sent)

    assert len(sent) < x.nbytes / 2  # places and labels of rows of 36 bytes
    assert same(arrived.train.x, loaded.train.x) and same(arrived.folds(2)[1][0].x, loaded.folds(2)[1][0].x)


WRONG = {
    "NaN": ({"x_train": np.where(TABLE > 2, np.nan, TABLE), "y_train": LABELS}, "rows of the .* part hold NaN"),
    "text": ({"x_train": TABLE.astype("U9"), "y_train": LABELS}, "x_train holds text; expected numbers"),
    "one-hot": ({"x_train": TABLE, "y_train": np.eye(3)[LABELS]}, "y_train is one-hot"),
    "unequal": ({"x_train": TABLE, "y_train": LABELS[:80]}, "x_train has 120 rows, y_train 80"),
    "wide text": ({"x_train": TABLE, "y_train": TABLE[:, :2].astype("S9")}, "y_train holds .*expected one label a row"),
    "scaled": (
        {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES / 255, "y_test": LABELS},
        "x_train holds uint8, x_test float64",
    ),
    "no x_train": ({"x": TABLE}, r"rows \(as a folder of \.npy files\) holds x, no `x_train`; expected x_train"),
    "no rows": ({"x_train": TABLE[:0], "y_train": LABELS[:0]}, r"x_train has the shape \(0, 5\)"),
    "objects": ({"x_train": np.array([{}] * 9), "y_train": LABELS[:9]}, "x_train.npy holds pickled objects"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_a_folder_must_not_hold_is_said(tmp_path, case, monkeypatch):
    arrays, says = WRONG[case]
    monkeypatch.setattr(mapped, "PIECE", 100)
    with pytest.raises(ZooError, match=says):
        dataset.load(folder_of(tmp_path / "rows", arrays))


def test_a_torn_file_in_a_folder_is_said(tmp_path):
    path = Path(folder_of(tmp_path / "rows", {"x_train": TABLE, "y_train": LABELS})) / "x_train.npy"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ZooError, match=r"x_train\.npy is torn or not an \.npy array"):
        dataset.load(str(path.parent))


def test_answers_are_for_the_rows_of_a_folder_or_a_mapped_file_as_for_an_array(tmp_path):
    from zoo.predicting import rows_of

    folder_of(tmp_path / "rows", {"x_train": STEPS, "x_test": STEPS[:9], "others": TABLE})

    assert same(rows_of(tmp_path / "rows"), STEPS[:9])
    assert isinstance(rows_of(tmp_path / "rows" / "x_train.npy"), Mapped)


# Training

DATA = {"lenet5": "digits", "lstm": "digits", "mlp": "diabetes", "autoencoder": "digits", "vae": "digits"}
"""One spec of each family, and what it is trained on."""


def arrays_of(name):
    raw = sources.load(name)
    return {"x_train": raw.x, "y_train": np.asarray(raw.y)}


def trained(data, name, folds=0, beside=1, **given):
    """What a trial of a spec on data gives, with a last batch that is smaller, and the sources of its rows."""
    plan = meet(selection.load(name, {"train.batch_size": 50, **given}), data.description, folds=folds)
    shop = Workshop(plan, data, beside=beside)
    values = {key: one.default for key, one in plan.spec.ranges().items()}
    trainings = tuple(Training(7, fold) for fold in (range(folds) if folds else [None]))
    outcome = shop.work(Job((Trial(0, values, 2, trainings),)))[0]
    return outcome, [source for pair in shop._rows.values() for source in pair]


@pytest.mark.parametrize("name", DATA)
def test_rows_that_are_streamed_give_every_bit_that_resident_rows_give(name, tmp_path, monkeypatch):
    arrays = arrays_of(DATA[name])
    expected, rows = trained(dataset.load(arrays), name)
    assert all(isinstance(one, Resident) for one in rows)
    monkeypatch.setenv(working.ROOM, "0")
    monkeypatch.setattr(programs, "BLOCK", 1 if name == "mlp" else 100_000)
    blocks = []
    monkeypatch.setattr(
        Streamed, "_block", lambda self, order, read=Streamed._block: blocks.append(order) or read(self, order)
    )
    found, rows = trained(dataset.load(folder_of(tmp_path / "rows", arrays)), name)

    assert all(isinstance(one, Streamed) for one in rows)
    sizes = [len(order) for order in blocks]
    assert len(blocks) > 8 and any(size % 50 for size in sizes)
    assert sizes[1:3] == [sizes[1]] * 2 and sizes[1] % 50 == 0
    assert found.told == expected.told
    assert set(found.weights) == set(expected.weights)
    for path, weights in expected.weights.items():
        assert (found.weights[path] == weights).all(), path


SERIES = np.sin(np.arange(400) / 7).astype("float32")
TEXT = np.random.default_rng(3).integers(0, 30, (300, 13))
TARGETS = {
    "gru": {
        "x_train": np.lib.stride_tricks.sliding_window_view(SERIES[:-3], 20)[..., None],
        "y_train": np.lib.stride_tricks.sliding_window_view(SERIES[20:], 3)[..., None],
    },
    "charlm": {"x_train": TEXT[:, :-1], "y_train": TEXT[:, 1:]},
}
"""Data whose targets stay in their file as well."""


@pytest.mark.parametrize("name", TARGETS)
def test_targets_are_streamed_beside_their_rows(name, tmp_path, monkeypatch):
    expected, _ = trained(dataset.load(TARGETS[name]), name)
    monkeypatch.setenv(working.ROOM, "0")
    monkeypatch.setattr(programs, "BLOCK", 10_000)
    loaded = dataset.load(folder_of(tmp_path / "rows", TARGETS[name]))
    found, rows = trained(loaded, name)

    assert isinstance(loaded.train.y, Mapped) and all(isinstance(one, Streamed) for one in rows)
    assert found.told == expected.told
    assert all((found.weights[path] == weights).all() for path, weights in expected.weights.items())


def test_rows_in_memory_are_streamed_too_where_their_features_do_not_fit(monkeypatch):
    arrays = arrays_of("digits")
    expected, _ = trained(dataset.load(arrays), "mlp")
    monkeypatch.setenv(working.ROOM, str(1000 * 64 * 4))
    found, rows = trained(dataset.load(arrays), "mlp")

    assert all(isinstance(one, Streamed) for one in rows)
    assert found.told == expected.told


def test_folds_share_the_room_and_are_streamed_alike(tmp_path, monkeypatch):
    arrays = arrays_of("digits")
    expected, rows = trained(dataset.load(arrays), "mlp", folds=3)
    assert all(isinstance(one, Resident) for one in rows)
    monkeypatch.setenv(working.ROOM, str(2000 * (64 * 5 + 8)))  # enough for all rows once, not for three folds
    loaded = dataset.load(folder_of(tmp_path / "rows", arrays))
    found, rows = trained(loaded, "mlp", folds=3)

    assert all(isinstance(one, Streamed) for one in rows)
    assert found.told == expected.told
    _, rows = trained(loaded, "mlp")
    assert all(isinstance(one, Resident) for one in rows)


def test_workers_side_by_side_share_the_room(monkeypatch):
    arrays = arrays_of("digits")
    monkeypatch.setenv(working.ROOM, str(2000 * (64 * 5 + 8)))
    kinds = [{type(one) for one in trained(dataset.load(arrays), "mlp", beside=beside)[1]} for beside in (1, 2)]
    plan = meet(selection.load("mlp"), dataset.load(arrays).description)
    shop = Workshop(plan, dataset.load(arrays))
    places.Pool(shop, 3, later=True).close()

    assert kinds == [{Resident}, {Streamed}]
    assert shop.beside == 3


def test_the_room_for_rows_is_a_part_of_the_memory_or_what_the_variable_says(monkeypatch):
    monkeypatch.delenv(working.ROOM, raising=False)
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

    assert 2**26 < working.room_for_rows() <= whole / 4
    monkeypatch.setenv(working.ROOM, "12")
    assert working.room_for_rows() == 12
    for word in ("much", "-3", ""):
        monkeypatch.setenv(working.ROOM, word)
        with pytest.raises(ZooError, match=rf"ZOO_ROOM_FOR_ROWS is '{word}'; expected a number of bytes"):
            working.room_for_rows()


def test_a_label_as_second_input_is_streamed_beside_its_row(tmp_path, monkeypatch):
    arrays = arrays_of("digits")
    expected, _ = trained(dataset.load(arrays), "cvae")
    monkeypatch.setenv(working.ROOM, "0")
    monkeypatch.setattr(programs, "BLOCK", 100_000)
    found, _ = trained(dataset.load(folder_of(tmp_path / "rows", arrays)), "cvae")

    assert found.told == expected.told


def test_the_next_block_is_read_while_one_is_at_work_and_no_more():
    read = []

    def rows(index):
        read.append(index.tolist())
        return index.astype("float32")[:, None], index

    def wait_for(count):
        until = time.monotonic() + 10
        while len(read) < count and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(0.05)
        assert len(read) == count

    order = np.random.default_rng(0).permutation(14)
    cuts = [order[begin : begin + 4] for begin in (0, 4, 8, 12)]
    blocks = Streamed(rows, 14, programs.BLOCK).blocks(order, 4)
    for cut, so_far in zip(cuts, (2, 3, 4, 4), strict=True):
        (x, y), places = next(blocks)
        wait_for(so_far)
        assert y.numpy()[places].tolist() == x.numpy()[places, 0].tolist() == cut.tolist()
    assert next(blocks, None) is None
    assert read == [sorted(cut.tolist()) for cut in cuts]


def test_an_error_while_rows_are_read_is_raised_where_they_are_wanted():
    def rows(index):
        raise ZooError("the disk is gone")

    with pytest.raises(ZooError, match="the disk is gone"):
        list(Streamed(rows, 10, 1).blocks(np.arange(10), 4))


def test_a_study_on_a_folder_is_the_study_on_arrays_whoever_runs_its_trials(tmp_path, monkeypatch):
    arrays = arrays_of("breast_cancer")
    settings = {"trials": 4, "epochs": 3, "oracle": "random", "set": {"train.batch_size": 50}, "threads": 1}
    expected = zoo.tune("mlp", arrays, run=tmp_path / "one", workers=1, **settings)
    monkeypatch.setenv(working.ROOM, "0")
    monkeypatch.setattr(programs, "BLOCK", 20_000)
    found = zoo.tune("mlp", folder_of(tmp_path / "rows", arrays), run=tmp_path / "two", workers=2, **settings)

    tables = [(tmp_path / name / "trials.csv").read_text() for name in ("one", "two")]
    assert len(list(csv.reader(tables[0].splitlines()))) == 5
    assert tables[0] == tables[1]
    assert (found.validation, found.test, found.verdict) == (expected.validation, expected.test, expected.verdict)


# Memory

LARGE = """
import sys, threading
import numpy as np

def anonymous():
    fields = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    return int(fields["RssAnon"].split()[0]) / 1024

most, ended = [0.0], threading.Event()
def look():
    while not ended.wait(0.02):
        most[0] = max(most[0], anonymous())
threading.Thread(target=look, daemon=True).start()

from zoo import api
rows = api.data(sys.argv[1])
study = api.train({specification}, rows, epochs=1, run=sys.argv[2], threads=1)
ended.set()
print(study.summary["validation"], rows.description.x.maximum, most[0])
"""
TINY = {
    "spec": 1, "name": "tiny", "family": "cnn", "classes": 2, "input": {"shape": [128, 128, 3]}, "l2": 0.0,
    "layers": [{"AveragePooling2D": {"pool_size": 32}}, "Flatten"], "train": {"batch_size": 64},
}  # fmt: skip


READING = """
import sys
import numpy as np

def pages():
    fields = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    return int(fields["RssFile"].split()[0]) / 1024

from zoo.datasets.mapped import mapped, pieces
rows = mapped(np.load(sys.argv[1], mmap_mode="r"))
before, most = pages(), 0.0
for (piece,) in pieces(rows):
    piece.max()
    most = max(most, pages())
order = np.random.default_rng(0).permutation(len(rows))
for begin in range(0, len(rows), 500):
    rows[np.sort(order[begin : begin + 500])].max()
    most = max(most, pages())
print(most - before)
"""


def test_the_pages_of_a_file_that_was_read_are_let_go(tmp_path):
    np.lib.format.open_memmap(tmp_path / "x.npy", "w+", "uint8", (40_000, 128, 256)).flush()  # 1.3 GB, a hole
    command = [sys.executable, "-c", READING, str(tmp_path / "x.npy")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert ended.returncode == 0, ended.stderr

    print(ended.stdout)
    assert float(ended.stdout) < 600


@pytest.mark.slow
def test_training_on_data_larger_than_a_bound_takes_no_more_memory_than_the_bound(tmp_path):
    count, shape = 32_000, (128, 128, 3)  # 1.57 GB as bytes, 6.3 GB as features
    x = np.lib.format.open_memmap(tmp_path / "x_train.npy", "w+", "uint8", (count, *shape))
    for row in range(count):  # the rest of each is a hole in the file
        x[row, 0, 0] = row % 251, row // 251, 255 * (row % 2)
    x.flush()
    np.save(tmp_path / "y_train.npy", np.arange(count) % 2)
    code = LARGE.replace("{specification}", repr(TINY))
    command = [sys.executable, "-c", code, str(tmp_path), str(tmp_path / "run")]
    environment = {**os.environ, working.ROOM: str(2**28)}
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
        env=environment,
    )
    assert ended.returncode == 0, ended.stderr
    print(ended.stdout)

    assert x.nbytes > 1.5e9
    assert float(ended.stdout.split()[-1]) < 600
