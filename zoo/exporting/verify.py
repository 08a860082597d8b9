"""Whether an exported SavedModel answers as the model did: a script, imported for its path alone.

    python -I verify.py FOLDER PROBES.npz [TOLERANCE]

Runs where neither zoo nor Keras can be imported. Calls each signature with the probes' inputs and compares row by row
with the answers stored beside them. Prints one line of JSON: rows compared, largest difference, what falls short.
"""

import json
import sys
from typing import Any

TOLERANCE = 1e-4
"""Largest difference allowed, relative to the largest answer; other kernels round the last digits otherwise."""

HALF = 2e-2
"""The same where layers compute in half precision."""


def compare(given: Any, wanted: Any) -> float:
    """The largest difference between two arrays, relative to the largest wanted; infinity where they do not compare."""
    import numpy as np

    if given.shape != wanted.shape:
        return float("inf")
    if wanted.dtype.kind in "SO" or given.dtype.kind in "SO":
        return 0.0 if (given.astype("S") == wanted.astype("S")).all() else float("inf")
    size = max(float(np.abs(wanted.astype("float64")).max(initial=0.0)), 1e-9)
    gap = np.abs(given.astype("float64") - wanted.astype("float64")) / size
    return float(gap.max(initial=0.0)) if np.isfinite(gap).all() else float("inf")


def main(folder: str, probes: str, tolerance: str = str(TOLERANCE)) -> int:
    """Compare every probe; exit code 1 if any falls short."""
    for blocked in ("zoo", "keras", "keras_tuner"):
        sys.modules[blocked] = None  # type: ignore[assignment]
    import numpy as np
    import tensorflow as tf

    with np.load(probes, allow_pickle=False) as archive:
        stored = {name: archive[name] for name in archive.files}
    model = tf.saved_model.load(folder)
    short, rows, largest = [], 0, 0.0
    for call in sorted({name.rsplit("/", 2)[0] for name in stored}):
        name, size = call.split("/")
        inputs = {
            key.split("/")[3]: tf.constant(value) for key, value in stored.items() if key.startswith(f"{call}/in/")
        }
        wanted = {key.split("/")[3]: value for key, value in stored.items() if key.startswith(f"{call}/out/")}
        answers = model.signatures[name](**inputs)
        if set(answers) != set(wanted):
            short.append(f"{name} answers {sorted(answers)}, expected {sorted(wanted)}")
            continue
        for key, value in wanted.items():
            gap = compare(answers[key].numpy(), value)
            rows, largest = rows + (len(value) if value.ndim else 1), max(largest, gap)
            if gap > float(tolerance):
                short.append(f"{name}, a batch of {size}: {key} differs by {gap:.2g}")
    if "serving_default" not in model.signatures:
        short.append("there is no serving_default")
    print(
        json.dumps({"rows": rows, "largest_difference": largest, "signatures": len(model.signatures), "short": short})
    )
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
