"""Time to quality: how long until a search comes within 1 % of the best score that a long random search finds.

`python tests/benchmarks/quality.py FOLDER` first searches long and at random for the score to come near, then lets the
opponent's random search and zoo's Hyperband run in turn, each until it is there, and prints both times and their ratio.
FOLDER is that of `tuning.py`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path

from tuning import FAR, HERE, SMALL, WORKLOADS, parts, run, spread

PARTS = 10
"""So many of Hyperband's trials, of which most are of few epochs, may stand against one whole one."""


def main() -> None:
    """Run all rounds and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workloads", nargs="+", choices=SMALL, default=SMALL)
    parser.add_argument("--long", type=int, default=100, help="trials of the long random search")
    parser.add_argument("--trials", type=int, default=60, help="the most that either may need")
    parser.add_argument("--epochs", type=int, default=27)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    medians = []
    with tempfile.TemporaryDirectory() as folder:
        for workload in options.workloads:
            model, name, _, batch = WORKLOADS[workload]
            data = (options.folder / f"{name}.npz").absolute()
            given = parts(workload, data, Path(folder))
            same = ["--epochs", options.epochs, "--batch-size", batch]
            ours = [HERE / "ours.py", HERE / f"{model}.yaml", data, *same, "--workers", options.workers]
            best = run(*ours, "--trials", options.long, "--oracle", "random", "--seed", 1000)["best"]
            near = best * (1.01 if model == "autoencoder" else 0.99)
            ratios = []
            for seed in range(FAR, FAR * options.rounds + 1, FAR):
                more = ["--trials", options.trials, "--seed", seed, "--until", near]
                theirs = run(HERE / "opponent.py", model, given, *same, *more, "--oracle", "random")
                mine = run(*ours, *more, "--trials", PARTS * options.trials, "--oracle", "hyperband")
                reached = all(one["until"] is not None for one in (theirs, mine))
                ratios += [theirs["until"] / mine["until"]] if reached else []
                print(
                    f"{workload:19} seed {seed}  best of {options.long}: {best:.4f}, to reach {near:.4f}  opponent "
                    f"{_said(theirs)}  ours {_said(mine)}  load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
            if ratios:
                print(f"{workload:19} {spread(ratios)}x of {len(ratios)} rounds in which both came near", flush=True)
                medians.append(statistics.median(ratios))
    if medians:
        print(f"geometric mean: {statistics.geometric_mean(medians):.1f}x")


def _said(found: dict[str, float | None]) -> str:
    return f"not in {found['search']:.0f} s" if found["until"] is None else f"{found['until']:.1f} s"


if __name__ == "__main__":
    main()
