"""A plan to models: the only place that makes and initialises weights, and that resets them for the next trial."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from zoo import pretrained
from zoo.apart import mixed
from zoo.errors import Problem, ZooError
from zoo.language import unfolding
from zoo.language.fields import BALANCED
from zoo.language.network import Network, Node, activation, answering, owner
from zoo.language.ranges import Filled
from zoo.language.spec import Spec
from zoo.lowering import Adjustable, Plain, computed_in, loss, lower, optimizer, seeds, weights_by_path
from zoo.meeting import Plan
from zoo.preparing import prepare_model
from zoo.seeding import Beginning
from zoo.tasks.contract import Pieces

KNOB_OF_TRAINING = "learning_rate"
"""The range of `train` that changes no shape and no graph: the optimizer holds it in a variable."""


@dataclass
class Built:
    """The models of a plan in this process: prepare, network (compiled), and the knobs that its values turn.

    After `reset(built, values, seed)` its weights are bit-equal to those of a fresh build with these values and seed.
    """

    plan: Plan
    network: Any
    unfolded: Network
    knobs: dict[str, Any]
    prepare: Any
    class_weights: tuple[float, ...] = ()
    """What a row counts for in the loss by the number of its class; nothing if all count alike."""
    start: list[np.ndarray] = field(default_factory=list)
    beginning: Beginning | None = None
    begin: Mapping[str, np.ndarray] = field(default_factory=dict)
    """The weights that training starts from by path, where the spec names some."""

    @property
    def pieces(self) -> Pieces:
        """What an answer goes through; the network's answer is its last layer that is no criterion."""
        return Pieces(self.prepare, self.network, _last(self.unfolded).name)

    def weights(self) -> dict[str, np.ndarray]:
        """All weights by path; seeds, metrics and the optimizer's are not among them."""
        return {path: _kept(variable) for path, variable in weights_by_path(self.network)}

    def variables(self) -> tuple[np.ndarray, ...]:
        """All that training changes: the network's variables, seeds included, and the optimizer's, in their order."""
        return tuple(_kept(one) for one in (*self.network.variables, *self.network.optimizer.variables))

    def restore(self, variables: Sequence[np.ndarray]) -> bool:
        """Put back what `variables` gave; tell whether it fits. What another version of Keras gave may not."""
        held = (*self.network.variables, *self.network.optimizer.variables)
        if [tuple(one.shape) for one in held] != [one.shape for one in variables]:
            return False
        for variable, value in zip(held, variables, strict=True):
            variable.assign(value)
        return True

    def load(self, weights: Mapping[str, np.ndarray]) -> None:
        """Set all weights by path. Raises `ZooError` if they are another network's."""
        here = dict(weights_by_path(self.network))
        if set(here) != set(weights):
            odd = sorted(set(here) ^ set(weights))[0]
            raise ZooError(f"the weights are of another network: `{odd}` is on one side only")
        for path, variable in here.items():
            variable.assign(weights[path])
        _settle(self.network)


def _last(flat: Network) -> Node:
    """The layer that answers: the last one that is no criterion, inside a decoder where that comes last."""
    last = [node for node in flat.nodes if node.part != "criterion"][-1]
    return _last(last.network) if last.network else last


def unfolded(spec: Spec, values: Mapping[str, Any]) -> Network:
    """The network of a spec filled with values. Raises `ZooError` with every problem."""
    found, problems = unfolding.unfold(spec.fill(values))
    if problems or found is None:
        raise ZooError(*problems)
    return found


_KERNELS = "ONEDNN_MAX_CPU_ISA"


def _beware(model: Any) -> None:
    """Keep oneDNN, if it has not computed yet, from kernels with which TensorFlow 2.21 dies in training.

    Those of AVX-512 write beyond their memory where a convolution of size 1 with strides reads fewer than 16 channels
    and several threads share a batch. What a user set stands.
    """
    import keras

    convolutions = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
    for layer in model._flatten_layers():
        alone = isinstance(layer, convolutions) and set(layer.kernel_size) == {1} and max(layer.strides) > 1
        if alone and layer.kernel.shape[-2] < 16:
            os.environ.setdefault(_KERNELS, "AVX2")


def build(
    plan: Plan, values: Mapping[str, Any], seed: int | None, adjustable: bool = False, portable: bool = False
) -> Built:
    """Build and compile the models of a plan.

    `adjustable`: lambda and p are knobs, for a search; else plain numbers and Keras's own `L2` and `Dropout`.
    `portable`: no kernels that run on a GPU alone, for an export. With a seed, two builds have equal weights.
    """
    how = Adjustable() if adjustable else Plain()
    flat = unfolded(plan.spec, values)
    beginning = Beginning(lambda other: seeds(flat, other)) if adjustable and seed is not None else None
    with beginning.noted() if beginning else nullcontext():
        try:
            model = lower(flat, how, seed, portable)
        except ZooError as error:
            told = resized(plan, values)
            raise ZooError(*error.problems, *([told] if told else [])) from error
    _beware(model)
    if beginning and seed is not None:
        beginning.settle(model.variables, seed)
    # Several tensors, or one that the spec names and that met no data: what they are trained on is the caller's.
    bare = len(flat.outputs) > 1 or ("outputs" in plan.spec.data and not plan.description.rows)
    if not bare:
        if odd := next((one for one in flat.inputs if one.odd), None):
            wrong = f"`{odd.name}` has {odd.odd}, and no task trains a network with such an input"
            path = ("inputs", odd.name) if "inputs" in plan.spec.data else ("input",)
            raise ZooError(plan.spec.problem((*path, odd.odd), wrong, "an input without it"))
        if how.certain:
            raise ZooError(*how.together)
        if how.together and (wrong := mixed(model)):
            raise ZooError(*(replace(one, wrong=f"{one.wrong}; and in the whole, {wrong}") for one in how.together))
        _answers(plan, flat, tuple(model.output_shape[1:]))
    begin = _weights(plan, values, flat, model)
    _begin(model, begin)
    if bare:
        return Built(plan, model, flat, getattr(how, "knobs", {}), None, begin=begin)
    trained, compiled = training(plan, values), plan.works.compiled(plan.metric)
    if "loss" in trained:
        compiled["loss"] = plan.works.trained_on(loss(trained["loss"], plan.spec.place(("train", "loss"))))
    model._aggregate_additional_loss = partial(_penalty, model)
    model.compile(
        optimizer=_scaled(optimizer(trained["optimizer"], plan.spec.place(("train", "optimizer"))), model),
        jit_compile=False if adjustable else "auto",  # the engine's own loop is compiled as a whole
        **compiled,
    )
    model.optimizer.build(model.trainable_variables)
    prepare, weights = _prepare(plan), class_weights(plan, trained)
    made = Built(plan, model, flat, getattr(how, "knobs", {}), prepare, weights, beginning=beginning, begin=begin)
    made.start = [variable.numpy() for variable in model.optimizer.variables]
    return made


STEPS = (2, 4, 8, 16, 32, 64)
"""Halved so often, sizes of images come out even: a network that goes down and up again may need that."""


def resized(plan: Plan, values: Mapping[str, Any]) -> Problem | None:
    """Sizes of images that a network would take which Keras refuses for those of the data; None where none are found.

    They are tried, from the nearest on: a size below the data's and one above, both multiples of the same power of two.
    """
    import keras

    size, channels = plan.description.x.shape[:2], plan.spec.shape[2:]
    if plan.spec.kind != "image" or plan.spec.shape[:2] != size:
        return None

    def builds(other: Sequence[int]) -> bool:
        try:
            with keras.StatelessScope():  # no weights are made
                lower(unfolded(plan.spec.adapted(shape=(*other, *channels)), values), Plain())
        except ZooError:
            return False
        return True

    for step in STEPS:
        below, above = ([one // step * step for one in size], [-(-one // step) * step for one in size])
        if below == above:
            continue
        if all(below) and builds(below) and builds(above):
            both = " or ".join(" x ".join(map(str, one)) for one in (below, above))
            wrong = f"images of {size[0]} x {size[1]} do not fit this network"
            expected = f"{both}, multiples of {step}: resize or pad the images"
            return plan.spec.problem(("input",), wrong, expected)
    return None


def _weights(plan: Plan, values: Mapping[str, Any], flat: Network, model: Any) -> Mapping[str, np.ndarray]:
    """The weights that the spec names by path, if it does. Raises `ZooError` at the line that names them."""
    if "weights" not in plan.spec.data:
        return {}
    try:
        return pretrained.weights(plan.spec.fill(values), flat, model)
    except ZooError as error:
        if ("weights",) not in plan.spec.marks:  # they were asked for beside the spec
            raise
        mark = plan.spec.place(("weights",))
        told = (one if one.path else replace(one, path="weights", mark=mark) for one in error.problems)
        raise ZooError(*told) from error


def _prepare(plan: Plan) -> Any:
    """The `prepare` model. Raises `ZooError` if it does not give what the network reads."""
    x, place = plan.description.x, plan.spec.place(("prepare",))
    try:
        made = prepare_model(plan.steps, x.shape, x.dtype, plan.works.entry)
    except Exception as error:
        wrong = f"rows of {tuple(x.shape)} cannot be prepared: {str(error).strip().splitlines()[0][:300].rstrip('.')}"
        raise ZooError(Problem(wrong, "steps that fit the data", "", "prepare", place)) from error
    given, wanted = tuple(made.output_shape[1:]), plan.spec.shape
    if not _fits(given, wanted):
        wrong = f"`prepare` makes {given} of a row of {tuple(x.shape)}"
        raise ZooError(Problem(wrong, f"{wanted}, which the network reads", "", "prepare", place))
    return made


def _fits(shape: tuple[int | None, ...], wanted: tuple[int | None, ...]) -> bool:
    """Whether two shapes are the same, where both say a size."""
    return len(shape) == len(wanted) and all(
        None in pair or pair[0] == pair[1] for pair in zip(shape, wanted, strict=True)
    )


def _answers(plan: Plan, flat: Network, shape: tuple[int | None, ...]) -> None:
    """Raise `ZooError` at the last layer if the network does not answer what its task asks for."""
    works, last = plan.works, _last(flat)
    wanted = works.shape()
    if not _fits(shape, wanted):
        hint = "; pool or flatten before the last layer" if len(shape) > len(wanted) else ""
        wrong, expected = f"the network answers {shape} a row", f"{wanted} for {plan.task}{hint}"
        raise ZooError(Problem(wrong, expected, "", last.path, last.mark))
    ends = next(node for node in reversed(flat.nodes) if node.part != "criterion")
    ends = next((node for node in flat.nodes if node.name == owner(flat.output) and node.part != "criterion"), ends)
    final = answering(flat, ends.name)
    stated = activation(final.layer, final.arguments) if final else ""
    if final and stated and works.activation not in ("", stated):
        wrong, expected = f"the last activation is {stated}", f"{works.activation} for {plan.task}"
        raise ZooError(Problem(wrong, expected, "", final.path, final.mark))


def _kept(variable: Any) -> np.ndarray:
    """The value of a variable as files hold it: no file knows bfloat16, whose numbers are all of float32 too."""
    value: np.ndarray = variable.numpy()
    return value.astype("float32") if value.dtype.name == "bfloat16" else value


def _penalty(model: Any, loss: Any) -> Any:
    """A penalty in float32, as the loss is: Keras adds them up, and does so for equal types alone."""
    import keras

    return type(model)._aggregate_additional_loss(model, keras.ops.cast(loss, "float32"))


def _scaled(optimizer: Any, model: Any) -> Any:
    """The optimizer, with the loss scaled where a layer computes in float16, as gradients are too small for that.

    Keras does so itself if that is the policy of the whole model, not of some layers (Micikevicius et al. 2018, 3.2).
    """
    import keras

    return keras.optimizers.LossScaleOptimizer(optimizer) if "float16" in computed_in(model) else optimizer


def _begin(model: Any, begin: Mapping[str, np.ndarray]) -> None:
    here = dict(weights_by_path(model)) if begin else {}
    for path, array in begin.items():
        here[path].assign(array)
    _settle(model)


def _settle(model: Any) -> None:
    """Let each `Normalization` compute with its weights as they are now: it computes with a copy of them."""
    import keras

    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()


def reset(built: Built, values: Mapping[str, Any], seed: int) -> None:
    """Turn the knobs to the values and set every variable to what a fresh build with this seed would hold."""
    flat = unfolded(built.plan.spec, values)
    for variable, first in zip(built.network.variables, _first(built, flat, seed), strict=True):
        variable.assign(first)
    _begin(built.network, built.begin)
    for variable, first in zip(built.network.optimizer.variables, built.start, strict=True):
        variable.assign(first)
    for node in flat.walk():
        for value in (node.l2, node.dropout):
            if isinstance(value, Filled) and value.name in built.knobs:
                built.knobs[value.name].turn(float(value))
    rate = learning_rate(training(built.plan, values))
    if rate is not None:
        built.network.optimizer.learning_rate.assign(rate)


def _first(built: Built, flat: Network, seed: int) -> list[Any]:
    """The first values of all variables under a seed: drawn anew, or those of a fresh build where that is not proved.

    The proof is the first reset of a model: it is done both ways, and must give the same bits.
    """
    if built.beginning is not None and built.beginning.proved:
        return list(built.beginning.values(seed))
    fresh = [variable.numpy() for variable in lower(flat, Adjustable(), seed).variables]
    if built.beginning is not None:
        built.beginning.prove(seed, fresh)
        if not built.beginning.proved:
            built.beginning = None
    return fresh


def training(plan: Plan, values: Mapping[str, Any]) -> dict[str, Any]:
    """How the plan's spec is trained with these values, its expressions computed for the rows that there are."""
    return unfolding.training(plan.spec.fill(values), plan.description.rows.get("train", 1))


def class_weights(plan: Plan, trained: Mapping[str, Any]) -> tuple[float, ...]:
    """What a row counts for by the number of its class, 1 for a label that is not named; nothing if none is said.

    Balanced weights are rows / (classes * rows of the class), of the training part, as scikit-learn computes them.
    """
    chosen, counts = trained.get("class_weight"), plan.description.counts
    if chosen is None:
        return ()
    if chosen == BALANCED:
        return tuple(sum(counts) / (len(counts) * one) for one in counts)
    said = {str(label): float(weight) for label, weight in chosen.items() if weight is not None}
    return tuple(said.get(str(label), 1.0) for label in plan.description.classes)


def trace_key(plan: Plan, values: Mapping[str, Any]) -> str:
    """What decides whether one built model can serve two trials: all but the values that knobs turn."""
    train = dict(training(plan, values))
    rate = learning_rate(train)
    if isinstance(rate, Filled):
        name, arguments = next(iter(train["optimizer"].items()))
        train["optimizer"] = {name: {**arguments, KNOB_OF_TRAINING: f"<{rate.name}>"}}
    return json.dumps([unfolded(plan.spec, values).without_values(), train])


def learning_rate(train: Mapping[str, Any]) -> float | None:
    """The learning rate that a filled `train` states as a number; None where it is a schedule or unsaid."""
    chosen = train["optimizer"]
    arguments = next(iter(chosen.values())) if isinstance(chosen, Mapping) else {}
    rate = (arguments or {}).get(KNOB_OF_TRAINING)
    return rate if isinstance(rate, (int, float)) else None
