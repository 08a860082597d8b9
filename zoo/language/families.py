"""The two tables of the language's vocabulary: the families a spec may belong to, and the tasks with their heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Family:
    """One kind of network: what people call it, how its body is written, and what it is for unless it says so."""

    label: str
    body: tuple[str, ...]
    task: str


LAYERS = ("layers",)
CODED = ("encoder", "latent", "decoder")

FAMILIES = {
    "cnn": Family("convolutional network", LAYERS, "classification"),
    "rnn": Family("recurrent network", LAYERS, "classification"),
    "ae": Family("autoencoder", CODED, "reconstruction"),
    "vae": Family("variational autoencoder", CODED, "generation"),
    "mlp": Family("feed-forward network", LAYERS, "classification"),
}

def head(task: str, facts: dict[str, int]) -> list[Any]:
    """The items that end a network whose spec has no `head`; none for an autoencoder, whose end follows its input."""
    if task == "classification":
        return [{"Dense": {"name": "predictions", "units": facts["classes"], "activation": "softmax"}}]
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
    "regression": ("targets",),
    "forecasting": ("horizon", "features"),
    "reconstruction": (),
    "generation": (),
}
"""The tasks, and what a spec must know before the head can be built; data that say otherwise win."""

LIKELIHOODS = {"bernoulli": "sigmoid", "gaussian": "linear"}
"""How an autoencoder reads its output, and the activation that the output then needs."""

KINDS = {3: "image", 2: "sequence", 1: "table"}
"""What an input is, by the rank of its shape, unless `kind` says otherwise."""
