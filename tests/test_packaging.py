"""A wheel is built, installed where the checkout is not, and used from another folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*command: object, cwd: Path, **more) -> str:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "ZOO"))}
    ended = subprocess.run(
        [str(one) for one in command], cwd=cwd, capture_output=True, text=True, env=clean, check=False, **more
    )
    assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    source = out / "source"
    run("git", "clone", "-q", ROOT, source, cwd=out)
    changed = run("git", "ls-files", "-m", "-o", "--exclude-standard", cwd=ROOT).split()
    for name in changed:  # what is not committed yet is tested too
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "build", "--wheel", "--outdir", out, source, cwd=out)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_the_specs_the_data_the_catalogue_and_no_other_package(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}

    assert {name for name in tops if not name.endswith(".dist-info")} == {"zoo"}
    specs = {path.name for path in (ROOT / "specs").rglob("*.yaml")}
    assert specs and specs == {Path(name).name for name in names if name.endswith(".yaml")}
    for wanted in (
        "zoo/datasets/vendored/co2.npz",
        "zoo/datasets/vendored/README.md",
        "zoo/language/catalogue.json",
        "zoo/specs/zoo.schema.json",
    ):
        assert wanted in names
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "zoo").rglob("*.py")}
    assert modules <= set(names)


def test_an_installed_wheel_works_from_another_folder(wheel, tmp_path):
    """The new environment gets the wheel alone; the libraries are those of the tests' own environment, by path."""
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "clean", cwd=tmp_path)
    python = tmp_path / "clean" / "bin" / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel, cwd=tmp_path
    )
    zoo = tmp_path / "clean" / "bin" / "zoo"
    away = tmp_path / "away"
    away.mkdir()

    assert str(tmp_path / "clean") in run(python, "-c", "import zoo; print(zoo.__file__)", cwd=away)
    assert "lenet5" in run(zoo, "list", cwd=away)
    assert "61,706" in run(zoo, "show", "LeNet-5", cwd=away)
    said = run(zoo, "train", "mlp", "--data", "breast_cancer", "--epochs", "1", "--to", "served", cwd=away)
    assert "verified in a fresh process" in said and (away / "served" / "saved_model.pb").is_file()
    assert "malignant" in run(zoo, "predict", "served", "--data", "breast_cancer", cwd=away)


def test_the_floors_hold():
    said = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert said.returncode == 0, said.stdout
    assert "1 kept, 0 broken" in said.stdout


def test_every_room_stands_in_the_packaging():
    import configparser

    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    packages = set(setup["options"]["packages"].split())
    folders = {"zoo." + path.parent.name for path in (ROOT / "zoo").glob("*/__init__.py")}

    assert folders and packages == folders | {"zoo", "zoo.specs"}
