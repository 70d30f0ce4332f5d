"""The command line: what it prints, its exit codes, and that nothing else reaches the user."""

import contextlib
import importlib
import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import keras
import pytest

from layerblocks.__main__ import main
from layerblocks.architectures import list_architectures
from layerblocks.blocks import conv
from layerblocks.viz.dot_rendering import draw


def run(*arguments, **options):
    command = [sys.executable, "-m", "layerblocks", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def refused(capfd, *arguments):
    """The one line that a wrong call prints."""
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    out, err = capfd.readouterr()
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    return err


@pytest.fixture
def saved(tmp_path):
    images = keras.Input((8, 8, 3))
    path = tmp_path / "net.keras"
    keras.Model(images, conv(images, 4, name="first")).save(path)
    return path


def test_draws_in_a_fresh_process_with_an_empty_path_and_says_nothing_else(tmp_path):
    done = run("draw", "googlenet", cwd=tmp_path, env={"PATH": ""})
    assert (done.returncode, done.stdout, done.stderr) == (0, "googlenet.svg\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["googlenet.svg"]
    picture = (tmp_path / "googlenet.svg").read_text(encoding="utf-8")
    for text in ("inception_4e", "aux1", "aux2", "0.3"):
        assert text in picture


def test_list_names_every_network_without_keras():
    code = "import sys; from layerblocks.__main__ import main; main(['list']); sys.exit('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert {line.split()[0] for line in done.stdout.splitlines()[1:]} == set(list_architectures())


@pytest.mark.parametrize("extension", ["svg", "pdf", "png", "dot"])
def test_draws_a_saved_model_by_extension(saved, tmp_path, extension, capfd):
    output = tmp_path / f"net.{extension}"
    assert main(["draw", str(saved), "-o", str(output)]) == 0
    assert output.stat().st_size > 300
    assert capfd.readouterr().out == f"{output}\n"


@pytest.fixture
def uncompiled(tmp_path):
    """A Sequential that nobody compiled, with names that are orders to a terminal or to XML."""
    path = tmp_path / "net.keras"
    layer = keras.layers.Dense(2, name="red\x1b[31m")
    keras.Sequential([keras.Input((4,), name="x"), layer], name="&xxe;").save(path)
    return path


@pytest.mark.parametrize("extension", ["svg", "dot", "mmd"])
def test_draws_a_sequential_that_was_never_compiled(uncompiled, tmp_path, extension, capfd):
    output = tmp_path / f"net.{extension}"
    assert main(["draw", str(uncompiled), "-o", str(output)]) == 0
    text = output.read_text("utf-8")
    assert "\x1b" not in text
    if extension == "svg":
        assert ET.fromstring(text)[0].text == "&xxe;"
    if extension == "dot":
        assert ET.fromstring(draw(text, "svg")) is not None
    capfd.readouterr()


def test_names_do_not_control_the_terminal(uncompiled, capfd):
    for command in (["table", str(uncompiled)], ["diff", str(uncompiled), "lenet5"], ["draw", "\x1b[31m.keras"]):
        with contextlib.suppress(SystemExit):
            main(command)
        out, err = capfd.readouterr()
        assert out + err and "\x1b" not in out + err
        assert "[31m" in out + err or command[0] == "diff"


@pytest.mark.sweep_but("arguments1-<?xml")
@pytest.mark.parametrize(
    ("arguments", "starts"),
    [(["-o", "-"], b"<?xml"), (["-o", "/dev/stdout"], b"<?xml"), (["-o", "-", "--format", "pdf"], b"%PDF-")],
)
def test_draws_to_standard_output(arguments, starts, tmp_path):
    with (tmp_path / "log").open("ab") as log:
        log.write(b"kept\n")
        log.flush()
        command = [sys.executable, "-m", "layerblocks", "draw", "lenet5", *arguments]
        subprocess.run(command, stdout=log, check=True, cwd=tmp_path)
    data = (tmp_path / "log").read_bytes()
    assert data.startswith(b"kept\n" + starts) and data.rstrip().endswith((b"</svg>", b"%%EOF"))
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_a_table_has_one_depth(capfd):
    assert "'auto'" not in help_of("table", capfd) and "'auto'" in help_of("draw", capfd)
    assert "auto" in refused(capfd, "table", "lenet5", "--depth", "auto")


def help_of(command, capfd):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    return capfd.readouterr().out


def test_what_an_author_says_reaches_the_figure(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    said = ["--label", "stem=our=stem", "--highlight", "stage2*=ours", "--between", "stem", "stage3", "--no-names"]
    said += ["--group", "stage1*=body", "--callout", "stem=a note"]
    looks = ["--theme", "mono", "--font", "times", "--collapse", "stage3", "--min-text", "7", "--alt-text", "In short."]
    assert main(["draw", "resnet18", "-o", "net.svg", "--width", "ieee1", *said, *looks]) == 0
    text = (tmp_path / "net.svg").read_text(encoding="utf-8")
    found = {element.text for element in ET.fromstring(text).iter("{http://www.w3.org/2000/svg}text")}
    assert {"our=stem", "ours", "body", "a note"} <= found and "In short." in text
    assert not any(word and "stage4" in word for word in found) and "Tinos" in text
    capfd.readouterr()


def test_table_counts(capfd):
    assert main(["table", "googlenet", "--classes", "10", "-O", "aux=False", "-O", "lrn=False"]) == 0
    out = capfd.readouterr().out
    for figure in ("9,472", "163,696", "1,444,080", "10,250", "5,983,802"):
        assert figure in out


def test_options_reach_the_network(capfd):
    main(["table", "resnet18", "--input-shape", "224,224,1", "--classes", "10", "--dialect", "notes"])
    assert "11,186,186" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["draw", "googlnet"], ["'googlnet'", "did you mean 'googlenet'"]),
        (["draw", "googlenet", "--depth", "0"], ["--depth", "'0'"]),
        (["draw", "googlenet", "--input-shape", "224x224"], ["--input-shape", "'224x224'"]),
        (["draw", "googlenet", "--input-shape", "40,40,3"], ["googlenet", "input_shape", "at least 65", "40×40"]),
        (["draw", "googlenet", "--classes", "0"], ["googlenet", "classes", "positive", "0"]),
        (["draw", "googlenet", "--dialect", "papr"], ["dialect", "'papr'", "did you mean 'paper'"]),
        (["draw", "googlenet", "-O", "aus=1"], ["googlenet", "'aus'", "did you mean 'aux'"]),
        (["draw", "googlenet", "-O", "aux"], ["NAME=VALUE", "'aux'"]),
        (["draw", "googlenet", "--label", "stem"], ["--label", "NAME=TEXT", "'stem'"]),
        (["draw", "lenet5", "--theme", "papr"], ["theme", "'papr'", "'paper'"]),
        (["draw", "vgg16", "-o", "no/such/folder/x.svg"], ["--output", "no/such/folder"]),
        (["draw", "vgg16", "-o", "x.bmpp"], ["x.bmpp", ".svg"]),
        (["draw", "vgg16", "--format", "pfd"], ["format", "'pfd'", "did you mean 'pdf'"]),
        (["draw", "missing.keras"], ["missing.keras", "that is there"]),
        (["table", "vgg16", "--format", "wordd"], ["format", "'wordd'", "text"]),
        (["draw"], ["NAME"]),
        (["drow"], ["drow"]),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(arguments, words, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = refused(capfd, *arguments)
    for word in words:
        assert word in line
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_model(tmp_path, capfd):
    junk = tmp_path / "junk.keras"
    junk.write_bytes(b"not a model")
    line = refused(capfd, "draw", str(junk), "-o", str(tmp_path / "junk.svg"))
    assert "junk.keras" in line and "Keras model" in line
    assert [path.name for path in tmp_path.iterdir()] == ["junk.keras"]


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_a_file_for_another_backend(backend, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    (tmp_path / "junk.keras").write_bytes(b"not a model")
    hint = "(KERAS_BACKEND=tensorflow loads what needs TensorFlow)"
    assert (hint in refused(capfd, "table", str(tmp_path / "junk.keras"))) is (backend == "jax")


def test_arguments_of_a_network_do_not_go_with_a_file(saved, capfd):
    assert "classes" in refused(capfd, "table", str(saved), "--classes", "3")


def test_a_saved_lambda_is_not_run(tmp_path, capfd):
    images = keras.Input((4,))
    path = tmp_path / "unsafe.keras"
    mark = str(tmp_path / "executed")
    keras.Model(images, keras.layers.Lambda(lambda x: (os.mkdir(mark), x + 1)[1])(images)).save(path)  # noqa: PTH102
    os.rmdir(mark)  # noqa: PTH106
    assert main(["table", str(path)]) == 0
    assert "not verified" in capfd.readouterr().out
    assert not os.path.exists(mark)  # noqa: PTH110


def test_classes_of_a_module_are_imported_when_asked_for(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_layers_of_a_user.py").write_text(
        "import keras\n\n\nclass Twice(keras.layers.Layer):\n    def call(self, x):\n        return 2 * x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    twice = importlib.import_module("own_layers_of_a_user").Twice
    images = keras.Input((4,))
    keras.Model(images, twice(name="twice")(images)).save("net.keras")
    assert main(["table", "net.keras"]) == 0
    assert "not verified" in capfd.readouterr().out
    assert main(["table", "net.keras", "--import", "own_layers_of_a_user"]) == 0
    assert "not verified" not in capfd.readouterr().out
    for model in ("net.keras", "lenet5"):
        said = refused(capfd, "table", model, "--import", "no_such_module")
        assert said.startswith("layerblocks: error: --import must be "), said
