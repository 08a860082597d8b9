"""A spec meets data: a `Plan`. Everything that can be refused without Keras is refused here, in a sentence."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo import selection
from zoo.columns import read_as_ids
from zoo.datasets import description as descriptions
from zoo.datasets.dataset import views
from zoo.datasets.description import Description, Field
from zoo.errors import Problem, ZooError, listed, nearest
from zoo.language import expressions, network, ranks, reading, unfolding
from zoo.language.families import uneven, unfit_loss
from zoo.language.ranges import Range
from zoo.language.spec import DEFAULT_DROPOUT, DEFAULT_L2, Spec
from zoo.tasks import TASKS, Task

WITHOUT_RANGES: dict[str, dict[str, Any]] = {
    "l2": {"min_value": 1e-7, "max_value": 1e-1, "sampling": "log", "zero": True},
    "dropout": {"min_value": 0.0, "max_value": 0.8},
}
"""What is searched in a spec that names no range at all, around the values it has."""


AHEAD = 4
"""Trial k may know the results 0 .. k - 4: so many trials of a Bayesian search may be under way at once."""

MOST_TRIALS = 100_000
"""The trials of a study that ends by a budget of time."""


@dataclass(frozen=True)
class Plan:
    """All that decides a study: spec, data, preparation, objective, seeds and how trials are asked. JSON both ways.

    `ahead`: what trial k may know is the results of the trials 0 .. k - `ahead`, whoever finished first.
    `threads` for each trial: the same trial on another number of threads gives other bits. A trial is trained
    `repeats` times, each of them on each of `folds` folds if there are any (0: on the data's own parts). `callbacks`
    are the classes of the caller's.
    """

    spec: Spec
    description: Description
    task: str
    steps: tuple[Mapping[str, Any], ...]
    objective: str
    direction: str
    oracle: str
    trials: int
    seed: int
    ahead: int
    threads: int
    repeats: int = 1
    folds: int = 0
    callbacks: tuple[str, ...] = ()

    @property
    def metric(self) -> str:
        """The objective without its `val_`: the name of the metric in figures."""
        return self.objective.removeprefix("val_")

    @property
    def trainings(self) -> int:
        """So often is a trial trained."""
        return self.repeats * max(self.folds, 1)

    @property
    def works(self) -> Task:
        """The task, ready for this spec and these data."""
        return TASKS[self.task](self.spec, self.description, self.steps)

    def better(self, score: float, than: float | None) -> bool:
        """Whether a score of the objective is strictly better than another."""
        return than is None or (score > than if self.direction == "max" else score < than)

    def written(self) -> dict[str, Any]:
        """The plan as JSON holds it."""
        plain = {key: getattr(self, key) for key in ("task", "objective", "direction", "oracle", "trials", "seed")}
        more: dict[str, Any] = {"steps": list(self.steps), "callbacks": list(self.callbacks)}
        more |= {key: getattr(self, key) for key in ("ahead", "threads", "repeats", "folds")}
        return {"spec": self.spec.written(), "data": self.description.written(), **plain, **more}

    def differences(self, other: Plan) -> list[str]:
        """What makes another plan another study, a word for each part that differs; the number of trials is none."""
        parts = {
            f"spec ({', '.join(self.spec.changed(other.spec))})": self.spec.identity() != other.spec.identity(),
            "data (other rows, or the same in another order)": (
                self.description.fingerprint != other.description.fingerprint
            ),
            "preparation": _hash(self.steps) != _hash(other.steps),
        }
        for key in ("task", "objective", "oracle", "seed", "ahead", "repeats", "folds", "callbacks"):
            parts[key] = getattr(self, key) != getattr(other, key)
        parts["number of threads a trial"] = self.threads != other.threads
        if self.oracle == "grid":  # the grid is cut to the number of trials, so that number is part of it
            parts["number of trials of a grid"] = self.trials != other.trials
        return [part for part, differs in parts.items() if differs]


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def read(written: Mapping[str, Any]) -> Plan:
    """A plan from its JSON."""
    found, problems = reading.read(written["spec"], "plan.json", {})
    if found is None or problems:
        raise ZooError(*problems, "plan.json holds a spec that cannot be read")
    rest = {key: value for key, value in written.items() if key not in ("spec", "data", "steps")}
    rest["callbacks"] = tuple(rest.get("callbacks", ()))
    return Plan(found, descriptions.read(written["data"]), steps=tuple(written["steps"]), **rest)


def meet(
    found: Spec,
    description: Description,
    *,
    objective: str | None = None,
    oracle: str = "bayesian",
    trials: int = 20,
    seed: int = 0,
    ahead: int = AHEAD,
    threads: int = 1,
    repeats: int = 1,
    folds: int = 0,
    search: bool = True,
) -> Plan:
    """The plan of a study of a spec on described data. With `search`, a spec without ranges gets them for lambda and p.

    Raises `ZooError` where the two do not fit, naming the specs that would; for an unknown objective; for `val_loss`.
    """
    found = _labelled(found, description)
    if len(found.data.get("outputs", ())) > 1:
        wrong = f"the network answers {len(found.data['outputs'])} tensors, and a data set holds one target"
        raise ZooError(found.problem(("outputs",), wrong, "one output, or zoo.build and a model.fit of your own"))
    task = _task(found, description)
    fitted, steps = _fitted(found, description, task)
    _check_loss(fitted, task)
    _check_weights(fitted, description, task)
    unfolded, problems = unfolding.unfold(fitted.fill())
    if problems or unfolded is None:
        raise ZooError(*problems)
    steps = _raw(unfolded, found, description, _ids(unfolded, fitted, description, steps))
    _check_answer(fitted, unfolded, TASKS[task](fitted, description, steps), task)
    if search and not fitted.ranges():
        fitted = _with_ranges(fitted, unfolded)
    chosen, direction = _objective(objective, task)
    return Plan(
        fitted, description, task, tuple(steps), chosen, direction, oracle, trials, seed, ahead, threads, repeats, folds
    )  # fmt: skip


def alone(found: Spec) -> Plan:
    """The plan of a spec that has met no data: what it states of itself stands for them, and nothing is prepared."""

    def blank(kind: str, shape: tuple[int | None, ...]) -> Field:
        features = (shape[-1] if shape else 1) or 1
        return Field(kind, shape, "float32", 0.0, 1.0, (0.0,) * features, (1.0,) * features)  # type: ignore[arg-type]

    facts = found.facts
    shapes = {"regression": (facts["targets"],), "forecasting": (facts.get("horizon", 1), facts["features"])}
    y = blank("target", shapes[found.task]) if found.task in shapes else None
    classes = tuple(range(facts.get("classes", 0)))
    x = blank(found.kind, found.shape)
    description = Description(found.name, x, y, found.task, classes, {}, "rows", None, None, "")
    objective, direction = _objective(None, found.task)
    _check_loss(found, found.task)
    return Plan(found, description, found.task, (), objective, direction, "random", 1, 0, 1, 1)


def _labelled(found: Spec, description: Description) -> Spec:
    """A spec of several inputs with what the data know of them: beside rows, data hold the label of each.

    Raises `ZooError` for inputs that a data set cannot hold, and for data without labels.
    """
    label = found.label
    if len(found.inputs) == 1:
        return found
    if label is None or list(found.inputs)[1:] != [label]:
        raise ZooError(
            f"`{found.name}` takes {len(found.inputs)} inputs ({listed(found.inputs)}), and a data set holds one, with "
            "labels beside it; expected a spec with one `input`, or an autoencoder that is given the label as well: "
            "build this one by zoo.build and train it by model.fit"
        )
    if description.task != "classification":
        raise ZooError(f"`{found.name}` is given the label of each row, and {description.name} has none")
    inputs = {**found.data["inputs"], label: {**found.inputs[label], "classes": len(description.classes)}}
    return Spec({**found.data, "inputs": inputs}, found.marks, found.source)


def _task(found: Spec, description: Description) -> str:
    """What the network is for: its spec's word, else what the targets mean."""
    if found.coded:
        return found.task
    stated = found.data.get("task")
    if description.task == "reconstruction":
        fits = listed((f"`{card.name}`" for card in selection.cards() if card.coded), SUGGESTED)
        raise ZooError(
            f"{description.name} has no targets or one label alone, and `{found.name}` learns from targets; try {fits}"
        )
    if _is_yes_or_no(stated, description):
        return "binary"
    if stated not in (None, description.task):
        raise ZooError(
            f"`{found.name}` is for {stated}, and the targets of {description.name} ask for {description.task}"
            + _fitting(found, description)
        )
    return description.task


def _check_loss(found: Spec, task: str) -> None:
    """Raise `ZooError` at the spec's loss where the task that the data ask for cannot be trained on it."""
    chosen = found.data.get("train", {}).get("loss")
    for one in chosen.values if isinstance(chosen, Range) else [chosen]:
        name = one if isinstance(one, str) else next(iter(one), "") if isinstance(one, Mapping) else ""
        if name and (unfit := unfit_loss(name, task)):
            raise ZooError(found.problem(("train", "loss"), *unfit))
    if other := uneven(unfolding.training(found.fill(), 1).get("loss"), found.facts.get("classes")):
        raise ZooError(found.problem(("train", "loss", *other[0]), *other[1:]))


def _check_weights(found: Spec, description: Description, task: str) -> None:
    """Raise `ZooError` at the weights of classes where there are none, and of a label that the data do not have."""
    chosen, here = found.data.get("train", {}).get("class_weight"), ("train", "class_weight")
    if chosen is None:
        return
    if task not in WEIGHED:
        wrong = f"rows are weighed by their class, and the task is {task}"
        raise ZooError(found.problem(here, wrong, f"a spec without it: it is for {listed(WEIGHED)}"))
    known = [str(label) for label in description.classes]
    for label in chosen if isinstance(chosen, Mapping) else ():
        if str(label) not in known:
            wrong = f"{description.name} has no label `{label}`"
            raise ZooError(found.problem((*here, label), wrong, f"one of {listed(known)}"))


WEIGHED = ("classification", "binary")
"""The tasks in which each row has one class."""

SUGGESTED = 6
"""So many specs are named that would fit, the smallest first."""


def _fitting(found: Spec, description: Description) -> str:
    """The zoo's specs that do fit the data, those of the data's own kind first, as the end of a sentence."""
    cards = [one for one in selection.cards() if one.coded == found.coded and one.name != found.name]
    fits = sorted(
        (one for one in cards if suits(one, description)),
        key=lambda one: (one.kind != description.x.kind, one.parameters or 0),
    )
    return f"; try {listed((f'`{one.name}`' for one in fits), SUGGESTED)}" if fits else ""


def suits(card: selection.Card, description: Description) -> bool:
    """Whether a spec reads rows as the data hold them, and is for what they ask for, as far as its card tells."""
    fits = selection.is_for(card, description.task) or _is_yes_or_no(card.stated, description)
    return card.kind in views(description.x) and fits


def _is_yes_or_no(stated: str | None, description: Description) -> bool:
    """Whether a spec is for one label of two, and the data have two."""
    return stated == "binary" and description.task == "classification" and len(description.classes) == 2


_EACH = {1: "once a row", 2: "at each step", 3: "at each pixel", 4: "at each pixel of each frame"}
"""How often a network answers, by the axes of its answer for a row, the last of which is the answer's own."""


def _check_answer(found: Spec, unfolded: network.Network, works: Task, task: str) -> None:
    """Raise `ZooError` where the head of the task cannot stand on what the layers answer, as far as these tell."""
    last = next((node for node in unfolded.nodes if node.part == "head"), None)
    axes, wanted = ranks.axes(unfolded), len(works.shape())
    has = axes.get(last.inputs[0]) if last and last.inputs else None
    if last is None or found.coded or has not in _EACH or axes.get(unfolded.output) in (None, wanted):
        return
    data = works.description
    expected = f"an answer {_EACH[wanted]}, which {task} on {data.name} asks for"
    expected += "; pool or flatten before the last layer" if wanted == 1 else ""
    wrong, expected = f"the network answers {_EACH[has]}", expected + _fitting(found, data)
    raise ZooError(Problem(wrong, expected, "", last.path, last.mark))


def _fitted(found: Spec, description: Description, task: str) -> tuple[Spec, list[Mapping[str, Any]]]:
    """The spec with what the data know (shape, classes, ...), and the steps that prepare the data for it."""
    x, y, kind = description.x, description.y, found.kind
    if (found.data.get("input") or {}).get("dtype") == "string":
        expected = "a network of numbers, such as the ids that its first layer makes, or zoo.build and `fit`"
        raise ZooError(f"`{found.name}` reads text, and data sets hold numbers; expected {expected}")
    shapes = views(x)
    if kind not in shapes:
        what = {"table": "a table", "tokens": "rows of ids"}
        wants, has = what.get(kind, f"{kind}s"), description.said.split(",")[0]
        gray = "images" if x.kind == "sequence" else "videos" if (x.kind, kind) == ("image", "video") else ""
        raise ZooError(
            f"`{found.name}` wants {wants}, and {description.name} is {has}"
            + _fitting(found, description)
            + (f"; if these are {gray}, give them a channel axis: x[..., None]" if gray else "")
        )
    steps = [] if kind == "tokens" else _scaling(found, description)
    shape: tuple[int | None, ...] = shapes[kind]
    if kind == "image":
        size = [want or have for want, have in zip(found.shape[:2], x.shape[:2], strict=True)]
        if task == "segmentation":  # the answer is a map of the image as it is
            size = list(x.shape[:2])
        if size != list(x.shape[:2]):
            steps.append({"Resizing": {"height": size[0], "width": size[1]}})
        shape = (*size, x.shape[2])
    elif kind == "sequence" and x.kind == "image" and found.shape[1] == x.shape[2] != shapes[kind][1]:
        shape = (x.shape[0] * x.shape[1], x.shape[2])  # steps of as many features as channels: pixel by pixel
    if kind != "image" and shape != x.shape:
        steps.append({"Reshape": {"target_shape": list(shape)}})
    if kind in ("sequence", "tokens") and found.shape[0] is None:
        shape = (None, *shape[1:])
    facts: dict[str, Any] = {"shape": shape, **_vocabulary(found, description, task)}
    if task in ("classification", "multilabel", "segmentation"):
        facts["classes"] = len(description.classes)
    elif task == "regression" and y is not None:
        facts["targets"] = y.shape[0]
    elif task == "forecasting" and y is not None:
        facts["horizon"], facts["features"] = y.shape
    if y is not None and task in ("regression", "forecasting"):
        descriptions.deviations(description.y_change or y, f"the targets of {description.name}")
    if not found.coded:
        stale = {"classes", "targets", "horizon", "features"} - set(facts)
        data = {key: value for key, value in found.data.items() if key not in stale}
        found = Spec({**data, "task": task}, found.marks, found.source)
    return found.adapted(**facts), steps


def _vocabulary(found: Spec, description: Description, task: str) -> dict[str, int]:
    """The vocabulary of the data's ids where the spec has none for language, or room for fewer and no weights for them.

    Numbers that are larger than the data are long are no ids of a vocabulary.
    """
    x, y, stated = description.x, description.y, next(iter(found.inputs.values())).get("vocabulary", 0)
    highest = [*(x.highest or (x.maximum,)), *(y.highest if y is not None and task == "language" else ())]
    held = int(max(highest)) + 1
    if not stated:
        return {"vocabulary": held} if task == "language" else {}
    fixed = type(stated) is not int or "weights" in found.data or held > description.rows["train"] * math.prod(x.shape)
    reads = any(
        "vocabulary" in one for one in expressions.words_of(found.data) if "$" in one
    )  # or else it changes none
    return {"vocabulary": held} if reads and not fixed and held > stated else {}


def _scaling(found: Spec, description: Description) -> list[Mapping[str, Any]]:
    """The first steps: images to 0..1; changes, sequences and tables standardised, by the training part alone.

    What is read as whole numbers stays as it is.
    """
    x, dtype = description.x, str(next(iter(found.inputs.values())).get("dtype", "float32"))
    if "int" in dtype:
        said = "input.dtype" if "input" in found.data else f"inputs.{next(iter(found.inputs))}.dtype"
        if np.dtype(x.dtype).kind not in "iu":
            wrong = f"`{found.name}` reads whole numbers ({dtype}), and {description.name} holds {x.dtype}"
            raise ZooError(f"{wrong}; expected whole numbers, or an input of float32: --set {said}=float32")
        limits = np.iinfo(dtype)
        if x.minimum < limits.min or x.maximum > limits.max:
            wrong = f"`{found.name}` reads {dtype}, and {description.name} holds {x.minimum:.12g} to {x.maximum:.12g}"
            raise ZooError(f"{wrong}; expected a type that holds these: --set {said}={x.dtype}")
        return []
    if found.likelihood == "categorical" and found.coded:
        along = found.shape[-1] or len(x.mean)  # an axis of one channel may stand behind it
        total = sum(x.mean) * along / len(x.mean)
        if along > 1 and x.minimum >= 0 and x.maximum <= 1 and math.isclose(total, 1, abs_tol=1e-3):
            return []
        raise ZooError(
            f"`{found.name}` reads its output as shares whose sum along the last axis is 1 (likelihood: categorical), "
            f"and {description.name} holds values from {x.minimum:.4g} to {x.maximum:.4g} whose means sum to "
            f"{total:.4g}; expected one-hot values, or another likelihood: --set likelihood=gaussian"
        )
    if x.kind in ("image", "video"):
        low = min(x.minimum, 0.0)
        high = 255.0 if x.dtype == "uint8" and x.maximum > 127 else x.maximum
        scale = 1 / (high - low) if high > low else 1.0
        return [] if (scale, low) == (1.0, 0.0) else [{"Rescaling": {"scale": scale, "offset": -low * scale + 0.0}}]
    if found.likelihood == "bernoulli" and found.coded:
        if x.minimum >= 0 and x.maximum <= 1:
            return []
        raise ZooError(
            f"`{found.name}` reads its output as probabilities (likelihood: bernoulli), and {description.name} holds "
            f"values from {x.minimum:.4g} to {x.maximum:.4g}; expected images, values between 0 and 1, or a gaussian "
            "likelihood: --set likelihood=gaussian"
        )
    changes = not found.coded and description.x_change is not None
    field = description.x_change if changes and description.x_change else x
    deviation = descriptions.deviations(field, f"the columns of {description.name}")
    scaling = {"Normalization": {"mean": list(field.mean), "variance": [one**2 for one in deviation]}}
    return [{"SinceLast": {}}, scaling] if changes else [scaling]


def _ids(
    unfolded: network.Network, found: Spec, description: Description, steps: list[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The steps without scaling where an `Embedding` reads the input: ids must arrive as they are."""
    known = next(iter(found.inputs.values())).get("vocabulary")
    reading = ("Embedding", "Function") if known else ("Embedding",)
    reader = next((node for node in unfolded.walk() if node.layer in reading and unfolded.input in node.inputs), None)
    if reader is None:
        return _without_ids(unfolded, found, description, steps)
    x, size = description.x, reader.arguments.get("input_dim") or int(known or 0)
    least, most = min(x.lowest or (x.minimum,)), max(x.highest or (x.maximum,))
    if np.dtype(x.dtype).kind not in "iu" or least < 0 or most >= size:
        wrong = f"the ids of {description.name} are {x.dtype} from {least:g} to {most:g}"
        expected = f"whole numbers from 0 to {size - 1}"
        if "weights" in found.data:
            expected += ", as its weights have them"
        elif most >= size:
            more = int(most) + 1
            stated = [one.get("vocabulary") for one in found.inputs.values()]
            expected += f", or room for more: {'--set input.vocabulary=' if size in stated else 'input_dim: '}{more}"
        raise ZooError(Problem(wrong, expected, "", reader.path, reader.mark))
    return [step for step in steps if not {"Normalization", "Rescaling"} & set(step)]


def _without_ids(
    unfolded: network.Network, found: Spec, description: Description, steps: list[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The steps, with the columns of a table left as they are that are read as ids, or looked up.

    Raises `ZooError` for a column of ids that its reader does not know, unless something computes with ids before.
    """
    if found.kind != "table" or len(found.shape) != 1 or not found.shape[0]:
        return steps
    x, ids = description.x, set[int]()
    for _, _, columns in read_as_ids(unfolded, found.shape[0]):
        ids |= {*columns}
    for node, known, columns in read_as_ids(unfolded, found.shape[0], untouched=True):
        for column in columns if type(known) is int and x.highest else ():
            if x.lowest[column] < 0 or x.highest[column] >= known:
                held = f"{x.lowest[column]:g} to {x.highest[column]:g}"
                wrong = f"it reads column {column} of {description.name}, which holds {held}, as ids"
                raise ZooError(Problem(wrong, f"ids from 0 to {known - 1}, or room for more", "", node.path, node.mark))

    def left(step: Mapping[str, Any]) -> Mapping[str, Any]:
        if not ids or "Normalization" not in step:
            return step
        usual = {"mean": 0.0, "variance": 1.0}
        told = {key: [usual[key] if at in ids else one for at, one in enumerate(step["Normalization"][key])]
                for key in usual}  # fmt: skip
        return {"Normalization": {**step["Normalization"], **told}}

    return list(map(left, steps))


def _raw(
    unfolded: network.Network, found: Spec, description: Description, steps: list[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The steps for images of a published network: its own `prepare`, or none where it prepares them itself.

    Both want values from 0 to 255. Images of other channels get what of `prepare` does not depend on the colours.
    """
    x = description.x

    def prepares(node: network.Node) -> bool:
        learnt = node.layer == "Normalization" and "weights" in found.data  # else it begins as one that changes nothing
        scaling = node.layer == "Rescaling" or (
            node.layer == "Normalization" and node.arguments.get("mean") is not None
        )
        return scaling or learnt or node.arguments.get("reads") == "raw"

    inside = any(prepares(node) and unfolded.input in node.inputs for node in unfolded.nodes)
    if found.kind != "image" or not (inside or unfolded.prepare):
        return steps
    scale = 1.0 if x.dtype == "uint8" or x.maximum > 1 else 255.0
    kept = [step for step in steps if "Rescaling" not in step]
    begin: list[Mapping[str, Any]] = [] if scale == 1.0 else [{"Rescaling": {"scale": scale, "offset": 0.0}}]
    return [*begin, *kept, *for_channels(unfolded.prepare, x.shape[-1], description.name)]


WITHOUT = "no preparation: --set prepare=null"


def for_channels(prepare: tuple[network.Node, ...], channels: int, data: str) -> list[Mapping[str, Any]]:
    """The steps of `prepare` for images of so many channels: of one, a mean over the colours, and no order of them.

    Raises `ZooError` at the step that is for other channels.
    """
    steps: list[Mapping[str, Any]] = []

    def refused(node: network.Node, wrong: str, expected: str) -> ZooError:
        return ZooError(
            Problem(f"{wrong}, and the images of {data} have {channels}", expected, "", node.path, node.mark)
        )

    for node in prepare:
        arguments = dict(node.arguments)
        indices = arguments.get("indices")
        if node.layer == "Take" and arguments.get("axis", -1) in (-1, 3) and isinstance(indices, list):
            if channels == 1:
                continue
            if sorted(indices) != list(range(channels)):  # the network reads as many channels as the data have
                wrong, expected = f"Take puts the channels {indices} in order", f"an order of {channels}, or {WITHOUT}"
                raise refused(node, wrong, expected)
        for key, value in arguments.items():
            if isinstance(value, list) and key in ("scale", "offset", "mean", "variance") and len(value) != channels:
                if channels > 1 and len(value) > 1:
                    raise refused(
                        node, f"`{key}` is for {len(value)} channels", f"a list of {channels}, one number, or {WITHOUT}"
                    )
                arguments[key] = sum(value) / len(value)
        steps.append({node.layer: arguments})
    return steps


def around(key: str, value: float) -> dict[str, Any]:
    """The range of lambda or p that a spec without any gets, wide enough for the value that it has."""
    usual = WITHOUT_RANGES[key]
    low, high = min(usual["min_value"], value or 1.0), max(usual["max_value"], value)
    return {**usual, "min_value": low, "max_value": high, "default": value}


def _with_ranges(found: Spec, unfolded: network.Network) -> Spec:
    """The spec with ranges for lambda and p, as far as trained layers take the spec's and not one of their own."""
    filled = found.fill()
    table, taken = unfolding.names(filled), unfolding.reads(filled)
    values = {"l2": table.get("l2", DEFAULT_L2), "dropout": table.get("dropout", DEFAULT_DROPOUT)}
    still = [node.still for node in unfolded.walk() if node.l2 is not None]
    idle = {"l2"} if still and all(still) else set()
    searched = [key for key in WITHOUT_RANGES if key in taken - idle]
    return found.adapted(**{key: Range(**around(key, float(values[key]))) for key in searched})


def _objective(objective: str | None, task: str) -> tuple[str, str]:
    """The objective with its `val_`, and its direction."""
    metrics = TASKS[task].metrics
    if objective is None:
        objective = next(iter(metrics))
    name = objective.removeprefix("val_")
    if name == "loss":
        raise ZooError(
            f"`{objective}` cannot be the objective: it contains the L2 penalty, so the best lambda would always be 0; "
            f"expected a metric of the task without it: {listed('val_' + metric for metric in metrics)}"
        )
    if name not in metrics:
        hint = nearest(name, metrics)
        raise ZooError(
            f"no objective `{objective}` for {task}; expected one of {listed('val_' + metric for metric in metrics)}"
            + (f"; did you mean `val_{hint}`?" if hint else "")
        )
    return f"val_{name}", metrics[name]
