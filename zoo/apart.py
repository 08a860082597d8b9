"""Whether rows know nothing of one another: operations are tried one by one, and a model as a whole.

What an operation does to the rows, a later one may undo. So operations only raise the question, and a model answers it:
its rows are apart if no number of one row's answer changes with the numbers of another.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from zoo.errors import first_sentence

HALF = ("float16", "bfloat16")
"""Types of half precision."""

WHOLE = ((0, 2), (0, 1), (0, 3), (0, 9), (1, 3))
"""Between these are the whole numbers that operations are tried on in turn: some are places, some must not be 0."""

_NEAR, _NEARLY = {"rtol": 1e-3, "atol": 1e-5}, {"rtol": 5e-2, "atol": 5e-2}
"""How far two computations of one number may be apart, and in half precision."""

_TURNED = {"rtol": 1e-3, "atol": 1e-3}
"""How far they may be where the rows come in another order, as seen from the largest."""

FAR = 1e4
"""The numbers of a row that is changed are so much larger too, for what is decided by one that is large enough."""

FARTHER = 16
"""Whole numbers of such a row are larger by so many times what those of the others lie below: they may be places."""

MANY, MOST_NUMBERS = 300, 2_000_000
"""So many rows are tried at once as well, or as many as hold so many numbers together."""

FEWEST, OPEN, LARGER = 5, (7, 33), 140
"""So many rows are tried at least, and these sizes where one is open; the last if nothing was left of the others."""

MULTIPLES, MOST = (*range(1, 17), 60), 1000
"""Numbers of rows that operations are tried on which want them in pairs or threes, or no others; and the most."""


def together(made: Any, moved: bool = False) -> str:
    """Why what an operation made of symbolic tensors is no function of each row alone; an empty text if it is one.

    Its shape does not tell (an axis of -2 is the rows' in a table), so it is tried: on some rows, and on each of them.
    Raises what the operation raises whatever the number of rows that its shapes promised to take, unless an operation
    before it has `moved` rows: there may be more of them than any.
    """
    import keras

    answers = keras.tree.flatten(made)
    operation, _, _ = answers[0]._keras_history
    given = operation._inbound_nodes[-1].arguments
    kind = type(operation)
    tensors = [one for one in keras.tree.flatten([list(given.args), given.kwargs]) if _is_symbolic(one)]
    if kind.__module__.endswith(".linalg") and kind.__name__ != "Norm":  # random matrices are not for all of these
        return "" if all(len(one.shape) > 2 for one in tensors) else "it takes the rows for those of a matrix"
    if not tensors or any(one.shape[:1] != (None,) for one in tensors):
        counted = tensors and all(one.shape[:1] != (None,) for one in tensors)
        return "it is computed for so many rows alone" if counted else "it answers no rows"
    is_open = any(None in one.shape[1:] for one in tensors)
    whole = any("float" not in one.dtype for one in tensors)
    # So many rows as nothing else has parts: Keras takes three numbers beside three channels for a bias of these.
    # And more than any place that is named, of which a shift is no multiple.
    named = [abs(one) for one in _numbers([list(given.args), given.kwargs, vars(operation)]) if one]
    fits = (
        one
        for one in itertools.count(max([FEWEST - 1, *(one for one in named if one <= FARTHEST)]) + 1)
        if all(one not in tensor.shape for tensor in (*tensors, *answers)) and all(n % one for n in named)
    )
    count = next(fits)
    refused: list[Exception] = []
    tried = WHOLE if whole else WHOLE[:1]
    for bounds in tried:
        dice = np.random.default_rng(bounds[1])
        rows = {id(one): _some(one, dice, count, *bounds) for one in tensors}
        try:
            if wrong := _depends(operation, given, rows, count):
                return wrong
        except Exception as error:
            refused.append(error)
    if len(refused) < len(tried):
        return ""  # whole numbers that mean something
    lengths = [
        len(one)
        for one in keras.tree.flatten([list(given.args), given.kwargs])
        if getattr(one, "shape", ()) and not _is_symbolic(one)
    ]
    if (
        moved
        or is_open
        or any(_runs(operation, given, many) for many in {*MULTIPLES, *named, *lengths} if many <= MOST)
    ):
        return first_sentence(refused[0])  # sizes that only data know, rows that come in pairs
    raise refused[0]


def _runs(operation: Any, given: Any, count: int) -> bool:
    """Whether an operation can be computed for so many rows."""
    import keras

    dice = np.random.default_rng(count)

    def found(one: Any) -> Any:
        return keras.ops.convert_to_tensor(_some(one, dice, count, *WHOLE[0])) if _is_symbolic(one) else one

    try:
        args, kwargs = keras.tree.map_structure(found, (list(given.args), dict(given.kwargs)))
        operation.call(*args, **kwargs)
    except Exception:  # whatever an operation stumbles over
        return False
    return True


def _depends(operation: Any, given: Any, rows: Mapping[int, Any], count: int) -> str:
    """Why the answers for so many rows are not those for each row alone, an empty text if they are."""
    import keras

    def run(which: slice) -> list[Any]:
        def found(one: Any) -> Any:
            return keras.ops.convert_to_tensor(rows[id(one)][which]) if _is_symbolic(one) else one

        args, kwargs = keras.tree.map_structure(found, (list(given.args), dict(given.kwargs)))
        return [np.asarray(one) for one in keras.tree.flatten(operation.call(*args, **kwargs))]

    tensors = [one for one in keras.tree.flatten([list(given.args), given.kwargs]) if _is_symbolic(one)]
    near = _NEARLY if {*HALF} & {one.dtype for one in tensors} else _NEAR
    answers = run(slice(None))
    alone = [run(slice(row, row + 1)) for row in range(count)]
    for index, answer in enumerate(answers):
        if answer.shape[:1] != (count,):
            return f"{count} rows get an answer of the shape {answer.shape}"
        for row in range(count):
            one, other = alone[row][index], answer[row : row + 1]
            alike = one.shape == other.shape
            if not alike or not np.allclose(one.astype("float64"), other.astype("float64"), equal_nan=True, **near):
                return MEET
    return ""


MEET = "what a row gets depends on the rows beside it"


def mixed(model: Any) -> str:
    """Why a model's answer for a row depends on the rows beside it, or may do so; an empty text if it does not.

    One row is changed, and no bit of the others' answers may change, whatever was drawn: so no effect is too small.
    Weights that would hide one, all alike or next to nothing, are others meanwhile. There are more rows than any place
    that an operation names.
    """
    weights = {id(one): one for one in model.variables}.values()
    before = [one.numpy() for one in weights]
    try:
        for one, value in zip(weights, before, strict=True):
            one.assign(_telling(value))
        return _mixed(model, weights, [one.numpy() for one in weights])
    finally:
        for one, value in zip(weights, before, strict=True):
            one.assign(value)


def _mixed(model: Any, weights: Any, begin: Sequence[Any]) -> str:
    import keras

    if any("string" in one.dtype for one in model.inputs):
        return "it cannot be tried on texts"
    places = list(_places(model))
    begun = max([FEWEST, *(one for one in places if one <= FARTHEST)]) + 2
    count = next(one for one in itertools.count(begun) if all(place % one for place in places if place))  # no full turn

    def run(rows: Sequence[Any]) -> list[Any]:
        for one, value in zip(weights, begin, strict=True):
            one.assign(value)  # what was drawn is drawn again
        given = [keras.ops.convert_to_tensor(one) for one in rows]
        found = model(given if len(given) > 1 else given[0], training=False)
        return [np.asarray(keras.ops.cast(one, "float32")) for one in keras.tree.flatten(found)]

    def changes() -> bool:
        return not all(np.array_equal(one.numpy(), value) for one, value in zip(weights, begin, strict=True))

    is_open = any(None in one.shape[1:] for one in model.inputs)
    found = [_at(size, model, run, count, changes) for size in (OPEN if is_open else OPEN[:1])]
    if is_open and (any(wrong for wrong, _ in found) or not any(tried for _, tried in found)):
        wrong, tried = _at(LARGER, model, run, count, changes)  # of an image of 7 pixels nothing may have been left
        if tried or wrong:
            return wrong
    if any(tried for _, tried in found):
        return next((wrong for wrong, tried in found if tried and wrong), "")
    return found[0][0]


def _at(size: int, model: Any, run: Any, count: int, changes: Any) -> tuple[str, bool]:
    """The same for a size of what is open, and whether it could be tried at it; if not, why."""
    tried, refused = False, ""
    for least, above in ((0, 2), (0, 9), (0, 250)):
        dice = np.random.default_rng(above)
        rows, others = ([_some(one, dice, count, least, above, size) for one in model.inputs] for _ in range(2))
        if above > 2:  # numbers of both signs, and far from 0
            rows, others = ([one * above - above / 2 if one.dtype.kind == "f" else one for one in each]
                            for each in (rows, others))  # fmt: skip
        try:
            answers = run(rows)
            drawn = changes()
            if not all(map(_equal, answers, run(rows))):
                refused = refused or "it answers otherwise each time"
                continue
            if wrong := next((f"{count} rows get an answer of the shape {one.shape}" for one in answers
                              if one.shape[:1] != (count,)), ""):  # fmt: skip
                return wrong, True
            half = bool({*HALF} & {one.compute_dtype for one in model._flatten_layers()})
            alone = run([one[:1] for one in rows])
            if any(one.shape[:1] != (1,) for one in alone):
                return "one row gets no answer of its own", True
            if not drawn and not all(_alike(one, other[:1], half) for one, other in zip(alone, answers, strict=True)):
                return "what a row gets depends on how many there are", True
            turned = [] if drawn else run([one[::-1].copy() for one in rows])
            if not all(_alike(one, other[::-1], half) for one, other in zip(answers, turned, strict=False)):
                return "what a row gets depends on its place among the rows", True
            if not drawn and (wrong := _among_more(rows, answers, run, half)):
                return wrong, True
            far = [_far(one, above) for one in others]
            for row, instead in itertools.product((0, 1, count - 1), (others, far)):
                changed = [np.where(_only(row, one), other, one) for one, other in zip(rows, instead, strict=True)]
                kept = [one for one in range(count) if one != row]
                try:
                    among = run(changed)
                except Exception:
                    if instead is far:  # numbers that some operation is not for
                        continue
                    raise
                for one, other in zip(answers, among, strict=True):
                    if not _equal(one[kept], other[kept]):
                        return MEET, True
        except Exception as error:  # whatever operations raise on numbers of rows, or numbers, that they are not for
            refused = refused or f"{count} rows cannot be computed: {first_sentence(error)}"
            continue
        tried = True
    return ("", True) if tried else (refused, False)


def _far(rows: Any, above: int) -> Any:
    """Such numbers, much larger ones: of both signs, or if they are whole up to the largest of their type."""
    if rows.dtype.kind == "f":
        return (rows - rows.dtype.type(0.5)) * rows.dtype.type(FAR)
    if rows.dtype.kind not in "iu":
        return rows
    return np.minimum(rows.astype("int64") + FARTHER * above, np.iinfo(rows.dtype).max).astype(rows.dtype)


def _among_more(rows: Sequence[Any], answers: Sequence[Any], run: Any, half: bool) -> str:
    """Why the last of many rows get other answers than among a few; an empty text if they do not."""
    many = min(MANY, MOST_NUMBERS // max(one[0].size for one in rows))
    if many <= len(rows[0]):
        return ""
    more = run([np.concatenate([np.resize(one, (many - len(one), *one.shape[1:])), one]) for one in rows])
    alike = all(_alike(one, other[-len(one) :], half) for one, other in zip(answers, more, strict=True))
    return "" if alike else "what a row gets depends on how many there are, or on its place among them"


def _places(model: Any) -> Iterator[int]:
    """The places and shifts that operations of a model name, those of models inside included."""
    for one in getattr(model, "operations", ()):
        if hasattr(one, "operations") or hasattr(one, "layer"):
            yield from _places(getattr(one, "layer", one))
        elif type(one).__module__.startswith("keras.src.ops") and type(one).__name__ not in SHAPING:
            said = [[list(node.arguments.args), node.arguments.kwargs] for node in one._inbound_nodes]
            yield from map(abs, _numbers([*said, vars(one)]))


FARTHEST = 100
"""There are more rows than any place that an operation names up to here."""

SHAPING = ("Reshape", "Transpose", "BroadcastTo")
"""Operations whose whole numbers are no places."""


def _equal(one: Any, other: Any) -> bool:
    return bool(np.array_equal(one, other, equal_nan=True))


def _alike(one: Any, other: Any, half: bool) -> bool:
    """Whether two computations of the same numbers are near one another, as seen from the largest of them."""
    size = float(np.abs(one[np.isfinite(one)]).max(initial=0)) or 1.0
    return bool(np.allclose(one / size, other / size, equal_nan=True, **(_NEARLY if half else _TURNED)))


def _only(row: int, rows: Any) -> Any:
    """Where the numbers of one row stand."""
    return (np.arange(len(rows)) == row).reshape(-1, *[1] * (rows.ndim - 1))


def _telling(value: Any) -> Any:
    """Weights as they are, or others where these would hide what they are multiplied with."""
    if value.dtype.kind in "iub" or not value.size:
        return value
    numbers = value.astype("float32")
    if np.abs(numbers).max() > 1e-3 and np.ptp(numbers) > 0:
        return value
    dice = np.random.default_rng(value.size)
    if value.ndim < 2:
        return dice.uniform(0.5, 1, value.shape).astype(value.dtype)
    return (dice.normal(size=value.shape) / np.sqrt(value[..., 0].size)).astype(value.dtype)


def _numbers(value: Any) -> Iterator[int]:
    """The whole numbers anywhere in a value, those of slices and of texts of indices included."""
    if type(value) is int:
        yield value
    elif isinstance(value, slice):
        yield from _numbers([value.start, value.stop, value.step])
    elif isinstance(value, str):
        yield from (int(one) for one in value.replace(":", ",").split(",") if one.strip().lstrip("-").isdigit())
    elif isinstance(value, Mapping):
        yield from _numbers(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _numbers(one)


def _is_symbolic(value: Any) -> bool:
    import keras

    return isinstance(value, keras.KerasTensor)


def _some(tensor: Any, dice: Any, rows: int, least: int, above: int, size: int = OPEN[0]) -> Any:
    """Some rows of a tensor's shape and type, with `size` for each that is open; whole numbers lie between the two."""
    shape = (rows, *(size if one is None else one for one in tensor.shape[1:]))
    if "float" in tensor.dtype:
        return dice.random(shape).astype(tensor.dtype)
    return dice.integers(least, above, shape).astype(tensor.dtype)
