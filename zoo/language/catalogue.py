"""What Keras has: layers and other objects with their arguments, as data, so that checking a spec needs no Keras.

`catalogue.json` is generated from Keras's signatures (`make catalogue`); a test says when it is stale.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from zoo.errors import listed, nearest
from zoo.language.parsing import shown

FILE = Path(__file__).with_name("catalogue.json")

REFUSED = {
    "Lambda": "it holds Python code, which a spec may not run",
    "TFSMLayer": "it loads and runs a file",
    "TorchModuleWrapper": "it wraps Python code, which a spec may not run",
    "JaxLayer": "it wraps Python code, which a spec may not run",
    "FlaxLayer": "it wraps Python code, which a spec may not run",
    "Layer": "it is the base class of all layers and computes nothing",
    "Wrapper": "it is a base class and computes nothing",
    "MixUp": "it mixes images, and their labels, which it would have to mix as well, are no input",
    "CutMix": "it mixes images, and their labels, which it would have to mix as well, are no input",
    "StackedRNNCells": "cells over each other are written `RNN: {cell: [LSTMCell: {...}, GRUCell: {...}]}`",
    "Pipeline": "its layers are written one after another",
    "InputLayer": "inputs stand under `input`",
    "Input": "inputs stand under `input`",
}

REFUSED_OPTIMIZERS = {
    "MultiOptimizer": "it holds other optimizers by the variables that they train, which a spec cannot name",
    "LossScaleOptimizer": "it is put around the optimizer by itself where a layer computes in float16",
}

KERNELS = ("kernel_regularizer", "recurrent_regularizer", "depthwise_regularizer", "pointwise_regularizer")
"""The arguments through which lambda acts: every kernel, never biases, normalisation or embeddings."""

DROPOUTS = ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianDropout", "AlphaDropout")
"""The layers that take the spec's p when they state no rate of their own."""

COUNTS = (
    "units",
    "filters",
    "groups",
    "depth_multiplier",
    "output_dim",
    "input_dim",
    "num_heads",
    "key_dim",
    "n",
    "codes",
    "samples",
)
"""Arguments that are whole numbers above 0."""

SIZES = ("kernel_size", "pool_size", "strides", "dilation_rate", "size")
"""Arguments that are whole numbers above 0, or lists of them."""

WHOLE = ("padding", "cropping")
"""Arguments that are whole numbers, 0 or above, or lists of them, unless they are words."""

NULL = (("Normalization", "axis"),)
"""Arguments of layers that may be null although their default is another."""

TUPLES = ("ngrams",)
"""Arguments that Keras takes as tuples, and not as lists."""

_OF_WHOLE_NUMBERS = (
    "CategoryEncoding", "Discretization", "HashedCrossing", "Hashing", "IntegerLookup", "StringLookup",
    "TextVectorization",
)  # fmt: skip
"""Layers that may answer whole numbers."""


ADAPTED = {
    **dict.fromkeys(("IntegerLookup", "StringLookup", "TextVectorization"), "vocabulary"),
    "Discretization": "bin_boundaries",
}
"""What layers must be given that Keras would let them adapt to data, which no layer does here."""

LOOKUPS = ("IntegerLookup", "StringLookup", "TextVectorization", "Discretization", "CategoryEncoding")
"""Layers that take some texts or whole numbers, and no others."""


def odd(layer: str, argument: str, value: Any) -> tuple[str, str] | None:
    """Why a layer cannot have a plain value that others may have, as (wrong, expected); None if it can."""
    if argument in SIZES and isinstance(value, list) and rank(layer) not in (0, len(value)):
        many = "one number" if rank(layer) == 1 else f"a list of {rank(layer)}, or one number"
        return f"{shown(value)} is a list of {len(value)}", many
    if argument == "key" and layer == "ops.get_item" and not KEY.fullmatch(index_text(value)):
        text = 'text as in Python\'s brackets, such as ":, -1" or ":, 1:3", or its parts in a list'
        return f"{shown(value)} is no index", text
    if argument == "seed" and value is not None and type(value) is not int:
        return f"{shown(value)} is not accepted", "a whole number, or null"
    if argument == "dtype" and is_operation(layer):
        return None if value in (None, *TYPES) else (f"{shown(value)} is not accepted", f"one of {listed(TYPES)}")
    if argument == "dtype" and value is not None and value not in types(layer):
        return f"{shown(value)} is not accepted", f"one of {listed(types(layer))}"
    return None


REFUSED_ARGUMENTS = {
    "losses": dict.fromkeys(("from_logits", "axis", "reduction", "name", "dtype"), "it follows from the task"),
    "optimizers": dict.fromkeys(
        ("use_ema", "ema_momentum", "ema_overwrite_frequency"),
        "the weights themselves are scored and kept, not their averages",
    ),
}
"""Arguments of Keras's objects that are none here, with the reason."""


def refused_argument(owner: str, argument: str) -> str:
    """Why an object of Keras has an argument no more, an empty text where it never had it or has it still."""
    found = (known.get(argument, "") for module, known in REFUSED_ARGUMENTS.items() if owner in catalogue()[module])
    return next(filter(None, found), "")


Bounds = tuple[Mapping[str, Any], str]
"""What a number must be: as a schema has it, and as that is said."""

_ABOVE_0: Bounds = {"exclusiveMinimum": 0}, "a number above 0"
_FROM_0: Bounds = {"minimum": 0}, "a number of 0 or above"
_UP_TO_0: Bounds = {"maximum": 0}, "a number of 0 or below"
_FROM_0_TO_1: Bounds = {"minimum": 0, "maximum": 1}, "a number from 0 to 1"
_BELOW_1: Bounds = {"minimum": 0, "exclusiveMaximum": 1}, "a number of at least 0 and below 1"
_ANY: Bounds = {"type": "integer"}, "a whole number"
_COUNT: Bounds = {"type": "integer", "minimum": 1}, "a whole number above 0"
_LISTED: Bounds = (
    {"type": "array", "minItems": 1, "items": {"type": "number", "minimum": 0}}, "a list of numbers of 0 or above",
)  # fmt: skip
_EACH: Bounds = (
    {"type": ["number", "array"], "minimum": 0, "minItems": 1, "items": {"type": "number", "minimum": 0}},
    "a number of 0 or above, or a list of them",
)
_GROUPS: Bounds = {"type": "integer", "minimum": -1, "not": {"const": 0}}, "a whole number above 0, or -1"

BOUNDS: dict[str, dict[str, Bounds]] = {
    "losses": {
        "label_smoothing": _FROM_0_TO_1,
        "q": ({"exclusiveMinimum": 0, "exclusiveMaximum": 1}, "a number between 0 and 1"),
        "delta": _ABOVE_0,
        "ignore_class": _ANY,
        **dict.fromkeys(("alpha", "beta", "gamma"), _FROM_0),
    },
    "CategoricalFocalCrossentropy": {"alpha": _EACH},
    "optimizers": {
        **dict.fromkeys((
            "learning_rate", "clipnorm", "clipvalue", "global_clipnorm",
            "clip_threshold", "loss_scale_factor", "adam_lr_ratio", "rms_rate",
        ), _ABOVE_0),
        **dict.fromkeys(("beta_1", "beta_2", "adam_beta_1", "adam_beta_2", "rho", "momentum"), _BELOW_1),
        **dict.fromkeys((
            "epsilon", "epsilon_1", "epsilon_2", "weight_decay", "adam_weight_decay", "initial_accumulator_value",
            "beta", "l1_regularization_strength",
            "l2_regularization_strength", "l2_shrinkage_regularization_strength", "warmup_steps",
        ), _FROM_0),
        **dict.fromkeys(("learning_rate_power", "beta_2_decay"), _UP_TO_0),
        "ns_steps": _COUNT,
        "gradient_accumulation_steps": ({"type": "integer", "minimum": 2}, "a whole number of 2 or above"),
    },
    "Lion": {"beta_1": ({"exclusiveMinimum": 0, "maximum": 1}, "a number above 0, and 1 at most")},
    "schedules": {
        **dict.fromkeys((
            "initial_learning_rate", "warmup_target", "decay_steps", "first_decay_steps", "t_mul",
            "m_mul",
        ), _ABOVE_0),
        **dict.fromkeys(("end_learning_rate", "alpha", "power", "warmup_steps", "decay_rate"), _FROM_0),
    },
    "CosineDecay": {"initial_learning_rate": _FROM_0},
    "PiecewiseConstantDecay": {"boundaries": _LISTED, "values": _LISTED},
    "GroupNormalization": {"groups": _GROUPS, "epsilon": _FROM_0},
    "LayerNormalization": {"epsilon": _FROM_0},
    "RMSNormalization": {"epsilon": _FROM_0},
    "BatchNormalization": {"epsilon": _FROM_0, "momentum": _FROM_0_TO_1},
    "LeakyReLU": {"negative_slope": _FROM_0},
    "ReLU": dict.fromkeys(("negative_slope", "threshold", "max_value"), _FROM_0),
    "VarianceScaling": {"scale": _ABOVE_0},
    **{name: {"l1": _FROM_0, "l2": _FROM_0} for name in ("ActivityRegularization", "L1L2")},
    "L1": {"l1": _FROM_0},
    "L2": {"l2": _FROM_0},
}  # fmt: skip
"""What arguments must be: of all losses, optimizers or schedules, and of classes where another rule holds.

A momentum or a beta of 1 would forget nothing and learn nothing; where Keras refuses more, as for Lion, its rule holds,
and a cosine that warms up may begin at 0.
"""


@functools.cache
def bounds(owner: str, argument: str) -> Bounds | None:
    """What an argument of a loss, an optimizer, a schedule or a layer must be; None where there is no such rule."""
    module = next((one for one in BOUNDS if owner in catalogue().get(one, ())), "")
    return {**BOUNDS.get(module, {}), **BOUNDS.get(owner, {})}.get(argument)


def is_bounded(value: Any, given: Mapping[str, Any]) -> bool:
    """Whether a value is a number within bounds, or a list of such where that may be."""
    if isinstance(value, list) and "items" in given:
        return value != [] and all(is_bounded(one, given["items"]) for one in value)
    if given.get("type") == "array":
        return False
    low, high = given.get("minimum", -math.inf), given.get("maximum", math.inf)
    above, below = given.get("exclusiveMinimum", -math.inf), given.get("exclusiveMaximum", math.inf)
    number = type(value) is int or (isinstance(value, float) and given.get("type") != "integer")
    spared = given.get("not", {}).get("const")
    return number and low <= value <= high and above < value < below and value != spared


PART = r"(\.\.\.|None|-?\d+|(-?\d+)?:(-?\d+)?(:(-?\d+)?)?)"
"""A part of an index: a whole number, a slice, `...` or None."""

KEY = re.compile(rf"{PART}( *, *{PART})*")
"""What `ops.get_item` takes: an index as Python's brackets hold it, the rows' first."""


def index_text(value: Any) -> str:
    """An index as text, whether it is one or a list of its parts: `":, -1"` and `[":", -1]`; empty for what is none."""
    if isinstance(value, list) and all(one is None or type(one) in (str, int) for one in value):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else ""


def index(text: str) -> tuple[Any, ...]:
    """What the text of an index means: whole numbers, slices, `...` and None."""
    words = {"...": ..., "None": None}
    parts = [one.strip() for one in text.split(",")]
    return tuple(
        slice(*(int(end) if end.strip() else None for end in one.split(":"))) if ":" in one
        else words[one] if one in words else int(one)
        for one in parts
    )  # fmt: skip


TYPES = (
    "bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "bfloat16", "float32",
    "float64", "complex64", "complex128",
)  # fmt: skip
"""The types that an operation may answer."""


POLICIES = ("float32", "mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64")
"""What a layer may compute in, and keep its weights in: Keras's policies of dtypes, but for quantized ones."""


_BLOCKS = ("int4", *(f"int4/{size}" for size in (-1, 16, 32, 64, 128, 256)))

QUANTIZED = tuple(f"{kind}_from_{one}" for kind in ("int8", "float8", *_BLOCKS) for one in POLICIES[:3])
"""What some layers may also compute in: policies of quantized weights, as `Model.quantize` of Keras leaves them."""


def of_whole_numbers(layer: str) -> bool:
    """Whether a layer may answer whole numbers."""
    return layer in _OF_WHOLE_NUMBERS


def is_quantizable(layer: str) -> bool:
    """Whether the weights of a layer may have eight bits, or four."""
    takes = catalogue()["layers"].get(layer, {"arguments": {}})["arguments"]
    return "quantization_config" in takes or layer == "ReversibleEmbedding"  # which takes it without its name


def types(layer: str) -> tuple[str, ...]:
    """The types that a layer may compute in, the usual one first."""
    if of_whole_numbers(layer):
        return (*POLICIES, "int32", "int64")
    return (*POLICIES, *QUANTIZED) if is_quantizable(layer) else POLICIES


def rank(layer: str) -> int:
    """How many sizes a kernel, a window or a stride of a layer has: 2 for `Conv2D`; 0 where its name does not say."""
    found = re.search(r"(\d)D(Transpose)?$", layer)
    return int(found[1]) if found else 0


UNABLE = {
    "constant": "{Constant: {value: ...}}",
    "Constant": "{Constant: {value: ...}}",
    "l1_l2": "{L1L2: {l1: ..., l2: ...}}",
    "threshold": "another activation",
}
"""Names that Keras lists and cannot make without arguments, and what serves instead."""

OBJECTS = {
    "initializer": "initializers",
    "regularizer": "regularizers",
    "constraint": "constraints",
    "layer": "layers",
    "cell": "layers",
    "backward_layer": "layers",
    "optimizer": "optimizers",
    "loss": "losses",
    "learning_rate": "schedules",
}
"""Which Keras module a named object is looked up in, by the last word of its argument's name."""


@functools.cache
def catalogue() -> dict[str, Any]:
    """The whole catalogue: module -> class -> {arguments: {name: default}, required: [names]}."""
    loaded: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return loaded


def module_of(argument: str) -> str:
    """The Keras module in which the value of an argument is looked up by name, or an empty text."""
    return OBJECTS.get(argument) or OBJECTS.get(argument.rpartition("_")[2], "")


_RATES = ("initial_learning_rate", "warmup_target", "values")
"""Arguments of schedules that are rates, and whose defaults do not tell."""


def with_floats(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of an optimizer, a schedule, a loss or a regularizer, 1 as 1.0 where Keras computes with floats."""
    modules = ("optimizers", "schedules", "losses", "regularizers")
    known: dict[str, Any] = next((catalogue()[one] for one in modules if name in catalogue()[one]), {})
    usual: dict[str, Any] = known[name]["arguments"] if known else {}

    def floated(value: Any) -> Any:
        return list(map(floated, value)) if isinstance(value, list) else float(value) if type(value) is int else value

    floats = {key for key in given if isinstance(usual.get(key), float) or (key in _RATES and key in usual)}
    return {key: floated(value) if key in floats else value for key, value in given.items()}


def holds_layers(argument: str, value: Any) -> bool:
    """Whether the value of an argument is a layer, or a list of them; an activation with arguments is one."""
    if argument.endswith("activation"):
        return isinstance(value, Mapping)
    return value is not None and module_of(argument) == "layers"


def numbered(argument: str, given: Any) -> list[tuple[str, Any]]:
    """The layers that an argument holds, each with its name: `cell`, and in a list `cell`, `cell_1`, ..."""
    several = given if isinstance(given, list) else [given]
    return [(f"{argument}_{index}" if index else argument, one) for index, one in enumerate(several)]


ACTIVE = ("activation", "recurrent_activation")
"""Arguments that are activations, which may be layers."""

SLOPED = ("LeakyReLU", "PReLU", "ELU", "ReLU", "Softmax")
"""The usual layers as an `activation` with arguments, `{LeakyReLU: {...}}`; any that makes a tensor of one may be."""

_CHOICES: dict[str, tuple[str, ...]] = {
    "padding": ("valid", "same"),
    "data_format": ("channels_last", "channels_first"),
    "merge_mode": ("concat", "sum", "mul", "ave"),
    "interpolation": ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area"),
    "fill_mode": ("constant", "nearest", "reflect", "wrap"),
    "output_mode": ("int", "one_hot", "multi_hot", "count", "tf_idf"),
    "mode": ("horizontal", "vertical", "horizontal_and_vertical"),
}
"""The words that Keras takes for an argument, and tells only when it builds or even runs."""

WORDED = ("padding", "interpolation", "fill_mode", "output_mode", "mode")
"""Those of them that are never null."""


def choices(layer: str, argument: str) -> tuple[str, ...]:
    """The words that an argument of a layer takes; none where it takes anything else."""
    if argument == "mode" and layer != "RandomFlip":
        return ()
    more = ("causal",) if (layer, argument) == ("Conv1D", "padding") else ()
    return _CHOICES.get(argument, ()) + more


TEXTS = (
    "bias_axes", "code", "data_format", "dtype", "equation", "exclude_layers", "flash_attention", "function", "key",
    "mask_token", "mask_value", "method", "ord", "quantization_config", "reverse_dtype", "subscripts", "takes",
    "vocabulary",
)  # fmt: skip
"""Arguments without a default that may be texts, or are neither a number nor a list of numbers."""


def takes_text(argument: str, default: Any) -> bool:
    """Whether an argument that is no named object may be a text; where it may not, numbers alone serve."""
    return isinstance(default, str) or (default is None and argument in TEXTS)


def words(argument: str) -> list[str]:
    """The names that may stand as the value of an argument, classes first; none where it takes other things."""
    known = catalogue()
    module = "activation" if argument.endswith("activation") else module_of(argument)
    listed = [*known.get(module, ()), *known["words"].get(module, ())]
    return [word for word in listed if word not in UNABLE] if module in known["words"] else []


def entry(module: str, name: str) -> dict[str, Any] | tuple[str, str, str]:
    """The arguments of a class, or what is wrong with its name as (wrong, expected, hint)."""
    classes: dict[str, Any] = catalogue()[module]
    if name in classes:
        return classes[name]
    refused = {"layers": REFUSED, "optimizers": REFUSED_OPTIMIZERS}.get(module, {})
    if name in refused:
        return f"`{name}` is refused: {refused[name]}", f"another {module.rstrip('s')}", ""
    if module == "layers" and is_operation(name):
        return f"`{name}` is an operation", "a layer", ""
    alias = catalogue()["aliases"].get(name)
    if module == "layers" and alias:
        return f"`{name}` is an alias", "Keras's own name", alias
    close = meant(name, classes)
    short = name.removeprefix("keras.")
    if module == "layers" and short != name and short.removeprefix(OPERATIONS) in catalogue()["ops"]:
        return f"no layer `{name}`", "an operation by its short name", short
    what = {"layers": "layer", "schedules": "learning-rate schedule", "losses": "loss"}.get(module, module.rstrip("s"))
    around = [one for one, known in classes.items() if module != "layers" and name in known["arguments"]]
    if around:  # an argument where its class should stand
        one = "Adam" if "Adam" in around else around[0]
        return f"no {what} `{name}`", f"the name of a Keras {what} around it, such as {one}: {{{name}: ...}}", ""
    expected = f"the name of a Keras {what}" + ("" if close or module == "layers" else f": {listed(classes)}")
    return f"no {what} `{name}`", expected, close


ELSEWHERE = {
    "Linear": "Dense", "View": "Reshape", "Upsample": "UpSampling2D", "Sigmoid": "Activation", "Tanh": "Activation",
    "GELU": "Activation", "SiLU": "Activation", "CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU",
    "xavier_uniform": "glorot_uniform",
    "normal": "random_normal", "uniform": "random_uniform", "glorot": "glorot_uniform", "xavier": "glorot_uniform",
    "he": "he_normal", "kaiming": "he_normal", "lecun": "lecun_normal", "Swish": "Activation", "Mish": "Activation",
    "LogSoftmax": "Activation", "Merge": "Add",
    "xavier_normal": "glorot_normal", "kaiming_uniform": "he_uniform", "kaiming_normal": "he_normal",
    "AvgPool2d": "AveragePooling2D", "MaxPool2d": "MaxPooling2D", "BatchNorm1d": "BatchNormalization",
    "BatchNorm2d": "BatchNormalization", "LayerNorm": "LayerNormalization", "Conv1d": "Conv1D", "Conv2d": "Conv2D",
}  # fmt: skip
"""What is called otherwise in other libraries and in older Kerases."""

SHORT = {"mse": "MeanSquaredError", "mae": "MeanAbsoluteError", "bce": "BinaryCrossentropy"}
"""What Keras users call losses for short."""


def meant(name: str, known: Collection[str]) -> str:
    """The one of these names that another one likely stands for, an empty text if none is."""
    close = ELSEWHERE.get(name.rpartition(".")[2]) or SHORT.get(name.lower(), "")
    close = close if close in known else nearest(name, known)
    flat = f"{close[:-2]}2D"  # a layer of images, where nothing says how many axes they have
    return flat if close.endswith(("1D", "3D")) and close[-2] not in name and flat in known else close


OPERATIONS = "ops."
"""What stands before the name of an operation, a function of `keras.ops` without weights: `ops.matmul`."""


def is_operation(target: str) -> bool:
    """Whether an item is an operation, no layer."""
    return target.startswith(OPERATIONS)


def bare(target: str) -> str:
    """A class, or the function of an operation without the modules around it: `resize` for `ops.image.resize`."""
    return target.rpartition(".")[2]


def operation(target: str) -> dict[str, Any] | tuple[str, str, str]:
    """The arguments of an operation and which of them are tensors, or what is wrong with its name."""
    known, name = catalogue()["ops"], target.removeprefix(OPERATIONS)
    if name in known:
        found: dict[str, Any] = known[name]
        return found
    if name in catalogue()["ops refused"]:
        return f"`{target}` is refused: {catalogue()['ops refused'][name]}", "another operation, or a layer", ""
    elsewhere = [one for one in (bare(name), f"image.{bare(name)}") if one in known]
    close = "absolute" if name == "abs" else elsewhere[0] if elsewhere else nearest(name, known)
    return f"no operation `{target}`", "a function of keras.ops that makes tensors of tensors", close and f"ops.{close}"


def operands(target: str, given: Collection[str]) -> tuple[list[str], list[str]]:
    """The tensors that an operation still takes where some arguments are given, and those that it must have.

    `*operands` stands for any number.
    """
    entry = catalogue()["ops"][target.removeprefix(OPERATIONS)]
    return tuple([name for name in entry[kind] if name not in given] for kind in ("tensors", "needed"))  # type: ignore[return-value]


def takes_list(target: str) -> bool:
    """Whether an operation takes its tensors as one list, as `ops.stack` does."""
    return bool(catalogue()["ops"][target.removeprefix(OPERATIONS)].get("listed"))


PLACES = ("indices", "segment_ids", "start_indices", "sequence_lengths", "target_length", "output_length", "targets")
"""Arguments of operations that are whole numbers whatever stands beside them."""

LISTS = ("condlist", "choicelist")
"""Arguments of operations that are lists of tensors beside another such list."""

INFINITE = ("inf", "-inf", "nan")
"""Texts that stand for numbers of operations, as NumPy and Python read them; elsewhere all numbers are finite."""


UNBOUNDED = ("x_min", "x_max", "initial", "constant_values", "posinf", "neginf", "fill_value", "ord")
"""Arguments of operations beside their tensors that may be infinite."""


def may_be_infinite(target: str, argument: str) -> bool:
    """Whether an argument of an operation is a number that may be infinite, or such numbers beside its tensors."""
    return argument in UNBOUNDED or argument in catalogue()["ops"][target.removeprefix(OPERATIONS)]["tensors"]


def type_of(values: list[Any]) -> str:
    """The type of numbers beside tensors: float32 if one has a point, bool for true and false, else int32."""
    found = [type_of(one) if isinstance(one, list) else type(one).__name__ for one in values]
    if {"float", "float32", "str"} & set(found):
        return "float32"
    return "bool" if found and {"bool"} == set(found) else "int32"


_PAIRS = (
    "ctc_decode", "eig", "eigh", "fft", "fft2", "ifft2", "lu_factor", "moments", "qr", "rfft", "slogdet", "stft",
    "top_k",
)  # fmt: skip
"""Operations that answer two tensors."""


def _parts(name: str, arguments: Mapping[str, Any], read: int) -> int:
    """How many tensors an operation answers that reads so many."""
    if name == "meshgrid":
        return read
    if name == "unique":
        return 1 + sum(arguments.get(f"return_{one}") is True for one in ("index", "inverse", "counts"))
    if name == "unstack":
        return num if type(num := arguments.get("num")) is int and num > 0 else 1
    if name in ("split", "array_split", "dsplit", "hsplit", "vsplit"):
        cut = arguments.get("indices_or_sections")
        return len(cut) + 1 if isinstance(cut, list) else cut if type(cut) is int and cut > 0 else 1
    if name == "unravel_index":
        return len(shape) if isinstance(shape := arguments.get("shape"), list) else 1
    if name == "svd":
        return 1 if arguments.get("compute_uv") is False else 3
    return 2 if name in _PAIRS and not (name == "qr" and arguments.get("mode") == "r") else 1


STATES = {
    "LSTM": 2, "GRU": 1, "SimpleRNN": 1, "ConvLSTM1D": 2, "ConvLSTM2D": 2, "ConvLSTM3D": 2,
    "LSTMCell": 2, "GRUCell": 1, "SimpleRNNCell": 1,
}  # fmt: skip
"""How many states a recurrent layer, or the cell of an `RNN`, hands out beside its output when it is asked to."""

IMAGES = (
    "AugMix", "AutoContrast", "CenterCrop", "ContrastLimitedAdaptiveHistogramEqualization", "Equalization",
    "MaxNumBoundingBoxes", "RandAugment", "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter",
    "RandomContrast", "RandomCrop", "RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomGaussianBlur",
    "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization", "RandomRotation",
    "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom", "Resizing", "Solarization",
)  # fmt: skip
"""Layers of images, which take what has an axis less than a batch of these for one image."""

ASKING = ("Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention")
"""The layers that ask one tensor about another; called with `return_attention_scores` they answer a second one."""


def outputs(layer: str, arguments: Mapping[str, Any], call: Mapping[str, Any] | None = None, read: int = 1) -> int:
    """How many tensors a layer answers: one, or with `return_state` its states as well, or the scores of a call.

    `read` is how many it is called on.
    """
    if is_operation(layer):
        return _parts(layer.removeprefix(OPERATIONS), arguments, read)
    if layer == "Bidirectional":
        name, body = _named(arguments.get("layer"))
        apart = "merge_mode" in arguments and arguments["merge_mode"] is None
        return 2 * outputs(name, body) - (not apart)
    states = STATES.get(layer, 0)
    if layer.endswith("Cell"):
        return 1 + states
    if layer == "RNN":
        cells = arguments.get("cell")
        states = sum(STATES.get(_named(one)[0], 0) for one in (cells if isinstance(cells, list) else [cells]))
    scored = layer in ASKING and (call or {}).get("return_attention_scores") is True
    return 1 + states * bool(arguments.get("return_state")) + scored


def _named(value: Any) -> tuple[str, Mapping[str, Any]]:
    """The name and the arguments of a named object: `LSTM`, `{LSTM: 8}`, `{LSTM: {units: 8}}`."""
    name, body = next(iter(value.items())) if isinstance(value, Mapping) and len(value) == 1 else (value, {})
    return str(name), body if isinstance(body, Mapping) else {}
