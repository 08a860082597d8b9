"""The two tables of the language's vocabulary: the families a spec may belong to, and the tasks with their heads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Family:
    """One kind of network: what people call it, how its body is written, and what it can be for; `task` comes first."""

    label: str
    body: tuple[str, ...]
    tasks: tuple[str, ...]

    @property
    def task(self) -> str:
        """What the network is for unless its spec says so."""
        return self.tasks[0]

    @property
    def gaussian(self) -> bool:
        """Whether its code is a distribution, from which new rows can be drawn."""
        return "generation" in self.tasks

    def __str__(self) -> str:
        return f"{'an' if self.label[0] in 'aeiou' else 'a'} {self.label}"


LAYERS = ("layers",)
CODED = ("encoder", "latent", "decoder")
TARGETED = ("classification", "regression", "forecasting", "binary", "multilabel", "segmentation", "language")

FAMILIES = {
    "cnn": Family("convolutional network", LAYERS, TARGETED),
    "rnn": Family("recurrent network", LAYERS, TARGETED),
    "ae": Family("autoencoder", CODED, ("reconstruction",)),
    "vae": Family("variational autoencoder", CODED, ("generation", "reconstruction")),
    "mlp": Family("feed-forward network", LAYERS, TARGETED),
}


def head(task: str, facts: dict[str, int]) -> list[Any]:
    """The items that end a network whose spec has no `head`; none for an autoencoder, whose end follows its input."""
    if task == "classification":
        return [{"Dense": {"name": "predictions", "units": facts["classes"], "activation": "softmax"}}]
    if task == "binary":
        return [{"Dense": {"name": "predictions", "units": 1, "activation": "sigmoid"}}]
    if task == "multilabel":
        return [{"Dense": {"name": "predictions", "units": facts["classes"], "activation": "sigmoid"}}]
    if task == "segmentation":
        last = {"name": "predictions", "filters": facts["classes"], "kernel_size": 1, "activation": "softmax"}
        return [{"Conv2D": last}]
    if task == "language":
        return [{"Dense": {"name": "predictions", "units": facts["vocabulary"], "activation": "softmax"}}]
    if task == "regression":
        return [{"Dense": {"name": "predictions", "units": facts["targets"]}}]
    if task == "forecasting":
        steps = {"name": "steps", "units": facts["horizon"] * facts["features"]}
        return [
            {"Dense": steps},
            {"Reshape": {"name": "predictions", "target_shape": [facts["horizon"], facts["features"]]}},
        ]
    return []


FACTS = {
    "classification": ("classes",),
    "binary": (),
    "multilabel": ("classes",),
    "segmentation": ("classes",),
    "language": (),
    "regression": ("targets",),
    "forecasting": ("horizon", "features"),
    "reconstruction": (),
    "generation": (),
}
"""The tasks, and what a spec must know before the head can be built; data that say otherwise win."""

_OF_CLASSES = (
    "CategoricalCrossentropy", "CategoricalFocalCrossentropy", "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge", "MeanSquaredError", "SparseCategoricalCrossentropy",
)  # fmt: skip
_OF_LABELS = ("BinaryCrossentropy", "BinaryFocalCrossentropy", "MeanSquaredError")
_OF_NUMBERS = ("Huber", "LogCosh", "MeanAbsoluteError", "MeanSquaredError")

LOSSES = {
    "classification": _OF_CLASSES,
    "binary": _OF_LABELS,
    "multilabel": _OF_LABELS,
    "segmentation": (*_OF_CLASSES, "Dice", "Tversky"),
    "language": _OF_CLASSES,
    "regression": _OF_NUMBERS,
    "forecasting": _OF_NUMBERS,
}
"""Keras's losses that `train.loss` may name, by task: those that fit its targets and the activation of its answer."""


OWN_LOSSES = {
    **dict.fromkeys(
        ("classification", "segmentation", "language"), ("SparseCategoricalCrossentropy", "CategoricalCrossentropy")
    ),
    **dict.fromkeys(("binary", "multilabel"), ("BinaryCrossentropy",)),
    **dict.fromkeys(("regression", "forecasting"), ("MeanSquaredError",)),
}
"""What a task is trained on unless its spec names another, under all names that Keras has for it."""


def losses(task: str | None) -> tuple[str, ...]:
    """The losses that a network may be trained on for a task, for any where none is known."""
    return LOSSES.get(task, ()) if task else tuple(sorted({one for names in LOSSES.values() for one in names}))


def unfit_loss(name: str, task: str | None) -> tuple[str, str] | None:
    """Why a loss cannot train a network for a task, or for any where none is known, as (wrong, expected)."""
    fits = losses(task)
    if not fits:
        return "an autoencoder's loss is its likelihood's", "`likelihood`, and `penalties`"
    if name in fits:
        return None
    return f"{name} is no loss for {task}", f"one of {', '.join(fits)}"


def uneven(loss: Any, classes: int | None) -> tuple[tuple[str, str], str, str] | None:
    """Which list of a loss does not hold a number for each class, as (its path, wrong, expected); None if each does."""
    name, given = next(iter(loss.items())) if isinstance(loss, Mapping) and loss else ("", None)
    for key, value in given.items() if isinstance(given, Mapping) else ():
        if isinstance(value, list) and classes and len(value) != classes:
            return (name, key), f"{len(value)} numbers for {classes} classes", "one number, or one for each class"
    return None


LIKELIHOODS = {"bernoulli": "sigmoid", "gaussian": "linear", "categorical": "softmax"}
"""How an autoencoder reads its output, and the activation that the output then needs."""

DTYPES = (
    "float32", "int32", "int64", "uint8", "bool", "string", "float16", "bfloat16", "float64", "int8", "int16", "uint16",
    "uint32", "uint64",
)  # fmt: skip
"""The types that an input may have."""

KINDS = {
    7: ("array",),
    6: ("array",),
    5: ("array",),
    4: ("video",),
    3: ("image",),
    2: ("sequence", "tokens"),
    1: ("table", "tokens", "sequence"),
    0: ("number", "label"),
}
"""What an input may be, by the rank of its shape; `kind` chooses where it is not the first."""


def kinds(given: Mapping[str, Any]) -> tuple[str, ...]:
    """What an input may be, what it is unless `kind` says otherwise first; whole numbers are tokens, or a label."""
    found = KINDS[len(given["shape"])]
    if "vocabulary" in given or (len(given["shape"]) == 1 and str(given.get("dtype", "")).startswith("int")):
        return ("tokens", *found)
    return ("label", *found) if len(given["shape"]) == 0 and "classes" in given else found
