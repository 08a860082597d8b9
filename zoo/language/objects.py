"""Layers and other named objects, `{Name: {argument: value}}`: what can be said of their arguments without Keras."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from zoo.errors import listed, nearest
from zoo.language import catalogue
from zoo.language.expressions import holds, is_expression
from zoo.language.parsing import FARTHEST, LAYER, LAYERS, Path, shown
from zoo.language.ranges import Range, is_number

Found = tuple[Path, str, str, str]
"""Where, what is wrong, what was expected, the nearest right thing."""

GROUP = ("layers", "for", "in", "repeat", "if", "from", "l2", "frozen")
"""The keys of a group of items."""

BLOCK = ("parameters", "let", "inputs", "nested", "layers", "outputs")
"""The keys of a block."""

REUSE = ("layer", "from", "name")
"""The keys of a `reuse`."""

ALONE = {"let": "let: {name: value}", "reuse": "reuse: {layer: NAME, from: TENSOR}"}
"""Items that are neither layers nor blocks, and how they are written."""

OURS = ("name", "from", "if", "else", "repeat", "l2", "frozen")
"""Words of ours inside an item's braces, beside the layer's own arguments."""

GAUSSIAN: dict[str, Any] = {"arguments": {"units": None, "samples": 1}, "required": ["units"]}
"""What the latent of a variational autoencoder takes, as the catalogue says it of layers."""

_RECURRENT = ("sequences", "inputs", "mask", "initial_state", "training")
_ATTENTION = ("inputs", "mask", "use_causal_mask", "return_attention_scores", "training")
_CELL = ("inputs", "states", "training")
CALLED = {
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional"), _RECURRENT),
    **dict.fromkeys(("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), _RECURRENT),
    **dict.fromkeys(("LSTMCell", "GRUCell", "StackedRNNCells", "SimpleRNNCell"), _CELL),
    **dict.fromkeys(("Attention", "AdditiveAttention"), _ATTENTION),
    **dict.fromkeys(("MultiHeadAttention", "GroupQueryAttention"), (
        "query", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask", "use_causal_mask",
        "return_attention_scores", "training",
    )),
    **dict.fromkeys(("BatchNormalization", "GlobalAveragePooling1D", "Softmax", "TimeDistributed"),
                    ("inputs", "mask", "training")),
    "CategoryEncoding": ("inputs", "count_weights", "training"),
    "ReversibleEmbedding": ("inputs", "reverse", "training"),
}  # fmt: skip
"""What layers may be called with by name; the others with `inputs` and `training`."""

FIRST = tuple(dict.fromkeys(("inputs", *(names[0] for names in CALLED.values()))))
"""Keras's names for what a layer is called on first."""

MERGING = ("Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract")
"""Layers that are called on a list."""

LISTED = (
    *MERGING, "Attention", "AdditiveAttention", "LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "ConvLSTM1D",
    "ConvLSTM2D", "ConvLSTM3D", "Identity", "Sampling", "EvidenceLowerBound", "Contraction", "Sparsity", "Function",
    "HashedCrossing",
)  # fmt: skip
"""Layers that may be called on several tensors in a list."""

WRAPPED = ("layer", "cell", "backward_layer")
"""Arguments that are layers."""

_CELLS = ("LSTMCell", "GRUCell", "SimpleRNNCell")
_STEPPING = ("LSTM", "GRU", "SimpleRNN", "RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
HELD = {("RNN", "cell"): _CELLS, ("Bidirectional", "layer"): _STEPPING, ("Bidirectional", "backward_layer"): _STEPPING}
"""The layers that some arguments may hold; the others of `WRAPPED` hold any."""

FORMER = {
    "lr": "learning_rate", "alpha": "negative_slope", "p": "rate", "nb_filter": "filters", "border_mode": "padding",
    "kernel": "kernel_size", "stride": "strides", "out_features": "units", "out_channels": "filters",
    "kernel_init": "kernel_initializer", "init": "kernel_initializer", "bias": "use_bias", "max": "max_value",
    "min": "min_value", "num_embeddings": "input_dim", "embedding_dim": "output_dim", "hidden_size": "units",
    "out_dim": "units", "output_dim": "units", "n": "units", "neurons": "units", "act": "activation", "prob": "rate",
    "vocab_size": "input_dim", "embed_dim": "output_dim", "W_regularizer": "kernel_regularizer", "dim": "axis",
    "b_regularizer": "bias_regularizer", "keepdim": "keepdims", "merge": "merge_mode",
}  # fmt: skip
"""What arguments were called in older Kerases and are called elsewhere."""

COUNT = "a whole number above 0"
RATE = "a number of at least 0 and below 1, or a range"
LAMBDA = "a number of 0 or above, or a range"
WEIGHT = "a number of 0 or above"
SHARE = "a number between 0 and 1"


def is_rate(value: Any) -> bool:
    """Whether a value can be p: a number, 0 <= p < 1."""
    return is_number(value) and 0 <= value < 1


def is_lambda(value: Any) -> bool:
    """Whether a value can be lambda: a number, 0 or above."""
    return is_number(value) and value >= 0


def is_share(value: Any) -> bool:
    """Whether a value is a number between 0 and 1, neither among them."""
    return is_number(value) and 0 < value < 1


def is_count(value: Any) -> bool:
    """Whether a value is a whole number above 0."""
    return type(value) is int and value > 0


def is_named(value: Any) -> bool:
    """Whether a value is a named object: a mapping of one key that begins as classes do."""
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value))[:1].isupper()


def is_group(item: Mapping[str, Any]) -> bool:
    """Whether an item is a group of others, or would be one."""
    return bool({"layers", "for", "in"} & {*item})


def calls(items: Any) -> Iterator[str]:
    """What the items of a list call, layers and blocks, at any depth; what stands in no item is no call."""
    for one in items if isinstance(items, list) else ():
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            whole = is_group(one)
            for key, body in one.items():
                if not whole:
                    yield str(key)
                if key == "TimeDistributed" and (held := held_block(body)):
                    yield held
                source = body if whole and key == "from" else body.get("from") if isinstance(body, Mapping) else None
                for part in source if isinstance(source, list) else ():
                    yield from calls(part if isinstance(part, list) else [part] if isinstance(part, Mapping) else [])
            yield from calls(one.get("layers"))


def held_block(body: Any) -> str:
    """The block that a `TimeDistributed` of this body holds, if it is one; an empty text for a layer.

    Blocks begin with a small letter, layers with a capital.
    """
    held = body.get("layer") if isinstance(body, Mapping) else body
    name = next(iter(held)) if isinstance(held, Mapping) and len(held) == 1 else held
    is_block = isinstance(name, str) and re.fullmatch(r"[a-z_][A-Za-z0-9_]*", name)
    return str(name) if is_block else ""


def held_within(body: Any) -> tuple[str, Path]:
    """The block that a wrapper of this body holds, or a wrapper in it, and where; an empty text for none."""
    path: Path = ()
    while isinstance(body, Mapping) and "layer" in body:
        path = (*path, "layer")
        if name := held_block(body):
            return name, path
        inner = body["layer"]
        name, body = next(iter(inner.items())) if isinstance(inner, Mapping) and len(inner) == 1 else ("", None)
        path = (*path, name)
    return "", path


def called(name: str, required: Sequence[str]) -> str:
    """How an object is written whose arguments must be given: `Conv2D: {filters: ..., kernel_size: ...}`."""
    return f"{name}: {{{', '.join(f'{key}: ...' for key in required)}}}"


def called_with(layer: str) -> tuple[str, ...]:
    """What a layer may be called with by name: the names of its call's arguments."""
    if catalogue.is_operation(layer):
        return tuple(name for name in catalogue.operands(layer, ())[0] if not name.startswith("*"))
    return CALLED.get(layer, ("inputs", "training"))


def named(
    value: Any, module: str, path: Path, defaults: Mapping[str, Mapping[str, Any]] | None = None
) -> Iterator[Found]:
    """What is wrong with a named object, or with a name alone, that is looked up in a Keras module."""
    if not isinstance(value, (str, Mapping)) or (not isinstance(value, str) and len(value) != 1):
        yield path, f"{shown(value)} is no named object", "one name with its arguments, {Name: {argument: value}}", ""
        return
    name, given = (value, None) if isinstance(value, str) else next(iter(value.items()))
    here = path if isinstance(value, str) else (*path, name)
    entry = catalogue.entry(module, name)
    if isinstance(entry, tuple):
        yield here, *entry[:2], _with_arguments(module, name) or entry[2]
    elif isinstance(given, Mapping) or given is None:
        inner = {key: one for key, one in (given or {}).items() if module != "layers" or key != "name"}
        own = (given or {}).get("name", "name") if module == "layers" else "name"
        if not is_expression(own) and not (type(own) in (str, int) and LAYER.fullmatch(str(own))):
            yield (*here, "name"), f"{shown(own)} is no name", LAYERS, ""
        usual = (defaults or {}).get(name) or () if module == "layers" else ()
        spared = ("rate",) if module == "layers" and name in catalogue.DROPOUTS else ()
        required = [key for key in entry["required"] if key not in (*usual, *spared)]
        yield from arguments(name, inner, {**entry, "required": required}, here, defaults=defaults)
    else:
        yield (
            here,
            f"{shown(given)} is no mapping of arguments",
            called(name, entry["required"] or list(entry["arguments"])[:1]),
            "",
        )


def arguments(
    name: str, given: Mapping[str, Any], entry: Mapping[str, Any], path: Path, ours: Sequence[str] = (),
    part: bool = False, defaults: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[Found]:  # fmt: skip
    """What is wrong with the arguments of an object.

    An item may have words of `ours`, and the spec's p as its rate; of a `part` nothing is missing. `defaults` are those
    of the layers that it may wrap.
    """
    known, meant = entry["arguments"], set()
    for key, value in given.items():
        here = (*path, key)
        if key not in known:
            found = unknown(name, key, entry, ours)
            meant.add("layer" if key[:1].isupper() and "layer" in known else found[2])
            yield (here, *found)
        else:
            yield from _value(name, key, value, entry, here, defaults)
    if name == "PiecewiseConstantDecay":
        yield from _pieces(given, path)
    spared = ("rate",) if ours and name in catalogue.DROPOUTS else ()
    missing = [key for key in entry["required"] if key not in {*given, *meant, *spared}]
    if missing and not part:
        says = " and ".join(f"`{key}`" for key in missing)
        yield path, f"{says} {'is' if len(missing) == 1 else 'are'} missing", called(name, entry["required"]), ""


UNORDERED = "does not rise"


def _pieces(given: Mapping[str, Any], path: Path) -> Iterator[Found]:
    """Whether there is a value before each boundary, and one behind the last."""
    cuts, values = given.get("boundaries"), given.get("values")
    if isinstance(cuts, list) and all(map(is_number, cuts)) and cuts != sorted({*cuts}):
        yield (*path, "boundaries"), f"{shown(cuts)} {UNORDERED}", "each above the one before it", ""
    if isinstance(cuts, list) and isinstance(values, list) and len(values) != len(cuts) + 1:
        yield (*path, "values"), f"{len(values)} for {len(cuts)} boundaries", f"{len(cuts) + 1}, one more", ""


def unknown(name: str, key: str, entry: Mapping[str, Any], ours: Sequence[str]) -> tuple[str, str, str]:
    """What is wrong with an argument that an object does not have, as (wrong, expected, hint)."""
    known = entry["arguments"]
    words = [*known, *ours]
    expected = f"one of {listed(words)}" if len(words) > 1 else words[0] if words else f"{name} alone"
    close = FORMER.get(key, "")
    close = close if close in known else nearest(key, words)
    close = "pool_size" if key == "kernel_size" and "pool_size" in known else close
    if key[:1].isupper() and "layer" in known:
        expected, close = f"{name}: {{layer: {{{key}: {{...}}}}}}", ""
    if key in called_with(name) and ours:
        first = "" if key == called_with(name)[0] else f"{called_with(name)[0]}: NAME, "
        expected, close = f"it in `from`: {{{first}{key}: ...}}", ""
    why = catalogue.refused_argument(name, key)
    return f"no such argument{': ' if why else ''}{why}", expected, close


def _value(
    name: str, key: str, value: Any, entry: Mapping[str, Any], path: Path,
    defaults: Mapping[str, Mapping[str, Any]] | None,
) -> Iterator[Found]:  # fmt: skip
    if is_expression(value):  # looked at again when it has a value
        return
    module = catalogue.module_of(key)
    by_name = module in ("layers", "optimizers", "schedules")  # the others have words as well
    if isinstance(value, str) and module == "schedules" and (number := _number_in(value)) is not None:
        yield path, f"{shown(value)} is text", "a number, without quotes", str(number)
    elif (isinstance(value, Mapping) and module) or (isinstance(value, str) and by_name):
        yield from named(value, module, path, defaults)
        yield from _wrapped(name, key, value, path)
    elif key.endswith("activation") and isinstance(value, Mapping) and len(value) == 1:
        chosen, given = next(iter(value.items()))
        if chosen in catalogue.catalogue()["layers"]:
            yield from named({chosen: given or {}}, "layers", path, defaults)
        else:
            expected = f"a layer, such as {listed(catalogue.SLOPED)}, or a name alone"
            known = catalogue.catalogue()["layers"]
            close = nearest(str(chosen), catalogue.SLOPED) or nearest(str(chosen), known)
            yield path, f"no activation `{chosen}` with arguments", expected, close
    elif name == "RNN" and key == "cell" and isinstance(value, list) and value:  # cells over each other
        for index, one in enumerate(value):
            yield from named(one, module, (*path, index), defaults)
            if isinstance(one, (str, Mapping)):
                yield from _wrapped(name, key, one, (*path, index))
    elif isinstance(value, list) and (texts := list(_texts(value, path))) and not _takes_texts(name, key, entry):
        for here, text in texts:
            yield here, f"{shown(text)} is not accepted", "a number", ""
    elif refused := refusal(name, key, value, entry):
        yield (path, *refused)


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """The texts in a list that are no expressions, and where each stands."""
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from _texts(one, (*path, index))
    elif isinstance(value, str) and not is_expression(value):
        yield path, value


def _takes_texts(name: str, key: str, entry: Mapping[str, Any]) -> bool:
    """Whether texts may stand in a list that an argument is, or what is said of the list tells of them."""
    if key in entry.get("tensors", ()) or key.startswith(("axis", "axes")):
        return True
    numbers = key in entry["arguments"] and not catalogue.takes_text(key, entry["arguments"][key])
    sizes = key in (*catalogue.SIZES, *catalogue.WHOLE, *catalogue.COUNTS)
    words = catalogue.words(key) or catalogue.choices(name, key) or catalogue.module_of(key)
    return not numbers or sizes or bool(catalogue.bounds(name, key) or words)


def _number_in(text: str) -> float | None:
    """The number that a text holds; None if it holds another."""
    try:
        return float(text)
    except ValueError:
        return None


def _wrapped(name: str, key: str, value: Any, path: Path) -> Iterator[Found]:
    """Whether a wrapper that needs a recurrent layer, or a cell, was given another."""
    inner = value if isinstance(value, str) else next(iter(value), "")
    fits = HELD.get((name, key), (inner,))
    if inner in fits or inner not in catalogue.catalogue()["layers"]:
        return
    if key == "cell":
        close = f"{inner}Cell" if f"{inner}Cell" in fits else ""
        yield path, f"`{inner}` is no cell", f"one of {', '.join(fits)}, or a list of them", close
    else:
        yield path, f"`{inner}` does not go through steps", f"one of {listed(fits)}", ""


def refusal(name: str, key: str, value: Any, entry: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Why an argument cannot have a plain value, as (wrong, expected, hint); None if nothing speaks against it."""
    found = _refused(name, key, value, entry)
    whole = isinstance(value, float) and value.is_integer() and abs(value) <= FARTHEST
    if found and whole and found[1].startswith("a whole number"):
        found = (*found[:2], found[2] or str(int(value)))
    return found and (found[0] or f"{shown(value)} is not accepted", *found[1:])


def _refused(name: str, key: str, value: Any, entry: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """The same; where the value itself is all that is wrong, an empty text says so."""
    default, required = entry["arguments"].get(key), key in entry["required"]
    wrong = ""
    if key == "l2" and key not in entry["arguments"]:
        return None if is_lambda(value) else (wrong, LAMBDA, "")
    if holds(value):
        return None
    if isinstance(value, Range):
        each = ((one, _refused(name, key, one, entry)) for one in value.held())
        return next(((f"the range holds {shown(one)}", *found[1:]) for one, found in each if found), None)
    if unfit := _unfit(name, key, value, entry):
        return wrong, unfit, ""
    if "tensors" in entry and value in catalogue.INFINITE and catalogue.may_be_infinite(name, key):
        return None
    free = not required and not isinstance(default, (bool, int, float, list))
    free = (free and (default is None or key not in catalogue.WORDED)) or (name, key) in catalogue.NULL
    free = free or (catalogue.is_operation(name) and key.startswith(("axis", "axes")))
    if value is None:
        return None if free else (wrong, "a value", "")
    if key in ("dropout", "recurrent_dropout") or (key == "rate" and name in catalogue.DROPOUTS):
        return None if is_rate(value) else (wrong, RATE, "")
    if bounds := catalogue.bounds(name, key):
        # A range in a list is looked at by itself.
        plain = [one.default if isinstance(one, Range) else one for one in value] if isinstance(value, list) else value
        accepted = catalogue.is_bounded(plain, bounds[0])
        return None if accepted else (wrong, f"{bounds[1]}{', or null' if free else ''}", "")
    if key in catalogue.COUNTS:
        return None if is_count(value) else (wrong, COUNT, "")
    known = catalogue.choices(name, key) if isinstance(default, str) else ()
    if known and key in catalogue.WHOLE and not isinstance(value, str):
        return wrong, f"one of {listed(known)}", ""
    if key in catalogue.WHOLE and not isinstance(value, str) and not _are_whole_from_0(value):
        return wrong, "a whole number, 0 or above, or a list of them", ""
    if key in catalogue.SIZES:
        sizes = value if isinstance(value, list) else [value]
        if not sizes or not all(map(is_count, sizes)):
            return wrong, f"{COUNT}, or a list of them", ""
    if unlike := catalogue.odd(name, key, value):
        return *unlike, ""
    if key in catalogue.SIZES:
        return None
    words = catalogue.words(key)
    if words and isinstance(value, str) and value in catalogue.UNABLE:
        return f"`{value}` cannot stand alone", catalogue.UNABLE[value], ""
    if words and value not in (*words, default):
        module = "layers" if key.endswith("activation") else catalogue.module_of(key)
        called = _with_arguments(module, value) if isinstance(value, str) else ""
        close = called or catalogue.meant(value, words) if isinstance(value, str) else ""
        wrong = f"no {key.replace('_', ' ')} `{value}`" if isinstance(value, str) else wrong
        return wrong, f"one of {listed((one for one in words if one.islower()), 12 if close else 40)}", close
    if isinstance(default, bool) and not isinstance(value, bool):
        meant = {"y": "true", "n": "false"}.get(value, value) if isinstance(value, str) else ""
        return wrong, "true or false", meant if meant in ("true", "false") else ""
    if isinstance(value, str) and catalogue.takes_text(key, default) and (known := catalogue.choices(name, key)):
        return None if value in known else (wrong, f"one of {listed(known)}", nearest(value, known))
    if not isinstance(value, str) and key not in catalogue.WHOLE and (known := catalogue.choices(name, key)):
        return wrong, f"one of {listed(known)}", ""
    measured = key not in entry.get("tensors", ())  # beside which true and false may stand
    if isinstance(value, bool) and measured and (is_number(default) or isinstance(default, list) or required):
        return wrong, "a number", ""
    if catalogue.module_of(key) == "layers":
        several = ", or a nested block of several" if name == "TimeDistributed" else ""
        return wrong, f"a layer, such as {'Dense' if several else 'LSTM'}: {{units: 64}}{several}", ""
    if isinstance(value, str) and not words and not catalogue.takes_text(key, default):
        return wrong, "a number" if is_number(default) else "a number, or a list of numbers", ""
    return (wrong, "a plain value", "") if isinstance(value, Mapping) else None


def _with_arguments(module: str, text: str) -> str:
    """A text that is a class, or Python's call of one, as the object that it means; else an empty text."""
    known = catalogue.catalogue().get(module, {})
    if module == "layers" and text in known:
        return f"{{{text}: {{}}}}"
    call = re.fullmatch(r"(?:\w+\.)*(\w+)\(([^()]+)\)", text)
    name = nearest(call[1], known) if call else ""
    if not call or not name:
        return ""
    order, made = list(known[name]["arguments"]), dict[str, str]()
    for place, part in enumerate(call[2].split(",")):
        key, sign, value = (one.strip() for one in part.partition("="))
        made |= {key: value} if sign else {order[place] if place < len(order) else "": key}
    return (
        f"{{{name}: {{{', '.join(f'{key}: {value}' for key, value in made.items())}}}}}" if {*made} <= {*order} else ""
    )


def _unfit(name: str, key: str, value: Any, entry: Mapping[str, Any]) -> str:
    """What an operand or an axis must be, if its value is none such."""
    if key in entry.get("tensors", ()):
        return "" if _are_numbers(value) else "a number, a list of numbers, or a tensor in `from`"
    if key.startswith(("axis", "axes")) and value is not None and not _are_whole(value):
        rows = "; the rows' axis is 0" if "tensors" in entry or name in catalogue.catalogue()["layers"] else ""
        return f"a whole number, or a list of them{rows}"
    return ""


def _are_whole_from_0(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_are_whole_from_0, value)) and value != []
    return type(value) is int and value >= 0


def _are_numbers(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_are_numbers, value)) and value != []
    return isinstance(value, (int, float)) or value in catalogue.INFINITE


def _are_whole(value: Any) -> bool:
    return all(map(_are_whole, value)) and value != [] if isinstance(value, list) else type(value) is int


@functools.cache
def _kernels(layer: str) -> tuple[str, ...]:
    known = catalogue.catalogue()["layers"].get(layer, {"arguments": ()})["arguments"]
    return tuple(key for key in catalogue.KERNELS if key in known)


def lambda_of(regularizer: Any) -> float | None:
    """The lambda of an explicit regulariser of a spec; None where it has none."""
    name, given = next(iter(regularizer.items())) if isinstance(regularizer, Mapping) else (regularizer, None)
    known = catalogue.catalogue()["regularizers"].get({"l2": "L2", "l1_l2": "L1L2"}.get(name, name), {"arguments": {}})
    value = {**known["arguments"], **(given or {})}.get("l2")
    return float(value) if isinstance(value, (int, float)) else None


def walked(layer: str, arguments: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """A layer with its arguments, and all that it wraps or has as activation."""
    yield layer, arguments
    for key in (*WRAPPED, *catalogue.ACTIVE):
        held = arguments.get(key)
        if key in catalogue.ACTIVE and not isinstance(held, Mapping):
            continue  # a word
        for one in held if isinstance(held, list) else [held]:
            if isinstance(one, str):
                yield from walked(one, {})
            elif isinstance(one, Mapping) and len(one) == 1:
                name, body = next(iter(one.items()))
                yield from walked(name, body if isinstance(body, Mapping) else {})


def held(layer: str, arguments: Mapping[str, Any], rank: int) -> Iterator[tuple[str, Mapping[str, Any], int]]:
    """A layer with its arguments, and all that it wraps or has as activation; how many axes each is called on."""
    yield layer, arguments, rank
    inner = rank - (layer == "TimeDistributed")  # at each step there is an axis less
    for key, value in arguments.items():
        for _, one in catalogue.numbered(key, value) if catalogue.holds_layers(key, value) else ():
            name, body = next(iter(one.items())) if isinstance(one, Mapping) and one else (one, None)
            yield from held(str(name), body if isinstance(body, Mapping) else {}, inner)


KEEPS = "it keeps its states from batch to batch"


def over_rows(layer: str, arguments: Mapping[str, Any], rank: int = 0) -> str:
    """Which axis of a layer is the rows', of so many axes, or that it keeps its states; an empty text for neither."""
    if arguments.get("stateful"):
        return KEEPS
    usual = catalogue.catalogue()["layers"].get(layer, {"arguments": {}})["arguments"] if rank == 1 else {}
    if rank == 1 and arguments.get("activation") in ("softmax", "log_softmax", "sparsemax"):
        return f"its {arguments['activation']} goes over the rows, where each is one number"
    for key in ("axis", "axes"):
        given = arguments.get(key, usual.get(key))
        for one in given if isinstance(given, list) else [given]:
            if type(one) is int and one in (0, -rank):
                return f"{key} {one} is that of the rows"
    return ""


def draws(layer: str, arguments: Mapping[str, Any]) -> bool:
    """Whether a layer draws something in training, those that it wraps left out."""
    known = catalogue.catalogue()["layers"].get(layer, {"arguments": ()})["arguments"]
    if layer in catalogue.DROPOUTS:  # of a node, p is told apart
        return "rate" in arguments and arguments["rate"] != 0
    if "dropout" in known:
        return any(arguments.get(key, 0) != 0 for key in ("dropout", "recurrent_dropout"))
    return "seed" in known and layer != "VectorQuantizer" and arguments.get("stddev") != 0


def kernels(layer: str, arguments: Mapping[str, Any]) -> list[str]:
    """The regularisers of a layer through which lambda acts, those of the layers it wraps included."""
    return [key for one, body in walked(layer, arguments) for key in _kernels(one) if key not in body]


def with_usual(
    arguments: Mapping[str, Any],
    usual: Callable[[str], Mapping[str, Any]],
    holds: Callable[[str, Any], bool] = catalogue.holds_layers,
) -> dict[str, Any]:
    """The arguments of a layer, each layer that it holds with what is usual for its class; its own arguments win."""

    def wrapped(value: Any) -> Any:
        if isinstance(value, list):
            return list(map(wrapped, value))
        name, body = next(iter(value.items())) if isinstance(value, Mapping) and len(value) == 1 else (value, None)
        if not isinstance(name, str) or not isinstance(body, Mapping | None):
            return value
        made = {**usual(name), **with_usual(body or {}, usual, holds)}
        return {name: made} if made else value

    return {key: wrapped(one) if holds(key, one) else one for key, one in arguments.items()}


def with_defaults(arguments: dict[str, Any], defaults: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The arguments of a wrapper, the layers that it wraps with their class's `defaults`; their own arguments win."""
    return with_usual(arguments, lambda name: defaults.get(name, {}), lambda key, _: key in WRAPPED)
