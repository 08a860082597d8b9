"""Keras's signatures to `language/catalogue.json`; run by `make catalogue` when a new Keras has other layers."""

from __future__ import annotations

import inspect
import json
from typing import Any

from zoo import layers as ours
from zoo.language import catalogue

BASE = {"activity_regularizer": None, "trainable": True, "dtype": None}
"""Arguments that every layer takes through its base class."""


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
    return {
        "layers": known,
        "aliases": {name: real for name, real in aliases.items() if real in known},
        "optimizers": _module(keras.optimizers, keras.optimizers.Optimizer),
        "schedules": _module(keras.optimizers.schedules, keras.optimizers.schedules.LearningRateSchedule),
        "initializers": _module(keras.initializers, keras.initializers.Initializer),
        "regularizers": _module(keras.regularizers, keras.regularizers.Regularizer),
        "constraints": _module(keras.constraints, keras.constraints.Constraint),
        "words": {
            "activation": _activations(keras.activations),
            "initializers": _words(keras.initializers, keras.initializers.Initializer),
            "regularizers": _words(keras.regularizers, keras.regularizers.Regularizer),
            "constraints": _words(keras.constraints, keras.constraints.Constraint),
        },
    }


def _classes(module: Any, base: type) -> dict[str, type]:
    found = {name: thing for name, thing in vars(module).items() if inspect.isclass(thing) and name[0].isupper()}
    return {name: thing for name, thing in sorted(found.items()) if issubclass(thing, base) and thing is not base}


def _module(module: Any, base: type) -> dict[str, Any]:
    return {name: _signature(thing, {}) for name, thing in _classes(module, base).items() if thing.__name__ == name}


def _activations(module: Any) -> list[str]:
    helpers = {"serialize", "deserialize", "get"}
    return sorted(name for name, thing in vars(module).items() if inspect.isfunction(thing) and name not in helpers)


def _words(module: Any, base: type) -> list[str]:
    names = {name for name, thing in vars(module).items() if inspect.isclass(thing) and issubclass(thing, base)}
    return sorted(name for name in names if name[0].islower())


def _signature(thing: type, base: dict[str, Any]) -> dict[str, Any]:
    """Arguments with their defaults in the order of the signature; values JSON cannot hold become null."""
    arguments, required, more = {}, [], False
    for name, parameter in list(inspect.signature(thing.__init__).parameters.items())[1:]:  # type: ignore[misc]
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            more = True
        elif name != "name":
            if parameter.default is parameter.empty:
                required.append(name)
            default = None if parameter.default is parameter.empty else parameter.default
            arguments[name] = default if isinstance(default, (bool, int, float, str)) else None
    if more:
        arguments |= {name: default for name, default in base.items() if name not in arguments}
    return {"arguments": arguments, "required": required}


if __name__ == "__main__":
    catalogue.FILE.write_text(json.dumps(generate(), indent=1) + "\n", encoding="utf-8")
    print(f"{catalogue.FILE}: {len(generate()['layers'])} layers")
