"""Predicting: an export alone answers for rows that fit it, and says which do not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo import cli
from zoo.errors import ZooError
from zoo.predicting import artifact_of, classes_of, predict, rows_of

WORDS = np.array(["Käse", "apfel", "brot"])
RNG = np.random.default_rng(0)
LABELS = np.arange(90) % 3
PIXELS = (RNG.integers(0, 60, (90, 6, 6)) + 90 * LABELS[:, None, None]).astype("uint8")


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    """A small network for gray pictures of bytes, whose labels are words."""
    home = tmp_path_factory.mktemp("predicting")
    data = {"x_train": PIXELS, "y_train": WORDS[LABELS], "x_test": PIXELS[:30], "y_test": WORDS[LABELS[:30]]}
    quick = {"dropout": 0.0, "train.optimizer": {"Adam": {"learning_rate": 0.01}}, "train.batch_size": 8}
    study = zoo.train("mlp", data, epochs=4, set=quick, run=home / "run", threads=1)
    return study.export(home / "served")


@pytest.fixture(scope="module")
def answers(export):
    return predict(export, PIXELS)


def test_answers_have_a_row_for_each_row(answers):
    label, probabilities = answers["label"], answers["predictions"]

    assert sorted(answers) == ["label", "predictions"]
    assert (label.shape, probabilities.shape, probabilities.dtype) == ((90,), (90, 3), np.float32)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_labels_come_back_as_the_text_they_were(answers):
    chosen = answers["predictions"].argmax(axis=1)

    assert answers["label"].dtype.kind == "U"
    assert answers["label"].tolist() == WORDS[chosen].tolist()
    assert (answers["label"] == WORDS[LABELS]).mean() > 0.9  # dark, gray and bright: a few epochs tell them


def test_a_missing_channel_is_added(export, answers):
    again = predict(export, PIXELS[..., None])

    np.testing.assert_array_equal(again["predictions"], answers["predictions"])


def test_rows_that_stay_in_a_folder_are_answered_for_alike(export, answers, tmp_path):
    np.save(tmp_path / "x.npy", PIXELS)
    np.save(tmp_path / "x_test.npy", PIXELS[:3])

    np.testing.assert_array_equal(predict(export, tmp_path)["predictions"], answers["predictions"])
    np.testing.assert_array_equal(predict(export, tmp_path / "x.npy")["label"], answers["label"])


def test_answers_do_not_depend_on_the_batch(export, answers):
    many = predict(export, np.tile(PIXELS, (8, 1, 1)))  # several batches, the last one smaller

    assert many["label"].shape == (720,)
    np.testing.assert_allclose(many["predictions"][-90:], answers["predictions"], atol=1e-6)


@pytest.mark.parametrize("dtype", ["int64", "uint16", "float32", "float64"])
def test_whole_numbers_of_another_type_are_the_same_rows(export, answers, dtype):
    again = predict(export, PIXELS.astype(dtype))

    np.testing.assert_array_equal(again["predictions"], answers["predictions"])


def test_rows_may_be_lists(export, answers):
    assert predict(export, PIXELS[:2].tolist())["label"].tolist() == answers["label"][:2].tolist()


@pytest.mark.parametrize(
    "rows",
    [PIXELS / 255, PIXELS.astype("int64") + 100, PIXELS.astype("int64") - 100, PIXELS * 1.5],
    ids=["scaled", "beyond 255", "below 0", "between"],
)
def test_numbers_that_the_data_could_not_hold_are_refused_with_a_hint(export, rows):
    says = r"reads whole numbers \(uint8\) as its data did, and these rows hold others; were they scaled\?"
    with pytest.raises(ZooError, match=says):
        predict(export, rows)


@pytest.mark.parametrize(
    "rows",
    [PIXELS[0], PIXELS[:, :5], PIXELS[:0], PIXELS.reshape(90, 36), PIXELS[..., None].repeat(3, -1), np.array(3)],
    ids=["one image", "too small", "no rows", "flat", "three channels", "a number"],
)
def test_rows_of_another_shape_are_refused_with_both_shapes(export, rows):
    with pytest.raises(ZooError) as error:
        predict(export, rows)

    assert f"rows of shape {rows.shape} (" in str(error.value)
    assert "expected rows of 6 x 6 x 1 numbers" in str(error.value)


def test_rows_that_are_no_numbers_are_refused(export):
    with pytest.raises(ZooError, match=r"\(<U3\) do not fit"):
        predict(export, PIXELS.astype("U3"))
    with pytest.raises(ZooError, match="hold NaN or infinity"):
        predict(export, np.where(PIXELS > 100, np.nan, PIXELS))
    with pytest.raises(ZooError, match="rows is no array"):
        predict(export, [[1, 2], [3]])


def test_an_endpoint_that_is_missing_is_said(export):
    with pytest.raises(ZooError, match=r"has no endpoint `sample`; expected one of serve"):
        predict(export, PIXELS, "sample")


def test_a_run_answers_by_its_export(export, answers, tmp_path):
    run = export.parent / "run"
    for artifact in (run, export):
        np.testing.assert_array_equal(zoo.predict(artifact, PIXELS)["label"], answers["label"])
    for name in ("plan.json", "journal.jsonl"):
        lines = (run / name).read_text().splitlines()
        (tmp_path / name).write_text("\n".join(line for line in lines if '"exported"' not in line) + "\n")
    with pytest.raises(ZooError, match=r"has no export.*; expected one: zoo export"):
        zoo.predict(tmp_path, PIXELS)


def test_an_export_answers_where_keras_cannot_be_imported(export, answers, tmp_path):
    np.save(tmp_path / "rows.npy", PIXELS)
    code = """
import json, pathlib, sys
sys.modules["keras"] = None
from zoo.predicting import predict
found = predict(pathlib.Path(sys.argv[1]), sys.argv[2])
print(json.dumps(found["label"].tolist()))
"""
    command = [sys.executable, "-c", code, str(export), str(tmp_path / "rows.npy")]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)

    assert json.loads(ended.stdout) == answers["label"].tolist()


def test_a_table_of_answers_is_headed_by_the_classes(export, answers, tmp_path, capsys):
    np.save(tmp_path / "rows.npy", PIXELS)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["predict", str(export), "--data", str(tmp_path / "rows.npy")])
    head, first, *_ = capsys.readouterr().out.splitlines()

    assert (stopped.value.code or 0, head.split()) == (0, ["row", "label", *sorted(WORDS)])
    assert first.split() == ["0", answers["label"][0], *(f"{one:.6g}" for one in answers["predictions"][0])]


@pytest.mark.parametrize(
    ("labels", "spec", "shape", "expected"),
    [
        (["a", "b", "c"], {}, (5, 3), ["a", "b", "c"]),
        (["a", "b"], {}, (5, 1), ["b"]),
        (["a", "b"], {}, (5,), ["b"]),
        (["a", "b", "c"], {}, (5, 1), None),
        (["a", "b", "c"], {}, (5, 4, 3), None),
        (["a", "b", "c"], {"latent": "Gaussian"}, (5, 3), None),
        ([], {}, (5, 1), None),
    ],
)  # fmt: skip
def test_which_answers_are_the_probabilities_of_classes(labels, spec, shape, expected, tmp_path):
    (tmp_path / "artifact.json").write_text(json.dumps({"endpoints": {}, "labels": labels, "spec": spec}))

    found = classes_of(tmp_path, {"label": np.zeros(5), "out": np.zeros(shape)})
    assert found == ({} if expected is None else {"out": expected})


# Rows


def test_rows_are_read_from_files_and_from_data_sets(tmp_path):
    np.save(tmp_path / "a.npy", PIXELS)
    np.savez(tmp_path / "x.npz", x=PIXELS[:1], x_test=PIXELS[:2], x_train=PIXELS[:3])
    np.savez(tmp_path / "test.npz", x_test=PIXELS[:2], x_train=PIXELS[:3])
    np.savez(tmp_path / "train.npz", x_train=PIXELS[:3])
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "folder" / "x_test.npy", PIXELS[:4])
    np.save(tmp_path / "folder" / "x_train.npy", PIXELS[:5])
    found = [len(rows_of(tmp_path / name)) for name in ("a.npy", "x.npz", "test.npz", "train.npz", "folder")]

    assert found == [90, 1, 2, 3, 4]
    np.testing.assert_array_equal(rows_of("digits"), zoo.data("digits").test().x)


def test_no_rows_are_said(tmp_path):
    np.savez(tmp_path / "other.npz", z=PIXELS)
    (tmp_path / "torn.npy").write_bytes(b"\x93NUMPY torn")
    (tmp_path / "rows.csv").write_text("1,2")
    np.save(tmp_path / "pickled.npy", np.array([{}]))
    (tmp_path / "empty").mkdir()
    for name, says in {
        "other.npz": "holds no `x`, `x_test` or `x_train`; expected rows to answer for",
        "empty": "empty holds no `x`, `x_test` or `x_train`; expected rows to answer for",
        "torn.npy": "is torn or not an .npy array",
        "pickled.npy": "holds pickled objects",
        "absent.npy": "is not there",
        "absent.npz": "is not there",
        "rows.csv": "is no .npy or .npz file; expected rows to answer for",
        "digitz": "no data set",
        "x" * 300: "no data set",
    }.items():
        with pytest.raises(ZooError, match=says):
            rows_of(str(tmp_path / name))


# What is no export


def test_a_folder_that_is_no_export_is_said(tmp_path):
    with pytest.raises(ZooError, match=r"is no export: it holds no artifact\.json; expected a folder that `zoo exp"):
        artifact_of(tmp_path)
    (tmp_path / "served").mkdir()
    for name, says in (("absent", "`zoo export` wrote$"), ("x" * 300, "wrote$"), ("servd", "did you mean `.*served`")):
        with pytest.raises(ZooError, match=f"is not there; expected a folder that .*{says}"):
            artifact_of(tmp_path / name)
    for content, says in (("{}", "names no endpoints"), ("[]", "names no endpoints"), ("{", "cannot be read")):
        (tmp_path / "artifact.json").write_text(content)
        with pytest.raises(ZooError, match=says):
            predict(tmp_path, PIXELS)


def test_an_export_that_lost_its_model_is_said(export, tmp_path):
    Path(tmp_path / "artifact.json").write_bytes((export / "artifact.json").read_bytes())
    with pytest.raises(ZooError, match="holds no SavedModel with `serve`"):
        predict(tmp_path, PIXELS)


def test_steps_that_a_network_was_published_with_are_undone():
    from zoo.lowering import Plain, make
    from zoo.preparing import restored

    steps = [
        {"Rescaling": {"scale": [0.5, 0.25, 2.0], "offset": 1.0}},
        {"Take": {"indices": [2, 0, 1], "axis": -1}},
        {"Rescaling": {"scale": 0.5, "offset": [1.0, 2.0, 3.0]}},
    ]
    rows = np.random.default_rng(0).random((4, 2, 2, 3)).astype("float32")
    there = rows
    for step in [*steps, *restored(steps, (2, 2, 3))]:
        there = make(*next(iter(step.items())), None, None, Plain())(there)

    np.testing.assert_allclose(there, rows, atol=1e-5)


def test_what_takes_no_rows_or_labels_beside_them_is_called_by_names(tmp_path, capsys):
    data = {"x_train": PIXELS, "y_train": LABELS, "x_test": PIXELS[:30], "y_test": LABELS[:30]}
    folder = zoo.train("cvae", data, epochs=1, run=tmp_path / "run").export(tmp_path / "served")
    drawn = predict(folder, {"label": [0, 1, 2], "seed": 7}, "sample")["sample"]
    both = {"table": PIXELS[:30], "label": LABELS[:30]}
    np.savez(tmp_path / "both.npz", **both)
    scores = predict(folder, both)["score"]

    assert drawn.shape == (3, 6, 6, 1)
    many = predict(folder, {"label": np.zeros(300, int), "seed": 7}, "sample")["sample"]
    assert len(np.unique(many.reshape(300, -1), axis=0)) == 300
    np.testing.assert_array_equal(drawn, predict(folder, {"seed": 7, "label": np.arange(3)}, "sample")["sample"])
    np.testing.assert_array_equal(scores, predict(folder, str(tmp_path / "both.npz"))["score"])
    with pytest.raises(SystemExit):
        cli.main(["predict", str(folder), "--endpoint", "sample", "--set", "label=[1, 2]", "--set", "seed=1"])
    assert len(capsys.readouterr().out.splitlines()) == 3
    for given, says in {
        "seed of 3": ({"label": [0], "seed": [1, 2, 3]}, "`seed` of .* is one whole number; expected seed=3"),
        "a seed of text": ({"label": [0], "seed": "3"}, "`seed` of .* is one whole number; expected seed=3"),
        "half a seed": ({"label": [0], "seed": 1.5}, "`seed` of .* is one whole number; expected seed=3"),
        "one label": (
            {"label": 2, "seed": 1},
            r"takes one for each row, and one alone was given; expected label=\[2\]",
        ),
        "labels in a column": ({"label": [[2], [1]], "seed": 1}, "do not fit .*; expected one number a row"),
        "no seed": ({"label": [0]}, "takes label, seed, and there is no `seed`; expected a value for each by name"),
        "another": ({"label": [0], "seed": 1, "count": 2}, "takes no `count`; expected label, seed"),
        "a half": ({"label": [0.5], "seed": 1}, "reads whole numbers"),
    }.values():
        with pytest.raises(ZooError, match=says):
            predict(folder, given, "sample")
    with pytest.raises(ZooError, match="table, label have 29, 30 rows; expected as many of each"):
        predict(folder, {**both, "table": PIXELS[:29]})
    with pytest.raises(SystemExit, match="1"):
        cli.main(["predict", str(folder)])
    assert "expected --data ROWS, or" in capsys.readouterr().err
