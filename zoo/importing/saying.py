"""One call of a layer or of an operation as items say it: class and arguments, in the language's words."""

from __future__ import annotations

import copy
import itertools
import math
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from zoo import layers as ours
from zoo.errors import first_sentence, listed
from zoo.importing.freezing import thaws
from zoo.importing.graphs import (
    Call,
    Foreign,
    Refused,
)
from zoo.language import catalogue
from zoo.language.expressions import quoted
from zoo.language.network import snake_case
from zoo.language.parsing import near

UNSAID = ("name", "trainable", "dtype")
"""What the config of every layer holds, and is said otherwise."""

SIZED = ("kernel_size", "strides", "pool_size", "dilation_rate", "size", "padding", "cropping")
"""Arguments for which one number stands for a row of equal ones."""

MOST = 1_000_000
"""So many numbers may a constant of an operation hold: with more, a spec were too large to be read."""

PREVIOUS = object()
"""In the place of a tensor: that of the item before, where two items stand for one layer."""


def layers_of(call: Call, masked: bool) -> Iterator[tuple[str, dict[str, Any], str, Any]]:
    """What stands for a layer: its class, its arguments, its name, what it is called on. Mostly one, itself.

    What it is called on may be `masked`.
    """
    layer = call.operation
    made = _published(call)
    if made is not None:
        if masked and any(target not in ours.PUBLIC for target, *_ in made):
            raise Refused(f"is a {type(layer).__name__}, which drops the mask of what it is called on; expected none")
        yield from made
        return
    arguments = _arguments(layer, _entry(type(layer), layer))
    if arguments.get("attention_axes") == list(range(1, len(getattr(call.first, "shape", ())) - 1)):
        del arguments["attention_axes"]  # found when it was built, from the query
    yield _public(type(layer)), arguments, layer.name, call.first


def at_each_step(layer: Any) -> dict[str, Any]:
    """The arguments of a `TimeDistributed` beside the model that it holds."""
    import keras

    penalty = layer.activity_regularizer
    made = _object("activity_regularizer", keras.saving.serialize_keras_object(penalty), False) if penalty else None
    return {**({"activity_regularizer": made} if made else {}), **_policy(layer)}


def _published(call: Call) -> list[tuple[str, dict[str, Any], str, Any]] | None:
    """Layers that `keras.applications` makes for itself, said by layers that everybody has."""
    layer, first = call.operation, call.first
    if not type(layer).__module__.startswith("keras.src.applications"):
        return None
    kind, name, more = type(layer).__name__, layer.name, _policy(layer)
    if kind == "LayerScale":
        return [("LayerScale", {"init_values": layer.init_values, **more}, name, first)]
    if kind == "StochasticDepth":
        noise = [None, *[1] * (len(first.shape) - 1)]
        return [("Dropout", {"rate": layer.drop_path_rate, "noise_shape": noise, **more}, name, first)]
    if kind == "CustomScaleLayer":
        return [("Rescaling", {"scale": layer.scale, **more}, "", first[1]), ("Add", more, name, [first[0], PREVIOUS])]
    return None


def _public(kind: type) -> str:
    """What a class is called: Keras exports one under another name than its own."""
    import keras

    alias = str(catalogue.catalogue()["aliases"].get(kind.__name__, ""))
    return alias if alias and getattr(keras.layers, alias, None) is kind else kind.__name__


def _entry(kind: type, layer: Any) -> Mapping[str, Any]:
    """What the catalogue says of a layer's class. Raises for what no spec can hold."""
    import keras

    name = _public(kind)
    entry = catalogue.entry("layers", name)
    if name in catalogue.REFUSED and kind.__module__.split(".")[0] == "keras":
        raise Refused(f"is a {name}: {catalogue.REFUSED[name]}", Foreign)
    known = getattr(keras.layers, name, None) or (ours.find(name) if name in ours.PUBLIC else None)
    if isinstance(entry, tuple) or kind is not known:
        raise Refused(f"is a {name}, which is no layer of Keras; expected layers that everybody has", Foreign)
    inside = [one for one in layer._flatten_layers() if one is not layer and getattr(one, "quantization_mode", None)]
    if inside and not thaws(layer):  # of what Keras makes, no config tells it
        raise Refused(f"has the weights of its `{inside[0].name}` in eight bits, which Keras does not read back")
    rank, alpha = getattr(layer, "lora_rank", None), getattr(layer, "lora_alpha", None)
    if rank and alpha not in (None, rank) and isinstance(layer, (keras.layers.Dense, keras.layers.Embedding)):
        raise Refused(f"has lora_alpha={alpha} beside lora_rank={rank}, which Keras forgets; expected equal ones")
    return entry


def _policy(layer: Any, known: Collection[str] = catalogue.POLICIES, usual: str = "float32") -> dict[str, str]:
    """What a layer computes in, if that is not the usual. Raises for what no spec can say."""
    policy = layer.dtype_policy.name
    if policy not in known:
        raise Refused(f"computes in {policy}; expected one of {listed(known)}")
    return {} if policy == usual else {"dtype": policy}


def _arguments(layer: Any, entry: Mapping[str, Any], twice: bool = False) -> dict[str, Any]:
    """The arguments of a layer that differ from Keras's defaults, in the order of its signature.

    One default may follow from another argument (`strides` from `pool_size`), so a layer is made with what was found.
    """
    kind, config, order = type(layer), _config(layer), list(entry["arguments"])
    found: dict[str, Any] = {}
    given: dict[str, Any] = {"name": layer.name}  # or else Keras would count it, and the user's next layers after it

    def take(key: str) -> None:
        found[key] = _value(key, config[key], kind.__name__ == "Bidirectional")
        given[key] = _made_of(config[key])

    for key in entry["required"]:
        take(key)
    usual = _usual(kind, given, {})
    for key in sorted(config, key=lambda key: order.index(key) if key in order else len(order)):
        skipped = key in UNSAID or (twice and key == "zero_output_for_mask")  # which `Bidirectional` sets by itself
        if skipped or key in given or _unnamed({key: config[key]})[key] == usual.get(key):
            continue
        if key not in order:
            raise Refused(f"has {key}={config[key]!r}, which is no argument of {kind.__name__}")
        take(key)
        usual = _usual(kind, given, usual)
    try:
        usual_policy = kind(**given).dtype_policy.name
    except (TypeError, ValueError) as error:
        raise Refused(f"cannot be made again of what it says of itself: {first_sentence(error)}") from None
    found |= _policy(layer, catalogue.types(_public(kind)), usual_policy)
    return {key: found[key] for key in order if key in found}


def _config(layer: Any) -> dict[str, Any]:
    """The config of a layer, with what it was adapted to as the arguments that say so; statistics are weights."""
    import keras
    import numpy as np

    for one in layer._flatten_layers():  # a config has the names of activations alone
        for key in ("activation", "recurrent_activation"):
            function = getattr(one, key, None)
            name = getattr(function, "__name__", "")
            alike = _near if _is_tensorflows(function) else _same
            if name in catalogue.words("activation") and not alike(function, keras.activations.get(name)):
                raise Refused(f"has the activation {name}, which is another function than Keras's of that name")
    try:
        config: dict[str, Any] = layer.get_config()
    except (NotImplementedError, TypeError) as error:
        what = re.search(r"[\w.]*?(\w+) object at", str(error))
        raise Refused(f"has a {what[1] if what else 'part'} that does not tell its config") from None
    for key in {"activation", "recurrent_activation"} & {*config}:  # `tf.nn.softmax` calls itself `softmax_v2`
        function, words = getattr(layer, key, None), catalogue.words("activation")
        if _is_tensorflows(function):
            own = getattr(function, "__name__", "")
            near = [one for one in words if _near(function, keras.activations.get(one))]
            config[key] = own if own in near else near[0] if near else config[key]
    if _is_usually_quantized(config.get("quantization_config")):  # which its type says
        config["quantization_config"] = None
    if isinstance(layer, keras.layers.Discretization) and config["bin_boundaries"] is not None:
        config["num_bins"] = None
    if isinstance(layer, keras.layers.Normalization) and not np.size(config["axis"]):
        config["axis"] = None  # as it is said; Keras keeps an empty tuple
    if "vocabulary_size" in config:
        known = layer.get_vocabulary(include_special_tokens=False) if config["vocabulary"] is None else []
        config |= {"vocabulary": np.asarray(known).tolist()} if known else {}
        if known and config["output_mode"] == "tf_idf":  # behind the weights of what is in no vocabulary
            lookup = getattr(layer, "_lookup_layer", layer)
            config["idf_weights"] = lookup.idf_weights.numpy()[lookup._token_start_index() :][: len(known)].tolist()
        del config["vocabulary_size"]
    return config


def _is_usually_quantized(config: Any) -> bool:
    """Whether weights have eight bits or four as Keras quantizes them if nothing else is said than a type says."""
    import keras

    if not isinstance(config, Mapping):
        return False
    if config["class_name"] not in [f"{one}QuantizationConfig" for one in ("Int8", "Float8", "Int4")]:
        kind = config["class_name"].removesuffix("QuantizationConfig").removesuffix("Config").lower()
        raise Refused(f"has its weights quantized as {kind}; expected numbers with a point, int8, float8 or int4")
    of_weights, of_inputs = (config["config"].get(f"{one}_quantizer") for one in ("weight", "activation"))
    usual = keras.quantizers.AbsMaxQuantizer().get_config()
    if config["class_name"] == "Int8QuantizationConfig" and of_inputs is None:
        raise Refused(
            "has eight bits for its weights alone, which no type says; expected them for what it reads as well"
        )
    return of_weights is None and (of_inputs is None or _unnamed(of_inputs["config"]) == _unnamed(usual))


def _same(function: Any, known: Any) -> bool:
    """Whether an activation is one of Keras's, or computes the same, as `tf.nn.relu` does."""
    import numpy as np

    if function is known:
        return True
    if not getattr(function, "__module__", "").startswith(("tensorflow.", "keras.src.ops")):
        return False
    values = np.linspace(-60, 60, 105, dtype="float32").reshape(3, 5, 7)
    try:
        return bool(np.array_equal(np.asarray(function(values)), np.asarray(known(values)), equal_nan=True))
    except Exception:  # whatever a function of the user's stumbles over
        return False


def _is_tensorflows(function: Any) -> bool:
    return str(getattr(function, "__module__", "")).startswith("tensorflow.")


def _near(function: Any, known: Any) -> bool:
    """Whether a function computes what an activation does, but for the last digits."""
    import numpy as np

    values = np.linspace(-9, 9, 105, dtype="float32").reshape(3, 5, 7)
    try:
        return bool(np.allclose(np.asarray(function(values)), np.asarray(known(values)), rtol=1e-5, atol=1e-6))
    except Exception:  # whatever either stumbles over
        return False


def _shortly(value: Any) -> Any:
    """Numbers that Keras keeps in float32 as they are written shortest."""
    import numpy as np

    return list(map(_shortly, value)) if isinstance(value, list) else float(str(np.float32(value)))


def _usual(kind: type, given: Mapping[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The config of a layer with these arguments; that of before where they go only with others still to come."""
    try:
        return _unnamed(kind(**given).get_config())
    except (TypeError, ValueError):
        return before


def _made_of(value: Any) -> Any:
    """The object of a config; values are as they are."""
    import keras

    # A copy: reading a config may change it.
    named = isinstance(value, dict) and "class_name" in value
    return keras.saving.deserialize_keras_object(copy.deepcopy(value)) if named else value


def _unnamed(value: Any) -> Any:
    """A config as configs are compared: without the names in it, lists for tuples, and one axis for a list of one."""
    if isinstance(value, dict) and value.get("class_name") != "DTypePolicy":
        made = {key: _unnamed(one) for key, one in value.items() if key != "name"}
        axis = made.get("axis")
        return made | ({"axis": axis[0]} if isinstance(axis, list) and len(axis) == 1 else {})
    return [_unnamed(one) for one in value] if isinstance(value, (list, tuple)) else value


def _value(key: str, value: Any, twice: bool = False, sized: bool = True) -> Any:
    """A value of a config as a spec writes it; `twice` in a layer that goes both ways, `sized` if one size is all."""
    if isinstance(value, dict) and value.get("class_name") in ("__numpy__", "__tensor__"):
        return constant(key, _array(value["config"]))
    if isinstance(value, dict) and "class_name" in value:
        return _object(key, value, twice)
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        if any(isinstance(one, dict) for one in value):
            raise Refused(f"holds several objects under {key}, which a spec cannot write")
        made = [_value(key, one) for one in value]
        if key == "axis" and len(made) == 1:
            return made[0]
        return _sized_value(made) if key in SIZED and sized else made
    if isinstance(value, str) and key.endswith("activation") and value not in catalogue.words("activation"):
        raise Refused(f"has the activation {value}, which is none of Keras's")
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        if expected := near(value, isinstance(value, int)):
            raise Refused(f"has {key}={value:g}; expected {expected}")
        return value
    if value is None or isinstance(value, bool):
        return value
    finite = "; expected a finite number" if isinstance(value, float) else ""
    raise Refused(f"has a {key} that cannot be written in a spec: {str(value)[:60]}{finite}")


def _sized_value(made: list[Any]) -> Any:
    """One number for equal ones: 3 for [3, 3], and for [[3, 3], [3, 3]]."""
    made = [one[0] if isinstance(one, list) and len(set(one)) == 1 else one for one in made]
    single = all(one == made[0] for one in made) and not isinstance(made[0], list)
    return made[0] if single else made


def _object(key: str, value: Mapping[str, Any], twice: bool) -> Any:
    """An initialiser, regulariser, constraint or wrapped layer as a name or a named object."""
    import keras

    module, kind, config = catalogue.module_of(key), str(value["class_name"]), value["config"]
    if kind == "StackedRNNCells" and key == "cell":
        first, whole = _made_of(config["cells"][0]).dtype_policy.name, _made_of(value).dtype_policy.name
        if first != whole:
            raise Refused(f"holds cells over each other in {whole}, the first in {first}; expected one type for both")
        return [_object(key, one, twice) for one in config["cells"]]
    if module == "layers":
        looked_up = catalogue.entry("layers", kind)
        if isinstance(looked_up, tuple):
            if kind in ("Sequential", "Functional"):
                expected = "expected a model around the inner one of two wrappers"
                raise Refused(
                    f"holds a {kind}, a model, which only a TimeDistributed by itself does in a spec; {expected}"
                )
            raise Refused(f"holds a {kind}, which no wrapper can hold in a spec")
        arguments = _held(_made_of(value), twice)
        return {kind: arguments} if arguments else kind
    entry = catalogue.catalogue().get(module, {}).get(kind)
    if key.endswith("activation") and kind in ("Sequential", "Functional"):
        raise Refused(f"holds a model as its {key}; expected a layer")
    if key.endswith("activation") and str(value.get("module", "")).startswith("keras.layers"):
        inner = _made_of(value)
        return {_public(type(inner)): _held(inner)}
    if entry is None or not str(value.get("module", "")).startswith("keras") or not isinstance(config, Mapping):
        what = config if kind == "function" else kind.strip("_")
        raise Refused(f"has the {key} {what}, which is none of Keras's own")
    class_ = getattr(getattr(keras, module), kind)
    usual = class_(**{one: config[one] for one in entry["required"]}).get_config()
    given = {one: _value(one, got) for one, got in config.items() if one in entry["required"] or usual.get(one) != got}
    if kind == "L2" or kind in catalogue.UNABLE:  # lambda is looked for; the others cannot be made without arguments
        given = {one: _value(one, got) for one, got in config.items()}
    word = snake_case(kind)
    if module == "regularizers":  # they hold tensors, which make 0.10000000149011612 of 0.1
        given = {one: _shortly(got) if isinstance(got, float) else got for one, got in given.items()}
    return {kind: given} if given else word if word in catalogue.words(key) else kind


def _held(layer: Any, twice: bool = False) -> dict[str, Any]:
    """The arguments of a layer that another holds."""
    return {**_arguments(layer, _entry(type(layer), layer), twice), **({} if layer.trainable else {"trainable": False})}


def operation_said(call: Call) -> tuple[str, dict[str, Any], Any, dict[str, Any]]:
    """An operation of `keras.ops` as an item: what it is, its constants, its tensors, and those that go by name."""
    import keras

    operation, kind = call.operation, type(call.operation).__name__
    if kind == "ReLU" and type(operation).__module__.startswith("keras."):  # as `keras.activations.relu` makes it
        options = {key: vars(operation)[key] for key in ("max_value", "negative_slope", "threshold")}
        try:
            layer = keras.layers.ReLU(**options, name=operation.name)
        except ValueError as error:
            raise Refused(f"is a relu that is no layer of Keras: {first_sentence(error)}") from None
        arguments = _arguments(layer, catalogue.entry("layers", "ReLU"))  # type: ignore[arg-type]
        return "ReLU" if arguments else f"{catalogue.OPERATIONS}relu", arguments, call.bound["x"], {}
    found = {entry["kind"]: name for name, entry in reversed(catalogue.catalogue()["ops"].items())}
    if kind not in found or not type(operation).__module__.startswith("keras."):
        known = "which is none of keras.ops that a spec knows"
        raise Refused(f"is the operation {kind}, {known}; expected a function of rows that makes tensors of tensors")
    target, entry = f"{catalogue.OPERATIONS}{found[kind]}", catalogue.catalogue()["ops"][found[kind]]
    config = {key: value for key, value in _settings(operation).items() if key in entry["arguments"]}
    given = {**{key: entry["arguments"][key] for key in entry["tensors"] if key in entry["arguments"]}, **call.bound}
    kinds = {one.dtype for one in keras.tree.flatten(list(given.values())) if isinstance(one, keras.KerasTensor)}
    if kinds == {"float32"}:  # so is what comes of them, whatever the type of the numbers beside them
        given = {key: _beside_floats(key, one) if key in entry["tensors"] else one for key, one in given.items()}
    constants, tensors = dict[str, Any](), dict[str, Any]()
    several = list[Any]()
    for key, value in {**config, **given}.items():
        if isinstance(value, keras.KerasTensor) or key in catalogue.LISTS:
            tensors[key] = value
        elif f"*{key}" in entry["tensors"] or (key in entry["tensors"] and catalogue.takes_list(target)):
            several = list(value)
        elif hasattr(value, "shape") or key in entry["required"] or _unnamed(value) != entry["arguments"].get(key):
            # Those of images take no number for equal ones, and tell by their count how many axes there are.
            sized = not found[kind].startswith("image.")
            index = (kind, key) == ("GetItem", "key")
            constants[key] = (
                _index(value) if index else constant(key, value, sized, catalogue.may_be_infinite(target, key))
            )
    if kind == "Unstack":
        constants["num"] = len(call.outputs)
    for key, value in given.items():
        if key in constants and (odd := _odd_type(value, {"int64"} if key in catalogue.PLACES else kinds)):
            raise Refused(f"holds {odd} under {key}; expected float32, int32, true and false, or Python's own numbers")
    constants = {key: constants[key] for key in entry["arguments"] if key in constants}
    if several:
        if not all(isinstance(one, (str, keras.KerasTensor)) for one in several):
            raise Refused(f"is the operation {kind} on something else than tensors; expected a list of them")
        return target, constants, several, {}
    free = catalogue.operands(target, constants)[0]
    if {*catalogue.LISTS} & {*tensors}:
        return (
            target,
            constants,
            [],
            {key: list(one) if key in catalogue.LISTS else one for key, one in tensors.items()},
        )
    row = list(itertools.takewhile(lambda key: key in tensors, free))
    if not row:
        raise Refused(f"is the operation {kind} without a tensor as its first argument")
    if len(row) == len(tensors):
        made = [tensors[key] for key in row]
        return target, constants, made if len(made) > 1 else made[0], {}
    return target, constants, tensors[row[0]], {key: one for key, one in tensors.items() if key != row[0]}


def _settings(operation: Any) -> Mapping[str, Any]:
    """What an operation was made with; Keras tells no config of one that holds arrays."""
    try:
        return dict(operation.get_config())
    except NotImplementedError:
        return vars(operation)


def _beside_floats(key: str, value: Any) -> Any:
    """Numbers of another type beside tensors of float32 as those that they become there; indices are none."""
    import keras
    import numpy as np

    known = ("int8", "int16", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "bfloat16")
    kind = "" if isinstance(value, keras.KerasTensor) else str(getattr(value, "dtype", ""))
    if key in catalogue.PLACES or kind not in known:
        return value
    return np.asarray(keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else value).astype("float32")


def _odd_type(value: Any, beside: Collection[str]) -> str:
    """The type of a constant whose numbers another type would change, an empty text if none would.

    Text holds the numbers alone: they come back as float32 or int32, beside tensors of these types.
    """
    import keras
    import numpy as np

    if isinstance(value, (bool, int, float, str, list, tuple, slice, type(None))):
        return ""
    found = np.asarray(keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else value)
    kind = str(found.dtype)
    if kind == "int64" and set(beside) == {"int64"} and np.abs(found).max(initial=0) < 2**31:
        return ""
    return "" if kind in ("float32", "float64", "int32", "bool") else kind


def constant(key: str, value: Any, sized: bool = True, operand: bool = False) -> Any:
    """A constant of an operation as a spec writes it; one of numbers beside tensors may be infinite."""
    import keras
    import numpy as np

    if not isinstance(value, (bool, int, float, str, list, tuple, type(None))):
        value = np.asarray(keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else value)
        if value.size > MOST:
            raise Refused(f"holds {value.size:,} numbers under {key}; expected {MOST:,} at most")
        value = [_short(one) for one in value] if value.ndim else _short(value)
    return _value(key, _with_infinite(value) if operand else value, sized=sized)


def _with_infinite(value: Any) -> Any:
    """Numbers, those that are infinite or none as texts."""
    if isinstance(value, (list, tuple)):
        return list(map(_with_infinite, value))
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _short(value: Any) -> Any:
    """Numbers of an array by their texts, which for float32 are the shorter ones."""
    if getattr(value, "ndim", 0):
        return [_short(one) for one in value]
    return float(str(value)) if value.dtype.kind == "f" else value.item()


def _array(config: Mapping[str, Any]) -> Any:
    """The array that a config holds; of float32, whose texts are the shorter ones, if it was of that."""
    import numpy as np

    return np.asarray(config["value"], "float32" if config["dtype"] == "float32" else None)


def _index(key: Any) -> str:
    """An index as Python's brackets hold it."""

    def one(part: Any) -> str:
        if isinstance(part, slice):
            bounds = [part.start, part.stop, *([part.step] if part.step is not None else [])]
            if all(bound is None or isinstance(bound, int) for bound in bounds):
                return ":".join("" if bound is None else str(bound) for bound in bounds)
        elif part is ...:
            return "..."
        elif part is None or (isinstance(part, int) and not isinstance(part, bool)):
            return str(part)
        raise Refused("has an index that is no number and no slice; expected those")

    return ", ".join(map(one, key if isinstance(key, (list, tuple)) else [key]))
