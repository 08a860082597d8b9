"""Many trials as one program: what a step of a dense network costs each, alone and several along a leading axis.

`python tests/benchmarks/stacked.py` prints, for two of the workloads of `tuning.py`, microseconds a step and a trial on
one thread: medians over rounds with their extremes. Each trial has its own order of the rows, lambda, p and weights;
the networks are written in TensorFlow, with Adam, without Keras: this asks what the arithmetic allows.
"""

from __future__ import annotations

import itertools
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

WORKLOADS = {
    "autoencoder_digits": ((64, 128, 32, 128, 64), 1_079),
    "mlp_letter": ((16, 128, 128, 26), 12_811),
}
"""Sizes of the layers, and rows to train on. A network that answers what it reads is trained on the squared error."""

BATCH, ROUNDS, TOGETHER = 32, 5, (0, 4, 16)
"""Rows a step; rounds; and how many trials are one program, 0 for one without a leading axis."""


def program(sizes: tuple[int, ...], rows: int, together: int) -> Callable[[], None]:
    """An epoch of so many trials at once, compiled and run once."""
    dice, lead = np.random.default_rng(0), (together,) if together else ()
    kernels = [tf.Variable(_normal(dice, (*lead, *pair))) for pair in itertools.pairwise(sizes)]
    biases = [tf.Variable(tf.zeros((*lead, 1, size))) for size in sizes[1:]]
    weights = kernels + biases
    means, squares = ([tf.Variable(tf.zeros_like(one)) for one in weights] for _ in range(2))
    x = tf.constant(_normal(dice, (rows, sizes[0])))
    y = x if sizes[0] == sizes[-1] else tf.constant(dice.integers(0, sizes[-1], rows), tf.int32)
    l2, p = tf.fill((*lead, 1, 1), 1e-4), tf.fill((*lead, 1, 1), 0.25)

    def loss(answer: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
        if y is x:
            each = tf.reduce_mean((tf.sigmoid(answer) - wanted) ** 2, -1)
        else:
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, answer)
        penalty = tf.add_n([tf.reduce_sum(l2 * one**2) for one in kernels])
        return tf.reduce_sum(tf.reduce_mean(each, -1)) + penalty

    @tf.function
    def epoch(order: tf.Tensor) -> None:
        for step in tf.range(rows // BATCH):
            at = order[..., step * BATCH : (step + 1) * BATCH]
            with tf.GradientTape() as tape:
                running = tf.gather(x, at)
                for index, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
                    running = running @ kernel + bias
                    if index + 1 < len(kernels):
                        running = tf.nn.relu(running)
                        drawn = tf.random.stateless_uniform(tf.shape(running), [step, index])
                        running *= tf.cast(drawn >= p, tf.float32) / (1 - p)
                value = loss(running, tf.gather(y, at))
            gradients = tape.gradient(value, weights)
            for one, gradient, mean, square in zip(weights, gradients, means, squares, strict=True):
                mean.assign_add(0.1 * (gradient - mean))
                square.assign_add(0.001 * (gradient**2 - square))
                one.assign_sub(1e-3 * mean / (tf.sqrt(square) + 1e-7))

    orders = np.stack([np.random.default_rng(seed).permutation(rows) for seed in range(max(together, 1))])
    order = tf.constant(orders if together else orders[0], tf.int32)
    epoch(order)
    return lambda: epoch(order)


def _normal(dice: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return dice.normal(0, 0.05, shape).astype("float32")


def main() -> None:
    """Measure in turn, and print a line for each workload."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for name, (sizes, rows) in WORKLOADS.items():
        programs = {together: program(sizes, rows, together) for together in TOGETHER}
        took: dict[int, list[float]] = {together: [] for together in TOGETHER}
        for _ in range(ROUNDS):
            for together, run in programs.items():
                begin = time.perf_counter()
                run()
                trials = max(together, 1)
                took[together].append(1e6 * (time.perf_counter() - begin) / (rows // BATCH) / trials)
        for together, each in took.items():
            what = f"{together} together" if together else "alone"
            print(f"{name}, {what}: {statistics.median(each):.0f} ({min(each):.0f} to {max(each):.0f}) microseconds")
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
