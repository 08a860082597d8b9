"""Keras's signatures to `language/catalogue.json`; run by `make catalogue` when a new Keras has other layers."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from zoo import layers as ours
from zoo.language import catalogue, families

BASE = {"activity_regularizer": None, "trainable": True, "dtype": None}
"""Arguments that every layer takes through its base class."""

CODE = ("f", "true_fn", "fun", "function", "pyfunc", "body", "body_fun", "cond", "branches")
"""Arguments of operations that are functions, which a spec cannot hold."""

UNFIT = (
    "adaptive_average_pool", "adaptive_max_pool", "arange", "array_equal", "cond", "conv_transpose",
    "custom_gradient", "histogram", "image.extract_patches_3d", "kaiser", "ndim", "nonzero", "rearrange",
    "view_as_complex",
)  # fmt: skip
"""Operations that Keras makes of no tensors in a model, cannot run or read back, or whose form a line cannot state."""

UNFIT_SAYS = "Keras makes no part of a model of it that runs and is read back, or its form cannot be told from the text"

NUMBERS = (("GetItem", "key"), ("Isclose", "rtol"), ("Isclose", "atol"))
"""What operations take among their tensors and is none."""

LISTS = ("concatenate", "dstack", "hstack", "stack", "vstack", "fft", "fft2", "ifft2", "irfft", "istft")
"""Operations whose first argument is a list of tensors."""


def generate() -> dict[str, Any]:
    """The catalogue of the installed Keras, as it should stand in the file."""
    import keras

    layers = _classes(keras.layers, keras.layers.Layer)
    names = {name: thing for name, thing in layers.items() if thing.__name__ == name}
    # One that Keras exports under another name than its class's alone goes by the exported one.
    renamed = {thing.__name__: name for name, thing in layers.items() if thing.__name__ not in layers}
    names |= {name: layers[name] for name in renamed.values()}
    aliases = {name: thing.__name__ for name, thing in layers.items() if thing.__name__ != name and name not in names}
    aliases |= renamed
    names |= {name: ours.find(name) for name in ours.PUBLIC}
    known = {name: _signature(thing, BASE) for name, thing in names.items() if name not in catalogue.REFUSED}
    for name, argument in catalogue.ADAPTED.items():
        known[name]["required"] = [argument]
    return {
        "layers": known,
        "ops": (operations := _operations(keras.ops)),
        "ops refused": _refused(keras.ops, operations),
        "aliases": {name: real for name, real in aliases.items() if real in known},
        "optimizers": _optimizers(keras.optimizers),
        "losses": _losses(keras.losses),
        "schedules": _module(keras.optimizers.schedules, keras.optimizers.schedules.LearningRateSchedule),
        "initializers": _module(keras.initializers, keras.initializers.Initializer),
        "regularizers": _module(keras.regularizers, keras.regularizers.Regularizer),
        "constraints": _module(keras.constraints, keras.constraints.Constraint),
        "applications": sorted(one for one in vars(keras.applications) if _is_constructor(keras.applications, one)),
        "words": {
            "activation": _activations(keras.activations),
            "initializers": _words(keras.initializers, keras.initializers.Initializer),
            "regularizers": _words(keras.regularizers, keras.regularizers.Regularizer),
            "constraints": _words(keras.constraints, keras.constraints.Constraint),
        },
    }


def _is_constructor(module: Any, name: str) -> bool:
    return name[:1].isupper() and callable(getattr(module, name))


def _classes(module: Any, base: type) -> dict[str, type]:
    found = {name: thing for name, thing in vars(module).items() if inspect.isclass(thing) and name[0].isupper()}
    return {name: thing for name, thing in sorted(found.items()) if issubclass(thing, base) and thing is not base}


def _module(module: Any, base: type) -> dict[str, Any]:
    return {name: _signature(thing, {}) for name, thing in _classes(module, base).items() if thing.__name__ == name}


def _losses(module: Any) -> dict[str, Any]:
    """The losses that serve a task, without the arguments that follow from it."""
    found = _module(module, module.Loss)
    return {name: _without(one, "losses") for name, one in found.items() if name in families.losses(None)}


def _optimizers(module: Any) -> dict[str, Any]:
    """The optimizers that a spec may name."""
    found = _module(module, module.Optimizer)
    return {
        name: _without(one, "optimizers") for name, one in found.items() if name not in catalogue.REFUSED_OPTIMIZERS
    }


def _without(entry: dict[str, Any], module: str) -> dict[str, Any]:
    """An entry without the arguments that are refused in its module."""
    refused = catalogue.REFUSED_ARGUMENTS[module]
    return {**entry, "arguments": {key: default for key, default in entry["arguments"].items() if key not in refused}}


def _activations(module: Any) -> list[str]:
    helpers = {"serialize", "deserialize", "get"}
    return sorted(name for name, thing in vars(module).items() if inspect.isfunction(thing) and name not in helpers)


def _words(module: Any, base: type) -> list[str]:
    names = {name for name, thing in vars(module).items() if inspect.isclass(thing) and issubclass(thing, base)}
    return sorted(name for name in names if name[0].islower())


def _functions(module: Any) -> Iterator[tuple[str, Any]]:
    """The functions of `keras.ops` by name, `image.resize` among them; its other modules have none of their own."""
    for within, where in (("", module), ("image.", module.image)):
        yield from ((within + name, one) for name, one in sorted(vars(where).items()) if inspect.isfunction(one))


def _operations(module: Any) -> dict[str, Any]:
    """The functions of `keras.ops` that are one operation of a graph each, by their names."""
    found: dict[str, Any] = {}
    for name, function in _functions(module):
        kind = _operation(function) if name not in UNFIT else None
        parameters = inspect.signature(function).parameters if kind else {}
        if kind and not set(CODE) & set(parameters):
            found[name] = {**_parameters(parameters, kind), "kind": kind.__name__}
            found[name] |= {"listed": True} if name in LISTS else {}
    return found


def _refused(module: Any, known: Collection[str]) -> dict[str, str]:
    """The other functions of `keras.ops`, and why none is an item."""
    found = {}
    for name, function in _functions(module):
        if name not in known:
            runs = set(CODE) & set(inspect.signature(function).parameters)
            found[name] = "it calls Python code, which a spec may not hold" if runs else UNFIT_SAYS
    return {name: why for name, why in found.items() if name != "abs"}  # which is ops.absolute under another name


def _operation(function: Any) -> type | None:
    """The class of the operation that a function of `keras.ops` makes of symbolic tensors, if it is one."""
    import keras

    text, home = inspect.getsource(function), vars(sys.modules[function.__module__])
    kinds = {home[word] for word in re.findall(r"\b([A-Z]\w*)\(", text) if inspect.isclass(home.get(word))}
    kinds = {kind for kind in kinds if issubclass(kind, keras.Operation)}
    return kinds.pop() if len(kinds) == 1 else None


def _parameters(parameters: Mapping[str, inspect.Parameter], kind: Any) -> dict[str, Any]:
    """The arguments of an operation, and which of them are tensors: those of its class's call.

    An axis that is all axes, or the first, if nothing is said must be stated: rows know nothing of one another.
    """
    arguments = dict[str, Any]()
    required, tensors, needed = list[str](), list[str](), list[str]()
    of_call = inspect.signature(kind.call).parameters
    for name, one in parameters.items():
        bare = one.default is one.empty
        if one.kind is one.VAR_POSITIONAL:
            tensors.append(f"*{name}")
            continue
        if one.kind is one.VAR_KEYWORD:
            continue
        default = None if bare else one.default
        across = name.startswith(("axis", "axes")) and (bare or one.default in (None, 0, (0, 1)))
        across = across or name in ("num", "num_classes")  # without them, how many parts there are is not told
        arguments[name] = None if across else _plain(default)
        if name in of_call and (kind.__name__, name) not in NUMBERS:
            tensors.append(name)
            needed += [name] * (bare or kind.__name__ == "Where")  # which without a choice counts rows
        elif bare or across:
            required.append(name)
    return {"arguments": arguments, "required": required, "tensors": tensors, "needed": needed}


def _signature(thing: type, base: dict[str, Any]) -> dict[str, Any]:
    """Arguments with their defaults in the order of the signature; values JSON cannot hold become null."""
    import keras

    arguments, required, more = {}, [], False
    made: Any = thing.__new__ if thing.__init__ is object.__init__ else thing.__init__  # type: ignore[misc]
    for name, parameter in list(inspect.signature(made).parameters.items())[1:]:
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            more = True
        elif name != "name":
            if parameter.default is parameter.empty:
                required.append(name)
            default = None if parameter.default is parameter.empty else parameter.default
            arguments[name] = _plain(default)
    if more and issubclass(thing, keras.layers.RNN):  # whose own arguments go by without their names
        arguments.setdefault("zero_output_for_mask", False)
    if more and hasattr(thing, "enable_lora"):
        arguments |= {key: None for key in ("lora_rank", "lora_alpha") if key not in arguments}
    if more:
        arguments |= {name: default for name, default in base.items() if name not in arguments}
    return {"arguments": arguments, "required": required}


def _plain(default: Any) -> Any:
    """A default as JSON holds it, tuples as lists."""
    if isinstance(default, (list, tuple)):
        return [_plain(one) for one in default]
    return default if isinstance(default, (bool, int, float, str)) else None


if __name__ == "__main__":
    catalogue.FILE.write_text(json.dumps(generate(), indent=1) + "\n", encoding="utf-8")
    print(f"{catalogue.FILE}: {len(generate()['layers'])} layers, {len(generate()['ops'])} operations")
