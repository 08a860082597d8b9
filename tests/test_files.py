"""Files: whole or not at all, locked by the living alone, and read with suspicion."""

import io
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from zoo import files
from zoo.errors import ZooError
from zoo.files import append_synced, check_target, finite, locked, map_npy, new_folder, open_npz, whole_lines

OURS = "ours.json"


def child(code, *arguments, **options):
    """Another process that runs some lines of Python and says what it prints."""
    command = [sys.executable, "-c", "import pathlib, sys\nfrom zoo import files\n" + code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


# Writing


def test_a_killed_writer_leaves_the_old_content_or_the_new(tmp_path):
    path = tmp_path / "plan.json"
    writes = """
path, size = pathlib.Path(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
while True:
    for letter in "ab":
        files.write_atomic(path, letter * size)
"""
    size, seen = 3_000_000, set()
    for attempt in range(12):
        writer = child(writes, path, size)
        writer.stdout.readline()
        time.sleep(0.02 + 0.007 * attempt)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        if path.exists():
            content = path.read_text()
            assert len(content) == size and len(set(content)) == 1
            seen.add(content[0])
        assert len(list(tmp_path.iterdir())) <= 2  # what was killed in the middle is one file, whoever wrote before

    assert seen == {"a", "b"}
    files.write_atomic(path, "whole")
    assert [left.name for left in tmp_path.iterdir()] == ["plan.json"]
    assert path.read_text() == "whole"


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    files.write_atomic(path, "old")

    def interrupted(*_):
        raise KeyboardInterrupt

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patched:
            patched.setattr(os, name, interrupted)
            with pytest.raises(KeyboardInterrupt):
                files.write_atomic(path, "new")
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]


def test_writing_makes_folders_and_keeps_to_the_umask(tmp_path):
    path = tmp_path / "a" / "b" / "c.txt"
    before = os.umask(0o027)
    try:
        files.write_atomic(path, "è")
    finally:
        os.umask(before)

    assert path.read_bytes() == "è".encode()
    assert path.stat().st_mode & 0o777 == 0o640


def test_writing_follows_no_link_laid_beside_the_file(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / ".run.json.part").symlink_to(precious)
    files.write_atomic(tmp_path / "run.json", "new")

    assert precious.read_text() == "mine"


def test_json_comes_back_and_holds_no_nan(tmp_path):
    path = tmp_path / "run.json"
    files.write_json(path, {"a": [1.5, float("nan")], "b": (float("-inf"), "ä"), "c": np.float64(2.0)})

    assert files.read_json(path) == {"a": [1.5, None], "b": [None, "ä"], "c": 2.0}
    assert "NaN" not in path.read_text()
    assert finite({"x": (1, True, None)}) == {"x": [1, True, None]}


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe", b"{'a': 1}"])
def test_json_that_is_torn_is_said(tmp_path, content):
    (tmp_path / "plan.json").write_bytes(content)
    with pytest.raises(ZooError, match=r"plan\.json cannot be read: .*; expected the file that zoo once wrote"):
        files.read_json(tmp_path / "plan.json")


def test_json_that_is_missing_is_said(tmp_path):
    with pytest.raises(ZooError, match=r"plan\.json is not there"):
        files.read_json(tmp_path / "plan.json")


# Journals


def test_lines_come_back_whole(tmp_path):
    path = tmp_path / "journal.jsonl"
    assert whole_lines(path) == []
    for line in ("one", "zwei ü", ""):
        append_synced(path, line)

    assert whole_lines(path) == ["one", "zwei ü", ""]


def test_a_torn_last_line_is_left_out_and_cut_off_when_mended(tmp_path):
    path = tmp_path / "journal.jsonl"
    append_synced(path, "one")
    with open(path, "ab") as file:
        file.write("tw\u00f6".encode()[:-1])  # torn in the middle of a letter

    assert whole_lines(path) == ["one"]
    assert path.read_bytes().endswith(b"tw\xc3")
    assert whole_lines(path, mend=True) == ["one"]
    append_synced(path, "two")
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_line_that_was_appended_survives_a_kill(tmp_path):
    path = tmp_path / "journal.jsonl"
    writer = child(
        "for number in range(10**9):\n    files.append_synced(pathlib.Path(sys.argv[1]), f'line {number}')\n"
        "    print(number, flush=True)",
        path,
    )
    said = [int(writer.stdout.readline()) for _ in range(20)]
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    lines = whole_lines(path)

    assert said == list(range(20))
    assert lines == [f"line {number}" for number in range(len(lines))] and len(lines) >= 20


# Locks


HOLD = "with files.locked(pathlib.Path(sys.argv[1]), 'busy'):\n    print('held', flush=True)\n    sys.stdin.read()"


def test_a_lock_refuses_a_second_process_and_dies_with_its_owner(tmp_path):
    path = tmp_path / "run" / "lock"
    owner = child(HOLD, path, stdin=subprocess.PIPE)
    try:
        assert owner.stdout.readline() == "held\n"
        with pytest.raises(ZooError, match=r"^run is busy$"), locked(path, "run is busy"):
            pass
    finally:
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    entered = False
    with locked(path, "run is busy"):
        entered = True

    assert entered


def test_a_lock_is_free_after_its_block_however_it_ends(tmp_path):
    path = tmp_path / "lock"
    with pytest.raises(RuntimeError), locked(path, "busy"):
        raise RuntimeError
    with locked(path, "busy"), pytest.raises(ZooError, match="busy"), locked(path, "busy"):
        pass
    with locked(path, "busy"):
        pass


def test_a_lock_where_nothing_can_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ZooError, match=r"file/run cannot be written: Not a directory"),
        locked(tmp_path / "file/run/lock", ""),
    ):
        pass


# Folders


def made(target, content="new"):
    with new_folder(target, OURS) as folder:
        (folder / OURS).write_text(content)


def test_a_new_folder_replaces_nothing_an_empty_one_and_our_own(tmp_path):
    target = tmp_path / "deep" / "served"
    made(target, "first")
    assert (target / OURS).read_text() == "first"
    (target / "old").write_text("")
    made(target, "second")
    empty = tmp_path / "empty"
    empty.mkdir()
    made(empty)

    assert [path.name for path in target.iterdir()] == [OURS]
    assert (target / OURS).read_text() == "second"
    assert (empty / OURS).is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "empty"]
    assert [path.name for path in target.parent.iterdir()] == ["served"]


def test_a_new_folder_refuses_what_a_user_has_there(tmp_path):
    stranger, file = tmp_path / "thesis", tmp_path / "notes"
    stranger.mkdir()
    (stranger / "chapter1.tex").write_text("all my work")
    file.write_text("mine")
    for target in (stranger, file):
        with pytest.raises(ZooError, match="is there and was not made by zoo; expected a new folder"):
            made(target)

    assert (stranger / "chapter1.tex").read_text() == "all my work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes", "thesis"]


def test_a_new_folder_leaves_nothing_behind_when_its_block_fails(tmp_path):
    target = tmp_path / "served"
    made(target, "old")
    for error in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(error), new_folder(target, OURS) as folder:
            (folder / OURS).write_text("half")
            raise error

    assert (target / OURS).read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("target", [".", "..", "a/..", "/"])
def test_a_new_folder_needs_a_name_of_its_own(tmp_path, monkeypatch, target):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ZooError, match="expected the name of a new one"):
        made(Path(target))


def test_a_new_folder_below_a_file_is_refused_before_anything_is_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ZooError, match=r"file/a/b cannot be made: .*file is no folder that can be written"):
        check_target(tmp_path / "file/a/b", OURS)
    check_target(tmp_path / "a/b", OURS)

    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# Reading with suspicion


def archive(compressed=True):
    content = io.BytesIO()
    save = np.savez_compressed if compressed else np.savez
    save(content, x_train=np.arange(600, dtype="float32").reshape(30, 20), y_train=np.array(["a", "bb"] * 15))
    return content.getvalue()


def test_arrays_come_back(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(archive())
    arrays = open_npz(path)

    assert sorted(arrays) == ["x_train", "y_train"]
    assert arrays["x_train"].shape == (30, 20) and arrays["y_train"].tolist()[:2] == ["a", "bb"]


@pytest.mark.parametrize("compressed", [True, False])
def test_a_damaged_archive_is_read_or_refused_in_a_sentence(tmp_path, compressed):
    path, whole = tmp_path / "a.npz", archive(compressed)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(700):
        content = bytearray(whole)
        for _ in range(rng.choice([1, 2, 5])):
            content[rng.integers(len(content))] = rng.integers(256)
        if rng.random() < 0.2:
            content = content[: rng.integers(len(content))]
        path.write_bytes(content)
        try:
            open_npz(path)
        except ZooError as error:
            refused += 1
            assert "expected" in str(error)

    assert refused > 300


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # numpy reads a header as Python
def test_a_damaged_array_is_read_or_refused_in_a_sentence(tmp_path):
    content = io.BytesIO()
    np.save(content, np.arange(60, dtype="float32").reshape(3, 20))
    path, rng, refused = tmp_path / "a.npy", np.random.default_rng(0), 0
    path.write_bytes(content.getvalue())
    assert map_npy(path).shape == (3, 20)
    for _ in range(500):
        damaged = bytearray(content.getvalue())
        for _ in range(rng.choice([1, 2, 5])):
            damaged[rng.integers(130)] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            map_npy(path)
        except ZooError as error:
            refused += 1
            assert "expected" in str(error)

    assert refused > 250


def test_a_missing_file_a_folder_and_a_name_that_is_too_long_are_said(tmp_path):
    for opened in (open_npz, map_npy):
        for path, says in {
            tmp_path / "absent": "absent is not there",
            tmp_path: "cannot be read: Is a directory; expected an ",
            tmp_path / ("x" * 300): "cannot be read: File name too long; expected an ",
        }.items():
            with pytest.raises(ZooError, match=says):
                opened(path)


def test_pickled_objects_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=np.array([{}, None]))
    np.save(tmp_path / "a.npy", np.array([{}, None]))
    for opened, name in ((open_npz, "a.npz"), (map_npy, "a.npy")):
        with pytest.raises(ZooError, match="holds pickled objects, which could run code; expected plain arrays"):
            opened(tmp_path / name)


def test_an_archive_that_unpacks_to_too_much_is_refused_unread(tmp_path, monkeypatch):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, x_train=np.zeros((1 << 20,), "uint8"))
    monkeypatch.setattr(files, "LARGEST_ARCHIVE", 1 << 19)
    monkeypatch.setattr(np, "load", None)
    with pytest.raises(ZooError, match=r"bomb\.npz would unpack to 0\.0 GiB; expected 0 at most"):
        open_npz(path)


def test_a_header_that_claims_more_than_there_is_is_refused(tmp_path):
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "<f8", "fortran_order": False, "shape": (10**15,)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("x_train.npy", content.getvalue() + bytes(64))
    with pytest.raises(ZooError, match=r"does not fit into this machine's memory|is torn"):
        open_npz(tmp_path / "a.npz")


def test_an_archive_of_other_things_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("x_train", "hello")
    with pytest.raises(ZooError, match=r"holds `x_train`, which is no array; expected a file that"):
        open_npz(tmp_path / "a.npz")
