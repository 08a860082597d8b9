"""Which specs there are: the zoo's own, found by name whatever its case, `-` and `_`, and a user's by path."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from zoo.errors import Problem, ZooError, listed, nearest, plainly
from zoo.language import network, reading
from zoo.language.families import FACTS, FAMILIES
from zoo.language.spec import Spec


@dataclass(frozen=True)
class Card:
    """What `zoo list` says of a spec, so that a reader can choose."""

    name: str
    family: str
    task: str
    input: str
    parameters: int | None
    summary: str


@functools.cache
def files() -> dict[str, Path]:
    """The zoo's own spec files by name, the families in the order of their table."""
    folder = Path(str(resources.files("zoo.specs")))
    return {path.stem: path for family in FAMILIES for path in sorted((folder / family).glob("*.yaml"))}


def cards() -> list[Card]:
    """A card for each spec of the zoo."""
    return [card(load(name)) for name in files()]


def card(found: Spec) -> Card:
    """The card of one spec."""
    shape = " x ".join("any" if size is None else str(size) for size in found.shape)
    data = found.data
    task = found.task if "task" in data or found.coded else "any with a target"
    return Card(
        found.name, found.family, task, f"{found.kind} {shape}", data.get("parameters"), data.get("summary", "")
    )


def load(source: str | Path | Mapping[str, Any] | Spec, changes: Mapping[str, Any] | None = None) -> Spec:
    """A spec from a name of the zoo, the path of a file, or a mapping, with `changes` by dotted path.

    Raises `ZooError` with every problem of the spec, its body unfolded at the defaults of its ranges included.
    """
    if isinstance(source, Spec):
        if not changes:
            return source
        source = source.written()
    if isinstance(source, Mapping):
        found, problems = reading.read(source, "the mapping", changes or {})
    else:
        path = find(str(source))
        try:
            found, problems = reading.read(path.read_bytes(), _shown(path, str(source)), changes or {})
        except OSError as error:
            raise ZooError(f"{source} cannot be read: {error.strerror}") from None
    if found is not None:
        problems = problems + _body_problems(found)
    if problems or found is None:
        raise ZooError(*problems)
    return found


def _body_problems(found: Spec) -> list[Problem]:
    """What is wrong with a spec's body at the defaults of its ranges. What only data can know is no problem yet."""
    unknown = [] if found.coded else [key for key in FACTS[found.task] if key not in found.facts]
    return network.unfold(found.fill().adapted(**dict.fromkeys(unknown, 2)))[1]


def find(name: str) -> Path:
    """The file of a spec: a path if it names one, else one of the zoo's. Raises `ZooError` with the nearest name."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or "/" in name:
        if os.path.isfile(path):
            return path
        says = "is a folder" if os.path.isdir(path) else "is not there"
        raise ZooError(f"{name} {says}; expected the path of a spec file, or one of {listed(files())}")
    known = next((known for known in files() if plainly(known) == plainly(name)), None)
    if known:
        return files()[known]
    hint = nearest(name, files())
    raise ZooError(
        f"no spec `{name}`; expected one of {listed(files())}, or a path"
        + (f"; did you mean `{hint}`?" if hint else "")
    )


def _shown(path: Path, given: str) -> str:
    """The name of a file as problems say it: as it was given, or its own for a spec of the zoo."""
    return given if Path(given) == path else path.name
