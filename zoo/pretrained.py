"""Weights that a network starts from: Keras's published ones, a file, or a run's; head and stem are adapted."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError, listed, nearest
from zoo.files import open_npz
from zoo.language import network
from zoo.language.network import Network
from zoo.language.spec import Spec
from zoo.lowering import Plain, lower, weights_by_path

KERAS = "keras:"
"""Before the name of a constructor of `keras.applications`, whose published ImageNet weights are meant."""

FORMATS = (".weights.h5", ".h5", ".keras")
"""Files of Keras's; an `.npz` holds weights by path, as a run keeps them."""


def weights(spec: Spec, flat: Network, model: Any) -> dict[str, np.ndarray]:
    """What a model of a filled spec starts from, by the paths of its weights; nothing for layers that begin anew.

    The network of the weights is the spec with the classes and the shape that they were published for. Layers of the
    head whose shapes differ begin anew; a first kernel of other input channels is their sum (one channel), or repeated
    and scaled so that the sum stays. Raises `ZooError` for weights that are not there, or are another network's.
    """
    given = spec.data["weights"]
    source = str(given["source"] if isinstance(given, Mapping) else given)
    if source.endswith(".npz"):
        path = Path(source)
        if not path.is_file():
            raise ZooError(f"{source} is not there; expected a file of weights")
        found = {name.replace("|", "/"): array for name, array in open_npz(path).items()}
    else:
        facts = {key: given[key] for key in ("classes", "shape") if key in given} if isinstance(given, Mapping) else {}
        found = _published(spec.adapted(**facts), source)
    return _adapted(found, flat, model, source)


def _published(spec: Spec, source: str) -> dict[str, np.ndarray]:
    """The weights as their source has them, by the paths of the network that they were published for."""
    import keras

    flat, problems = network.unfold(spec)
    if flat is None:
        raise ZooError(*problems)
    name = constructor(spec.name) if source == "imagenet" else source.removeprefix(KERAS)
    if source == "imagenet" or source.startswith(KERAS):
        names = constructors()
        if name not in names:
            hint = nearest(name, names)
            also = f"; did you mean `{KERAS}{hint}`?" if hint else ""
            raise ZooError(
                f"Keras publishes no weights of `{name or spec.name}`; expected one of {listed(names)}{also}"
            )
        model = lower(flat, Plain())
        try:
            reference = getattr(keras.applications, name)(weights="imagenet")
        except Exception as error:
            raise ZooError(
                f"the published weights of {name} could not be had: {str(error).splitlines()[0][:200]}; "
                "expected a way to the internet, or a file of weights"
            ) from error
        return _in_order(model, reference, name)
    path = Path(source)
    if not path.is_file():
        raise ZooError(
            f"{source} is not there; expected imagenet, {KERAS}NAME, run:NAME or a file: {', '.join(FORMATS)}"
        )
    if not source.endswith(FORMATS):
        raise ZooError(f"{source} is no file of weights; expected one of {', '.join((*FORMATS, '.npz'))}")
    model = lower(flat, Plain())
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            model.load_weights(path)
        left = [str(one.message) for one in told if "freshly-initialized" in str(one.message)]
        if left:  # Keras loads the rest and goes on
            raise ValueError(left[0])
    except Exception as error:
        says = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise ZooError(f"{source} holds no weights of `{spec.name}`: {says}") from error
    return {name: variable.numpy() for name, variable in weights_by_path(model)}


def _in_order(model: Any, reference: Any, name: str) -> dict[str, np.ndarray]:
    ours, theirs = (
        [one for one in each.weights if "seed" not in one.path] for each in (model, reference)
    )  # fmt: skip
    if [tuple(one.shape) for one in ours] != [tuple(one.shape) for one in theirs]:
        raise ZooError(f"the weights of {name} are another network's: their order or shapes differ")
    for one, other in zip(ours, theirs, strict=True):
        one.assign(other)
    return {path: variable.numpy() for path, variable in weights_by_path(model)}


def constructors() -> list[str]:
    """The constructors of `keras.applications`."""
    import keras

    found = vars(keras.applications).items()
    return sorted(name for name, thing in found if name[:1].isupper() and callable(thing))


def constructor(name: str) -> str:
    """The constructor of `keras.applications` that a spec of the zoo is, or an empty text."""
    plain = name.lower().replace("_", "").replace("-", "")
    return next((one for one in constructors() if one.lower() == plain), "")


def _adapted(found: Mapping[str, np.ndarray], flat: Network, model: Any, source: str) -> dict[str, np.ndarray]:
    heads = {node.name for node in flat.walk() if node.part == "head"}
    stems = {node.name for node in flat.nodes if set(node.read()) & {one.name for one in flat.inputs}}
    stems |= {node.name for node in flat.nodes if set(node.read()) & stems}  # behind padding or rescaling
    stems |= {node.name for node in flat.nodes if set(node.read()) & stems}
    result, absent = dict[str, np.ndarray](), list[str]()
    for path, variable in weights_by_path(model):
        layer, array, shape = path.split("/")[0], found.get(path), tuple(variable.shape)
        if array is not None and array.shape == shape:
            result[path] = array
        elif array is not None and layer in stems and _but_channels(array.shape, shape):
            result[path] = _channels(array, shape[-2])
        elif layer not in heads:
            has = "no weights" if array is None else f"weights of the shape {array.shape}"
            absent.append(f"{source} has {has} for `{path}`, here {shape}")
    if absent:
        more = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
        raise ZooError(f"{absent[0]}{more}; expected weights of this network, at the size that they are for")
    if not result:
        raise ZooError(f"{source} holds no weights of this network")
    return result


def _but_channels(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return len(one) == len(other) > 2 and one[:-2] == other[:-2] and one[-1] == other[-1]


def _channels(kernel: np.ndarray, channels: int) -> np.ndarray:
    """A kernel for other input channels that answers equal channels as before: their sum, or repeated and scaled."""
    if channels == 1:
        return kernel.sum(axis=-2, keepdims=True)
    before = kernel.shape[-2]
    order = np.arange(channels) % before
    return (kernel[..., order, :] * (before / channels)).astype(kernel.dtype)
