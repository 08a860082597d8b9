"""What the text of a spec does not show: data that it does not fit, shapes that do not meet, figures not its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from zoo import api, building, measuring, selection, trying
from zoo.datasets.description import Description
from zoo.errors import Problem, ZooError
from zoo.language.families import FACTS
from zoo.language.ranges import spelt
from zoo.language.spec import Spec
from zoo.meeting import Plan, alone, meet


def problems(spec: Spec, description: Description | None, build: bool, counted: bool = True) -> list[Problem]:
    """What is wrong with a spec on described data, with `build` once it is built as these data have it, or by itself.

    A spec that does not fit the data is built as it stands: what is wrong with it besides is told as well.
    With `counted`, the parameters and FLOPs that its own file states are compared as well.
    """
    if description is None:
        return built(spec, None, counted) if build else _without_weights(spec)
    try:
        plan, refused = meet(api.with_weights(spec), description), []
    except ZooError as error:
        unknown = [] if spec.coded else [key for key in FACTS[spec.task] if key not in spec.facts]
        spec = spec.adapted(**dict.fromkeys(unknown, 2))  # that nothing states them is no mistake where data do
        plan, refused = None, list(error.problems)
    return [*refused, *(built(spec, plan, counted) if build else [])]


def _without_weights(spec: Spec) -> list[Problem]:
    """Why a spec cannot begin with the weights of the run that it names."""
    try:
        api.with_weights(spec)
    except ZooError as error:
        return list(error.problems)
    return []


def built(spec: Spec, plan: Plan | None, counted: bool) -> list[Problem]:
    """What is wrong with a spec once it is built, at its defaults and at the ends of the ranges that decide shapes.

    It is built as the plan has it that met data, or alone.
    """
    made = _built(spec, plan, {})
    for name, value in () if made else selection.at_the_ends(plan.spec if plan else spec):
        at = f", where `{name}` is {spelt(value)}"
        made += [replace(problem, wrong=problem.wrong + at) for problem in _built(spec, plan, {name: value})]
    return made or (_miscounted(spec) if counted else [])


def _built(spec: Spec, plan: Plan | None, values: Mapping[str, Any]) -> list[Problem]:
    found: list[Problem] = []
    try:
        made = building.build(plan or alone(api.with_weights(spec)), values, None)
    except ZooError as error:
        return list(error.problems)
    for one in (trying.prepared, trying.tried):
        try:
            one(made)
        except ZooError as error:
            found += error.problems
    return found


def _miscounted(spec: Spec) -> list[Problem]:
    """What a spec states of its size that is not so: the figures of a card outlive a change that they do not follow."""
    stated = [key for key in ("parameters", "flops") if key in spec.held() and spec.place((key,))]
    try:
        parameters, _, flops = measuring.counted(spec.fill()) if stated else (0, 0, 0)
    except ZooError:  # it met data without which it cannot be built, and whose network is another
        return []
    counts = {"parameters": (parameters, "parameters"), "flops": (flops, "FLOPs a row")}
    return [
        spec.problem((key,), f"{spec.data[key]:,} is stated, and `{spec.name}` has {count:,} {what}", f"{key}: {count}")
        for key, (count, what) in counts.items()
        if key in stated and count not in (None, spec.data[key])
    ]
