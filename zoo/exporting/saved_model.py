"""A TensorFlow SavedModel: raw rows in, answers out, nothing of Keras or zoo needed to serve it."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.apart import HALF
from zoo.building import Built, build
from zoo.datasets.dataset import Part
from zoo.errors import ZooError
from zoo.exporting import verify
from zoo.files import new_folder, open_npz, write_json
from zoo.lowering import computed_in
from zoo.runs import Run, environment
from zoo.tasks.contract import UNUSUAL, Endpoint, whole
from zoo.working import seed_of

ARTIFACT = "artifact.json"
BESIDE = (
    "probes.npz", "saved_model.pb", "fingerprint.pb", "variables", "variables.index",
    "variables.data-00000-of-00001", "assets",
)  # fmt: skip
"""What stands beside it in an export."""

BATCHES = (1, 3, 64)


def export(run: Run, target: Path) -> dict[str, Any]:
    """Write the best trial of a run to the folder. Raises `ZooError` if the verification finds any difference."""
    best = run.best
    assert best is not None
    built = build(run.plan, best.values, seed_of(run.plan, best.trial), portable=True)
    built.load(run.weights(best.trial))
    endpoints = {name: _whole(one) for name, one in run.plan.works.endpoints(built.pieces).items()}
    evidence = open_npz(run.folder / "evidence.npz")
    _same_model(run, built, evidence)
    labels = {} if run.plan.spec.label is None else {run.plan.spec.label: evidence["y"]}
    probes = _probes(endpoints, evidence["x"], labels)
    with new_folder(target, ARTIFACT, BESIDE) as folder:
        _write(built, endpoints, folder)
        np.savez_compressed(folder / "probes.npz", **probes)
        verdict = _verified(folder, _tolerance(built))
        artifact = _artifact(run, endpoints, probes, verdict)
        write_json(folder / ARTIFACT, artifact)
    run.append("exported", {"to": str(target.resolve()), "trial": best.trial, **verdict})
    return artifact


def _same_model(run: Run, built: Built, evidence: Mapping[str, np.ndarray]) -> None:
    """Raise `ZooError` if the model to export does not answer as the one that was judged."""
    judged = {key.removeprefix("probe_"): value for key, value in evidence.items() if key.startswith("probe_")}
    found = run.plan.works.evidence(built.pieces, Part(evidence["x"], evidence.get("y")))
    for key, value in judged.items():
        if verify.compare(found[key], value) > 10 * _tolerance(built):
            raise ZooError(
                f"{run.folder}: the kept weights do not give the judged answers ({key}); nothing was written"
            )


def _write(built: Built, endpoints: Mapping[str, Endpoint], folder: Path) -> None:
    import keras
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    archive.track(built.prepare)
    archive.track(built.network)
    for name, endpoint in endpoints.items():
        signature = [tf.TensorSpec(shape, dtype, name=key) for key, (shape, dtype) in endpoint.inputs.items()]
        archive.add_endpoint(name, _by_position(endpoint), input_signature=signature)
    archive.write_out(str(folder), verbose=False)


def _whole(endpoint: Endpoint) -> Endpoint:
    """An endpoint that takes and answers float32 where the network has another precision."""

    def function(**given: Any) -> dict[str, Any]:
        return {key: whole(value) for key, value in endpoint.function(**given).items()}

    inputs = {key: (shape, "float32" if dtype in UNUSUAL else dtype) for key, (shape, dtype) in endpoint.inputs.items()}
    return Endpoint(inputs, function)


def _by_position(endpoint: Endpoint) -> Any:
    """The endpoint as a function of its inputs in order, with their names, as a signature wants it."""

    def call(*tensors: Any) -> dict[str, Any]:
        return endpoint.function(**dict(zip(endpoint.inputs, tensors, strict=True)))

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    call.__signature__ = inspect.Signature([inspect.Parameter(key, kind) for key in endpoint.inputs])  # type: ignore[attr-defined]
    return call


def _probes(
    endpoints: Mapping[str, Endpoint], rows: np.ndarray, labels: Mapping[str, np.ndarray]
) -> dict[str, Any]:  # fmt: skip
    """Inputs and the model's own answers, for batches of several sizes, as `endpoint/size/in or out/name`."""
    rows = np.resize(rows, (max(BATCHES), *rows.shape[1:]))
    labels = {name: np.resize(one, max(BATCHES)) for name, one in labels.items()}
    code = endpoints["encode"].function if "encode" in endpoints else None
    probes: dict[str, Any] = {}
    for name, endpoint in endpoints.items():
        for size in BATCHES:
            batch = rows[:size]
            given: dict[str, Any] = {}
            for key, (shape, dtype) in endpoint.inputs.items():
                if key == "code" and code is not None:
                    raw = next(iter(endpoints["encode"].inputs))
                    told = {name: one[:size] for name, one in labels.items()}
                    given[key] = next(iter(code(**{raw: batch}, **told).values())).numpy()
                elif key in labels:
                    given[key] = labels[key][:size].astype(dtype)
                else:
                    given[key] = batch if shape else np.asarray(size, dtype)
            for key, value in given.items():
                probes[f"{name}/{size}/in/{key}"] = value
            for key, value in endpoint.function(**given).items():
                answer = np.asarray(value)
                probes[f"{name}/{size}/out/{key}"] = answer.astype("S") if answer.dtype == object else answer
    return probes


def _tolerance(built: Built) -> float:
    """How far answers may be from those of other kernels: farther where a layer computes in half precision."""
    return verify.HALF if {*HALF} & computed_in(built.network) else verify.TOLERANCE


def _verified(folder: Path, tolerance: float) -> dict[str, Any]:
    """What a fresh process says of the export; it can import neither zoo nor Keras."""
    command = [sys.executable, "-I", verify.__file__, str(folder), str(folder / "probes.npz"), str(tolerance)]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    ended = subprocess.run(command, capture_output=True, text=True, env=quiet, check=False)
    try:
        verdict: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        said = ended.stderr.strip().splitlines()[-1:] or [f"exit code {ended.returncode}"]
        raise ZooError(f"the export could not be verified: {said[0][:300]}; nothing was written") from None
    if verdict["short"]:
        raise ZooError(
            "the export's answers are not the model's: " + "; ".join(verdict["short"]) + "; nothing was written"
        )
    return verdict


def _artifact(
    run: Run, endpoints: Mapping[str, Endpoint], probes: Mapping[str, np.ndarray], verdict: Mapping[str, Any]
) -> dict[str, Any]:
    plan, best = run.plan, run.best
    assert best is not None
    summary = run.summary(best)
    outputs = {
        name: [key.split("/")[3] for key in probes if key.startswith(f"{name}/1/out/")] for name in endpoints
    }  # fmt: skip
    return {
        "format": "saved_model",
        "spec": plan.spec.fill(best.values).written(),
        "data": plan.description.written(),
        "labels": list(plan.description.classes),
        "endpoints": {
            name: {
                "inputs": {key: {"shape": list(shape), "dtype": kind} for key, (shape, kind) in one.inputs.items()},
                "outputs": outputs[name],
            }
            for name, one in endpoints.items()
        },
        **{
            key: summary[key]
            for key in ("values", "objective", "score", "best_trial", "best_epoch", "validation", "test")
        },
        "verified": dict(verdict),
        "run": str(run.folder),
        "environment": environment(),
    }
