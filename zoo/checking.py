"""What only building shows of a spec: shapes that do not meet, and figures on its card that are not its own."""

from __future__ import annotations

from dataclasses import replace

from zoo import api, measuring, selection
from zoo.errors import Problem, ZooError
from zoo.language.spec import Spec


def built(spec: Spec, counted: bool = True) -> list[Problem]:
    """What is wrong with a spec once it is built, at its defaults and at the ends of the ranges that decide shapes.

    With `counted`, the parameters and FLOPs that its own file states are compared as well.
    """
    try:
        api.build(spec)
    except ZooError as error:
        return list(error.problems)
    found = []
    for name, value in selection.at_the_ends(spec):
        try:
            api.build(spec, **{name: value})
        except ZooError as error:
            at = f", where `{name}` is {value}"
            found += [replace(problem, wrong=problem.wrong + at) for problem in error.problems]
    return found or (_miscounted(spec) if counted else [])


def _miscounted(spec: Spec) -> list[Problem]:
    """What a spec states of its size that is not so: the figures of a card outlive a change that they do not follow."""
    places = {key: spec.place((key,)) for key in ("parameters", "flops") if key in spec.data}
    stated = [key for key, place in places.items() if place and place.file == spec.source]  # not in a spec below
    parameters, _, flops = measuring.counted(spec.fill()) if stated else (0, 0, 0)
    counts = {"parameters": (parameters, "parameters"), "flops": (flops, "FLOPs a row")}
    return [
        spec.problem((key,), f"{spec.data[key]:,} is stated, and `{spec.name}` has {count:,} {what}", f"{key}: {count}")
        for key, (count, what) in counts.items()
        if key in stated and count not in (None, spec.data[key])
    ]
