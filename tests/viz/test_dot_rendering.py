"""Bytes and files: the same everywhere, whole or not at all, and no `dot` program needed."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import keras
import pytest
from keras import layers

import layerblocks.viz.dot_rendering as render
import layerblocks.viz.figure
from layerblocks.viz import Figure, model_to_dot, plot_model, to_graphviz

MAGIC = {
    "svg": b"<?xml",
    "pdf": b"%PDF-",
    "png": b"\x89PNG",
    "eps": b"%!PS-Adobe-3.0 EPSF",
    "jpg": b"\xff\xd8",
    "jpeg": b"\xff\xd8",
    "gif": b"GIF8",
    "dot": b"digraph",
    "gv": b"digraph",
}


def listed(folder="."):
    return sorted(path.name for path in Path(folder).iterdir())


@pytest.fixture
def model():
    x = keras.Input((4,), name="x")
    return keras.Model(x, layers.Dense(2, name="out.dense")(layers.Dense(3, name="in.dense")(x)), name="tiny")


@pytest.fixture
def no_dot(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))


@pytest.fixture
def own_dot(monkeypatch, tmp_path):
    """A `dot` program on the PATH that says which format it was asked for."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "dot"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.stdin.close()\nprint('mine', sys.argv[1])\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.parametrize("ending", MAGIC)
@pytest.mark.parametrize("depth", [None, 1])
def test_every_format(model, tmp_path, no_dot, capfd, ending, depth):
    path = tmp_path / f"net.{ending}"
    figure = plot_model(model, path, depth=depth)
    assert path.read_bytes().startswith(MAGIC[ending])
    assert figure.path == path
    assert capfd.readouterr() == ("", "")


def test_the_ending_may_be_in_capitals_or_missing(model, tmp_path):
    assert plot_model(model, str(tmp_path / "NET.SVG")).path.read_bytes().startswith(MAGIC["svg"])
    assert plot_model(model, tmp_path / "net").path.read_bytes().startswith(MAGIC["png"]), "as Keras does"


def test_the_figure_shows_itself_and_can_be_saved(model, tmp_path, no_dot):
    figure = plot_model(model, None)
    assert isinstance(figure, Figure) and figure.path is None
    assert figure._repr_svg_().startswith("<?xml")
    saved = figure.save(tmp_path / "later.pdf")
    assert saved.path.read_bytes().startswith(MAGIC["pdf"]) and "later.pdf" in repr(saved)
    words = r"^Figure\.save: path must .*\.svg, .*did you mean '\.pdf'\?, got 'later.pfd'$"
    with pytest.raises(ValueError, match=words):
        figure.save("later.pfd")


def test_pdf_has_its_fonts_and_the_size_of_the_svg(model, tmp_path):
    pymupdf = pytest.importorskip("pymupdf")
    figure = plot_model(model, tmp_path / "net.pdf", depth=1)
    page = pymupdf.open(figure.path)[0]
    assert page.get_fonts() and all(kind in ("TrueType", "Type0") and name for _, _, kind, name, *_ in page.get_fonts())
    assert abs(page.rect.width - figure.width) < 0.01 and f'width="{figure.width:g}pt"' in figure.svg
    assert "in" in page.get_text().split(), "its text can be selected"


# -- pydot and graphviz -----------------------------------------------------------------------------------------------


def test_pydot_draws_without_a_dot_program(model, tmp_path, no_dot, capfd):
    dot = model_to_dot(model)
    path = tmp_path / "net.svg"
    assert dot.write(str(path), prog="dot", format="svg") and path.read_bytes().startswith(MAGIC["svg"])
    assert dot.create_png().startswith(MAGIC["png"])
    assert dot.create(prog="neato", format="pdf").startswith(MAGIC["pdf"])
    dot.write_pdf(str(path))
    assert path.read_bytes().startswith(MAGIC["pdf"])
    assert dot.write(str(path)) and path.read_text(encoding="utf-8") == dot.to_string()
    assert dot._repr_svg_().startswith("<?xml")
    assert capfd.readouterr() == ("", "")


def test_pydot_uses_a_dot_program_that_is_there(model, own_dot):
    assert model_to_dot(model).create(format="svg") == b"mine -Tsvg\n"


def test_pydot_says_what_other_programs_are_missing(model, no_dot):
    with pytest.raises(OSError, match="not found in path"):
        model_to_dot(model).create(prog="nonesuch")


def test_graphviz_renders_without_a_dot_program(model, tmp_path, no_dot, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = to_graphviz(model)
    assert source.pipe("svg").startswith(MAGIC["svg"])
    assert source.pipe(format="svg", encoding="utf-8").startswith("<?xml")
    assert source._repr_mimebundle_()["image/svg+xml"].startswith("<?xml")
    assert source.render("net") == "net.pdf", "as graphviz names it"
    assert listed() == ["net", "net.pdf"]
    assert source.render("b.gv", "out", format="png", cleanup=True) == str(Path("out/b.gv.png"))
    assert listed("out") == ["b.gv.png"]
    source = to_graphviz(model)
    assert source.render(outfile="c.svg") == "c.svg" and Path("c.svg").read_bytes().startswith(MAGIC["svg"])
    assert listed() == ["c.gv", "c.svg", "net", "net.pdf", "out"]
    assert source.render("d", format="png", renderer="cairo", formatter="gd") == "d.gd.cairo.png"
    with pytest.raises(ValueError, match="unknown format"):
        source.render("e", format="doc")


def test_graphviz_uses_a_dot_program_that_is_there(model, own_dot):
    assert b"mine" in to_graphviz(model).pipe(format="svg")


# -- the same bytes ---------------------------------------------------------------------------------------------------

SCRIPT = """
import hashlib, sys, keras
from keras import layers
from layerblocks.blocks import aux_classifier, inception, weightless
from layerblocks.viz import plot_model
with weightless():
    x = keras.Input((32, 32, 3), name="image")
    y = inception(x, 2, (2, 4), (2, 2), 2, name="mix")
    aux = aux_classifier(y, 3, filters=2, units=4, name="aux1")
    main = layers.Dense(3, name="head.dense")(layers.GlobalAveragePooling2D(name="head.pool")(y))
    model = keras.Model(x, {"main": main, "aux1": aux}, name="net")
for depth in (None, 1, 2):
    for ending in ("dot", "svg", "pdf", "png", "eps", "jpg", "gif", "tex", "tikz", "md"):
        path = f"{sys.argv[1]}/net{depth}.{ending}"
        plot_model(model, path, depth=depth, loss_weights={"aux1": 0.3})
        print(path.split("/")[-1], hashlib.sha256(open(path, "rb").read()).hexdigest())
print("tensorflow", "of ours" if "layerblocks.architectures" in sys.modules else "")
"""


@pytest.mark.sweep
def test_two_processes_give_the_same_bytes(tmp_path):
    def run(seed):
        folder = tmp_path / seed
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": f"UTC{int(seed) - 1:+d}"}
        if seed == "2":  # a machine without fonts
            (folder / "fonts.conf").write_text(
                '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig></fontconfig>'
            )
            environment["FONTCONFIG_FILE"] = str(folder / "fonts.conf")
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(folder)], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    first, second = run("1"), run("2")
    assert len(first) == 31 and first == second
    pymupdf = pytest.importorskip("pymupdf")
    for folder in ("1", "2"):  # written in different time zones: neither is in need of repair
        document = pymupdf.open(tmp_path / folder / "net1.pdf")
        assert not document.metadata["creationDate"] and not document.is_repaired


def test_a_saved_model_draws_as_before(tmp_path):
    x = keras.Input((8, 8, 3), name="x")
    shared = layers.Conv2D(3, 3, padding="same", name="b.conv")
    y = layers.Add(name="b.add")([shared(x), shared(shared(x))])
    model = keras.Model(x, {"main": layers.Flatten(name="flat")(y), "aux1": y}, name="saved")
    model.save(tmp_path / "saved.keras")
    loaded = keras.saving.load_model(tmp_path / "saved.keras")
    for depth in (None, 1, 2):
        assert model_to_dot(model, depth=depth).to_string() == model_to_dot(loaded, depth=depth).to_string()


def test_threads_draw_at_once(model, capfd):
    found = []
    source = model_to_dot(model).to_string()
    threads = [threading.Thread(target=lambda: found.append(render.draw(source, "svg"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and len(set(found)) == 1
    assert capfd.readouterr() == ("", "")


# -- what Graphviz says -----------------------------------------------------------------------------------------------


def test_a_real_error_is_raised_and_not_printed(capfd):
    with pytest.raises(RuntimeError, match="Graphviz could not draw this as 'svg': syntax error in line 1"):
        render.draw("this is not DOT", "svg")
    with pytest.raises(RuntimeError, match=r'"webp" not recognized. Use one of: .* svg'):
        render.draw("digraph { a }", "webp")
    with pytest.raises(RuntimeError, match=r"mismatched tag.* in label of node a"):
        render.draw("digraph { a [label=<<B>>] }", "svg")
    assert capfd.readouterr() == ("", "")


def test_a_warning_is_a_warning():
    with pytest.warns(UserWarning, match="Graphviz: Orthogonal edges do not currently handle edge labels"):
        render.draw("digraph { splines=ortho; a -> b [label=c] }", "svg")


def test_what_other_threads_print_is_passed_on(capfd):
    data, said = render._quietly(lambda: os.write(2, b"epoch 1\nFontconfig warning: odd\nWarning: w\n and w\n") and b"")
    assert (data, said) == (b"", ["w  and w"])
    assert capfd.readouterr().err == "epoch 1\n"


def test_standard_error_may_be_closed():
    code = "import os; os.close(2)\nfrom layerblocks.viz.dot_rendering import draw\n"
    code += "print(draw('digraph { a }', 'svg')[:5])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "b'<?xml'")


def test_a_machine_without_fonts_says_so(tmp_path):
    config = tmp_path / "fonts.conf"
    config.write_text('<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig></fontconfig>')
    code = (
        "from layerblocks.viz.dot_rendering import draw\nprint(draw('digraph { a }', 'svg')[:5])\n"
        "try:\n    draw('digraph { a }', 'png')\nexcept OSError as error:\n    print(error)\n"
    )
    environment = {**os.environ, "FONTCONFIG_FILE": str(config)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("b'<?xml'\nGraphviz finds no font on this machine"), done.stdout


def test_a_picture_too_large_gets_fewer_dots(tmp_path):
    from PIL import Image

    chain = "digraph { dpi=200; " + " -> ".join(f"n{i}" for i in range(200)) + " }"
    with pytest.warns(UserWarning, match=r"drawn at \d+(\.\d+)? instead of 200 dots per inch"):
        (tmp_path / "tall.png").write_bytes(render.draw(chain, "png"))
    with Image.open(tmp_path / "tall.png") as picture:
        assert 31_000 < picture.size[1] <= 32_767
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert render.draw(chain, "svg") and render.draw("digraph { dpi=200; a }", "png")


def test_dpi_sets_the_size_of_pixels_and_not_of_points(model, tmp_path):
    from PIL import Image

    sizes = [Image.open(plot_model(model, tmp_path / f"{dpi}.png", dpi=dpi).path).size[1] for dpi in (50, 200)]
    assert 3.8 < sizes[1] / sizes[0] < 4.2
    paths = [plot_model(model, tmp_path / f"{dpi}.svg", dpi=dpi).path for dpi in (50, 200)]
    assert len({hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}) == 1


# -- files ------------------------------------------------------------------------------------------------------------


def test_a_file_is_as_the_umask_says_and_replaces_what_was_there(model, tmp_path):
    path, new = tmp_path / "net.svg", tmp_path / "new.svg"
    path.write_text("old")
    path.chmod(0o604)
    link = tmp_path / "link.svg"
    link.symlink_to(path)
    before = os.umask(0o027)
    try:
        plot_model(model, link)
        plot_model(model, new)
    finally:
        os.umask(before)
    assert link.is_symlink() and path.read_bytes().startswith(MAGIC["svg"])
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(new.stat().st_mode)) == (0o604, 0o640)
    assert listed(tmp_path) == ["link.svg", "net.svg", "new.svg"]


@pytest.mark.parametrize(
    ("where", "how"), [("layerblocks.viz.figure.render", RuntimeError), ("pathlib.Path.replace", KeyboardInterrupt)]
)
def test_a_failure_leaves_the_old_file_and_nothing_else(model, tmp_path, monkeypatch, where, how):
    path = tmp_path / "net.png"
    path.write_text("old")

    def fail(*args, **kwargs):
        raise how("no")

    monkeypatch.setattr(where, fail)
    with pytest.raises(how):
        plot_model(model, path)
    assert path.read_text() == "old" and listed(tmp_path) == ["net.png"]


def test_bad_destinations(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    Path("folder.svg").mkdir()
    for to_file, error, says in (
        ("net.docx", ValueError, r"to_file must be a path that ends with .svg, .pdf, .png.*, got 'net.docx'"),
        ("net.pgn", ValueError, r"did you mean '.png'"),
        ("missing/net.svg", FileNotFoundError, r"to_file 'missing/net.svg' cannot be written: the folder 'missing'"),
        ("file/net.svg", NotADirectoryError, r"'file' is not a folder"),
        ("folder.svg", IsADirectoryError, r"cannot be written: it is a folder"),
        (3.5, TypeError, r"to_file must be a path or None, got 3.5"),
    ):
        with pytest.raises(error, match=f"^plot_model: .*{says}"):
            plot_model(model, to_file)
    assert listed() == ["file", "folder.svg"]


def test_an_error_while_writing_is_one_clear_line(model, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(layerblocks.viz.figure, "write_whole", full)
    with pytest.raises(OSError, match=r"^plot_model: to_file '.*net.svg' cannot be written: No space left on device$"):
        plot_model(model, tmp_path / "net.svg")


def test_a_pipe_can_be_written_to(model, tmp_path):
    pipe = tmp_path / "pipe.svg"
    os.mkfifo(pipe)
    found = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    plot_model(model, pipe)
    reader.join()
    assert found[0].startswith(MAGIC["svg"]) and stat.S_ISFIFO(pipe.stat().st_mode)
