"""Weights that a network starts from: Keras's published ones, a file, or a run's; head and stem are adapted."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo import selection
from zoo.errors import ZooError, listed, nearest
from zoo.files import open_npz
from zoo.language import reading
from zoo.language.network import Network
from zoo.language.spec import Spec
from zoo.lowering import Plain, lower, weights_by_path

KERAS = "keras:"
"""Before the name of a constructor of `keras.applications`, whose published ImageNet weights are meant."""

IMAGENET = "imagenet"
"""The word for what Keras publishes for the spec's own network; a `let` of this name is true where weights are such."""

FORMATS = (".weights.h5", ".h5", ".keras")
"""Files of Keras's; an `.npz` holds weights by path, as a run keeps them."""


def weights(spec: Spec, flat: Network, model: Any) -> dict[str, np.ndarray]:
    """What a model of a filled spec starts from, by the paths of its weights; nothing for layers that begin anew.

    Layers of the head whose shapes differ begin anew. A first kernel of other input channels is their sum (one
    channel), or repeated and scaled so that the sum stays; what stands before it is averaged, or repeated.
    Raises `ZooError` for weights that are not there, or are another network's.
    """
    source = source_of(spec)
    if source.endswith(".npz"):
        path = Path(source)
        if not path.is_file():
            raise ZooError(f"{source} is not there; expected a file of weights")
        found = {name.replace("|", "/"): array for name, array in open_npz(path).items()}
    elif is_published(source):
        found = _published(spec, source, flat, model)
    else:
        found = _in_file(spec, source, flat)
    return _adapted(found, flat, model, source, spec.name)


def source_of(spec: Spec) -> str:
    """Where the weights of a spec are from, or an empty text."""
    return str(spec.data.get("weights", ""))


def is_published(source: str) -> bool:
    """Whether a source of weights means those that Keras publishes."""
    return source == IMAGENET or source.startswith(KERAS)


def _published(spec: Spec, source: str, flat: Network, model: Any) -> dict[str, np.ndarray]:
    """The weights that Keras publishes, by the paths of our model's: its body's in order, then its head's."""
    import keras

    name = constructor(spec.name) or _origin(spec) if source == IMAGENET else source.removeprefix(KERAS)
    names = constructors()
    if name not in names:
        hint = nearest(name, names)
        also = f"; did you mean `{KERAS}{hint}`?" if hint else ""
        raise ZooError(
            f"Keras publishes no weights of `{name or spec.name}`; expected {KERAS}NAME with one of "
            f"{listed(names)}{also}"
        )
    try:
        reference = getattr(keras.applications, name)(weights="imagenet")
    except Exception as error:
        raise ZooError(
            f"the published weights of {name} could not be had: {str(error).splitlines()[0][:200]}; "
            "expected a way to the internet, or a file of weights"
        ) from error
    return _in_order(flat, model, [one.numpy() for one in reference.weights if "seed" not in one.path], source)


def _in_order(flat: Network, model: Any, arrays: list[np.ndarray], source: str) -> dict[str, np.ndarray]:
    """Arrays in the order of a model's weights, by path; a head of another number of weights begins anew."""
    heads = _heads(flat)
    paths = {id(variable): path for path, variable in weights_by_path(model)}
    ours = [paths[id(one)] for one in model.weights if id(one) in paths]
    body = [path for path in ours if path.split("/")[0] not in heads]
    rest = [path for path in ours if path.split("/")[0] in heads]
    if len(arrays) < len(body):
        raise ZooError(f"{source} holds {len(arrays)} weights; expected {len(ours)}, as `{flat.name}` has")
    found = dict(zip(body, arrays, strict=False))
    left = arrays[len(body) :]
    return found | (dict(zip(rest, left, strict=True)) if len(left) == len(rest) else {})


def _in_file(spec: Spec, source: str, flat: Network) -> dict[str, np.ndarray]:
    """The weights that a file of Keras's holds, by the paths of the same network's."""
    path = Path(source)
    if not path.is_file():
        raise ZooError(
            f"{source} is not there; expected imagenet, {KERAS}NAME, run:NAME or a file: {', '.join(FORMATS)}"
        )
    if not source.endswith(FORMATS):
        raise ZooError(f"{source} is no file of weights; expected one of {', '.join((*FORMATS, '.npz'))}")
    model = lower(flat, Plain())  # one to throw away: Keras reads a file only into a model
    try:
        if source.endswith(".h5") and not source.endswith(".weights.h5"):
            return _in_order(flat, model, _legacy(path), source)
        found: dict[str, np.ndarray] = {}
        for name, variable in weights_by_path(model):
            variable.assign = _noting(found, name)  # whatever its shape; Keras would refuse another
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of layers that the file does not have: what is missing is told below
            model.load_weights(path)
    except ZooError:
        raise
    except Exception as error:
        says = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise ZooError(f"{source} holds no weights of `{spec.name}`: {says}") from error
    return found


def _noting(found: dict[str, np.ndarray], name: str) -> Any:
    def assign(value: Any) -> None:
        found[name] = np.asarray(value)

    return assign


def _legacy(path: Path) -> list[np.ndarray]:
    """The weights of an HDF5 file of earlier versions of Keras, layer by layer."""
    import h5py  # type: ignore[import-untyped]

    def texts(group: Any, key: str) -> Iterator[Any]:
        parts = itertools.takewhile(lambda one: one in group.attrs, (f"{key}{number}" for number in itertools.count()))
        for one in [key] if key in group.attrs else parts:  # a long list is written in parts
            yield from group.attrs[one]

    with h5py.File(path, "r") as file:
        whole = file.get("model_weights", file)
        layers = [whole[name] for name in texts(whole, "layer_names")]
        return [np.asarray(layer[name]) for layer in layers for name in texts(layer, "weight_names")]


def constructors() -> list[str]:
    """The constructors of `keras.applications`."""
    import keras

    found = vars(keras.applications).items()
    return sorted(name for name, thing in found if name[:1].isupper() and callable(thing))


def constructor(name: str) -> str:
    """The constructor of `keras.applications` that a spec of the zoo is, or an empty text."""
    plain = name.lower().replace("_", "").replace("-", "")
    return next((one for one in constructors() if one.lower() == plain), "")


def _origin(spec: Spec) -> str:
    """The constructor whose network a spec has under another name, as one that extends it; or an empty text."""
    same = ("layers", "blocks", "defaults", "let")

    def body(one: Any) -> list[Any]:
        let = {key: value for key, value in one.get("let", {}).items() if key != IMAGENET}
        return [one.get(key) for key in same[:-1]] + [let]

    for name, (path, variant) in selection.names().items():
        if constructor(name):
            other, _ = reading.read(path.read_bytes(), str(path), {}, variant)
            if other is not None and body(other.data) == body(spec.data):
                return constructor(name)
    return ""


def _heads(flat: Network) -> set[str]:
    return {node.name for node in flat.walk() if node.part == "head"}


def _stems(flat: Network, model: Any) -> set[str]:
    """The layers that see the channels of the input: the first ones with a kernel, and all that stand before those."""
    seen, found = {one.name for one in flat.inputs}, set[str]()
    for node in flat.nodes:
        if set(node.read()) & seen:
            found.add(node.name)
            if all(len(one.shape) < 2 for one in model.get_layer(node.name).weights):
                seen.add(node.name)
    return found


def _adapted(
    found: Mapping[str, np.ndarray], flat: Network, model: Any, source: str, name: str
) -> dict[str, np.ndarray]:
    heads, stems = _heads(flat), _stems(flat, model)
    channels = {one.shape[-1] for one in flat.inputs if one.shape}
    result, absent = dict[str, np.ndarray](), list[str]()
    for path, variable in weights_by_path(model):
        layer, array, shape = path.split("/")[0], found.get(path), tuple(variable.shape)
        if array is not None and array.shape == shape:
            result[path] = array
        elif array is not None and layer in stems and _but_channels(array.shape, shape):
            result[path] = _channels(array, shape[-2])
        elif array is not None and layer in stems and array.ndim == len(shape) == 1 and shape[0] in channels:
            result[path] = array.mean(keepdims=True) if shape == (1,) else np.resize(array, shape)
        elif layer not in heads:
            has = "none" if array is None else f"one of the shape {array.shape}"
            absent.append(f"for `{path}`, {shape}, it has {has}")
    if absent or not result:
        more = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
        says = f": {absent[0]}{more}" if absent else ""
        raise ZooError(
            f"{source} holds no weights of `{name}`{says}; expected those of this network, at the size of their images"
        )
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
