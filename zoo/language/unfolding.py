"""A filled spec to a `Network`: its bodies laid out, and the ends that they are given by task and family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from zoo.errors import Problem, ZooError
from zoo.language import catalogue, expressions, merging, objects
from zoo.language.bodies import Bodies, Frame, as_computed
from zoo.language.expressions import LOST, Wrong
from zoo.language.families import FACTS, LIKELIHOODS, head, uneven
from zoo.language.items import Call
from zoo.language.network import (
    WITHOUT_NOISE,
    Input,
    Network,
    Node,
    activation,
    answering,
    free,
    is_chain,
    output,
    owner,
    said,
)  # fmt: skip
from zoo.language.objects import is_count, is_lambda
from zoo.language.parsing import Path, shown
from zoo.language.ranges import Filled
from zoo.language.spec import STATED, Spec, is_told

ENDS = ("sigmoid", "hard_sigmoid", "softmax", "sparsemax")
"""Activations that answer numbers between 0 and 1."""

MOST_ELEMENTS = 500_000
"""So many elements may the lists have that the expressions of a network make."""


def unfold(spec: Spec) -> tuple[Network | None, list[Problem]]:
    """Unfold a filled spec to its network; all problems of its body are found, and then there is no network."""
    unfolding, network = _run(spec)
    problems = list(dict.fromkeys(unfolding.problems))
    return (None if problems else network), problems


def training(spec: Spec, rows: int) -> dict[str, Any]:
    """How a filled spec is trained on so many rows, its expressions computed: `$epochs`, and `$steps` of an epoch.

    Raises `ZooError` for an expression that cannot be computed.
    """
    train = spec.train
    if not expressions.holds(train):
        return train
    table = {**names(spec), "epochs": train["epochs"], "steps": -(-rows // train["batch_size"])}
    try:
        return {key: expressions.evaluated(value, table) for key, value in train.items()}
    except Wrong as error:
        raise ZooError(spec.problem(("train",), *error.args)) from None


def names(spec: Spec) -> dict[str, Any]:
    """The table of names of a filled spec: what every spec has (l2, dropout, classes, ...) and its `let`."""
    return _run(spec)[0].table


def reads(spec: Spec) -> frozenset[str]:
    """Which of `l2` and `dropout` a filled spec's network takes, from its layers or its expressions."""
    return frozenset(_run(spec)[0].read) | (_asked(spec.data) & {"l2", "dropout"})


def _run(spec: Spec) -> tuple[_Unfolding, Network]:
    with expressions.budget(MOST_ELEMENTS):
        unfolding = _Unfolding(spec)
        return unfolding, unfolding.run()


@dataclass
class _Unfolding(Bodies):
    """The state while a whole spec is unfolded: its sections, its head or criterion, and what nothing reads."""

    loose: set[str] = field(default_factory=set)  # the paths of layers that lead to no output

    def run(self) -> Network:
        spec = self.spec
        frame = self._start(self.inputs[0].name, "layers")
        frame.frozen = spec.data.get("frozen") is True
        if spec.coded:
            self._of_floats()
            self._coded(frame)
        else:
            self._run(self.program.sections.get("layers", ()), frame)
            frame.part, frame.frozen = "head", False
            self._head(frame)
        outputs = self._outputs(frame)
        if not frame.nodes and self.whole:
            self._wrong(("layers",), "the network has no layer", "one at least")
            self.whole = False
        network = Network(spec.name, self.inputs, tuple(frame.nodes), outputs, self._prepare())
        self._training()
        if self.whole:
            self._loose_ends(network)
            self._over_rows(network)
            self._unread()
            self._idle(network)
        return network

    def _outputs(self, frame: Frame) -> tuple[str, ...]:
        given = self.spec.data.get("outputs")
        if given is None:
            return (frame.previous,)
        return self._answers(given, frame, ("outputs",))

    def _prepare(self) -> tuple[Node, ...]:
        """The chain of `prepare`, on names of its own."""
        frame = self._start(self.inputs[0].name, "prepare")
        self._run(self.program.sections.get("prepare", ()), frame)
        chain = Network("prepare", self.inputs[:1], tuple(frame.nodes), (frame.previous,))
        if frame.nodes and "inputs" in self.spec.data:
            self._wrong(("prepare",), "`prepare` stands beside several inputs", "one `input`")
        moves = all(node.layer in ("Take", "CenterCrop", "Reshape", "Permute") for node in frame.nodes)
        if not moves and "int" in self.inputs[0].dtype:
            wrong = f"`prepare` makes numbers with a point, and the network reads {self.inputs[0].dtype}"
            self._wrong(("prepare",), wrong, "an input of float32")
        if frame.nodes and self.whole and not is_chain(chain):
            self._wrong(("prepare",), "these are not one layer after another", "a chain of layers, without `from`")
        for node in frame.nodes:
            takes = catalogue.catalogue()["layers"].get(node.layer, {"arguments": ()})["arguments"]
            if node.l2 is not None or any(key.endswith("_initializer") for key in takes):
                wrong = f"{node.layer} has weights"
                self.problems.append(Problem(wrong, "layers without any", "", node.path, node.mark))
            if node.layer == "Normalization" and node.arguments.get("mean") is None:
                wrong, expected = "without `mean` it changes nothing here", "`mean` and `variance`, as numbers or lists"
                self.problems.append(Problem(wrong, expected, "", node.path, node.mark))
        return chain.nodes

    def _training(self) -> None:
        """Say which expressions of the optimizer and the loss have no value, or one that they do not take."""
        for key, module in (("optimizer", "optimizers"), ("loss", "losses")):
            train = self.spec.data.get("train")
            chosen = train.get(key) if isinstance(train, Mapping) else None
            if not self.program.problems and expressions.holds(chosen):
                whole = self.whole  # the network stands, whatever it is trained with
                chosen = self._trained(chosen, ("train", key), module)
                self.whole = whole
            stated = self.table.get("classes") if ("classes",) in self.spec.marks else None  # else data will say
            if key == "loss" and (found := uneven(chosen, stated if is_count(stated) else None)):
                self._wrong(("train", key, *found[0]), *found[1:])

    def _trained(self, chosen: Any, here: Path, module: str) -> Any:
        """What is chosen, its expressions computed and checked."""
        epochs = LOST if self.spec.is_told(("train", "epochs")) else self.spec.train["epochs"]
        table = {**self.table, "epochs": epochs, "steps": 1_000}  # data will say how many
        texts: dict[Path, str] = {}

        def computed(value: Any, path: Path) -> Any:
            if isinstance(value, Mapping):
                return {key: computed(one, (*path, key)) for key, one in value.items()}
            texts.update({path: value} if expressions.is_expression(value) else {})
            return self._evaluated(value, table, path)

        found = computed(chosen, here)
        guessed = "$steps" in expressions.words_of(chosen)
        for path, wrong, expected, hint in objects.named(found, module, here):
            if guessed and wrong.endswith(objects.UNORDERED):  # as the data will have it, or not
                continue
            self._wrong(path, as_computed(texts.get(path), wrong), expected, hint)
        return found

    def _coded(self, frame: Frame) -> None:
        """Encoder, latent and decoder: two models inside the model, and between them the code."""
        spec = self.spec
        encoder = self._start(self.inputs[0].name, "encoder")
        encoder.frozen = frame.frozen  # the decoder is what is learnt then
        self._run(self.program.sections.get("encoder", ()), encoder)
        latent = (self.program.sections.get("latent") or (None,))[0]
        if latent is None:
            self.whole = False
        gaussian = isinstance(latent, Call) and latent.target == "Gaussian"
        if isinstance(latent, Call) and gaussian:
            before = (encoder.previous,)
            found = {"samples": 1, **latent.arguments, **self._computed(latent, encoder)}
            units, samples = found.get("units"), found["samples"]
            if samples != 1 and len(self.inputs) > 1:
                self._wrong((*latent.path, "samples"), f"{samples} draws beside several inputs", "`samples: 1`")
            penalties = spec.data.get("penalties")
            often = is_count(samples) and samples != 1
            if often and isinstance(penalties, Mapping) and "kl" in penalties:
                wrong = f"nothing reads it, as the bound of {samples} draws has no divergence to weigh"
                self._wrong(("penalties", "kl"), wrong, "`samples: 1`, or penalties without `kl`")
            encoder.l2 = None
            self._inherit(latent, encoder)
            for name in ("z_mean", "z_log_var"):
                self._add(encoder, "Dense", {"units": units}, latent.path, name, before)
            codes: tuple[str, ...] = ("z_mean", "z_log_var")
        elif isinstance(latent, Call):
            self._call(latent if latent.name is not None else replace(latent, name="code"), encoder)
            codes = (encoder.previous,)
        else:
            codes = (encoder.previous,)
        coded = self._inside("encoder", encoder, codes, {}, frame)
        frame.part, code = "latent", coded[0]
        if gaussian and latent is not None:
            several = {} if samples == 1 else {"samples": samples}
            self._add(frame, "Sampling", dict(several), latent.path, self._our_name("z", frame), coded)
            code = "z"
        elif codes[0] in frame.tensors:
            code = codes[0]
        decoder = self._start("z" if gaussian else owner(codes[0]), "decoder")
        entry = decoder.previous
        if entry not in decoder.tensors:
            decoder.tensors[entry] = entry
            decoder.used[entry] = decoder.given[entry] = ("latent",)
        if "inputs" in spec.data:
            decoder.tensors["input"] = entry
            decoder.entries = ("input", *decoder.entries)
        self._run(self.program.sections.get("decoder", ()), decoder)
        if "head" in spec.data:
            self._run(self.program.sections.get("head", ()), decoder)
        else:
            self._reconstruction(decoder)
        (rebuilt,) = self._inside("decoder", decoder, (decoder.previous,), {entry: code}, frame)
        frame.previous = rebuilt
        if gaussian:
            frame.part = "criterion"
            given = {"likelihood": spec.likelihood, **several, **self._penalties()}
            inputs = (self.inputs[0].name, rebuilt, *coded, code)
            self._add(frame, "EvidenceLowerBound", given, ("latent",), self._our_name("evidence", frame), inputs)
        elif isinstance(penalties := spec.data.get("penalties"), Mapping):
            if "contractive" in penalties:
                self._contraction(frame, rebuilt, coded, penalties["contractive"])
            if "sparsity" in penalties:
                self._sparsity(frame, coded[0], penalties["sparsity"])

    def _of_floats(self) -> None:
        """Say of an input of whole numbers that it cannot be given back: what a decoder answers has a point."""
        first = self.inputs[0]
        if "int" in first.dtype and self.spec.kind != "tokens":
            path: Path = ("inputs", first.name, "dtype") if "inputs" in self.spec.data else ("input", "dtype")
            self._wrong(path, f"a decoder gives back numbers with a point, no {first.dtype}", "float32")

    def _contraction(self, frame: Frame, rebuilt: str, coded: tuple[str, ...], given: Any) -> None:
        """The encoder once more, on rows nearby, and what tells how far apart the two codes of a row are."""
        path: Path = ("penalties", "contractive")
        weight, x = self._weight(given, path), self.inputs[0]
        encoder = next((node for node in frame.nodes if node.name == "encoder"), None)
        if encoder is None or encoder.network is None:
            return
        layers = list(encoder.network.walk())
        random = list(dict.fromkeys(node.layer for node in layers if _is_random(node)))
        noting = list(dict.fromkeys(node.layer for node in layers if _notes_calls(node)))
        refused: list[tuple[str, str]] = []
        if random:
            who = f"{' and '.join(random)} in the encoder {'draws' if len(random) == 1 else 'draw'}"
            wrong = f"{who} at each call, and two codes of a row would differ by that"
            refused.append((wrong, "an encoder without random layers"))
        if any(node.layer == "Masking" for node in layers):
            wrong = "a row nearby has no steps that `Masking` knows for padding"
            refused.append((wrong, "an encoder without `Masking`"))
        if noting:
            wrong = f"{' and '.join(noting)} in the encoder would take note of the rows nearby as well"
            refused.append((wrong, "an encoder without BatchNormalization and penalties on activities"))
        if refused:
            wrongs, expected = zip(*refused, strict=True)
            self._wrong(path, ", and ".join(wrongs), ", ".join((*expected, "or no `contractive`")))
            return
        if not x.dtype.startswith("float"):
            self._wrong(path, f"nothing lies near to {x.dtype}", "an input of float32")
            return
        if x.name not in encoder.inputs:
            self._wrong(path, f"the encoder does not read `{x.name}`", "an encoder that does")
            return
        frame.part, names = "criterion", dict[str, str]()
        for name in ("nearby", "code_nearby", "contraction"):
            names[name] = free(name, {*frame.used, *frame.given})
        self._add(frame, "Nearby", {}, path, names["nearby"], (x.name,))
        inputs = tuple(names["nearby"] if one == x.name else one for one in encoder.inputs)
        again = {"network": encoder.network, "outputs": encoder.outputs, "reuses": "encoder"}
        self._place(frame, path, names["code_nearby"], encoder.layer, {}, inputs, **again)
        read = (coded[0], names["code_nearby"], rebuilt)
        self._add(frame, "Contraction", {"weight": weight}, path, names["contraction"], read)

    def _sparsity(self, frame: Frame, code: str, given: Any) -> None:
        """What tells how far the mean answers of the code's units are from the few that are wanted."""
        path: Path = ("penalties", "sparsity")
        named = dict(given) if isinstance(given, Mapping) else {"": given}
        weights = {key or "weight": self._weight(one, (*path, key) if key else path) for key, one in named.items()}
        encoder = next((node.network for node in frame.nodes if node.name == "encoder"), None)
        last = answering(encoder, encoder.output, WITHOUT_NOISE) if encoder else None
        ends = [activation(last.layer, last.arguments)] if last else [""]
        for _, arguments in objects.walked(last.layer, last.arguments) if last else ():
            if "recurrent_activation" in arguments:  # which the cell's own is multiplied by
                ends.append(str(arguments["recurrent_activation"]))
            ends += [""] if arguments.get("merge_mode") == "sum" else []
        told = any(self.spec.is_told_in((key,)) for key in ("latent", "defaults", "blocks", "let"))
        found = {*self.spec.told, *(one.path for one in self.problems)}
        told |= any(is_told(one, {last.path}) or is_told(last.path, {one}) for one in found) if last else False
        if any(one not in ENDS for one in ends) and not told:
            wrong = "nothing says that the code's units answer numbers between 0 and 1"
            expected = "`activation: sigmoid` in `latent`, or `activity_regularizer: {L1: {l1: 1e-4}}` in place of this"
            self._wrong(path, wrong, expected)
            return
        frame.part = "criterion"
        name = free("sparsity", {*frame.used, *frame.given})
        self._add(frame, "Sparsity", {"weight": 1.0, "target": 0.05} | weights, path, name, (code, frame.previous))

    def _penalties(self) -> dict[str, Any]:
        """The weights of the bound's parts that are not the usual ones."""
        given = self.spec.data.get("penalties")
        parts = dict(given) if isinstance(given, Mapping) else {}
        kl = parts.pop("kl", 1.0)
        weights: dict[str, Any] = {"kl": 1.0, "warm_up": 0, "mmd": 0.0}
        for key, one in (kl if isinstance(kl, Mapping) else {"": kl}).items():
            weights[key if key == "warm_up" else "kl"] = self._weight(one, ("penalties", "kl", *([key] if key else [])))
        for key, one in parts.items():
            weights[key] = self._weight(one, ("penalties", key))
        return {key: value for key, value in weights.items() if value != (1.0 if key == "kl" else 0)}

    def _weight(self, given: Any, path: Path) -> Any:
        value = self._evaluated(given, self.table, path)
        tests = {"warm_up": (is_count, objects.COUNT), "target": (objects.is_share, objects.SHARE)}
        accepts, expected = tests.get(str(path[-1]), (is_lambda, objects.WEIGHT))
        if expressions.is_expression(given) and not accepts(value) and self._is_computed(path):
            self._wrong(path, f"`{given}` is {shown(value)}", expected)
        return value

    def _inside(
        self, name: str, inside: Frame, outputs: tuple[str, ...], entries: Mapping[str, str], frame: Frame
    ) -> tuple[str, ...]:
        """Make a model inside the model of a frame, which takes the entries and those of the inputs that it uses."""
        used = {owner(one) for node in inside.nodes for one in node.read()} | {owner(one) for one in outputs}
        taken = {one.name: one.name for one in self.inputs if one.name in used}
        given = {**entries, **taken} or {self.inputs[0].name: self.inputs[0].name}
        network = Network(name, tuple(map(Input, given)), tuple(inside.nodes), outputs)
        self.taken |= set(taken)
        frame.part = name
        inputs = tuple(given.values())
        self._place(frame, (name,), name, "Functional", {}, inputs, network=network, outputs=len(outputs))
        return tuple(output(name, index) for index in range(len(outputs)))

    def _head(self, frame: Frame) -> None:
        spec = self.spec
        if "head" in spec.data:
            self._run(self.program.sections.get("head", ()), frame)
        elif "outputs" in spec.data or self._ends_twice(frame):
            return
        elif spec.task == "language" and "vocabulary" not in spec.facts:
            where = ("inputs", self.inputs[0].name) if "inputs" in spec.data else ("input",)
            if not self.spec.is_told_in(where):
                self._wrong(where, "`vocabulary` is missing", "a whole number above 0, for language without `head`")
            self.whole = False
        elif all(key in spec.facts for key in FACTS[spec.task]):
            for item in head(spec.task, spec.facts):
                self._ours(item, frame, ("head",))
        else:
            missing = [key for key in FACTS[spec.task] if key not in spec.data]
            for key in missing:
                self._wrong((), f"`{key}` is missing", f"a whole number above 0, for {spec.task} without `head`")
            self.whole = False

    def _ends_twice(self, frame: Frame) -> bool:
        """Whether the body ends as a head does, to which another would be added: Keras's habit, and a mistake here."""
        last = frame.nodes[-1] if frame.nodes and frame.previous == frame.nodes[-1].name else None
        activation = last.arguments.get("activation") if last else None
        if last is None:
            return False
        one = last.arguments.get("units") == 1 and self.spec.task in ("classification", "binary")
        ends = last.layer in ("Softmax", "ops.softmax") or activation == "softmax" or (one and activation == "sigmoid")
        if ends and not is_told(last.path, {one.path for one in self.program.problems}):
            wrong = f"the body ends in `{activation or 'softmax'}`, and the head of {self.spec.task} comes after it"
            expected = "this layer under `head`, or none of it: the task brings its own"
            self.problems.append(Problem(wrong, expected, "", last.path, last.mark))
            self.whole = False
        return ends

    def _reconstruction(self, frame: Frame) -> None:
        """The end of a decoder: the input's shape, under the activation that the likelihood needs."""
        size = self.spec.shape[-1] if self.spec.shape else 1
        if size is None:  # the data will say
            return
        named = {"name": "reconstruction", "activation": LIKELIHOODS[self.spec.likelihood]}
        if self.spec.kind == "image":
            last: dict[str, Any] = {"Conv2D": {"filters": size, "kernel_size": 3, "padding": "same", **named}}
        else:
            last = {"Dense": {"units": size, **named}}
        if not self._rebuilds_twice(last):
            self._ours(last, frame, ("decoder",))

    def _rebuilds_twice(self, added: Mapping[str, Any]) -> bool:
        """Whether the text of a decoder ends in the layer that is added to it, under an activation that tells so."""
        ((layer, body),) = added.items()
        item = (self.program.sections.get("decoder") or (None,))[-1]
        if not isinstance(item, Call) or item.target not in (layer, f"{layer}Transpose"):
            return False
        given, size = (
            {**self.defaults.get(item.target, {}), **item.arguments},
            "units" if "units" in body else "filters",
        )
        alike = given.get(size) == body[size] and given.get("activation") == body["activation"]
        if not alike or body["activation"] not in ENDS:
            return False
        wrong = f"the decoder ends in `{body['activation']}` over the input's {body[size]}"
        wrong += ", and the layer that rebuilds the input comes after it"
        self._wrong(item.path, wrong, "this layer under `head`, or none of it: it is added")
        self.whole = False
        return True

    def _ours(self, item: dict[str, Any], frame: Frame, path: Path) -> None:
        """An item that the language adds at the end of a part."""
        layer, body = next(iter(item.items()))
        usual = {key: value for key, value in self.defaults.get(layer, {}).items() if key != "activation"}
        arguments = {**usual, **{key: value for key, value in body.items() if key != "name"}}
        name, before = self._our_name(body["name"], frame), len(self.problems)
        if name in frame.used:
            self.whole = self.whole and before == len(self.problems)
            return
        self._add(frame, layer, arguments, (*path, layer), name, (frame.previous,))

    def _loose_ends(self, network: Network) -> None:
        for inner in (node.network for node in network.nodes if node.network and not node.reuses):
            self._loose_ends(inner)
        used = {owner(name) for node in network.nodes for name in node.read()} | set(map(owner, network.outputs))
        used |= {node.reuses for node in network.nodes}
        read = {name for node in network.nodes for name in node.read()} | set(network.outputs)
        for node in network.nodes:
            apart = node.layer == "Bidirectional" and node.arguments.get("merge_mode", "") is None
            if apart and not node.reuses and output(node.name, 1) not in read and node.path not in self.loose:
                self.loose.add(node.path)
                wrong = f"`{said(output(node.name, 1))}`, what it read backward, leads to no output"
                expected = f"`from: [{node.name}.0, {node.name}.1]`, or another `merge_mode`"
                self.problems.append(Problem(wrong, expected, "", node.path, node.mark))
            if node.name not in used and node.path not in self.loose:  # a line that is gone through often says it once
                self.loose.add(node.path)
                wrong = f"`{node.name}` leads to no output"
                self.problems.append(Problem(wrong, "every layer to be used", "", node.path, node.mark))
        if network.inputs == self.inputs:
            for name, given in self.spec.inputs.items():
                path: Path = ("inputs", name) if "inputs" in self.spec.data else ("input",)
                if name not in used and not given.get("unused"):
                    expected = "every input to be used, or `unused: true` for one that is not meant to be"
                    self._wrong(path, f"`{name}` leads to no output", expected)
                elif name in used and given.get("unused"):
                    self._wrong((*path, "unused"), f"`{name}` leads to an output", "an input without it")

    def _over_rows(self, network: Network) -> None:
        """Say what no task can train: which layers take the rows for an axis of their own, and which inputs are odd."""
        if "outputs" in self.spec.data:  # it is given as it is
            return
        for one in self.inputs:
            path: Path = ("inputs", one.name) if "inputs" in self.spec.data else ("input",)
            if one.odd:
                wrong = "no task trains a network with such an input"
                self._wrong((*path, one.odd), wrong, "an input without it, or `outputs`, by which it is given as it is")
        told = set[str]()
        for node in network.walk():
            found = (objects.over_rows(one, given) for one, given, _ in objects.held(node.layer, node.arguments, 0))
            wrong = "" if node.operation or node.network else next(filter(None, found), "")
            if wrong and node.path not in told:
                told.add(node.path)
                says, expected = f"{wrong}, which know nothing of one another", "1 or above, or -1"
                if wrong == objects.KEEPS:
                    says, expected = f"{wrong}, and rows come in any order", "`stateful: false`, or `outputs`"
                self.problems.append(Problem(says, expected, "", node.path, node.mark))

    def _idle(self, network: Network) -> None:
        """Say where lambda is searched and every kernel that it reaches is frozen: all its values are one network."""
        searched: dict[str, list[Node]] = {}
        for node in network.walk():
            if isinstance(node.l2, Filled):
                searched.setdefault(node.l2.name, []).append(node)
        for name, nodes in searched.items():
            if not all(one.still for one in nodes) or name in _asked(self.spec.data):
                continue
            wrong, expected = "every kernel that it reaches is frozen", "a number, or a kernel that is trained"
            if name == "l2":
                self._wrong(("l2",), f"it is searched, and {wrong}", expected)
            else:
                says = f"the range `{name}` is searched, and {wrong}"
                self.problems.append(Problem(says, expected, "", nodes[0].path, nodes[0].mark))

    def _unread(self) -> None:
        reads = {"l2": "a layer with a kernel", "dropout": "a Dropout without a rate of its own"}
        asked = _asked(self.spec.data)
        for key, expected in reads.items():
            inherited = (place := self.spec.place((key,))) and place.file not in (self.spec.source, merging.CHANGE)
            lost = inherited or self.spec.is_told(("task",))  # whose head may read it
            if key in self.spec.data and not lost and key not in self.read | self.program.reads | asked:
                self._wrong((key,), "nothing reads it", expected)
        spoken = (
            "task" in self.spec.data or self.spec.coded or self.spec.is_told(("task",))
        )  # then what the task does not read was told already
        for key in () if spoken else STATED:
            if key in self.spec.data and key not in {*FACTS[self.spec.task], *asked}:
                other = next(task for task, facts in FACTS.items() if key in facts)
                self._wrong((key,), f"nothing reads it in {self.spec.task}", f"`task: {other}` beside it")


def _is_random(node: Node) -> bool:
    """Whether a layer, or one that it wraps, draws something in training."""
    p = [] if node.dropout is None else [isinstance(node.dropout, Filled) or node.dropout > 0]
    return any(p) or any(objects.draws(*one) for one in objects.walked(node.layer, node.arguments))


def _notes_calls(node: Node) -> bool:
    """Whether a layer, or one that it wraps, does something else at each call in training than answer."""
    walked = list(objects.walked(node.layer, node.arguments))
    noting = any(layer in ("BatchNormalization", "ActivityRegularization") for layer, _ in walked)
    return noting or any(arguments.get("activity_regularizer") is not None for _, arguments in walked)


def _asked(data: Mapping[str, Any]) -> frozenset[str]:
    """The names that the text of a spec asks for, conditions that are false included."""
    said = {key: value for key, value in data.items() if key not in ("name", "summary", "reference")}
    return frozenset(one.removeprefix("$") for one in expressions.words_of(said) if one.startswith("$"))
