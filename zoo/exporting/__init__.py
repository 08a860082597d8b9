"""A run to an artifact: rebuilt plain, verified in a fresh process, and only then given its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.errors import ZooError, listed, nearest
from zoo.exporting import saved_model
from zoo.runs import Run, held

EXPORTERS: dict[str, Callable[[Run, Path], dict[str, Any]]] = {"saved_model": saved_model.export}
"""The formats by name: a function from a run and a folder to what stands in `artifact.json`. One row adds one."""


def export(run: Run, to: Path | None = None, form: str = "saved_model") -> tuple[Path, dict[str, Any]]:
    """Export the best trial of a run; without `to`, under the run's own `exports/`.

    Returns the folder and what its `artifact.json` says. Raises `ZooError` if the run has no finished trial, if the
    folder is somebody else's, or if the export's answers are not the model's; then nothing is left behind.
    """
    if form not in EXPORTERS:
        hint = nearest(form, EXPORTERS)
        raise ZooError(
            f"no format `{form}`; expected one of {listed(EXPORTERS)}" + (f"; did you mean `{hint}`?" if hint else "")
        )
    if run.best is None or run.last("judged") is None:
        raise ZooError(
            f"{run.folder} is not finished; expected a study to its end: the same `zoo tune` command goes on with it, "
            f"and with --trials {max(len(run.told), 1)} it ends where it is"
        )
    target = to if to is not None else run.folder / "exports" / form
    with held(run.folder):
        return target, EXPORTERS[form](run, target)
