"""The language as JSON Schema (draft 2020-12), from the tables that the checks use: for editors, and other tools."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from zoo.language import catalogue, expressions, items, objects
from zoo.language.bodies import MOST_LAYERS
from zoo.language.families import DTYPES, FACTS, FAMILIES, KINDS, LIKELIHOODS, losses
from zoo.language.fields import BALANCED, BODY
from zoo.language.parsing import FLOATED, LAYER
from zoo.language.spec import STATED

Schema = dict[str, Any]

_WORDS = {"let", "reuse", *objects.GROUP, *objects.OURS}
"""Words that are no block's name."""

_TAKEN = {*expressions.FUNCTIONS, *expressions.RESERVED, *items.IN_TRAINING, "name", *STATED, "l2", "dropout"}
"""Words that are no name of a value."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_FUNCTION = rf"(?:{'|'.join(expressions.FUNCTIONS)})\("
_OPERATION = r"^[-+(0-9.][-+*/%() 0-9.eE]* [-+*/%]{1,2} "
_ARITHMETIC = rf"{_OPERATION}|^(?=.*{_FUNCTION})(?:{_FUNCTION}|[-+*/%()\[\],.0-9eE ])+$"
ARITHMETIC: Schema = {"type": "string", "pattern": _ARITHMETIC}
"""Arithmetic on plain numbers: `1 / 255`, `sqrt(2)`."""

EXPRESSION: Schema = {"type": "string", "pattern": rf"\$|{_ARITHMETIC}"}
"""Text with a `$` in it, or arithmetic on plain numbers."""

COUNT: Schema = {"type": "integer", "minimum": 1}
CALLED = "^[A-Za-z0-9][A-Za-z0-9_.-]*$"
"""The name of a spec."""

NAME: Schema = {
    "type": ["string", "integer"],
    "pattern": rf"\$|^{LAYER.pattern}$|{_ARITHMETIC}",
    "minimum": 0,
    "not": {"const": "previous"},
}
"""The name of a layer, as it stands or as it is computed."""

_TEXT_IS_COMPUTED: Schema = {"if": {"type": "string"}, "then": EXPRESSION}

_TEXT_IS_A_NUMBER: Schema = {
    "if": {"type": "string"},
    "then": {"anyOf": [EXPRESSION, {"enum": list(catalogue.INFINITE)}]},
}

_WITHOUT_TEXTS: Schema = {"items": {**_TEXT_IS_COMPUTED, "items": {**_TEXT_IS_COMPUTED, "items": _TEXT_IS_COMPUTED}}}
"""What is said of the parts of a list of numbers, and of lists in it."""

_AXIS: Schema = {
    "type": ["integer", "array"],
    "minItems": 1,
    "items": {"type": ["integer", "array", "string"], **_TEXT_IS_COMPUTED},
}


def _bounded(given: Mapping[str, Any]) -> Schema:
    """What a number within bounds is, or a list of such, whose parts may be computed."""
    each = given.get("items")
    one = {**each, "type": [each["type"], "string"], **_TEXT_IS_COMPUTED} if each else {}
    several = {"items": {"anyOf": [one, {"$ref": "#/$defs/range"}]}} if each else {}
    return {"type": "number", **given, **several}


_PLAIN: dict[str, Schema] = {
    "lambda": {"type": "number", "minimum": 0},
    "rate": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
    "share": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    "count": COUNT,
    "boolean": {"type": "boolean"},
    "seed": {"type": ["integer", "null"]},
    "number": {"type": ["number", "array"], "minimum": -FLOATED, "maximum": FLOATED, **_WITHOUT_TEXTS},
    "optional": {"type": ["number", "array", "boolean", "null"], **_WITHOUT_TEXTS},
    "text": {"type": ["string", "number", "array"]},
    "anything": {"type": ["string", "number", "array", "boolean", "null"]},
    "anything but null": {"type": ["string", "number", "array", "boolean"]},
    "axis": _AXIS,
    "axis or null": {**_AXIS, "type": [*_AXIS["type"], "null"]},
    "whole numbers": {
        "type": ["integer", "array"],
        "minimum": 0,
        "minItems": 1,
        "items": {
            "type": ["integer", "array", "string"],
            "minimum": 0,
            "minItems": 1,
            "items": {"type": ["integer", "string"], "minimum": 0, **_TEXT_IS_COMPUTED},
            **_TEXT_IS_COMPUTED,
        },
    },
    "operand": {
        "type": ["number", "boolean", "array", "string"],
        "minItems": 1,
        "items": {"type": ["number", "boolean", "array", "string"], **_TEXT_IS_A_NUMBER},
        **_TEXT_IS_A_NUMBER,
    },
    "optimizer": {"enum": sorted(catalogue.catalogue()["optimizers"])},
    "loss": {"enum": sorted(catalogue.catalogue()["losses"])},
    "type": {"enum": [*catalogue.TYPES, None]},
    "type of a layer": {"enum": [*catalogue.POLICIES, None]},
    "quantized type": {"enum": [*catalogue.POLICIES, *catalogue.QUANTIZED, None]},
    "type of whole numbers": {"enum": [*catalogue.POLICIES, "int32", "int64", None]},
    **{says: _bounded(given) for some in catalogue.BOUNDS.values() for given, says in some.values()},
}
"""What arguments hold where no expression and no range stands."""

_NEVER = ("optimizer", "loss")
"""Those of them that are never computed."""

_NUMBERS = (
    "count", *(says for some in catalogue.BOUNDS.values() for given, says in some.values() if "items" not in given)
)  # fmt: skip
"""Those of them that are one number, and may be null where the default is."""


def schema() -> Schema:
    """The schema of a spec file. What no schema can say (names that are there, shapes that meet) `zoo check` says."""
    keys, definitions = _keys(), _definitions()
    definitions |= _parts(definitions)
    return {
        "$schema": DIALECT,
        "title": "A model spec of the zoo",
        "description": "Keras's layers and their arguments, lambda (`l2`) and p (`dropout`), ranges to search.",
        "type": "object",
        "properties": {
            **{key: one if key in _OWN else _over(key, one, definitions) for key, one in keys.items()},
            "variants": _variants(definitions),
        },
        "additionalProperties": False,
        "anyOf": [
            {"required": ["extends"]},
            {"required": ["spec", "family"], **_either({"required": ["name"]}, {"required": ["variants"]})},
        ],
        "allOf": [
            *map(_family, FAMILIES),
            *map(_task, FACTS),
            _alone(keys),
            _several_classes(),
            _language(),
            _either(*({"required": [key]} for key in ("input", "inputs", *_ELSEWHERE))),
            {
                "if": {"properties": {"outputs": {"type": "array", "minItems": 2}}, "required": ["outputs"]},
                "then": {"properties": {"train": False}},
            },
            *(
                {"not": {"properties": dict.fromkeys(pair, _THERE), "required": [*pair]}}
                for pair in (("inputs", "input"), ("inputs", "prepare"))
            ),
        ],
        "$defs": definitions,
    }


def text() -> str:
    """The schema as the file that specs name in their first line, and as `zoo schema` prints it."""
    return json.dumps(schema(), separators=(",", ":")) + "\n"


def _family(name: str) -> Schema:
    """What the family decides: the body that there must be, and what is for others alone."""
    family = FAMILIES[name]
    others = [key for key in BODY if key not in (*family.body, "head")]
    others += [] if "latent" in family.body else ["likelihood", "penalties"]
    of_family = {"properties": {"family": {"const": name}}, "required": ["family"]}
    then: Schema = {
        "properties": {**dict.fromkeys(others, False), "task": {"enum": list(family.tasks)}},
        **_either({"required": list(family.body)}, *({"required": [key]} for key in _ELSEWHERE)),
    }
    if "latent" in family.body:
        then["properties"] |= dict.fromkeys((*STATED, "outputs"), False) | {"train": {"properties": {"loss": False}}}
        drawn = {"type": "object", "propertyNames": {"enum": ["Gaussian", "VectorQuantizer"]}}
        plain: Schema = {"not": {"type": "object", "required": ["Gaussian"]}}
        then["properties"]["latent"] = _either(drawn, {"const": "VectorQuantizer"}) if family.gaussian else plain
        then["allOf"] = [
            _weighing(("kl", "mmd"), {"type": "object", "required": ["Gaussian"]}),
            _weighing(("contractive", "sparsity"), {"not": _either(drawn, {"const": "VectorQuantizer"})}),
        ]
    return {"if": {**of_family, "not": {"required": ["extends"]}}, "then": then}


def _weighing(keys: Sequence[str], latent: Schema) -> Schema:
    """What the latent is where some penalties stand."""
    there = _either(*({"required": [key]} for key in keys))
    penalties = {"properties": {"penalties": {"type": "object", **there}}, "required": ["penalties"]}
    return {"if": penalties, "then": {"properties": {"latent": latent}}}


def _task(name: str) -> Schema:
    """What the task decides: which sizes are read, and which losses train for it."""
    others: Schema = dict.fromkeys((key for key in STATED if key not in FACTS[name]), False)
    unfit = [loss for loss in losses(None) if loss not in losses(name)]
    named = {"type": "object", "minProperties": 1, "propertyNames": {"enum": unfit}}
    others["train"] = {"properties": {"loss": {"not": _either({"enum": unfit}, named)}}}
    of_task = {"properties": {"task": {"const": name}}, "required": ["task"], "not": {"required": ["extends"]}}
    return {"if": of_task, "then": {"properties": others}}


def _alone(keys: dict[str, Schema]) -> Schema:
    """What a spec is that lies over no other: nothing is there to remove, or to be given in part."""
    whole = {key: {word: value for word, value in one.items() if word != "description"} for key, one in keys.items()}
    return {"if": {"required": ["extends"]}, "else": {"properties": whole}}


def _several_classes() -> Schema:
    """One class is nothing to tell apart, but where each label is there or not for itself."""
    many = {"properties": {"classes": {"minimum": 2}}}
    each = {"properties": {"task": {"const": "multilabel"}}, "required": ["task"]}
    return {"if": _either(each, {"required": ["extends"]}), "else": many}


def _language() -> Schema:
    of_task = {"properties": {"task": {"const": "language"}}, "required": ["task", "input"]}
    return {
        "if": {**of_task, "not": {"anyOf": [{"required": ["extends"]}, {"required": ["head"]}]}},
        "then": {"properties": {"input": {"required": ["vocabulary"]}}},
    }


_OWN = ("spec", "extends", "name", "family")
"""Keys that a spec over another does not remove."""

_ELSEWHERE = ("extends", "variants")
"""Where a spec may have from what it does not have itself."""

_THERE: Schema = {"not": {"type": "null"}}

_REMOVING: Schema = {"type": "object", "not": {"additionalProperties": _THERE}}
"""A mapping in which null removes something."""


def _over(key: str, one: Schema, parts: Schema) -> Schema:
    """A key as a spec over another may have it: as ever, in part where there is a part to it, or null."""
    part = [_ref(f"part of {key}")] if f"part of {key}" in parts else []
    inside = {word: value for word, value in one.items() if word != "description"}
    return _described(one["description"], _either(inside, *part, _ref("removed")))


def _parts(definitions: Schema) -> Schema:
    """Mappings that are laid over others: nothing in them is required, and null removes."""

    def part(properties: Schema, more: Any = False) -> Schema:
        inside = {key: _either(one, _ref("removed")) for key, one in properties.items()}
        return {"type": "object", "properties": inside, "additionalProperties": more}

    keys, removed = _keys(), _ref("removed")
    train = {key: _ref(f"train/properties/{key}") for key in definitions["train"]["properties"]}
    named = {"type": "object", "maxProperties": 1, "additionalProperties": _ref("removing")}
    classes = definitions["defaults"]["properties"]
    defaults = {name: _either(_ref(f"defaults/properties/{name}"), _ref("removing")) for name in classes}
    return {
        "removed": _described("Removes what the spec below has, or the file around a variant.", {"type": "null"}),
        "removing": _REMOVING,
        "part of input": part(definitions["input"]["properties"]),
        "part of inputs": part({}, _either(_ref("part of input"), removed)),
        "part of train": part({**train, "optimizer": _either(train["optimizer"], named)}),
        "part of penalties": part(definitions["penalties"]["properties"]),
        "part of defaults": part(defaults),
        "part of blocks": {**keys["blocks"], "additionalProperties": _either(_ref("block"), removed)},
    }


def _described(says: str, of: Schema) -> Schema:
    return {"description": says, **of}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _either(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)} if len(schemas) > 1 else schemas[0]


def _keys() -> dict[str, Schema]:
    """The keys of a spec, in the order in which the specs write them."""
    text = {"type": "string", "pattern": r"\S"}
    body = _ref("items")
    return {
        "spec": _described("The version of the language.", _either({"const": 1}, _ref("arithmetic"))),
        "extends": _described("A spec, or a file, over which this one is laid.", text),
        "name": _described("What the spec is called.", {"type": "string", "pattern": CALLED}),
        "family": _described("The kind of network.", {"enum": list(FAMILIES)}),
        "task": _described("What it is for; decides head, loss and metrics.", {"enum": list(FACTS)}),
        "summary": _described("One sentence that helps to choose.", text),
        "reference": _described("Where the network was published.", text),
        "year": _described("The year in which it was published.", _ref("size")),
        "counting": _described("How the parameters are counted.", text),
        "regularization": _described("The lambda and p of the publication.", text),
        "metric": _described("What it reached, on which data, and where that is written.", text),
        "parameters": _described("The number of parameters at the defaults.", _ref("size")),
        "flops": _described("The floating-point operations of one answer at the defaults.", _ref("size")),
        "classes": _described("How many classes there are; data that say otherwise win.", _ref("size")),
        "targets": _described("How many numbers a row are predicted.", _ref("size")),
        "horizon": _described("How many steps are forecast.", _ref("size")),
        "features": _described("How many features a step are forecast.", _ref("size")),
        "input": _described("What the network is given.", _ref("input")),
        "inputs": _described(
            "The same by name, where there are several.",
            {
                "type": "object",
                "propertyNames": {
                    "pattern": CALLED,
                    "not": _either({"enum": ["previous", "input"]}, {"pattern": r"\.[0-9]+$"}),
                },
                "additionalProperties": _ref("input"),
                "minProperties": 1,
            },
        ),
        "likelihood": _described("How an autoencoder's output is read.", {"enum": list(LIKELIHOODS)}),
        "l2": _described("lambda: the loss gains lambda * sum(w^2) for every kernel. Default 0.001.", _ref("lambda")),
        "dtype": _described(
            "What every layer computes in that states no dtype, but for those that the task adds. Default float32.",
            {"enum": list(catalogue.POLICIES)},
        ),
        "dropout": _described("p: the rate of every dropout layer that states none. Default 0.5.", _ref("rate")),
        "prepare": _described("The published preprocessing, outside the network.", body),
        "penalties": _described("The weights of what an autoencoder's loss holds besides.", _ref("penalties")),
        "let": _described("Names for values, computed once.", _ref("table")),
        "defaults": _described("Arguments for every layer of a class.", _ref("defaults")),
        "blocks": _described(
            "Groups of layers with parameters, to be called like layers.",
            {
                "type": "object",
                "propertyNames": {"pattern": "^[a-z_][a-z0-9_]*$", "not": {"enum": sorted(_WORDS)}},
                "additionalProperties": _ref("block"),
            },
        ),
        "layers": _described("The body of a network.", {"type": "array", "items": _ref("item")}),
        "encoder": _described("From the input to the code.", {"type": "array", "items": _ref("item")}),
        "latent": _described("The layer that makes the code.", _ref("latent")),
        "decoder": _described("From the code back to the input.", {"type": "array", "items": _ref("item")}),
        "head": _described("The last layers, in place of those that the task brings.", body),
        "outputs": _described(
            "The tensors that the network answers.",
            {"type": "array", "items": {"type": ["string", "integer"]}, "minItems": 1},
        ),
        "weights": _described(
            "Where its weights begin: imagenet, keras:NAME, run:NAME, or a file.",
            _either(
                {"enum": ["imagenet", *(f"keras:{name}" for name in catalogue.catalogue()["applications"])]},
                {"type": "string", "pattern": r"^(?!keras:[^$]*$).*[:./\\$]"},
            ),
        ),
        "frozen": _described("Whether all but the head stays as it begins.", {"type": "boolean"}),
        "train": _described("How it is trained.", _ref("train")),
    }


def _variants(parts: Schema) -> Schema:
    inside = {key: one for key, one in _keys().items() if key not in ("spec", "name", "family")}
    inside["let"] = _described("New values for names of the file's `let`.", _ref("table"))
    loose = {key: one if key in _OWN else _over(key, one, parts) for key, one in inside.items()}
    body = {"type": "object", "properties": loose, "additionalProperties": False}
    says = "Several specs in one file: what each changes. The file's own name is then no spec."
    called = {"propertyNames": {"pattern": CALLED}, "minProperties": 1}
    return _described(says, {"type": "object", **called, "additionalProperties": body})


def _definitions() -> dict[str, Schema]:
    value = _ref("value")
    tensor = {"type": ["string", "integer"]}
    often = {**COUNT, "maximum": MOST_LAYERS}
    word = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "not": {"enum": sorted(_TAKEN)}}
    weight = _typed({"type": "number", "exclusiveMinimum": 0}, "")
    weights: Schema = {"type": "object", "minProperties": 1, "additionalProperties": weight}
    words = {
        "name": _described("The layer's name, and the name of its output.", _ref("name")),
        "from": _described("What it is called on.", _ref("from")),
        "if": _described("Whether it is there.", _ref("condition")),
        "else": _described("The tensor that stands in its place where it is not.", tensor),
        "repeat": _described("How many times in a row.", _typed(often)),
        "l2": _described("lambda for the kernels in it.", _ref("lambda")),
        "frozen": _described("Whether its weights stay as they are.", _ref("boolean")),
    }
    known = catalogue.catalogue()
    layers = {name: _ref(name) for name in known["layers"]}
    objects_of = {module: _named(module) for module in ("initializers", "regularizers", "constraints", "schedules")}
    alone = sorted(name for name in known["layers"] if name not in objects.MERGING)
    operations = {f"{catalogue.OPERATIONS}{name}": _ref(f"{catalogue.OPERATIONS}{name}") for name in known["ops"]}
    blocks = {"pattern": "^[a-z_][a-z0-9_]*$", "not": {"enum": sorted(_WORDS)}}
    alone += [f"{catalogue.OPERATIONS}{name}" for name, one in known["ops"].items() if not one["required"]]
    bare = _either({"enum": alone}, blocks)
    group: Schema = {
        "type": "object",
        "properties": {
            "layers": _ref("items"),
            "for": _either(word, {"type": "array", "items": word, "minItems": 1, "uniqueItems": True}),
            "in": _either(
                {"type": "integer", "minimum": 0, "maximum": expressions.MOST}, {"type": ["string", "array", "object"]}
            ),
            "from": tensor,
            **{key: words[key] for key in ("repeat", "if", "l2", "frozen")},
        },
        "required": ["layers"],
        "dependentRequired": {"for": ["in"], "in": ["for"]},
        "additionalProperties": False,
    }
    call = {"type": "object", "minProperties": 1, "maxProperties": 1, "properties": layers}
    return {
        "expression": EXPRESSION,
        "computed": {"type": "string", "pattern": r"\$"},
        "arithmetic": ARITHMETIC,
        "condition": {"type": ["boolean", "number", "string"]},
        "value": _described(
            "A plain value, an expression, a range, or a named object `{Name: {argument: value}}`.",
            {"type": ["number", "string", "boolean", "null", "array", "object"]},
        ),
        "range": _range(),
        "name": NAME,
        "size": _either(COUNT, _ref("arithmetic")),
        **{name: _typed(plain, "" if name in _NEVER else "expression") for name, plain in _PLAIN.items()},
        **{f"{name} or null": _typed({**_PLAIN[name], "type": [_PLAIN[name]["type"], "null"]}) for name in _NUMBERS},
        "table": {
            "type": "object",
            "propertyNames": word,
            "additionalProperties": value,
        },
        "input": {
            "type": "object",
            "properties": {
                "shape": _described(
                    "The sizes without the batch; null where any will do.",
                    {"type": "array", "maxItems": max(KINDS), "items": _either(_ref("size"), {"type": "null"})},
                ),
                "dtype": {"enum": list(DTYPES)},
                "kind": {"enum": sorted({kind for row in KINDS.values() for kind in row})},
                "vocabulary": _described("How many tokens there are.", _ref("size")),
                "classes": _described("How many labels there are.", _ref("size")),
                "columns": {
                    "type": ["array", "string"],
                    "items": {"type": "string"},
                    "uniqueItems": True,
                    "minItems": 1,
                },
                "unused": _described("Whether it leads to no output, on purpose.", {"type": "boolean"}),
                "batch_size": _described("How many rows there are in each batch, beside `outputs`.", _ref("size")),
                "sparse": _described("Whether rows come as sparse tensors, beside `outputs`.", {"type": "boolean"}),
                "optional": _described("Whether it may be None, beside `outputs`.", {"type": "boolean"}),
            },
            "additionalProperties": False,
            "required": ["shape"],
            "allOf": [_kinds(rank) for rank in KINDS],
        },
        "items": {"type": "array", "items": _ref("item"), "minItems": 1},
        "item": {
            "anyOf": [
                {"type": "string", **bare},
                _ref("group"),
                {
                    "type": "object",
                    "properties": {"let": {**_ref("table"), "minProperties": 1}},
                    "required": ["let"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {
                        "reuse": {
                            "type": "object",
                            "properties": {"layer": tensor, "from": _ref("from"), "name": _ref("name")},
                            "required": ["layer"],
                            "additionalProperties": False,
                        }
                    },
                    "required": ["reuse"],
                    "additionalProperties": False,
                },
                {
                    **call,
                    "properties": {**layers, **operations},
                    "patternProperties": {"^[a-z_][a-z0-9_]*$": _described("A call of a block.", value)},
                    "propertyNames": {"not": {"enum": sorted(_WORDS)}},
                    "additionalProperties": False,
                },
            ]
        },
        "group": group,
        "tensors": _either(
            {
                "type": "array",
                "minItems": 1,
                "items": _either(tensor, {"type": "array", "items": _ref("item")}, _ref("group")),
            },
            {
                "type": "object",
                "minProperties": 1,
                "patternProperties": {"mask$": _told(_either(tensor, {"type": "null"}))},
                "additionalProperties": _told(tensor),
            },
        ),
        "from": _either(tensor, _ref("tensors")),
        "latent": _either(
            {"enum": sorted(known["layers"])},
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "properties": {
                    "Gaussian": _either(
                        COUNT,
                        _ref("expression"),
                        {
                            "type": "object",
                            "properties": {
                                "units": _ref("count"),
                                "samples": _ref("count"),
                                "l2": _ref("lambda"),
                                "frozen": _ref("boolean"),
                            },
                            "required": ["units"],
                            "additionalProperties": False,
                        },
                    ),
                    **layers,
                },
                "additionalProperties": False,
            },
        ),
        "block": {
            "type": "object",
            "properties": {
                "parameters": _described(
                    "Its parameters with their defaults; null: must be given.", _either(_ref("table"), {"type": "null"})
                ),
                "let": _either(_ref("table"), {"type": "null"}),
                "inputs": _described(
                    "The names of the tensors that it is called on; where it is nested, with their shapes, if any.",
                    _either(
                        {
                            "type": "array",
                            "items": {"type": "string", "pattern": CALLED, "not": {"const": "previous"}},
                            "minItems": 1,
                            "uniqueItems": True,
                        },
                        {
                            "type": "object",
                            "propertyNames": {"pattern": CALLED, "not": {"const": "previous"}},
                            "additionalProperties": {
                                "type": "object",
                                "properties": {
                                    "shape": {
                                        "type": "array",
                                        "items": _either(_typed(COUNT), {"type": "null"}),
                                    },
                                    "unused": {"type": "boolean"},
                                },
                                "required": ["shape"],
                                "additionalProperties": False,
                            },
                            "minProperties": 1,
                        },
                    ),
                ),
                "nested": _described("Whether each call is a model of its own.", {"type": "boolean"}),
                "layers": _ref("items"),
                "outputs": _described(
                    "The tensors that it answers; without it that of its last item.",
                    {"type": "array", "items": tensor, "minItems": 1},
                ),
            },
            "required": ["layers"],
            "additionalProperties": False,
            "if": {"properties": {"inputs": {"type": "object"}}, "required": ["inputs"]},
            "then": {"properties": {"nested": {"const": True}}, "required": ["nested"]},
        },
        "defaults": {
            "type": "object",
            "properties": {name: _object("layers", name, {}, required=False) for name in known["layers"]},
            "additionalProperties": False,
        },
        "penalties": {
            "type": "object",
            "minProperties": 1,
            "properties": {
                "kl": _either(
                    _ref("lambda"),
                    {
                        "type": "object",
                        "properties": {"weight": _ref("lambda"), "warm_up": _ref("count")},
                        "additionalProperties": False,
                    },
                ),
                "mmd": _ref("lambda"),
                "contractive": _ref("lambda"),
                "sparsity": _either(
                    _ref("lambda"),
                    {
                        "type": "object",
                        "properties": {"weight": _ref("lambda"), "target": _ref("share")},
                        "additionalProperties": False,
                    },
                ),
            },
            "additionalProperties": False,
        },
        "train": {
            "type": "object",
            "properties": {
                "optimizer": _either(_ref("optimizer"), _named("optimizers")),
                "loss": _either(_ref("loss"), _named("losses")),
                "batch_size": _typed(COUNT, "arithmetic"),
                "epochs": _typed(COUNT, "arithmetic"),
                "class_weight": _either({"const": BALANCED}, weights),
            },
            "additionalProperties": False,
        },
        **{f"sizes of {rank}D": _sizes(rank) for rank in (0, 1, 2, 3)},
        _WORDED: {
            "properties": words,
            "dependentRequired": {"else": ["if"]},
            "not": {"type": "object", "required": ["else", "repeat"]},
        },
        "layer": _with_arguments(known["layers"]),
        "wrapped": _either({"enum": sorted(known["layers"])}, _ref("layer"), _ref("computed")),
        "wrapped or a block": _either(_ref("wrapped"), _held_block()),
        **{f"{key} of {name}": _held(fits, key == "cell") for (name, key), fits in objects.HELD.items()},
        **objects_of,
        **{
            _chosen_name(name, key): _chosen(words_of, key)
            for name, entry in known["layers"].items()
            for key in entry["arguments"]
            if (words_of := _words_of(name, key, entry))
        },
        **{argument: _word(argument) for argument in ("activation", "initializer", "regularizer", "constraint")},
        **{
            f"{name} in a wrapper": _object("layers", name, {"name": _ref("name")}, required=False)
            for name in known["layers"]
        },
        **{name: _object("layers", name, {key: {} for key in words}) for name in known["layers"]},
        **{name: _operation(name, words) for name in operations},
        **{
            f"called with {' '.join(names)}": {"if": {"type": "object"}, "then": {"propertyNames": {"enum": [*names]}}}
            for names in map(objects.called_with, known["layers"])
        },
    }


def _operation(name: str, words: Mapping[str, Schema]) -> Schema:
    """The arguments of an operation and its words; what tensors it has no value for stand in `from`."""
    entry = catalogue.operation(name)
    assert isinstance(entry, dict), "the name is the catalogue's own"
    arguments = {key: argument(name, key, entry) for key in entry["arguments"]}
    body = {"type": "object", **_worded(key for key in words if key != "l2"), "properties": arguments}
    body["additionalProperties"] = False
    if not entry["required"]:
        return {**body, "type": ["object", "null"]}
    body["required"] = entry["required"]
    lone = arguments[entry["required"][0]] if len(entry["required"]) == 1 else None
    return _either(body, {**_either(lone), "not": {"type": ["object", "null"]}}) if lone else body


_WORDED = "of an item"
"""The definition of what all layers and operations may have among their arguments, and of how these go together."""


def _worded(words: Iterable[str]) -> Schema:
    """Words of ours beside arguments: they are shown and checked by one definition, and allowed here."""
    return {**_ref(_WORDED), "patternProperties": {f"^({'|'.join(words)})$": True}}


_ENDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "not")


def _typed(plain: Schema, text: str = "expression") -> Schema:
    """A plain value, a text that is computed (but for an empty `text`), or a range that holds such values."""
    kinds = plain.get("type", ())
    measured = "number" in kinds or "integer" in kinds
    ends = {word: plain[word] for word in _ENDS if word in plain}
    ends |= {"type": ["integer", "string"]} if "integer" in kinds else {}
    held: Schema = dict.fromkeys(("min_value", "max_value"), ends if measured else False)
    held |= {"zero": {"const": False}} if {"exclusiveMinimum", "not"} & {*ends} or ends.get("minimum", 0) > 0 else {}
    may = [plain, _ref(text if measured else "computed")] if text else [plain]
    held["values"] = {"items": _either(*may)}
    return _either(*may, {**_ref("range"), "properties": held})


def _sizes(rank: int) -> Schema:
    """Whole numbers, one for each dimension, or one for all."""
    many = {"minItems": rank, "maxItems": rank} if rank else {"minItems": 1}
    return _either(_ref("count"), {"type": "array", "items": _either(COUNT, _ref("expression")), **many})


def _held(names: Collection[str], several: bool = False) -> Schema:
    """A layer that stands in another, one of these, or several of them over each other."""
    one = _either({"enum": sorted(names)}, _with_arguments(names))
    return _either(one, *([{"type": "array", "items": one, "minItems": 1}] if several else []), _ref("computed"))


def _told(tensor: Schema) -> Schema:
    """What goes by the name of a call's argument: a tensor, a boolean, or a list of such tensors."""
    return _either({"type": ["string", "integer", "boolean"]}, {"type": "array", "items": tensor, "minItems": 1})


def _with_arguments(names: Iterable[str]) -> Schema:
    """A layer that stands in another by its name with its arguments."""
    properties = {name: _ref(f"{name} in a wrapper") for name in names}
    one = {"type": "object", "minProperties": 1, "maxProperties": 1}
    return {**one, "properties": properties, "additionalProperties": False}


def _held_block() -> Schema:
    """A block that stands at each step, alone or with its arguments."""
    name = {"pattern": "^[a-z_][a-z0-9_]*$", "not": {"enum": sorted(_WORDS)}}
    named = {"type": "object", "minProperties": 1, "maxProperties": 1, "propertyNames": name}
    return _either({"type": "string", **name}, named)


def _kinds(rank: int) -> Schema:
    """What an input of so many sizes may be; `vocabulary` and `dtype` allow tokens everywhere."""
    shape = {"properties": {"shape": {"minItems": rank, "maxItems": rank}}, "required": ["shape", "kind"]}
    return {"if": shape, "then": {"properties": {"kind": {"enum": sorted({"tokens", *KINDS[rank]})}}}}


def _range() -> Schema:
    number = _either({"type": "number"}, _ref("arithmetic"))
    interval = {
        "min_value": number,
        "max_value": number,
        "step": _either({"type": "number", "exclusiveMinimum": 0}, _ref("arithmetic")),
        "sampling": {"enum": ["linear", "log"]},
        "zero": {"type": "boolean"},
        "default": number,
    }
    plain = {"type": ["number", "string", "boolean", "null"]}
    values = {"values": {"type": "array", "minItems": 1, "uniqueItems": True, "items": plain}, "default": {}}
    zero = {
        "if": {"properties": {"zero": {"const": True}}, "required": ["zero"]},
        "then": {"properties": {"sampling": {"const": "log"}}, "required": ["sampling"]},
    }
    log = {
        "if": {"properties": {"sampling": {"const": "log"}}, "required": ["sampling"]},
        "then": {"properties": {"min_value": {"exclusiveMinimum": 0}, "step": {"exclusiveMinimum": 1}}},
    }
    return _described(
        "Values to search: an interval, or a list.",
        _either(
            {
                "type": "object",
                "properties": interval,
                "required": ["min_value", "max_value", "default"],
                "additionalProperties": False,
                "allOf": [zero, log],
            },
            {"type": "object", "properties": values, "required": ["values", "default"], "additionalProperties": False},
        ),
    )


def _object(module: str, name: str, words: dict[str, Schema], required: bool = True) -> Schema:
    """The arguments of a class; a lone value stands where one argument is required."""
    entry = catalogue.catalogue()[module][name]
    arguments = {key: argument(name, key, entry) for key in entry["arguments"]}
    if required and words:
        trained = objects.kernels(name, {}) or {*objects.WRAPPED} & {*arguments}
        shared = _worded(key for key in words if key not in arguments and (key != "l2" or trained))
        arguments |= {} if trained or "l2" in arguments else {"l2": {"type": "null"}}
        arguments |= {"from": _called(name)}
    else:
        shared, arguments = {}, {**words, **arguments}
    needed = entry["required"] if required and not words else []  # of a layer, `defaults` may give what is required
    body: Schema = {"type": "object", **shared, "properties": arguments, "additionalProperties": False}
    if not needed:
        body["type"] = ["object", "null"]
    elif module != "layers":
        body["required"] = list(needed)
    if not required or not words:
        return body
    if name in objects.MERGING:  # these are called on a list, and there is none but in `from`
        tensors = {"allOf": [_ref("tensors"), _called(name)]}
        return {**body, "type": "object", "properties": {**arguments, "from": tensors}, "required": ["from"]}
    lone = {json.dumps(arguments[key]): arguments[key] for key in entry["required"]}
    return _either(body, {**_either(*lone.values()), "not": {"type": ["object", "null"]}}) if lone else body


def _called(layer: str) -> Schema:
    """What `from` names in a mapping: the arguments of the layer's call."""
    return _ref(f"called with {' '.join(objects.called_with(layer))}")


def _named(module: str) -> Schema:
    classes = {name: _object(module, name, {}) for name in catalogue.catalogue()[module]}
    return {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "properties": classes,
        "additionalProperties": False,
    }


def argument(name: str, key: str, entry: dict[str, Any]) -> Schema:
    """What an argument of a class or an operation may be; its references lead to definitions of the whole schema."""
    default, required = entry["arguments"][key], key in entry["required"]
    free = default is None and not required
    or_null = " or null" if free else ""
    operation, of_layer = catalogue.is_operation(name), name in catalogue.catalogue()["layers"]
    if key in ("dropout", "recurrent_dropout") or (key == "rate" and name in catalogue.DROPOUTS):
        return _ref("rate")
    if bounds := catalogue.bounds(name, key):
        schedules = [_ref("schedules")] if catalogue.module_of(key) == "schedules" else []
        return _either(_ref(f"{bounds[1]}{or_null}"), *schedules)
    if key in catalogue.COUNTS:
        return _ref(f"count{or_null}")
    if isinstance(default, bool):
        return _ref("boolean")
    if catalogue.module_of(key) == "layers":
        others = "wrapped or a block" if name == "TimeDistributed" else "wrapped"
        held = _ref(f"{key} of {name}" if (name, key) in objects.HELD else others)
        return _either(held, {"type": "null"}) if free else held
    words = catalogue.words(key)
    if words and (default is None or isinstance(default, str)):
        shared = {**_ref(key.rpartition("_")[2]), **({"not": {"type": "null"}} if required else {})}
        return shared if default is None or default in words else _either({"enum": [default]}, shared)
    chosen = _words_of(name, key, entry)
    if key in catalogue.WHOLE:
        words_alone = isinstance(default, str)
        return _ref(_chosen_name(name, key)) if words_alone and chosen else _ref("whole numbers")
    if chosen:
        return _ref(_chosen_name(name, key))
    if key in catalogue.SIZES:
        sizes = _ref(f"sizes of {catalogue.rank(name)}D")
        return _either(sizes, _ref("count or null")) if free else sizes
    if key == "seed":
        return _ref("seed")
    if operation and key in (*entry["tensors"], "dtype", "key"):
        return _of_operation(name, key, entry)
    if key.startswith(("axis", "axes")):
        return _ref("axis or null" if operation or (name, key) in catalogue.NULL else "axis")
    if of_layer and key == "dtype":
        kind = "whole numbers" if catalogue.of_whole_numbers(name) else "a layer"
        return _ref("quantized type" if catalogue.is_quantizable(name) else f"type of {kind}")
    if catalogue.takes_text(key, default):
        never = key in catalogue.WORDED and default is not None
        return _ref("text" if required else "anything but null" if never else "anything")
    plain = _ref("number" if required or default is not None else "optional")
    return _either(plain, {"enum": [*catalogue.INFINITE]}) if operation and key in catalogue.UNBOUNDED else plain


def _of_operation(name: str, key: str, entry: dict[str, Any]) -> Schema:
    """What an argument may be that operations alone have."""
    if key in entry["tensors"]:
        return _ref("operand")
    if key == "dtype":
        return {**_ref("type"), **({"not": {"type": "null"}} if key in entry["required"] else {})}
    part = _either(
        {"type": "string", "pattern": f"^{catalogue.PART}$"},
        {"type": ["integer", "null"]},
        _ref("expression"),
        _ref("range"),
    )
    return _either(
        {"type": "string", "pattern": f"^{catalogue.KEY.pattern}$"},
        {"type": "array", "minItems": 1, "items": part},
        _ref("computed"),
    )


def _words_of(layer: str, argument: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    """The words that an argument takes, if it takes words."""
    takes = catalogue.takes_text(argument, entry["arguments"][argument])
    return catalogue.choices(layer, argument) if takes else ()


def _chosen_name(layer: str, argument: str) -> str:
    """The name of the definition for an argument that is one of some words; two layers may share it."""
    return f"a {argument}" + (f" of {layer}" if layer == "Conv1D" else "")


def _chosen(words: Sequence[str], key: str) -> Schema:
    """What stands in the place of an argument that is one of some words, or is no word."""
    if key in catalogue.WHOLE:
        return _typed({"enum": [*words]})
    return _typed({"enum": [*words] if key in catalogue.WORDED else [*words, None]})


def _word(argument: str) -> Schema:
    """What stands in the place of an argument whose value is looked up by name, the same for every layer."""
    module = catalogue.module_of(argument)
    objects_of = [_ref(module)] if module else []
    if argument == "activation":
        objects_of = [_ref("layer")]
    return _either(_typed({"enum": [*catalogue.words(argument), None]}), *objects_of)
