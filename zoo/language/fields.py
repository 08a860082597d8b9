"""The keys of a spec and of what stands in it: what each accepts, and how that is said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from zoo.errors import is_close, listed, nearest
from zoo.language import catalogue, expressions, objects, ranges
from zoo.language.families import DTYPES, FACTS, FAMILIES, KINDS, LIKELIHOODS
from zoo.language.objects import is_count, is_lambda, is_rate
from zoo.language.parsing import NAME, NAMES, shown

Test = Callable[[Any], bool]
Fields = Mapping[str, tuple[Test, str]]

BODY = ("layers", "encoder", "latent", "decoder", "head")
"""The keys that hold layers of the network."""

PROSE = ("name", "summary", "reference", "counting", "regularization", "metric")
"""Keys that hold text for people, never an expression."""


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(NAME.fullmatch(value))


def _is_items(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


BALANCED = "balanced"
"""Every class weighs as much as all its rows together do, as scikit-learn says it."""


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _is_filled(value: Any) -> bool:
    return isinstance(value, dict) and bool(value)


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and len(value) in KINDS and all(size is None or is_count(size) for size in value)


def _is_inputs(value: Any) -> bool:
    return isinstance(value, dict) and bool(value)


def _or_expression(test: Test) -> Test:
    return lambda value: test(value) or (isinstance(value, str) and "$" in value)


def _is_source(value: Any) -> bool:
    """Whether a text can name weights: a file has a dot or a slash in its name."""
    return _is_text(value) and (value == "imagenet" or any(one in value for one in ":./\\$"))


def _is_texts(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, list) and bool(value) and all(map(_is_text, value)))


def _one_of(words: Iterable[str]) -> tuple[Test, str]:
    known = tuple(words)
    return lambda value: value in known, f"one of {', '.join(known)}"


_LAYERS = "a list of layers, such as [Flatten, Dense: {units: 64}]"

FIELDS: dict[str, tuple[Test, str]] = {
    "spec": (lambda value: type(value) is int and value == 1, "1, the version of the language"),
    "name": (_is_name, f"a name of {NAMES}"),
    "family": _one_of(FAMILIES),
    "task": _one_of(FACTS),
    "summary": (_is_text, "a sentence"),
    "reference": (_is_text, "where the network was published"),
    "year": (is_count, "the year in which it was published"),
    "parameters": (is_count, "the number of parameters at the defaults"),
    "counting": (_is_text, "how the parameters are counted"),
    "flops": (is_count, "the floating-point operations of one answer, a whole number"),
    "regularization": (_is_text, "the lambda and p of the publication"),
    "metric": (_is_text, "what it reached, on which data, and where that is written"),
    "variants": (_is_mapping, "{name: {key: value}}"),
    "extends": (_is_text, "the name of a spec, or the path of a file"),
    "classes": (is_count, objects.COUNT),
    "targets": (is_count, objects.COUNT),
    "horizon": (is_count, objects.COUNT),
    "features": (is_count, objects.COUNT),
    "input": (_is_mapping, "a mapping such as {shape: [28, 28, 1]}"),
    "inputs": (_is_inputs, "a mapping such as {image: {shape: [28, 28, 1]}, label: {shape: [], dtype: int32}}"),
    "l2": (_or_expression(is_lambda), objects.LAMBDA),
    "dropout": (_or_expression(is_rate), objects.RATE),
    "dtype": _one_of(catalogue.POLICIES),
    "let": (_is_mapping, "{name: value}"),
    "defaults": (_is_mapping, "arguments by class, such as {Conv2D: {padding: same}}"),
    "blocks": (_is_mapping, "{name: {parameters: {...}, layers: [...]}}"),
    "prepare": (_is_items, "a list of layers, such as [Rescaling: {scale: 1 / 255}]"),
    "layers": (_is_list, _LAYERS),
    "encoder": (_is_list, _LAYERS),
    "latent": (lambda value: isinstance(value, (dict, str)), "one layer, such as Dense: {units: 32}"),
    "decoder": (_is_list, _LAYERS),
    "likelihood": _one_of(LIKELIHOODS),
    "penalties": (_is_filled, "{kl: {weight: 4.0, warm_up: 1000}, mmd: 10.0}, or {contractive: 1e-4, sparsity: 0.01}"),
    "head": (_is_items, _LAYERS),
    "outputs": (lambda value: isinstance(value, list) and bool(value), "a list of names"),
    "weights": (_is_source, "imagenet, keras:NAME, run:NAME, or a file of weights"),
    "frozen": (lambda value: isinstance(value, bool), "true or false"),
    "train": (_is_mapping, "a mapping with any of optimizer, loss, batch_size and epochs"),
}
"""The keys of a spec, what each accepts, and how that is said."""

INPUT: dict[str, tuple[Test, str]] = {
    "shape": (_is_shape, "one to seven whole numbers above 0, without the batch, such as [28, 28, 1]"),
    "dtype": _one_of(DTYPES),
    "kind": _one_of(dict.fromkeys(kind for row in KINDS.values() for kind in row)),
    "vocabulary": (is_count, objects.COUNT),
    "classes": (is_count, objects.COUNT),
    "columns": (_is_texts, "a list of names"),
    "unused": (lambda value: isinstance(value, bool), "true or false"),
    "batch_size": (is_count, objects.COUNT),
    "sparse": (lambda value: isinstance(value, bool), "true or false"),
    "optional": (lambda value: isinstance(value, bool), "true or false"),
}

TRAINING: dict[str, tuple[Test, str]] = {
    "optimizer": (lambda value: isinstance(value, (str, dict)), "an optimizer, such as Adam: {learning_rate: 1e-3}"),
    "loss": (lambda value: isinstance(value, (str, dict)), "a loss of Keras, such as Huber: {delta: 0.5}"),
    "batch_size": (is_count, objects.COUNT),
    "epochs": (is_count, objects.COUNT),
    "class_weight": (
        lambda value: value == BALANCED or (isinstance(value, dict) and bool(value)),
        "balanced, or a weight for each label, such as {no: 1, yes: 20}",
    ),
}

_WEIGHT = (_or_expression(is_lambda), f"{objects.WEIGHT}, or a range")
KL: dict[str, tuple[Test, str]] = {"weight": _WEIGHT, "warm_up": (_or_expression(is_count), objects.COUNT)}
SPARSITY: dict[str, tuple[Test, str]] = {
    "weight": _WEIGHT,
    "target": (_or_expression(objects.is_share), objects.SHARE),
}
PENALTIES: dict[str, tuple[Test, str]] = {
    "kl": (lambda value: isinstance(value, dict) or _WEIGHT[0](value), "a weight, or {weight: 4.0, warm_up: 1000}"),
    "mmd": _WEIGHT,
    "contractive": _WEIGHT,
    "sparsity": (
        lambda value: isinstance(value, dict) or _WEIGHT[0](value),
        "a weight, or {weight: 0.01, target: 0.05}",
    ),
}
PLAIN = ("contractive", "sparsity")
"""The penalties of a code that is no distribution."""

LATER = ("heads",)
"""Words that the language keeps for what is to come."""

INSIDE = {key: f"{outer}.{key}" for outer, keys in (("train", TRAINING), ("input", INPUT)) for key in keys} | {
    "learning_rate": "train.optimizer.Adam.learning_rate", "input_shape": "input.shape",
}  # fmt: skip
"""Where keys stand that may be looked for at the top."""

OF_THE_TASK = {
    "metrics": ("metrics are the task's", "`task`, or zoo.build and a compile of your own"),
    **dict.fromkeys(
        ("callbacks", "early_stopping"),
        (
            "the weights of the best epoch are kept without one",
            "`callbacks` of zoo.tune, such as EarlyStopping",
        ),
    ),
    "augment": ("augmentation stands in the network", "Keras's random layers first in `layers`"),
}
"""Keys that Keras users may look for in `train`, by why there are none, and what serves instead."""


def fits(value: Any, field: tuple[Test, str]) -> bool:
    """Whether a key may hold a value; one that is computed, or a range, may be anything."""
    return value is None or expressions.holds(value) or ranges.looks_like(value) or field[0](value)


def unknown(key: str, value: Any, fields: Fields, what: str) -> tuple[str, str, str]:
    """What is wrong with a key that is none of these, as (wrong, expected, hint)."""
    if key in OF_THE_TASK:
        why, expected = OF_THE_TASK[key]
        return f"no such key: {why}", expected, ""
    if key in ("learning_rate", "lr") and "optimizer" in fields:
        return "no such key", "it as an argument of the optimizer", "optimizer.Adam.learning_rate"
    if key == "beta" and "kl" in fields:
        return "no such key", "it as the weight of `kl`", f"kl: {{weight: {shown(value)[1:-1]}}}"
    close = nearest(key, {*fields, *INSIDE} if "train" in fields else fields)
    close = close if close in fields else INSIDE.get(close, "")
    if close in fields and not fits(value, fields[close]) and not is_close(key, close):
        close = ""
    few = not close or len(fields) <= 12  # a long list is no help beside the right word
    known = f": {listed(fields, 50)}" if few else ""
    return "no such key", f"a key of {what}{known}", close
