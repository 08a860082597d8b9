"""A model that was saved: what Keras reloads in a fresh process, and what a network starts from."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest

import zoo

CODED = {"encoder": [{"Dense": 4}], "decoder": [{"Dense": 4}]}

TINY = {
    "classification": {"layers": [{"Dense": 4}], "classes": 3},
    "binary": {"layers": [{"Dense": 4}], "task": "binary"},
    "multilabel": {"layers": [{"Dense": 4}], "task": "multilabel", "classes": 3},
    "segmentation": {
        "family": "cnn", "task": "segmentation", "classes": 3, "input": {"shape": [8, 8, 1]},
        "layers": [{"Take": {"indices": [0]}}],
    },
    "language": {
        "family": "rnn", "task": "language", "input": {"shape": [5], "vocabulary": 7, "dtype": "int32"},
        "layers": [{"Embedding": {"input_dim": 7, "output_dim": 4}}, "LayerScale"],
    },
    "regression": {"layers": [{"Dense": 4}], "task": "regression", "targets": 2},
    "forecasting": {
        "family": "rnn", "task": "forecasting", "horizon": 2, "features": 1, "input": {"shape": [5, 1]},
        "layers": [{"LSTM": 3}],
    },
    "reconstruction": {"family": "ae", "latent": {"VectorQuantizer": 2}, **CODED},
    "generation": {"family": "vae", "latent": {"Gaussian": 2}, **CODED},
}  # fmt: skip
"""A small network for each task, among them those that hold our own layers."""


def tiny(task):
    return zoo.build({"spec": 1, "name": task, "family": "mlp", "input": {"shape": [6]}, "l2": 0, **TINY[task]}, seed=1)


RELOAD = """
{imports}
import sys
import numpy as np
for path in sys.argv[1:]:
    model = keras.saving.load_model(path)
    with np.load(path + ".npz") as held:
        found = model.predict(held["x"], verbose=0)
        assert model.compiled, path
        if "generation" in path:  # its answer is drawn
            found = model.get_layer("decoder").predict(model.get_layer("encoder").predict(held["x"], verbose=0)[0])
        np.testing.assert_allclose(found, held["y"], rtol=1e-5, atol=1e-6, err_msg=path)
        if "regression" in path or "forecasting" in path:
            told = model.evaluate(held["x"], held["y"] + 1.0, verbose=0, return_dict=True)
            assert abs(told["mae"] - 1.0) < 1e-5 and abs(told["mse"] - 1.0) < 1e-5, told
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    for task in TINY:
        model, rng = tiny(task), np.random.default_rng(0)
        shape = (4, *model.input_shape[1:])
        x = rng.integers(0, 7, shape).astype("int32") if task == "language" else rng.random(shape).astype("float32")
        if task == "generation":
            mean = model.get_layer("encoder").predict(x, verbose=0)[0]
            y = model.get_layer("decoder").predict(mean, verbose=0)
        else:
            y = model.predict(x, verbose=0)
        model.save(folder / f"{task}.keras")
        np.savez(folder / f"{task}.keras.npz", x=x, y=y)
    return folder


@pytest.mark.parametrize("imports", ["import zoo, keras", "import keras, zoo"])
def test_a_model_of_each_task_reloads_compiled_in_a_fresh_process_and_answers_the_same(imports, saved):
    paths = [str(saved / f"{task}.keras") for task in TINY]
    code = [sys.executable, "-c", RELOAD.format(imports=imports), *paths]
    ended = subprocess.run(code, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr[-2000:]


def test_importing_zoo_waits_for_keras_and_then_leaves_no_finder():
    code = """
import sys, zoo
assert "keras" not in sys.modules and "tensorflow" not in sys.modules
waiting = sys.meta_path[0]
assert type(waiting).__name__ == "_Registering"
import importlib.util
importlib.util.find_spec("keras")  # to ask whether it is there is not to import it
import keras
assert waiting not in sys.meta_path
assert keras.saving.get_registered_object("zoo>Sampling") is not None
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def normalized(name="nrm", **changes):
    layers = [{"Normalization": {"name": "standardise"}}, {"Dense": {"units": 3, "name": "dense"}}]
    return {
        "spec": 1, "name": name, "family": "mlp", "input": {"shape": [4]}, "classes": 3, "l2": 0, "layers": layers,
        **changes,
    }  # fmt: skip


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    x = rng.normal(100.0, 20.0, (120, 4)).astype("float32")
    return x, (x[:, 0] > x[:, 1]).astype(int)


def adapted(folder, x):
    model = zoo.build(normalized(), seed=1)
    model.get_layer("standardise").adapt(x)
    path = folder / "nrm.keras"
    model.save(path)
    return model, str(path)


def test_a_normalization_computes_with_the_weights_that_were_loaded(tmp_path, rows):
    model, path = adapted(tmp_path, rows[0])
    wanted = model.predict(rows[0], verbose=0)

    np.testing.assert_allclose(keras.saving.load_model(path).predict(rows[0], verbose=0), wanted, atol=1e-6)
    np.testing.assert_allclose(zoo.build(normalized(), weights=path).predict(rows[0], verbose=0), wanted, atol=1e-6)


def test_a_normalization_inside_a_model_computes_with_the_weights_that_were_loaded(tmp_path, rows):
    coded = {
        "spec": 1, "name": "nac", "family": "ae", "input": {"shape": [4]}, "l2": 0, "decoder": [{"Dense": 4}],
        "encoder": [{"Normalization": {"name": "standardise"}}], "latent": {"Dense": 2},
    }  # fmt: skip
    model = zoo.build(coded, seed=1)
    model.get_layer("encoder").get_layer("standardise").adapt(rows[0])
    model.save(tmp_path / "nac.keras")

    again = zoo.build(coded, weights=tmp_path / "nac.keras", seed=2)

    np.testing.assert_allclose(again.predict(rows[0], verbose=0), model.predict(rows[0], verbose=0), atol=1e-5)


def test_a_run_from_weights_trains_judges_and_exports_with_the_normalization_that_was_loaded(
    tmp_path, monkeypatch, rows
):
    monkeypatch.chdir(tmp_path)
    x, y = rows
    _, path = adapted(tmp_path, x)
    head = [{"Dense": {"units": 2, "activation": "softmax", "name": "told"}}]

    study = zoo.train(normalized(weights=path, classes=2, head=head), (x, y), epochs=1, run="nrm")
    kept, prepared = study.run.weights(0), study.run.plan.steps[0]["Normalization"]
    answers = zoo.predict(study.export(), x[:8])["told"]

    hidden = (x[:8] - prepared["mean"]) / np.sqrt(prepared["variance"])
    hidden = (hidden - kept["standardise/mean"]) / np.sqrt(kept["standardise/variance"])
    hidden = hidden @ kept["dense/kernel"] + kept["dense/bias"]
    told = np.exp(hidden @ kept["told/kernel"] + kept["told/bias"])
    np.testing.assert_allclose(kept["standardise/mean"], x.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(answers, told / told.sum(axis=1, keepdims=True), rtol=1e-4, atol=1e-6)
