"""A long search holds no more memory than a short one, and little disk."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

GROWING = """
import json, sys
import zoo
from zoo.tuning import Watch

def resident():
    fields = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    return int(fields["VmRSS"].split()[0]) / 1024

class Seen(Watch):
    def __init__(self):
        self.sizes = []
    def told(self, run, told):
        self.sizes.append(resident())

seen = Seen()
zoo.tune("{spec}", "{data}", trials=220, epochs=2, oracle="{oracle}", run="{run}", workers=1, watch=seen)
print(json.dumps(seen.sizes))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("spec", "data"), [("mlp", "breast_cancer"), ("lenet5", "digits")])
@pytest.mark.parametrize("oracle", ["random", "bayesian"])
def test_memory_grows_by_less_than_a_megabyte_a_trial_over_two_hundred(spec, data, oracle, tmp_path):
    code = GROWING.replace("{spec}", spec).replace("{data}", data).replace("{oracle}", oracle)
    code = code.replace("{run}", str(tmp_path / "run"))
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=3000)
    assert ended.returncode == 0, ended.stderr
    sizes = json.loads(ended.stdout.splitlines()[-1])

    assert len(sizes) == 220
    print(f"{spec} {oracle}: {(sizes[-1] - sizes[19]) / 200:.3f} MiB a trial")
    assert (sizes[-1] - sizes[19]) / 200 < 1.0
    weights = list((tmp_path / "run" / "weights").glob("*"))
    assert len(weights) <= 4
    assert sum(path.stat().st_size for path in (tmp_path / "run").rglob("*")) < 20 * 2**20
