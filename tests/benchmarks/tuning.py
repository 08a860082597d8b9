"""Opponent and zoo in turn, in one sitting: same model, data, split, batch size, epochs and number of trials.

`python tests/benchmarks/tuning.py FOLDER` prints seconds and ratios of whole processes and of the searches alone:
medians over rounds, with their spread, the machine's load beside them. FOLDER holds sk_digits.npz, japanese_vowels.npz,
letter.npz and mnist_10k.npz with x_train, y_train, x_test and y_test: scikit-learn's digits, and the UCI repository's
Japanese Vowels and Letter Recognition, and the first 10,000 of MNIST.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent

# workload: (spec and model, data, divisor of the values, batch size)
WORKLOADS = {
    "cnn_digits": ("cnn", "sk_digits", 16, 32),
    "lstm_vowels": ("lstm", "japanese_vowels", 1, 32),
    "mlp_letter": ("mlp", "letter", 15, 128),
    "autoencoder_digits": ("autoencoder", "sk_digits", 16, 32),
    "cnn_mnist": ("cnn", "mnist_10k", 255, 128),
}
FAR = 1000
"""Between the seeds of two rounds, as keras-tuner counts on from the seed of a search; 0 is random to it."""

SMALL = [name for name in WORKLOADS if name != "cnn_mnist"]


def parts(workload: str, data: Path, to: Path) -> Path:
    """The zoo's own split of the data, prepared as the zoo prepares it, as plain arrays for the opponent."""
    import zoo
    from zoo.meeting import meet
    from zoo.preparing import prepare_model

    model, _, divisor, _ = WORKLOADS[workload]
    rows = zoo.data(str(data))
    arrays = {}
    if model in ("lstm", "mlp"):  # standardised by the training part
        plan = meet(zoo.load(str(HERE / f"{model}.yaml")), rows.description)
        x = rows.description.x
        prepare = prepare_model(plan.steps, x.shape, x.dtype, plan.works.entry)
    for end, part in (("", rows.train), ("_val", rows.validation)):
        if model in ("lstm", "mlp"):
            x = prepare.predict(part.x, verbose=0)
        else:
            x = part.x.astype("float32") / divisor
            x = x.reshape(len(x), -1) if model == "autoencoder" else x
        arrays |= {f"x{end}": x, f"y{end}": x if model == "autoencoder" else part.y}
    file = to / f"{workload}.npz"
    np.savez(file, **arrays)
    return file


def run(*command: object) -> dict[str, float]:
    """One process, its wall time beside what it says of itself."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{command} ended with {done.returncode}:\n{done.stderr}")
    return {**json.loads(done.stdout.splitlines()[-1]), "process": seconds}


def flops(workload: str, epochs: int, data: Path) -> float:
    """The operations of a trial: three forward passes a training row (Kaplan et al. 2020), one a validation row."""
    import zoo
    from zoo import measuring
    from zoo.building import unfolded
    from zoo.meeting import meet

    rows = zoo.data(str(data)).description
    flat = unfolded(meet(zoo.load(str(HERE / f"{WORKLOADS[workload][0]}.yaml")), rows).spec, {})
    each = measuring.total(measuring.measure(flat))[2]
    return epochs * each * (3 * rows.rows["train"] + rows.rows["validation"])


def best_product() -> float:
    """The machine's best product of matrices of 32-bit numbers, in operations a second, on all its threads."""
    import tensorflow as tf

    left = tf.random.normal((2048, 2048))
    product = tf.function(lambda a: tf.matmul(a, a))
    product(left)
    times = []
    for _ in range(7):
        begin = time.perf_counter()
        product(left).numpy()
        times.append(time.perf_counter() - begin)
    return 2 * 2048**3 / min(times)


def spread(values: list[float], digits: int = 2) -> str:
    """A median with its extremes."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def main() -> None:
    """Run all rounds and print a line a workload, then the geometric means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--oracle", choices=("random", "bayesian"), default="random")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--whole-epochs", action="store_true", help="the opponent's steps_per_execution: one epoch")
    options = parser.parse_args()
    common = ["--trials", options.trials, "--epochs", options.epochs, "--oracle", options.oracle]
    print(f"{options.trials} trials of {options.epochs} epochs, {options.oracle}, {options.workers} workers of ours")
    most = best_product()
    print(f"the machine's best product of matrices: {most / 1e9:.0f} GFLOP/s")
    ratios: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for workload in options.workloads:
            model, name, _, batch = WORKLOADS[workload]
            data = (options.folder / f"{name}.npz").absolute()
            given = parts(workload, data, Path(folder))
            steps = math.ceil(len(np.load(given)["x"]) / batch) if options.whole_epochs else 1
            work = flops(workload, options.epochs, data)
            found = ratios[workload] = {"search": [], "process": []}
            times = []
            best: tuple[list[float], list[float]] = [], []
            for seed in range(FAR, FAR * options.rounds + 1, FAR):
                more = [*common, "--batch-size", batch, "--seed", seed]
                theirs = run(HERE / "opponent.py", model, given, *more, "--steps-per-execution", steps)
                ours = run(HERE / "ours.py", HERE / f"{model}.yaml", data, *more, "--workers", options.workers)
                times.append(ours["search"])
                for key, values in found.items():
                    values.append(theirs[key] / ours[key])
                for scores, side in zip(best, (theirs, ours), strict=True):
                    scores.append(side["best"])
                print(
                    f"{workload:19} seed {seed}  opponent {theirs['search'] / options.trials:6.2f} s a trial "
                    f"({theirs['process']:.0f} s), best {theirs['best']:.4f}  ours "
                    f"{ours['search'] / options.trials:6.3f} s ({ours['process']:.0f} s), best {ours['best']:.4f}  "
                    f"load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
            rate = options.trials * work / statistics.median(times)
            share = f"{rate / 1e9:.1f} GFLOP/s, {rate / most:.0%} of the best product"
            print(f"{workload:19} {work / 1e9:.2f} GFLOP a trial; ours {share}")
            print(f"{workload:19} best score: opponent {spread(best[0], 4)}, ours {spread(best[1], 4)}")
            print(f"{workload:19} search {spread(found['search'])}x  process {spread(found['process'])}x", flush=True)
    for key in ("search", "process"):
        medians = [statistics.median(ratios[name][key]) for name in ratios if name in SMALL]
        if medians:
            print(f"geometric mean of the small ones, {key}: {statistics.geometric_mean(medians):.2f}x")


if __name__ == "__main__":
    main()
