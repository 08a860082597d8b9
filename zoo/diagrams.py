"""A network as a picture: boxes and lines in SVG, or a list for a terminal. Pure, from the `Network` alone."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from zoo.language.network import Network, Node, owner, said

WIDTH, HEIGHT, GAP, MARGIN = 210, 34, 26, 24
COLOURS = {
    "input": "#f0f0f0", "layers": "#dbe9f6", "encoder": "#dbe9f6", "latent": "#fde0c5", "decoder": "#d9efd9",
    "head": "#f6dbe4", "criterion": "#eeeeee",
}  # fmt: skip


def text(network: Network, indent: str = "") -> Iterator[str]:
    """A line for each layer: what it is and, where that is not the line above, what it is called on."""
    before = network.input
    for one in network.inputs:
        sizes = " x ".join("any" if size is None else str(size) for size in one.shape)
        yield f"{indent}{one.name}" + (f" ({sizes})" if sizes else "")
    for node in network.nodes:
        reads = list(node.read())
        on = "" if reads == [before] else f"  <- {', '.join(map(said, reads))}"
        shared = f" = {node.reuses}" if node.reuses else ""
        yield f"{indent}| {node.name}: {_says(node)}{shared}{on}"
        if node.network is not None and not node.reuses:
            yield from (f"{indent}|   {line}" for line in text(node.network))
        before = node.name


def svg(network: Network) -> str:
    """The network as an SVG picture, one row of boxes a depth; a model inside the model is laid out in its place."""
    nodes, edges = _flat(network)
    depth: dict[str, int] = {}
    for name in nodes:
        depth[name] = 1 + max((depth[one] for one in edges[name]), default=-1)
    rows: dict[int, list[str]] = {}
    for name, row in depth.items():
        rows.setdefault(row, []).append(name)
    widest = max(map(len, rows.values()))
    place = {
        name: (
            MARGIN + int((widest - len(names)) * (WIDTH + GAP) / 2) + index * (WIDTH + GAP),
            MARGIN + row * (HEIGHT + GAP),
        )
        for row, names in rows.items()
        for index, name in enumerate(names)
    }
    wide, high = 2 * MARGIN + widest * (WIDTH + GAP) - GAP, 2 * MARGIN + len(rows) * (HEIGHT + GAP) - GAP
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" '
        'font-family="sans-serif" font-size="11">',
        f"<title>{escape(network.name)}</title>",
    ]
    for name in nodes:
        x, y = place[name]
        for one in edges[name]:
            from_x, from_y = place[one]
            half = WIDTH // 2
            lines.append(
                f'<path d="M{from_x + half},{from_y + HEIGHT} C{from_x + half},{y - GAP // 2} '
                f'{x + half},{from_y + HEIGHT + GAP // 2} {x + half},{y}" fill="none" stroke="#888"/>'
            )
    for name, (says, part) in nodes.items():
        x, y = place[name]
        lines.append(
            f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="4" fill="{COLOURS[part]}" stroke="#999"/>'
            f'<text x="{x + WIDTH // 2}" y="{y + 14}" text-anchor="middle" font-weight="bold">'
            f"{escape(_short(name))}</text>"
            f'<text x="{x + WIDTH // 2}" y="{y + 27}" text-anchor="middle">{escape(_short(says))}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


def _flat(network: Network, within: str = "") -> tuple[dict[str, tuple[str, str]], dict[str, list[str]]]:
    """Every box with what it says and its part, and what each is called on; inner models in their place."""
    nodes: dict[str, tuple[str, str]] = {}
    edges: dict[str, list[str]] = {}
    stands: dict[str, str] = {}  # the box that a tensor's owner is drawn as
    for one in network.inputs:
        name = within + one.name
        sizes = " x ".join("any" if size is None else str(size) for size in one.shape)
        nodes[name], edges[name], stands[one.name] = (sizes or "input", "input"), [], name
    for node in network.nodes:
        reads = [stands[owner(name)] for name in node.read()]
        if node.network is not None and not node.reuses:
            inner_nodes, inner_edges = _flat(node.network, f"{within}{node.name}/")
            nodes |= inner_nodes
            edges |= inner_edges
            for one, source in zip(node.network.inputs, reads, strict=False):
                edges[f"{within}{node.name}/{one.name}"] = [source]
            stands[node.name] = f"{within}{node.name}/{owner(node.network.output)}"
            while stands[node.name] not in nodes:  # the output of a model inside that one
                stands[node.name] = next(name for name in reversed(nodes) if name.startswith(stands[node.name]))
        else:
            name = within + node.name
            nodes[name], edges[name], stands[node.name] = (_says(node), node.part), reads, name
    return nodes, edges


def _says(node: Node) -> str:
    shown = [
        str(node.arguments[key]) for key in ("units", "filters", "kernel_size", "strides") if key in node.arguments
    ]
    rate = [f"p {one:g}" for one in node.acting()[1]]
    words = [word for word in [node.arguments.get("activation")] if isinstance(word, str)]
    return f"{node.layer or 'model'} {' '.join([*shown, *words, *rate])}".strip()


def _short(words: str, most: int = 36) -> str:
    return words if len(words) <= most else f"...{words[3 - most :]}"
