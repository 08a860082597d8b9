"""How long `zoo list`, `show` and `check` take as whole processes, beside a bare Python, in turn.

    python tests/benchmarks/startup.py [ROUNDS]

Prints the median and the range of each in seconds. Asserts nothing: a time means little on a shared machine.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

ZOO = str(Path(sys.executable).with_name("zoo"))
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "zoo list": [ZOO, "list"],
    "zoo show lenet5": [ZOO, "show", "lenet5"],
    "zoo check lenet5": [ZOO, "check", "lenet5"],
}


def main(rounds: int) -> None:
    """Run every command once a round, so that a busy moment strikes all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            begun = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - begun)
    for name, taken in seconds.items():
        print(f"{name:<18} median {statistics.median(taken):.3f} s, {min(taken):.3f} to {max(taken):.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
