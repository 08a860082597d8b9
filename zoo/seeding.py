"""Seeds of one study's many purposes, and how the first values of a built model's variables follow from a seed.

Building a model a second time only to see other first values costs more than training a small one for an epoch.
While a model is built, the initialiser of each variable is noted; another seed's values are then drawn from the same
initialisers, under the seeds that building would have given them.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np

LARGEST_SEED = 2**31 - 1

DRAWN, LARGEST_DRAWN = 24, 10**9
"""So many seeds of one layer can be told apart; Keras draws each from 1 to this."""


@overload
def derive(seed: int, *words: object) -> int: ...
@overload
def derive(seed: None, *words: object) -> None: ...
def derive(seed: int | None, *words: object) -> int | None:
    """A seed of its own for each purpose, far from its neighbours: a hash of seed and words. None stays None."""
    if seed is None:
        return None
    digest = hashlib.sha256("/".join(map(str, (seed, *words))).encode()).digest()
    return int.from_bytes(digest[:8], "big") % LARGEST_SEED + 1


@contextmanager
def drawn_from(seed: int | None) -> Iterator[None]:
    """Let every seed that Keras draws in the block follow from ours; the user's own random state is left as it was.

    Keras draws the seeds of initialisers, of those that layers make or copy for themselves too, from Python's `random`.
    It gets dice of its own in the place of that module, which other threads throw as well: those of a Dask worker do.
    The module is seeded too, for what else draws from it: a layer when it is called, a function of the user's.
    """
    if seed is None:
        yield
        return
    from keras.src.random import seed_generator

    before, usual = random.getstate(), seed_generator.python_random
    random.seed(seed)
    seed_generator.python_random = random.Random(seed)
    try:
        yield
    finally:
        seed_generator.python_random = usual
        random.setstate(before)


def drawn(seed: int) -> list[int]:
    """The first seeds that Keras draws in a block under `drawn_from(seed)`."""
    dice = random.Random(seed)
    return [dice.randint(1, LARGEST_DRAWN) for _ in range(DRAWN)]


@dataclass
class Beginning:
    """How the first values of a model's variables follow from a seed; `noted` while it is built, then `settle`d.

    `seeds` gives, for a seed of the model, every seed that building derives from it, always in the same order.
    """

    seeds: Callable[[int], Iterable[int]]
    _made: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    _recipes: list[Callable[[Mapping[int, int]], Any] | np.ndarray] = field(default_factory=list)
    _own: list[int] = field(default_factory=list)
    proved: bool = False
    """Values that were drawn anew were once compared with those of a fresh build, and were the same bits."""

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note the initialiser of every variable that Keras makes in the block."""
        import keras

        kind, made = keras.Variable, self._made
        usual, of_its_own = kind.__init__, "__init__" in vars(kind)

        def noting(self: Any, initializer: Any, *arguments: Any, **named: Any) -> None:
            usual(self, initializer, *arguments, **named)
            made[id(self)] = (self, initializer)

        kind.__init__ = noting
        try:
            yield
        finally:
            if of_its_own:
                kind.__init__ = usual
            else:
                del kind.__init__

    def settle(self, variables: Iterable[Any], seed: int) -> None:
        """Find how each variable's first value, which it has now, follows from the seed."""
        import keras

        self._own = list(self.seeds(seed))
        ours = set(self._own)
        for variable in variables:
            value = np.asarray(variable.numpy())  # not a scalar of numpy's, where the variable is one number
            _, initializer = self._made.get(id(variable), (None, None))
            given = initializer.get_config() if isinstance(initializer, keras.initializers.Initializer) else {}
            used = getattr(initializer, "seed", None) if "seed" in given else None
            if used in ours:
                self._recipes.append(_drawing(initializer, given, used, variable))
            elif value.dtype.kind in "iu" and value.shape == (2,) and int(value[0]) in ours:
                self._recipes.append(_counting(int(value[0]), value))
            else:
                self._recipes.append(value)
        self._made.clear()

    def prove(self, seed: int, fresh: Iterable[Any]) -> None:
        """Compare with the variables of a fresh build under another seed than was settled."""
        pairs = zip(self.values(seed), fresh, strict=True)
        self.proved = all(np.array_equal(np.asarray(ours), theirs) for ours, theirs in pairs)

    def values(self, seed: int) -> Iterator[Any]:
        """The first value of each variable under another seed, in the order in which they were settled."""
        table = dict(zip(self._own, self.seeds(seed), strict=True))
        for recipe in self._recipes:
            yield recipe if isinstance(recipe, np.ndarray) else recipe(table)


def _drawing(
    initializer: Any, given: Mapping[str, Any], used: int, variable: Any
) -> Callable[[Mapping[int, int]], Any]:
    kind, shape, dtype = type(initializer), tuple(variable.shape), variable.dtype
    return lambda table: kind.from_config({**given, "seed": table[used]})(shape, dtype=dtype)


def _counting(used: int, value: np.ndarray) -> Callable[[Mapping[int, int]], Any]:
    """The state of a random layer: its seed, and how often it was drawn from."""
    return lambda table: np.array([table[used], value[1]], value.dtype)
