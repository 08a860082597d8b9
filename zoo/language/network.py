"""A filled spec to a `Network`: a flat tuple of layers, without Keras. The hinge of the house.

Building, showing and exporting read this one type; each node knows where its spec wrote it, so that an error of
Keras finds its way back to a line.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from zoo.errors import Mark, Problem, listed, nearest
from zoo.language import catalogue, objects, ranges
from zoo.language.families import FACTS, LIKELIHOODS, head
from zoo.language.objects import OURS, is_lambda
from zoo.language.parsing import Path, shown, written
from zoo.language.ranges import Filled
from zoo.language.spec import DEFAULT_DROPOUT, DEFAULT_L2, NAME, NAMES, Spec

KEPT = (*objects.KEPT, "let", "for", "in", "layers", "reuse")
"""Keys of an item that the language keeps for what is to come."""

MOST = 100
"""After so many problems the items that follow are not looked at."""


@dataclass(frozen=True)
class Node:
    """One layer of a network: what it is called, what it is, what it is called on, and how it is regularised.

    `l2` is lambda for its kernels (None where it has none); `dropout` is p (None where it is no dropout layer).
    `part` is the section it stands in: layers, encoder, latent, decoder, criterion or head.
    """

    name: str
    layer: str
    arguments: dict[str, Any]
    inputs: tuple[str, ...]
    part: str
    l2: float | None = None
    dropout: float | None = None
    mark: Mark | None = None
    path: str = ""


@dataclass(frozen=True)
class Network:
    """A whole network, flat and in order: every node's inputs stand before it. `output` names the last node."""

    name: str
    input: str
    shape: tuple[int | None, ...]
    nodes: tuple[Node, ...]
    output: str

    def without_values(self) -> list[Any]:
        """The network with each lambda and p that a range filled replaced by the range's name: what a trace depends on.

        A number that a range filled elsewhere (a slope, a rate inside an LSTM) is part of the graph and stays.
        """
        return [
            [n.name, n.layer, n.arguments, list(n.inputs), n.part, *map(_unfilled, (n.l2, n.dropout))]
            for n in self.nodes
        ]

    def knobs(self) -> set[str]:
        """The names of the ranges whose values act as lambda or p: they change no shape and need no new trace."""
        values = [value for node in self.nodes for value in (node.l2, node.dropout)]
        return {value.name for value in values if isinstance(value, Filled)}


def unfold(spec: Spec) -> tuple[Network | None, list[Problem]]:
    """Unfold a filled spec to its network; all problems of its body are found, and then there is no network."""
    unfolding = _Unfolding(spec)
    network = unfolding.run()
    return (None if unfolding.problems else network), unfolding.problems


def _unfilled(value: float | None) -> Any:
    return f"<{value.name}>" if isinstance(value, Filled) else value


@dataclass
class _Unfolding:
    """The state while the items of one spec are laid out flat."""

    spec: Spec
    problems: list[Problem] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Path] = field(default_factory=dict)  # each name, and where it was given
    counts: dict[str, int] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)  # which of the spec's `l2` and `dropout` a layer takes
    whole: bool = True  # every item was understood, so that what leads nowhere, or is not read, can be told
    previous: str = "input"
    start: str = "input"

    def run(self) -> Network:
        spec = self.spec
        self.previous = self.start = spec.kind
        self.tensors[spec.kind] = ("input",)
        for part in ("layers", "encoder"):
            self._items(part)
        if spec.coded:
            self._latent()
            self.start = self.previous
            self._items("decoder")  # and the head, which ends it: both read the code alone
        self._head()
        if "z_log_var" in self.tensors:
            inputs = (spec.kind, self.previous, "z_mean", "z_log_var")
            given = {"likelihood": spec.likelihood}
            self._add("EvidenceLowerBound", given, "criterion", ("latent",), self._our_name("evidence"), inputs)
        if self.whole:
            self._loose_ends()
            self._unread()
        return Network(spec.name, spec.kind, spec.shape, tuple(self.nodes), self.previous)

    # Items

    def _items(self, section: str, part: str = "") -> None:
        for index, item in enumerate(self.spec.data.get(section) or []):
            if len(self.problems) < MOST:
                self._item(item, part or section, (section, index))

    def _item(self, item: Any, part: str, path: Path, name: str = "") -> None:
        """One item: `Flatten`, `Dropout: 0.3` or `Conv2D: {filters: 6, ...}`; `name` is ours for one that has none."""
        if not self._is_item(item, path):
            self.whole = False
            return
        layer, body = (item, None) if isinstance(item, str) else next(iter(item.items()))
        here = path if isinstance(item, str) else (*path, layer)
        entry = catalogue.entry("layers", layer)
        if isinstance(entry, tuple):
            self._wrong(here, *entry)
            self.whole = False
            arguments = dict(body) if isinstance(body, dict) else {}
            own = {key: arguments.pop(key) for key in OURS if key in arguments}
        else:
            arguments, own = self._arguments(layer, body, entry, here)
        given = self._name(own["name"], (*here, "name")) if "name" in own else ""
        name = given or (self._our_name(name) if name else self._default_name(layer))
        inputs = self._inputs(own["from"], (*here, "from")) if "from" in own else (self.previous,)
        self._add(layer, arguments, part, here, name, inputs, own.get("l2"))

    def _is_item(self, item: Any, path: Path) -> bool:
        if isinstance(item, str):
            return True
        if not isinstance(item, dict):
            self._wrong(path, f"{shown(item)} is no item", "a layer, such as Flatten or Dense: {units: 64}")
            return False
        kept = next((key for key in item if key in KEPT), "")
        if kept:
            wrong = f"`{kept}` is kept for a later version of the language"
            self._wrong((*path, kept), wrong, "a layer, such as Flatten or Dense: {units: 64}")
        elif len(item) != 1:
            keys = listed(f"`{key}`" for key in item) or "none"
            inside = next((key for key in item if key in OURS), "")
            hint = f"{next(iter(item))}: {{{inside}: ..., ...}}" if inside else ""
            self._wrong(path, f"an item has one key, this has {keys}", "a layer, its arguments in braces", hint)
        return len(item) == 1 and not kept

    def _arguments(
        self, layer: str, body: Any, entry: dict[str, Any], path: Path
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The layer's own arguments, and the words of ours among them, checked; a lone value is the one required."""
        known, required = entry["arguments"], entry["required"]
        if body is not None and not isinstance(body, dict) and len(required) != 1:
            needs = " and ".join(f"`{key}`" for key in required) or "no argument"
            verb = "are" if len(required) > 1 else "is"
            expected = objects.called(layer, required) if required else f"{layer}: {{argument: value}}"
            self._wrong(path, f"{shown(body)} stands alone, and {needs} {verb} required", expected)
            return {}, {}
        arguments = dict(body) if isinstance(body, dict) else {required[0]: body} if body is not None else {}
        own = {key: arguments.pop(key) for key in OURS if key in arguments and key not in known}
        if ranges.looks_like(arguments) and "default" in arguments and not set(arguments) & set(known):
            hint = f"{layer}: {{{required[0]}: {{...}}}}" if len(required) == 1 else ""
            self._wrong(path, "a range stands where the arguments do", "it as the value of an argument", hint)
        else:
            self._told(objects.arguments(layer, arguments, entry, path, item=True))
        if "l2" in own and not is_lambda(own["l2"]):
            self._wrong((*path, "l2"), f"{shown(own['l2'])} is not accepted", objects.LAMBDA)
        elif "l2" in own and not _kernels(layer, arguments):
            self._wrong((*path, "l2"), "nothing reads it", "a layer with a kernel that has no regularizer of its own")
        return arguments, own

    # Names and tensors

    def _name(self, given: Any, path: Path) -> str:
        """A name that the spec gives, or an empty text if it cannot be one."""
        name = str(given)
        if type(given) not in (str, int) or not NAME.fullmatch(name):
            self._wrong(path, f"{shown(given)} is no name", NAMES)
        elif name in ("previous", "input"):
            self._wrong(path, f"`{name}` is a word of the language", "another name")
        elif name in self.tensors:
            place = self.spec.place(self.tensors[name])
            by = f"line {place.line}" if place and place.line else written(self.tensors[name])
            self._wrong(path, f"`{name}` is taken by {'the input' if name == self.spec.kind else by}", "another name")
        else:
            return name
        self.whole = False
        return ""

    def _our_name(self, name: str) -> str:
        """A name that the language gives; a spec's layer that has it must be called otherwise."""
        if name in self.tensors:
            wrong = f"`{name}` is the name of a layer that is added to every {self.spec.task} network without `head`"
            if name in ("z_mean", "z_log_var", "z", "evidence", "code"):
                wrong = f"`{name}` is the name of a layer that `latent` stands for"
            self._wrong((*self.tensors[name], "name"), wrong, "another name")
        return name

    def _default_name(self, layer: str) -> str:
        """The class in Keras's snake case, counted within the spec: `conv2d`, `conv2d_1`."""
        snake = re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", layer)).lower()
        while True:
            count = self.counts.get(snake, 0)
            self.counts[snake] = count + 1
            name = f"{snake}_{count}" if count else snake
            if name not in self.tensors:
                return name

    def _inputs(self, given: Any, path: Path) -> tuple[str, ...]:
        """The tensors that `from` names: one, or a list of them."""
        result, before = [], len(self.problems)
        for index, name in enumerate(given if isinstance(given, list) else [given]):
            where = (*path, index) if isinstance(given, list) else path
            tensor = {"previous": self.previous, "input": self.start}.get(str(name), str(name))
            if isinstance(name, (list, dict)):
                wrong = "branches and arguments of a call are kept for a later version of the language"
                self._wrong(where, wrong, "the name of a tensor, or a list of names")
            elif type(name) not in (str, int) or tensor not in self.tensors:
                close = nearest(name, ["previous", "input", *self.tensors])
                self._wrong(
                    where,
                    f"no tensor {f'`{name}`' if isinstance(name, str) else shown(name)}",
                    "previous, input or a name above",
                    close,
                )
            else:
                result.append(tensor)
        if given == []:
            self._wrong(path, "no tensor at all", "the name of a tensor, or a list of names")
        self.whole = self.whole and bool(result) and len(self.problems) == before
        return tuple(result) or (self.previous,)

    def _add(
        self, layer: str, arguments: dict[str, Any], part: str, path: Path, name: str,
        inputs: tuple[str, ...], own_l2: float | None = None,
    ) -> None:  # fmt: skip
        l2 = rate = None
        if _kernels(layer, arguments):
            l2 = self._of_spec("l2", DEFAULT_L2) if own_l2 is None else own_l2
        if layer in catalogue.DROPOUTS:
            rate = arguments.pop("rate") if "rate" in arguments else self._of_spec("dropout", DEFAULT_DROPOUT)
        place = self.spec.place(path)
        self.nodes.append(Node(name, layer, arguments, inputs, part, l2, rate, place, written(path)))
        self.tensors[name] = path
        self.previous = name

    def _of_spec(self, key: str, default: float) -> float:
        self.read.add(key)
        return self.spec.data.get(key, default)

    # The ends of a body

    def _latent(self) -> None:
        latent = self.spec.data["latent"]
        layer, body = next(iter(latent.items())) if isinstance(latent, dict) and len(latent) == 1 else (latent, None)
        if layer != "Gaussian":
            self._item(latent, "encoder", ("latent",), "code")
            return
        path: Path = ("latent", "Gaussian") if isinstance(latent, dict) else ("latent",)
        arguments = body if isinstance(body, dict) else {} if body is None else {"units": body}
        self._told(objects.arguments("Gaussian", arguments, objects.GAUSSIAN, path))
        before = (self.previous,)
        for name in ("z_mean", "z_log_var"):
            self._add("Dense", {"units": arguments.get("units")}, "encoder", path, self._our_name(name), before)
        self._add("Sampling", {}, "latent", path, self._our_name("z"), ("z_mean", "z_log_var"))

    def _head(self) -> None:
        spec = self.spec
        if "head" in spec.data:
            self._items("head", "decoder" if spec.coded else "head")
        elif spec.coded:
            self._reconstruction()
        elif all(key in spec.facts for key in FACTS[spec.task]):
            for item in head(spec.task, spec.facts):
                self._ours(item, "head")
        else:
            missing = [key for key in FACTS[spec.task] if key not in spec.data]
            for key in missing:
                self._wrong((), f"`{key}` is missing", f"a whole number above 0, for {spec.task} without `head`")
            self.whole = False

    def _reconstruction(self) -> None:
        """The end of a decoder: the input's shape, under the activation that the likelihood needs."""
        size = self.spec.shape[-1]
        if size is None:  # the data will say
            return
        named = {"name": "reconstruction", "activation": LIKELIHOODS[self.spec.likelihood]}
        if self.spec.kind == "image":
            self._ours({"Conv2D": {"filters": size, "kernel_size": 3, "padding": "same", **named}}, "decoder")
        else:
            self._ours({"Dense": {"units": size, **named}}, "decoder")

    def _ours(self, item: dict[str, Any], part: str) -> None:
        """An item that the language adds at the end of a part."""
        layer, body = next(iter(item.items()))
        arguments = {key: value for key, value in body.items() if key != "name"}
        self._item({layer: arguments}, part, (part,), body["name"])

    def _loose_ends(self) -> None:
        used = {name for node in self.nodes for name in node.inputs} | {self.previous}
        inside = {node.name for node in self.nodes if node.part == "decoder"} | {self.start}
        for node in self.nodes:
            foreign = [name for name in node.inputs if node.part == "decoder" and name not in inside]
            if foreign:  # what is served as `decode` is given the code and nothing else
                wrong = f"the decoder reads `{foreign[0]}`, which it cannot have when it is served alone"
                self.problems.append(Problem(wrong, "the code or a layer of the decoder", "", node.path, node.mark))
            if node.name not in used:
                wrong = f"`{node.name}` leads to no output"
                self.problems.append(Problem(wrong, "every layer to be used", "", node.path, node.mark))

    def _unread(self) -> None:
        reads = {"l2": "a layer with a kernel", "dropout": "a Dropout without a rate of its own"}
        for key, expected in reads.items():
            if key in self.spec.data and key not in self.read:
                self._wrong((key,), "nothing reads it", expected)

    def _told(self, found: Iterable[objects.Found]) -> None:
        for one in itertools.islice(found, MOST):
            self._wrong(*one)

    def _wrong(self, path: Path, wrong: str, expected: str = "", hint: str = "") -> None:
        if not self.spec.is_told(path):
            self.problems.append(self.spec.problem(path, wrong, expected, hint))


def _kernels(layer: str, arguments: dict[str, Any]) -> list[str]:
    """The regularisers of a layer through which lambda acts, those of the layers it wraps included."""
    known = catalogue.catalogue()["layers"].get(layer, {"arguments": ()})["arguments"]
    free = [key for key in catalogue.KERNELS if key in known and key not in arguments]
    for key in ("layer", "cell", "backward_layer"):
        inner = arguments.get(key)
        if isinstance(inner, dict) and len(inner) == 1:
            name, body = next(iter(inner.items()))
            free += _kernels(name, body if isinstance(body, dict) else {})
        elif isinstance(inner, str):
            free += _kernels(inner, {})
    return free
