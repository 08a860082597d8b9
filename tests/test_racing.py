"""A race: rounds that share epochs out, the same table whoever works and whoever is killed, a winner like any run."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import zoo
from zoo import cli, racing, runs, selection
from zoo.errors import ZooError
from zoo.racing import rounds

WIDTHS = {"wide": 32, "middle": 16, "small": 8, "thin": 2, "narrow": 1, "wild": 4}


@pytest.fixture
def folder(tmp_path, listing) -> Path:
    """A folder of six small specs, one of which diverges."""
    made = tmp_path / "specs"
    made.mkdir()
    for name, units in WIDTHS.items():
        spec = {"spec": 1, "name": name, "family": "mlp", "task": "classification", "input": {"shape": [30]}}
        spec |= {
            "classes": 2,
            "parameters": 33 * units + 2,
            "layers": [{"Dense": {"units": units, "activation": "relu"}}],
        }
        rate = 1e14 if name == "wild" else 0.01
        spec |= {"l2": 0, "train": {"optimizer": {"SGD": {"learning_rate": rate}}, "epochs": 5}}
        (made / f"{name}.yaml").write_text(json.dumps(spec))
    listing(made)
    return made


OURS = {"max_parameters": 1100, "family": "mlp", "epochs": 9}
COST = ("seconds", "milliseconds")


def table(path: Path) -> list[dict[str, str]]:
    with (path / "race.csv").open() as file:
        return [{key: value for key, value in row.items() if key not in COST} for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("specs", "epochs", "expected"),
    [
        (1, 27, [(1, 27)]),
        (3, 27, [(3, 27)]),
        (4, 27, [(4, 9), (2, 27)]),
        (20, 27, [(20, 3), (7, 9), (3, 27)]),
        (60, 27, [(60, 1), (20, 3), (7, 9), (3, 27)]),
        (60, 2, [(60, 1), (3, 2)]),
        (60, 1, [(60, 1)]),
        (60, 9, [(60, 1), (7, 3), (3, 9)]),
    ],
)
def test_rounds_go_from_all_specs_and_few_epochs_to_a_few_specs_and_all_epochs(specs, epochs, expected):
    assert rounds(specs, epochs) == expected


def test_a_race_drops_the_worse_trains_the_rest_longer_and_its_winner_is_a_run(folder, tmp_path):
    seen = []

    class Seen(racing.Watch):
        def round(self, number, specs, epochs):
            seen.append((number, len(specs), epochs))

        def epoch(self, spec, epoch, epochs):
            trained.setdefault(spec, []).append(epoch.number)

    trained = {}
    found, study = zoo.race("breast_cancer", **OURS, run=tmp_path / "race", workers=1, watch=Seen())
    names = [one.spec for one in found]

    assert seen == [(0, 6, 3), (1, 2, 9)]
    assert sorted(names) == sorted(WIDTHS)
    assert {name: trained[name] for name in names[:2]} == {name: [*range(1, 10)] for name in names[:2]}  # none twice
    assert [one.name for one in (tmp_path / "race" / "states").iterdir()] == []
    assert [one.epochs for one in found] == [9, 9, 3, 3, 3, 3]
    assert names[-1] == "wild" and found[-1].score is None and "after epoch 1" in found[-1].reason
    for group in (found[:2], found[2:5]):
        assert [one.score for one in group] == sorted((one.score for one in group), reverse=True)
    for one in found[:-1]:
        assert one.low <= one.score <= one.high
        assert one.parameters == 31 * WIDTHS[one.spec] + 2 * (WIDTHS[one.spec] + 1)
        assert one.seconds > 0 and one.milliseconds > 0
    assert study.run.plan.spec.name == names[0]
    assert study.score == found[0].score
    assert study.summary["test_openings"] == 1
    assert len(study.run.told[0].epochs) == 9
    plain = zoo.train(names[0], "breast_cancer", epochs=9, run=tmp_path / "plain", threads=1)
    assert plain.score == study.score  # a race trains as `train` does
    assert zoo.export(tmp_path / "race", tmp_path / "served").is_dir()
    assert runs.read(str(tmp_path / "race")).folder == tmp_path / "race" / names[0]


def test_a_race_is_listed_under_its_name_once_it_has_a_winner(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    zoo.race("breast_cancer", pattern="wide", epochs=1, workers=1, run="mine")
    zoo.train("wide", "breast_cancer", epochs=1, run="other")

    assert [(one.name, one.plan.spec.name, one.state) for one in runs.every()] == [
        ("mine", "wide", "finished"), ("other", "wide", "finished"),
    ]  # fmt: skip
    assert racing.unfinished() == []
    state = tmp_path / "runs" / "mine" / "race.json"
    held = json.loads(state.read_text())
    del held["winner"]  # as before there is one
    state.write_text(json.dumps(held))

    assert [one.name for one in runs.every()] == ["other"]
    said = CliRunner().invoke(cli.zoo, ["runs", "--json"])
    rows = {row["run"]: row for row in json.loads(said.stdout)}
    assert rows["mine"]["spec"] == "race of 1" and rows["mine"]["state"] == "unfinished"
    assert rows["mine"]["trials"] == "1/1" and 0 < rows["mine"]["best"] <= 1


def test_two_workers_and_a_race_that_was_killed_give_the_table_of_one(folder, tmp_path):
    command = [sys.executable, "-c", "from zoo.cli import main; main()", "race", "--data", "breast_cancer"]
    command += ["--specs", str(folder), "--family", "mlp", "--max-params", "1100", "--epochs", "9"]

    def start(name: str, workers: int) -> subprocess.Popen:
        return subprocess.Popen(
            [*command, "--run", str(tmp_path / name), "--workers", str(workers)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    one = start("one", 1)
    said = one.communicate(timeout=300)[0].decode()
    assert one.returncode == 0, said
    assert re.search(r"round 1: 6 specs, 3 epochs each", said)
    two = start("two", 2)
    assert two.wait(300) == 0, two.communicate()[0]
    assert table(tmp_path / "two") == table(tmp_path / "one")

    killed, journal = start("killed", 1), tmp_path / "killed" / "journal.jsonl"
    until = time.monotonic() + 120
    while killed.poll() is None and time.monotonic() < until:
        if journal.exists() and len(journal.read_bytes().splitlines()) >= 3:
            os.kill(killed.pid, signal.SIGKILL)
            break
        time.sleep(0.005)
    killed.wait()
    kept = journal.read_bytes()
    assert 3 <= len(kept.splitlines()) < 8
    assert start("killed", 1).wait(300) == 0
    assert journal.read_bytes().startswith(kept)
    assert len(journal.read_bytes().splitlines()) == 8  # six and two, none of them twice
    assert table(tmp_path / "killed") == table(tmp_path / "one")


def test_a_race_is_gone_on_with_by_the_same_race_alone(folder, tmp_path):
    options = {**OURS, "epochs": 2, "workers": 1, "run": tmp_path / "race"}
    first, _ = zoo.race("breast_cancer", **options)
    again, study = zoo.race("breast_cancer", **options)

    assert first == again
    assert study.summary["test_openings"] == 1
    with pytest.raises(ZooError, match=r"a race in which `.*` was trained otherwise"):
        zoo.race("breast_cancer", **{**options, "epochs": 3})
    with pytest.raises(ZooError, match="a race of other specs"):
        zoo.race("breast_cancer", **options, pattern="w*")
    fresh, _ = zoo.race("breast_cancer", **options, pattern="w*", fresh=True)
    assert [one.spec for one in fresh] == ["wide", "wild"]
    zoo.train("small", "breast_cancer", epochs=1, run=tmp_path / "run")
    with pytest.raises(ZooError, match="is there and is no race"):
        zoo.race("breast_cancer", **{**options, "run": tmp_path / "run"})


def test_a_spec_that_grows_with_the_data_beyond_the_limit_takes_no_part(folder, tmp_path):
    spec = json.loads((folder / "small.yaml").read_text())
    spec |= {"name": "grows", "input": {"shape": [2]}, "parameters": 42, "layers": [{"Dense": 8}]}
    (folder / "grows.yaml").write_text(json.dumps(spec))
    selection.files.cache_clear()
    selection.names.cache_clear()
    race = {"max_parameters": 200, "epochs": 1, "workers": 1}
    found, _ = zoo.race("breast_cancer", pattern="n*", **race, run=tmp_path / "race")

    assert [one.spec for one in found] == ["narrow"]
    with pytest.raises(ZooError, match="no spec fits breast_cancer with 200 parameters at most; expected a larger"):
        zoo.race("breast_cancer", pattern="gr*", **race, run=tmp_path / "other")


@pytest.fixture
def masks(tmp_path):
    """Images of 24 x 24 with a label for each pixel."""
    x = np.random.default_rng(0).integers(0, 255, (60, 24, 24, 1)).astype("uint8")
    np.savez(tmp_path / "masks.npz", x_train=x, y_train=(x[..., 0] > 127).astype("int32"))
    return tmp_path / "masks.npz"


def test_who_cannot_be_built_is_left_out_with_the_reason_and_the_others_race(masks, tmp_path, listing):
    """One that goes down further than the size of the images allows, one whose map is another, one that does it."""
    made = tmp_path / "specs"
    made.mkdir()
    conv = {"Conv2D": {"name": "a", "filters": 2, "kernel_size": 3, "padding": "same"}}
    down = [conv, {"MaxPooling2D": {"pool_size": 16}}, {"UpSampling2D": {"size": 16}}]
    down.append({"Concatenate": {"from": ["a", "previous"]}})
    shrinks = {"Conv2D": {"filters": 2, "kernel_size": 3}}
    for name, layers in {"fine": [conv], "down": down, "shrinks": [shrinks]}.items():
        spec = {"spec": 1, "name": name, "family": "cnn", "task": "segmentation", "classes": 2, "layers": layers}
        (made / f"{name}.yaml").write_text(json.dumps({**spec, "input": {"shape": [32, 32, 1]}}))
    listing(made)
    out = {}

    class Seen(racing.Watch):
        def left_out(self, specs, reason):
            out[reason] = specs

        def round(self, number, specs, epochs):
            rounds.append((specs, epochs))

    rounds = []
    found, study = zoo.race(masks, epochs=1, run=tmp_path / "race", workers=1, watch=Seen())

    assert rounds == [(["fine", "shrinks"], 1)]
    assert [(one.spec, one.score is None) for one in found] == [("fine", False), ("shrinks", True)]
    assert "the network answers (22, 22, 2) a row; expected (24, 24, 2) for segmentation" in found[1].reason
    assert study.run.plan.spec.name == "fine"
    assert out["more than 1,000,000 parameters"] == ["unet"]
    assert {"mlp", "lenet5", "gru"} <= {*out["not for masks"]}
    [down] = (reason for reason, names in out.items() if names == ["down"])
    says = r"input: images of 24 x 24 do not fit this network; expected 16 x 16 or 32 x 32, multiples of 16: resize"
    assert re.search(says, down) and "\n" not in down
    with pytest.raises(ZooError, match=r"no spec that fits masks can be built; the first because .* of 24 x 24 do not"):
        zoo.race(masks, pattern="down", run=tmp_path / "other")


def test_a_limit_that_nobody_typed_is_named(masks, tmp_path):
    says = "no spec that fits masks is small enough: `unet` has 31,030,658 parameters, and --max-params is "
    for pattern in ("", "unet", "*net*"):
        with pytest.raises(ZooError, match=f"{says}1,000,000 unless said otherwise; expected a larger limit"):
            zoo.race(masks, pattern=pattern, run=tmp_path / "race")
    with pytest.raises(ZooError, match=f"{says}500; expected a larger limit"):
        zoo.race(masks, max_parameters=500, run=tmp_path / "race")
    with pytest.raises(ZooError, match=r"no spec fits masks; the first because `lenet5` is for class.*; try `unet`$"):
        zoo.race(masks, pattern="lenet5", run=tmp_path / "race")
    with pytest.raises(ZooError, match="no spec fits masks: `ae_deep` is an autoencoder; expected --family ae or vae"):
        zoo.race(masks, pattern="ae_deep", run=tmp_path / "race")


def test_a_race_of_letters_takes_their_number_from_the_data(tmp_path, listing):
    text = np.arange(60 * 13).reshape(60, 13) % 86
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "letters.yaml").write_text(
        "spec: 1\nname: letters\nfamily: rnn\ntask: language\ninput: {shape: [8], dtype: int32, vocabulary: 76}\n"
        "l2: 0\nlayers: [Embedding: {input_dim: $input.vocabulary, output_dim: 4}, GRU: {units: 4, "
        "return_sequences: true}]"
    )
    listing(tmp_path / "specs")
    rows = {"x_train": text[:, :-1], "y_train": text[:, 1:]}
    found, study = zoo.race(rows, pattern="letters", epochs=1, workers=1, run=tmp_path / "race")

    assert found[0].score is not None
    assert study.run.plan.spec.inputs["tokens"]["vocabulary"] == 86


def test_what_cannot_be_raced_is_refused_in_a_sentence(folder, tmp_path):
    with pytest.raises(ZooError, match="no spec fits breast_cancer; the first because `lenet5` wants images"):
        zoo.race("breast_cancer", pattern="lenet5", run=tmp_path / "race")
    with pytest.raises(ZooError, match=r"no spec could be trained; the first because .* after epoch 1"):
        zoo.race("breast_cancer", pattern="wild", run=tmp_path / "race", epochs=1)
    with pytest.raises(ZooError, match="epochs is 0; expected a whole number above 0"):
        zoo.race("breast_cancer", epochs=0, run=tmp_path / "other")
    assert not (tmp_path / "other").exists()
