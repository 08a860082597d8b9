"""Weights that a network starts from: Keras's published ones, a file, or a run's; head and stem are adapted."""

from __future__ import annotations

import contextlib
import itertools
import re
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo import importing, selection
from zoo.errors import ZooError
from zoo.files import read_arrays
from zoo.language import catalogue, reading, unfolding
from zoo.language.network import Network, Node, owner
from zoo.language.spec import Spec
from zoo.lowering import Plain, lower, model_in, weights_by_path

Held = list[tuple[str, dict[str, np.ndarray]]]
"""Layers with weights, in order: the name of each, and its weights by name, in Keras's old order."""


IMAGENET = "imagenet"
"""The word for what Keras publishes for the spec's own network; a `let` of this name is true where weights are such."""


def weights(spec: Spec, flat: Network, model: Any) -> dict[str, np.ndarray]:
    """What a model of a filled spec starts from, by the paths of its weights; nothing for layers that begin anew.

    Layers of the head whose shapes differ begin anew, and where what stands between a last `Flatten` and the head does
    not fit, all of that. A first kernel of other input channels is their sum (one
    channel), or repeated in turn and scaled by old / new: where new is a multiple of old, what it answers to an image
    that is repeated so often stays. What stands before it is averaged, or repeated.
    Raises `ZooError` for weights that are not there, or are another network's.
    """
    source = source_of(spec)
    if absent := selection.unreachable(spec) or selection.unpublished(spec):
        raise ZooError(*absent)
    if source.endswith(".npz"):
        found = read_arrays(Path(source))
        theirs, ours = list(found), [one for one, _ in weights_by_path(model)]
        top = _top(flat) & {one.split("/")[0] for one in ours}
        without = bool(top) and not any(one.split("/")[0] in top for one in theirs)  # then nothing may stand there
        left = [one for one in theirs if one not in ours] if without else _within(theirs, ours)
        _refuse_more(left, source, spec.name)
    elif is_published(source):
        found = _published(spec, source, flat, model)
    else:
        found = _in_file(spec, source, flat)
    made = _adapted(found, flat, model, source, spec.name)
    if any(found[path].shape != array.shape for path, array in made.items() if path in found):
        _refuse_raw_colours(spec, flat, source)
    return made


def _refuse_raw_colours(spec: Spec, flat: Network, source: str) -> None:
    """Raise `ZooError` where a network of other channels leaves out what it does to those that the weights are for."""
    if spec.data.get("let", {}).get(IMAGENET) is not False:
        return
    other, _ = unfolding.unfold(replace(spec, data={**spec.data, "let": {**spec.data["let"], IMAGENET: True}}).fill())
    ours = {node.name for node in flat.walk()}
    left = (
        [node.name for node in other.walk() if node.layer == "Normalization" and node.name not in ours] if other else []
    )
    if left:
        raise ZooError(
            f"{source} is adapted to other channels, and `{spec.name}` has `{left[0]}` for three colours alone; "
            f"expected `let: {{{IMAGENET}: true}}` beside such weights"
        )


def source_of(spec: Spec) -> str:
    """Where the weights of a spec are from, or an empty text."""
    return str(spec.data.get("weights", ""))


def is_published(source: str) -> bool:
    """Whether a source of weights means those that Keras publishes."""
    return source == IMAGENET or source.startswith(selection.KERAS)


def _published(spec: Spec, source: str, flat: Network, model: Any) -> dict[str, np.ndarray]:
    """The weights that Keras publishes, by the paths of our model's: its body's in order, then its head's."""
    import keras

    name = constructor(spec.name) or _origin(spec) if source == IMAGENET else source.removeprefix(selection.KERAS)
    if not name:
        raise ZooError(*selection.unpublished(spec, spec.name))
    try:
        reference = getattr(keras.applications, name)(weights="imagenet")
    except Exception as error:
        raise ZooError(
            f"the published weights of {name} could not be had: {str(error).splitlines()[0][:200]}; "
            "expected a way to the internet, or a file of weights"
        ) from error
    held = [(one.name, {each.path: each.numpy() for each in _in_old_order(one)}) for one in reference.layers]
    ends = [keras.layers.Flatten, *(one for name, one in vars(keras.layers).items() if name.startswith("Global"))]
    last = max((index for index, one in enumerate(reference.layers) if isinstance(one, tuple(ends))), default=0)
    head = sum(len(arrays) for _, arrays in held[last:])
    return _in_order(flat, model, [one for one in held if one[1]], source, head)


def _in_old_order(layer: Any) -> list[Any]:
    """The weights of a layer, or of a model inside the model, as Keras's old files hold them: what is trained first."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _in_order(flat: Network, model: Any, held: Held, source: str, head: int = 0) -> dict[str, np.ndarray]:
    """Weights in the order of a model's, by path; a head of another number of weights begins anew.

    More than the model has are refused, but a `head` of so many. Within a layer names go before the order: a frozen
    one stands in another.
    """
    heads, paths = _heads(flat), {id(variable): path for path, variable in weights_by_path(model)}
    groups = [(layer.name, _in_old_order(layer)) for layer in model.layers if layer.weights]
    body = [variables for name, variables in groups if name not in heads]
    ours = [variable for variables in body for variable in variables]
    if [len(arrays) for _, arrays in held[: len(body)]] == list(map(len, body)):
        held = [(name, _renamed(arrays, one)) for (name, arrays), one in itertools.zip_longest(held, body)]
    else:  # what is a model inside the model on one side is none on the other
        ours = [one for one in model.weights if id(one) in paths and paths[id(one)].split("/")[0] not in heads]
    rest = [variable for name, variables in groups if name in heads for variable in variables]
    arrays = [array for _, one in held for array in one.values()]
    if len(arrays) < len(ours):  # a file without a top, and so without a head
        ours, rest, head = [one for one in ours if paths[id(one)].split("/")[0] not in _top(flat)], [], 0
    if len(arrays) < len(ours):
        raise ZooError(f"{source} holds {len(arrays)} weights; expected {len(ours) + len(rest)}, as `{flat.name}` has")
    left = arrays[len(ours) :]
    if len(left) > max(len(rest), head):
        names = [name for _, one in held for name in one]
        _refuse_more(names[len(ours) :][: len(left) - len(rest)], source, flat.name)
    fitting = [*ours, *rest] if len(left) == len(rest) else ours
    theirs = [name.rpartition("/")[2].partition(":")[0] for _, one in held for name in one][: len(fitting)]
    mine = [one.name for one in fitting]
    if sorted(theirs) == sorted(mine) and theirs != mine:  # a model inside has what is trained first
        pairs = zip(theirs, fitting, strict=True)
        wrong = next(f"`{name}` where `{paths[id(one)]}` would be" for name, one in pairs if name != one.name)
        raise ZooError(f"{source} holds its weights in another order, {wrong}; expected a .keras file of Keras's")
    return dict(zip((paths[id(one)] for one in fitting), arrays, strict=False))


def _renamed(arrays: dict[str, np.ndarray], variables: list[Any] | None) -> dict[str, np.ndarray]:
    """The weights of a layer in the order of the variables of their names, if those are the names of all."""
    names = [one.path for one in variables or ()]
    return {name: arrays[name] for name in names} if set(names) == set(arrays) else arrays


def _within(theirs: list[str], ours: list[str]) -> list[str]:
    """The weights of a file that a network does not have; those behind all that it has are another head's."""
    last = max((index for index, one in enumerate(theirs) if one in set(ours)), default=0)
    return [one for one in theirs[:last] if one not in set(ours)]


def _refuse_more(names: list[str], source: str, name: str) -> None:
    """Raise `ZooError` if there are weights that a network does not have."""
    if names:
        many = "1 weight" if len(names) == 1 else f"{len(names)} weights"
        raise ZooError(
            f"{source} holds {many} more than `{name}` has, the first `{names[0]}`; expected those of this network"
        )


def _in_file(spec: Spec, source: str, flat: Network) -> dict[str, np.ndarray]:
    """The weights that a file of Keras's holds, by the paths of the same network's."""
    path = Path(source)
    model = lower(flat, Plain())  # one to throw away: Keras reads a file only into a model
    model.trainable = True  # frozen layers would stand in another order
    body = {name for name, _ in weights_by_path(model) if name.split("/")[0] not in _heads(flat) | _top(flat)}
    try:
        if source.endswith(".h5") and not source.endswith(".weights.h5"):
            return _in_order(flat, model, _legacy(path), source)
        found: dict[str, np.ndarray] = {}
        for name, variable in weights_by_path(model):
            variable.assign = _noting(found, name)  # whatever its shape; Keras would refuse another
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of layers that the file does not have: what is missing is told below
            model.load_weights(path, skip_mismatch=True)
        if len(found) < len(list(weights_by_path(model))) and _is_from_before(path, model):
            found = {name: found.get(name, one.numpy()) for name, one in weights_by_path(model)
                     if name in found or {*catalogue.ACTIVE} & {*name.split("/")}}  # fmt: skip
        if body <= set(found):
            more = _beyond(path, model, len(found))
            whole = _in_names(path, flat, model, source) if more and path.suffix == ".keras" else {}
            found = whole or found
            _refuse_more([] if whole else more, source, spec.name)
        elif path.suffix == ".keras":
            found = _in_names(path, flat, model, source) or found
    except ZooError:
        raise
    except Exception as error:
        lines = [one.strip() for one in str(error).splitlines() if one.strip()] or [type(error).__name__]
        says = " ".join(lines[: 1 + lines[0].endswith(":")])[:300].rstrip(".")
        raise ZooError(f"{source} holds no weights of `{spec.name}`: {says}") from error
    return found


def _in_names(path: Path, flat: Network, model: Any, source: str) -> dict[str, np.ndarray]:
    """The weights of a whole model in a file whose layers are called as ours, one by one; nothing of another.

    Keras finds weights by the kinds of models inside the model, and a chain of layers is a sequential one here.
    """
    try:
        reference = importing.read(path)
    except ZooError:
        return {}
    theirs, ours = ([name for name, _ in _leaves(one)] for one in (reference, model))
    reference.trainable = True
    if theirs != ours:
        return _imported(reference, flat, model)
    held = [(one.name, {each.path: each.numpy() for each in _in_old_order(one)}) for one in reference.layers]
    return _in_order(flat, model, [one for one in held if one[1]], source)


def _imported(reference: Any, flat: Network, model: Any) -> dict[str, np.ndarray]:
    """The weights of a model that is imported as this network, in order; nothing of another."""
    with contextlib.suppress(ZooError):
        spec, _ = reading.read(importing.spec_of(reference), "", {})
        found = unfolding.unfold(spec.fill())[0] if spec else None
        if found and [(one.name, one.layer) for one in found.walk()] == [(one.name, one.layer) for one in flat.walk()]:
            paths = {id(variable): path for path, variable in weights_by_path(model)}
            if [one.shape for one in model.weights] == [one.shape for one in reference.weights]:
                pairs = zip(model.weights, reference.weights, strict=True)
                return {paths[id(one)]: other.numpy() for one, other in pairs}
    return {}


def _leaves(model: Any) -> Iterator[tuple[str, Any]]:
    """The layers with weights of a model and of those inside it, by name."""
    for layer in model.layers:
        if inner := model_in(layer):
            yield from _leaves(inner)
        elif layer.weights:
            yield layer.name, layer


def _noting(found: dict[str, np.ndarray], name: str) -> Any:
    def assign(value: Any) -> None:
        found[name] = np.asarray(value)

    return assign


def _is_from_before(path: Path, model: Any) -> bool:
    """Whether all that a file lacks are weights of activations that it holds as layers, as yet without any.

    Keras makes these when it first computes. Of what kind they are a whole model tells, a file of weights does not.
    """
    theirs, ends = set(_places(path)), tuple(f"/{key}/vars" for key in catalogue.ACTIVE)
    lacks = {one.rpartition("/")[0] for one in _own_places(model) if one not in theirs}
    if not lacks or not all(one.endswith(ends) for one in lacks) or not lacks <= set(_places(path, empty=True)):
        return False
    if path.suffix != ".keras":
        return True
    with zipfile.ZipFile(path) as archive:
        told = archive.read("config.json").decode()
    held = [getattr(one, key, None) for one in model._flatten_layers() for key in catalogue.ACTIVE]
    return all(f'"{type(one).__name__}"' in told for one in held if getattr(one, "weights", ()))


def _beyond(path: Path, model: Any, read: int) -> list[str]:
    """The weights of a file of Keras 3 that none of the model's layers reads; so many were read."""
    theirs = _places(path)
    if len(theirs) <= read:
        return []
    ours = set(_own_places(model))
    return [one for one in theirs if one not in ours]


def _own_places(model: Any) -> list[str]:
    """Where the layers of a model would hold weights in a file."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_weights(Path(folder) / "ours.weights.h5")
        return _places(Path(folder) / "ours.weights.h5")


def _places(path: Path, empty: bool = False) -> list[str]:
    """Where the layers of a file of Keras 3 hold weights, seeds aside, `dense_2` before `dense_10`; or hold none."""
    import h5py  # type: ignore[import-untyped]

    found: list[str] = []

    def note(name: str, thing: Any) -> None:
        held = isinstance(thing, h5py.Dataset) and not (thing.shape == (2,) and thing.dtype.kind in "iu")
        if (isinstance(thing, h5py.Group) and not len(thing)) if empty else held:
            found.append(name)

    with contextlib.ExitStack() as stack:
        inside = path.suffix == ".keras" and stack.enter_context(zipfile.ZipFile(path))
        file = stack.enter_context(h5py.File(inside.open("model.weights.h5") if inside else path, "r"))
        for outer in ("layers", "_layer_checkpoint_dependencies"):
            if outer in file:
                file[outer].visititems(note)
    return sorted(found, key=lambda name: [int(one) if one.isdigit() else one for one in re.split(r"(\d+)", name)])


def _legacy(path: Path) -> Held:
    """The weights of an HDF5 file of earlier versions of Keras, layer by layer."""
    import h5py

    def texts(group: Any, key: str) -> Iterator[Any]:
        parts = itertools.takewhile(lambda one: one in group.attrs, (f"{key}{number}" for number in itertools.count()))
        for one in [key] if key in group.attrs else parts:  # a long list is written in parts
            yield from group.attrs[one]

    with h5py.File(path, "r") as file:
        whole = file.get("model_weights", file)
        layers = [(_text(name), whole[name]) for name in texts(whole, "layer_names")]
        held = [
            (name, {_text(one): np.asarray(layer[one]) for one in texts(layer, "weight_names")})
            for name, layer in layers
        ]
    return [one for one in held if one[1]]


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def constructor(name: str) -> str:
    """The constructor of `keras.applications` that a spec of the zoo is, or an empty text."""
    plain = name.lower().replace("_", "").replace("-", "")
    return next((one for one in catalogue.catalogue()["applications"] if one.lower() == plain), "")


def _origin(spec: Spec) -> str:
    """The constructor whose network a spec has under another name, as one that extends it; or an empty text.

    Names and blocks that only its head read went with it.
    """

    def body(one: Mapping[str, Any]) -> list[Any]:
        kept = ({key: part for key, part in one.get(held, {}).items() if key in spec.data.get(held, {})}
                for held in ("blocks", "let"))  # fmt: skip
        return [one.get("layers"), one.get("defaults"), *({**parts, IMAGENET: None} for parts in kept)]

    for name, (path, variant) in selection.names().items():
        if constructor(name):
            other, _ = reading.read(path.read_bytes(), str(path), {}, variant)
            if other is not None and body(other.data) == body(spec.data):
                return constructor(name)
    return ""


def _heads(flat: Network) -> set[str]:
    return {node.name for node in flat.walk() if node.part == "head"}


ENDS = ("Flatten", "GlobalAveragePooling2D", "GlobalMaxPooling2D")
"""Layers behind which a network of images has no images any more."""


def _top(flat: Network) -> set[str]:
    """The layers of the body from where its images end (`Flatten`, a global pool), unless something leads around it."""
    ends = [index for index, node in enumerate(flat.nodes) if node.layer in ENDS and node.part != "head"]
    start = max(ends, default=0)
    behind = {node.name for node in flat.nodes[start:]}
    around = {owner(one) for node in flat.nodes[start + 1 :] for one in node.read()} - behind
    return behind - _heads(flat) if start and not around else set()


DEPTHWISE, SEPARABLE = ("DepthwiseConv1D", "DepthwiseConv2D"), ("SeparableConv1D", "SeparableConv2D")
"""Convolutions that leave the channels apart, and those that mix them only after that."""


def _stems(flat: Network, model: Any) -> set[str]:
    """The layers that see the channels of the input: the first ones that mix them, and all that stand before those."""
    seen, found = {one.name for one in flat.inputs}, set[str]()
    for node in flat.nodes:
        if set(node.read()) & seen:
            layer = node.reuses or node.name
            found.add(layer)
            weights = [] if node.operation else model.get_layer(layer).weights
            if node.layer in DEPTHWISE or all(len(one.shape) < 2 for one in weights):
                seen.add(node.name)
    return found


def _adapted(
    found: Mapping[str, np.ndarray], flat: Network, model: Any, source: str, name: str
) -> dict[str, np.ndarray]:
    heads, stems = _heads(flat), _stems(flat, model)
    shapes = {path: tuple(variable.shape) for path, variable in weights_by_path(model)}
    behind = _top(flat)
    top = {path: shape for path, shape in shapes.items() if path.split("/")[0] in behind}
    if top and _begins_anew(found, top) and any(path.split("/")[0] not in heads | behind for path in found):
        heads |= behind
        found = {path: one for path, one in found.items() if path.split("/")[0] not in heads}
        _refuse_frozen([one for one in flat.nodes if one.name in behind and one.still], model, source)
    odd = {path.split("/")[0] for path in shapes if path in found and found[path].shape != shapes[path]} & heads
    found = {path: one for path, one in found.items() if path.split("/")[0] not in odd}  # a bias goes with its kernel
    channels = {one.shape[-1] for one in flat.inputs if one.shape}
    kinds = {node.name: node.layer for node in flat.nodes}
    found = {**found, **_separated(found, model, [one for one in stems if kinds[one] in SEPARABLE])}
    result, absent = dict[str, np.ndarray](), list[str]()
    for path, variable in weights_by_path(model):
        layer, array, shape = path.split("/")[0], found.get(path), tuple(variable.shape)
        if array is not None and array.shape == shape:
            result[path] = array
        elif array is not None and layer in stems and _but_channels(array.shape, shape):
            apart = kinds.get(layer) in DEPTHWISE
            if apart and shape[-2] == 1:
                absent.append(f"for `{path}`, {shape}, it has one of {array.shape[-2]} channels that stay apart")
            else:
                result[path] = _repeated(array, shape[-2]) if apart else _channels(array, shape[-2])
        elif array is not None and layer in stems and array.ndim == len(shape) == 1 and _is_of(shape[0], channels):
            result[path] = array.mean(keepdims=True) if shape == (1,) else np.resize(array, shape)
        elif layer not in heads:
            has = "none" if array is None else f"one of the shape {array.shape}"
            absent.append(f"for `{path}`, {shape}, it has {has}")
    if absent or (not result and model.weights):
        more = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
        says = f": {absent[0]}{more}" if absent else ""
        raise ZooError(
            f"{source} holds no weights of `{name}`{says}; expected those of this network, at the size of their images"
        )
    return result


def _begins_anew(found: Mapping[str, np.ndarray], top: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether a file has nothing for what stands behind a `Flatten`, or has it for images of another size.

    Another size of the images is another number of rows in the kernels there, and nothing else.
    """
    if not any(path in found for path in top):
        return True
    odd = [path for path in top if path not in found or found[path].shape != top[path]]
    return bool(odd) and all(path in found and found[path].shape[1:] == top[path][1:] for path in odd)


def _refuse_frozen(nodes: list[Node], model: Any, source: str) -> None:
    """Raise `ZooError` if a layer that begins anew would stay as it begins."""
    for node in nodes:
        if not node.operation and model.get_layer(node.reuses or node.name).weights:
            raise ZooError(
                f"{source} holds nothing that fits `{node.name}`, which begins anew and is frozen; "
                "expected `frozen: false` on it"
            )


def _is_of(size: int, channels: set[int | None]) -> bool:
    """Whether there is a number, or several, for each channel."""
    return any(one and size % one == 0 for one in channels)


def _separated(found: Mapping[str, np.ndarray], model: Any, layers: list[str]) -> dict[str, np.ndarray]:
    """The two kernels of separable convolutions for other input channels.

    The depthwise one is repeated, and the pointwise one repeated and scaled. For one channel both together are their
    sum over the channels, as near as so few depthwise kernels come to it.
    """
    result = dict[str, np.ndarray]()
    for path in (f"{one}/depthwise_kernel" for one in layers):
        behind = path.replace("depthwise", "pointwise")
        channels = model.get_layer(path.split("/")[0]).depthwise_kernel.shape[-2]
        if path not in found or behind not in found or found[path].shape[-2] == channels:
            continue
        depthwise, pointwise = found[path], found[behind]
        before, times = depthwise.shape[-2:]
        if channels > 1:
            result[path] = _repeated(depthwise, channels)
            result[behind] = _channels(pointwise, channels * times)
        else:
            both = depthwise.reshape(-1, before * times) @ pointwise.reshape(before * times, -1)
            left, values, right = (np.asarray(one) for one in np.linalg.svd(both, full_matrices=False))
            short = max(times - len(values), 0)
            first = np.pad((left * values)[:, :times], ((0, 0), (0, short)))
            result[path] = first.reshape(*depthwise.shape[:-2], 1, times)
            result[behind] = np.pad(right[:times], ((0, short), (0, 0))).reshape(*pointwise.shape[:-2], times, -1)
    return result


def _but_channels(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return len(one) == len(other) > 2 and one[:-2] == other[:-2] and one[-1] == other[-1]


def _channels(kernel: np.ndarray, channels: int) -> np.ndarray:
    """A kernel for other input channels: their sum for one, else repeated in turn and scaled."""
    if channels == 1:
        return kernel.sum(axis=-2, keepdims=True)
    return (_repeated(kernel, channels) * (kernel.shape[-2] / channels)).astype(kernel.dtype)


def _repeated(kernel: np.ndarray, channels: int) -> np.ndarray:
    """A kernel with its input channels in turn, until there are so many."""
    return kernel[..., np.arange(channels) % kernel.shape[-2], :]
