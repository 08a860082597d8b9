"""What the documents say that the code knows: made from its tables, kept in the pages between two comments.

    <!-- made: NAME -->
    ...
    <!-- end -->

`make documents` (or `python tests/documenting.py`) writes them anew, and with them the schema that the specs name in
their first line; `test_documents.py` and `test_schema.py` say when one is stale. Nothing here imports Keras.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo import layers, selection
from zoo.cli import _short_number
from zoo.language import (
    bodies,
    catalogue,
    expressions,
    families,
    fields,
    items,
    merging,
    objects,
    parsing,
    ranges,
    reading,
    slips,
    unfolding,
)
from zoo.language import schema as language
from zoo.language.spec import CARD, TRAIN
from zoo.tasks import TASKS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SCHEMA = ROOT / "specs" / "zoo.schema.json"
PART = re.compile(r"(<!-- made: ([a-z -]+) -->\n)(.*?)(<!-- end -->\n)", re.DOTALL)

Made = Callable[[], list[str]]


def table(head: list[str], rows: list[list[Any]], right: tuple[int, ...] = ()) -> list[str]:
    """A table of Markdown; a bar inside a cell is written so that it does not end it."""
    bars = "|".join("--:" if column in right else "---" for column in range(len(head)))
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return [f"| {' | '.join(head)} |", f"|{bars}|", *(f"| {' | '.join(row)} |" for row in cells)]


def code(words: Any) -> str:
    """Words in backticks, in a row."""
    return ", ".join(f"`{word}`" for word in words)


def flow(value: Any) -> str:
    """A value as specs write it on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(flow, value))}]"
    return {True: "true", False: "false", None: "null"}.get(value, str(value)) if not _counts(value) else str(value)


def _counts(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def item(value: Any) -> str:
    """An item as a list of layers writes it."""
    return value if isinstance(value, str) else "; ".join(f"{key}: {flow(one)}" for key, one in value.items())


# The language


def described(fields: dict[str, Any], properties: dict[str, Any]) -> list[list[str]]:
    """A row for each key: what it says, from the schema, and what it accepts, from the checks."""
    rows = []
    for key, (test, accepts) in fields.items():
        says = properties.get(key, {}).get("description", "").rstrip(".")
        if key in CARD:
            says, accepts = f"{says}; for people", objects.COUNT if test(1) else "text"
        rows.append([f"`{key}`", says, re.sub(r"\{.*\}|\[.*\]|\b[A-Z]\w+: \{.*\}", lambda one: f"`{one[0]}`", accepts)])
    return rows


def keys() -> list[str]:
    return table(["key", "", "accepts"], described(fields.FIELDS, language.schema()["properties"]))


def keys_of_input() -> list[str]:
    properties = language.schema()["$defs"]["input"]["properties"]
    says = {"dtype": "Its type; `float32` if it is not said", "kind": "What it is; see below", "columns": "Their names"}
    known = {**properties, **{key: {"description": one} for key, one in says.items()}}
    return table(["key", "", "accepts"], described(fields.INPUT, known))


def kinds() -> list[str]:
    rows = [[sizes, f"`{known[0]}`", code(known[1:])] for sizes, known in sorted(families.KINDS.items())]
    return table(["sizes", "is", "may be"], rows)


def keys_of_train() -> list[str]:
    usual = {key: f"`{item(one) if isinstance(one, dict) else one}`" for key, one in TRAIN.items()}
    usual["class_weight"] = "all count alike"
    rows = [[*row, usual.get(key, "the task's")] for key, row in zip(
        fields.TRAINING, described(fields.TRAINING, {}), strict=True)]  # fmt: skip
    return table(["key", "accepts", "default"], [[row[0], *row[2:]] for row in rows])


def words() -> list[str]:
    properties = language.schema()["$defs"]["of an item"]["properties"]
    return table(["word", "means"], [[f"`{word}`", one["description"].rstrip(".")] for word, one in properties.items()])


FUNCTIONS = {
    "int": ("the whole part", "int(2.7)"),
    "float": ("as a number with a point", "float(2)"),
    "round": ("the nearest whole number, halves to the even one; or so many digits", "round(2.718, 2)"),
    "ceil": ("the next whole number above", "ceil(1.2 * [1, 2, 2])"),
    "floor": ("the next whole number below", "floor(2.7)"),
    "abs": ("without its sign", "abs(-3)"),
    "sqrt": ("the square root", "sqrt(2)"),
    "min": ("the smallest of some, or of a list", "min(4, 7)"),
    "max": ("the largest", "max(1, 6 // 8)"),
    "sum": ("the sum", "sum([3, 4, 6, 3])"),
    "len": ("how many elements a list has", "len([3, 4, 6, 3])"),
    "range": ("whole numbers, as Python counts them", "range(1, 4)"),
    "zip": ("lists of one length, row by row", "zip([2, 3], [64, 128])"),
    "letter": ("the letter of a number, 0 for `a`", "letter(2)"),
    "make_divisible": (
        "the nearest multiple (of 8, or of a second argument), at least one, never under 90 % of the value",
        "make_divisible(1.3 * 24)",
    ),
}
"""What the functions of expressions are for, and a call of each."""

EXPRESSIONS = [
    ("+ - * /", "$depth * 3 + 1"),
    ("// % **", "2 ** $stage // 3"),
    ("an operation on a list", "2 * $filters"),
    ("== != < <= > >=", "1 < $stage <= 4"),
    ("in", "$stage in $filters"),
    ("and or not", "$stage > 1 and not $v2"),
    ("a choice", "relu if $v2 else linear"),
    ("text in a comparison", "$mode == 'same'"),
    ("a list", "[$depth, 2 * $depth]"),
    ("an element, a key", "$filters.0 + $input.shape.1"),
    ("an element by a name", "$filters.$stage"),
    ("a word that grows", "conv${$stage + 1}_block$depth"),
    ("plain arithmetic", "1 / 255"),
]
TABLE: dict[str, Any] = {"depth": 3, "stage": 2, "filters": [64, 128, 256], "v2": False, "mode": "same"}
TABLE["input"] = {"shape": [32, 24, 3]}


def run(text: str) -> Any:
    return expressions.parse(text).run(TABLE)


def functions() -> list[str]:
    rows = [[f"`{name}`", *FUNCTIONS[name][:1], f"`{FUNCTIONS[name][1]}`", f"`{flow(run(FUNCTIONS[name][1]))}`"]
            for name in expressions.FUNCTIONS]  # fmt: skip
    return table(["function", "gives", "such as", "is"], rows)


def operators() -> list[str]:
    return table(["", "such as", "is"], [[what, f"`{one}`", f"`{flow(run(one))}`"] for what, one in EXPRESSIONS])


def limits() -> list[str]:
    found = {
        "characters in an expression": expressions.LONGEST,
        "elements that `range(...)` or a loop makes": expressions.MOST,
        "distance from 0 of a whole number, and of what is computed": parsing.FARTHEST,
        "distance from 0 of a number with a point": f"{parsing.FLOATED:.8g}",
        "layers after unfolding": bodies.MOST_LAYERS,
        "values of a range with a `step`, or of `values`": ranges.MOST,
        "bytes of a file": parsing.LARGEST,
        "levels of nesting": slips.DEEPEST,
        "specs one over the other by `extends`": merging.DEEPEST,
        "problems said at once, of the keys and of the body each": items.MOST,
    }
    rows = [[what, most if isinstance(most, str) else f"{most:,.0f}"] for what, most in found.items()]
    return table(["", "at most"], rows, right=(1,))


def refused() -> list[str]:
    return table(["layer", "why"], [[f"`{name}`", why] for name, why in catalogue.REFUSED.items()])


def paragraph(text: str) -> list[str]:
    return textwrap.wrap(text, 120, break_long_words=False, break_on_hyphens=False)


def aliases() -> list[str]:
    known = catalogue.catalogue()["aliases"]
    told = ", ".join(f"`{alias}` (`{name}`)" for alias, name in sorted(known.items()))
    return paragraph(f"{len(known)} aliases of Keras's are refused with the name that is meant: {told}.")


def layer_names() -> list[str]:
    known = sorted(set(catalogue.catalogue()["layers"]) - set(layers.PUBLIC))
    return paragraph(f"{len(known)} layers of Keras's: {code(known)}.")


OBJECTS = {
    "initializers": "`kernel_initializer` and the like",
    "regularizers": "`kernel_regularizer`, `activity_regularizer` and the like",
    "constraints": "`kernel_constraint` and the like",
    "optimizers": "`train.optimizer`",
    "schedules": "`learning_rate` of an optimizer",
}


def named_objects() -> list[str]:
    known = catalogue.catalogue()
    alone = {
        module: [word for word in names if word not in catalogue.UNABLE] for module, names in known["words"].items()
    }
    words = {module: [word for word in alone.get(module, ()) if word.islower()] for module in OBJECTS}
    rows = [[where, code(sorted(known[module])), code(words[module])] for module, where in OBJECTS.items()]
    rows.append(["`activation` and the like", code(sorted(catalogue.SLOPED)), code(sorted(alone["activation"]))])
    return table(["in the place of", "named objects", "names alone"], rows)


def first_paragraphs(name: str) -> str:
    """The docstring of a layer of ours, on one line, read without importing it."""
    path = Path(inspect.getfile(layers)).parent / f"{layers.ROOMS[name]}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = next(one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == name)
    return " ".join((ast.get_docstring(found) or "").split())


def operations() -> list[str]:
    """The operations of `keras.ops` that an item may be."""
    known = sorted(catalogue.catalogue()["ops"])
    return paragraph(f"{len(known)} operations: {code(known)}.")


def own_layers() -> list[str]:
    rows = []
    for name in layers.PUBLIC:
        entry = catalogue.catalogue()["layers"][name]
        given = [f"`{key}`" if key in entry["required"] else f"`{key}: {flow(default)}`"
                 for key, default in entry["arguments"].items()
                 if key not in ("name", "trainable", "dtype", "activity_regularizer")]  # fmt: skip
        rows.append([f"`{name}`", ", ".join(given), first_paragraphs(name)])
    return table(["layer", "arguments", ""], rows)


# Tasks and families


class _Fact(str):
    """A fact's name, as the head's expression would ask for it."""

    def __mul__(self, other: Any) -> Any:
        return _Fact(f"{self} * {other}")


def head(task: str) -> list[Any]:
    facts = {fact: _Fact(f"${fact}") for fact in ("classes", "targets", "horizon", "features")}
    return families.head(task, {**facts, "vocabulary": _Fact("$input.vocabulary")})  # type: ignore[dict-item]


def sentence(text: str | None) -> str:
    """The first part of a docstring's first line: up to a semicolon, without its stop."""
    return (text or "").strip().splitlines()[0].split(";")[0].rstrip(".")


def tasks() -> list[str]:
    rows = []
    for name, task in TASKS.items():
        facts = [*families.FACTS[name], *(["input.vocabulary"] if name == "language" else [])]
        ends = "; ".join(f"`{item(one)}`" for one in head(name)) or "see [autoencoders](#autoencoders)"
        metrics = ", ".join(f"`{metric}` ({way})" for metric, way in task.metrics.items())
        rows.append([f"`{name}`", code(facts), ends, sentence(task.compiled.__doc__), metrics])
    return table(["task", "must know", "ends in, without `head`", "loss", "metrics, the objective first"], rows)


def family_rows() -> list[str]:
    rows = [[f"`{name}`", one.label, code(one.body), code(one.tasks)] for name, one in families.FAMILIES.items()]
    return table(["family", "", "body", "tasks, the first unless `task` says otherwise"], rows)


def losses() -> list[str]:
    """The losses that a task may be trained on, with their arguments."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for task, names in families.LOSSES.items():
        groups.setdefault(names, []).append(task)
    known = catalogue.catalogue()["losses"]
    rows = []
    for names, of in groups.items():
        said = [{name: known[name]["arguments"]} if known[name]["arguments"] else name for name in sorted(names)]
        rows.append([code(of), ", ".join(f"`{item(one)}`" for one in said)])
    return table(["task", "`loss`, its arguments at their defaults"], rows)


def likelihoods() -> list[str]:
    said = {
        "bernoulli": ("values between 0 and 1", "-(x log r + (1 - x) log(1 - r))"),
        "gaussian": ("any numbers", "((x - r)^2 + log 2 pi) / 2: unit variance"),
        "categorical": ("one-hot rows along the last axis", "-x log r"),
    }
    rows = [[f"`{name}`", f"`{activation}`", *said[name]] for name, activation in families.LIKELIHOODS.items()]
    head = ["likelihood", "activation of the output", "for", "-log p(x given z) of a value x and its reconstruction r"]
    return table(head, rows)


def cards(family: str) -> list[str]:
    """What `zoo list` says of a family's specs, and their summaries."""
    rows = []
    for card in selection.cards(family=family):
        numbers = [_short_number(card.parameters), _short_number(card.flops)]
        rows.append([f"`{card.name}`", card.input, *numbers, card.summary])
    return table(["spec", "input", "parameters", "FLOPs", ""], rows, right=(2, 3))


# The README


def applications() -> list[str]:
    """The constructors of `keras.applications`, read without importing Keras."""
    keras = importlib.util.find_spec("keras")
    assert keras is not None and keras.origin is not None
    text = (Path(keras.origin).parent / "applications" / "__init__.py").read_text(encoding="utf-8")
    named = [alias.asname or alias.name for one in ast.parse(text).body if isinstance(one, ast.ImportFrom)
             for alias in one.names]  # fmt: skip
    return sorted(name for name in named if name[:1].isupper())


def published() -> list[str]:
    """The specs that are a constructor of `keras.applications`."""
    known = {name.lower() for name in applications()}
    return [name for name in selection.names() if name.lower() in known]


def of_the_readme() -> list[str]:
    """A row a family: how many specs, and what they are for."""
    found = selection.cards()
    count = Counter(card.family for card in found)
    rows = []
    for name, family in families.FAMILIES.items():
        stated = {card.stated for card in found if card.family == name}
        for_ = [task for task in TASKS if task in stated or ("" in stated and task in family.tasks[:3])]
        sizes = [card.parameters for card in found if card.family == name and card.parameters]
        span = " to ".join(_short_number(one) for one in (min(sizes), max(sizes)))
        rows.append([f"[{name}](docs/families/{name}.md)", family.label, count[name], ", ".join(for_), span])
    total = f"{len(found)} specs, all {len(published())} networks of `keras.applications` among them."
    return [total, "", *table(["family", "", "specs", "for", "parameters"], rows, right=(2,))]


# Errors

_HEAD = "spec: 1\nname: my-net\nfamily: cnn\nclasses: 3\ninput: {shape: [8, 8, 1]}\nl2: 0\n"

MISTAKES: dict[str, list[str]] = {
    "keys": [
        "drop_out: 0.3\nlayers: [Flatten]",
        "epochs: 5\nlayers: [Flatten]",
        "dropout: 0.3\nlayers: [Flatten]",
        "heads: {}\nlayers: [Flatten]",
    ],
    "arguments": [
        "layers: [Conv2D: {filters: 8, kernelsize: 3}, Flatten]",
        "layers: [Conv2D: 8, Flatten]",
        "layers: [Conv2D: {filters: 8}, Flatten]",
        "layers: [Conv2D: {filters: 8.5, kernel_size: 3}, Flatten]",
        "layers: [Flatten, Dense: {units: 8, activation: rleu}]",
        "layers: [Flatten, Dense: {units: 8, use_bias: False}]",
        "layers: [Flatten, Dense: {units: {values: [8, 16], default: 12}}]",
        "layers: [Flatten, Dense: {values: [8, 16], default: 8}]",
        "layers: [MaxPool2D, Flatten]",
        "layers: [Lambda: {function: x}, Flatten]",
        "layers: [Flatten: {l2: 0.1}]",
    ],
    "items": [
        "layers: [{Flatten, name: f}]",
        "layers: [{for: i, layers: [Flatten]}]",
        "layers: [Flatten, Dense: {units: 8, else: input}]",
        "layers: [wied: 8, Flatten]\nblocks: {wide: {parameters: {units}, layers: [Dense: $units]}}",
    ],
    "tensors and names": [
        "layers: [Flatten: {from: inptu}]",
        "let: {v2: false}\nlayers:\n  - ReLU: {name: a, if: $v2}\n  - Flatten: {from: a}",
        "layers: [Flatten: {name: a}, ReLU: {from: a.1}]",
        "layers: [Flatten: {name: f}, Dense: {name: d, units: 8}, Dense: {from: f, units: 8}]",
        "layers: [Flatten, Dense: {name: d, units: 8}, Dense: {name: d, units: 8}]",
        "layers: [Flatten, {for: i, in: 2, layers: [Dense: {name: d, units: 8}]}]",
        "layers: [Flatten, Dense: {name: predictions, units: 8}]",
        "layers: [Flatten: {name: a/b}]",
    ],
    "expressions": [
        "let: {width: 8}\nlayers: [Flatten, Dense: $widht, Dense: $width]",
        "let: {v2: true}\nlayers: [Flatten, ReLU: {if: v2}, Dense: {units: 8, if: $v2}]",
        "let: {mode: same}\nlayers: [Flatten, ReLU: {if: $mode == same}]",
        'layers: [{for: i, in: 2, layers: [ReLU: {name: "r${i}"}]}, Flatten]',
        "let: {a: $b, b: 1 + $a}\nlayers: [Flatten, Dense: $a]",
        "let: {n: 0}\nlayers: [Flatten, Dense: 8 // $n]",
        "let: {n: 0}\nlayers: [Flatten, Dense: $n]",
        "layers: [Flatten, Dense: {units: max($classes, 8)}]",
    ],
    "what nothing reads": [
        "let: {width: 8}\nlayers: [Flatten]",
        "defaults: {Dense: {use_bias: true}, Conv2D: {padding: same}}\nlayers: [Flatten, Dense: 8]",
        "blocks: {wide: {layers: [Dense: 8]}}\nlayers: [Flatten]",
        "blocks: {wide: {parameters: {units: 8, rate: 0.1}, layers: [Dense: $units]}}\nlayers: [Flatten, wide]",
    ],
    "blocks": [
        "blocks: {wide: {parameters: {units}, layers: [Dense: $units]}}\nlayers: [Flatten, wide]",
        "blocks: {wide: {parameters: {units: 8}, layers: [Dense: $units]}}\nlayers: [Flatten, wide: {unit: 9}]",
        "blocks: {two: {inputs: [a, b], layers: [Add: {from: [a, b]}]}}\nlayers: [Flatten, two]",
        "blocks: {one: {layers: [one]}}\nlayers: [Flatten, one]",
    ],
    "variants and extends": [
        "let: {width: 8}\nvariants: {big: {let: {widht: 64}}}\nlayers: [Flatten, Dense: $width]",
        "extends: lenet55",
    ],
}
"""Bodies of a spec with a mistake, as people make them; what is said of each is computed."""


def told(body: str) -> list[str]:
    """The problems of a body behind a head that is right, without the file and the line."""
    found, problems = reading.read((_HEAD + body + "\n").encode(), "", {}, find=selection._extended)
    if found is not None:
        problems = problems + unfolding.unfold(found.fill())[1]
    return list(dict.fromkeys(re.sub(r"^:?\d+:\d+: ", "", str(one)) for one in problems))


def errors() -> list[str]:
    rows = []
    for kind, wrong in MISTAKES.items():
        for body in wrong:
            written = "<br>".join(f"`{line}`" if line.strip() else "" for line in body.splitlines())
            rows.append([kind, written, "<br>".join(told(body)[:1])])
    return table(["", "written", "said, behind the file, the line and the column"], rows)


MADE: dict[str, Made] = {
    "keys": keys,
    "keys of input": keys_of_input,
    "kinds": kinds,
    "keys of train": keys_of_train,
    "words": words,
    "functions": functions,
    "operators": operators,
    "limits": limits,
    "refused": refused,
    "aliases": aliases,
    "layers": layer_names,
    "operations": operations,
    "objects": named_objects,
    "own layers": own_layers,
    "tasks": tasks,
    "families": family_rows,
    "losses": losses,
    "likelihoods": likelihoods,
    "errors": errors,
    "specs": of_the_readme,
    **{f"specs of {family}": functools.partial(cards, family) for family in families.FAMILIES},
}
"""What can be made, by the name that the comment in a page gives."""


def parts(page: Path) -> list[tuple[str, str]]:
    """The made parts of a page: their names, and what stands there."""
    return [(found[2], found[3]) for found in PART.finditer(page.read_text(encoding="utf-8"))]


def fresh(name: str) -> str:
    """What is to stand in a made part. An empty line is kept on both sides, as Markdown wants it before a table."""
    return "\n" + "\n".join(MADE[name]()) + "\n\n"


def write() -> list[str]:
    """Write every made part of every page anew, and the schema; the files that were changed."""
    changed = []
    for page in (*PAGES, SCHEMA):
        text = page.read_text(encoding="utf-8") if page.exists() else ""
        new = PART.sub(lambda found: found[1] + fresh(found[2]) + found[4], text) if page != SCHEMA else language.text()
        if new != text:
            page.write_text(new, encoding="utf-8")
            changed.append(str(page.relative_to(ROOT)))
    return changed


if __name__ == "__main__":
    sys.stdout.write("".join(f"{name}\n" for name in write()))
