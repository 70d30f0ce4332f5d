"""The examples are real programs: they run, and reach what they promise."""

import re
import subprocess
import sys
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_digits

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name, *arguments):
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_googlenet_learns_the_digits_with_both_heads(tmp_path):
    out = run("train_googlenet.py", "--size", 32, "--epochs", 5, "--save", tmp_path / "net.keras")
    for head in ("main", "aux1", "aux2"):
        assert f"{head}_loss" in out and f"{head}_accuracy" in out
    assert float(re.search(r"accuracy ([\d.]+)%", out).group(1)) >= 90
    assert (tmp_path / "net.keras").stat().st_size > 1e6


def test_googlenet_takes_a_folder_of_class_folders(tmp_path):
    digits = load_digits()
    for number in range(40):
        folder = tmp_path / str(digits.target[number] % 2)
        folder.mkdir(exist_ok=True)
        Image.fromarray((digits.images[number] * 15).astype("uint8")).save(folder / f"{number}.png")
    out = run("train_googlenet.py", "--data", tmp_path, "--size", 32, "--epochs", 1)
    assert "held out" in out
