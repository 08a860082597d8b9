"""A spec: what a file says, with the place of each word; it may hold ranges until values fill them.

Immutable. `reading.py` makes one from bytes and says what is wrong; here is what can be asked of it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

from zoo.errors import Mark, Problem
from zoo.language import dumping
from zoo.language.families import FAMILIES, kinds
from zoo.language.fields import BODY, PROSE
from zoo.language.merging import CHANGE, without_unread
from zoo.language.objects import is_count
from zoo.language.parsing import Marks, Path, place_of, problem_at, written
from zoo.language.ranges import Filled, Range, is_number

DEFAULT_L2, DEFAULT_DROPOUT = 0.001, 0.5
"""Lambda and p of a spec that states neither."""

TRAIN: dict[str, Any] = {"optimizer": {"Adam": {"learning_rate": 0.001}}, "batch_size": 32, "epochs": 20}
"""How a spec is trained that does not say."""

CARD = (*PROSE[1:], "year", "parameters", "flops")
"""Keys that say what is known of a network; they change nothing in it."""

FIGURES = ("parameters", "counting", "flops", "metric")
"""Keys of the card that are true of one network alone."""

_SHAPES_NOTHING = (*CARD, "name", "train", "l2", "dropout", "weights", "penalties")

STATED = ("classes", "targets", "horizon", "features")
"""What a head must know: sizes that a spec may state and data decide."""


@dataclass(frozen=True)
class Spec:
    """What a spec file says, checked; ranges stand in it as `Range` objects until `fill` puts values there."""

    data: Mapping[str, Any]
    marks: Marks
    source: str
    told: frozenset[str] = frozenset()
    """The paths of what was found wrong when the spec was read, so that nothing is said of them twice."""
    gone: frozenset[str] = frozenset()
    """Names and blocks that went with the values which alone read them."""

    def __repr__(self) -> str:
        sizes = " x ".join("any" if size is None else str(size) for size in self.shape)
        return f"<Spec {self.name}: {self.family}, {self.task}, {self.kind} {sizes}>"

    @property
    def name(self) -> str:
        """The spec's own name."""
        return str(self.data.get("name", ""))

    @property
    def family(self) -> str:
        """The family it belongs to: cnn, rnn, ae, vae or mlp."""
        return str(self.data["family"])

    @property
    def task(self) -> str:
        """What the network is for: what the spec states, else what its family is for."""
        if self.coded:
            return "generation" if self.gaussian else "reconstruction"
        return str(self.data.get("task") or FAMILIES[self.family].task)

    @property
    def inputs(self) -> dict[str, Mapping[str, Any]]:
        """What the network is given, by name; a single `input` is called after its kind."""
        if "inputs" in self.data:
            return dict(self.data["inputs"])
        one = self.data["input"]
        return {str(one.get("kind") or kinds(one)[0]): one}

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The first input's shape without the batch."""
        return tuple(next(iter(self.inputs.values()))["shape"])

    @property
    def kind(self) -> str:
        """What the first input is: image, sequence, table, tokens, ..."""
        one = next(iter(self.inputs.values()))
        return str(one.get("kind") or kinds(one)[0])

    @property
    def coded(self) -> bool:
        """Whether the body is an encoder, a latent and a decoder."""
        return "latent" in FAMILIES[self.family].body

    @property
    def label(self) -> str | None:
        """The input that is given the label of each row, in an autoencoder that is told it; None if there is none."""
        named = [name for name, one in self.inputs.items() if kinds(one)[0] == "label"]
        return named[0] if self.coded and len(named) == 1 else None

    @property
    def gaussian(self) -> bool:
        """Whether the code is a distribution, from which new rows can be drawn."""
        latent = self.data.get("latent")
        return latent == "Gaussian" or (isinstance(latent, Mapping) and list(latent) == ["Gaussian"])

    @property
    def likelihood(self) -> str:
        """How an autoencoder's output is read: gaussian unless the spec says bernoulli."""
        return str(self.data.get("likelihood", "gaussian"))

    @property
    def train(self) -> dict[str, Any]:
        """How it is trained: optimizer, batch_size and epochs, defaults included."""
        return {**TRAIN, **self.data.get("train", {})}

    @property
    def facts(self) -> dict[str, int]:
        """What the head must know: classes, targets, horizon and features, as far as stated."""
        known = {"targets": 1, "features": 1}
        vocabulary = next(iter(self.inputs.values())).get("vocabulary")
        if isinstance(vocabulary, int) and is_count(vocabulary):
            known["vocabulary"] = vocabulary
        return known | {key: self.data[key] for key in STATED if is_count(self.data.get(key))}

    def ranges(self) -> dict[str, Range]:
        """Every range by its name, which is its path, shortened: `l2`, `dropout`, `fc1.units`, `batch_size`."""
        return {name: one for name, one, _ in _named(self.data)}

    def range_paths(self) -> dict[str, Path]:
        """Where every range stands, by its name."""
        return {name: path for name, _, path in _named(self.data)}

    def fill(self, values: Mapping[str, Any] | None = None) -> Spec:
        """A spec without ranges: each is replaced by its value, or by its default where `values` has none."""
        given = values or {}

        names = {path: name for name, path in self.range_paths().items()}

        def choose(found: Range, path: Path) -> Any:
            name = names[path]
            chosen = given.get(name, found.default)
            measured = isinstance(chosen, float) or (is_number(chosen) and not found.counted)
            return Filled(chosen, name) if measured else chosen

        moved = [path for name, one, path in _named(self.data) if given.get(name, one.default) != one.default]
        acting = ("l2", "rate", "dropout")
        others = any(path[0] not in _SHAPES_NOTHING and (path[0] == "let" or path[-1] not in acting) for path in moved)
        data = {key: value for key, value in self.data.items() if not others or key not in FIGURES}
        return replace(self, data=_replaced(data, (), choose))

    def adapted(self, **facts: Any) -> Spec:
        """The spec with what data brought: shape and vocabulary of its first input, classes, ..., task, or ranges."""
        data, (first, before) = dict(self.data), next(iter(self.inputs.items()))
        given = {key: facts.pop(key) for key in ("shape", "vocabulary") if key in facts}  # of the first input
        given |= {"shape": list(given["shape"])} if "shape" in given else {}
        if any(key in data and data[key] != value for key, value in facts.items() if key in STATED) or any(
            before.get(key) != value for key, value in given.items()
        ):
            data = {key: value for key, value in data.items() if key not in FIGURES}  # they are of the network before
        if given and "inputs" in data:
            data["inputs"] = {**data["inputs"], first: {**before, **given}}
        elif given:
            data["input"] = {**before, **given}
        gone = [(1, data[key]) for key in facts if key in data]
        return replace(self, data=without_unread({**data, **facts}, gone, {}))

    def written(self) -> dict[str, Any]:
        """The spec as plain values, ranges as mappings; what YAML and JSON hold."""
        return _plain(self.data)

    def dump(self) -> str:
        """The spec as YAML text that parses back to the same spec."""
        return dumping.dump(self.written())

    def held(self) -> dict[str, Any]:
        """What the spec says, without the figures that are another network's."""
        return held(self.data, self.marks, self.source)

    def identity(self) -> str:
        """A hash of what the spec says; comments, order of keys and prose do not count."""
        said = {key: value for key, value in self.written().items() if key not in CARD}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def changed(self, other: Spec) -> list[str]:
        """The keys in which two specs differ."""
        ours, theirs = self.written(), other.written()
        return [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]

    def problem(self, path: Path, wrong: str, expected: str = "", hint: str = "") -> Problem:
        """A problem at a path of this spec, with the place where that path was written."""
        return problem_at(self.marks, path, wrong, expected, hint)

    def place(self, path: Path) -> Mark | None:
        """Where a path of this spec was written, or what it stands in."""
        return place_of(self.marks, path)

    def is_told(self, path: Path) -> bool:
        """Whether something was found wrong with the value at a path already, or with one that it stands in."""
        return is_told(written(path), self.told)

    def is_told_in(self, path: Path) -> bool:
        """The same, or with a part of the value."""
        text = written(path)
        return self.is_told(path) or any(one.startswith((f"{text}.", f"{text}[")) for one in self.told)


def held(data: Mapping[str, Any], marks: Marks, file: str) -> dict[str, Any]:
    """The data of a spec without the figures that stand in another file, or before a change of the network."""
    moved = [path for path, mark in marks.items() if mark and mark.file == CHANGE and path]
    changed = any(path[0] not in _SHAPES_NOTHING for path in moved)
    places = {key: place for key in FIGURES if (place := marks.get((key,)))}
    gone = {key for key, place in places.items() if place.file != CHANGE and (changed or place.file != file)}
    return {key: value for key, value in data.items() if key not in gone}


def is_told(path: str, told: Set[str]) -> bool:
    """Whether one of the paths told of is this one, or holds it."""
    return any(path[: end.start()] in told for end in re.finditer(r"[.\[]|$", path))


def _named(data: Mapping[str, Any]) -> list[tuple[str, Range, Path]]:
    """Every range with its name and its path. The name is the path, shortened where that tells it from the others.

    `l2`, `width` for `let.width`; an item that has a name goes by it: `fc1.units`, in a block `residual.fc1.units`. In
    `train` the last word is enough, `learning_rate` or `batch_size`, with as many before it as tell it from the others.
    """
    found: list[tuple[Range, Path, Path]] = []

    def look(value: Any, path: Path, short: Path) -> None:
        if isinstance(value, Range):
            found.append((value, path, short))
        elif isinstance(value, Mapping):
            given = value.get("name")
            if len(path) > 1 and path[0] in (*BODY, "blocks") and isinstance(given, str) and "$" not in given:
                short = (path[1], given) if path[0] == "blocks" else (given,)
            for key, one in value.items():
                look(one, (*path, key), (key,) if path == ("let",) else (*short, key))
        elif isinstance(value, list):
            for index, one in enumerate(value):
                look(one, (*path, index), (*short, index))

    look(data, (), ())
    trained = [path for _, path, _ in found if path[0] == "train"]
    names: dict[Path, str] = {}
    # The names of the others do not depend on those in `train`, and those of the spec's own keys on none.
    for _, path, short in sorted(found, key=lambda one: (one[1][0] == "train", len(one[1]) > 1)):
        name = _tail(path, trained, names.values()) if path[0] == "train" else written(short)
        names[path] = written(path) if name in names.values() else name
    return [(names[path], one, path) for one, path, _ in found]


def _tail(path: Path, others: list[Path], taken: Collection[str]) -> str:
    """The fewest last words of a path that no other path ends in and that are no name yet."""
    last = len(path) - ("class_weight" in path[:-1])  # a label alone is no name
    tails = [path[at:] for at in reversed(range(last)) if isinstance(path[at], str)]
    alone = [tail for tail in tails if all(one == path or one[-len(tail) :] != tail for one in others)]
    return next((name for name in map(written, alone) if name not in taken), written(path))


def _replaced(value: Any, path: Path, choose: Callable[[Range, Path], Any]) -> Any:
    """A value with each range in it replaced by what is chosen for it."""
    if isinstance(value, Range):
        return choose(value, path)
    if isinstance(value, Mapping):
        return {key: _replaced(one, (*path, key), choose) for key, one in value.items()}
    if isinstance(value, list):
        return [_replaced(one, (*path, index), choose) for index, one in enumerate(value)]
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Range):
        return value.written()
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return float(value) if isinstance(value, float) else value
