"""The command, as a user meets it: mistakes in sentences, answers that can be piped, a search that can be stopped."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from zoo.version import VERSION

ZOO = shutil.which("zoo", path=str(Path(sys.executable).parent))
RUN = "mlp-breast_cancer"


def zoo(*arguments, cwd, **more):
    return subprocess.run([ZOO, *arguments], cwd=cwd, capture_output=True, text=True, check=False, **more)


def python(code, *arguments, cwd, **environment):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def refused(ended, says):
    assert ended.returncode == 1, ended.stderr
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    assert says in ended.stderr.replace("\n", " ")


def test_the_command_is_installed():
    assert ZOO is not None


# Mistakes that are said before TensorFlow is loaded

MISTAKES = [
    ("lst", "No such command 'lst'. Did you mean 'list'?"),
    ("foo", "No such command 'foo'. Expected one of list, show, check,"),
    ("import notes.yaml", "notes.yaml is no model; expected the path of a file that Keras saved as .keras"),
    ("import old.h5", 'saved as .keras: keras.saving.load_model("old.h5").save("old.keras") makes one'),
    ("import old.weights.h5", "old.weights.h5 is no model; expected the path of a file that Keras saved as .keras"),
    ("train mlp --data diabetes --set weights=nope.h5", "weights: nope.h5 is not there; expected imagenet, keras:NAME"),
    ("list --jsn", "No such option '--jsn'. Did you mean '--json'?"),
    ("tune", "Missing argument 'SPEC'"),
    ("tune mlp", "Missing option '--data'"),
    ("train mlp --data diabetes --trials 3", "No such option '--trials'"),
    ("tune mlp --data diabetes --trials many", "'many' is not a valid integer"),
    ("tune mlp --data diabetes --trials 0", "trials is 0; expected a whole number above 0"),
    ("tune mlp --data diabetes --epochs 0", "epochs is 0; expected a whole number above 0"),
    ("tune mlp --data diabetes --epochs -1", "epochs is -1; expected a whole number above 0"),
    ("show lenet6", "no spec `lenet6`; expected one of the "),
    ("show lenet6", "did you mean `lenet5`?"),
    ("tune lenet6 --data digits", "did you mean `lenet5`?"),
    ("tune lenet5 --data digitz", "did you mean `digits`?"),
    ("tune mlp --data diabetes --oracle bayes", "no oracle `bayes`; expected one of random, grid, bayesian"),
    ("tune mlp --data diabetes --objective r3", "no objective `r3` for regression; expected one of val_mae, val_mse"),
    ("tune lenet5 --data digits --objective val_loss", "it contains the L2 penalty, so the best lambda would always"),
    ("show lenet5 --set l2", "`l2` is no change; expected KEY=VALUE"),
    ("show lenet5 --set =1", "`=1` is no change; expected KEY=VALUE"),
    ("show lenet5 --set lr=1", "--set: lr: no such key; expected a key of a spec"),
    ("show lenet5 --set train.epoch=3", "train.epoch: no such key"),
    ("show lenet5 --set l2=[1", "--set': l2=[1: "),
    ("show lenet5 --set l2=on", "`on` is no word of the language"),
    ("show lenet5 --set l2=-1", "l2: `-1` is not accepted; expected a number of 0 or above"),
    ("show nothere.yaml", "nothere.yaml is not there; expected the path of a spec file"),
    ("show ./stranger", "./stranger is a folder; expected the path of a spec file"),
    ("check nothere.yaml lenet6", "no spec `lenet6`"),
    ("check notes.yaml", "notes.yaml:"),
    ("check lenet5 --data diabetes", "`lenet5` is for classification, and the targets of diabetes ask for regression"),
    ("tune lenet5 --data torn.npz", "torn.npz is torn or not an .npz archive"),
    ("tune lenet5 --data nothere.npz", "nothere.npz is not there"),
    ("tune lenet5 --data notes.yaml", "notes.yaml is no .npz file"),
    ("tune lenet5 --data .", "and no .npy files; expected a folder with x_train.npy and y_train.npy"),
    ("tune lenet5 --data breast_cancer", "`lenet5` wants images, and breast_cancer is a table of 30 columns; try"),
    ("tune vae --data diabetes", "--set likelihood=gaussian"),
    ("tune mlp --data diabetes --run ..", "`..` names no run; expected a word, or a path with a separator"),
    ("tune mlp --data diabetes --to stranger", "stranger is there and was not made by zoo; expected a new folder"),
    ("tune mlp --data diabetes --to notes.yaml/x", "is no folder that can be written"),
    ("tune mlp --data diabetes --to .", ". is a folder that stands there already"),
    ("export nothere", "no run `nothere`: runs/nothere holds no plan.json"),
    ("export stranger/", "no run `stranger/`: stranger holds no plan.json"),
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with what a user may have lying there."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "torn.npz").write_bytes(b"PK\3\4 this is no archive")
    (folder / "notes.yaml").write_text("all: [my work\n")
    for name in ("old.h5", "old.weights.h5"):
        (folder / name).write_bytes(b"")
    (folder / "stranger").mkdir()
    (folder / "stranger" / "thesis.tex").write_text("all my work")
    return folder


@pytest.mark.parametrize("command, says", MISTAKES, ids=[f"{command}: {says[:20]}" for command, says in MISTAKES])
def test_a_mistake_is_one_sentence_and_exit_code_1(desk, command, says):
    before = sorted(desk.rglob("*"))
    refused(zoo(*command.split(), cwd=desk), says)

    assert sorted(desk.rglob("*")) == before


def test_mistakes_of_several_specs_are_said_at_once(desk):
    ended = zoo("check", "lenet6", "mlp", "nothere.yaml", cwd=desk)

    assert (ended.returncode, ended.stdout) == (1, "mlp: fine\n")
    assert "no spec `lenet6`" in ended.stderr and "nothere.yaml is not there" in ended.stderr


# Mistakes that only a start of TensorFlow shows


@pytest.mark.parametrize(
    "command, says",
    [
        ("tune mlp --data diabetes --run notes.yaml/x", "notes.yaml/x cannot be written: Not a directory"),
        ("predict nothere --data digits", "nothere is not there; expected a folder that `zoo export` wrote"),
    ],
)
def test_a_folder_of_something_else_is_left_alone(desk, command, says):
    before = sorted(desk.rglob("*"))
    refused(zoo(*command.split(), cwd=desk), says)

    assert sorted(desk.rglob("*")) == before


# Quick answers

SLOW = ("tensorflow", "keras", "keras_tuner", "numpy", "scipy", "sklearn")
QUICKLY = """
import sys
from zoo import cli
try:
    cli.main(sys.argv[1:])
except SystemExit as ended:
    assert not ended.code, ended.code
print("loaded:", *[name for name in %r if name in sys.modules], file=sys.stderr)
""".replace("%r", repr(SLOW))


@pytest.mark.parametrize(
    "command", ["list", "list --json", "show lenet5", "show vae --json", "check mlp lstm", "--help", "--version"]
)
def test_list_show_and_check_load_nothing_slow(tmp_path, command):
    ended = python(QUICKLY, *command.split(), cwd=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "loaded:\n")
    assert ended.stdout


def test_importing_zoo_loads_nothing_slow(tmp_path):
    ended = python(f"import sys, zoo; print([name for name in {SLOW} if name in sys.modules])", cwd=tmp_path)

    assert ended.stdout == "[]\n"


def test_list_names_every_spec_and_data_set(tmp_path):
    ended, as_json = zoo("list", cwd=tmp_path), json.loads(zoo("list", "--json", cwd=tmp_path).stdout)
    specs = {one["name"]: one for one in as_json["specs"]}

    assert len(specs) >= 5 and {"digits", "co2"} <= set(as_json["data"])
    assert specs["lenet5"]["parameters"] == 61706 and "61.7k" in ended.stdout
    assert all(name in ended.stdout for name in (*specs, *as_json["data"]))


def test_a_spec_is_found_whatever_its_case_and_dashes(tmp_path):
    ended = zoo("show", "LeNet-5", cwd=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("lenet5: ")


def test_show_says_what_json_says(tmp_path):
    shown = json.loads(zoo("show", "lenet5", "--set", "dropout=0.25", "--json", cwd=tmp_path).stdout)
    text = zoo("show", "lenet5", "--set", "dropout=0.25", cwd=tmp_path).stdout

    assert shown["spec"]["dropout"] == 0.25
    assert [row["dropout"] for row in shown["layers"] if row["layer"] == "Dropout"] == ["0.25", "0.25"]
    for row in shown["layers"]:
        assert row["name"] in text and row["layer"] in text


STRIDED = """\
spec: 1
name: strided
family: cnn
classes: 3
input: {shape: [16, 16, 3]}
layers:
  - Conv2D: {filters: 8, kernel_size: 3, padding: same, activation: relu}
  - Conv2D: {filters: 16, kernel_size: 1, strides: 2}
  - GlobalAveragePooling2D
"""


def test_a_strided_convolution_of_few_channels_is_trained_by_several_threads(tmp_path):
    """TensorFlow 2.21 alone dies of this with AVX-512: the last batch has 7 rows."""
    rows = np.random.default_rng(0).random((65, 16, 16, 3)).astype("float32")
    np.savez(tmp_path / "rows.npz", x_train=rows, y_train=np.arange(65) % 3)
    (tmp_path / "strided.yaml").write_text(STRIDED, encoding="utf-8")
    ended = zoo("train", "strided.yaml", "--data", "rows.npz", "--epochs", "3", cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr


def test_the_version_is_said(tmp_path):
    assert zoo("--version", cwd=tmp_path).stdout == f"zoo {VERSION}\n"
    module = subprocess.run([sys.executable, "-m", "zoo", "--version"], cwd=tmp_path, capture_output=True, text=True)
    assert module.stdout == f"zoo {VERSION}\n"


def test_an_answer_that_nobody_reads_to_its_end_is_no_error(tmp_path):
    ended = subprocess.run(f"'{ZOO}' list | head -1", shell=True, cwd=tmp_path, capture_output=True, text=True)

    assert ended.stdout.startswith("spec")
    assert ended.stderr == ""


def test_a_full_disk_is_the_users_and_no_bug_of_ours(tmp_path):
    with open("/dev/full", "w") as full:
        ended = subprocess.run([ZOO, "list"], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert "No space left on device" in ended.stderr
    assert "bug" not in ended.stderr and "Traceback" not in ended.stderr
    assert ended.returncode != 0


# A bug of ours


def test_a_bug_of_ours_exits_3_with_a_log_for_the_issue(tmp_path):
    code = """
from zoo import cli, selection
def broken(*_): raise RuntimeError("the moon is full")
selection.cards = broken
cli.main(["list"])
"""
    ended = python(code, cwd=tmp_path, TMPDIR=str(tmp_path))
    logs = list(tmp_path.glob("zoo-bug-*.log"))

    assert (ended.returncode, ended.stdout, len(logs)) == (3, "", 1)
    assert "zoo has a bug: RuntimeError: the moon is full" in ended.stderr
    assert str(logs[0]) in ended.stderr and "Traceback" not in ended.stderr
    versions, rest = logs[0].read_text().split("\n", 1)
    assert f"zoo {VERSION}, tensorflow 2." in versions and "keras 3." in versions and "keras-tuner 1." in versions
    assert "Traceback (most recent call last)" in rest and "RuntimeError: the moon is full" in rest


# A study: stopped by Ctrl-C, gone on with, exported


def trials(folder):
    path = folder / "runs" / RUN / "trials.csv"
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A search that Ctrl-C ended after two trials: its exit code, what it said, and the table that it left."""
    folder = tmp_path_factory.mktemp("study")
    command = [ZOO, "tune", "mlp", "--data", "breast_cancer", "--trials", "30", "--epochs", "3"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as search:
        until = time.monotonic() + 120
        while len(trials(folder)) < 3 and search.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        os.killpg(search.pid, signal.SIGINT)
        stdout, stderr = search.communicate(timeout=60)
    return folder, search.returncode, stdout, stderr, trials(folder)


@pytest.fixture(scope="module")
def resumed(stopped):
    """The same search again, for two trials more than there were, and exported."""
    folder, *_, table = stopped
    number = max(4, len(table) - 1 + 2)
    command = ["tune", "mlp", "--data", "breast_cancer", "--trials", str(number), "--epochs", "3"]
    command += ["--to", "served", "--json"]
    return folder, number, zoo(*command, cwd=folder)


def test_ctrl_c_exits_130_and_says_that_the_search_can_go_on(stopped):
    _, code, stdout, stderr, table = stopped

    assert (code, stdout) == (130, "")
    assert "stopped; the same command goes on where it was" in stderr and "Traceback" not in stderr
    assert table[0].startswith("trial,status,l2,dropout,val_accuracy")
    assert 3 <= len(table) < 31


def test_the_same_command_goes_on_with_what_was_finished(stopped, resumed):
    before = stopped[-1]
    folder, number, ended = resumed

    assert ended.returncode == 0, ended.stderr
    assert f"going on after {len(before) - 1} finished trials of runs/{RUN}" in ended.stderr
    assert trials(folder)[: len(before)] == before
    assert len(trials(folder)) == 1 + number


def test_json_of_a_study_is_all_that_is_printed(resumed):
    folder, number, ended = resumed
    summary = json.loads(ended.stdout)

    assert summary["trials"] == number
    assert summary["test"]["tuned"]["accuracy"] > 0.8
    assert summary["test_openings"] == 1
    assert (summary.pop("run"), summary.pop("export")) == (f"runs/{RUN}", "served")
    assert summary == json.loads((folder / "runs" / RUN / "run.json").read_text())


def test_runs_are_listed(tmp_path, resumed):
    folder, number, _ = resumed
    none, text = zoo("runs", cwd=tmp_path), zoo("runs", cwd=folder)
    (row,) = json.loads(zoo("runs", "--json", cwd=folder).stdout)

    assert none.stdout.startswith("no runs under runs/") and none.returncode == 0
    assert json.loads(zoo("runs", "--json", cwd=tmp_path).stdout) == []
    assert (row["run"], row["trials"], row["state"]) == (RUN, f"{number}/{number}", "finished")
    assert f"{RUN}  mlp   breast_cancer" in text.stdout


def test_the_best_spec_of_a_run_is_printed_or_written_and_is_a_spec(resumed):
    folder = resumed[0]
    printed = zoo("best", RUN, cwd=folder)
    written = zoo("best", RUN, "--to", "best.yaml", cwd=folder)
    checked = zoo("check", "best.yaml", "--data", "breast_cancer", cwd=folder)

    assert printed.stdout.strip() == (folder / "runs" / RUN / "best.yaml").read_text().strip()
    assert (written.returncode, checked.returncode, checked.stdout) == (0, 0, "best.yaml: fine\n")
    refused(zoo("best", "nobody", cwd=folder), "no run `nobody`")


def test_a_run_is_not_exported_over_a_strangers_folder(resumed):
    folder = resumed[0]
    (folder / "stranger").mkdir()
    (folder / "stranger" / "thesis.tex").write_text("all my work")
    refused(zoo("export", RUN, "--to", "stranger", cwd=folder), "stranger is there and was not made by zoo")

    assert [path.name for path in (folder / "stranger").iterdir()] == ["thesis.tex"]


def test_an_export_answers_and_refuses_rows_of_another_shape(resumed):
    folder = resumed[0]
    np.save(folder / "wide.npy", np.zeros((3, 31)))
    answers = zoo("predict", "served", "--data", "breast_cancer", "--json", cwd=folder)

    assert answers.returncode == 0, answers.stderr
    found = json.loads(answers.stdout)
    assert set(found["label"]) == {"malignant", "benign"}
    assert len(found["label"]) == len(found["predictions"]) > 100
    refused(zoo("predict", "served", "--data", "wide.npy", cwd=folder), "rows of shape (3, 31) (float64) do not fit")
