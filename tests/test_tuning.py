"""A study does what it says: seeds, scores, the best epoch's weights, the untouched test part, trials that diverge."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo import selection
from zoo.datasets.dataset import Dataset, Part
from zoo.meeting import meet
from zoo.working import Job, Trial, Workshop, pinned, seed_of, trainings_of

SHORT = {
    "spec": 1,
    "name": "short",
    "family": "mlp",
    "classes": 2,
    "input": {"shape": [30]},
    "l2": {"min_value": 1e-6, "max_value": 1e-2, "sampling": "log", "zero": True, "default": 1e-3},
    "layers": [
        {"Dense": {"name": "hidden", "units": {"values": [4, 16], "default": 16}, "activation": "relu"}},
        {"Dropout": {"name": "drop", "rate": {"min_value": 0.0, "max_value": 0.6, "default": 0.2}}},
        {"Dense": {"name": "second", "units": 8, "l2": {"min_value": 0.0, "max_value": 0.1, "default": 0.01}}},
    ],
    "train": {
        "optimizer": {
            "Adam": {"learning_rate": {"min_value": 1e-3, "max_value": 1e-1, "sampling": "log", "default": 0.01}}
        },
        "epochs": 3,
    },
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return zoo.tune(SHORT, "breast_cancer", trials=5, oracle="random", run=tmp_path_factory.mktemp("study") / "run")


def rows_of(study) -> list[dict[str, str]]:
    with (study.folder / "trials.csv").open() as file:
        return list(csv.DictReader(file))


def job(plan, *told) -> Job:
    """The job of trials that were run."""
    return Job(tuple(Trial(one.trial, one.values, 3, trainings_of(plan, seed_of(plan, one.trial))) for one in told))


def test_any_value_with_a_range_is_searched_by_the_name_of_its_path(study):
    names = ["l2", "hidden.units", "drop.rate", "second.l2", "learning_rate"]
    tried = rows_of(study)

    assert list(tried[0])[2:7] == names
    assert len(tried) == 5
    for name in names:
        assert len({row[name] for row in tried}) > 1, name
    assert {row["hidden.units"] for row in tried} <= {"4", "16"}


def test_a_trial_is_a_pure_function_of_its_job_whatever_the_process_did_before(study):
    rows = zoo.data("breast_cancer")
    plan = study.run.plan
    told = study.run.told[3]
    shop = Workshop(plan, rows)
    for number in (2, 3):
        outcome = shop.work(job(plan, study.run.told[number]))[0]

    assert outcome.told == told
    kept = study.run.best.trial
    again = shop.work(job(plan, study.run.best))[0]
    for path, weights in study.run.weights(kept).items():
        assert (weights == again.weights[path]).all(), path


def test_a_job_may_hold_several_trials(study):
    plan = study.run.plan
    told = study.run.told

    assert [one.told for one in Workshop(plan, zoo.data("breast_cancer")).work(job(plan, *told[1:3]))] == told[1:3]


def test_values_that_change_no_shape_share_one_built_model_and_others_do_not(study):
    plan = study.run.plan
    shop = Workshop(plan, zoo.data("breast_cancer"))
    default = {name: one.default for name, one in plan.spec.ranges().items()}
    same = {**default, "l2": 0.0, "drop.rate": 0.4, "second.l2": 0.05, "learning_rate": 0.002}

    assert shop.bench(default, 1)[0] is shop.bench(same, 2)[0]
    assert shop.bench({**default, "hidden.units": 4}, 1)[0] is not shop.bench(default, 1)[0]


def test_the_score_is_the_best_epochs_and_the_kept_weights_are_those_of_that_epoch(study, tmp_path):
    best = study.run.best
    scores = [epoch["val_accuracy"] for epoch in best.epochs]
    rows = zoo.data("breast_cancer")
    answers = zoo.predict(study.export(tmp_path / "served"), rows.validation.x)
    names = rows.description.classes
    right = np.mean([label == names[truth] for label, truth in zip(answers["label"], rows.validation.y, strict=True)])

    assert best.score == max(scores) == scores[best.best_epoch - 1]
    assert best.score == pytest.approx(right, abs=1e-6)
    assert study.validation["tuned"]["accuracy"] == pytest.approx(best.score, abs=1e-6)


def test_run_json_holds_the_values_and_the_figures_of_both_parts(study):
    summary = json.loads((study.folder / "run.json").read_text())

    assert summary["values"] == study.values
    for part in ("validation", "test"):
        for who in ("default", "tuned"):
            assert {"accuracy", "f1_macro", "crossentropy"} == set(summary[part][who])
    assert summary["test_openings"] == 1
    assert summary["difference"]["low"] <= summary["difference"]["estimate"] <= summary["difference"]["high"]


def test_the_search_never_sees_the_test_part(study, tmp_path):
    rows = zoo.data("breast_cancer")
    test = rows.test()
    noise = Part(np.random.default_rng(0).normal(size=test.x.shape).astype("float32") * 1e3, 1 - test.y)
    spoilt = Dataset(rows.description, rows.train, rows.validation, noise)
    other = zoo.tune(SHORT, spoilt, trials=5, oracle="random", run=tmp_path / "run")

    assert (other.folder / "trials.csv").read_bytes() == (study.folder / "trials.csv").read_bytes()
    assert other.test != study.test
    assert spoilt.test_openings == 1


def test_a_finished_study_is_not_judged_again_and_an_extended_one_counts_the_opening(tmp_path):
    options = {"oracle": "random", "run": tmp_path / "run"}
    zoo.tune(SHORT, "breast_cancer", trials=2, **options)
    again = zoo.tune(SHORT, "breast_cancer", trials=2, **options)
    more = zoo.tune(SHORT, "breast_cancer", trials=3, **options)

    assert again.summary["test_openings"] == 1
    assert more.summary["test_openings"] == 2


def test_a_trial_that_diverges_is_recorded_with_its_reason_and_does_not_end_the_search(tmp_path):
    wild = {"min_value": 1e-3, "max_value": 1e14, "sampling": "log", "default": 0.01}
    spec = {**SHORT, "train": {"optimizer": {"SGD": {"learning_rate": wild}}, "epochs": 2}}
    found = zoo.tune(spec, "breast_cancer", trials=6, oracle="random", run=tmp_path / "run")
    diverged = [one for one in found.run.told if one.status == "diverged"]

    assert diverged and all(one.score is None and "after epoch" in one.reason for one in diverged)
    assert found.run.best.status == "completed"
    assert len(found.trials) == 6


def test_a_search_in_which_every_trial_diverges_fails_with_the_first_reason(tmp_path):
    spec = {**SHORT, "train": {"optimizer": {"SGD": {"learning_rate": 1e14}}, "epochs": 2}}

    with pytest.raises(zoo.ZooError, match=r"every trial diverged; the first because .* after epoch 1"):
        zoo.tune(spec, "breast_cancer", trials=2, oracle="random", run=tmp_path / "run")


def test_a_spec_without_ranges_is_searched_over_lambda_and_p(tmp_path):
    plain = {**SHORT, "l2": 0.01, "layers": [{"Dense": {"units": 8}}, "Dropout"], "train": {"epochs": 1}}
    found = zoo.tune(plain, "breast_cancer", trials=4, oracle="random", run=tmp_path / "run")

    assert [set(one.values) for one in found.run.told] == [{"l2", "dropout"}] * 4
    assert found.run.told[0].values == {"l2": 0.01, "dropout": 0.5}
    assert found.run.told[1].values == {"l2": 0.0, "dropout": 0.5}


def test_a_bidirectional_network_is_searched_and_exported_in_this_process_and_in_another(tmp_path):
    layer = {"Bidirectional": {"layer": {"LSTM": {"units": 4, "dropout": 0.1}}}}
    spec = {"spec": 1, "name": "bi", "family": "rnn", "input": {"shape": [8, 8]}, "layers": [layer, "Dropout"]}
    found = zoo.tune({**spec, "train": {"epochs": 1}}, "digits", trials=3, oracle="random", run=tmp_path / "run")
    command = [Path(sys.executable).with_name("zoo"), "export", tmp_path / "run", "--to", tmp_path / "fresh"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    here = zoo.predict(found.export(tmp_path / "served"), "digits")
    np.testing.assert_allclose(here["predictions"], zoo.predict(tmp_path / "fresh", "digits")["predictions"], atol=1e-6)


def test_a_range_of_epochs_is_searched(tmp_path):
    spec = {**SHORT, "train": {"epochs": {"values": [1, 3], "default": 1}}}
    found = zoo.tune(spec, "breast_cancer", trials=5, oracle="random", run=tmp_path / "run")

    assert {len(one.epochs) for one in found.run.told} == {1, 3}
    assert all(len(one.epochs) == one.values["epochs"] for one in found.run.told)


def test_ids_reach_an_embedding_as_they_are(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 50, (400, 6))
    y = (x[:, 0] < 25).astype("int64")
    layers = [{"Embedding": {"input_dim": 50, "output_dim": 8}}, "Flatten"]
    spec = {"spec": 1, "name": "ids", "family": "mlp", "input": {"shape": [6]}, "layers": layers, "l2": 0}
    rate = {"optimizer": {"Adam": {"learning_rate": 0.01}}, "epochs": 20}
    found = zoo.train({**spec, "train": rate}, (x, y), run=tmp_path / "run")

    assert found.test["tuned"]["accuracy"] > 0.9
    with pytest.raises(
        zoo.ZooError, match=r"the ids of data are int64 from 0 to 49; expected whole numbers from 0 to 9"
    ):
        small = [{"Embedding": {"input_dim": 10, "output_dim": 8}}, "Flatten"]
        zoo.train({**spec, "layers": small}, (x, y), run=tmp_path / "other")


def test_a_network_that_answers_another_shape_is_refused_at_its_last_line(tmp_path):
    forgot = {"spec": 1, "name": "forgot", "family": "cnn", "input": {"shape": [8, 8, 1]}}
    forgot["layers"] = [{"Conv2D": {"filters": 2, "kernel_size": 3}}]

    with pytest.raises(
        zoo.ZooError,
        match=r"answers at each pixel; expected an answer once a row, .*; pool or flatten before the last layer",
    ):
        zoo.train(forgot, "digits", run=tmp_path / "run")
    mended = {**forgot, "layers": [*forgot["layers"], "Flatten"]}
    assert (
        zoo.train(mended, "digits", epochs=1, run=tmp_path / "run").score > 0.1
    )  # nothing was lost, so nothing is held


def test_what_a_kill_kept_from_being_derived_is_derived_when_the_run_is_opened_again(tmp_path):
    options = {"trials": 2, "oracle": "random", "run": tmp_path / "run"}
    first = zoo.tune(SHORT, "breast_cancer", **options)
    whole = {
        name: (tmp_path / "run" / name).read_bytes() for name in ("run.json", "trials.csv", "epochs.csv", "best.yaml")
    }
    (tmp_path / "run" / "run.json").write_text("{}")
    (tmp_path / "run" / "trials.csv").unlink()
    zoo.tune(SHORT, "breast_cancer", **options)

    assert first.summary["test_openings"] == 1
    assert {name: (tmp_path / "run" / name).read_bytes() for name in whole} == whole


def test_the_head_of_an_autoencoder_is_part_of_what_is_judged_and_served(tmp_path):
    spec = {"spec": 1, "name": "headed", "family": "ae", "input": {"shape": [64]}, "encoder": [{"Dense": 16}]}
    spec |= {"latent": {"Dense": 8}, "decoder": [{"Dense": 16}], "head": [{"Dense": 64}], "train": {"epochs": 2}}
    found = zoo.train(spec, "digits", run=tmp_path / "run")

    assert found.validation["tuned"]["mse"] == pytest.approx(found.score, rel=1e-4)


MISTAKES = {
    "a head without softmax": (
        {"head": [{"Dense": {"name": "out", "units": 2}}]},
        "head[0].Dense: the last activation is linear; expected softmax for classification",
    ),
    "a head of another width": (
        {"head": [{"Dense": {"units": 3, "activation": "softmax"}}]},
        "the network answers (3,) a row; expected (2,) for classification",
    ),
    "an optimizer that Keras refuses": (
        {"train": {"optimizer": {"SGD": {"clipnorm": 1, "clipvalue": 1}}}},
        "train.optimizer.SGD: Keras refuses SGD: Only one of",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_only_building_can_know_is_refused_at_its_line(mistake, tmp_path):
    change, says = MISTAKES[mistake]
    spec = {"spec": 1, "name": "wrong", "family": "mlp", "input": {"shape": [30]}, "layers": [{"Dense": 4}], **change}
    with pytest.raises(zoo.ZooError, match=re.escape(says)):
        zoo.train(spec, "breast_cancer", run=tmp_path / "run")


def test_a_whole_number_serves_as_a_learning_rate(tmp_path):
    spec = {**SHORT, "train": {"optimizer": {"SGD": {"learning_rate": 1}}, "epochs": 1}}

    assert zoo.train(spec, "breast_cancer", run=tmp_path / "run").score > 0.5


@pytest.mark.parametrize(("scale", "unit"), [(1e-9, "smaller"), (1e20, "larger")])
def test_units_out_of_reach_are_refused_and_constant_columns_are_not(scale, unit, tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 3)).astype("float32"), np.arange(80) % 2
    constant = np.concatenate([x, np.full((80, 1), 7.3, "float32")], axis=1)

    assert zoo.train("mlp", (constant, y), epochs=1, run=tmp_path / "run").score > 0
    with pytest.raises(zoo.ZooError, match=f"out of reach of 32-bit numbers; .* use a {unit} unit"):
        zoo.train("mlp", (x * np.float32(scale), y), epochs=1, run=tmp_path / "other")


def test_an_export_of_other_weights_than_were_judged_is_refused(study, tmp_path):
    import shutil

    shutil.copytree(study.folder, tmp_path / "run")
    best = next(one.trial for one in study.run.told if one.trial == study.run.best.trial)
    kept = tmp_path / "run" / "weights" / f"{best:04d}.npz"
    with np.load(kept) as archive:
        changed = {name: archive[name] + np.float32(0.1) for name in archive.files}
    np.savez(kept, **changed)

    with pytest.raises(zoo.ZooError, match="the kept weights do not give the judged answers"):
        zoo.export(tmp_path / "run", tmp_path / "served")
    assert not (tmp_path / "served").exists()


@pytest.mark.parametrize("oracle", ["grid", "bayesian", "hyperband"])
def test_each_oracle_leads_a_study_to_its_end(oracle, tmp_path):
    trials = {"grid": 5, "bayesian": 9, "hyperband": 14}[oracle]
    spec = {**SHORT, "layers": [{"Dense": {"units": 4}}, "Dropout"], "train": {"epochs": 4}}
    found = zoo.tune(spec, "breast_cancer", trials=trials, oracle=oracle, run=tmp_path / "run")

    assert len(found.trials) == trials
    if oracle == "hyperband":
        assert {len(one.epochs) for one in found.run.told} == {2, 4}
        short, long = (found.run.told[k] for k in _promoted(found.run))
        assert long.epochs[: len(short.epochs)] == short.epochs  # the promoted trial went on where the other stopped


def _promoted(run) -> tuple[int, int]:
    child = next(one for one in run.asked if one["question"]["parent"] is not None)
    return child["question"]["parent"], child["trial"]


def test_only_the_best_few_weights_and_those_of_trial_0_are_kept(study):
    kept = {path.stem for path in (study.folder / "weights").glob("*")}

    assert "0000" in kept and f"{study.run.best.trial:04d}" in kept
    assert len(kept) <= 4


@pytest.mark.parametrize(
    ("spec", "data", "epochs", "metric", "floor"),
    [
        ("lenet5", "digits", 8, "accuracy", 0.94),  # logistic regression: 0.958 on another split, one class: 0.10
        ("lstm", "digits", 10, "accuracy", 0.80),
        ("lstm", "co2", 4, "mae", 0.55),  # the last value: 0.76
        ("mlp", "breast_cancer", 20, "accuracy", 0.90),  # one class: 0.63
        ("mlp", "diabetes", 30, "mae", 55.0),  # the mean: about 64
        ("autoencoder", "digits", 30, "mse", 0.02),  # the mean image: about 0.075
        ("vae", "digits", 30, "negative_elbo", 27.0),  # independent pixels: about 31
    ],
)
def test_every_family_learns_real_data(spec, data, epochs, metric, floor, tmp_path):
    found = zoo.train(spec, data, epochs=epochs, run=tmp_path / "run", threads=1)
    figure = found.test["tuned"][metric]

    assert figure > floor if metric == "accuracy" else figure < floor


def test_threads_that_cannot_be_had_any_more_are_told_as_they_are():
    plan = meet(selection.load("mlp"), zoo.data("breast_cancer").description, threads=7)

    assert pinned(plan).threads != 7  # TensorFlow started long ago in this process


def test_what_a_study_costs_is_told_from_the_first_epochs_of_its_first_trial(tmp_path):
    from zoo.tuning import Watch

    class Costs(Watch):
        def __init__(self):
            self.told_of, self.ended = [], 0

        def expects(self, cost):
            self.told_of.append((cost, self.ended))

        def told(self, run, told):
            self.ended += 1

    costs = Costs()
    study = zoo.tune(SHORT, "breast_cancer", trials=3, oracle="random", run=tmp_path / "run", workers=1, watch=costs)

    ((cost, ended),) = costs.told_of
    assert ended == 0
    assert cost.seconds == pytest.approx(3 * cost.seconds_a_trial)
    assert cost.workers == 1
    assert cost.memory > 2**27
    assert cost.disk == 3 * sum(one.nbytes for one in study.run.weights(0).values())


def test_the_cost_is_said_in_a_line_where_it_is_long_enough_to_matter():
    import io

    from zoo.console import Progress
    from zoo.tuning import Cost

    for seconds, said in ((3.0, ""), (50.0, "50 s"), (150.0, "2 min"), (4000.0, "1 h 7 min")):
        stream = io.StringIO()
        progress = Progress(stream)
        progress.trials = 20
        progress.expects(Cost(2.5, seconds, 2, 2**30, 2**20))

        line = rf"about 2.5 s a trial: {said} on 2 workers, until \d\d:\d\d; 1.0 GB of memory, 1.0 MB of disk\n"
        assert re.fullmatch(line if said else "", stream.getvalue())


@pytest.mark.parametrize(
    ("name", "said"),
    [("imdb_fasttext", "rows of 30 tokens, 2 classes, "), ("mlp", "a table of 30 columns, 2 classes, ")],
)
def test_data_are_announced_as_what_the_spec_reads_them_as(name, said, tmp_path):
    import io

    from zoo import runs
    from zoo.console import Progress

    rows = np.random.default_rng(0).integers(0, 50, (60, 30))
    plan = meet(zoo.load(name), zoo.data((rows, np.arange(60) % 2), name="ids").description)
    stream = io.StringIO()
    with runs.opened(tmp_path / "run", plan, fresh=True) as run:
        Progress(stream).began(run)

    assert stream.getvalue().startswith(f"{name} on ids: {said}")
