"""Plain values to YAML text, in the style in which the specs are written by hand."""

from __future__ import annotations

import functools
import json
from typing import Any

import yaml

from zoo.language import parsing
from zoo.language.objects import is_named


def dump(value: dict[str, Any]) -> str:
    """YAML text that parses back to the value."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


class _Dumper(yaml.SafeDumper):
    """Block style outside, flow style for what fits on a line, as the specs are written by hand."""

    def ignore_aliases(self, data: Any) -> bool:
        """Always: what stands there twice is written twice, for anchors and aliases are refused."""
        return True


def _flow_where_short(dumper: yaml.SafeDumper, value: Any) -> yaml.Node:
    short = len(json.dumps(value)) < 100 and "layers" not in value and "encoder" not in value and not is_named(value)
    if isinstance(value, dict):
        return dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=short)
    flow = (short and not _holds(dict, value)) or not _holds((dict, list), value)  # of a table each row on a line
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=flow)


def _holds(kind: type | tuple[type, ...], value: list[Any]) -> bool:
    return any(isinstance(inner, kind) for inner in value)


def _number(dumper: yaml.SafeDumper, value: float) -> yaml.Node:
    text = repr(value)
    return dumper.represent_scalar("tag:yaml.org,2002:float", text if "." in text else text.replace("e", ".0e"))


@functools.lru_cache(maxsize=10_000)
def _is_plain(text: str) -> bool:
    """Whether a text means itself without quotes."""
    return parsing.parse(text.encode(), "")[::2] == (text, [])


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if _is_plain(value) else '"')


_Dumper.add_representer(dict, _flow_where_short)
_Dumper.add_representer(list, _flow_where_short)
_Dumper.add_representer(float, _number)
_Dumper.add_representer(str, _text)
