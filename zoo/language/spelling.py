"""Misspelt words that hold others, put right before anything reads them, each told where it stands.

What a misspelt `for`, `let` or `blocks` holds would otherwise be missed by all that comes after, which would say so in
many places. A word is put right where one is near that is not there, and what it holds fits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from zoo.errors import Problem, is_close, listed, nearest
from zoo.language import catalogue, expressions, objects, parsing, ranges
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

_BLOCK_MEANT = dict.fromkeys(("args", "arguments", "params", "with"), "parameters") | {"body": "layers"}
"""What keys of a block are called elsewhere."""


def mended(data: dict[str, Any], marks: Marks) -> tuple[dict[str, Any], Marks, list[Problem]]:
    """The data of a file with its misspelt words put right, the places of all in it, and what was misspelt."""
    looked = _Spelling(data, marks)
    return looked.spec(data, ()), looked.marks, looked.problems


class _Spelling:
    """The state while one file is looked through: where its words stand now, and its blocks."""

    def __init__(self, data: dict[str, Any], marks: Marks) -> None:
        self.data = data
        self.marks = dict(marks)
        self.problems: list[Problem] = []
        self.blocks: dict[str, Any] = {}

    def spec(self, data: dict[str, Any], path: Path) -> dict[str, Any]:
        """The keys of a spec, or of a variant, and what they hold."""
        known = FIELDS if not path else {key: one for key, one in FIELDS.items() if key != "variants"}
        data = self._keys(data, known, path, "a spec", unless=LATER)
        self.blocks |= data["blocks"] if isinstance(data.get("blocks"), dict) else {}
        made = dict(data)
        if isinstance(data.get("blocks"), dict):
            named = {
                name: self._named(block, (*path, "blocks", name), self._block_keys)
                for name, block in data["blocks"].items()
            }
            self.blocks |= named
            made["blocks"] = {name: self._block(one, (*path, "blocks", name)) for name, one in named.items()}
        for key, value in data.items():
            here = (*path, key)
            if key == "variants" and isinstance(value, dict):
                made[key] = {name: self._named(one, (*here, name), self.spec) for name, one in value.items()}
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

    def _moved(self, data: dict[str, Any], names: Mapping[str, str], path: Path) -> dict[str, Any]:
        """A mapping with some keys under other names, in their places."""
        for key, name in names.items():
            self.marks |= parsing.moved(self.marks, (*path, key), (*path, name))
        return {names.get(key, key): value for key, value in data.items()}

    def _wrong(self, path: Path, wrong: str, expected: str, hint: str) -> None:
        self.problems.append(problem_at(self.marks, path, wrong, expected, hint))

    def _keys(
        self, data: dict[str, Any], known: Fields, path: Path, what: str, unless: Collection[str] = ()
    ) -> dict[str, Any]:
        names: dict[str, str] = {}
        for key, value in data.items():
            if key in known or key in unless or len(self.problems) >= MOST:
                continue
            wrong, expected, close = unknown(key, value, known, what)
            there = value is None or close in {*data, *names.values()} or "(" in str(key)  # null may be to remove it
            if close in known and not there and fits(value, known[close]):
                self._wrong((*path, key), wrong, expected, close)
                names[key] = close
        data = self._moved(data, names, path)
        for key in [one for one in data if INSIDE.get(one, "").count(".") == 1 and one not in known]:
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
        self.marks |= parsing.moved(self.marks, (*path, key), (*path, outer, inner))
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
        names: dict[str, str] = {}
        for name in value:
            found = catalogue.entry("layers", name) if isinstance(name, str) else {}
            if isinstance(found, tuple) and found[2] not in value and found[2] in set(expressions.words_of(self.data)):
                self._wrong((*path, name), *found)
                names[name] = found[2]
        return self._moved(value, names, path)

    def _latent(self, value: Any, path: Path) -> Any:
        if isinstance(value, dict) and len(value) == 1:
            name = str(next(iter(value)))
            found = catalogue.entry("layers", name) if name != "Gaussian" else {}
            if isinstance(found, tuple) and (close := nearest(name, ("Gaussian", "VectorQuantizer"))):
                self._wrong((*path, name), *found[:2], close)
                value = self._moved(value, {name: close}, path)
        return self._item(value, path)

    # Blocks and items

    def _named(self, value: Any, path: Path, how: Any) -> Any:
        return how(value, path) if isinstance(value, dict) else value

    def _block_keys(self, block: dict[str, Any], path: Path) -> dict[str, Any]:
        names: dict[str, str] = {}
        for key in block:
            if key not in BLOCK and len(self.problems) < MOST:
                close = _BLOCK_MEANT.get(key) or nearest(key, BLOCK)
                if close and close not in block and close not in names.values():
                    self._wrong((*path, key), "no such key", f"a key of a block: {listed(BLOCK)}", close)
                    names[key] = close
        return self._moved(block, names, path)

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
            return self._class(value, {}, path) or value
        if not isinstance(value, dict):
            return value
        bodies = [key for key, one in value.items() if isinstance(one, list) and nearest(key, GROUP) == "layers"]
        if "layers" in value or {"for", "in"} & set(value) or (len(value) > 1 and bodies):
            value = self._group(value, path)
            made = {key: self._branches(one, (*path, key)) for key, one in value.items() if key == "from"}
            made |= {"layers": self._items(value["layers"], (*path, "layers"))} if "layers" in value else {}
            return {**value, **made}
        if len(value) > 1 and (whole := self._one_of_several(value, path)):
            return self._item(whole, path)
        names = {key: self._class(key, body, (*path, key)) for key, body in value.items()}
        value = self._moved(value, {key: name for key, name in names.items() if name}, path)
        return {key: self._call(key, body, (*path, key)) for key, body in value.items()}

    def _class(self, name: Any, body: Any, path: Path) -> str:
        """The layer that a misspelt one surely is: but for a letter or two, and with such arguments; else nothing."""
        if not isinstance(name, str) or name in self.blocks or not name[:1].isupper():
            return ""
        found = catalogue.entry("layers", name)
        close = found[2] if isinstance(found, tuple) and path[0] != "latent" else ""
        given = {*body} if isinstance(body, dict) else set()
        if close not in catalogue.catalogue()["layers"] or not is_close(name, close):
            return ""
        if not given <= {*self._names_of(close)}:
            return ""
        self._wrong(path, *found)
        return close

    def _one_of_several(self, value: dict[str, Any], path: Path) -> dict[str, Any] | None:
        """What several keys are likely meant as: a call whose arguments are not under it, or several items."""
        first, *others = value
        given, names = value[first], self._names_of(first)
        body = {} if given is None else given if isinstance(given, dict) else {names[0]: given} if names else {}
        if names and {*others} <= {*names} - {*body}:
            self.problems.append(problem_at(self.marks, path, *of_several(value)))
            for key in others:
                self.marks |= parsing.moved(self.marks, (*path, key), (*path, first, key))
            return {first: {**body, **{key: value[key] for key in others}}}
        if all(self._names_of(key) for key in value):
            self.problems.append(problem_at(self.marks, path, *of_several(value)))
            for index, key in enumerate(value):
                self.marks |= parsing.moved(self.marks, (*path, key), (*path, "layers", index, key))
            return {"layers": [{key: one} for key, one in value.items()]}
        return None

    def _names_of(self, target: str) -> list[str]:
        """What the braces of a layer or a block may hold, what is required first; nothing if it is none."""
        if target in self.blocks:
            return [*self._parameters(target), *OURS]
        found = catalogue.operation(target) if catalogue.is_operation(target) else catalogue.entry("layers", target)
        return [] if isinstance(found, tuple) else [*found["required"], *found["arguments"], *OURS]

    def _parameters(self, block: str) -> list[str]:
        given = (self.blocks[block] if isinstance(self.blocks[block], dict) else {}).get("parameters") or {}
        return [*(given if isinstance(given, dict) else parameters_listed(given))]

    def _group(self, value: dict[str, Any], path: Path) -> dict[str, Any]:
        lacks = [key for key in ("layers", "for", "in") if key not in value]
        names: dict[str, str] = {}
        for key in value:
            if key not in GROUP:
                close = nearest(key, lacks) or nearest(key, GROUP)
                if close and close not in value and close not in names.values():
                    self._wrong((*path, key), "no such key", f"a key of a group: {listed(GROUP)}", close)
                    names[key] = close
        return self._moved(value, names, path)

    def _call(self, target: str, body: Any, path: Path) -> Any:
        if not isinstance(body, dict):
            return body
        if target == "let":
            return self._values(body, path)
        if target == "reuse":
            names = {key: nearest(key, REUSE) for key in body if key not in REUSE}
            names = {key: close for key, close in names.items() if close and close not in body}
            for key, close in names.items():
                self._wrong((*path, key), "no such key", f"one of {listed(REUSE)}", close)
            body = self._moved(body, names, path)
        elif target in self.blocks:
            body = self._arguments_of_block(target, body, path)
        else:
            body = self._words(target, body, path)
        made = {key: self._value(one, (*path, key)) for key, one in body.items() if key != "from"}
        return {key: made[key] if key in made else self._branches(one, (*path, key)) for key, one in body.items()}

    def _arguments_of_block(self, target: str, body: dict[str, Any], path: Path) -> dict[str, Any]:
        known = [*self._parameters(target), *OURS]
        names: dict[str, str] = {}
        for key in body:
            close = nearest(key, known) if key not in known else ""
            if close and close not in body and close not in names.values():
                self._wrong((*path, key), "no such parameter", f"one of {listed(known)}", close)
                names[key] = close
        return self._moved(body, names, path)

    def _words(self, target: str, body: dict[str, Any], path: Path) -> dict[str, Any]:
        """The words of ours in the call of a layer, and arguments that are meant for sure."""
        found = catalogue.operation(target) if catalogue.is_operation(target) else catalogue.entry("layers", target)
        if isinstance(found, tuple):
            return body
        words = [one for one in OURS if one not in ("l2", "frozen")] if "tensors" in found else list(OURS)
        names: dict[str, str] = {}
        for key in body:
            if key in found["arguments"] or key in words:
                continue
            wrong, expected, close = objects.unknown(target, key, found, words)
            sure = close in words or (close in found["arguments"] and (is_close(key, close) or key in objects.FORMER))
            if sure and close not in body and close not in names.values():
                self._wrong((*path, key), wrong, expected, close)
                names[key] = close
        return self._moved(body, names, path)

    def _branches(self, value: Any, path: Path) -> Any:
        if not isinstance(value, list):
            return value
        return [
            self._items(one, (*path, index)) if isinstance(one, list) else self._item(one, (*path, index))
            for index, one in enumerate(value)
        ]

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
            return {key: self._values(one, (*path, key)) for key, one in value.items()}
        names = {key: nearest(key, ranges.KEYS) for key in value if key not in (*ranges.KEYS, *ranges.MEANT)}
        words = [names.get(key, key) for key in value]
        known = len(names) < len(words) or {"values", "default"} <= {*words}
        if names and known and len(words) == len({*words}) and {*words} <= {*ranges.KEYS, *ranges.MEANT}:
            made = {names.get(key, key): one for key, one in value.items()}
            if ranges.looks_like(made) and isinstance(made.get("values", []), list):
                for key, close in names.items():
                    self._wrong((*path, key), "no such key of a range", f"one of {', '.join(ranges.KEYS)}", close)
                return self._moved(value, names, path)
        return self._values(value, path)


def of_several(item: Mapping[str, Any]) -> tuple[str, str, str]:
    """What is wrong with an item that has no key, or several, as (wrong, expected, hint)."""
    keys = listed(f"`{key}`" for key in item) or "none"
    inside, first = next((key for key in item if key in OURS), ""), next(iter(item), "")
    hint = f"{first}: {{{inside}: ..., ...}}" if inside and first not in (*ALONE, *OURS) else ""
    expected = ALONE.get(first, "a layer, its arguments in braces")
    return f"an item has one key, this has {keys}", expected, hint


def parameters_listed(given: Any) -> dict[str, Any]:
    """Parameters of a block that are written as a list: names alone, or with their defaults."""
    made: dict[str, Any] = {}
    for one in given if isinstance(given, list) else ():
        made |= one if isinstance(one, dict) else {one: None} if isinstance(one, str) else {}
    return made
