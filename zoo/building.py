"""A plan to models: the only place that makes and initialises weights, and that resets them for the next trial."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from zoo import pretrained
from zoo.datasets.dataset import Part
from zoo.errors import Mark, Problem, ZooError, first_sentence
from zoo.language import catalogue, unfolding
from zoo.language.network import IDS, Network, Node, activation, answering, owner, read_as_ids
from zoo.language.ranges import Filled
from zoo.language.spec import Spec
from zoo.lowering import Adjustable, Plain, loss, lower, optimizer, seeds, weights_by_path
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
        return {path: variable.numpy() for path, variable in weights_by_path(self.network)}

    def variables(self) -> tuple[np.ndarray, ...]:
        """All that training changes: the network's variables, seeds included, and the optimizer's, in their order."""
        return tuple(one.numpy() for one in (*self.network.variables, *self.network.optimizer.variables))

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
        model = lower(flat, how, seed, portable)
    if beginning and seed is not None:
        beginning.settle(model.variables, seed)
    # Several tensors, or one that the spec names and that met no data: what they are trained on is the caller's.
    bare = len(flat.outputs) > 1 or ("outputs" in plan.spec.data and not plan.description.rows)
    if not bare:
        _answers(plan, flat, tuple(model.output_shape[1:]))
    begin = _weights(plan, values, flat, model)
    _begin(model, begin)
    if bare:
        return Built(plan, model, flat, getattr(how, "knobs", {}), None, begin=begin)
    trained, compiled = training(plan, values), plan.works.compiled()
    if "loss" in trained:
        compiled["loss"] = plan.works.trained_on(loss(trained["loss"], plan.spec.place(("train", "loss"))))
    model.compile(
        optimizer=optimizer(trained["optimizer"], plan.spec.place(("train", "optimizer"))),
        jit_compile=False if adjustable else "auto",  # the engine's own loop is compiled as a whole
        **compiled,
    )
    model.optimizer.build(model.trainable_variables)
    prepare = _prepare(plan)
    made = Built(plan, model, flat, getattr(how, "knobs", {}), prepare, beginning=beginning, begin=begin)
    made.start = [variable.numpy() for variable in model.optimizer.variables]
    return made


def _whole(flat: Network) -> Mark | None:
    """The place of a spec as a whole, where nothing tells which layer is meant."""
    mark = next((node.mark for node in flat.walk()), None)
    return replace(mark, line=1, column=1) if mark and mark.line else mark


def refused(error: Exception, flat: Network) -> ZooError:
    """What Keras or TensorFlow refuses once it computes, at the line of the layer that it names."""
    says, nodes = str(error), list(flat.walk())
    places = {one.name: re.search(rf"[/'\"]{re.escape(one.name)}(_\d+)?[/'\"]", says) for one in nodes}
    named = sorted((place.start(), name) for name, place in places.items() if place)[:1]
    of_class = [one for one in nodes if one.layer in re.findall(r"calling (\w+)\.call", says)]
    found = [one for one in nodes if named and one.name == named[0][1]] or (of_class if len(of_class) == 1 else [])
    path, mark = (found[0].path, found[0].mark) if found else ("", _whole(flat))
    return ZooError(Problem(f"the network cannot be computed: {first_sentence(error)}", "", "", path, mark))


LARGEST_ROW = 20_000
"""Numbers of a row up to which a network is tried on rows before anything is trained: it takes less than a second."""


OPEN = (8, 64, 60, 256)
"""Sizes that stand in turn for one that only data know: what refuses the first may take another."""

SPANS = ((0.0, 1.0), (1.0, 2.0), (100.0, 200.0))
"""Between these lie the numbers of the rows that a network is tried on that met no data."""


def tried(built: Built) -> None:
    """Compute the network and its penalties on two rows, in a graph as training does, and its constraints once.

    The rows are of such numbers as the data hold; without data, of numbers that its inputs take. Raises `ZooError` at
    the layer that refuses, and where all answers are NaN. Nothing is tried on rows of more than `LARGEST_ROW` numbers,
    nor where nothing is known of the texts or numbers that are looked up.
    """
    met = bool(built.plan.description.rows)
    shapes = [built.plan.description.x.shape] if met else [one.shape[1:] for one in built.network.inputs]
    wrong, rows = list[Exception](), list[Any]()
    for size in OPEN if any(None in shape for shape in shapes) else OPEN[:1]:
        try:
            rows = [_rows_of_data(built, size)] if met else [_rows_alone(built, size, *span) for span in SPANS]
            if any(one is None for one in rows):
                return
            answers = _computed(built.network, rows)
            break
        except Exception as error:  # Keras and TensorFlow raise whatever a layer makes them stumble over
            wrong.append(error)
    else:
        answers = [] if met else _computed_on_ids(built)
        if not answers:
            raise _placed(wrong[0], built, rows) from wrong[0]
    _constrained(built)
    if answers and all(np.isnan(one).all() for one in answers):
        where = "such rows as the data hold" if met else f"rows of numbers from 0 to {SPANS[-1][1]:.0f}"
        raise ZooError(
            Problem(f"the network answers NaN for {where}", "layers that answer numbers", mark=_whole(built.unfolded))
        )


def _placed(error: Exception, built: Built, rows: list[Any]) -> ZooError:
    """What cannot be computed, at the layer that the error names, else at the first that cannot be computed."""
    import keras

    found = refused(error, built.unfolded)
    tensors = [(node, _tensor_of(built.network, node)) for node in built.unfolded.nodes]
    known = [(node, tensor) for node, tensor in tensors if tensor is not None]
    if found.problems[0].path or not known or not rows:
        return found
    low, high = 0, len(known)  # the first `low` can be computed, the first `high` cannot
    while high - low > 1:
        middle = (low + high) // 2
        part = keras.Model(built.network.inputs, [tensor for _, tensor in known[:middle]])
        try:
            _computed(part, rows)
            low = middle
        except Exception:
            high = middle
    node = known[high - 1][0]
    return ZooError(replace(found.problems[0], path=node.path, mark=node.mark))


def _tensor_of(model: Any, node: Node) -> Any:
    """What a layer of a model answers in its one call; None where it is called again, or is none of the model's."""
    made = next((one for one in model.operations if one.name == node.name), None)
    return made._inbound_nodes[0].output_tensors[0] if made and len(made._inbound_nodes) == 1 else None


def _computed_on_ids(built: Built) -> list[np.ndarray]:
    """The answers for rows of zeros, which are ids wherever ids are read; nothing if that cannot be computed either."""
    embeds = any("Embedding" in str((node.layer, node.arguments)) for node in built.unfolded.walk())
    for size in OPEN if embeds else ():
        rows = _rows_alone(built, size, 0.0, 0.0)
        try:
            return _computed(built.network, [[np.zeros_like(one) for one in rows]]) if rows else []
        except Exception:  # what was raised for other numbers says it
            continue
    return []


def _computed(network: Any, several: list[Any]) -> list[np.ndarray]:
    """The answers of a network for each of several batches, as far as they are numbers with a point."""
    import tensorflow as tf

    given = [
        [tf.convert_to_tensor(one) for one in (rows if isinstance(rows, (list, tuple)) else [rows])] for rows in several
    ]
    specs = [tf.TensorSpec((None, *one.shape[1:]), one.dtype) for one in given[0]]

    def computed(training: bool) -> Any:
        @tf.function(autograph=False, input_signature=[specs])
        def answers(rows: Any) -> Any:
            return network(rows if len(specs) > 1 else rows[0], training=training), network.losses

        answers._omit_frequent_tracing_warning = True  # each network is traced once
        return answers

    moved = [(one, one.numpy()) for one in network.non_trainable_variables]  # statistics, and the states of dice
    computed(training=True)(given[0])
    for one, before in moved:
        one.assign(before)
    answers = computed(training=False)
    values = [one.numpy() for rows in given for one in tf.nest.flatten(answers(rows)[0])]
    return [one for one in values if one.dtype.kind == "f" and one.size]


def _constrained(built: Built) -> None:
    """Let each constraint see the weight that it is for. Raises `ZooError` at the layer where it does not fit."""
    for path, variable in weights_by_path(built.network):
        try:
            if variable.constraint is not None:
                variable.constraint(variable.value)
        except Exception as error:  # whatever Keras and TensorFlow raise where an axis is not there
            node = _node_of(built.unfolded, path.split("/"))
            name = type(variable.constraint).__name__
            wrong = f"{name} does not fit `{path}` of the shape {tuple(variable.shape)}: {first_sentence(error)}"
            raise ZooError(Problem(wrong, "axes of that shape", "", node.path, node.mark)) from error


def _node_of(network: Network, names: list[str]) -> Node:
    """The layer whose weight a path of names leads to, in models inside the model too."""
    found = next(one for one in network.nodes if one.name == names[0] and not one.reuses)
    inside = found.network and any(one.name == names[1] for one in found.network.nodes)
    return _node_of(found.network, names[1:]) if found.network and inside else found


def _rows_of_data(built: Built, size: int) -> Any:
    """What a network is given for two rows of numbers such as each column of the data holds; ids, with both ends."""
    x = built.plan.description.x
    shape = tuple(one or size for one in x.shape)
    if built.prepare is None or math.prod(shape) > LARGEST_ROW:
        return None
    away = 2 * np.sqrt(np.asarray(x.variance))
    low, high = (np.clip(np.asarray(x.mean) + one, x.minimum, x.maximum) for one in (-away, away))
    if np.dtype(x.dtype).kind in "iub":
        low, high = np.asarray(x.minimum), np.asarray(x.maximum)
    rows = np.random.default_rng(0).uniform(low, high, (2, *shape)).astype(x.dtype)
    if np.dtype(x.dtype).kind in "iub":
        rows[0].flat[0], rows[1].flat[0] = x.minimum, x.maximum
    _ids_in(built, rows, np.random.default_rng(0))
    labels = np.zeros(len(rows), "int32")
    return built.plan.works.inputs(Part(rows, labels), np.asarray(built.prepare(rows)))


def _ids_in(built: Built, rows: np.ndarray, dice: np.random.Generator) -> None:
    """Put ids into the columns of a table that are read as such."""
    for node, columns in read_as_ids(built.unfolded, rows.shape[-1]) if rows.ndim == 2 else ():
        known = node.arguments.get(IDS[node.layer] or "vocabulary")
        if known:
            rows[:, columns] = dice.choice(known, (len(rows), len(columns)))


def _rows_alone(built: Built, size: int, low: float, high: float) -> list[np.ndarray] | None:
    """Two rows for each input of a network that met no data: numbers of a span, or ids that its spec knows."""
    inputs, dice, rows = built.plan.spec.inputs, np.random.default_rng(0), []
    looked_up = any(node.layer in catalogue.LOOKUPS for node in built.unfolded.walk())
    for one, tensor in zip(inputs.values(), built.network.inputs, strict=True):
        shape, dtype = (2, *(each or size for each in tensor.shape[1:])), tensor.dtype
        if dtype == "string" or (looked_up and not dtype.startswith("float")):
            return None
        readers = [node for node in built.unfolded.walk() if tensor.name in node.inputs and node.layer == "Embedding"]
        known = [one[key] for key in ("vocabulary", "classes") if key in one]
        ids = min(known or [node.arguments["input_dim"] for node in readers], default=0)
        numbers = dtype.startswith("float") and not ids
        drawn = dice.uniform(low, high, shape) if numbers else dice.integers(0, ids or 2, shape)
        rows.append(drawn.astype(dtype))
    _ids_in(built, rows[0], dice)
    return rows if sum(one.size // 2 for one in rows) <= LARGEST_ROW else None


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
