"""Who may import whom, and what an import may bring along: read from every file, also inside functions."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GROUND = ("checks", "_keras", "garbage", "files", "extras")
ROOMS = {
    "blocks": (),
    "graphs": (),
    "models": ("blocks", "graphs"),
    "architectures": ("blocks", "graphs", "models"),
    "viz": ("graphs",),
    "training": ("graphs", "models", "viz.venues", "viz.fonts"),
    "testing": ("blocks", "graphs"),
}
"""What each stands on, beside the ground."""

CORE = {"keras", "numpy", "lazy_loader"}
OUTSIDE = {
    "blocks": set(),
    "graphs": {"h5py"},
    "models": {"h5py", "onnx", "onnxruntime", "openvino", "tf2onnx", "ai_edge_litert", "matplotlib"},
    "architectures": {"h5py", "safetensors", "torch", "yaml"},
    "viz": {"fontTools", "PIL", "matplotlib", "pygraphviz", "pydot", "graphviz", "pptx"},
    "training": {"matplotlib"},
    "testing": {"hypothesis", "pytest", "jax", "onnxruntime", "tf2onnx"},
    "src": set(),
}
"""The packages of others that each may import, beside those of every room."""

ONLY_WHEN_CALLED = {
    "ai_edge_litert",
    "graphviz",
    "h5py",
    "jax",
    "matplotlib",
    "onnxruntime",
    "openvino",
    "pptx",
    "pydot",
    "pygraphviz",
    "safetensors",
    "tensorflow",
    "tf2onnx",
    "torch",
    "yaml",
}
"""Slow to import, or not installed by everybody: the function that needs one imports it."""

SUBCLASSES = {"viz/dot_classes.py": "classes of pydot and graphviz with other renderers"}
"""Files that need such a package as soon as they are imported."""

OF_TENSORFLOW = {
    "models/file_formats/litert_files.py": "its format",
    "models/file_formats/onnx_files.py": "its converter",
    "models/file_formats/runtimes.py": "files of its formats",
    "models/runners.py": "graphs of constants, and what writes files for LiteRT",
    "models/tuning.py": "how many threads it has",
    "testing/exports.py": "files of its formats",
    "training/fused_optimizers.py": "its kernel of an update",
    "training/losses.py": "the labels of its datasets",
    "training/devices.py": "its strategies",
    "training/distributed.py": "its strategies",
    "training/global_batches.py": "its data sets",
    "blocks/layers.py": "one kernel, and checks inside its traced functions, where Keras runs on it",
    "testing/gradients.py": "its gradient tape, where Keras runs on it",
}
"""Where TensorFlow may be imported, and for what."""

HYPOTHESIS_FREE = {"assertions", "oracles", "shapes", "grammar"}
"""Modules of `testing` that are used without it."""

PLAIN_DATA = {"graph", "rewrite", "grouping", "repeats", "fusing", "naming", "overviews", "window_arithmetic"}
"""Modules of `graphs` that know no Keras."""

# What Keras does not document: modules, attributes of its objects, and hidden state.
PRIVATE = re.compile(
    r"keras\.src|\b_(inbound_nodes|outbound_nodes|keras_history|nodes|functional|outputs_struct|inputs_struct"
    r"|tracker|layers_locked|compile_loss|compile_metrics|symbolic_build|initial_epoch|run_through_graph)\b(?!\()"
)


def files_of(room: str) -> list[Path]:
    found = (ROOT / room).rglob("*.py*") if room != "src" else (ROOT / "src/layerblocks").glob("*.py*")
    return sorted(path for path in found if path.suffix in (".py", ".pyi"))


FILES = {path: room for room in (*ROOMS, "src") for path in files_of(room)}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> tuple[str, ...]:
    """The dotted name under which a file is imported, as parts."""
    inside = path.relative_to(ROOT / "src").with_suffix("").parts if FILES[path] == "src" else ()
    parts = inside or ("layerblocks", *path.relative_to(ROOT).with_suffix("").parts)
    return parts[:-1] if parts[-1] == "__init__" else parts


MODULES = {module_of(path) for path in FILES}


def targets(node: ast.AST, path: Path) -> Iterator[tuple[str, ...]]:
    """What one node of a file imports, as the parts of dotted names; names that are no modules are cut off."""
    if isinstance(node, ast.Import):
        yield from (tuple(alias.name.split(".")) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        package = module_of(path) if path.stem == "__init__" else module_of(path)[:-1]
        before = package[: len(package) - node.level + 1] if node.level else ()
        base = (*before, *(node.module.split(".") if node.module else ()))
        for alias in node.names:
            yield (*base, alias.name) if (*base, alias.name) in MODULES else base
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        function = ast.unparse(node.func).rpartition(".")[2]
        if function in ("import_module", "__import__", "needs") and isinstance(node.args[0].value, str):
            yield tuple(node.args[0].value.split("."))


def is_typing(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


@cache
def imports(path: Path) -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
    """What a file imports at all, and what it does as soon as it is imported itself."""
    everything: set[tuple[str, ...]] = set()
    at_once: set[tuple[str, ...]] = set()

    def walk(node: ast.AST, now: bool) -> None:
        found = set(targets(node, path))
        everything.update(found)
        if now:
            at_once.update(found)
        inner = now and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            walk(child, inner and not is_typing(node))

    walk(ast.parse(path.read_text(encoding="utf-8")), True)
    return everything, at_once


def ours(found: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    return {parts for parts in found if parts[0] == "layerblocks"}


def others(found: set[tuple[str, ...]]) -> set[str]:
    return {parts[0] for parts in found} - {"layerblocks"} - set(sys.stdlib_module_names)


IN_ROOMS = [path for path, room in FILES.items() if room != "src"]


def test_every_room_is_in_the_table():
    """A folder with an `__init__.py` is a package of ours as soon as it is there."""
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"} == set(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_what_is_imported_of_ours_is_there(path):
    assert ours(imports(path)[0]) <= MODULES | {("layerblocks",)}


@pytest.mark.parametrize("path", IN_ROOMS, ids=named)
def test_a_room_stands_on_those_below_it(path):
    room = FILES[path]
    for _, *inner in ours(imports(path)[0]):
        dotted = ".".join(inner)
        below = (room, *GROUND, *ROOMS[room])
        assert any(dotted == name or dotted.startswith(f"{name}.") for name in below), f"{room} may not import {dotted}"


@pytest.mark.parametrize("name", GROUND)
def test_the_ground_stands_on_nothing_of_ours(name):
    """But all may refuse an argument."""
    path = ROOT / "src/layerblocks" / f"{name}.py"
    assert not path.exists() or ours(imports(path)[0]) <= {("layerblocks", "checks")} - {module_of(path)}


def test_the_command_line_imports_lazily():
    at_once = ours(imports(ROOT / "src/layerblocks/__main__.py")[1])
    assert at_once <= {("layerblocks", name) for name in ("_version", "startup", "checks", "files")}


def test_imports_inside_functions_are_seen():
    everything, at_once = imports(ROOT / "src/layerblocks/__main__.py")
    assert {parts[1] for parts in ours(everything)} > {"architectures", "blocks", "viz"}
    assert not {parts[1] for parts in ours(at_once)} & set(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_packages_of_others(path):
    allowed = CORE | OUTSIDE[FILES[path]]
    if named(path) in OF_TENSORFLOW:
        allowed.add("tensorflow")
    assert others(imports(path)[0]) <= allowed


@pytest.mark.parametrize("path", FILES, ids=named)
def test_what_not_everybody_has_is_imported_when_called(path):
    at_once = others(imports(path)[1]) & ONLY_WHEN_CALLED
    assert not at_once or named(path) in SUBCLASSES
    importers = [other for other in FILES if module_of(path) in imports(other)[1]]
    assert not at_once or not importers, "which is imported by functions alone"


@pytest.mark.parametrize("path", files_of("viz"), ids=named)
def test_figures_are_drawn_of_plain_data(path):
    assert "keras" not in others(imports(path)[0])


@pytest.mark.parametrize("path", [path for path in files_of("graphs") if path.stem in PLAIN_DATA], ids=named)
def test_a_graph_is_plain_data(path):
    assert "keras" not in others(imports(path)[0])


def free_of_hypothesis() -> list[Path]:
    return [path for path in files_of("testing") if module_of(path)[2:3] in {(name,) for name in HYPOTHESIS_FREE}]


@pytest.mark.parametrize("path", free_of_hypothesis(), ids=named)
def test_oracles_and_assertions_need_no_hypothesis(path):
    assert "hypothesis" not in others(imports(path)[1])


@pytest.mark.parametrize("path", [path for path in FILES if path.name != "_keras.py"], ids=named)
def test_only_one_file_touches_what_keras_keeps_to_itself(path):
    found = PRIVATE.search(path.read_text(encoding="utf-8"))
    assert not found, f"{found[0]} belongs in _keras.py"


def test_every_reason_to_import_tensorflow_is_used():
    users = {named(path) for path in FILES if "tensorflow" in others(imports(path)[0])}
    assert users == set(OF_TENSORFLOW)


# -- what happens when it is imported ---------------------------------------------------------------------------------

HEAVY = ("keras", "tensorflow", "jax", "torch", "numpy", "matplotlib")


def heavy_after(code: str) -> list[str]:
    """Which of the heavy packages are imported once the code has run in a process of its own."""
    tail = f"\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    process = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}{tail}"], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    return ast.literal_eval(process.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "code",
    [
        "import layerblocks; dir(layerblocks); layerblocks.__version__",
        "import layerblocks.architectures as a; a.list_architectures()",
        "import layerblocks.graphs, layerblocks.models, layerblocks.viz, layerblocks.training, layerblocks.testing",
        "from layerblocks.__main__ import main\ntry: main(['--help'])\nexcept SystemExit: pass",
        "from layerblocks.__main__ import main\ntry: main(['draw', '--help'])\nexcept SystemExit: pass",
        "from layerblocks.__main__ import main\ntry: main(['list'])\nexcept SystemExit: pass",
    ],
)
def test_what_costs_nothing(code):
    assert heavy_after(code) == []


OPTIONAL = ("pydot", "graphviz", "hypothesis", "onnx", "onnxruntime", "tf2onnx", "sklearn", "tensorboard")


def test_the_rooms_open_without_what_is_optional():
    """Every public name resolves where no extra is installed but the backend."""
    code = f"""
import importlib, sys
sys.modules.update(dict.fromkeys({OPTIONAL!r}))
for room in {[room for room in ROOMS if room != "testing"]}:
    module = importlib.import_module("layerblocks." + room)
    for name in module.__all__: getattr(module, name)
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr.strip().splitlines()[-1]
