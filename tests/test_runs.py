"""Runs: the journal is the truth, everything else is derived from it, and a folder is never another study's."""

import csv
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import zoo
from zoo import runs, selection
from zoo.datasets import dataset
from zoo.errors import ZooError
from zoo.meeting import meet
from zoo.runs import Told

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(60, 4)).astype("float32")
ROWS_OF = {"classification": (ROWS, np.arange(60) % 3), "regression": (ROWS, ROWS[:, 0] * 2)}


def plan_of(task="classification", spec="mlp", changes=None, **choices):
    loaded = dataset.load(ROWS_OF[task], "small")
    choices = {"trials": 6, "oracle": "random"} | choices
    return meet(selection.load(spec, changes), loaded.description, **choices)


def told(trial, score, l2=0.001, dropout=0.5, epochs=2, **more):
    metric = {"loss": 1.0, "val_accuracy": 0.5}
    fields = {"status": "completed", "best_epoch": 1, "epochs": (metric,) * epochs} | more
    return Told(trial, {"l2": l2, "dropout": dropout}, score=score, **fields)


def diverged(trial):
    return told(trial, None, status="diverged", best_epoch=None, epochs=1, reason="loss is nan after epoch 1")


def made(folder, plan=None, scores=(0.5, 0.7, 0.7)):
    """A run on disk with a trial for each score; None stands for a trial that diverged."""
    with runs.opened(folder, plan or plan_of()) as run:
        for trial, score in enumerate(scores):
            run.append("asked", {"trial": trial, "question": {"values": {}}})
            run.append("told", vars(diverged(trial) if score is None else told(trial, score, l2=10.0**-trial)))
    return run


def table(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# The journal


def test_a_run_comes_back_from_its_journal(tmp_path):
    run = made(tmp_path / "run")
    again = runs.read_at(tmp_path / "run")

    assert again.plan.written() == run.plan.written()
    assert again.events == run.events
    assert [event["kind"] for event in again.events] == ["begun", *("asked", "told") * 3]
    assert [event["sequence"] for event in again.events] == list(range(7))
    assert [one.score for one in again.told] == [0.5, 0.7, 0.7]
    assert again.told[1] == told(1, 0.7, l2=0.1)
    assert [payload["trial"] for payload in again.asked] == [0, 1, 2]
    assert again.last("asked")["trial"] == 2 and again.last("judged") is None
    assert again.state == "unfinished"


def test_a_judged_run_is_finished(tmp_path):
    run = made(tmp_path / "run")
    run.append("judged", {"trials": 3, "verdict": "Tuning helped.", "test_openings": 1})

    assert runs.read_at(run.folder).state == "finished"
    summary = json.loads((run.folder / "run.json").read_text())
    assert (summary["verdict"], summary["test_openings"]) == ("Tuning helped.", 1)


def test_a_torn_last_line_is_dropped_and_mended_when_the_run_is_opened(tmp_path):
    run = made(tmp_path / "run")
    journal = run.folder / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-9])

    assert [one.trial for one in runs.read_at(run.folder).told] == [0, 1]
    assert journal.read_bytes() == whole[:-9]  # reading changes nothing
    with runs.opened(run.folder, run.plan) as opened:
        opened.append("told", vars(told(2, 0.9)))
    assert [one.score for one in runs.read_at(run.folder).told] == [0.5, 0.7, 0.9]


def test_whoever_writes_mends_a_torn_line_first(tmp_path):
    run = made(tmp_path / "run")
    with open(run.folder / "journal.jsonl", "ab") as journal:
        journal.write(b'{"sequence": 7, "ki')
    read = runs.read_at(run.folder)
    with runs.held(run.folder):  # as an export does
        read.append("exported", {"to": "served"})

    assert runs.read_at(run.folder).last("exported") == {"to": "served"}


def test_numbers_that_are_no_json_become_null(tmp_path):
    run = made(tmp_path / "run", scores=())
    run.append("judged", {"test": {"mae": float("nan"), "r2": np.float64(0.5)}})

    assert runs.read_at(run.folder).last("judged") == {"test": {"mae": None, "r2": 0.5}}


# What is derived


def test_tables_and_summaries_are_derived(tmp_path):
    folder = tmp_path / "run"
    made(folder, scores=(0.5, 0.7, None))

    assert table(folder / "trials.csv") == [
        ["trial", "status", "l2", "dropout", "val_accuracy", "best_epoch", "epochs"],
        ["0", "completed", "1.0", "0.5", "0.5", "1", "2"],
        ["1", "completed", "0.1", "0.5", "0.7", "1", "2"],
        ["2", "diverged", "0.001", "0.5", "", "", "1"],
    ]
    epochs = table(folder / "epochs.csv")
    assert epochs[0] == ["trial", "epoch", "loss", "val_accuracy"]
    assert [row[:2] for row in epochs[1:]] == [["0", "1"], ["0", "2"], ["1", "1"], ["1", "2"], ["2", "1"]]
    summary = json.loads((folder / "run.json").read_text())
    assert (summary["spec"], summary["data"], summary["objective"]) == ("mlp", "small", "val_accuracy")
    assert (summary["trials"], summary["best_trial"], summary["score"]) == (3, 1, 0.7)
    assert summary["values"] == {"l2": 0.1, "dropout": 0.5}
    assert summary["defaults"] == {"l2": 0.001, "dropout": 0.5}
    assert summary["environment"] == runs.environment()
    best = selection.load(folder / "best.yaml")
    assert (best.data["l2"], best.ranges()) == (0.1, {})
    assert selection.load(folder / "spec.yaml").identity() == plan_of().spec.identity()


def test_what_is_derived_can_be_lost_and_derived_anew(tmp_path):
    run = made(tmp_path / "run")
    derived = ("trials.csv", "epochs.csv", "best.yaml", "run.json")
    before = {name: (run.folder / name).read_bytes() for name in derived}
    for name in derived:
        (run.folder / name).unlink()
    runs.read_at(run.folder).derive()

    assert {name: (run.folder / name).read_bytes() for name in derived} == before


@pytest.mark.parametrize(
    "task, scores, best",
    [
        ("classification", (0.5, 0.7, 0.7), 1),
        ("classification", (0.9, None, 0.9), 0),
        ("classification", (None, 0.0, None), 1),
        ("regression", (0.5, 0.3, 0.3, 0.4), 1),
        ("regression", (0.2, 0.3, 0.2), 0),
    ],
)
def test_the_best_trial_has_the_best_score_the_earliest_of_equals(tmp_path, task, scores, best):
    run = made(tmp_path / "run", plan_of(task), scores)

    assert run.best.trial == best
    assert json.loads((run.folder / "run.json").read_text())["best_trial"] == best


def test_a_run_whose_trials_all_diverged_has_no_best(tmp_path):
    run = made(tmp_path / "run", scores=(None, None))

    assert run.best is None
    assert len(table(run.folder / "trials.csv")) == 3
    assert not (run.folder / "best.yaml").exists()


# Weights


def test_weights_come_back_by_path(tmp_path):
    run = made(tmp_path / "run")
    weights = {"dense/kernel": np.eye(3, dtype="float32"), "dense/bias": np.zeros(3, "float32")}
    run.keep_weights(7, weights)
    back = run.weights(7)

    assert list(back) == list(weights)
    np.testing.assert_array_equal(back["dense/kernel"], weights["dense/kernel"])
    with pytest.raises(ZooError, match=r"0009\.npz is not there"):
        run.weights(9)


@pytest.mark.parametrize(
    "task, kept", [("classification", [0, 1, 2, 4]), ("regression", [0, 3, 6])]
)  # regression: trial 0 is among the three best
def test_weights_of_trial_0_and_of_the_best_three_are_kept(tmp_path, task, kept):
    run = made(tmp_path / "run", plan_of(task), scores=(0.1, 0.8, 0.8, 0.2, 0.8, None, 0.7))
    for trial in range(7):
        run.keep_weights(trial, {"w": np.zeros(1)})
    run.drop_weights()

    assert [int(path.stem) for path in sorted((run.folder / "weights").iterdir())] == kept


# Opening


@pytest.mark.parametrize(
    "word, other",
    [
        (r"spec \(train\)", {"changes": {"train.epochs": 3}}),
        (r"spec \(l2\)", {"changes": {"l2": 0.01}}),
        ("objective", {"objective": "crossentropy"}),
        ("oracle", {"oracle": "bayesian"}),
        ("seed", {"seed": 1}),
        ("ahead", {"ahead": 5}),
        ("number of threads a trial", {"threads": 2}),
        (r"spec \([a-z, ]+\), data \(.*\), preparation, task, objective", {"task": "regression"}),
    ],
)
def test_another_study_is_refused_with_both_ways_out(tmp_path, word, other):
    run = made(tmp_path / "run")
    before = (run.folder / "journal.jsonl").read_bytes()
    with (
        pytest.raises(ZooError, match=rf"holds a study with another {word}; .* --run NAME, or begin anew with --fresh"),
        runs.opened(run.folder, plan_of(**other)),
    ):
        pass

    assert (run.folder / "journal.jsonl").read_bytes() == before


def test_another_number_of_trials_of_a_grid_is_another_study(tmp_path):
    run = made(tmp_path / "run", plan_of(oracle="grid"))
    with pytest.raises(ZooError, match="another number of trials of a grid"):
        made(run.folder, plan_of(oracle="grid", trials=9))


def test_prose_and_comments_are_no_other_study(tmp_path):
    run = made(tmp_path / "run", scores=(0.5,))
    with runs.opened(run.folder, plan_of(changes={"summary": "Other words."})) as again:
        assert len(again.told) == 1


def test_more_trials_extend(tmp_path):
    run = made(tmp_path / "run")
    with runs.opened(run.folder, replace(run.plan, trials=40)) as extended:
        assert (extended.plan.trials, len(extended.told)) == (40, 3)

    assert runs.read_at(run.folder).plan.trials == 40


def test_fresh_begins_anew(tmp_path):
    run = made(tmp_path / "run")
    run.keep_weights(0, {"w": np.zeros(1)})
    with runs.opened(run.folder, plan_of(seed=3), fresh=True) as fresh:
        assert (fresh.told, fresh.plan.seed) == ([], 3)

    assert files(run.folder) == ["journal.jsonl", "lock", "plan.json", "spec.yaml"]
    assert [event["kind"] for event in runs.read_at(run.folder).events] == ["begun"]


def test_what_is_refused_before_any_trial_leaves_no_run(tmp_path):
    with pytest.raises(ZooError, match="do not meet"), runs.opened(tmp_path / "run", plan_of()):
        raise ZooError("shapes do not meet")

    assert not runs.exists(tmp_path / "run")
    assert made(tmp_path / "run").told


def test_a_first_trial_that_stands_somewhere_is_not_lost(tmp_path):
    with pytest.raises(ZooError), runs.opened(tmp_path / "run", plan_of()) as run:
        run.append("asked", {"trial": 0, "question": {"values": {"l2": 0.1}}})
        run.keep_state(0, {"weights": np.ones(3)})
        raise ZooError("the cluster is gone")

    with runs.opened(tmp_path / "run", plan_of()) as again:
        assert again.state_of(0)["weights"].tolist() == [1, 1, 1]
    with pytest.raises(ZooError, match="--fresh"), runs.opened(tmp_path / "run", plan_of(seed=3)):
        pass


def test_a_run_that_is_held_refuses_a_second_writer(tmp_path):
    run = made(tmp_path / "run")
    hold = (
        "import pathlib, sys; from zoo import runs\n"
        "with runs.held(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold, str(run.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout.readline() == b"held\n"
            with pytest.raises(ZooError, match="is being written by another zoo; wait for it, or name another: --run"):
                made(run.folder, run.plan)
            assert len(runs.read_at(run.folder).told) == 3  # reading needs no lock
        finally:
            other.kill()
    with runs.opened(run.folder, run.plan) as again:
        assert len(again.told) == 3


def began_with(folder, name, version):
    """Rewrite the journal as if the run had begun under another version of a library."""
    journal = folder / "journal.jsonl"
    first, rest = journal.read_text().split("\n", 1)
    event = json.loads(first)
    event["payload"][name] = version
    journal.write_text(json.dumps(event) + "\n" + rest)


@pytest.mark.parametrize("name", runs.ENVIRONMENT)
def test_another_minor_version_is_refused_or_accepted_and_a_patch_passes(tmp_path, name):
    run = made(tmp_path / "run")
    major, minor = runs.environment()[name].split(".")[:2]
    began_with(run.folder, name, f"{major}.{int(minor) + 1}.0")
    says = rf"began with {name} {major}\.{int(minor) + 1}\.0, and .* is installed.*--accept-environment"
    with pytest.raises(ZooError, match=says), runs.opened(run.folder, run.plan):
        pass
    with runs.opened(run.folder, run.plan, accept_environment=True) as accepted:
        assert len(accepted.told) == 3
    began_with(run.folder, name, f"{major}.{minor}.999")
    with runs.opened(run.folder, run.plan) as patched:
        assert len(patched.told) == 3


def test_a_folder_that_is_no_run_is_left_alone(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("all my work")
    (tmp_path / "notes").write_text("mine")
    for name in ("thesis", "notes"):
        for fresh in (False, True):
            with (
                pytest.raises(ZooError, match=f"{name} is there and is no run; expected a new folder: --run NAME"),
                runs.opened(tmp_path / name, plan_of(), fresh),
            ):
                pass

    assert files(tmp_path) == ["notes", "thesis/chapter1.tex"]


@pytest.mark.parametrize("odd", ["notes.txt", ".gitignore", "weights/letter.txt", "weights/.mine", "plan.json"])
def test_a_run_is_not_emptied_where_it_holds_what_is_not_zoos(tmp_path, odd):
    run = made(tmp_path / "run")
    run.keep_weights(0, {"w": np.zeros(1)})
    path = run.folder / odd
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"project": "mine"}')
    before = files(run.folder)

    with (
        pytest.raises(ZooError, match=r"was not made by zoo, and .*run would be emptied; expected another folder"),
        runs.opened(run.folder, plan_of(), fresh=True),
    ):
        pass
    assert files(run.folder) == before and path.read_text() == '{"project": "mine"}'


@pytest.mark.parametrize("left", [(), ("lock",), ("lock", ".plan.json.part")])
def test_what_a_run_that_was_killed_at_once_leaves_is_no_stranger(tmp_path, left):
    (tmp_path / "run").mkdir()
    for name in left:
        (tmp_path / "run" / name).write_text("")
    made(tmp_path / "run")

    assert len(runs.read_at(tmp_path / "run").told) == 3


# Reading


GOOD = json.dumps({"sequence": 0, "time": 0, "kind": "begun", "payload": {}})


@pytest.mark.parametrize(
    "plan", ["", "null", "[]", "{}", '{"spec": {}, "data": {}}', '{"spec": 3}', "{'spec': 1}", '"text"', "\xff"]
)
def test_a_plan_that_cannot_be_read_is_said(tmp_path, plan):
    run = made(tmp_path / "run")
    (run.folder / "plan.json").write_text(plan, encoding="latin-1")
    for reads in (lambda: runs.read_at(run.folder), lambda: made(run.folder, run.plan)):
        with pytest.raises(ZooError) as error:
            reads()
        assert str(run.folder) in str(error.value) or "plan.json" in str(error.value)


@pytest.mark.parametrize(
    "line", ["[]", "3", "{}", "not json", '{"kind": "told"}', '{"kind": "told", "payload": {"trial": 0}}', "\xff"]
)
def test_a_journal_that_cannot_be_read_is_said(tmp_path, line):
    run = made(tmp_path / "run")
    (run.folder / "journal.jsonl").write_text(f"{GOOD}\n{line}\n", encoding="latin-1")
    with pytest.raises(ZooError, match=r"run cannot be read: .*; expected a run that this zoo wrote"):
        runs.read_at(run.folder)


def test_a_word_is_a_run_under_runs_and_a_path_is_a_path(tmp_path):
    assert runs.folder_of("study", "usual") == runs.HOME / "study"
    assert runs.folder_of(None, "usual") == runs.HOME / "usual"
    assert str(runs.folder_of("./study", "usual")) == "study"
    assert str(runs.folder_of("../x/study", "usual")) == "../x/study"
    assert runs.folder_of(str(tmp_path), "usual") == tmp_path
    for name in (".", "..", " "):
        with pytest.raises(ZooError, match="names no run; expected a word, or a path with a separator"):
            runs.folder_of(name, "usual")


def test_a_run_is_read_by_name_and_by_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made(runs.HOME / "first")
    made(tmp_path / "elsewhere")

    assert runs.read("first").folder == runs.HOME / "first"
    assert len(runs.read("./elsewhere").told) == len(runs.read("runs/first").told) == 3


def test_a_run_that_is_missing_is_said_with_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ZooError, match=r"^no run `x`: runs/x holds no plan\.json; expected the folder of a run$"):
        runs.read("x")
    made(runs.HOME / "lenet5-digits")
    with pytest.raises(ZooError, match=r"expected one of lenet5-digits, or the .*; did you mean `lenet5-digits`\?$"):
        runs.read("lenet5-digit")
    with pytest.raises(ZooError, match="holds no plan"):
        runs.read("x" * 300)


def test_every_run_is_listed_and_what_cannot_be_read_is_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert runs.every() == []
    for name in ("b", "a", "broken"):
        made(runs.HOME / name)
    (runs.HOME / "broken" / "plan.json").write_text("torn")
    (runs.HOME / "stranger").mkdir()

    assert [run.folder.name for run in runs.every()] == ["a", "b"]


def test_a_study_is_removed_only_when_another_can_be_built(tmp_path):
    spec = {"spec": 1, "name": "one", "family": "mlp", "classes": 3, "input": {"shape": [4]}, "train": {"epochs": 1}}
    rows, options = ROWS_OF["classification"], {"trials": 2, "run": tmp_path / "run", "fresh": True}
    before = zoo.tune({**spec, "layers": [{"Dense": {"units": 4}}]}, rows, **options)
    table = (tmp_path / "run" / "trials.csv").read_bytes()

    with pytest.raises(ZooError, match="Keras refuses Reshape"):
        zoo.tune({**spec, "layers": [{"Reshape": {"target_shape": [7]}}]}, rows, **options)
    assert (tmp_path / "run" / "trials.csv").read_bytes() == table
    assert runs.read_at(tmp_path / "run").best == before.run.best
