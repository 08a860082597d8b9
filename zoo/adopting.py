"""A user's own Keras model, or the function that builds it, to a spec that a search can turn.

A model is imported. A function is called twice with values far apart: the arguments in which its two models differ are
where lambda and p act, and there the spec says `$l2` and `$dropout`. Nothing of the session is disturbed by that: names
and random numbers go on as if the function had not been called. Where no layers of a spec can say what a function
makes, its spec is one layer, `Function`, which calls it again for each trial.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import itertools
import json
import math
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path as File
from typing import TYPE_CHECKING, Any

from zoo import importing, selection
from zoo.errors import Problem, ZooError, joined, listed, plainly
from zoo.importing.graphs import Foreign, operation_of, without_graph
from zoo.language import catalogue, fields, folding, network, reading, unfolding
from zoo.language.expressions import is_expression
from zoo.language.families import OWN_LOSSES, losses
from zoo.language.network import Network
from zoo.language.objects import WRAPPED, is_lambda, is_rate
from zoo.language.parsing import Path, shown, written
from zoo.language.ranges import is_number
from zoo.language.spec import DEFAULT_DROPOUT, DEFAULT_L2, Spec
from zoo.layers import functions
from zoo.meeting import around
from zoo.seeding import drawn_from

if TYPE_CHECKING:
    import keras

Data = dict[str, Any]
Build = functions.Build

USUAL = {"l2": DEFAULT_L2, "dropout": DEFAULT_DROPOUT}
"""What a function may take, and the value of each that its signature does not give."""

PROBES = {"l2": (3 / 2**19, 23 / 256), "dropout": (91 / 128, 7 / 128)}
"""The values of the two calls: far apart, so that a bound between them shows; no power of one ratio is the other."""

CLOSE = 1e-6
"""So near, relatively, are equal numbers: Keras keeps lambda in float32."""

LARGEST_DIVISOR = 64
"""A multiple is written as a fraction up to this divisor, else with a point."""

COUNTED = re.compile(r"(functional|sequential|model)(_\d+)?")
"""Names of models that Keras gave: they say nothing of the model."""

LOGITS = {
    "SparseCategoricalCrossentropy": "softmax", "CategoricalCrossentropy": "softmax", "BinaryCrossentropy": "sigmoid",
    "CategoricalFocalCrossentropy": "softmax", "BinaryFocalCrossentropy": "sigmoid",
}  # fmt: skip
"""Losses that may be told `from_logits=True`, and the activation that the model then leaves to them."""


def adopt(source: keras.Model | Build | str | File, name: str = "") -> Spec:
    """The spec of a user's own model: a `keras.Model`, a `.keras` file, or a function `build(l2, dropout)` of one.

    `name` is the spec's (default: the model's, the file's or the function's own). The optimizer of a compiled model
    becomes `train.optimizer`; where its loss is told `from_logits=True`, the activation that it computes stands last.
    What else its loss was told becomes `train.loss`; metrics are the task's. A function takes `l2` and `dropout` by
    name, or one of them, everything else at a default. What follows them becomes an expression, and each gets a range
    around the function's own default.
    Weights begin anew, but in a file with frozen layers, which is where they begin then. A function that makes what no
    spec can say (other layers for other values, layers of one's own, frozen ones) is called again for each trial, of
    which a warning tells why.
    Raises `ZooError` with a sentence for what no spec can say: models without a graph, optimizers and losses of one's
    own; and of a model or a file, layers of one's own and frozen ones in memory.
    """
    import keras

    with drawn_from(0):  # layers that are made to be looked at draw seeds
        if isinstance(source, (str, File)):
            return _of_file(File(source), name)
        if isinstance(source, keras.Model):
            return _of_model(source, name)
        if callable(source):
            return _of_function(source, name)
    what = f"`{type(source).__name__}` is nothing to adopt"
    raise ZooError(f"{what}; expected a keras.Model, the path of a .keras file, or a function build(l2, dropout)")


def logits(path: File, spec: Data) -> str:
    """What a spec that was imported from a file lacks to be trained for its logits; an empty text for nothing.

    An imported network answers what it answered; where `adopt` knows from the loss, it lets an activation stand last.
    """
    compiled, units = _compiled_in(path), spec.get("targets", 0)
    says = compiled.activation or (not compiled.loss and units > 1)
    if spec["task"] != "regression" or "head" not in spec or not units or not says:
        return ""
    activation = compiled.activation or "softmax"
    task = "classification" if activation == "softmax" else "binary" if units == 1 else "multilabel"
    begin = "its loss takes logits" if compiled.activation else "if what it answers are logits"
    told = "units: 1" if task == "binary" else f"classes: {units}`, `units: $classes"
    return f"{begin}: `task: {task}`, `{told}` and `activation: {activation}` in its head train it as that"


def _of_file(path: File, name: str) -> Spec:
    with _or_a_function():
        model = importing.read(path)
        compiled = _compiled_in(path)
        data = _folded(_data(model, compiled, name or _own_name(model, path.stem)))
    if compiled.lacks_delta:
        taken = "is compiled with Huber, whose delta Keras leaves out of the file: it is taken to be 1"
        warnings.warn(f"{path} {taken}; train.loss.Huber.delta sets another", stacklevel=4)
    if _frozen(data):
        data["weights"] = str(path.resolve())
    return _checked(data, str(path))


def _of_model(model: keras.Model, name: str) -> Spec:
    with _or_a_function():
        data = _folded(_data(model, _compiled(model), name or _own_name(model)))
    _refuse_frozen(data, f"`{model.name}`")
    return _checked(data, model.name)


@contextlib.contextmanager
def _or_a_function() -> Iterator[None]:
    """Say of layers that no spec can hold that a function may make them."""
    try:
        yield
    except ZooError as error:
        raise ZooError(*map(_expecting, error.problems)) from error


def _expecting(problem: Problem) -> Problem:
    if not isinstance(problem, Foreign):
        return problem
    what = "a function build(l2, dropout) that makes the model, which is taken as it is"
    says = str(problem)
    return Problem(says + (", or " if "; expected" in says else "; expected ") + what)


def _folded(data: Data) -> Data:
    """The spec of a model in fewer lines. Where some kernels share one lambda and the others have none, it is `l2`."""
    lambdas: set[Any] = set()

    def looked_at(target: str, body: Data) -> Data:
        body, slots = _slots(target, body)
        for inner, key in slots:
            if (found := _lambda_of(inner.get(key))) is not None:
                lambdas.add(found)
                inner[key] = {"L2": {"l2": "$l2"}}
        return body

    shared = _each(data, looked_at)
    if data.get("l2") == 0 and len(lambdas) == 1:
        data = {**_with_lambda(shared), "l2": lambdas.pop()}
    return folding.fold(data)


def _checked(data: Data, source: str) -> Spec:
    """The spec of plain data. Raises `ZooError` with every problem."""
    found, problems = reading.read({key: data[key] for key in fields.FIELDS if key in data}, source, {})
    problems += selection.body_problems(found) if found else []
    if found is None or problems:
        raise ZooError(*problems)
    return found


def _own_name(model: Any, otherwise: str = "") -> str:
    """The name that the model was given, or another where Keras counted it, as a spec may be called."""
    counted = COUNTED.fullmatch(model.name)
    given = (otherwise or counted[1]) if counted else model.name
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", given).strip("_.-") or "adopted"


# What a model was compiled with


@dataclass(frozen=True)
class _Compiled:
    """The optimizer and the loss of a compiled model, as Keras serialises them."""

    optimizer: Mapping[str, Any] | None = None
    loss: Any = None

    @property
    def activation(self) -> str:
        """The activation that the loss computes, an empty text for none."""
        if not isinstance(self.loss, Mapping):
            return ""
        name, config = str(self.loss.get("class_name")), self.loss.get("config")
        return LOGITS.get(name, "") if isinstance(config, Mapping) and config.get("from_logits") is True else ""

    @property
    def lacks_delta(self) -> bool:
        """Whether the loss is a Huber that does not tell its delta, as Keras 3.15 saves it."""
        told = self.loss if isinstance(self.loss, Mapping) else {}
        return told.get("class_name") == "Huber" and "delta" not in (told.get("config") or {})

    def train(self, task: str) -> Data:
        """How the model is trained for a task, as a spec writes it."""
        if not self.optimizer:
            return {}
        loss = _loss(self.loss, task)
        return {"train": {"optimizer": _optimizer(self.optimizer), **({"loss": loss} if loss else {})}}


def _compiled(model: Any) -> _Compiled:
    import keras

    if not model.compiled or model.optimizer is None:
        return _Compiled()
    _check_weights(getattr(model._compile_loss, "_user_loss_weights", None))
    return _Compiled(keras.saving.serialize_keras_object(model.optimizer), _told(_alone(model.loss)))


def _told(loss: Any) -> Any:
    """A loss as Keras serialises it; one that is none of Keras's by its name alone, without a config."""
    import keras

    if loss is None or isinstance(loss, (str, list, tuple, Mapping)):
        return loss
    name = getattr(loss, "__name__", type(loss).__name__)
    if isinstance(loss, keras.losses.Loss):
        if type(loss).__module__.split(".")[0] not in ("keras", "zoo"):
            return {"class_name": name}
        told = keras.losses.serialize(loss)
        # Keras 3.15 leaves the delta of Huber out of its config.
        return {**told, "config": {**told["config"], **getattr(loss, "_fn_kwargs", {})}}
    return name if getattr(keras.losses, name, None) is loss else {"class_name": name}


def _alone(loss: Any) -> Any:
    """The only one of several losses, for a model that answers one tensor."""
    several = list(loss.values()) if isinstance(loss, Mapping) and "class_name" not in loss else loss
    return several[0] if isinstance(several, (list, tuple)) and len(several) == 1 else loss


def _check_weights(weights: Any) -> None:
    several = weights.values() if isinstance(weights, Mapping) else weights
    several = several if isinstance(weights, (list, tuple, Mapping)) else [weights]
    if not all(one in (None, 1) for one in several):
        wrong = f"the model is compiled with loss_weights={weights!r}, which no spec can say"
        raise ZooError(f"{wrong}; expected none, or a model that is not compiled")


def _compiled_in(path: File) -> _Compiled:
    """What a file says of how its model was compiled, read as data: nothing of it is made or run."""
    import keras

    with zipfile.ZipFile(path) as held:
        given = json.loads(held.read("config.json")).get("compile_config") or {}
    optimizer, loss = given.get("optimizer"), given.get("loss")
    if isinstance(optimizer, str):
        optimizer = keras.saving.serialize_keras_object(keras.optimizers.get(optimizer))
    if optimizer:
        _check_weights(given.get("loss_weights"))
    return _Compiled(optimizer, _alone(loss))


def _data(model: Any, compiled: _Compiled, name: str) -> Data:
    """The flat spec of a model as data, with its optimizer, its loss and its last activation."""
    data = importing.spec_of(_answering(model, compiled.activation), name, folded=False)
    data["summary"] = f"Taken over from the Keras model {model.name}."
    return {**data, **compiled.train(str(data["task"]))}


def _answering(model: Any, activation: str) -> Any:
    """The model, or one of the same layers with an activation behind them where it leaves that to its loss."""
    import keras

    outputs = getattr(model, "outputs", None) or []  # none in a model without a graph, which is refused later
    if not activation or len(outputs) != 1:
        return model
    last = operation_of(outputs[0])
    while isinstance(last, keras.Model):
        last = operation_of(last.outputs[0])
    answers = type(last).__name__ in ("Softmax", "Sigmoid")  # as what a loss computes is told: Keras heeds the layer
    if answers or getattr(last, "activation", keras.activations.linear) is not keras.activations.linear:
        return model
    taken = {layer.name for layer in model.layers}
    behind = keras.layers.Activation(activation, name=network.free("activation", taken))
    return keras.Model(model.inputs, behind(outputs[0]), name=model.name)


def _optimizer(given: Mapping[str, Any]) -> Data:
    """An optimizer as a spec writes it: what differs from Keras's defaults, and the learning rate in any case."""
    kind, config = str(given["class_name"]), given["config"]
    known = catalogue.catalogue()["optimizers"]
    if kind not in known or not _is_keras(given):
        wrong = f"the model is compiled with {kind}, which is no optimizer of a spec"
        raise ZooError(f"{wrong}; expected one of {listed(known, 20)}, or a model that is not compiled")
    if config.get("use_ema"):
        wrong = f"the model is compiled with {kind} and use_ema=True, and here the weights themselves are kept"
        raise ZooError(f"{wrong}, not their averages; expected use_ema=False, or a model that is not compiled")
    usual, rate = known[kind]["arguments"], config["learning_rate"]
    differ = {key: config[key] for key, one in usual.items() if key in config and config[key] != one}
    return {kind: {**differ, "learning_rate": _schedule(rate) if isinstance(rate, Mapping) else _short(rate)}}


def _loss(given: Any, task: str) -> Data | str | None:
    """A loss as a spec for a task writes it: what differs from Keras's defaults; None where it is the task's own."""
    known, fits = catalogue.catalogue()["losses"], losses(None)
    if given is None:
        return None
    name, config = "several losses", dict[str, Any]()
    plain = {plainly(one): one for one in known}
    if isinstance(given, Mapping) and given.get("class_name") == "function":
        called = str(given.get("config"))  # Keras's own go by their whole names
        name = plain.get(plainly(called), f"{called}, a loss of its own")
    elif isinstance(given, str):
        name = plain.get(plainly(given), catalogue.SHORT.get(given.lower(), given))
    elif isinstance(given, Mapping) and given.get("registered_name") == "zoo>OfClasses":
        return _loss(given["config"]["loss"], task)
    elif (
        isinstance(given, Mapping)
        and "config" in given
        and (_is_keras(given) or given.get("registered_name") == "zoo>Huber")
    ):
        name, config = str(given["class_name"]), given["config"]
    elif isinstance(given, Mapping) and "class_name" in given:
        name = f"{given.get('registered_name') or given['class_name']}, a loss of its own"
    if name not in fits:
        wrong = f"the model is compiled with {name}, which is no loss of a spec"
        raise ZooError(f"{wrong}; expected one of {', '.join(fits)}, or a model that is not compiled")
    if losses(task) and name not in losses(task):
        wrong = f"the model is compiled with {name}, which is no loss for {task}, as its last layer says"
        raise ZooError(f"{wrong}; expected one of {', '.join(losses(task))}, or a model that is not compiled")
    usual = {"reduction": ("sum_over_batch_size", "mean"), "axis": (-1, None)}
    for key, values in usual.items():
        if key in config and config[key] not in values:
            wrong = f"the model's loss {name} has {key}={config[key]!r}, which no spec can say"
            raise ZooError(f"{wrong}; expected {key}={values[0]!r}, or a model that is not compiled")
    arguments = known[name]["arguments"]
    differ = {key: config[key] for key, one in arguments.items() if key in config and config[key] != one}
    return {name: differ} if differ else None if name in OWN_LOSSES.get(task, ()) else name


def _schedule(given: Mapping[str, Any]) -> Data:
    """A learning-rate schedule as a spec writes it."""
    kind, config = str(given["class_name"]), given["config"]
    known = catalogue.catalogue()["schedules"]
    if kind not in known or not _is_keras(given):
        what = config if kind == "function" else kind
        wrong = f"the model's learning rate is {what}, which is no schedule of a spec"
        raise ZooError(f"{wrong}; expected a number, or one of {listed(known)}")
    usual, required = known[kind]["arguments"], known[kind]["required"]
    return {kind: {key: config[key] for key, one in usual.items() if key in required or config.get(key, one) != one}}


def _is_keras(given: Mapping[str, Any]) -> bool:
    return str(given.get("module", "")).split(".")[0] == "keras" and isinstance(given["config"], Mapping)


def _short(value: float) -> float:
    """A number that Keras keeps in float32 as it was written: 0.001 for 0.0010000000474974513."""
    import numpy as np

    return float(str(np.float32(value)))


# What is frozen has learnt something, and a spec holds no weights


def _refuse_frozen(data: Data, what: str) -> None:
    if layer := _frozen(data):
        raise ZooError(
            f"{what} holds layers that are frozen (`{layer}`), and a spec begins anew; expected what they have learnt "
            "in a file: save the model as .keras, and search that file"
        )


def _frozen(value: Any, within: str = "") -> str:
    """The first layer that is frozen, an empty text if none is."""
    if isinstance(value, list):
        return next(filter(None, (_frozen(one, within) for one in value)), "")
    if not isinstance(value, Mapping):
        return ""
    if value.get("frozen") is True or value.get("trainable") is False:
        return str(value.get("name", within))
    return next(filter(None, (_frozen(one, key) for key, one in value.items())), "")


# A function: called twice, and compared


def _of_function(build: Build, name: str) -> Spec:
    called = functions.name_of(build)
    usual = _defaults(build, called)
    calls = [{key: PROBES[key][index] for key in usual} for index in (0, 1)]
    models: list[Any] = []
    try:
        models += [_model(build, called, values) for values in calls]
        name = name or _own_name(models[0], called)
        _refuse_set(models[0], _model(build, called, calls[0], seed=1))
        return _followed(called, usual, calls, models, name)
    except _Idle:
        raise
    except ZooError as error:
        why = str(error).partition("\n")[0].partition("; expected")[0]
    found = _called_anew(build, usual, models, name)
    warnings.warn(f"`{called}` is called again for each trial, which takes longer: {why}", stacklevel=4)
    return found


class _Idle(ZooError):
    """A function that does nothing with what it is given."""


def _followed(
    called: str, usual: Mapping[str, float], calls: Sequence[Mapping[str, float]], models: Sequence[Any], name: str
) -> Spec:
    """The spec of the layers of two models that a function made of these values, with knobs where they follow them."""
    flats = [_data(model, _compiled(model), name) for model in models]
    for flat in flats:
        _refuse_frozen(flat, f"the model that `{called}` makes")
    compared = _Compared(called, calls, _unfolded(flats[0]))
    compared.refuse_others(_unfolded(flats[1]))
    data: Data = compared.merged(*_spread(flats[0], {**flats[1], "summary": flats[0]["summary"]}), ())
    if compared.problems:
        raise ZooError(*compared.problems)
    if not compared.followed:
        raise _Idle(f"nothing in the model that `{called}` makes follows {joined(usual)}; expected it to use them")
    data["summary"] = f"Taken over from the function {called}."
    if "l2" in compared.followed:
        data = _with_lambda(data)
    if "dropout" in compared.followed:
        data = _with_dropout(data)
    return _checked({**data, **{key: around(key, usual[key]) for key in usual if key in compared.followed}}, called)


def _refuse_set(one: Any, other: Any) -> None:
    """Raise `ZooError` for a kernel that is the same under two seeds: a function has set it, and a spec begins anew."""
    for mine, its in zip(one.trainable_weights, other.trainable_weights, strict=False):
        value = mine.numpy()
        same = mine.shape == its.shape and value.ndim > 1 and (value == its.numpy()).all()
        if same and (value != 0).sum() > max(value.shape):  # no constant of zeros, and no identity
            raise ZooError(f"`{mine.path}` is set by the function, and a spec begins anew")


def _called_anew(build: Build, usual: Mapping[str, float], probes: Sequence[Any], name: str) -> Spec:
    """The spec of one layer, the model that a function makes: it is called again for each lambda and p."""
    called = functions.name_of(build)
    model = _model(build, called, usual)
    if wrong := without_graph(model):
        raise ZooError(wrong)
    if len(model.outputs) > 1:
        wrong = f"the model that `{called}` makes answers {len(model.outputs)} tensors"
        raise ZooError(f"{wrong}, and a data set holds one target; expected one")
    for one in probes:
        if taken := {id(v) for v in one.trainable_weights} & {id(v) for v in model.trainable_weights}:
            path = next(v.path for v in model.trainable_weights if id(v) in taken)
            wrong = f"`{called}` takes `{path}` from outside, which each trial would train further"
            raise ZooError(f"{wrong}; expected a function that makes all that is trained, or takes it frozen")
    compiled = _compiled(model)
    begun, names = importing.stated(_answering(model, compiled.activation), name or _own_name(model, called))
    begun["task"] = begun["task"] or "regression"
    train = compiled.train(str(begun["task"]))
    if any(_compiled(one).train(str(begun["task"])) != train for one in probes):
        wrong = f"what `{called}` compiles its model with follows {joined(usual)}"
        raise ZooError(f"{wrong}, and no layers of a spec can say the model; expected one optimizer and one loss")
    readers = {type(one).__name__: one for one in model.layers if _reads_input(one, model)}
    if "Embedding" in readers and "input" in begun:
        begun["input"] |= {"dtype": "int32", "vocabulary": readers["Embedding"].input_dim}
    reads = {"reads": "raw"} if {"Rescaling", "Normalization"} & {*readers} else {}
    values = [f"${key}" for key in usual]
    item = {**functions.hand_in(build), "takes": [*usual], "values": values, **reads, "name": "made"}
    item["from"] = names if len(names) > 1 else names[0]
    after = [{"Activation": {"activation": compiled.activation, "name": "answer"}}] if compiled.activation else []
    data = {
        **begun,
        "summary": f"Made by the Python function {called}, which is called again for each trial.",
        **{key: around(key, value) for key, value in usual.items()},
        "layers": [{"Function": item}, *after],
        "outputs": ["answer" if after else "made"],
        **train,
    }
    return _checked(data, called)


def _reads_input(layer: Any, model: Any) -> bool:
    """Whether a layer is called on an input of the model."""
    inputs = {id(one) for one in model.inputs}
    return any(id(tensor) in inputs for node in layer._inbound_nodes for tensor in node.input_tensors)


def _defaults(build: Build, called: str) -> dict[str, float]:
    """Which of `l2` and `dropout` a function takes, and its own value of each. Raises `ZooError` for others."""
    try:
        parameters = inspect.signature(build).parameters
    except (TypeError, ValueError):
        parameters = inspect.Signature().parameters
    named = {key: one for key, one in parameters.items() if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
    taken = {key: named[key].default for key in USUAL if key in named}
    if not taken:
        wrong = f"`{called}` takes {joined(parameters) or 'nothing'}"
        raise ZooError(f"{wrong}; expected a function of `l2` and `dropout`, or of one of them, that makes a model")
    several = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    needed = [key for key, one in parameters.items() if one.default is one.empty and one.kind not in several]
    if needed := [key for key in needed if key not in taken]:
        raise ZooError(f"`{called}` needs {joined(needed)}; expected a default for all but `l2` and `dropout`")
    return {key: _default(key, given, called) for key, given in taken.items()}


def _default(key: str, given: Any, called: str) -> float:
    """The value that a function has by itself: None means none, 0."""
    if given is inspect.Parameter.empty:
        return USUAL[key]
    value = given.item() if hasattr(given, "item") else 0.0 if given is None else given
    accepts, expected = (is_lambda, "a number of 0 or above") if key == "l2" else (is_rate, "0 or above and below 1")
    if not accepts(value):
        raise ZooError(f"`{called}` has {key}={given!r} as its default; expected {expected}")
    return float(value)


def _model(build: Build, called: str, values: Mapping[str, float], seed: int = 0) -> keras.Model:
    """The model that a function makes of values. Raises `ZooError` if it makes none."""
    import keras

    try:
        with drawn_from(seed):
            made = functions.called(build, values)
    except Exception as error:  # it is the user's own code
        says = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise ZooError(f"`{called}` with {_said(values)} raises {type(error).__name__}: {says}") from error
    if not isinstance(made, keras.Model):
        raise ZooError(f"`{called}` gives a {type(made).__name__}; expected a keras.Model")
    return made


def _said(values: Mapping[str, float]) -> str:
    return ", ".join(f"{key}={value:.4g}" for key, value in values.items())


def _unfolded(flat: Data) -> Network:
    found, _ = unfolding.unfold(_checked(flat, "").fill())
    assert found is not None  # what is imported was unfolded there
    return found


@dataclass
class _Compared:
    """Two specs of one function: what follows its values, and what is otherwise different."""

    called: str
    calls: Sequence[Mapping[str, float]]
    first: Network
    problems: list[Problem | str] = field(default_factory=list)
    followed: set[str] = field(default_factory=set)

    def refuse_others(self, second: Network) -> None:
        """Raise `ZooError` if the second network is of other layers than the first."""
        made = [[f"`{node.name}` ({node.layer})" for node in found.walk()] for found in (self.first, second)]
        for one, other in itertools.zip_longest(*made, fillvalue="nothing"):
            if one != other:
                raise ZooError(
                    f"`{self.called}` makes other layers for other values: {one} with {_said(self.calls[0])}, {other} "
                    f"with {_said(self.calls[1])}; expected the same layers whatever they are"
                )

    def merged(self, one: Any, other: Any, path: Path) -> Any:
        """One value of two: itself where they are equal, an expression where they follow; else a problem is noted."""
        if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
            return {key: self.merged(one[key], other[key], (*path, key)) for key in one}
        if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            return [self.merged(*pair, (*path, at)) for at, pair in enumerate(zip(one, other, strict=True))]
        if type(one) is type(other) and one == other:
            return one
        followed = self._followed(one, other)
        if not followed:
            self.problems.append(self._no_multiple(path, one, other))
        return followed

    def _followed(self, one: Any, other: Any) -> str:
        """The expression that two numbers follow, an empty text if they follow none."""
        if not is_number(one) or not is_number(other):
            return ""
        for key in self.calls[0]:
            factor, again = one / self.calls[0][key], other / self.calls[1][key]
            if one and math.isclose(factor, again, rel_tol=CLOSE):
                self.followed.add(key)
                return f"${key}{_times(factor)}"
        return ""

    def _no_multiple(self, path: Path, one: Any, other: Any) -> str:
        what = f"`{written(path)}`"
        for node in self.first.walk():
            if written(path).startswith(f"{node.path}."):
                what = f"`{written(path).removeprefix(node.path)[1:]}` of the layer `{node.name}`"
        return (
            f"{what} differs between two calls of `{self.called}`, and is no multiple of {' or '.join(self.calls[0])}: "
            f"{shown(one)} with {_said(self.calls[0])}, {shown(other)} with {_said(self.calls[1])}; expected one of "
            "them itself, times a number, or what is the same in both"
        )


def _times(factor: float) -> str:
    """How a multiple is written behind a name: ` * 2`, ` / 2`, ` * 0.3`, ` * 2 / 3`; nothing for 1."""
    near = Fraction(factor).limit_denominator(LARGEST_DIVISOR)
    point = float(f"{factor:.3g}")
    if math.isclose(near, factor, rel_tol=CLOSE):
        above, below = near.numerator, near.denominator
        if below == 1:
            return "" if above == 1 else f" * {above}"
        if above == 1:
            return f" / {below}"
        if not math.isclose(point, factor, rel_tol=CLOSE):
            return f" * {above} / {below}"
    return f" * {point if math.isclose(point, factor, rel_tol=CLOSE) else _short(factor)}"


# Words of the language in the place of arguments: what they say is a knob, and needs no new trace


def _spread(one: Data, other: Data) -> tuple[Data, Data]:
    """Two specs with lambda and p in each layer, where what all layers of one share is not that of the other."""
    for key, spread in (("l2", _spread_lambda), ("dropout", _spread_dropout)):
        if one.get(key) != other.get(key):
            one, other = spread(one), spread(other)
    return one, other


def _spread_lambda(data: Data) -> Data:
    base = data.get("l2", 0)

    def spread(target: str, body: Data) -> Data:
        body, slots = _slots(target, body)
        for inner, key in slots if base else ():
            inner.setdefault(key, {"L2": {"l2": base}})
        return body

    return _each({key: one for key, one in data.items() if key != "l2"}, spread)


def _spread_dropout(data: Data) -> Data:
    base = data.get("dropout")

    def spread(target: str, body: Data) -> Data:
        return {"rate": base, **body} if target in catalogue.DROPOUTS else body

    return _each({key: one for key, one in data.items() if key != "dropout"}, spread)


def _with_lambda(data: Data) -> Data:
    """The spec with lambda said by `l2`: the spec's for kernels that follow it, else one of the item's own."""
    base = data.get("l2", 0)

    def worded(target: str, body: Data) -> Data:
        body, slots = _slots(target, body)
        found = [_lambda_of(inner[key]) if key in inner else base for inner, key in slots]
        known = Counter(one for one in found if one is not None)
        if not known:
            return body
        word = max(known, key=lambda one: (is_expression(one), known[one]))
        for (inner, key), one in zip(slots, found, strict=True):
            if one == word:
                inner.pop(key, None)
            elif one is not None:
                inner[key] = {"L2": {"l2": one}} if one else None
        return body if word == "$l2" else {**body, "l2": word}

    return _each(data, worded)


def _slots(target: str, body: Data) -> tuple[Data, list[tuple[Data, str]]]:
    """A copy of a layer's arguments, and in it where the regulariser of each of its kernels stands, or would."""
    body = copy.deepcopy(body)
    return body, [(inner, key) for name, inner in _wrapped(target, body) for key in importing.kernel_keys(name)]


def _lambda_of(given: Any) -> Any:
    """The lambda of an explicit regulariser; None for one that is no `L2`."""
    return given["L2"]["l2"] if isinstance(given, Mapping) and list(given) == ["L2"] else None


def _with_dropout(data: Data) -> Data:
    """The spec with p said by `dropout`: a dropout layer that follows it has no rate of its own."""

    def worded(target: str, body: Data) -> Data:
        follows = target in catalogue.DROPOUTS and body["rate"] == "$dropout"
        return {key: one for key, one in body.items() if key != "rate"} if follows else body

    # Where all layers share a rate that does not follow, it is theirs: the spec's is what follows elsewhere.
    return _each(_spread_dropout(data), worded)


def _each(data: Data, worded: Callable[[str, Data], Data]) -> Data:
    """The spec with the arguments of each layer changed."""
    blocks = {name: {**one, "layers": _items(one["layers"], worded)} for name, one in data.get("blocks", {}).items()}
    parts: Data = {key: _items(data[key], worded) for key in ("layers", "head") if key in data}
    return {**data, **({"blocks": blocks} if blocks else {}), **parts}


def _items(items: list[Any], worded: Callable[[str, Data], Data]) -> list[Any]:
    return [_item(one, worded) for one in items]


def _item(item: Any, worded: Callable[[str, Data], Data]) -> Any:
    if isinstance(item, dict) and "layers" in item:
        return {**item, "layers": _items(item["layers"], worded)}
    target, body = (item, {}) if isinstance(item, str) else next(iter(item.items()))
    if not target[:1].isupper():  # a block's call, or a layer once more
        return item
    made = worded(target, body)
    return {target: made} if made else target


def _wrapped(target: str, body: Data) -> Iterator[tuple[str, Data]]:
    """A layer and those that it wraps, each with its arguments, which may be changed."""
    yield target, body
    for key in WRAPPED:
        if key in body:
            several = isinstance(body[key], list)
            held = [{one: {}} if isinstance(one, str) else one for one in (body[key] if several else [body[key]])]
            body[key] = held if several else held[0]
            for one in held:
                yield from _wrapped(*next(iter(one.items())))
