"""A Keras model to a spec in plain data: `lowering.py` backwards, then folded.

Functional and sequential models, their nested models as blocks, calls of one layer again as `reuse`. Building the spec
gives the same layers under the same names in the same order, so that weights copy in order; inputs may be called
otherwise and stand elsewhere, and what Keras has no layer for may get one. What a spec cannot say is refused with a
sentence that names the layer.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.apart import mixed
from zoo.errors import Problem, ZooError, listed
from zoo.importing.freezing import HOLDING, flags, thaws, trained_otherwise
from zoo.importing.graphs import Foreign, calls_of, operation_of, sharing, without_graph
from zoo.importing.items import Body, Item, Whole, input_names
from zoo.language import catalogue, folding, network, parsing, reading, unfolding
from zoo.language.families import DTYPES, KINDS, kinds
from zoo.language.network import ODD, free
from zoo.language.objects import WRAPPED, kernels
from zoo.language.parsing import NAME, NAMES
from zoo.lowering import Plain, lower, model_in

if TYPE_CHECKING:
    import keras


def spec_of(model: keras.Model, name: str = "", folded: bool = True) -> dict[str, Any]:
    """The spec of a functional or sequential model, as plain data that `zoo.load` takes.

    `name` is the spec's (default: the model's own). Without `folded`, every layer stands on a line of its own.
    Raises `ZooError` with every layer that no spec can say.
    """
    if name and not NAME.fullmatch(name):
        raise ZooError(f"`{name}` is no name of a spec; expected {NAMES}, which begin with a letter or a digit")
    if wrong := without_graph(model):
        raise ZooError(wrong)
    sized = any(one.shape[0] is not None for one in model.inputs)
    try:
        flat = _flat(model, name, sized and any(getattr(one, "stateful", False) for one in model._flatten_layers()))
    except ZooError:  # what was built for batches of a size may need them
        if not sized:
            raise
        flat = _flat(model, name, True)
    return folding.fold(flat) if folded else flat


def _flat(model: Any, name: str, sized: bool) -> dict[str, Any]:
    """The spec of a model, a layer a line, that takes batches of any size unless it is `sized`."""
    whole = Whole(not model.trainable, sized)
    flat = _spec(whole, model, name)
    spec, problems = reading.read(flat, "the imported spec", {})
    unfolded, more = unfolding.unfold(spec.fill()) if spec else (None, [])
    if problems := problems + more:
        raise ZooError(*problems)
    partly = not all(trained for _, trained in flags(model))
    was_sized = any(one.shape[0] is not None for one in model.inputs)
    wrong = _unlike(model, unfolded, whole) if unfolded and (whole.added or partly or was_sized) else ""
    if wrong:
        raise ZooError(wrong)
    return flat


def _unlike(model: Any, unfolded: network.Network, whole: Whole) -> str:
    """Why the weights of what is built again would stand in another order or train otherwise; an empty text if not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a layer drops a mask, which is what it is there for
        try:
            made = lower(unfolded, Plain())
        except ValueError as error:  # a name that Keras gives to what makes a mask is a layer's as well
            raise ZooError(f"Keras does not build `{model.name}` again: {str(error).splitlines()[0][:200]}") from error
    return _another_order(model, made, whole) or trained_otherwise(model, made)


def _another_order(model: Any, made: Any, whole: Whole) -> str:
    """Why the weights would not copy in order, an empty text if they do.

    Keras orders the layers by how far they are from the outputs, and a layer more in one of two branches changes that,
    or a model inside that is laid out flat.
    """
    names = [_weighty(one) for one in (model, made)]
    both = set(names[0]) & set(names[1])
    for one, other in zip(*([name for name in found if name in both] for found in names), strict=True):
        if one != other:
            name, why = next(iter(whole.added.items()))
            return (
                f"the layer `{name}` {why}, and with that the weights of `{other}` come before those of `{one}`; "
                "expected branches in which it changes no order"
            )
    return ""


def _weighty(model: Any) -> list[str]:
    """The names of the layers with weights, in order, those of models inside the model among them."""
    import keras

    found: list[str] = []
    for layer in model.layers:
        inside = layer if isinstance(layer, keras.layers.Pipeline) else model_in(layer)
        found += _weighty(inside) if inside else [layer.name] * bool(layer.weights)
    return list(dict.fromkeys(found))


def read(path: Path) -> keras.Model:
    """The model of a `.keras` file, read without running code that it may hold. Raises `ZooError` if it cannot be."""
    import keras

    importlib.import_module("zoo.layers.published")  # so that a file with layers of ours is read
    if path.is_dir():
        raise ZooError(f"{path} is a folder; expected the path of a file that Keras saved as .keras")
    if path.suffix != ".keras" or not path.is_file():
        raise ZooError(f"{path} is no model; expected the path of a file that Keras saved as .keras")
    if not zipfile.is_zipfile(path):  # Keras would say that it is not there
        raise ZooError(f"{path} holds no model: it is no zip archive; expected a file that Keras saved as .keras")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what comes of it is told
            return _still(keras.saving.load_model(path, compile=False, safe_mode=True))
    except Exception as error:  # Keras raises whatever a file makes it stumble over
        says = str(error).strip() or type(error).__name__
        if foreign := list(_foreign(path)):
            raise ZooError(*foreign) from error
        unknown = re.search(r"Could not locate (?:class|function) '(\w+)'|deserialize object of type `(\w+)`", says)
        if unknown:
            wrong = f"{path} holds {unknown[1] or unknown[2]}, which is none of Keras's own"
            raise ZooError(Foreign(wrong, "a functional or a sequential model of layers that everybody has")) from error
        raise ZooError(f"Keras cannot read {path}: {' '.join(says.split())[:300]}") from error


def _foreign(path: Path) -> Iterator[Problem]:
    """The layers of a file that run code or are none of Keras's own, by their names, as far as its text tells."""
    with contextlib.suppress(KeyError, OSError, ValueError, zipfile.BadZipFile), zipfile.ZipFile(path) as file:
        waiting = [(json.loads(file.read("config.json")), False)]
        while waiting:
            one, is_layer = waiting.pop()
            if isinstance(one, list):
                waiting += ((inner, is_layer) for inner in reversed(one))
            elif isinstance(one, dict):
                waiting += ((inner, key in (*HOLDING, *catalogue.ACTIVE)) for key, inner in reversed(one.items()))
            if not is_layer or not isinstance(one, dict) or not {"class_name", "module", "config"} <= {*one}:
                continue
            kind, held = str(one["class_name"]), one["config"]
            name = held.get("name") if isinstance(held, dict) else None
            if not name:
                continue
            given = held.items() if isinstance(held, dict) else ()
            for key, function in given:
                if isinstance(function, dict) and function.get("class_name") == "function":
                    wrong = f"the layer `{name}` has the {key} {function['config']}, which is none of Keras's own"
                    yield Foreign(wrong, "one of Keras's by its name")
            if kind == "Lambda":
                yield Foreign(f"the layer `{name}` is a Lambda: {catalogue.REFUSED['Lambda']}")
            elif one.get("registered_name") and not str(one["module"] or "").startswith(("keras.", "zoo.")):
                yield Foreign(
                    f"the layer `{name}` is a {kind}, which is no layer of Keras", "layers that everybody has"
                )


def _still(model: Any) -> Any:
    """The model, what its frozen layers made for themselves frozen again: Keras forgets that when it reads a file."""
    for one in model._flatten_layers():
        if not one.trainable and not thaws(one):
            one.trainable = True  # or else nothing would be set
            one.trainable = False
    return model


def _spec(whole: Whole, model: Any, name: str) -> dict[str, Any]:
    """The whole spec, flat."""
    if not calls_of(model):
        raise ZooError(f"`{model.name}` has no layers; expected at least one")
    begun, names = stated(model, name, whole.sized)
    whole.flat = sharing(model)
    body = Body(whole, model, names, {kinds(begun["input"])[0]} if "input" in begun else set())
    outputs = body.run()
    if whole.refused:
        raise ZooError(*whole.refused)
    theirs = [one.name for one in map(operation_of, model.inputs)] if len(names) > 1 else []
    whole.renamed |= {name: made for name, made in zip(theirs, names, strict=False) if made != name}
    if whole.renamed:
        told = listed((f"`{made}` for `{name}`" for name, made in whole.renamed.items()), 5)
        begun["summary"] = f"{begun['summary'].rstrip('.')}; names that no spec has: {told}."
    for name, one in begun.get("inputs", {}).items():
        one |= {} if name in body.read or name in outputs else {"unused": True}
    cut = _head(body.items) if begun["task"] and outputs == [body.previous] else len(body.items)
    given = [begun["input"]] if "input" in begun else begun["inputs"].values()
    odd = any({*ODD} & {*one} for one in given)
    meet = odd or whole.over_rows or (whole.together and mixed(model))
    if meet and not whole.sized and any(one.shape[0] is not None for one in model.inputs):
        raise ZooError(f"`{model.name}` takes the rows of a batch together; expected it with their number")
    cut = len(body.items) if meet else cut  # no task answers rows that meet
    layers, head = body.items[:cut], _sized(body.items[cut:], begun)
    blocks = whole.blocks.values()
    everything = [*layers, *head, *(one for block in blocks for one in block["layers"])]
    typed, knobs, tables = _typed(everything), _knobs(everything), _tables(everything)
    for block in blocks:
        block["layers"] = list(map(_bare, block["layers"]))
    return {
        **begun,
        "family": _family(body.classes),
        "task": begun["task"] or "regression",
        **knobs,
        **typed,
        **({"let": tables} if tables else {}),
        **({"blocks": whole.blocks} if blocks else {}),
        "layers": list(map(_bare, layers)),
        **({"head": list(map(_bare, head))} if head else {"outputs": outputs}),
    }


def stated(model: keras.Model, name: str = "", sized: bool = False) -> tuple[dict[str, Any], list[str]]:
    """What a model tells of itself from outside, as the beginning of a spec, and the names of its inputs in items.

    `task` is an empty text where its output tells none; `family` is told by the classes of its layers. A number of rows
    that Keras took from the first batch is none of its inputs' unless it is `sized`.
    Raises `ZooError` for inputs that no spec can state.
    """
    inputs = [_input(tensor, sized) for tensor in model.inputs]
    kind = kinds(inputs[0])[0]  # what a single input is called, unless a layer is
    taken = {one.name for one in model.layers} - {operation_of(model.inputs[0]).name}
    single = len(inputs) == 1 and not {kind, "input"} & taken
    names = ["input"] if single else input_names(model)
    task, facts = _task(model)
    if "vocabulary" in facts:
        inputs[0]["vocabulary"] = facts.pop("vocabulary")
    begun = {
        "spec": 1,
        "name": name or _spec_name(model.name),
        "family": _family(type(one).__name__ for one in model._flatten_layers()),
        "task": task,
        "summary": f"Imported from the Keras model {model.name}.",
        **facts,
        **({"input": inputs[0]} if single else {"inputs": dict(zip(names, inputs, strict=True))}),
    }
    return begun, names


# What stands around the layers


def _input(tensor: Any, sized: bool) -> dict[str, Any]:
    """An input's shape, type and what else is odd in it. Raises `ZooError` for one that no spec can state."""
    name, shape = operation_of(tensor).name, list(tensor.shape[1:])
    if len(shape) not in KINDS:
        raise ZooError(f"the input `{name}` has {len(shape)} sizes; expected {min(KINDS)} to {max(KINDS)}")
    if tensor.dtype not in DTYPES:
        raise ZooError(f"the input `{name}` is {tensor.dtype}; expected one of {listed(DTYPES)}")
    rows = tensor.shape[0] if sized else None
    odd = {"batch_size": rows, "sparse": bool(getattr(tensor, "sparse", False)), "optional": _is_optional(tensor)}
    typed = {"dtype": tensor.dtype} if tensor.dtype != "float32" else {}
    return {"shape": shape, **typed, **{key: value for key, value in odd.items() if value}}


def _is_optional(tensor: Any) -> bool:
    return bool(getattr(operation_of(tensor), "optional", False))


def _task(model: Any) -> tuple[str, dict[str, int]]:
    """What the network is for, as its first output tells: its shape and its last activation; nothing if no task is."""
    import keras

    output = model.outputs[0]
    shape, layer = tuple(output.shape[1:]), operation_of(output)
    while isinstance(layer, keras.layers.Layer) and model_in(layer):
        layer = operation_of(model_in(layer).outputs[0])
    held = getattr(layer, "layer", layer)  # at each step
    activation = getattr(held, "activation", None) or held
    activation = getattr(activation, "activation", activation)  # a layer that holds one
    activation = getattr(activation, "__name__", type(activation).__name__.lower())
    last, before = shape[-1] if shape else None, tuple(model.inputs[0].shape[1:])
    if activation == "softmax" and last == 1:  # which is 1 whatever the row
        return "", {}
    if last and len(shape) == 1 and activation == "softmax":
        return "classification", {"classes": last}
    if last and len(shape) == len(before) == 3 and activation == "softmax" and shape[:2] == before[:2]:
        return "segmentation", {"classes": last}
    if activation == "sigmoid" and shape == (1,):
        return "binary", {}
    if last and len(shape) == 1 and activation == "sigmoid":
        return "multilabel", {"classes": last}
    # The vocabulary of a language is its first input's: one that tags its words answers other classes.
    read = {one.input_dim for one in model._flatten_layers() if isinstance(one, keras.layers.Embedding)}
    alone = len(model.inputs) == 1 and read <= {last}
    if last and len(shape) == 2 and activation == "softmax" and shape[:1] == before and alone:
        return "language", {"vocabulary": last}
    if len(shape) == 2 and None not in shape and activation not in ("softmax", "sigmoid"):
        return "forecasting", {"horizon": shape[0], "features": shape[1]}
    return ("regression", {"targets": last}) if last and len(shape) == 1 else ("", {})


LAST = ("Activation", *network.ACTIVATIONS, "ops.softmax", "ops.sigmoid")
"""What may stand behind the last `Dense`."""


def _head(items: list[Item]) -> int:
    """Where the head begins: at the last `Dense` with its activation, else at the last item."""
    cut = last = len(items) - 1
    while cut > 0 and any(one in items[cut] and "from" not in items[cut][one] for one in LAST):
        cut -= 1
    return cut if "Dense" in items[cut] else last


def _sized(head: list[Item], facts: Mapping[str, int]) -> list[Item]:
    """The head, its units the spec's `classes` or `targets`, so that data that know better are taken at their word."""
    first = head[0].get("Dense") if head else None
    for key in ("classes", "targets"):
        if first and facts.get(key) == first["units"]:
            return [{"Dense": {**first, "units": f"${key}"}}, *head[1:]]
    return head


def _family(classes: Iterable[str]) -> str:
    """The family that the layers are of."""
    found = set(classes)
    if found & {*catalogue.STATES, "RNN", "Bidirectional"}:
        return "rnn"
    pooled = ("Pooling2D", "Pooling3D")
    return "cnn" if any("Conv" in one or one.endswith(pooled) for one in found) else "mlp"


def _spec_name(name: str) -> str:
    made = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).lstrip("_.-")
    return made or "imported"


def _tables(items: list[Item]) -> dict[str, Any]:
    """The long constants of operations by names of their own, taken out of them; equal ones have one name."""
    found: dict[str, Any] = {}
    for one in (one for item in items for one in item.get("layers", [item])):
        target, body = next(iter(one.items()))
        for key, value in body.items() if catalogue.is_operation(target) else ():
            if parsing.short(value):
                name = next((name for name, known in found.items() if json.dumps(known) == json.dumps(value)), "")
                name = name or free("table", found)
                found[name], body[key] = value, f"${name}"
    return found


# Lambda and p


def _typed(items: list[Item]) -> dict[str, str]:
    """The spec's `dtype`: what most layers compute in, taken out of them, if that is not float32."""
    named = (one for item in items for one in _bodies(item))
    bodies = [body for target, body in named if not catalogue.of_whole_numbers(target)]
    found = Counter(body.get("dtype", "float32") for body in bodies)
    most = max(found, key=lambda one: found[one], default="float32")
    if most == "float32" or most not in catalogue.POLICIES:
        return {}
    for body in bodies:
        if body.setdefault("dtype", "float32") == most:
            del body["dtype"]
    return {"dtype": most}


def _knobs(items: list[Item]) -> dict[str, float]:
    """The spec's `l2` and `dropout`: what all kernels and all dropout layers have in common, taken out of them."""
    bodies = [(target, body) for item in items for target, body in _bodies(item)]
    found: dict[str, float] = {}
    every = [body.get(key) for target, body in bodies for key in kernel_keys(target)]
    lambdas = {json.dumps(one) for one in every}
    if len(lambdas) == 1 and isinstance(every[0], dict) and list(every[0]) == ["L2"]:
        found["l2"] = every[0]["L2"]["l2"]
        for target, body in bodies:
            for key in kernel_keys(target):
                del body[key]
    elif any(kernels(target, body) for target, body in bodies):
        found["l2"] = 0
    dropouts = [body for item in items for target, body in _bodies(item, wrapped=False) if target in catalogue.DROPOUTS]
    rates = {body["rate"] for body in dropouts}
    if len(rates) == 1:
        found["dropout"] = rates.pop()
        for body in dropouts:
            del body["rate"]
    return found


def kernel_keys(target: str) -> list[str]:
    """The regularisers of a layer through which lambda acts, those of the layers it wraps left out."""
    known = catalogue.catalogue()["layers"].get(target, {"arguments": ()})["arguments"]
    return [key for key in catalogue.KERNELS if key in known]


def _bodies(item: Item, wrapped: bool = True) -> Iterator[tuple[str, dict[str, Any]]]:
    """The layers of an item with their arguments, those that it wraps or has as activations included."""
    if "layers" in item:
        for one in item["layers"]:
            yield from _bodies(one, wrapped)
        return
    target, body = next(iter(item.items()))
    if not target[:1].isupper():
        return
    yield target, body
    for key in (*WRAPPED, *catalogue.ACTIVE) if wrapped else ():
        if key in body and (key in WRAPPED or isinstance(body[key], dict)):
            held = body[key] if isinstance(body[key], list) else [body[key]]
            inner = [{one: {}} if isinstance(one, str) else one for one in held]
            body[key] = inner if isinstance(body[key], list) else inner[0]
            for one in inner:
                yield from _bodies(one)


def _bare(item: Item) -> Item:
    """An item without empty braces."""
    if "layers" in item:
        return {**item, "layers": [_bare(one) for one in item["layers"]]}
    target, body = next(iter(item.items()))
    for key in WRAPPED if target != "reuse" else ():
        if key in body:
            inner = body[key]
            body = {**body, key: list(map(_bare, inner)) if isinstance(inner, list) else _bare(inner)}
    return {target: body} if body else target
