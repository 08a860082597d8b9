"""Misspelt words that hold others, put right before anything reads them, each told where it stands.

What a misspelt `for`, `let` or `blocks` holds would otherwise be missed by all that comes after, which would say so in
many places. A word is put right where one is near that is not there, and what it holds fits.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

from zoo.errors import Problem, is_close, likeness, listed, nearest, plainly
from zoo.language import catalogue, expressions, objects, parsing, ranges, slips
from zoo.language.fields import (
    BODY,
    FIELDS,
    INPUT,
    INSIDE,
    KL,
    LATER,
    PENALTIES,
    SPARSITY,
    TRAINING,
    Fields,
    fits,
    unknown,
)
from zoo.language.objects import ALONE, BLOCK, GROUP, OURS, REUSE
from zoo.language.parsing import Marks, Path, problem_at, shown

MOST = 100
"""So many words are put right."""

Told = tuple[str, str, str]
"""What is wrong, what was expected, and the word that is meant."""

OBJECTS = ("initializers", "regularizers", "constraints", "optimizers", "losses", "schedules")
"""The modules of Keras whose objects stand in the place of a value."""

_CODES = ("Gaussian", "VectorQuantizer")

_BLOCK_MEANT = dict.fromkeys(("args", "arguments", "params", "with"), "parameters") | {"body": "layers"}
"""What keys of a block are called elsewhere."""


def mended(data: dict[str, Any], marks: Marks) -> tuple[dict[str, Any], Marks, list[Problem]]:
    """The data of a file with its misspelt words put right, the places of all in it, and what was misspelt."""
    looked = _Spelling(data, marks)
    return looked.spec(looked.outline(data, ()), ()), looked.marks, looked.problems


class _Spelling:
    """The state while one file is looked through: where its words stand now, and its blocks."""

    def __init__(self, data: dict[str, Any], marks: Marks) -> None:
        self.data = data
        self.marks = dict(marks)
        self.problems: list[Problem] = []
        self.blocks: dict[str, list[str]] = {}
        self.recased: dict[str, str] = {}  # blocks whose names have capitals, and those that are meant
        self.words: set[str] = set()
        self.table = False  # whether what a block is given is looked at, which may be any table

    def outline(self, data: dict[str, Any], path: Path) -> dict[str, Any]:
        """The keys of a spec, of its variants and of their blocks; what the blocks are given, wherever they stand."""
        known = FIELDS if not path else {key: one for key, one in FIELDS.items() if key != "variants"}
        made = self._keys(data, known, path, "a spec")
        if isinstance(made.get("blocks"), dict):
            made["blocks"] = self._recased(made["blocks"], (*path, "blocks"))
        for key, how in (("blocks", self._block_keys), ("variants", self.outline)):
            if isinstance(made.get(key), dict):
                each = made[key].items()
                made[key] = {name: how(one, (*path, key, name)) if isinstance(one, dict) else one for name, one in each}
        for name, block in made["blocks"].items() if isinstance(made.get("blocks"), dict) else ():
            given = (block.get("parameters") if isinstance(block, dict) else None) or {}
            known_here = given if isinstance(given, dict) else parameters_listed(given)
            self.blocks[name] = [*dict.fromkeys((*self.blocks.get(name, ()), *known_here))]
        return made

    def _recased(self, blocks: dict[str, Any], path: Path) -> dict[str, Any]:
        """Blocks by names in small letters, and what is called by the others."""

        def meant(name: Any) -> Told | None:
            small = str(name).lower()
            fine = small != name and re.fullmatch(r"[a-z_][a-z0-9_]*", small) and small not in (*GROUP, *ALONE, *OURS)
            fine = fine and isinstance(catalogue.entry("layers", str(name)), tuple)  # else its calls are that layer's
            return (f"`{name}` is no name of a block", "small letters, digits and `_`", small) if fine else None

        made = self._renamed(blocks, meant, path)
        self.recased |= {old: new for old, new in zip(blocks, made, strict=True) if old != new}
        return made

    def spec(self, data: dict[str, Any], path: Path) -> dict[str, Any]:
        """What the keys of a spec, or of a variant, hold."""
        made = dict(data)
        for key, value in data.items():
            here = (*path, key)
            if key == "variants" and isinstance(value, dict):
                made[key] = {
                    name: self.spec(one, (*here, name)) if isinstance(one, dict) else one for name, one in value.items()
                }
            elif key == "blocks" and isinstance(value, dict):
                made[key] = {name: self._block(one, (*here, name)) for name, one in value.items()}
            elif key in (*BODY, "prepare"):
                made[key] = self._latent(value, here) if key == "latent" else self._items(value, here)
            elif key == "input":
                made[key] = self._fields(value, here, INPUT)
            elif key == "inputs" and isinstance(value, dict):
                made[key] = {name: self._fields(one, (*here, name), INPUT) for name, one in value.items()}
            elif key == "train":
                made[key] = self._values(self._fields(value, here, TRAINING), here)
            elif key == "penalties" and isinstance(value, dict):
                made[key] = self._penalties(self._fields(value, here, PENALTIES), here)
            elif key == "defaults" and isinstance(value, dict):
                made[key] = self._values(self._classes(value, here), here)
            elif key in ("family", "task", "likelihood"):
                made[key] = self._one_of(value, key, here)
            elif key in ("l2", "dropout"):
                made[key] = self._value(value, here)
            elif key == "let" and isinstance(value, dict):
                made[key] = self._values(value, here)
        return made

    # What there is to put right

    def _wrong(self, path: Path, wrong: str, expected: str, hint: str) -> None:
        self.problems.append(problem_at(self.marks, path, wrong, expected, hint))

    def _moved(self, path: Path, to: Path) -> None:
        self.marks |= parsing.moved(self.marks, path, to)

    def _renamed(self, data: dict[str, Any], meant: Callable[[Any], Told | None], path: Path) -> dict[str, Any]:
        """A mapping with its misspelt keys under the names that are meant, where nothing has these, in their places."""
        names: dict[str, str] = {}
        for key in data:
            found = meant(key) if len(self.problems) < MOST and "(" not in str(key) else None
            if found and found[2] and found[2] not in {*data, *names.values()}:
                self._wrong((*path, key), *found)
                self._moved((*path, key), (*path, found[2]))
                names[key] = found[2]
        return {names.get(key, key): value for key, value in data.items()}

    def _keys(self, data: dict[str, Any], known: Fields, path: Path, what: str) -> dict[str, Any]:
        def meant(key: Any) -> Told | None:
            if key in known or key in LATER:
                return None
            wrong, expected, close = unknown(str(key), data[key], known, what)
            removes = path and close in self.data and close not in (*BODY, "input", "inputs")
            if data[key] is None and not removes:  # which may be to remove something else
                return None
            sure = "train" not in known or isinstance(data[key], (dict, list)) or is_close(str(key), close)
            sure = sure or (len(str(key)) > 2 and close.startswith(str(key)))
            return (wrong, expected, close) if close in known and sure and fits(data[key], known[close]) else None

        data = self._renamed(data, meant, path)
        elsewhere = INSIDE if "train" in known else {}
        for key in [one for one in data if elsewhere.get(one, "").count(".") == 1 and one not in known]:
            data = self._inside(data, key, path)
        return data

    def _one_of(self, value: Any, key: str, path: Path) -> Any:
        """The word that a misspelt one of a few is likely meant as."""
        accepts, expected = FIELDS[key]
        close = nearest(value, expected.removeprefix("one of ").split(", ")) if isinstance(value, str) else ""
        if accepts(value) or not close or (path[:-1] and key == "family"):
            return value
        self._wrong(path, f"{shown(value)} is not accepted", expected, close)
        return close

    def _inside(self, data: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
        """A key that belongs into another one, put there where that is no other thing."""
        outer, _, inner = INSIDE[key].partition(".")
        held = data.get(outer, {})
        if not isinstance(held, dict) or inner in held:
            return data
        self._wrong((*path, key), *unknown(key, data[key], FIELDS, "a spec"))
        self._moved((*path, key), (*path, outer, inner))
        return {one: value for one, value in data.items() if one != key} | {outer: {**held, inner: data[key]}}

    def _fields(self, value: Any, path: Path, known: Fields) -> Any:
        names = [one for one in path if isinstance(one, str)]
        what = f"`{names[0]}`" if known is INPUT else f"`{names[-1]}`"
        return self._keys(value, known, path, what) if isinstance(value, dict) else value

    def _penalties(self, value: dict[str, Any], path: Path) -> dict[str, Any]:
        for key, known in (("kl", KL), ("sparsity", SPARSITY)):
            if isinstance(value.get(key), dict) and not ranges.looks_like(value[key]):
                value = {**value, key: self._fields(value[key], (*path, key), known)}
        return self._values(value, path)

    def _classes(self, value: dict[str, Any], path: Path) -> dict[str, Any]:
        """The classes of `defaults`."""

        def meant(name: Any) -> Told | None:
            found = self._near_class(str(name))
            return found if found and found[2] in self._words() else None

        return self._renamed(value, meant, path)

    def _latent(self, value: Any, path: Path) -> Any:
        if isinstance(value, dict) and len(value) == 1:
            found = catalogue.entry("layers", str(next(iter(value)))) if "Gaussian" not in value else {}
            if isinstance(found, tuple):
                value = self._renamed(value, lambda name: (*found[:2], nearest(name, _CODES)), path)
        return self._item(value, path)

    # Blocks and items

    def _block_keys(self, block: dict[str, Any], path: Path) -> dict[str, Any]:
        expected = f"a key of a block: {listed(BLOCK)}"

        def meant(key: Any) -> Told | None:
            return None if key in BLOCK else ("no such key", expected, _BLOCK_MEANT.get(key) or nearest(key, BLOCK))

        return self._renamed(block, meant, path)

    def _block(self, block: Any, path: Path) -> Any:
        if not isinstance(block, dict):
            return block
        made = {key: self._values(block[key], (*path, key)) for key in ("parameters", "let") if key in block}
        return {**block, **made} | (
            {"layers": self._items(block["layers"], (*path, "layers"))} if "layers" in block else {}
        )

    def _items(self, value: Any, path: Path) -> Any:
        return (
            [self._item(one, (*path, index)) for index, one in enumerate(value)] if isinstance(value, list) else value
        )

    def _item(self, value: Any, path: Path) -> Any:
        if isinstance(value, str):
            glued = parsing.GLUED.fullmatch(value)
            if glued and self._names_of(glued[1]) and not glued[3].startswith("("):
                told = *slips.glued(value), ""
                self._wrong(path, *told)
                self._moved(path, (*path, glued[1]))
                with contextlib.suppress(ValueError):
                    return self._item({glued[1]: parsing.plain(glued[3])}, path)
            if value in self.recased:
                return self.recased[value]
            found = self._class(value, {}, path)
            if found:
                self._wrong(path, *found)
            return found[2] if found else value
        if not isinstance(value, dict):
            return value
        bodies = [key for key, one in value.items() if isinstance(one, list) and nearest(key, GROUP) == "layers"]
        if objects.is_group(value) or (len(value) > 1 and bodies):
            value = self._group(value, path)
            made = {key: self._branches(one, (*path, key)) for key, one in value.items() if key == "from"}
            made |= {"layers": self._items(value["layers"], (*path, "layers"))} if "layers" in value else {}
            return {**value, **made}
        if len(value) > 1 and (whole := self._one_of_several(value, path)):
            return self._item(whole, path)
        word = self._word(value)
        if word and word[2] == "layers":
            return self._item(self._renamed(value, lambda _: word, path), path)
        if word:
            value = self._renamed(value, lambda _: word, path)
        value = {self.recased.get(key, key): one for key, one in value.items()}
        value = self._renamed(value, lambda key: self._class(key, value[key], path), path)
        return {key: self._call(key, body, (*path, key)) for key, body in value.items()}

    def _class(self, name: Any, body: Any, path: Path) -> Told | None:
        """The layer that a misspelt one surely is: but for a letter or two, and with such arguments."""
        if not isinstance(name, str) or name in self.blocks or path[0] == "latent":
            return None
        if not isinstance(catalogue.entry("layers", name), tuple):  # it is one, whatever else is called nearly so
            return None
        letters = plainly(name)
        if not name[:1].isupper():
            classes = [one for one in catalogue.catalogue()["layers"] if plainly(one) == letters]
            if classes and "extends" not in self.data and name not in (*ALONE, *OURS):
                return f"no layer `{name}`", "the name of a Keras layer", classes[0]
            close = nearest(name, self.blocks) if "extends" not in self.data and name not in (*ALONE, *OURS) else ""
            told = f"no block `{name}`", f"one of {listed(self.blocks)}", close
            return told if close and is_close(name, close) and not self._names_of(name) else None
        if blocks := [one for one in self.blocks if plainly(one) in (letters, letters.removesuffix("block"))]:
            return f"no layer `{name}`", "the name of a Keras layer, or of a block", blocks[0]
        found = self._near_class(name)
        known = self._names_of(found[2]) if found else []
        given = list(map(str, body)) if isinstance(body, dict) else []
        return found if all(one in known or nearest(one, known) for one in given) else None

    def _near_class(self, name: str) -> Told | None:
        """The layer that is like a name but for a letter or two; of several, one that the file has elsewhere."""
        found, known = catalogue.entry("layers", name), catalogue.catalogue()["layers"]
        if not isinstance(found, tuple) or found[2] not in known or not is_close(name, found[2]):
            return None
        alike = _alike(name, found[2])
        used = [one for one in alike if one in self._words()]
        close = used[0] if used else found[2] if len(alike) == 1 else ""
        return (*found[:2], close) if close else None

    def _words(self) -> set[str]:
        """All that the file says, word by word."""
        if not self.words:
            self.words = set(expressions.words_of(self.data))
        return self.words

    def _word(self, item: dict[str, Any]) -> Told | None:
        """The word that is no layer and no block which the one key of an item is meant as."""
        key = next(iter(item), "")
        body: Any = item.get(key)
        known = key in (*ALONE, *OURS) or not isinstance(key, str) or self._names_of(key)
        if len(item) != 1 or known or "extends" in self.data:  # it may be a block of the base
            return None
        if isinstance(body, list) and is_close(key, "layers"):
            return "no such key", f"a key of a group: {listed(GROUP)}", "layers"
        close = nearest(key, ALONE) if isinstance(body, dict) and key.islower() else ""
        names = [f"${one}" for one in body] if close == "let" else []
        meant = "layer" in body if close == "reuse" else any(one in self._words() for one in names)
        return ("no such item", ALONE[close], close) if close and meant else None

    def _one_of_several(self, value: dict[str, Any], path: Path) -> dict[str, Any] | None:
        """What several keys are likely meant as: a call whose arguments are not under it, or several items."""
        first, *others = value
        given, names = value[first], self._names_of(first)
        body = {} if given is None else given if isinstance(given, dict) else {names[0]: given} if names else {}
        if names and {*others} <= {*names} - {*body}:
            wrong, _, hint = of_several(value)
            self._wrong(
                path, wrong, f"{listed(f'`{key}`' for key in others)} indented under `{first}`, or in braces", hint
            )
            for key in others:
                self._moved((*path, key), (*path, first, key))
            return {first: {**body, **{key: value[key] for key in others}}}
        if all(self._names_of(key) for key in value):
            self._wrong(path, *of_several(value))
            for index, key in enumerate(value):
                self._moved((*path, key), (*path, "layers", index, key))
            return {"layers": [{key: one} for key, one in value.items()]}
        return None

    def _names_of(self, target: str) -> list[str]:
        """What the braces of a layer or a block may hold, what is required first; nothing if it is none."""
        if target in self.blocks:
            return [*self.blocks[target], *OURS]
        found = catalogue.operation(target) if catalogue.is_operation(target) else catalogue.entry("layers", target)
        return [] if isinstance(found, tuple) else [*found["required"], *found["arguments"], *OURS]

    def _group(self, value: dict[str, Any], path: Path) -> dict[str, Any]:
        lacks = [key for key in ("layers", "for", "in") if key not in value]
        expected = f"a key of a group: {listed(GROUP)}"

        def meant(key: Any) -> Told | None:
            close = nearest(key, GROUP) if key not in GROUP else ""
            close = close if close not in value else nearest(key, lacks) or close
            return ("no such key", expected, close) if close else None

        return self._renamed(value, meant, path)

    def _call(self, target: str, body: Any, path: Path) -> Any:
        if not isinstance(body, dict):
            return body
        if target == "let":
            return self._values(body, path)
        body = self._renamed(body, functools.partial(self._argument, target), path)
        self.table = target in self.blocks or not self._names_of(target)
        made = {key: self._value(one, (*path, key)) for key, one in body.items() if key != "from"}
        self.table = False
        return {key: made[key] if key in made else self._branches(one, (*path, key)) for key, one in body.items()}

    def _argument(self, target: str, key: Any) -> Told | None:
        """What a misspelt word in the braces of an item is meant as; of a layer's own, where that is sure."""
        if target == "reuse":
            return None if key in REUSE else ("no such key", f"one of {listed(REUSE)}", nearest(key, REUSE))
        if target == "TimeDistributed" and key in self.blocks:
            return None  # which is told where it is read
        if target in self.blocks:
            known = self._names_of(target)
            return (
                None
                if key in (*known, *BLOCK)
                else ("no such parameter", f"one of {listed(known)}", nearest(key, known))
            )
        found = catalogue.operation(target) if catalogue.is_operation(target) else catalogue.entry("layers", target)
        if isinstance(found, tuple) or key in found["arguments"]:
            return None
        words = [one for one in OURS if one not in ("l2", "frozen")] if "tensors" in found else list(OURS)
        told = objects.unknown(target, key, found, words) if key not in words else None
        sure = told and (told[2] in words or is_close(key, told[2]) or key in objects.FORMER)
        return told if sure else None

    def _object(self, argument: Any, name: Any) -> Told | None:
        """The named object that a misspelt one in the place of an argument surely is."""
        module = "optimizers" if argument == "optimizer" else catalogue.module_of(str(argument))
        found = catalogue.entry(module, str(name)) if module in OBJECTS else {}
        return found if isinstance(found, tuple) and found[2] and is_close(str(name), found[2]) else None

    def _argument_of_object(self, name: str, key: Any) -> Told | None:
        """What a misspelt argument of a named object is meant as, where that is sure."""
        module = next((one for one in OBJECTS if name in catalogue.catalogue()[one]), "")
        entry = catalogue.catalogue()[module][name] if module else {"arguments": {key: None}}
        told = None if key in entry["arguments"] else objects.unknown(name, str(key), entry, ())
        return told if told and told[2] and is_close(str(key), told[2]) else None

    def _branches(self, value: Any, path: Path) -> Any:
        if not isinstance(value, list):
            return value
        made = []
        for index, one in enumerate(value):  # texts are tensors
            look = self._items if isinstance(one, list) else self._item if isinstance(one, dict) else None
            made.append(look(one, (*path, index)) if look else one)
        return made

    # Ranges

    def _values(self, value: Any, path: Path) -> Any:
        """The values of a mapping that is no range itself."""
        return {key: self._value(one, (*path, key)) for key, one in value.items()} if isinstance(value, dict) else value

    def _value(self, value: Any, path: Path) -> Any:
        """A value with the misspelt keys of each range in it put right."""
        if isinstance(value, list):
            return [self._value(one, (*path, index)) for index, one in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if objects.is_named(value):  # whose arguments are no range, and may hold some
            value = self._renamed(value, functools.partial(self._object, path[-1]), path)
            name, given = next(iter(value.items()))
            if isinstance(given, dict):
                given = self._renamed(given, functools.partial(self._argument_of_object, name), (*path, name))
            return {name: self._values(given, (*path, name))}
        lacks = [key for key in ranges.KEYS if key not in value]
        names = {key: nearest(key, lacks) for key in value if key not in (*ranges.KEYS, *ranges.MEANT)}
        words = [names.get(key, key) for key in value]
        known = len(names) < len(words) or {"values", "default"} <= {*words}
        if self.table or {"let", "parameters"} & {*path}:  # where any table may stand
            near = all(is_close(str(key), close) for key, close in names.items())
            whole = "default" in words and ("values" in words or {"min_value", "max_value"} <= {*words})
            reached = any(f".{key}" in word for key in names for word in self._words())  # as no part of a range is
            known = known and near and whole and not reached and {*words} <= {*ranges.KEYS}
        if names and known and len(words) == len({*words}) and {*words} <= {*ranges.KEYS, *ranges.MEANT}:
            made = {names.get(key, key): one for key, one in value.items()}
            if ranges.looks_like(made) and isinstance(made.get("values", []), list):
                told = "no such key of a range", f"one of {', '.join(ranges.KEYS)}"
                return self._renamed(value, lambda key: (*told, names[key]) if key in names else None, path)
        return self._values(value, path)


@functools.lru_cache(maxsize=256)
def _alike(name: str, close: str) -> list[str]:
    """The layers that are as like a name as one is."""
    best = likeness(name, close)
    return [one for one in catalogue.catalogue()["layers"] if likeness(name, one) >= best]


def of_several(item: Mapping[str, Any]) -> tuple[str, str, str]:
    """What is wrong with an item that has no key, or several, as (wrong, expected, hint)."""
    keys = listed(f"`{key}`" for key in item) or "none"
    inside, first = next((key for key in item if key in OURS), ""), next(iter(item), "")
    hint = f"{first}: {{{inside}: ..., ...}}" if inside and first not in (*ALONE, *OURS) else ""
    expected = ALONE.get(first, "a layer, its arguments in braces")
    if first[:1].isupper() and (later := [key for key in item if key[:1].isupper() and key != first]):
        expected = f"`{later[0]}` in an item of its own, behind `- `"
    return f"an item has one key, this has {keys}", expected, hint


def parameters_listed(given: Any) -> dict[str, Any]:
    """Parameters of a block that are written as a list: names alone, or with their defaults."""
    made: dict[str, Any] = {}
    for one in given if isinstance(given, list) else [given] if isinstance(given, str) else ():
        name, sign, value = str(one).partition("=")
        with contextlib.suppress(ValueError):
            made |= one if isinstance(one, dict) else {name.strip(): parsing.plain(value) if sign else None}
    return made
