"""Who looks at no row: what each task answers then, and that a network which is no better is told so."""

import numpy as np
import pytest
from sklearn import dummy, metrics

import zoo
from zoo import console, explaining
from zoo.datasets import dataset
from zoo.meeting import meet
from zoo.selection import load
from zoo.tasks import TASKS

DICE = np.random.default_rng(0)
TABLE = DICE.normal(size=(200, 4)).astype("float32")
IMAGES = DICE.integers(0, 256, (60, 8, 8, 1)).astype("uint8")
TOKENS = DICE.choice(5, (200, 9), p=[0.4, 0.3, 0.1, 0.1, 0.1]).astype("int32")
HEAD = {"spec": 1, "name": "one", "family": "mlp", "input": {"shape": [4]}, "layers": [{"Dense": {"units": 3}}]}
SEGMENTING = {**HEAD, "family": "cnn", "task": "segmentation", "input": {"shape": [8, 8, 1]},
              "layers": [{"Conv2D": {"filters": 2, "kernel_size": 1}}]}  # fmt: skip
SPEAKING = {**HEAD, "family": "rnn", "task": "language", "input": {"shape": [8], "dtype": "int32", "vocabulary": 5},
            "layers": [{"Embedding": {"input_dim": 5, "output_dim": 3}}]}  # fmt: skip


def prior(learned, truth):
    """scikit-learn's answers for labels that stand anywhere in a row."""
    flat = [np.zeros((np.size(y), 1)) for y in (learned, truth)]
    found = dummy.DummyClassifier(strategy="prior").fit(flat[0], np.reshape(learned, -1)).predict_proba(flat[1])
    return {"accuracy": metrics.accuracy_score(np.reshape(truth, -1), found.argmax(axis=1)),
            "crossentropy": metrics.log_loss(np.reshape(truth, -1), found)}  # fmt: skip


def yes_or_no(learned, truth):
    shares = np.broadcast_to(learned.reshape(len(learned), -1).mean(axis=0), truth.reshape(len(truth), -1).shape)
    right = (shares > 0.5) == truth.reshape(shares.shape)
    return {"auc": 0.5, "accuracy": right.mean()}


def mean(learned, truth):
    found = dummy.DummyRegressor().fit(np.zeros((len(learned), 1)), learned).predict(np.zeros((len(truth), 1)))
    return {"mae": metrics.mean_absolute_error(truth, found), "mse": metrics.mean_squared_error(truth, found)}


CASES = {
    "classification": ({**HEAD, "classes": 3}, TABLE, DICE.choice(3, 200, p=[0.6, 0.3, 0.1]), prior),
    "binary": ({**HEAD, "task": "binary"}, TABLE, DICE.choice(2, 200, p=[0.8, 0.2]), yes_or_no),
    "multilabel": ({**HEAD, "task": "multilabel"}, TABLE, (TABLE[:, :3] > 0.6).astype("uint8"), yes_or_no),
    "segmentation": (SEGMENTING, IMAGES, (IMAGES[..., 0] > 100).astype("uint8"), prior),
    "language": (SPEAKING, TOKENS[:, :-1], TOKENS[:, 1:], prior),
    "regression": ({**HEAD, "task": "regression"}, TABLE, TABLE[:, :2] * 2 + 5, mean),
}


@pytest.mark.parametrize("task", CASES)
def test_the_naive_answer_is_that_of_scikit_learn(task):
    spec, x, y, answer = CASES[task]
    rows = dataset.load((x, y), "rows")
    works = meet(load(spec), rows.description, trials=1, oracle="random").works
    test = rows.test()
    found = works.figures(works.naive(None, rows.train, test))

    assert type(works) is TASKS[task]
    for metric, figure in answer(np.asarray(rows.train.y), np.asarray(test.y)).items():
        assert found[metric] == pytest.approx(figure, abs=1e-6)


def test_every_task_says_what_it_guesses_or_has_no_guess():
    without = {"generation"}
    forecasting = meet(load("gru"), dataset.load("co2").description, trials=1, oracle="random").works

    assert {*CASES, "forecasting", "reconstruction"} | without == {*TASKS}
    assert forecasting.guess == "repeating the last step"
    for task, kind in TASKS.items():
        assert bool(kind.guess) is (task not in without)


def test_a_forecast_is_set_beside_the_last_step():
    rows = dataset.load("co2")
    works = meet(load("gru"), rows.description, trials=1, oracle="random").works
    test = rows.test()
    found = works.figures(works.naive(None, rows.train, test))

    assert found["mae"] == pytest.approx(np.abs(test.y - test.x[:, -1:]).mean(), rel=1e-5)


def test_an_autoencoder_is_set_beside_the_mean_row(tmp_path):
    study = zoo.train("ae_simple", "digits", epochs=1, run=tmp_path / "run")
    rows = dataset.load("digits")
    learned, test = (part.x.astype("float64") / 16 for part in (rows.train, rows.test()))

    assert study.test["naive"]["mse"] == pytest.approx(np.square(test - learned.mean(axis=0)).mean(), rel=2e-3)


@pytest.mark.parametrize("learnable", [True, False])
def test_a_network_that_is_no_better_is_told_so(learnable, tmp_path, capsys):
    y = (TABLE[:, 0] > 0 if learnable else DICE.random(200) < 0.1).astype(int)
    spec = {**HEAD, "classes": 2, "l2": 0}
    study = zoo.train(spec, (TABLE, y), epochs=60, set={"train.batch_size": 16}, run=tmp_path / "run")
    console.verdict(study.summary)
    told = capsys.readouterr().out

    assert ("no better than answering every row alike, by the shares of the classes: accuracy" in told) is not learnable
    assert "naive " in told
    assert bool(study.summary["warning"]) is not learnable
    assert (study.summary["warning"] in explaining.why(study.run)) is not learnable
