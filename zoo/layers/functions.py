"""Models that a user's own function makes anew for each lambda and p, where no layers of a spec can say them."""

from __future__ import annotations

import functools
import hashlib
import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError

if TYPE_CHECKING:
    import keras

Build = Callable[..., Any]

_KNOWN: dict[tuple[str, str], Build] = {}
"""The functions that were handed in to this process, by their names and what their code is."""


class Function:
    """The model that a Python function makes, as one layer: what `zoo.tune` writes where it has to call the function.

    `function` is its name and `code` a digest of its code, by which it is known again; it `takes` l2, dropout or
    both, with these `values`. It is there in a process that was handed the function: `zoo.tune(build, ...)` or
    `zoo.load(build)`. `reads` is `raw` where it prepares its rows itself.
    """

    def __new__(
        cls,
        function: str,
        code: str,
        takes: Sequence[str],
        values: Sequence[float],
        reads: str = "",
        name: str | None = None,
    ) -> keras.Model:
        """The model. Raises `ZooError` if this process was not handed the function, and what the function raises."""
        build = _KNOWN.get((function, code))
        if build is None:
            wrong = f"the network is made by the Python function `{function}`, which this process was not handed"
            raise ZooError(f"{wrong}; expected a call of zoo.tune or zoo.load with that function, as it was, before")
        made = called(build, {key: float(value) for key, value in zip(takes, values, strict=True)})
        if name is not None:
            made.name = name
        return made


def hand_in(build: Build) -> dict[str, str]:
    """Make a function known to this process; the arguments of `Function` that name it."""
    name = name_of(build)
    code = hashlib.sha256("\n".join(_parts(build)).encode()).hexdigest()[:12]
    _KNOWN[name, code] = build
    return {"function": name, "code": code}


def _parts(build: Any, depth: int = 0) -> Iterator[str]:
    """What tells a function from others: its code, its defaults, what it was closed over, bound to or given before."""
    if depth > 4:
        return
    if isinstance(build, functools.partial):
        yield from (_plain(build.args), _plain(sorted(build.keywords.items())))
        yield from _parts(build.func, depth + 1)
    elif inspect.ismethod(build):
        yield _plain(getattr(build.__self__, "__dict__", build.__self__))
        yield from _parts(build.__func__, depth + 1)
    elif inspect.isfunction(build):
        yield from (_plain(_code(build.__code__)), _plain(build.__defaults__), _plain(build.__kwdefaults__))
        for cell in build.__closure__ or ():
            held = cell.cell_contents
            if callable(held):
                yield from _parts(held, depth + 1)
            elif not isinstance(held, (list, set)):  # which may be where it takes notes of its calls
                yield _plain(held)
    elif callable(build):
        yield from (type(build).__name__, _plain(getattr(build, "__dict__", "")))
        yield from _parts(type(build).__call__, depth + 1)


def _code(code: Any) -> list[Any]:
    """What code does, without where it stands."""
    return [code.co_code, code.co_names, *(_code(one) if inspect.iscode(one) else one for one in code.co_consts)]


def _plain(value: Any) -> str:
    """A value as text, the places of objects in memory, which another process has elsewhere, left out."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def name_of(build: Build) -> str:
    """What a function is called."""
    return str(getattr(build, "__name__", type(build).__name__))


def called(build: Build, values: Mapping[str, float]) -> Any:
    """What a function makes of values, its layers named as if none had been made before."""
    # What the function takes from outside may have a name that Keras would give once more if it began to count anew.
    for anew in (True, False):
        try:
            with _counted(anew):
                return build(**values)
        except Exception as error:
            if not anew or "unique" not in str(error):
                raise
    raise AssertionError("one of the two calls gives a model or raises")


@contextmanager
def _counted(anew: bool) -> Iterator[None]:
    """Let Keras count names from the beginning, or from where it is, and go on afterwards as if it had counted none.

    `keras.backend.clear_session` would forget more than names, and for good.
    """
    from keras.src.backend.common import global_state

    key = "object_name_uids"
    before = global_state.get_global_attribute(key)
    global_state.set_global_attribute(key, defaultdict(int, {} if anew else before or {}))
    try:
        yield
    finally:
        global_state.set_global_attribute(key, before)
