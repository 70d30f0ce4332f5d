"""The command line starts on the quickest backend, without a word, and gives the same as on any other."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from layerblocks import startup
from layerblocks.blocks import conv_bn

from ..helpers import seconds

SESSION = """
import json, os, sys
from layerblocks.__main__ import main
for words in json.loads(sys.argv[1]):
    main(words)
import keras
told = {"KERAS_BACKEND", "JAX_PLATFORMS", "TF_CPP_MIN_LOG_LEVEL"} & set(os.environ)
imported = {"tensorflow", "sklearn", "matplotlib"} & set(sys.modules)
print("told:", keras.backend.backend(), sorted(told), sorted(imported))
main(["draw", "googlenet", "-o", "googlenet.png"])  # which matplotlib paints
main(["table", "../words.keras"])  # a layer that brings TensorFlow along
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Keras's own folder, and nothing asked."""
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        (None, None),
        ('{"backend": "torch"}', "torch"),
        ('{"backend": "tensorflow"}', None),  # as Keras itself writes it
        ('{"floatx": "float32"}', None),
        ('{"backend": ', None),
        ('["torch"]', None),
        ("\xff", None),
    ],
)
def test_what_the_file_asks(home, written, asked):
    if written is not None:
        (home / "keras.json").write_text(written, encoding="latin-1")
    assert startup.asked_backend() == asked


def test_the_variable_is_asked_first(home, monkeypatch):
    (home / "keras.json").write_text('{"backend": "torch"}')
    for backend in ("tensorflow", "jax"):
        monkeypatch.setenv("KERAS_BACKEND", backend)
        assert startup.asked_backend() == backend


def test_a_user_without_a_home(home, monkeypatch):
    def nowhere(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setattr(Path, "expanduser", nowhere)
    assert startup.asked_backend() is None


@pytest.mark.parametrize(
    ("asked", "written", "installed", "backend"),
    [
        (None, None, True, "jax"),
        (None, None, False, None),
        (None, "tensorflow", True, "jax"),
        (None, "torch", True, None),
        ("tensorflow", None, True, "tensorflow"),
        ("torch", "jax", True, "torch"),
    ],
)
def test_the_backend_that_keras_is_told(home, monkeypatch, asked, written, installed, backend):
    seen = []
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: installed or None)
    monkeypatch.setattr(importlib, "import_module", lambda name: seen.append((name, os.environ.get("KERAS_BACKEND"))))
    if asked:
        monkeypatch.setenv("KERAS_BACKEND", asked)
    if written:
        (home / "keras.json").write_text(json.dumps({"backend": written}))
    before = dict(os.environ)
    startup.import_keras()
    assert seen == [("keras", backend)]
    assert dict(os.environ) == before


def test_keras_is_imported_once(monkeypatch):
    monkeypatch.delattr(importlib, "import_module")
    startup.import_keras()


@pytest.mark.sweep
@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="needs jax")
def test_every_backend_gives_the_same(tmp_path):
    """Also where there is a jax that does not work."""
    images = keras.Input((8, 8, 3))
    keras.Model(images, conv_bn(images, 4, name="first")).save(tmp_path / "net.keras")
    words = keras.Input((1,), dtype="string")
    numbers = keras.layers.StringLookup(vocabulary=["a", "b"])(words)
    keras.Model(words, keras.layers.Embedding(3, 2)(numbers)).save(tmp_path / "words.keras")
    (tmp_path / "fake" / "jax").mkdir(parents=True)
    (tmp_path / "fake" / "jax" / "__init__.py").write_text("raise ImportError('jaxlib is too old')")
    commands = [
        ["draw", "googlenet"],
        ["draw", "googlenet", "-o", "googlenet.pdf"],
        ["draw", "../net.keras"],
        ["table", "googlenet"],
        ["diff", "vgg16", "vgg19"],
    ]
    places = {
        "quickest": {},
        "asked": {"KERAS_BACKEND": "tensorflow"},
        "broken": {"PYTHONPATH": str(tmp_path / "fake")},
    }
    started = {}
    for name, options in places.items():
        (tmp_path / name).mkdir()
        environment = {"PATH": "", "KERAS_HOME": str(tmp_path / name / "home"), **options}
        started[name] = subprocess.Popen(
            [sys.executable, "-c", SESSION, json.dumps(commands)],
            cwd=tmp_path / name,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    ended = {name: (process.communicate(timeout=seconds(300)), process.returncode) for name, process in started.items()}
    told, figures = {}, {}
    for name, ((out, err), code) in ended.items():
        assert (code, err) == (0, ""), name
        (told[name],) = (line for line in out.splitlines() if line.startswith("told:"))
        figures[name] = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (tmp_path / name).iterdir()
            if path.is_file()
        } | {"said": out.replace(told[name], "")}
        config = tmp_path / name / "home" / "keras.json"
        assert json.loads(config.read_text())["backend"] == "tensorflow"  # of Keras, whatever ours chose
    assert told == {
        "quickest": "told: jax [] []",
        "asked": "told: tensorflow ['KERAS_BACKEND'] ['tensorflow']",
        "broken": "told: tensorflow [] ['tensorflow']",
    }
    assert len(figures["asked"]) == 5
    assert figures["quickest"] == figures["broken"] == figures["asked"]
