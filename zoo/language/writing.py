"""A spec written out: every default said, blocks and repeats unfolded, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from zoo.language import catalogue, expressions
from zoo.language.families import FACTS
from zoo.language.network import Network, Node, said
from zoo.language.objects import called_with
from zoo.language.spec import STATED, Spec


def written_out(spec: Spec, network: Network, names: Mapping[str, Any]) -> dict[str, Any]:
    """A filled spec with its body unfolded: no blocks, loops, conditions or expressions, every argument as it is built.

    `names` are those of the spec with their values (`unfolding.names`). What comes out is a spec again, which unfolds
    to the same network.
    """
    gone = (
        "let",
        "blocks",
        "defaults",
        "prepare",
        "layers",
        "encoder",
        "latent",
        "decoder",
        "head",
        "outputs",
        "frozen",
        "dtype",
    )
    held = spec.held()
    told = {key: value for key, value in spec.written().items() if key not in gone and key in held}
    written = _Written(told.get("l2"), told.get("dropout"))
    prepare = written.items(network.prepare, network.input)
    body: dict[str, Any] = {"prepare": prepare} if prepare else {}
    if spec.coded:
        encoder, decoder = (
            next(node for node in network.nodes if node.name == part) for part in ("encoder", "decoder")
        )  # fmt: skip
        for part in (encoder, decoder):
            assert part.network is not None
            code = 0 if part is decoder else 2 if spec.gaussian else 1  # so many layers of the encoder are the latent
            nodes = part.network.nodes[: len(part.network.nodes) - code]
            start = part.network.input if part is decoder else network.input
            body[part.name] = written.items(nodes, start)
            if part is encoder:
                body["latent"] = _latent(spec, network, part.network, nodes[-1].name if nodes else start, written)
        if "penalties" in told:
            told |= {"penalties": weights} if (weights := _penalties(network)) else {}
        last = decoder.network.nodes if decoder.network else ()
        head = [item for item, node in zip(body["decoder"], last, strict=False) if _is_head(node)]
        body["decoder"] = body["decoder"][: len(body["decoder"]) - len(head)]
        body |= {"head": head} if head else {}
    else:
        items = written.items(network.nodes, network.input)
        split = next((index for index, node in enumerate(network.nodes) if node.part == "head"), len(items))
        body["layers"] = items[:split]
        body |= {"head": items[split:]} if split < len(items) else {}
        if "outputs" in spec.data:
            body["outputs"] = _said(network.outputs)
    told.pop("train", None)
    train = {"train": _plain(spec.train)}
    told |= _read_by(train, spec, names)
    for key in STATED:  # what expressions alone read is a number now
        if key not in (*FACTS[spec.task], *expressions.asked(train)):
            told.pop(key, None)
    for key, used in (("l2", written.l2_used), ("dropout", written.dropout_used)):
        if not used and key not in expressions.asked(train):
            told.pop(key, None)
    train = train if len(network.outputs) == 1 else {}
    return {**told, **({"blocks": written.blocks} if written.blocks else {}), **body, **train}


def _read_by(train: Mapping[str, Any], spec: Spec, names: Mapping[str, Any]) -> dict[str, Any]:
    """The names that expressions in `train` ask for, which need the number of steps and so stay what they are."""
    asked = expressions.asked(train)
    let = {name: _quoted(names[name]) for name in spec.data.get("let") or () if name in asked}
    made: dict[str, Any] = {key: _plain(names[key]) for key in ("l2", "dropout") if key in asked}
    return made | ({"let": let} if let else {})


def _is_head(node: Node) -> bool:
    return node.path.startswith("head") or (node.path.split(".")[0] == "decoder" and node.name == "reconstruction")


_NOTHING: list[Any] = [{"Flatten": {"if": False}}]
"""The items of a body in which none is left."""


def _latent(spec: Spec, network: Network, encoder: Network, previous: str, written: _Written) -> Any:
    if spec.gaussian:
        node = next(node for node in encoder.nodes if node.name == "z_mean")
        drawn = next(node for node in network.nodes if node.part == "latent").arguments
        l2 = {} if node.l2 == written.l2 else {"l2": node.l2}
        written.l2_used = written.l2_used or not l2
        still = {"frozen": True} if node.frozen else {}
        return {"Gaussian": {"units": node.arguments["units"], **drawn, **l2, **still}}
    return written.item(encoder.nodes[-1], previous)


def _penalties(network: Network) -> dict[str, Any]:
    """The weights that stand in the layer which adds them; the bound of several draws has no divergence."""
    nodes = {node.layer: node.arguments for node in network.nodes if node.part == "criterion"}
    if not nodes:
        return {}
    if "EvidenceLowerBound" not in nodes:
        told = {"contractive": nodes["Contraction"]["weight"]} if "Contraction" in nodes else {}
        return _plain(told | ({"sparsity": nodes["Sparsity"]} if "Sparsity" in nodes else {}))
    found = nodes["EvidenceLowerBound"]
    kl = {key: found[other] for key, other in (("weight", "kl"), ("warm_up", "warm_up")) if other in found}
    weights = {} if "samples" in found else {"kl": _plain(kl) or 1.0}
    return {**weights, **({"mmd": _plain(found["mmd"])} if "mmd" in found else {})}


class _Written:
    """Nodes as items; models inside the model become blocks of their own."""

    def __init__(self, l2: Any, dropout: Any) -> None:
        self.l2, self.dropout = l2, dropout
        self.l2_used = self.dropout_used = False
        self.blocks: dict[str, Any] = {}

    def items(self, nodes: Iterable[Node], previous: str) -> list[Any]:
        """The items of nodes that stand in a row."""
        made = []
        for node in nodes:
            made.append(self.item(node, previous))
            previous = node.name
        return made

    def item(self, node: Node, previous: str) -> dict[str, Any]:
        """One node with its name and all its arguments, and what it is called on where that is not `previous`."""
        words: dict[str, Any] = {"name": node.name}
        if node.call:
            words["from"] = {
                key: value if isinstance(value, bool) else _said(value) for key, value in node.call.items()
            }  # fmt: skip
            if node.operation:
                free = catalogue.operands(node.layer, {**node.arguments, **node.call})[0]
                words["from"] = {**dict(zip(free, map(said, node.inputs), strict=False)), **words["from"]}
            elif node.inputs and (node.many or node.inputs != (previous,)):
                first = _said(node.inputs if node.many else node.inputs[0])
                words["from"] = {called_with(node.layer)[0]: first, **words["from"]}
        elif node.many or node.inputs != (previous,):
            words["from"] = _said(node.inputs if node.many or len(node.inputs) > 1 else node.inputs[0])
        if node.reuses:
            return {"reuse": {"layer": node.reuses, **words}}
        words |= {"frozen": True} if node.frozen and not node.operation else {}
        if node.network is not None:
            inside = node.network
            name = f"model_{len(self.blocks)}"
            self.blocks[name] = {}  # its place, before those inside it
            layers = self.items(inside.nodes, inside.input) or _NOTHING
            read = {tensor for one in inside.nodes for tensor in one.read()} | {*inside.outputs}
            unused = {one.name: {} if one.name in read else {"unused": True} for one in inside.inputs}
            shapes = {one.name: {"shape": list(one.shape), **unused[one.name]} for one in inside.inputs if one.shape}
            inputs = shapes or [one.name for one in inside.inputs]
            self.blocks[name] = {"inputs": inputs, "nested": True, "layers": layers}
            last = inside.nodes[-1].name if inside.nodes else inside.input
            self.blocks[name] |= {} if inside.outputs == (last,) else {"outputs": _said(inside.outputs)}
            more = _quoted({key: one for key, one in node.arguments.items() if key != "layer"})
            return {node.layer: {"layer": name, **words, **more}} if node.at_steps else {name: words}
        if node.l2 is not None and self.l2 is not None and node.l2 == self.l2:
            self.l2_used = True
        elif node.l2 is not None:
            words["l2"] = float(node.l2)
        if node.dropout is not None and self.dropout is not None and node.dropout == self.dropout:
            self.dropout_used = True
        elif node.dropout is not None:
            words["rate"] = float(node.dropout)
        return {node.layer: {**words, **_quoted(node.arguments)}}


def _said(value: str | Sequence[str]) -> str | list[str]:
    """A tensor, or some, as a spec names them."""
    return said(value) if isinstance(value, str) else [one and said(one) for one in value]


def _quoted(value: Any) -> Any:
    """A plain value that was computed: its texts are no expressions, whatever they look like."""
    if isinstance(value, Mapping):
        return {key: _quoted(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_quoted(one) for one in value]
    return expressions.quoted(value) if isinstance(value, str) else _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return float(value) if isinstance(value, float) else value
