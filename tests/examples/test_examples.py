"""The examples are real programs: they run from the command line."""

import re
import subprocess
import sys
from math import inf
from pathlib import Path

import pytest
from keras.models import load_model

from layerblocks.training import read_history

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name, *arguments):
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.sweep
def test_googlenet_trains_on_the_digits_with_all_its_heads(tmp_path):
    small = ["--epochs", 2, "--steps-per-epoch", 2, "--batch-size", 16]
    out = run("train.py", "googlenet_bn", *small, "--output", tmp_path, "--verbose", 2)
    assert re.search(r"^test: 355 images, loss .*, accuracy .*%$", out, re.MULTILINE)
    log = read_history(tmp_path / "log.csv")
    assert log.heads == ("main", "aux1", "aux2")
    for head in log.heads:
        first, second = log.find(f"{head}_loss").values
        assert 0 < first < inf and 0 < second < inf and first != second
    assert load_model(tmp_path / "best.keras").output_shape == (None, 10)
