"""A `Network` to plain Keras Python: a text that builds the same model, layer for layer, and needs nothing of ours.

It says what `lowering` does, with the same classes, arguments and names in the same order, so that weights fit one by
one. What comes in is a network, what goes out is text; Keras is not imported.
"""

from __future__ import annotations

import ast
import builtins
import functools
import itertools
import keyword
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.language import catalogue
from zoo.language.network import ODD, Input, Network, Node, output, snake_case
from zoo.version import VERSION

WIDTH = 120
"""The longest line, where a line can be broken; a name longer than that stands out."""

LAYERS = Path(__file__).with_name("layers")
"""Where the source of our own layers stands."""

HOLDING = ("MultiHeadAttention", "GroupQueryAttention", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
"""Layers that make layers of their own, which their argument `trainable` does not reach; so do those given layers."""

CELLS = ("LSTMCell", "GRUCell", "SimpleRNNCell")
"""Layers that answer a tensor and a list of states."""


def eject(network: Network, command: str = "") -> str:
    """Write the Python file that builds a network by Keras alone; `command` is what the user typed to get it.

    The file holds `build()`, which gives the model with its weights initialised, and the source of those of our layers
    that stand in the network, registered as ours are: `.keras` files of either side load on the other.
    Raises `ZooError` for a network that a Python function makes.
    """
    if made := next((node for node in network.walk() if node.layer == "Function"), None):
        wrong = f"`{network.name}` is made by the Python function `{made.arguments['function']}`"
        raise ZooError(f"{wrong}, which is all the code there is; expected a spec of layers")
    return _File().written(network, command or f"zoo eject {network.name}")


# Text


@dataclass(frozen=True)
class _Bracket:
    """A bracket with its items: the only place where a line may be broken."""

    opening: str
    items: tuple[_Parts, ...]

    @property
    def closing(self) -> str:
        return {"(": ")", "[": "]", "{": "}"}[self.opening]


_Parts = tuple["str | _Bracket", ...]
"""A piece of code: text that stays on its line, and brackets."""


def _bracket(opening: str, items: Iterable[_Parts]) -> _Bracket:
    return _Bracket(opening, tuple(items))


def _call(what: str, *items: _Parts) -> _Parts:
    return (what, _bracket("(", items))


def _flat(parts: _Parts) -> str:
    """A piece of code on one line."""
    return "".join(
        part if isinstance(part, str) else part.opening + ", ".join(map(_flat, part.items)) + part.closing
        for part in parts
    )


def _laid_out(parts: _Parts, indent: int, behind: str = "") -> str:
    """A piece of code on as few lines as Ruff's formatter would take; `behind` follows it on its last line."""
    text = " " * indent
    for index, part in enumerate(parts):
        if isinstance(part, str):
            text += part
            continue
        column = len(text) - text.rfind("\n") - 1
        fits = column + len(_flat((part,))) + len(_up_to_a_break(parts[index + 1 :], behind)) <= WIDTH
        text += _flat((part,)) if fits or not part.items else _opened(part, indent)
    return text + behind


def _up_to_a_break(parts: _Parts, behind: str) -> str:
    """What cannot be kept from standing on the line that the parts begin on."""
    text = ""
    for part in parts:
        if isinstance(part, _Bracket):
            return text + part.opening + ("" if part.items else part.closing)
        text += part
    return text + behind


def _opened(bracket: _Bracket, indent: int) -> str:
    """A bracket over several lines: its items on one, if they are arguments and fit, else a line each."""
    inside = ", ".join(map(_flat, bracket.items))
    arguments = bracket.opening == "("
    if arguments and indent + 4 + len(inside) <= WIDTH:
        lines = " " * (indent + 4) + inside
    else:
        comma = "" if arguments and len(bracket.items) == 1 else ","
        lines = "\n".join(_laid_out(item, indent + 4, comma) for item in bracket.items)
    return f"{bracket.opening}\n{lines}\n{' ' * indent}{bracket.closing}"


def _text(value: str) -> str:
    """A Python string in double quotes, where that needs no escapes."""
    plain = repr(value)
    return f'"{plain[1:-1]}"' if plain[0] == "'" and '"' not in plain else plain


def _said(value: str) -> str:
    """A text as it may stand inside a docstring, on one line."""
    return " ".join(value.split()).replace("\\", "\\\\").replace('"', '\\"')


def _keyword(name: str, value: _Parts) -> _Parts:
    """An argument by name; a name that Python does not take as one is handed over as Keras gets it from a spec."""
    if name.isidentifier() and not keyword.iskeyword(name):
        return (f"{name}=", *value)
    return ("**", _bracket("{", [(f"{_text(name)}: ", *value)]))


def _plain(value: Any) -> _Parts:
    """A value without named objects."""
    if isinstance(value, list):
        return (_bracket("[", map(_plain, value)),)
    if isinstance(value, Mapping):
        return (_bracket("{", ((f"{_flat(_plain(key))}: ", *_plain(one)) for key, one in value.items())),)
    if isinstance(value, str):
        return (_text(value),)
    if isinstance(value, float) and not math.isfinite(value):
        return ("np.nan" if math.isnan(value) else "np.inf" if value > 0 else "-np.inf",)
    return (repr(float(value)) if isinstance(value, float) else repr(value),)


def _floated(value: Any) -> Any:
    """Numbers beside tensors, the texts of infinite ones as numbers."""
    return list(map(_floated, value)) if isinstance(value, list) else float(value) if isinstance(value, str) else value


# Names


@dataclass
class _Names:
    """The variables of one function, or of the file: each stands for one thing."""

    taken: set[str] = field(default_factory=set)
    given: dict[str, str] = field(default_factory=dict)

    def give(self, name: str) -> str:
        """The variable of a tensor, after its layer; the same for the same tensor."""
        if name not in self.given:
            self.given[name] = self.new(name)
        return self.given[name]

    def new(self, name: str) -> str:
        """A variable that is nothing else yet, named after a layer: `c1`, `lambda_`, `layer_0`, `a_b_2`."""
        plain = re.sub(r"\W", "_", name, flags=re.ASCII)
        plain = plain if plain.isidentifier() else f"layer_{plain}"
        plain = f"{plain}_" if keyword.iskeyword(plain) or hasattr(builtins, plain) else plain
        made, count = plain, 1
        while made in self.taken:
            count += 1
            made = f"{plain}_{count}"
        self.taken.add(made)
        return made


# Our own layers, as source


@dataclass(frozen=True)
class _Module:
    """The source of a file of ours: what it defines, by name, and what it imports."""

    lines: tuple[str, ...]
    defined: Mapping[str, ast.stmt]
    imported: Mapping[str, tuple[str, str]]

    def source(self, name: str) -> str:
        """The text that defines a name, decorators included."""
        node = self.defined[name]
        decorators = getattr(node, "decorator_list", [])
        first = min(one.lineno for one in (node, *decorators))
        return "\n".join(self.lines[first - 1 : node.end_lineno])

    def needs(self, name: str) -> set[str]:
        """All names that a definition reads."""
        return {node.id for node in ast.walk(self.defined[name]) if isinstance(node, ast.Name)}


@functools.cache
def _modules() -> tuple[_Module, ...]:
    """The files of our own layers."""
    return tuple(_module(path.read_text(encoding="utf-8")) for path in sorted(LAYERS.glob("*.py")))


def _module(text: str) -> _Module:
    defined: dict[str, ast.stmt] = {}
    imported: dict[str, tuple[str, str]] = {}
    for node in ast.parse(text).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            defined[node.name] = node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            defined |= {one.id: node for one in targets if isinstance(one, ast.Name)}
        elif isinstance(node, ast.Import):
            imported |= {one.asname or one.name: (one.name, "") for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {one.asname or one.name: (node.module or "", one.name) for one in node.names}
    return _Module(tuple(text.splitlines()), defined, imported)


def _is_own(layer: str) -> bool:
    return any(isinstance(module.defined.get(layer), ast.ClassDef) for module in _modules())


def _own_source(layers: Iterable[str]) -> tuple[list[str], dict[str, tuple[str, str]]]:
    """The definitions that our layers need, in the order of their files, and what these import."""
    texts: list[str] = []
    imports: dict[str, tuple[str, str]] = {}
    for module in _modules():
        wanted = {name for name in layers if name in module.defined}
        new = wanted
        while new:
            new = set().union(*map(module.needs, new)) & set(module.defined) - wanted
            wanted |= new
        texts += [module.source(name) for name in module.defined if name in wanted]
        read = set().union(*map(module.needs, wanted))
        imports |= {name: module.imported[name] for name in sorted(read & set(module.imported))}
    return texts, imports


def _imports(found: Mapping[str, tuple[str, str]]) -> str:
    """The import lines of a file: the standard library's, then the others; whole modules first."""
    modules, parts = set[str](), dict[str, set[str]]()
    for name, (module, part) in found.items():
        if part:
            parts.setdefault(module, set()).add(part if part == name else f"{part} as {name}")
        else:
            modules.add(module if module == name else f"{module} as {name}")
    lines = [f"import {one}" for one in sorted(modules)]
    lines += [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(parts.items())]
    standard = [line for line in lines if line.split()[1].partition(".")[0] in sys.stdlib_module_names]
    return "\n\n".join("\n".join(group) for group in (standard, [one for one in lines if one not in standard]) if group)


# The file


class _File:
    """The state while one file is written: its functions, and those of our layers that they name."""

    def __init__(self) -> None:
        self.functions: list[str] = []
        self.own: set[str] = set()
        self.names = _Names({"keras", "np", "build", "build_prepare", "_"})
        for module in _modules():
            self.names.taken |= {*module.defined, *module.imported}
        self.builders: dict[int, str] = {}
        self.lists = True
        self.arrays = False

    def written(self, network: Network, command: str) -> str:
        """The whole text."""
        # A list of layers is built for float32, in which large ids are no longer themselves.
        self.lists = all("float" in one.dtype for one in network.inputs)
        self._name_builders(network)
        names = _Names(set(self.names.taken))
        inputs = [*_taken_names(network), *(self._input(one, names) for one in network.inputs)]
        model = _call("keras.Model", *self._laid_out(network, names, inputs), _name(network.name.replace("/", "_")))
        self._define("build", [], "keras.Model", "Build the network, its weights initialised.", inputs, model)
        if network.prepare:
            says = "Make the published preprocessing, which stands outside the network."
            self._define("build_prepare", [], "keras.Model", says, [], self._sequential("prepare", network.prepare))
        texts, imports = _own_source(self.own)
        head = [_docstring(network, command)]
        head += ["from __future__ import annotations"] * bool(texts)
        imports |= {"np": ("numpy", "")} if self.arrays else {}
        head.append(_imports({"keras": ("keras", ""), **imports}))
        if texts and not texts[0].startswith(("@", "class ", "def ")):
            head.append(texts.pop(0))  # a constant stands close below the imports
        run = 'if __name__ == "__main__":\n    build().summary()'
        return "\n\n\n".join(["\n\n".join(head), *texts, *self.functions, run]) + "\n"

    # Functions

    def _name_builders(self, network: Network) -> None:
        """Name the functions that make models inside the model, before the variables of any function are named."""
        for node in network.nodes:
            if node.network is not None and not node.reuses:
                if not (self.lists and _is_list(node)):
                    self.builders[id(node)] = self.names.new(f"build_{node.name}")
                self._name_builders(node.network)

    def _define(
        self, name: str, parameters: Iterable[str], answers: str, says: str, body: Iterable[_Parts], result: _Parts
    ) -> None:
        """Put a function behind the others."""
        takes = _bracket("(", [(f"{one}: keras.KerasTensor",) for one in parameters])
        lines = [_laid_out((f"def {name}", takes), 0, f" -> {answers}:"), f'    """{says}"""']
        lines += [_laid_out(one, 4) for one in (*body, ("return ", *result))]
        self.functions.append("\n".join(lines))

    def _define_builder(self, node: Node, network: Network) -> None:
        """The function that makes a model inside the model, on inputs like the tensors that it is called on."""
        names = _Names(set(self.names.taken))
        of_one = 2 if node.at_steps else 1  # what stands behind the axis of the rows, and that of the steps
        inputs = [self._input(one, names, of_one) for one in network.inputs]
        parameters = [names.give(one.name) for one in network.inputs]
        name = _name(network.name if node.at_steps else node.name)
        model = _call("keras.Model", *self._laid_out(network, names, inputs), name)
        if node.kind == "Sequential":
            bare = "1:" if self.lists else f'"float" in {parameters[0]}.dtype :'
            bare = ":" if network.inputs[0].shape else bare
            model = _call("keras.Sequential", (*model, f".layers[{bare}]"), name)
        says = f"Build the model `{node.name}` for {'each step of ' if node.at_steps else ''}inputs like these."
        self._define(self.builders[id(node)], parameters, "keras.Model", says, inputs, model)

    def _input(self, one: Input, names: _Names, inside: int = 0) -> _Parts:
        """The line that makes an input; inside, its type, and a shape it does not state, are the tensor's.

        `inside` counts the tensor's axes that the shape does not begin with.
        """
        variable = names.give(one.name)
        shape, dtype = repr(one.shape), "" if one.dtype == "float32" else _text(one.dtype)
        if inside:
            shape, dtype = repr(one.shape) if one.shape else f"{variable}.shape[{inside}:]", f"{variable}.dtype"
        typed: list[_Parts] = [(f"dtype={dtype}",)] if dtype else []
        typed += [(f"{key}={getattr(one, key)}",) for key in ODD if getattr(one, key)]
        return (f"{variable} = ", *_call("keras.Input", (shape,), *typed, _name(one.name)))

    def _laid_out(self, network: Network, names: _Names, lines: list[_Parts]) -> tuple[_Parts, _Parts]:
        """Add a line for each layer of a network; what a model of it takes, and what it answers."""
        read = {one for node in network.nodes for one in node.read()} | set(network.outputs)
        reused = {node.reuses for node in network.nodes}
        layers: dict[str, str] = {}
        for node in network.nodes:
            if node.operation:
                lines.append((f"{self._answers(node, names, read)} = ", *self._operation(node, names)))
                continue
            if node.reuses:
                layers[node.name] = layers[node.reuses]
            elif node.name in reused or _is_stilled_late(node):
                layers[node.name] = names.new(f"{node.name}_layer")
                lines.append((f"{layers[node.name]} = ", *self._layer(node, names)))
            layer = (layers[node.name],) if node.name in layers else self._layer(node, names)
            given = _bracket("(", self._given(node, names))
            called: _Parts = (*layer, given)
            nested = node.layer == "RNN" and isinstance(node.arguments.get("cell"), list)
            if node.outputs > 1 and (nested or node.layer.endswith("Cell")):
                called = _call("keras.tree.flatten", called)  # each cell's states come in a list of their own
            lines.append((f"{self._answers(node, names, read)} = ", *called))
            if _is_stilled_late(node) and not node.reuses:
                lines.append((f"{layers[node.name]}.trainable = False",))
        inputs = [names.give(one.name) for one in network.inputs]
        return _one(inputs), _one([names.give(one) for one in network.outputs])

    def _answers(self, node: Node, names: _Names, read: set[str]) -> str:
        """The variables that take what a layer answers."""
        tensors = [output(node.name, index) for index in range(node.outputs)]
        found = [names.give(one) if one in read or one == node.name else "_" for one in tensors]
        kept = [*found]
        while len(kept) > 1 and kept[-1] == "_":
            kept.pop()
        more = len(kept) < len(found) or _answers_more(node)
        return ", ".join([*kept, "*_"] if more else kept)

    def _given(self, node: Node, names: _Names) -> list[_Parts]:
        """What a layer is called on: tensors, or one list of them, and what goes by the names of the call."""
        inputs = [names.give(one) for one in node.inputs]
        alone = node.operation and not node.many
        given = list[_Parts]((one,) for one in inputs)
        if inputs and not alone:
            given = [_listed(inputs) if node.many else _one(inputs)]
        for key, value in node.call.items():
            if isinstance(value, bool):
                given.append(_keyword(key, (repr(value),)))
            elif isinstance(value, str):
                given.append(_keyword(key, (names.give(value),)))
            else:
                given.append(_keyword(key, _listed([names.give(one) if one else "None" for one in value])))
        return given

    def _operation(self, node: Node, names: _Names) -> _Parts:
        """The call of an operation of `keras.ops`: its tensors by position, where its constants leave them that."""
        entry = catalogue.operation(node.layer)
        assert isinstance(entry, dict), "it was looked up when the spec was read"
        constants = {key: self._operand(node.layer, key, value) for key, value in node.arguments.items()}
        free, given = catalogue.operands(node.layer, {**constants, **node.call})[0], self._given(node, names)
        if free[:1] and free[0].startswith("*"):  # as in `einsum`, whose first argument says what is done
            before = [constants.pop(key) for key in entry["required"]]
            return _call(f"keras.{node.layer}", *before, *given, *itertools.starmap(_keyword, constants.items()))
        first = 1 if node.many else len(node.inputs)
        if free[:first] == list(entry["arguments"])[:first]:
            before, by_name = given[:first], dict[str, _Parts]()
        else:
            before, by_name = [], dict(zip(free, given[:first], strict=False))
        called = dict(zip(node.call, given[first:], strict=True))
        after = [_keyword(key, one) for key, one in {**by_name, **constants}.items()]
        after.sort(key=lambda one: list(entry["arguments"]).index(str(one[0]).rstrip("=")))
        return _call(f"keras.{node.layer}", *before, *after, *called.values())

    def _operand(self, layer: str, key: str, value: Any) -> _Parts:
        """A constant of an operation: numbers beside tensors as an array, an index as Python's own slices."""
        if isinstance(value, list) and key in catalogue.operands(layer, ())[0]:
            self.arrays = True
            return _call("np.array", _plain(_floated(value)), (_text(catalogue.type_of(value)),))
        if value in catalogue.INFINITE and catalogue.may_be_infinite(layer, key):
            return _call("float", (_text(value),))
        if layer != "ops.get_item" or key != "key":
            return _plain(value)
        made = []
        for one in map(str.strip, value.split(",")):
            bounds = [part.strip() or "None" for part in one.split(":")]
            made.append((f"slice({', '.join(bounds)})" if len(bounds) > 1 else one,))
        return (_bracket("(", made),) if len(made) > 1 else ("(", *made[0], ",)")

    # Layers

    def _layer(self, node: Node, names: _Names) -> _Parts:
        """A node's layer, or the model that it is."""
        if node.network is None:
            arguments = {key: value for key, value in node.arguments.items() if key != "trainable" or not node.still}
            if node.still and not _is_stilled_late(node) and _takes_trainable(node.layer):
                arguments["trainable"] = False
            return self._made(node.layer, arguments, node.l2, node.dropout, node.name)
        if self.lists and _is_list(node):
            inner = self._sequential(node.network.name if node.at_steps else node.name, node.network.nodes)
        else:
            self._define_builder(node, node.network)
            inner = _call(self.builders[id(node)], *((names.give(one),) for one in node.inputs))
        if not node.at_steps:
            return inner
        more = [_keyword(key, self._value(key, one, None)) for key, one in node.arguments.items() if key != "layer"]
        return _call("keras.layers.TimeDistributed", inner, *more, _name(node.name))

    def _sequential(self, name: str, nodes: Iterable[Node]) -> _Parts:
        layers = _bracket("[", (self._layer(node, _Names()) for node in nodes))
        return _call("keras.Sequential", (layers,), _name(name))

    def _made(
        self, layer: str, arguments: Mapping[str, Any], l2: float | None, rate: float | None, name: str
    ) -> _Parts:
        """A layer with its arguments, as `lowering.make` makes it."""
        entry = catalogue.catalogue()["layers"].get(layer)
        known = entry["arguments"] if entry else {}
        given = [] if rate is None else [_keyword("rate", _plain(float(rate)))]
        given += [_keyword(key, self._value(key, value, l2)) for key, value in arguments.items()]
        if l2:
            penalty = _call("keras.regularizers.L2", _plain(float(l2)))
            given += [_keyword(key, penalty) for key in catalogue.KERNELS if key in known and key not in arguments]
        if _is_own(layer):
            self.own.add(layer)
            return _call(layer, *given, _name(name))
        return _call(f"keras.layers.{layer}", *given, _name(name))

    def _value(self, key: str, value: Any, l2: float | None) -> _Parts:
        """The value of an argument, a named object made, as `lowering` makes it."""
        if catalogue.holds_layers(key, value):
            made = []
            for word, one in catalogue.numbered(key, value):
                layer, inner = next(iter(one.items())) if isinstance(one, Mapping) else (one, None)
                body = dict(inner or {})
                given = body.pop("name", None) or word
                made.append(self._made(layer, body, l2, None, given))
            stacked = isinstance(value, list)
            first = next(iter(value[0].values())) if stacked and isinstance(value[0], Mapping) else None
            typed = [_keyword("dtype", _plain(first["dtype"]))] if first and first.get("dtype") else []
            cells = _bracket("[", made)
            return _call("keras.layers.StackedRNNCells", (cells,), _name(key), *typed) if stacked else made[0]
        module = catalogue.module_of(key)
        if isinstance(value, Mapping) and len(value) == 1 and module:
            name, inner = next(iter(value.items()))
            floated = catalogue.with_floats(name, inner or {})
            given = (_keyword(k, self._value(k, v, l2)) for k, v in floated.items())
            return _call(f"keras.{'optimizers.schedules' if module == 'schedules' else module}.{name}", *given)
        if key in catalogue.TUPLES and isinstance(value, list):
            return _plain(tuple(value))
        if isinstance(value, list):
            return (_bracket("[", (self._value(key, one, l2) for one in value)),)
        return _plain(value)


def _taken_names(network: Network) -> list[_Parts]:
    """Lines that have Keras not call an operation as a layer is called: it counts operations from one on."""
    nodes, known = list(network.walk()), catalogue.catalogue()["ops"]
    there = [known[one.operation] for one in nodes if one.operation]
    masked = any(one.layer == "Masking" or one.arguments.get("mask_zero") for one in nodes)
    operations = known.values() if masked else there  # Keras joins masks by operations of its own
    lines = list[_Parts]()
    for kind in sorted({snake_case(one["kind"]) for one in operations}):
        found = [re.fullmatch(rf"{kind}(?:_(\d+))?", one.name) for one in nodes if not one.operation]
        if counts := [int(one[1] or 0) + 1 for one in found if one]:
            lines.append((f"_ = [keras.backend.get_uid({_text(kind)}) for _ in range({max(counts)})]",))
    return lines


def _docstring(network: Network, command: str) -> str:
    """What the file is and where it comes from."""
    return (
        f'"""The network `{_said(network.name)}` in plain Keras.\n\n'
        f"Written by zoo {VERSION}:\n\n    {_said(command)}\n"
        '"""'
    )


def _name(name: Any) -> _Parts:
    return _keyword("name", _plain(name))


def _listed(names: Iterable[str]) -> _Parts:
    return (_bracket("[", ((name,) for name in names)),)


def _one(names: Sequence[str]) -> _Parts:
    return (names[0],) if len(names) == 1 else _listed(names)


def _is_list(node: Node) -> bool:
    """Whether a model inside the model can be written as a list of layers: a chain, and so are those in it."""
    inner = node.network.nodes if node.network else ()
    plain = not any(map(_is_stilled_late, inner))
    plain = plain and not (node.network and node.network.inputs[0].shape)  # a list has the sizes of its first call
    return node.kind == "Sequential" and plain and all(one.network is None or _is_list(one) for one in inner)


def _is_stilled_late(node: Node) -> bool:
    """Whether a layer is frozen by a line after its call, which makes the layers that it holds."""
    holds = any(catalogue.holds_layers(key, value) for key, value in node.arguments.items())
    return node.still and (holds or node.layer in HOLDING)


def _takes_trainable(layer: str) -> bool:
    entry = catalogue.catalogue()["layers"].get(layer)
    return entry is None or "trainable" in entry["arguments"]


def _answers_more(node: Node) -> bool:
    """Whether Keras answers a list where the node counts one tensor: what follows is called on its first."""
    if node.network is not None:
        last = node.network.nodes[-1] if node.network.nodes else None  # none where data decide the head of a decoder
        return last is not None and node.layer == "Sequential" and (last.outputs > 1 or _answers_more(last))
    arguments = node.arguments
    return (
        node.layer in CELLS
        or (node.layer == "RNN" and bool(arguments.get("return_state")))
        or (node.layer == "Bidirectional" and arguments.get("merge_mode", "concat") is None)
        or (node.layer == "Identity" and node.many)
        or node.call.get("return_attention_scores") is True
    )
