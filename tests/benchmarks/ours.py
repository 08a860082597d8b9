"""The zoo's side of the benchmark: one search in one process, and one line of JSON of what it took."""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import zoo
from zoo.tuning import Watch


class _Reached(Exception):
    """A trial was good enough."""


class _Clock(Watch):
    """When the search began and ended, without what comes before and after: imports, the verdict."""

    def __init__(self, until: float | None) -> None:
        self.until = until

    def starting(self) -> None:
        """Load TensorFlow quietly."""
        from zoo.console import quiet_tensorflow

        quiet_tensorflow()

    def began(self, run) -> None:
        """The search begins."""
        self.start = time.perf_counter()

    def told(self, run, told) -> None:
        """Stop the search at the first trial that is good enough."""
        if self.until is not None and told.score is not None and not run.plan.better(self.until, told.score):
            raise _Reached(time.perf_counter() - self.start, told.score)

    def judging(self, run) -> None:
        """The search ended."""
        self.seconds = time.perf_counter() - self.start


def main() -> None:
    """Search, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spec")
    parser.add_argument("data")
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--oracle", default="random")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--until", type=float, help="stop at the first trial with this score or a better one")
    options = parser.parse_args()
    clock = _Clock(options.until)
    with tempfile.TemporaryDirectory() as folder:
        reached = None
        try:
            study = zoo.tune(
                options.spec, options.data, trials=options.trials, epochs=options.epochs, oracle=options.oracle,
                workers=options.workers, seed=options.seed, set={"train.batch_size": options.batch_size},
                run=Path(folder) / "run", watch=clock,
            )  # fmt: skip
            seconds, best = clock.seconds, study.score
        except _Reached as error:
            reached, best = error.args
            seconds = reached
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps({"search": seconds, "best": best, "peak_mib": peak, "until": reached}))


if __name__ == "__main__":
    main()
