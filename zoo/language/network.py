"""A filled spec to a `Network`: a flat tuple of layers, without Keras. The hinge of the house.

Building, showing and exporting read this one type; each node knows where its spec wrote it, so that an error of
Keras finds its way back to a line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from zoo.errors import Mark, Problem, listed, nearest
from zoo.language import catalogue
from zoo.language.families import FACTS, LIKELIHOODS, head
from zoo.language.parsing import Path, written
from zoo.language.ranges import Filled
from zoo.language.spec import DEFAULT_DROPOUT, DEFAULT_L2, Spec, is_lambda, is_rate, named

OURS = ("name", "from", "l2")
"""Words of ours inside an item's braces, beside the layer's own arguments."""

KEPT = ("if", "else", "repeat")
"""Words that the language keeps for what is to come."""


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
        """The network with each number that a range filled replaced by the range's name: what a trace depends on."""
        return [_unfilled([n.name, n.layer, n.arguments, n.inputs, n.part, n.l2, n.dropout]) for n in self.nodes]

    def knobs(self) -> set[str]:
        """The names of the ranges whose values act as lambda or p: they change no shape and need no new trace."""
        values = [value for node in self.nodes for value in (node.l2, node.dropout)]
        return {value.name for value in values if isinstance(value, Filled)}


def unfold(spec: Spec) -> tuple[Network | None, list[Problem]]:
    """Unfold a filled spec to its network; all problems of its body are found, and then there is no network."""
    unfolding = _Unfolding(spec)
    network = unfolding.run()
    return (None if unfolding.problems else network), unfolding.problems


def _unfilled(value: Any) -> Any:
    if isinstance(value, Filled):
        return f"<{value.name}>"
    if isinstance(value, (list, tuple)):
        return [_unfilled(inner) for inner in value]
    if isinstance(value, dict):
        return {key: _unfilled(inner) for key, inner in value.items()}
    return value


@dataclass
class _Unfolding:
    """The state while the items of one spec are laid out flat."""

    spec: Spec
    problems: list[Problem] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    tensors: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    previous: str = "input"
    start: str = "input"

    def run(self) -> Network:
        spec = self.spec
        self.previous = self.start = spec.kind
        self.tensors.add(spec.kind)
        for part in ("layers", "encoder"):
            self._items(part)
        if spec.coded:
            self._latent()
            self.start = self.previous
            self._items("decoder")
        self._head()
        if spec.coded and any(node.name == "z_log_var" for node in self.nodes):
            inputs = (spec.kind, self.previous, "z_mean", "z_log_var")
            self._add("EvidenceLowerBound", {"likelihood": spec.likelihood}, "criterion", ("latent",), "evidence", inputs)
        self._loose_ends()
        self._unread()
        return Network(spec.name, spec.kind, spec.shape, tuple(self.nodes), self.previous)

    # Items

    def _items(self, part: str) -> None:
        for index, item in enumerate(self.spec.data.get(part) or []):
            self._item(item, part, (part, index))

    def _item(self, item: Any, part: str, path: Path) -> None:
        """One item: `Flatten`, `Dropout: 0.3` or `Conv2D: {filters: 6, ...}`."""
        if isinstance(item, dict) and len(item) != 1:
            keys = ", ".join(f"`{key}`" for key in item) or "none"
            inside = next((key for key in item if key in OURS), "")
            hint = f"{next(iter(item))}: {{..., {inside}: {item[inside]}}}" if inside else ""
            self._wrong(path, f"an item has one key, this has {keys}", "a layer, its arguments in the braces", hint)
            return
        if not isinstance(item, (str, dict)):
            self._wrong(path, "no item", "a layer such as Flatten or Dense: {units: 64}")
            return
        layer, body = (item, None) if isinstance(item, str) else next(iter(item.items()))
        here = path if isinstance(item, str) else (*path, layer)
        entry = catalogue.entry("layers", layer)
        if isinstance(entry, tuple):
            self._wrong(here, *entry)
            return
        arguments = self._arguments(layer, body, entry, here)
        if arguments is None:
            return
        own = {key: arguments.pop(key) for key in OURS if key in arguments and key not in entry["arguments"]}
        name = self._name(own.get("name"), layer, (*here, "name"))
        inputs = self._inputs(own.get("from"), (*here, "from"))
        l2 = own.get("l2", self.spec.data.get("l2", DEFAULT_L2))
        if "l2" in own and not is_lambda(l2):
            self._wrong((*here, "l2"), f"`{l2}` is not accepted", "a number of 0 or above, or a range")
        self._check(layer, arguments, entry, here)
        self._add(layer, arguments, part, here, name, inputs, l2)

    def _arguments(self, layer: str, body: Any, entry: dict[str, Any], path: Path) -> dict[str, Any] | None:
        """The arguments by name; a lone value is the one required argument."""
        if body is None:
            return {}
        if isinstance(body, dict):
            return dict(body)
        required = entry["required"]
        if len(required) == 1:
            return {required[0]: body}
        missing = " and ".join(required) or "no argument"
        verb = "are" if len(required) > 1 else "is"
        hint = "{" + ", ".join(f"{key}: ..." for key in required) + "}" if required else ""
        self._wrong(path, f"`{body}` alone, but {missing} {verb} required", "one required argument", hint)
        return None

    def _check(self, layer: str, arguments: dict[str, Any], entry: dict[str, Any], path: Path) -> None:
        known = entry["arguments"]
        for key, value in arguments.items():
            here = (*path, key)
            if key in KEPT:
                self._wrong(here, f"`{key}` is kept for a later version of the language", "the layer's own arguments")
            elif key not in known:
                words = [*known, *OURS]
                self._wrong(here, "no such argument", f"one of {listed(words)}", nearest(key, words))
            else:
                self._value(key, value, known[key], here)
        taken = layer in catalogue.DROPOUTS
        missing = [key for key in entry["required"] if key not in arguments and not (taken and key == "rate")]
        if missing:
            says = " and ".join(f"`{key}`" for key in missing)
            expected = f"a value for each of {listed(entry['required'])}"
            self._wrong(path, f"{says} {'is' if len(missing) == 1 else 'are'} missing", expected)
        if taken and "rate" in arguments and not is_rate(arguments["rate"]):
            expected = "a number of at least 0 and below 1, or a range"
            self._wrong((*path, "rate"), f"`{arguments['rate']}` is not accepted", expected)

    def _value(self, key: str, value: Any, default: Any, path: Path) -> None:
        """What can be said of an argument's value without Keras."""
        if isinstance(value, str) and "$" in value:
            self._wrong(path, f"`{value}` is an expression", "a value; expressions come with a later version")
        elif isinstance(default, bool) and not isinstance(value, bool):
            self._wrong(path, f"`{value}` is no boolean", "true or false")
        elif key in catalogue.COUNTS and not _counts(value):
            self._wrong(path, f"`{value}` is not accepted", "a whole number above 0, or a list of them")
        elif isinstance(value, dict) and len(value) == 1 and catalogue.module_of(key):
            self._named(value, key, path)
        elif isinstance(value, str) and (words := self._words(key)) and value not in words:
            self._wrong(path, f"no {key.replace('_', ' ')} `{value}`", f"one of {listed(words, 40)}", nearest(value, words))

    def _named(self, value: dict[str, Any], key: str, path: Path) -> None:
        module = catalogue.module_of(key)
        if module == "layers" and isinstance(next(iter(value.values())), dict):
            layer, body = next(iter(value.items()))
            entry = catalogue.entry("layers", layer)
            if not isinstance(entry, tuple):
                self._check(layer, {k: v for k, v in body.items() if k != "name"}, entry, (*path, layer))
                return
        self.problems.extend(named(value, module, path, self.spec.marks))

    def _words(self, key: str) -> list[str]:
        words = catalogue.catalogue()["words"]
        if key.endswith("activation"):
            return words["activation"]  # type: ignore[no-any-return]
        module = catalogue.module_of(key)
        return [*words[module], *catalogue.catalogue()[module]] if module in words else []

    # Names and tensors

    def _name(self, given: Any, layer: str, path: Path) -> str:
        if given is None:
            return self._default_name(layer)
        name = str(given)
        if not isinstance(given, (str, int)) or not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            self._wrong(path, f"`{given}` is no name", "letters, digits, `_`, `-` and `.`")
            return self._default_name(layer)
        if name in ("previous", "input"):
            self._wrong(path, f"`{name}` is a word of the language", "another name")
        elif name in self.tensors:
            line = next((node.mark.line for node in self.nodes if node.name == name and node.mark), None)
            by = f"line {line}" if line else "the input or another layer"
            self._wrong(path, f"`{name}` is taken by {by}", "a name of its own")
        return name

    def _default_name(self, layer: str) -> str:
        """The class in Keras's snake case, counted within the spec: `conv2d`, `conv2d_1`."""
        snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", layer).lower()
        while True:
            count = self.counts.get(snake, 0)
            self.counts[snake] = count + 1
            name = f"{snake}_{count}" if count else snake
            if name not in self.tensors:
                return name

    def _inputs(self, given: Any, path: Path) -> tuple[str, ...]:
        if given is None:
            return (self.previous,)
        names = given if isinstance(given, list) else [given]
        result = []
        for index, name in enumerate(names):
            where = (*path, index) if isinstance(given, list) else path
            tensor = {"previous": self.previous, "input": self.start}.get(str(name), str(name))
            if tensor not in self.tensors:
                close = nearest(name, ["previous", "input", *self.tensors])
                self._wrong(where, f"no tensor `{name}`", "previous, input or a name above", close)
            else:
                result.append(tensor)
        return tuple(result) or (self.previous,)

    def _add(
        self, layer: str, arguments: dict[str, Any], part: str, path: Path, name: str,
        inputs: tuple[str, ...], l2: float | None = None,
    ) -> None:  # fmt: skip
        rate = arguments.pop("rate", self.spec.data.get("dropout", DEFAULT_DROPOUT))
        known = catalogue.catalogue()["layers"].get(layer)
        place = self.spec.problem(path, "-").mark
        self.nodes.append(
            Node(
                name=name,
                layer=layer,
                arguments=arguments,
                inputs=inputs,
                part=part,
                l2=l2 if known and _kernels(layer, arguments) else None,
                dropout=rate if layer in catalogue.DROPOUTS else None,
                mark=place,
                path=written(path),
            )
        )
        self.tensors.add(name)
        self.previous = name

    # The ends of a body

    def _latent(self) -> None:
        latent = self.spec.data.get("latent")
        gaussian = isinstance(latent, dict) and "Gaussian" in latent and len(latent) == 1
        if not gaussian:
            body = next(iter(latent.values())) if isinstance(latent, dict) and len(latent) == 1 else None
            if isinstance(latent, dict) and isinstance(body, dict):
                layer = next(iter(latent))
                latent = {layer: {"name": "code", **body}}
            self._item(latent, "encoder", ("latent",))
            return
        body = latent["Gaussian"]
        arguments = body if isinstance(body, dict) else {"units": body}
        path: Path = ("latent", "Gaussian")
        for key in arguments:
            if key != "units":
                self._wrong((*path, key), "no such argument", "units", nearest(key, ["units"]))
        units = arguments.get("units")
        if not _counts(units) or isinstance(units, list):
            self._wrong(path, "`units` is missing or no whole number above 0", "Gaussian: {units: 20}")
            return
        l2 = self.spec.data.get("l2", DEFAULT_L2)
        before = (self.previous,)
        for name in ("z_mean", "z_log_var"):
            self._add("Dense", {"units": units}, "encoder", path, name, before, l2)
        self._add("Sampling", {}, "latent", path, "z", ("z_mean", "z_log_var"))

    def _head(self) -> None:
        spec = self.spec
        if spec.data.get("head"):
            self._items("head")
            return
        if spec.coded:
            self._reconstruction()
            return
        missing = [key for key in FACTS[spec.task] if key not in spec.facts]
        if missing:
            self._wrong((), f"`{missing[0]}` is missing", f"a whole number, for a {spec.task} without `head`")
            return
        for item in head(spec.task, spec.facts):
            self._item(item, "head", ())

    def _reconstruction(self) -> None:
        """The end of a decoder: the input's shape, under the activation that the likelihood needs."""
        if any(size is None for size in self.spec.shape[-1:]):
            return
        size = self.spec.shape[-1]
        arguments: dict[str, Any] = {"activation": LIKELIHOODS[self.spec.likelihood], "name": "reconstruction"}
        if self.spec.kind == "image":
            self._item({"Conv2D": {"filters": size, "kernel_size": 3, "padding": "same", **arguments}}, "decoder", ())
        else:
            self._item({"Dense": {"units": size, **arguments}}, "decoder", ())

    def _loose_ends(self) -> None:
        used = {name for node in self.nodes for name in node.inputs} | {self.previous}
        for node in self.nodes:
            if node.name not in used:
                wrong = f"`{node.name}` leads to no output"
                self.problems.append(Problem(wrong, "every layer to be used", "", node.path, node.mark))
        if self.nodes and self.spec.kind not in used:
            self._wrong(("input",), "nothing reads the input", "a layer that starts at `input`")

    def _unread(self) -> None:
        if self.problems:
            return
        for key, reads in (("l2", "kernel"), ("dropout", "Dropout without a rate of its own")):
            given = self.spec.data.get(key)
            taken = [getattr(node, key) for node in self.nodes if getattr(node, key) is not None]
            if given is not None and not any(value is given for value in taken):
                self._wrong((key,), "nothing reads it", f"a layer with a {reads}")

    def _wrong(self, path: Path, wrong: str, expected: str = "", hint: str = "") -> None:
        self.problems.append(self.spec.problem(path, wrong, expected, hint))


def _counts(value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return bool(values) and all(type(one) is int and one > 0 for one in values)


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
