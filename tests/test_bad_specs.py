"""Every mistake in `bad_specs/` is told in full as the file of its name beside it says, by `zoo check` too."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo import cli, selection
from zoo.errors import ZooError

FOLDER = Path(__file__).with_name("bad_specs")
BAD = sorted(FOLDER.rglob("*.yaml"))

every_mistake = pytest.mark.parametrize("path", BAD, ids=[path.stem for path in BAD])


def test_there_are_many_mistakes_and_each_has_its_sentence():
    assert len(BAD) >= 80
    assert {path.stem for path in FOLDER.rglob("*.txt")} == {path.stem for path in BAD}


@every_mistake
def test_a_mistake_is_told_in_full_with_its_place(path, monkeypatch):
    monkeypatch.chdir(FOLDER)

    with pytest.raises(ZooError) as caught:
        selection.load(path.name)

    assert f"{caught.value}\n" == path.with_suffix(".txt").read_text(encoding="utf-8")


@every_mistake
def test_the_place_of_a_mistake_is_in_its_file(path):
    lines = path.read_text(encoding="utf-8").split("\n")

    with pytest.raises(ZooError) as caught:
        selection.load(path)

    for problem in caught.value.problems:
        assert problem.mark.file == str(path)
        assert 1 <= problem.mark.line <= len(lines)
        assert 1 <= problem.mark.column <= len(lines[problem.mark.line - 1]) + 1
    assert list(caught.value.problems) == sorted(caught.value.problems, key=lambda one: one.place)


def test_the_command_tells_the_same_of_all_files_at_once(monkeypatch, capsys):
    monkeypatch.chdir(FOLDER)

    with pytest.raises(SystemExit) as stopped:
        cli.main(["check", *(path.name for path in BAD)])

    told = capsys.readouterr()
    assert stopped.value.code == 1
    assert told.out == ""
    assert told.err == "".join(path.with_suffix(".txt").read_text(encoding="utf-8") for path in BAD)
