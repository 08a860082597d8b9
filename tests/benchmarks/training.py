"""One training: `model.fit` as a user calls it, and `zoo.train`, in turn; the training alone and whole processes.

`python tests/benchmarks/training.py FOLDER` prints seconds and ratios: medians over rounds with their extremes. FOLDER
is that of `tuning.py`; with cifar10_5k.npz in it, a ResNet-20 is trained on that as well, which is all arithmetic.
With `--streamed` the rows stay in .npy files: the other side reads its batches from them through `tf.data`, and zoo
reads block by block, as it does where rows do not fit into memory.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from tuning import HERE, SMALL, WORKLOADS, run, spread

LARGE = "resnet20"


def theirs(workload: str, parts: str, epochs: int, batch: int, streamed: bool) -> None:
    """Train by `fit`, on all cores, and print what it took."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    if workload == LARGE:
        import zoo

        model = zoo.build("resnet20", seed=0)  # a plain Keras model
    else:
        from opponent import WRITTEN

        written = WORKLOADS[workload][0]
        with np.load(parts) as arrays:
            shape, classes = arrays["x"].shape[1:], 0 if written == "autoencoder" else int(arrays["y"].max()) + 1
        model = keras.Sequential(WRITTEN[written](shape, classes, 1e-4, 0.25))
        loss, metric = ("mse", "mse") if written == "autoencoder" else ("sparse_categorical_crossentropy", "accuracy")
        model.compile("adam", loss, metrics=[metric])
    names = ("x", "y", "x_val", "y_val")
    if streamed:
        x, y, x_val, y_val = (np.load(Path(parts).parent / f"{name}.npy", mmap_mode="r") for name in names)
        begin = time.perf_counter()
        rows, held = batches(x, y, batch, shuffled=True), batches(x_val, y_val, batch, shuffled=False)
        model.fit(rows, validation_data=held, epochs=epochs, verbose=0)
    else:
        with np.load(parts) as arrays:
            x, y, x_val, y_val = (arrays[name] for name in names)
        begin = time.perf_counter()
        model.fit(x, y, validation_data=(x_val, y_val), epochs=epochs, batch_size=batch, verbose=0)
    print(json.dumps({"training": time.perf_counter() - begin}))


def batches(x: np.ndarray, y: np.ndarray, size: int, shuffled: bool) -> Any:
    """Batches of mapped rows through `tf.data`, in another order each epoch, the next ones read meanwhile."""
    import tensorflow as tf

    dice = np.random.default_rng(0)

    def read():
        order = dice.permutation(len(x)) if shuffled else np.arange(len(x))
        for begin in range(0, len(x), size):
            index = np.sort(order[begin : begin + size])
            yield x[index], y[index]

    signature = tuple(tf.TensorSpec((None, *one.shape[1:]), one.dtype) for one in (x, y))
    whole = tf.data.Dataset.from_generator(read, output_signature=signature)
    return whole.apply(tf.data.experimental.assert_cardinality(-(-len(x) // size))).prefetch(tf.data.AUTOTUNE)


def ours(spec: str, data: str, epochs: int, batch: int, streamed: bool) -> None:
    """Train by `zoo.train`, on all cores, and print what it took."""
    import zoo
    from zoo.tuning import Watch

    class Clock(Watch):
        def starting(self) -> None:
            from zoo.console import quiet_tensorflow

            quiet_tensorflow()

        def began(self, run) -> None:
            self.begin = time.perf_counter()

        def judging(self, run) -> None:
            self.seconds = time.perf_counter() - self.begin

    clock = Clock()
    if streamed:
        os.environ["ZOO_ROOM_FOR_ROWS"] = "0"
    with tempfile.TemporaryDirectory() as folder:
        more = {} if spec == LARGE else {"l2": 1e-4, "dropout": 0.25}  # what the other side has
        zoo.train(
            spec, data, epochs=epochs, set={"train.batch_size": batch, **more}, run=Path(folder) / "run", watch=clock
        )
    print(json.dumps({"training": clock.seconds}))


def unpacked(data: Path, parts: Path) -> Path:
    """The arrays of both sides as .npy files, theirs beside their parts; the folder that holds ours."""
    with np.load(parts) as arrays:
        for name in ("x", "y", "x_val", "y_val"):
            np.save(parts.parent / f"{name}.npy", arrays[name])
    folder = parts.parent / f"{parts.stem}_rows"
    folder.mkdir()
    with np.load(data) as arrays:
        for name in arrays.files:
            np.save(folder / f"{name}.npy", arrays[name])
    return folder


def main() -> None:
    """Run all rounds, each side in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workloads", nargs="+", choices=[*SMALL, LARGE], default=SMALL)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--streamed", action="store_true", help="read the rows from .npy files, some at a time")
    parser.add_argument("--side", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        side, what, data, epochs, batch = options.side
        {"theirs": theirs, "ours": ours}[side](what, data, int(epochs), int(batch), options.streamed)
        return
    from tuning import parts

    WORKLOADS[LARGE] = ("cnn", "cifar10_5k", 255, 128)
    with tempfile.TemporaryDirectory() as folder:
        for workload in options.workloads:
            model, name, _, batch = WORKLOADS[workload]
            data = (options.folder / f"{name}.npz").absolute()
            given = parts(workload, data, Path(folder))
            if options.streamed:
                data = unpacked(data, Path(given))
            spec = "resnet20" if workload == LARGE else HERE / f"{model}.yaml"
            found: dict[str, list[float]] = {"training": [], "process": []}
            seconds: dict[str, list[float]] = {"theirs": [], "ours": []}
            for _ in range(options.rounds):
                this, more = Path(__file__), [options.epochs, batch, *["--streamed"] * options.streamed]
                fit = run(this, options.folder, "--side", "theirs", workload, given, *more)
                mine = run(this, options.folder, "--side", "ours", spec, data, *more)
                seconds["theirs"].append(fit["training"])
                seconds["ours"].append(mine["training"])
                for key, values in found.items():
                    values.append(fit[key] / mine[key])
            print(
                f"{workload:19} fit {statistics.median(seconds['theirs']):.2f} s, zoo "
                f"{statistics.median(seconds['ours']):.2f} s of {options.epochs} epochs; training "
                f"{spread(found['training'])}x  process {spread(found['process'])}x  load {os.getloadavg()[0]:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    sys.exit(main())
