"""The opponent: what a careful user writes with Keras and KerasTuner alone. No part of the zoo is imported.

`python opponent.py WORKLOAD PARTS.npz --trials 8 --epochs 8` searches lambda and p by RandomSearch over a hand-written
model, on the arrays x, y, x_val and y_val of the file, and prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import keras_tuner
import numpy as np
from keras import layers


def cnn(shape, classes, l2, p):
    """Two 3x3 convolutions (32, 64), each followed by 2x2 max pooling, and a dense layer of 64."""
    penalty = keras.regularizers.L2(l2)
    return [
        layers.Input(shape),
        layers.Conv2D(32, 3, padding="same", activation="relu", kernel_regularizer=penalty),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, padding="same", activation="relu", kernel_regularizer=penalty),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(p),
        layers.Dense(64, activation="relu", kernel_regularizer=penalty),
        layers.Dropout(p),
        layers.Dense(classes, activation="softmax", kernel_regularizer=penalty),
    ]


def lstm(shape, classes, l2, p):
    """Two LSTM layers of 64 units, the penalty on input and recurrent kernels."""
    penalty = {"kernel_regularizer": keras.regularizers.L2(l2), "recurrent_regularizer": keras.regularizers.L2(l2)}
    return [
        layers.Input(shape),
        layers.LSTM(64, return_sequences=True, **penalty),
        layers.Dropout(p),
        layers.LSTM(64, **penalty),
        layers.Dropout(p),
        layers.Dense(classes, activation="softmax", kernel_regularizer=keras.regularizers.L2(l2)),
    ]


def mlp(shape, classes, l2, p):
    """Two hidden layers of 128 units."""
    penalty = keras.regularizers.L2(l2)
    return [
        layers.Input(shape),
        layers.Dense(128, activation="relu", kernel_regularizer=penalty),
        layers.Dropout(p),
        layers.Dense(128, activation="relu", kernel_regularizer=penalty),
        layers.Dropout(p),
        layers.Dense(classes, activation="softmax", kernel_regularizer=penalty),
    ]


def autoencoder(shape, _, l2, p):
    """Dense 128-32-128 with a sigmoid output of the input's size."""
    penalty = keras.regularizers.L2(l2)
    return [
        layers.Input(shape),
        layers.Dense(128, activation="relu", kernel_regularizer=penalty),
        layers.Dropout(p),
        layers.Dense(32, activation="relu", kernel_regularizer=penalty),
        layers.Dense(128, activation="relu", kernel_regularizer=penalty),
        layers.Dropout(p),
        layers.Dense(shape[0], activation="sigmoid", kernel_regularizer=penalty),
    ]


WRITTEN = {"cnn": cnn, "lstm": lstm, "mlp": mlp, "autoencoder": autoencoder}


def main() -> None:
    """Search, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=WRITTEN)
    parser.add_argument("parts")
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps-per-execution", type=int, default=1, help="1 is what Keras does unasked")
    parser.add_argument("--oracle", choices=("random", "bayesian"), default="random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--until", type=float, help="stop at the first trial with this score or a better one")
    options = parser.parse_args()
    with np.load(options.parts, allow_pickle=False) as parts:
        x, y, x_val, y_val = (parts[name] for name in ("x", "y", "x_val", "y_val"))
    codes = options.model == "autoencoder"
    classes = 0 if codes else int(y.max()) + 1
    metric, direction = ("mse", "min") if codes else ("accuracy", "max")

    def build(parameters):
        l2 = parameters.Float("l2", 1e-6, 1e-1, sampling="log")
        p = parameters.Float("dropout", 0.0, 0.7)
        model = keras.Sequential(WRITTEN[options.model](x.shape[1:], classes, l2, p))
        loss = "mse" if codes else "sparse_categorical_crossentropy"
        model.compile("adam", loss, metrics=[metric], steps_per_execution=options.steps_per_execution)
        return model

    kind = {"random": keras_tuner.RandomSearch, "bayesian": keras_tuner.BayesianOptimization}[options.oracle]
    reached = None

    class Until(kind):
        """The tuner, its search over as soon as a trial is good enough."""

        def on_trial_end(self, trial):
            nonlocal reached
            super().on_trial_end(trial)
            score = self.oracle.get_trial(trial.trial_id).score
            sign = 1 if direction == "max" else -1
            if options.until is not None and score is not None and sign * score >= sign * options.until:
                reached = time.perf_counter() - start
                self.oracle.max_trials = 1

    with tempfile.TemporaryDirectory() as directory:
        tuner = Until(
            build, keras_tuner.Objective(f"val_{metric}", direction), max_trials=options.trials, directory=directory,
            project_name="study", seed=options.seed,
        )  # fmt: skip
        start = time.perf_counter()
        tuner.search(
            x, y, validation_data=(x_val, y_val), epochs=options.epochs, batch_size=options.batch_size, verbose=0
        )
        seconds = time.perf_counter() - start
        best = tuner.oracle.get_best_trials(1)[0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"search": seconds, "best": float(best.score), "peak_mib": peak, "until": reached}))


if __name__ == "__main__":
    main()
