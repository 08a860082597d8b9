"""Bodies to nodes: the items of a spec, of its blocks and of the models inside it, laid out flat.

The rules of the language that need values are here: conditions, loops, repeats, names, what `from` means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from zoo.errors import Mark, Problem, listed, nearest
from zoo.language import catalogue, expressions, items, objects
from zoo.language.expressions import LOST, Lost, Wrong
from zoo.language.items import MOST, Block, Call, Group, Item, Let, Reuse, Source
from zoo.language.network import OF_INPUT, Input, Network, Node, is_chain, layer_named, output, snake_case
from zoo.language.objects import is_lambda
from zoo.language.parsing import LAYER, LAYERS, Path, shown, written
from zoo.language.spec import DEFAULT_DROPOUT, DEFAULT_L2, STATED, Spec

MOST_LAYERS, MOST_STEPS, DEEPEST = 20_000, 200_000, 100
"""So many layers may a network have, so many items may be gone through for it, so many bodies stand in each other."""


@dataclass
class Frame:
    """The state of one body while it is laid out: the spec's, a block's, or that of a model inside the model."""

    table: dict[str, Any]
    nodes: list[Node]
    used: dict[str, Path]  # every name of the network that the nodes go to
    tensors: dict[str, str] = field(default_factory=dict)  # what the body may name -> the tensor
    given: dict[str, Path] = field(default_factory=dict)  # where a name was given
    absent: dict[str, Path] = field(default_factory=dict)  # names whose `if` is false
    lost: list[str] = field(default_factory=list)  # patterns of names in loops that could not be gone through
    outputs: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    prefix: str = ""
    previous: str = ""
    entries: tuple[str, ...] = ("input",)  # the names of what it was given
    part: str = ""
    l2: Any = None
    frozen: bool = False


@dataclass
class Bodies:
    """The state while the items of one spec are laid out flat, one body after another.

    What is wrong is noted in `problems`, and the laying out goes on.
    """

    spec: Spec
    problems: list[Problem] = field(default_factory=list)
    read: set[str] = field(default_factory=set)  # which of the spec's `l2` and `dropout` a layer takes
    taken: set[str] = field(default_factory=set)  # the inputs that something reads
    whole: bool = True  # every item was understood, so that what leads nowhere, or is not read, can be told
    table: dict[str, Any] = field(default_factory=dict)
    layers: int = 0
    steps: int = 0  # items gone through
    depth: int = 0  # bodies inside each other
    calls: list[Path] = field(default_factory=list)  # the calls of blocks under way, the outermost first
    places: dict[Path, tuple[Mark | None, str]] = field(default_factory=dict)  # where each path was written, and how
    told: set[Path] = field(default_factory=set)  # the paths of what was found wrong here
    said: dict[Path, set[Any]] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)  # names that a text without its `$` may mean
    unclear: set[str] = field(default_factory=set)  # layers of which something is told, so that they may answer more

    def __post_init__(self) -> None:
        self.program = items.read(self.spec)
        self.problems += self.program.problems
        told = {one.path for one in self.program.problems}  # of these nothing more is said, nor of what they hold
        self.spec = replace(self.program.spec, told=self.spec.told | told)
        self.whole = self.program.whole and not self.spec.is_told(("extends",))
        self.table = self._table()
        self.defaults = {layer: self._defaults(layer, given) for layer, given in self.program.defaults.items()}
        around = [self.spec.data, *(self.spec.data.get("blocks") or {}).values()]
        tables = [one.get(key) for one in around if isinstance(one, Mapping) for key in ("let", "parameters")]
        self.words = {str(name) for one in tables if isinstance(one, Mapping) for name in one}
        self.inputs = tuple(
            Input(name, tuple(one["shape"]), **{key: one[key] for key in OF_INPUT[1:] if key in one})
            for name, one in self.spec.inputs.items()
        )

    # Values

    def _table(self) -> dict[str, Any]:
        """The spec's table of names: what every spec has, and its `let`, each computed once, in any order."""
        spec, data = self.spec, self.spec.data
        table: dict[str, Any] = dict.fromkeys(self.program.lost, LOST)
        table |= {key: spec.facts[key] for key in STATED if key in spec.facts}
        table["name"] = spec.name
        table["inputs" if "inputs" in data else "input"] = data.get("inputs", data.get("input"))
        table |= {key: LOST for key in ("input", "inputs") if spec.is_told_in((key,))}
        raw: dict[str, Any] = {"l2": data.get("l2", DEFAULT_L2), "dropout": data.get("dropout", DEFAULT_DROPOUT)}
        raw |= data.get("let") or {}
        self._resolve(
            raw, expressions.ordered(raw)[0], table, lambda key: (key,) if key in ("l2", "dropout") else ("let", key)
        )
        for key, accepts, says in (("l2", is_lambda, objects.LAMBDA), ("dropout", objects.is_rate, objects.RATE)):
            if expressions.is_expression(raw[key]) and not accepts(table[key]) and self._is_computed((key,)):
                self._wrong((key,), f"`{raw[key]}` is {shown(table[key])}", says)
        return table

    def _resolve(
        self, raw: Mapping[str, Any], order: Iterable[str], table: dict[str, Any], where: Callable[[str], Path]
    ) -> None:
        """Compute the values of names in their order. A name without a value stays out of the table."""
        lost = any(one.rpartition(".")[2] == "extends" for one in self.spec.told)  # what may give it one
        given = [
            key
            for key in order
            if key not in table and (raw[key] is not None or lost or self.spec.is_told_in(where(key)))
        ]
        table.update(dict.fromkeys(given, LOST))  # what one of a circle finds of the next
        for key in given:
            if raw[key] is not None and not self.spec.is_told_in(where(key)):
                table[key] = self._of_name(raw[key], table, where(key))

    def _defaults(self, layer: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The defaults of a class with their expressions computed, once, and checked."""
        here: Path = ("defaults", layer)
        found = {key: self._evaluated(value, self.table, (*here, key)) for key, value in given.items()}
        computed = {key: found[key] for key, value in given.items() if expressions.holds(value)}
        self._check(layer, computed, given, here)
        return found

    def _check(self, layer: str, found: Mapping[str, Any], text: Mapping[str, Any], path: Path) -> None:
        """Say which arguments, computed from a text, are not accepted."""
        if not found:  # what is wrong then may follow from what is told
            return
        if catalogue.is_operation(layer):
            entry = catalogue.catalogue()["ops"][layer.removeprefix(catalogue.OPERATIONS)]
        else:
            entry = catalogue.catalogue()["layers"].get(layer, objects.GAUSSIAN)
        for where, wrong, expected, hint in objects.arguments(layer, found, entry, path, part=True):
            key = where[len(path)] if len(where) > len(path) else ""
            given, value = text.get(str(key)), found.get(str(key))
            wrong = as_computed(given, wrong)
            whole = isinstance(value, float) and value.is_integer() and expected.startswith("a whole number")
            if isinstance(given, str) and whole:
                hint = given.replace(" / ", " // ") if " / " in given else f"int({given})"
            if not hint and isinstance(value, str) and value in self.words:
                hint = f"${value}"
            self._wrong(where, wrong, expected, hint)

    def _evaluated(self, value: Any, table: Mapping[str, Any], path: Path) -> Any:
        """A value with its expressions computed; None and a problem where that cannot be done."""
        if type(value) in (int, float, bool) or value is None:
            return value
        try:
            return expressions.evaluated(value, table)
        except Wrong as error:
            self._failed(error, path)
            return None

    def _failed(self, error: Wrong, path: Path) -> None:
        """Say why an expression has no value, if that is not told already and does not follow from what is told."""
        self.whole = False
        if isinstance(error, Lost) or self.spec.is_told_in(path):
            self.told.add(path)
        else:
            self._wrong(path, *error.args)

    def _of_name(self, value: Any, table: Mapping[str, Any], path: Path) -> Any:
        """What a name means; what cannot be computed is told once, not where the name is used."""
        if isinstance(value, (str, list, dict)) and self.spec.is_told_in(path):
            return LOST
        found = self._evaluated(value, table, path)
        return LOST if found is None and not self._is_computed(path) else found

    def _condition(self, value: Any, frame: Frame, path: Path) -> bool:
        if value is True:
            return True
        try:
            found = expressions.parse(value).run(frame.table) if isinstance(value, str) else value
            return expressions.truth(found)
        except Wrong as error:
            self._failed(error, path)
            return False

    # Items

    def _start(self, previous: str, part: str) -> Frame:
        """The frame of a model of its own: names of layers start anew."""
        frame = Frame(dict(self.table), [], {}, part=part, previous=previous)
        for one in self.inputs:
            frame.tensors[one.name] = one.name
            frame.given[one.name] = ("inputs", one.name) if "inputs" in self.spec.data else ("input",)
        frame.used = dict(frame.given)
        frame.lost += [".*"] if self.spec.is_told(("input",)) or self.spec.is_told(("inputs",)) else []
        if "inputs" not in self.spec.data:
            frame.tensors["input"] = previous
        else:
            frame.entries = tuple(one.name for one in self.inputs)
        return frame

    def _run(self, body: Iterable[Item], frame: Frame) -> None:
        self.depth += 1
        for item in body:
            self.steps += 1
            if self.steps == MOST_STEPS or self.depth > DEEPEST:
                wrong = f"more than {MOST_STEPS:,} items, counted as often as they are gone through"
                deep = f"blocks that call blocks, more than {DEEPEST} deep"
                self._wrong(item.path, wrong if self.depth <= DEEPEST else deep, "a smaller network")
                self.whole = False
            if self._is_enough():
                break
            if isinstance(item, Call):
                self._call(item, frame)
            elif isinstance(item, Let):
                for key, value in item.values.items():
                    frame.table[key] = self._of_name(value, frame.table, (*item.path, key))
            elif isinstance(item, Group):
                if self._condition(item.condition, frame, (*item.path, "if")):
                    self._group(item, frame)
                elif not self._is_computed((*item.path, "if")):
                    frame.lost += map(_pattern, _named_in(item.items))
                else:
                    self._absent(item.items, frame)
            elif isinstance(item, Reuse):
                self._reuse(item, frame)
        self.depth -= 1

    def _is_enough(self) -> bool:
        """Whether there is no point in going on."""
        many = self.layers > MOST_LAYERS or self.steps >= MOST_STEPS or self.depth > DEEPEST
        return many or len(self.problems) >= MOST

    def _group(self, item: Group, frame: Frame) -> None:
        if item.source is not None:
            frame.previous = self._one_tensor(item.source, frame, (*item.path, "from"))
        before = frame.l2, frame.frozen
        self._inherit(item, frame)
        for _ in range(self._count(item, frame)):
            rows = self._rows(item, frame)
            if not self._is_computed((*item.path, "in")):
                frame.lost += map(_pattern, _named_in(item.items))
            for row in rows:
                frame.table.update(zip(item.variables, row, strict=True))
                self._run(item.items, frame)
                if self._is_enough():
                    return
        frame.l2, frame.frozen = before

    def _rows(self, item: Group, frame: Frame) -> list[Any]:
        """What a loop's variables get, one row a round; a group without a loop has one round."""
        if not item.variables:
            return [()]
        here = (*item.path, "in")
        try:
            over = expressions.parse(item.over).run(frame.table) if isinstance(item.over, str) else item.over
            over = expressions.evaluated(over, frame.table)
        except Wrong as error:
            self._failed(error, here)
            return []
        if type(over) is int and 0 <= over <= expressions.MOST:
            over = list(range(over))
        if not isinstance(over, list):
            wrong, expected = f"{shown(over)} is nothing to go through", "a list, or a whole number from 0 on"
            if type(over) is int and over > 0:
                wrong, expected = f"{over:,} rounds", f"{expressions.MOST:,} at most"
            self._wrong(here, wrong, expected)
            self.whole = False
            return []
        if not item.unpacked:
            return [(one,) for one in over]
        for one in over:
            if not isinstance(one, list) or len(one) != len(item.variables):
                names = ", ".join(item.variables)
                self._wrong(here, f"{shown(one)} does not go into {names}", f"rows of {len(item.variables)} values")
                self.whole = False
                return []
        return over

    def _count(self, item: Item, frame: Frame) -> int:
        if item.repeat is None:
            return 1
        expected = "a whole number, 0 or above"
        count = self._word(item, "repeat", item.repeat, frame, lambda one: type(one) is int and one >= 0, expected)
        if count is None:
            return 1  # so that what it repeats is there
        if count > MOST_LAYERS:
            self._wrong((*item.path, "repeat"), f"more than {MOST_LAYERS:,} layers", "a smaller network")
            self.whole = False
            return 0
        return int(count)

    def _inherit(self, item: Item, frame: Frame) -> None:
        if item.l2 is not None:
            frame.l2 = self._lambda(item, frame)
        if item.frozen is not None:
            frozen = self._word(item, "frozen", item.frozen, frame, lambda one: isinstance(one, bool), "true or false")
            frame.frozen = frozen is True

    def _lambda(self, item: Item, frame: Frame) -> Any:
        return self._word(item, "l2", item.l2, frame, is_lambda, objects.LAMBDA)

    def _word(
        self, item: Item, key: str, given: Any, frame: Frame, accepts: Callable[[Any], bool], expected: str
    ) -> Any:
        """The value of a word of ours; None, and a problem where the text could not tell, if it is none."""
        value, path = self._evaluated(given, frame.table, (*item.path, key)), (*item.path, key)
        if accepts(value):
            return value
        if expressions.is_expression(given) and self._is_computed(path):
            self._wrong(path, f"`{given}` is {shown(value)}", expected)
        return None

    def _is_meant(self, source: Source | None, path: Path) -> bool:
        """Whether a call reads what it says: nothing is told of its `from`, or of a word that may have meant one."""
        return not self.spec.is_told_in((*path, "from") if source else path)

    def _is_computed(self, path: Path) -> bool:
        """Whether the value at a path was computed, and nothing is told of it."""
        return path not in self.told and not self.spec.is_told(path)

    def _absent(self, body: Iterable[Item], frame: Frame) -> None:
        """The literal names in a group that is not there, so that a reader of them is told why."""
        for item in body:
            if isinstance(item, Group):
                self._absent(item.items, frame)
            elif isinstance(item, Call) and isinstance(item.name, (str, int)) and str(item.name) not in frame.tensors:
                frame.absent[str(item.name)] = item.path

    def _call(self, item: Call, frame: Frame) -> None:
        path = item.path
        if item.condition is not True and not self._condition(item.condition, frame, (*path, "if")):
            name = self._given_name(item, frame, "") if item.name is not None else ""
            if item.otherwise is not None:
                tensor = self._tensor(item.otherwise, frame, (*path, "else"))
                frame.previous = tensor
                if name:
                    frame.tensors[name] = tensor
            elif name and not self._is_computed((*path, "if")):
                frame.lost.append(re.escape(name))
            elif name and name not in frame.tensors:
                frame.absent[name] = path
            return
        if isinstance(item.otherwise, str) and "$" not in item.otherwise and item.otherwise not in frame.absent:
            self._tensor(item.otherwise, frame, (*path, "else"))  # it must be there for those who take it
        for index in range(1, self._count(item, frame) + 1):
            if self._is_enough():
                return
            source = item.source if index == 1 else None
            by_name = item.block is not None or catalogue.is_operation(item.target)
            inputs, many, call = self._inputs(source, frame, (*path, "from"), by_name)
            suffix = "" if item.repeat is None else str(index)
            before = frame.l2, frame.frozen
            self._inherit(item, frame)
            if item.block is not None:
                self._block(item, item.block, frame, inputs, call, suffix)
            else:
                self._layer(item, frame, inputs, many, call, suffix)
            frame.l2, frame.frozen = before

    def _layer(
        self, item: Call, frame: Frame, inputs: tuple[str, ...], many: bool, call: dict[str, Any], suffix: str
    ) -> None:
        layer, path = item.target, item.path
        arguments = {**self.defaults.get(layer, {}), **item.arguments}
        if item.checked and item.known:
            arguments |= self._computed(item, frame)
        if layer == "ops.get_item" and isinstance(arguments.get("key"), list):
            arguments["key"] = catalogue.index_text(arguments["key"])
        if catalogue.is_operation(layer) and item.known:
            inputs, many, call = self._operands(item, arguments, inputs, call, frame)
        alone = layer in objects.MERGING and len(inputs) == 1 and not many and not call
        one = layer not in objects.LISTED and not catalogue.is_operation(layer)
        many = many and not (one and len(inputs) == 1)  # `from: [a]` is `from: a` to a layer of one tensor
        sound = item.known and self._is_meant(item.source, path)
        if many and one and sound:
            expected = "`Concatenate` or `Add` of them before it"
            if {"query", "value"} <= {*objects.called_with(layer)}:
                expected = "`from: {query: NAME, value: NAME}`"
            self._wrong((*path, "from"), f"{len(inputs)} tensors for `{layer}`, which takes one", expected)
        if alone and sound:
            self._wrong(path, f"1 tensor for `{layer}`", "a list of them, such as `from: [NAME, previous]`")
            self.whole = False  # what leads to no output may lead here
        unnamed = item.source is None or item.source.named is None
        if layer in catalogue.ASKING and len(inputs) == 1 and not many and unnamed and sound:
            named = {"query", "value"} <= {*objects.called_with(layer)}
            expected = "`from: {query: NAME, value: NAME}`" if named else "`from: [QUERY, VALUE]`"
            self._wrong(path, f"1 tensor for `{layer}`", f"{expected}, the same twice for self-attention")
        name = (
            self._given_name(item, frame, suffix)
            if item.name is not None
            else self._default_name(catalogue.bare(layer), frame)
        )
        if not name:
            return
        if not item.known or self.spec.is_told_in(path):
            self.unclear.add(self._full(name, frame))
        arguments = objects.with_defaults(arguments, self.defaults)
        within = list(objects.walked(layer, arguments))[1:]
        if any(one in catalogue.DROPOUTS and "rate" not in body for one, body in within):
            rate = {"rate": self._of_spec("dropout", DEFAULT_DROPOUT)}
            arguments = objects.with_usual(arguments, lambda one: rate if one in catalogue.DROPOUTS else {})
        if path[:1] != ("prepare",):  # whose rows are the data's
            arguments = self._typed(layer, arguments)
        outputs = catalogue.outputs(layer, arguments, call, len(inputs))
        self._add(frame, layer, arguments, path, name, inputs, many=many, call=call, outputs=outputs)

    def _typed(self, layer: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments of a layer with the spec's `dtype`, and of what it holds; layers of ids have their own."""
        dtype = self.spec.data.get("dtype", "float32")
        if dtype == "float32" or dtype not in catalogue.POLICIES or catalogue.is_operation(layer):
            return arguments

        def usual(one: str) -> dict[str, str]:
            return {} if catalogue.of_whole_numbers(one) else {"dtype": dtype}

        return {**usual(layer), **objects.with_usual(arguments, usual)}

    def _operands(
        self, item: Call, arguments: Mapping[str, Any], given: tuple[str, ...], call: dict[str, Any], frame: Frame
    ) -> tuple[tuple[str, ...], bool, dict[str, Any]]:
        """The tensors of an operation in the order of its arguments, whether they are one list, and those by name.

        What is named in `from` takes its place in the order, as far as there is no gap before it.
        """
        layer, path = item.target, (*item.path, "from")
        for key in call:
            if key in arguments:
                self._wrong((*path, key), f"`{key}` is given as an argument as well", "one of the two")
                self.whole = False
        free, needed = catalogue.operands(layer, {**arguments, **call})
        several = catalogue.takes_list(layer) or any(name.startswith("*") for name in free)
        if call and needed:  # what is said of none is `previous`
            given = (frame.previous,)
        known = self._is_computed(path)
        if known and len(given) > len(free) and not several:
            takes = listed(f"`{name}`" for name in free) or "none beside the arguments that are given"
            self._wrong(path, f"{len(given)} tensor{'s' * (len(given) != 1)} for `{layer}`", takes)
        elif known and len(given) < len(needed):
            lacks = needed[len(given)]
            self._wrong(item.path, f"`{lacks}` is missing", f"`from: [NAME, previous]`, or `{lacks}: NUMBER`")
        if several or not call:
            return given, catalogue.takes_list(layer), call
        first = dict(zip(free, given, strict=False))
        placed, row = {**call, **first}, list[str]()
        for name in catalogue.operands(layer, arguments)[0]:
            if name not in placed or not isinstance(placed[name], str):
                break
            row.append(placed.pop(name))
        return tuple(row), False, placed

    def _computed(self, item: Call, frame: Frame) -> dict[str, Any]:
        """The arguments of a layer that are expressions, computed and checked."""
        found = {}
        for key in item.checked:
            value = self._evaluated(item.arguments[key], frame.table, (*item.path, key))
            if value is not None or self._is_computed((*item.path, key)):
                found[key] = value
        self._check(item.target, found, item.arguments, item.path)
        return found

    def _block(
        self, item: Call, block: Block, frame: Frame, given: tuple[str, ...], call: dict[str, Any], suffix: str
    ) -> None:
        path = item.path
        usual = block.name if item.steps is None else "TimeDistributed"
        name = self._given_name(item, frame, suffix) if item.name is not None else self._default_name(usual, frame)
        if not name:
            return
        before = frame.used.get(self._full(name, frame))  # a layer's; calls may share one where their layers do not
        if before and before == frame.given.get(name) and item.name is not None:
            place = self.spec.place(before)
            by = f"line {place.line}" if place and place.line else written(before)
            self._wrong((*path, "name"), f"`{name}` is taken by {by}", "another name")
            return
        self.calls.append(path)
        self._called(item, block, name, frame, given, call)
        self.calls.pop()

    def _called(
        self, item: Call, block: Block, name: str, frame: Frame, given: tuple[str, ...], call: dict[str, Any]
    ) -> None:
        path, table = item.path, dict(self.table)
        for key, value in item.arguments.items():
            if key in block.parameters:
                table[key] = self._of_name(value, frame.table, (*(item.given or path), key))
        for key, value in block.parameters.items():
            if key not in item.arguments and value is None:  # that it must be given is told
                table[key] = LOST
            elif key not in item.arguments:
                table[key] = self._of_name(value, table, ("blocks", block.name, "parameters", key))
        for key in block.let:
            table.pop(key, None)
        self._resolve(block.let, block.order, table, lambda key: ("blocks", block.name, "let", key))
        meant = self._is_meant(item.source, path)
        tensors = self._block_inputs(block.name, block.inputs, given, call, (*path, "from"), meant)
        if not tensors:
            frame.lost.append(re.escape(name))
            return
        if block.nested or item.steps is not None:
            self._nested(block, name, table, frame, tensors, item)
            return
        inside = Frame(
            table, frame.nodes, frame.used, dict(zip(block.inputs, tensors, strict=True)),
            dict.fromkeys(block.inputs, path), outputs=frame.outputs, prefix=f"{frame.prefix}{name}_",
            previous=tensors[0], entries=block.inputs, part=frame.part, l2=frame.l2, frozen=frame.frozen,
        )  # fmt: skip
        self._run(block.items, inside)
        outputs = self._answered(block, inside)
        frame.previous = frame.tensors[name] = outputs[0]
        taken = [one for one in (f"{name}.{index}" for index in range(len(outputs))) if one in frame.tensors]
        if taken and len(outputs) > 1:
            self._wrong((*path, "name"), f"`{taken[0]}` means an output of `{name}`, and a layer", "another name")
            self.whole = False
        frame.tensors |= {f"{name}.{index}": one for index, one in enumerate(outputs) if len(outputs) > 1}
        frame.given[name] = path

    def _answered(self, block: Block, inside: Frame) -> tuple[str, ...]:
        """The tensors that a block answers: those that it names, or its last item's."""
        if not block.outputs:
            return (inside.previous,)
        return self._answers(block.outputs, inside, ("blocks", block.name, "outputs"))

    def _answers(self, given: Sequence[Any], frame: Frame, path: Path) -> tuple[str, ...]:
        """The tensors that `outputs` names. One that stands there under two names is a mistake, under one it is not."""
        found = tuple(self._tensor(one, frame, (*path, index)) for index, one in enumerate(given))
        for index, one in enumerate(found):
            first = found.index(one)
            if given[index] != given[first] and self.whole:
                wrong = f"{shown(given[index])} is {shown(given[first])}, which stands there already"
                self._wrong((*path, index), wrong, "each tensor once")
        return found

    def _block_inputs(
        self, name: str, inputs: tuple[str, ...], given: tuple[str, ...], call: dict[str, Any], path: Path, meant: bool
    ) -> tuple[str, ...]:
        """The tensors for the inputs of a block, in their order; none, and a problem, if they do not fit."""
        for key, value in call.items():
            if key not in inputs:
                expected = f"one of {listed(inputs)}" if len(inputs) > 1 else f"`{inputs[0]}`"
                self._wrong((*path, key), f"`{name}` has no input `{key}`", expected, nearest(key, inputs))
            elif not isinstance(value, str):
                self._wrong((*path, key), f"{shown(value)} is no tensor", "the name of one tensor")
            else:
                continue
            self.whole = False
            return ()
        given = tuple(call[key] for key in inputs if key in call) if call else given
        if len(given) != len(inputs):
            if meant and not self.spec.is_told_in(("blocks", name, "inputs")):
                wrong = f"{len(given)} tensor{'s' * (len(given) != 1)} for `{name}`"
                self._wrong(path, wrong, f"{len(inputs)}: {', '.join(inputs)}")
            self.whole = False
            return ()
        return given

    def _nested(
        self, block: Block, name: str, table: dict[str, Any], frame: Frame, tensors: tuple[str, ...], item: Call
    ) -> None:
        """Make a model inside the model, in a `TimeDistributed` where it stands at each step."""
        path, arguments = item.path, dict[str, Any]()
        frozen = frame.frozen
        if item.steps is not None:
            given = {**self.defaults.get("TimeDistributed", {}), **item.steps}
            arguments = {key: self._evaluated(one, frame.table, (*path, key)) for key, one in given.items()}
            computed = {key: arguments[key] for key, one in item.steps.items() if expressions.holds(one)}
            self._check("TimeDistributed", computed, item.steps, path)
            frozen = frozen or arguments.pop("trainable", True) is False  # as its weights are those of the block's
        inside = Frame(
            table, [], dict.fromkeys(block.inputs, path), {one: one for one in block.inputs},
            dict.fromkeys(block.inputs, path), previous=block.inputs[0], entries=block.inputs, part=frame.part,
            l2=frame.l2, frozen=frozen,
        )  # fmt: skip
        self._run(block.items, inside)
        outputs = self._answered(block, inside)
        entries = tuple(Input(one, self._shape(block, one, table)) for one in block.inputs)
        inner = Network(name if item.steps is None else block.name, entries, tuple(inside.nodes), outputs)
        kind = "Sequential" if is_chain(inner) else "Functional"
        if item.steps is not None:
            arguments = {**self._typed("TimeDistributed", arguments), "layer": kind}
            kind = "TimeDistributed"
        self._place(frame, path, name, kind, arguments, tensors, network=inner, outputs=len(outputs))

    def _shape(self, block: Block, name: str, table: Mapping[str, Any]) -> tuple[int | None, ...]:
        """The shape that an input of a nested block states, empty if it states none."""
        sizes = []
        for index, one in enumerate(block.shapes.get(name, ())):
            path = ("blocks", block.name, "inputs", name, "shape", index)
            size = self._evaluated(one, table, path)
            if one is not None and not objects.is_count(size) and self._is_computed(path):
                self._wrong(path, f"{shown(size)} is not accepted", "a whole number above 0, or null")
                self.whole = False
            sizes.append(size)
        return tuple(sizes)

    def _reuse(self, item: Reuse, frame: Frame) -> None:
        path = item.path
        wanted = str(self._evaluated(item.layer, frame.table, (*path, "layer")))
        full = self._full(wanted, frame)
        first = next((node for node in frame.nodes if node.name == full), None)
        if first is None:
            wrong, expected = f"no layer `{wanted}` above", "a layer or a nested block"
            if wanted in frame.entries or wanted in [one.name for one in self.inputs]:
                wrong = f"`{wanted}` is an input"
            elif wanted in frame.tensors:
                wrong, expected = (
                    f"`{wanted}` is a block that is not nested",
                    "a layer, or `nested: true` in that block",
                )
            layers = {name for name in frame.given if self._full(name, frame) in {node.name for node in frame.nodes}}
            close = nearest(wanted, layers)
            self._wrong((*path, "layer"), wrong, expected, close)
            self.whole = False
            frame.lost.append(_pattern(str(item.name)) if item.name is not None else re.escape(wanted))
            return
        if first.operation:
            self._wrong((*path, "layer"), f"`{wanted}` is an operation, which has no weights", f"`{first.layer}` again")
            self.whole = False
            return
        inputs, many, call = self._inputs(item.source, frame, (*path, "from"), first.network is not None)
        if first.network is not None:
            names = tuple(one.name for one in first.network.inputs)
            meant = self._is_meant(item.source, path)
            inputs, many, call = self._block_inputs(wanted, names, inputs, call, (*path, "from"), meant), False, {}
            if not inputs:
                return
        else:
            known = objects.called_with(first.layer)
            for key in call:
                if key not in known:
                    expected = f"one of {listed(known)}"
                    self._wrong((*path, "from", key), "the call has no such argument", expected, nearest(key, known))
        name = self._given_name(item, frame, "") if item.name is not None else ""
        name = name or self._default_name(wanted, frame)
        same = {key: getattr(first, key) for key in ("l2", "dropout", "outputs", "frozen", "network")}
        more = {**same, "many": many, "call": call, "reuses": first.name}
        self._place(frame, path, name, first.layer, first.arguments, inputs, **more)

    # Names and tensors

    def _given_name(self, item: Call | Reuse, frame: Frame, suffix: str) -> str:
        """The name that an item gives, an index after it under `repeat`; an empty text if it cannot be one."""
        path = (*item.path, "name")
        given = self._evaluated(item.name, frame.table, path)
        if given is None and not self._is_computed(path):
            text = str(item.name)  # `$enc` may be meant as `enc`
            frame.lost.append(re.escape(text[1:]) if re.fullmatch(r"\$\w+", text) else _pattern(text))
            return ""
        if suffix and type(given) in (str, int) and given not in ("previous", "input"):
            given = f"{given}{suffix}"
        name = self._name(given, frame, path)
        if not name:
            frame.lost.append(re.escape(str(given)))
        return name

    def _name(self, given: Any, frame: Frame, path: Path) -> str:
        name = str(given)
        if type(given) not in (str, int) or not LAYER.fullmatch(name) or (type(given) is int and given < 0):
            self._wrong(path, f"{shown(given)} is no name", LAYERS)
        elif (base := layer_named(name)) != name and self._is_of_a_block(f"{base}.0", frame):
            self._wrong(path, f"`{name}` means an output of `{base}`", "a name without a number behind a dot")
        elif name == "previous" or (name == "input" and name in frame.tensors):
            self._wrong(path, f"`{name}` is a word of the language", "another name")
        else:
            return name
        self.whole = False
        return ""

    def _is_of_a_block(self, name: str, frame: Frame) -> bool:
        """Whether a name is that of a block's output, which is another layer's."""
        return frame.tensors.get(name, self._full(name, frame)) != self._full(name, frame)

    def _default_name(self, target: str, frame: Frame) -> str:
        """The class in Keras's snake case, counted within its body: `conv2d`, `conv2d_1`."""
        snake = snake_case(target)
        while True:
            count = frame.counts.get(snake, 0)
            frame.counts[snake] = count + 1
            name = f"{snake}_{count}" if count else snake
            if name not in frame.tensors and self._full(name, frame) not in frame.used:
                return name

    def _our_name(self, name: str, frame: Frame, part: str = "") -> str:
        """A name that the language gives; a spec's layer that has it must be called otherwise."""
        if name in frame.given:
            wrong = f"`{name}` is the name of a layer that is added to every {self.spec.task} network without `head`"
            expected = "another name, or this layer under `head`"
            if name in ("z_mean", "z_log_var", "z", "evidence", "code"):
                wrong, expected = f"`{name}` is the name of a layer that `latent` stands for", "another name"
            self._wrong((*frame.given[name], "name"), wrong, expected)
            self.whole = False
        return name

    def _full(self, name: str, frame: Frame) -> str:
        return frame.prefix + name

    def _tensor(self, given: Any, frame: Frame, path: Path) -> str:
        """The tensor that a text names: previous, input, a name above, or `name.1` for a second output."""
        text, given = given, self._evaluated(given, frame.table, path)
        name = str(given)
        if (given is None and text is not None) or name == "previous":
            return frame.previous
        if type(given) in (str, int) and name in frame.tensors:
            return frame.tensors[name]
        base, number = layer_named(name), name.rpartition(".")[2]
        if type(given) is str and base != name and base in frame.tensors:
            tensor, count = frame.tensors[base], frame.outputs.get(frame.tensors[base], 1)
            # Those of a block that is not nested have names of their own.
            count = max(count, sum(layer_named(one) == base != one for one in frame.tensors))
            if int(number) < count and count > 1:
                return output(tensor, int(number))
            if tensor in self.unclear:
                self.whole = False
                return tensor
            has = f"`{base}` has one output, `{name}` is none" if count == 1 else f"`{base}` has {count} outputs"
            self._wrong(path, has, f"`{base}`" if count == 1 else f"{base}.0 to {base}.{count - 1}")
        elif any(re.fullmatch(one, base) for one in frame.lost):
            pass  # it may be there
        elif name in frame.absent:
            self._wrong(path, f"`{name}` is not there, its `if` is false", "`else: TENSOR` beside that `if`")
        else:
            indexed = re.fullmatch(r"(.+)\[(\d+)\]", name)  # as Python says it
            close = f"{indexed[1]}.{indexed[2]}" if indexed and indexed[1] in frame.tensors else ""
            close = close or nearest(given, ["previous", *frame.tensors])
            what = f"`{given}`" if isinstance(given, str) else shown(given)
            known = ", ".join(["previous", *frame.entries])
            self._wrong(path, f"no tensor {what}", f"{known} or a name above", close)
        self.whole = False
        return frame.previous

    def _inputs(
        self, source: Source | None, frame: Frame, path: Path, block: bool
    ) -> tuple[tuple[str, ...], bool, dict[str, Any]]:
        """What `from` names: tensors, whether they are a list, and those that go by the call's arguments."""
        if source is None:
            return (frame.previous,), False, {}
        if source.named is not None:
            call: dict[str, Any] = {}
            for key, value in source.named.items():
                here = (*path, key)
                if isinstance(value, bool):
                    call[key] = value
                elif isinstance(value, list):
                    call[key] = tuple(
                        None if one is None else self._tensor(one, frame, (*here, index))
                        for index, one in enumerate(value)
                    )
                else:
                    call[key] = self._tensor(value, frame, here)
            if block:
                return (), False, call
            at = next((key for key in objects.FIRST if key in call), "")
            first = call.pop(at) if at else frame.previous
            if isinstance(first, bool):
                self._wrong((*path, at), f"{shown(first)} is no tensor", "the name of a tensor")
                self.whole = False
                first = frame.previous
            return (first,) if isinstance(first, str) else first, not isinstance(first, str), call
        found: list[str] = []
        start = frame.previous
        for index, part in enumerate(source.parts):
            here = (*path, index) if source.listed else path
            if not isinstance(part, Group):
                found.append(self._tensor(part, frame, here))
            elif self._condition(part.condition, frame, (*part.path, "if")):
                frame.previous = start
                if part.source is not None:
                    frame.previous = self._one_tensor(part.source, frame, (*part.path, "from"))
                before, from_here = (frame.l2, frame.frozen), frame.previous
                self._inherit(part, frame)
                for row in self._rows(part, frame):
                    frame.previous = from_here
                    frame.table.update(zip(part.variables, row, strict=True))
                    for _ in range(self._count(part, frame)):
                        self._run(part.items, frame)
                        if self._is_enough():
                            break
                    found.append(frame.previous)
                frame.l2, frame.frozen = before
                frame.previous = start
        if not found and not self.spec.is_told_in(path) and path not in self.told:
            self._wrong(path, "no tensor is left", "one part of the list at least, whatever the conditions and loops")
            self.whole = False
        return tuple(found) or (frame.previous,), source.listed, {}

    def _one_tensor(self, source: Source, frame: Frame, path: Path) -> str:
        if source.named is not None or source.listed:
            what = "tensors by name stand" if source.named is not None else "a list stands"
            self._wrong(path, f"{what} where one tensor does", "the name of a tensor")
            self.whole = False
            return frame.previous
        return self._tensor(source.parts[0], frame, path)

    def _add(
        self, frame: Frame, layer: str, arguments: dict[str, Any], path: Path, name: str, inputs: tuple[str, ...],
        **more: Any,
    ) -> None:  # fmt: skip
        l2 = rate = None
        if objects.kernels(layer, arguments):
            l2 = frame.l2 if frame.l2 is not None else self._of_spec("l2", DEFAULT_L2)
        if layer in catalogue.DROPOUTS:
            rate = arguments.pop("rate") if "rate" in arguments else self._of_spec("dropout", DEFAULT_DROPOUT)
        self._place(frame, path, name, layer, arguments, inputs, l2=l2, dropout=rate, **more)

    def _place(
        self, frame: Frame, path: Path, name: str, layer: str, arguments: dict[str, Any], inputs: tuple[str, ...],
        **more: Any,
    ) -> None:  # fmt: skip
        """Put a node behind the others; its name must be its own."""
        full = self._full(name, frame)
        if full in frame.used:
            self.whole = False
            frame.previous = frame.tensors.setdefault(name, full)  # so that its readers are not told as well
            if path[:1] == ("latent",) and name in frame.given:
                self._our_name(name, frame)
                return
            if self.calls and name not in frame.given and frame.used[full] == path:
                self._wrong((*self.calls[-1], "name"), f"another call of this block has made `{full}`", "another name")
                return
            place, by = self.spec.place(frame.used[full]), written(frame.used[full])
            by = "the input" if full in {one.name for one in self.inputs} else by
            by = f"line {place.line}" if place and place.line and by != "the input" else by
            loops = [key for key in frame.table if key not in self.table]
            again = "$" not in name and frame.used[full] == path and loops
            hint = f"{name}${loops[-1]}" if again else ""
            self._wrong((*path, "name"), f"`{full}` is taken by {by}", "another name", hint)
            return
        base = layer_named(full)
        taken = [full] if base != full and frame.outputs.get(base, 1) > 1 else []
        several = range(more.get("outputs", 1)) if more.get("outputs", 1) > 1 else ()
        taken += [one for one in (f"{full}.{at}" for at in several) if one in frame.used]
        if taken:  # they would be one name
            owner = base if taken == [full] else full
            self._wrong((*path, "name"), f"`{taken[0]}` means an output of `{owner}`, and a layer", "another name")
            self.whole = False
        if path not in self.places:
            self.places[path] = self.spec.place(path), written(path)
        mark, where = self.places[path]
        weighs = not more.get("network") and not catalogue.is_operation(layer)  # the layers inside say it themselves
        more = {"frozen": frame.frozen and weighs, **more}
        node = Node(full, layer, arguments, inputs, frame.part, mark=mark, path=where, **more)
        frame.nodes.append(node)
        self.layers += 1
        if self.layers == MOST_LAYERS + 1:
            self._wrong(path, f"more than {MOST_LAYERS:,} layers", "a smaller network")
        frame.used[full] = frame.given[name] = path
        frame.outputs[full] = node.outputs
        frame.previous = frame.tensors[name] = full

    def _of_spec(self, key: str, default: float) -> float:
        self.read.add(key)
        return self.table.get(key, default)

    def _wrong(self, path: Path, wrong: str, expected: str = "", hint: str = "") -> None:
        """Note a problem; of a line that is gone through often, the first; in a block what is new in a call too."""
        call = tuple(self.calls) if path[:1] == ("blocks",) else ()
        places = map(self.spec.place, reversed(self.calls)) if call else ()  # the innermost call first
        here = self.spec.place(path)
        lines = [
            f"line {place.line}" if here and place.file == here.file else f"{place.file}:{place.line}"
            for place in places
            if place and place.line
        ]
        once = self.said.setdefault(path, set()) if call else set()  # what was said of it, and for which calls
        again = path in self.told and bool(path) and (not call or not once or bool({wrong, call} & once))
        once |= {wrong, call}
        if lines:
            wrong += f" when called in {', from '.join(lines)}"
        if not self.spec.is_told(path) and not again:
            self.told.add(path)
            self.problems.append(self.spec.problem(path, wrong, expected, hint))


def _named_in(body: Iterable[Item]) -> Iterator[str]:
    """The names that the items of a body give, as they are written."""
    for item in body:
        if isinstance(item, Group):
            yield from _named_in(item.items)
        elif isinstance(item, (Call, Reuse)) and item.name is not None:
            yield str(item.name)


def _pattern(name: str) -> str:
    """A pattern of what a name may come to, once its expressions have values."""
    return ".*".join(map(re.escape, re.split(r"\$\{[^}]*\}|\$\w+", name)))


def as_computed(text: Any, wrong: str) -> str:
    """What is wrong with a value that a text came to."""
    if not isinstance(text, str):
        return wrong
    plain = wrong.removesuffix(" is not accepted")
    return f"`{text}` is {plain}" if plain != wrong or not wrong.startswith("`") else f"`{text}`: {wrong}"
