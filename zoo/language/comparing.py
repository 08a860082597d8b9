"""How two specs differ: their keys, and their layers, put beside each other in order."""

from __future__ import annotations

import difflib
import json
from typing import Any

from zoo.language import network
from zoo.language.network import Node
from zoo.language.spec import CARD, Spec

BODY_KEYS = ("layers", "encoder", "latent", "decoder", "head", "blocks", "let", "defaults", "prepare", "name")
"""Keys that are compared as what they unfold to."""


def differences(one: Spec, other: Spec) -> list[tuple[str, str, str]]:
    """What differs, as (what, in the one, in the other); nothing for the same network trained the same way.

    Both are taken at the defaults of their ranges, which are compared as well.
    """
    rows = []
    left, right = one.written(), other.written()
    for key in dict.fromkeys((*left, *right)):
        if key not in (*CARD, *BODY_KEYS) and left.get(key) != right.get(key):
            rows.append((key, _shown(left.get(key)), _shown(right.get(key))))
    nodes = [_nodes(spec) for spec in (one, other)]
    for part in ("prepare", "layers"):
        before, after = nodes[0][part], nodes[1][part]
        keys = [[json.dumps(_said(node), sort_keys=True, default=str) for node in side] for side in (before, after)]
        matcher = difflib.SequenceMatcher(None, keys[0], keys[1], autojunk=False)
        for tag, begin, end, start, stop in matcher.get_opcodes():
            if tag != "equal":
                rows += _pairs(before[begin:end], after[start:stop], "prepare: " if part == "prepare" else "")
    return rows


def _nodes(spec: Spec) -> dict[str, list[Node]]:
    flat, _ = network.unfold(spec.fill())
    return {"prepare": list(flat.prepare), "layers": list(flat.walk())} if flat else {"prepare": [], "layers": []}


def _said(node: Node) -> list[Any]:
    """What makes two layers the same: all but what they are called."""
    return [node.layer, node.arguments, node.l2, node.dropout, node.frozen, len(node.inputs)]


def _pairs(before: list[Node], after: list[Node], prefix: str) -> list[tuple[str, str, str]]:
    """Layers of one kind that stand at the same place are compared by argument; the others stand alone."""
    rows = []
    for index in range(max(len(before), len(after))):
        one = before[index] if index < len(before) else None
        other = after[index] if index < len(after) else None
        name = prefix + (one or other).name  # type: ignore[union-attr]
        if one is not None and other is not None and one.layer == other.layer:
            left, right = _arguments(one), _arguments(other)
            for key in dict.fromkeys((*left, *right)):
                if left.get(key) != right.get(key):
                    rows.append((f"{name}.{key}", _shown(left.get(key)), _shown(right.get(key))))
        else:
            rows.append((name, _layer(one), _layer(other)))
    return rows


def _arguments(node: Node) -> dict[str, Any]:
    more = {"l2": node.l2, "rate": node.dropout, "frozen": node.frozen or None, "inputs": len(node.inputs)}
    return {**node.arguments, **{key: value for key, value in more.items() if value is not None}}


def _layer(node: Node | None) -> str:
    if node is None:
        return "-"
    shown = [str(node.arguments[key]) for key in ("units", "filters", "kernel_size") if key in node.arguments]
    return " ".join([node.layer, *shown])


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
