"""Models that a user's own function makes anew for each lambda and p, where no layers of a spec can say them."""

from __future__ import annotations

import hashlib
import inspect
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

    `function` is its name and `code` a digest of its source, by which it is known again; it `takes` l2, dropout or
    both, with these `values`. It is there in a process that was handed the function: `zoo.tune(build, ...)` or
    `zoo.load(build)`.
    """

    def __new__(
        cls, function: str, code: str, takes: Sequence[str], values: Sequence[float], name: str | None = None
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
    try:
        source = inspect.getsource(build)
    except (OSError, TypeError):  # one without a file, or an object that is called
        source = ""
    code = hashlib.sha256(source.encode()).hexdigest()[:12]
    _KNOWN[name, code] = build
    return {"function": name, "code": code}


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
