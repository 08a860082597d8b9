"""A `Network`: a flat tuple of layers, without Keras. The hinge of the house.

Building, showing and exporting read this one type; each node knows where its spec wrote it, so that an error of
Keras finds its way back to a line. A model inside the model (an encoder, a nested block) is a node with a network.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.errors import Mark
from zoo.language import catalogue, objects
from zoo.language.ranges import Filled


@dataclass(frozen=True)
class Node:
    """One layer of a network: what it is called, what it is, what it is called on, and how it is regularised.

    `inputs` are names of nodes and inputs of the same network, `name:1` for a second output; `many` says that they are
    handed over as a list, `call` what the layer is given by the names of its call's arguments. `l2` is lambda for its
    kernels (None where it has none); `dropout` is p (None where it is no dropout layer). `part` is the section it
    stands in: layers, encoder, latent, decoder, criterion or head. `network` is what a model inside the model holds: a
    `Sequential`, a `Functional`, or a `TimeDistributed` whose `layer` says which of them. `reuses` names the node whose
    layer is called once more.
    """

    name: str
    layer: str
    arguments: dict[str, Any]
    inputs: tuple[str, ...]
    part: str
    l2: float | None = None
    dropout: float | None = None
    mark: Mark | None = None
    path: str = ""
    many: bool = False
    call: Mapping[str, Any] = field(default_factory=dict)
    outputs: int = 1
    frozen: bool = False
    network: Network | None = None
    reuses: str = ""

    @property
    def operation(self) -> str:
        """The function of `keras.ops` that it is, an empty text for a layer or a model inside."""
        return self.layer.removeprefix(catalogue.OPERATIONS) if catalogue.is_operation(self.layer) else ""

    @property
    def still(self) -> bool:
        """Whether its weights stay as they begin: it is frozen, or says `trainable: false` itself."""
        return self.network is None and (self.frozen or self.arguments.get("trainable") is False)

    @property
    def kind(self) -> str:
        """What a model inside the model is: Sequential or Functional; an empty text for a layer."""
        return "" if self.network is None else str(self.arguments.get("layer", self.layer))

    @property
    def at_steps(self) -> bool:
        """Whether it is a model that is applied to each step."""
        return self.network is not None and self.layer == "TimeDistributed"

    def acting(self) -> tuple[list[float], list[float]]:
        """The lambdas and the rates of dropout that act in it, those that it states itself or wraps included."""
        lambdas = [] if self.l2 is None else [float(self.l2)]
        rates = [] if self.dropout is None else [float(self.dropout)]
        for layer, arguments in objects.walked(self.layer, self.arguments):
            found = (objects.lambda_of(arguments.get(key)) for key in catalogue.KERNELS)
            lambdas += [one for one in found if one is not None]
            keys = ("dropout", "recurrent_dropout", *(["rate"] if layer in catalogue.DROPOUTS else []))
            rates += [float(arguments[key]) for key in keys if arguments.get(key)]
        return [] if self.still else list(dict.fromkeys(lambdas)), list(dict.fromkeys(rates))

    def read(self) -> Iterator[str]:
        """The names of the tensors that it is called on, those by argument included."""
        yield from self.inputs
        for value in self.call.values():
            if not isinstance(value, bool):
                yield from (value,) if isinstance(value, str) else (one for one in value if one is not None)


ODD = ("batch_size", "sparse", "optional")
"""What a spec says of an input with which no task trains a network."""

OF_INPUT = ("shape", "dtype", *ODD)
"""What a spec says of an input that is Keras's."""


@dataclass(frozen=True)
class Input:
    """What a network is given: name, shape without the batch, and type.

    A network inside takes the type that comes, and the shape of its first call where it states none. What has a
    `batch_size` takes so many rows alone, `sparse` tensors are such, and what is `optional` may be None.
    """

    name: str
    shape: tuple[int | None, ...] = ()
    dtype: str = "float32"
    batch_size: int | None = None
    sparse: bool = False
    optional: bool = False

    @property
    def odd(self) -> str:
        """What keeps rows from being trained on in batches of any size; an empty text for nothing."""
        return next((key for key in ODD if getattr(self, key)), "")


@dataclass(frozen=True)
class Network:
    """A whole network, flat and in order: what every node reads stands before it. `outputs` name what it answers."""

    name: str
    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    prepare: tuple[Node, ...] = ()
    """The published preprocessing, a chain of layers that stand outside the network."""

    @property
    def input(self) -> str:
        """The name of the first input."""
        return self.inputs[0].name

    @property
    def output(self) -> str:
        """The name of the first output."""
        return self.outputs[0]

    def walk(self) -> Iterator[Node]:
        """Every layer, those of the models inside included."""
        for node in self.nodes:
            yield from node.network.walk() if node.network else (node,)

    def without_values(self) -> list[Any]:
        """The network with each lambda and p that a range filled replaced by the range's name: what a trace depends on.

        A number that a range filled elsewhere (a slope, a rate inside an LSTM) is part of the graph and stays.
        """
        return [
            [
                n.name, n.layer, n.arguments, list(n.inputs), n.part, dict(n.call), n.frozen, n.reuses,
                *map(_unfilled, (n.l2, n.dropout)), n.network.without_values() if n.network else None,
            ]
            for n in self.nodes
        ]  # fmt: skip

    def knobs(self) -> set[str]:
        """The names of the ranges whose values act as lambda or p: they change no shape and need no new trace."""
        values = [value for node in self.walk() for value in (node.l2, node.dropout)]
        return {value.name for value in values if isinstance(value, Filled)}


def output(name: str, number: int) -> str:
    """The tensor that is an output of a node: the name of the node for the first. No layer's name has a colon."""
    return f"{name}:{number}" if number else name


def owner(tensor: str) -> str:
    """The node or input of a tensor: `lstm` for `lstm:1`."""
    return tensor.partition(":")[0]


def said(tensor: str) -> str:
    """A tensor as a spec names it: `lstm.1` for `lstm:1`."""
    return tensor.replace(":", ".")


def layer_named(text: str) -> str:
    """The layer that a tensor's text in a spec names, unless a layer is called so itself: `lstm` for `lstm.1`."""
    name, dot, number = text.rpartition(".")
    return name if dot and number.isdigit() else text


def names_of(base: str) -> Iterator[str]:
    """The names that Keras gives one after another: `dense`, `dense_1`, `dense_2`, ..."""
    return itertools.chain([base], (f"{base}_{count}" for count in itertools.count(1)))


def free(base: str, taken: Container[str]) -> str:
    """The first of these names that is not taken."""
    return next(one for one in names_of(base) if one not in taken)


def snake_case(name: str) -> str:
    """A class's name in Keras's snake case: `conv2d` for `Conv2D`."""
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()


def is_chain(network: Network) -> bool:
    """Whether each layer is called on the one before it, and on nothing else."""
    names = [network.input, *(node.name for node in network.nodes)]
    reads = [(before,) for before in names[:-1]]
    plain = all(not (node.call or node.many or node.reuses or node.outputs > 1) for node in network.nodes)
    plain = plain and not any(node.operation for node in network.nodes)
    plain = plain and network.outputs == (names[-1],)
    return plain and len(network.inputs) == 1 and [node.inputs for node in network.nodes] == reads


def _unfilled(value: float | None) -> Any:
    return f"<{value.name}>" if isinstance(value, Filled) else value


ACTIVATIONS = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "PReLU": "prelu", "ELU": "elu", "Softmax": "softmax"}
"""Layers that are activations, and the words for them."""

PASSING = (
    *(f"{what}{rank}D" for what in ("Cropping", "ZeroPadding", "UpSampling") for rank in (1, 2, 3)),
    *catalogue.DROPOUTS, "GaussianNoise", "Reshape", "Flatten", "Permute", "RepeatVector", "CenterCrop", "Identity",
    "ActivityRegularization",
)  # fmt: skip
"""Layers whose answers have the activation of what they read."""

WITHOUT_NOISE = tuple(one for one in PASSING if one not in (*catalogue.DROPOUTS, "GaussianNoise"))
"""Those of them that leave every number within the bounds of the activation, in training too."""


def answering(inside: Network, tensor: str, passing: Container[str] = PASSING) -> Node | None:
    """The layer that gives a tensor its activation, in a model inside the model too; None where that is an input."""
    node = next((one for one in inside.nodes if one.name == owner(tensor)), None)
    if node is None:
        return None
    if node.network:
        return answering(node.network, node.network.output, passing)
    return answering(inside, node.inputs[0], passing) if node.layer in passing and len(node.inputs) == 1 else node


def activation(layer: str, arguments: Mapping[str, Any]) -> str:
    """The activation of a layer, or of the one that it wraps; an empty text where none is known."""
    wrapped = arguments.get("layer", arguments.get("cell"))
    if wrapped:
        inner = wrapped[-1] if isinstance(wrapped, list) else wrapped
        name, body = next(iter(inner.items())) if isinstance(inner, Mapping) and inner else (inner, None)
        known = isinstance(name, str) and isinstance(body, Mapping | None)
        return activation(name, body or {}) if known else ""
    operation = layer.removeprefix(catalogue.OPERATIONS)
    if operation != layer:
        return operation if operation in catalogue.words("activation") else ""
    takes = catalogue.catalogue()["layers"].get(layer, {}).get("arguments", {})
    if "activation" not in takes:
        return ACTIVATIONS.get(layer, "")
    given = arguments.get("activation", takes["activation"]) or "linear"
    if isinstance(given, Mapping):
        name, body = next(iter(given.items()), ("", None))
        return ACTIVATIONS.get(name) or (activation(name, body) if isinstance(body, Mapping) else "")
    return given if isinstance(given, str) else ""
