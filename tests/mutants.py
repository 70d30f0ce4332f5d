"""Plant mutants in rooms and see whether the rooms' own tests notice: `python tests/mutants.py testing graphs`.

mutmut leaves decorated functions out, which all public ones are, and cosmic-ray starts Python and Keras anew for each
mutant. Here a process that has Keras is forked: once for each file of tests, to see which test comes by which line, and
once for each mutant, to run those that come by its line, the quickest first, until one fails.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from threading import Lock

ROOT = Path(__file__).resolve().parents[1]
OWN: dict[str, tuple[str, ...]] = {
    "testing/annotations.py": ("test_strategies",),
    "testing/assertions.py": ("test_specs",),
    "testing/builds.py": ("test_checks", "test_several_inputs"),
    "testing/checks.py": ("test_checks", "test_several_inputs", "test_bank"),
    "testing/code.py": ("test_networks", "test_several_inputs"),
    "testing/data.py": ("test_training", "test_properties"),
    "testing/declared.py": ("test_declared",),
    "testing/declared_checks.py": ("test_declared",),
    "testing/eager.py": ("test_eager", "test_properties"),
    "testing/examples.py": ("test_checks", "test_several_inputs", "test_bank"),
    "testing/exports.py": ("test_properties",),
    "testing/gradients.py": ("test_training", "test_properties"),
    "testing/grammar.py": ("test_specs", "test_several_inputs"),
    "testing/machine.py": ("test_networks",),
    "testing/network_building.py": ("test_networks",),
    "testing/oracles/": ("test_oracles",),
    "testing/plugin.py": ("test_plugin", "test_declared"),
    "testing/profiles.py": ("test_plugin",),
    "testing/properties.py": ("test_properties",),
    "testing/pytest_options.py": ("test_plugin",),
    "testing/random_blocks.py": ("test_networks",),
    "testing/random_networks.py": ("test_networks",),
    "testing/registration.py": ("test_strategies", "test_plugin"),
    "testing/reports.py": ("test_checks", "test_several_inputs", "test_specs"),
    "testing/roundtrips.py": ("test_training",),
    "testing/specs.py": ("test_specs", "test_several_inputs"),
    "testing/strategies.py": ("test_strategies",),
    "testing/subprocesses.py": ("test_eager",),
    "testing/training.py": ("test_training", "test_properties"),
    "testing/worker.py": ("test_eager",),
    "graphs/calls.py": ("test_graph", "test_tracing"),
    "graphs/clusters.py": ("test_clusters",),
    "graphs/equality.py": ("test_equality", "test_layer_rules"),
    "graphs/file_reading.py": ("test_files",),
    "graphs/fusing.py": ("test_repeats", "test_rewrite", "test_grouping"),
    "graphs/graph.py": ("test_graph",),
    "graphs/grouping.py": ("test_grouping", "test_patterns"),
    "graphs/layer_rules/": ("test_layer_rules", "test_costs", "test_windows", "test_receptive_fields"),
    "graphs/naming.py": ("test_names_and_inputs",),
    "graphs/overviews.py": ("test_repeats", "test_grouping"),
    "graphs/patterns.py": ("test_patterns",),
    "graphs/reader.py": ("test_graph", "test_names_and_inputs", "test_tracing", "test_costs"),
    "graphs/receptive_fields.py": ("test_receptive_fields", "test_windows"),
    "graphs/repeats.py": ("test_repeats",),
    "graphs/rewrite.py": ("test_rewrite",),
    "graphs/rules.py": ("test_layer_rules", "test_costs", "test_windows"),
    "graphs/scales.py": ("test_scales",),
    "graphs/totals.py": ("test_costs",),
    "graphs/tracing.py": ("test_tracing",),
    "graphs/window_arithmetic.py": ("test_windows",),
    "graphs/wrappers.py": ("test_tracing", "test_costs"),
}
"""The tests of each file, or of each folder."""


EQUIVALENT: dict[str, dict[str, str]] = {
    "graphs/calls.py": {
        "made: Sequence[Any] = infer(model.outputs, dict(zip(map(id, model.inputs), entering, strict=False)))": (
            "Keras calls a model with as many tensors as it has inputs"
        ),
    },
    "graphs/clusters.py": {"joined = True": "what costs least has just been found, and so can always be joined"},
    "graphs/graph.py": {
        "graph, edges=tuple(e if e.role == r else changed(e, role=r) "
        "for e, r in zip(graph.edges, roles, strict=False))": "there is a role for each edge",
    },
    "graphs/grouping.py": {
        "count = next((n for n in (4, 2) if tuple(parts[each] for each in row[:n]) in _HALVES), 0)": (
            "a row has no more than three parts"
        ),
    },
    "graphs/layer_rules/common.py": {
        'elif interpolation == "bilinear" and (n < m): # between the middles of two pixels': (
            "an image of the same size is read as it stands, which the next case says"
        ),
    },
    "graphs/layer_rules/layers.py": {
        "return (tuple(Along(axis) for axis in range(len(shape))),) return None": "what is not said is unknown, too",
        "if isinstance(found, Unknown): return None": "where no window is given, none is known",
    },
    "graphs/layer_rules/operations.py": {
        "if given is None: return None": "what is not said is unknown, too",
        "least = index + 1 if index >= 1 else -index": "of no size less than one is asked in any case",
    },
    "graphs/layer_rules/own_layers.py": {
        "axes[first + number] = Along(first + number, Reads(n, m, 1 - m, n - 1, 2, False))": (
            "of an axis that does not follow it is not asked how many positions are needed"
        ),
    },
    "graphs/patterns.py": {
        "same[again] = same.get(outside[1], outside[0])": "of a tensor that is used once nothing has been said before",
        "if len(readers) != 1: return None": "the answer is asked only whether it is true",
        "short, long = ways[first], [*ways[:first], *ways[(first - 1) :]]": (
            "of two ways the first of the others is the other one, of more it is not looked at"
        ),
    },
    "graphs/reader.py": {
        "if carried is None and (len(received) >= 1):": "of a single input it is said that it carries data, too",
    },
    "graphs/repeats.py": {
        "if 2 * length > len(graph.nodes): continue": "what is longer does not fit twice either",
        "starts = [start for start in range(i, i + length) if True]": (
            "sequences of which fewer are alike are counted as one, and the first of one is begun at as before"
        ),
    },
    "graphs/rules.py": {
        'found += ["data"] * ((len(call.inputs) + len(found)))': "what is too many is cut off in the next line",
    },
    "testing/builds.py": {
        "for part, shape, dtype in zip(net.inputs, shapes, net.dtypes(), strict=False)": (
            "each input has a shape and a dtype"
        ),
    },
    "testing/checks.py": {
        "if net.expected(example) is None: return None": "the answer is asked only whether it is true",
    },
    "testing/examples.py": {
        "def _batch_name(net: Net) -> str | None: return None": "since the first input the size of the batch is known",
    },
    "testing/machine.py": {"return True return None": "the answer is asked only whether it is true"},
    "testing/oracles/pieces.py": {
        "for n, w, s in zip(shape[:-1], sizes, each(shift, shape), strict=False):": "each axis has one of each",
    },
}
"""By file, lines as a mutant has them (with the line before, where they are not enough) that do the same, and why."""


@dataclass(frozen=True)
class Mutant:
    path: str
    line: int
    last: int
    start: int
    """Characters of the file, with `end` those that `text` stands for."""
    end: int
    text: str
    before: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {' '.join(self.before.split())[:70]}  ->  {self.text[:70]}"

    @property
    def why_equivalent(self) -> str:
        """Why it is no other program than the one before, if it is none."""
        source = self.source()
        before, _, begun = source[: self.start].rpartition("\n")
        line = " ".join((begun + source[self.start :].partition("\n")[0]).split())
        known = EQUIVALENT.get(self.path, {})
        return known.get(line) or known.get(f"{before.rpartition(chr(10))[2].strip()} {line}", "")

    def source(self) -> str:
        source = (ROOT / self.path).read_text(encoding="utf-8")
        return source[: self.start] + self.text + source[self.end :]


_PAIRS = (ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq), (ast.Is, ast.IsNot), (ast.In, ast.NotIn)
_COMPARISONS = {one: other for pair in _PAIRS for one, other in (pair, pair[::-1])}
_PAIRS = (ast.Add, ast.Sub), (ast.Mult, ast.FloorDiv), (ast.BitOr, ast.BitAnd)
_OPERATIONS = {one: other for pair in _PAIRS for one, other in (pair, pair[::-1])}
_OPERATIONS |= {ast.Div: ast.Mult, ast.Mod: ast.Mult, ast.Pow: ast.Mult}


def changed(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """The parts of a node to replace, and by what."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARISONS:
        ops = [_COMPARISONS[type(node.ops[0])](), *node.ops[1:]]
        yield node, f"({ast.unparse(ast.Compare(node.left, ops, node.comparators))})"
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        yield node, f"({ast.unparse(ast.BinOp(node.left, _OPERATIONS[type(node.op)](), node.right))})"
    elif isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield node, f"({ast.unparse(ast.BoolOp(other, node.values))})"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node, f"({ast.unparse(node.operand)})"
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int):
        yield node, repr(not node.value if isinstance(node.value, bool) else node.value + 1)
    elif isinstance(node, ast.If | ast.IfExp):
        yield node.test, f"(not ({ast.unparse(node.test)}))"
    elif isinstance(node, ast.Return) and node.value is not None and ast.unparse(node.value) != "None":
        yield node.value, "None"
    elif isinstance(node, ast.comprehension):
        yield from ((test, "True") for test in node.ifs)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield node, "pass"
    elif isinstance(node, ast.Break):
        yield node, "continue"


def _left_alone(node: ast.AST) -> list[ast.AST]:
    """What is not to be changed in a node: messages, types and decorators."""
    left: list[ast.AST] = []
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        left += node.decorator_list
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
        left.append(node.returns)
    if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
        left.append(node.annotation)
    if isinstance(node, ast.JoinedStr | ast.Raise | ast.Assert | ast.MatchValue):
        left.append(node)
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        left.append(node)
    return left


def mutants(path: str) -> list[Mutant]:
    """All of a file."""
    source = (ROOT / path).read_text(encoding="utf-8")
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    lines, found = source.splitlines(), []

    def place(line: int, column: int) -> int:
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

    def visit(node: ast.AST) -> None:
        left = _left_alone(node)
        if node in left:
            return
        for part, text in changed(node):
            assert isinstance(part, ast.expr | ast.stmt) and part.end_lineno is not None
            start, end = place(part.lineno, part.col_offset), place(part.end_lineno, part.end_col_offset or 0)
            found.append(Mutant(path, part.lineno, part.end_lineno, start, end, text, source[start:end]))
        for child in ast.iter_child_nodes(node):
            if child not in left:
                visit(child)

    visit(ast.parse(source))
    return found


def is_other(mutant: Mutant) -> bool:
    """Whether it can be read, and is not the same program."""
    try:
        return ast.dump(ast.parse(mutant.source())) != ast.dump(ast.parse((ROOT / mutant.path).read_text("utf-8")))
    except SyntaxError:
        return False


def own_tests(path: str) -> list[str]:
    names = next(names for key, names in OWN.items() if path == key or (key.endswith("/") and path.startswith(key)))
    return [f"tests/{path.partition('/')[0]}/{name}.py" for name in names]


def overlay(folder: Path, room: str) -> Path:
    """A package of the tree with a copy of one room; returns the folder of the copy."""
    package = folder / "layerblocks"
    package.mkdir(parents=True)
    for item in [*(ROOT / "src/layerblocks").iterdir(), *(ROOT / one for one in ROOMS)]:
        if item.name not in (room, "__pycache__"):
            (package / item.name).symlink_to(item)
    shutil.copytree(ROOT / room, package / room, ignore=shutil.ignore_patterns("__pycache__"))
    return package / room


ROOMS = ("architectures", "blocks", "graphs", "models", "testing", "training", "viz")


def forked(folder: Path, work: Callable[[], int], processor_seconds: float, seconds: float) -> int | None:
    """The exit status of what a copy of this process does with the package in a folder; None if it takes too long."""
    child = os.fork()
    if not child:
        status = 70
        try:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_CPU, (int(processor_seconds) + 1, int(processor_seconds) + 9))
            with (folder / "output").open("w") as output:
                os.dup2(output.fileno(), 1)
                os.dup2(output.fileno(), 2)
            sys.path.insert(0, str(folder))
            os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
            status = work()
        finally:
            os._exit(status)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, 9)
    os.waitpid(child, 0)
    return None


PYTEST = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=line", "--no-header"]


class Seen:
    """A pytest plugin: which tests come by which lines, and how long each takes."""

    def __init__(self, coverage) -> None:
        self.coverage, self.seconds, self.failed = coverage, {}, []

    def pytest_runtest_setup(self, item) -> None:
        self.coverage.switch_context(item.nodeid)

    def pytest_runtest_logreport(self, report) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration
        if report.failed:
            self.failed.append(report.nodeid)


def baseline(test: str) -> dict:
    """What a file of tests does without a mutant."""
    with _LOCKS.setdefault(test, Lock()):
        return _baseline(test)


_LOCKS: dict[str, Lock] = {}


@cache
def _baseline(test: str) -> dict:
    """Read from `build/mutants` where it has been found of the same room and tests before."""
    room = test.split("/")[1]
    files = [ROOT / test, *sorted((ROOT / room).rglob("*.py"))]
    digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]
    kept = ROOT / "build/mutants" / f"{room}-{Path(test).stem}-{digest}.json"
    if not kept.exists():
        result = _without_a_mutant(test, room)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(result), encoding="utf-8")
    result = json.loads(kept.read_text(encoding="utf-8"))
    if result["failed"]:
        print(f"left out, as they fail without a mutant: {', '.join(result['failed'])}", flush=True)
    return result


def _without_a_mutant(test: str, room: str) -> dict:
    import coverage
    import pytest

    def work() -> int:
        cover = coverage.Coverage(data_file=None, include=[f"{folder}/layerblocks/{room}/*"])
        seen = Seen(cover)
        cover.start()
        pytest.main([*PYTEST, test], plugins=[seen])
        cover.stop()
        data, lines = cover.get_data(), {}
        for file in data.measured_files():
            path = str(Path(file).relative_to(folder / "layerblocks"))
            lines[path] = {str(line): names for line, names in data.contexts_by_lineno(file).items()}
        text = json.dumps({"lines": lines, "seconds": seen.seconds, "failed": seen.failed})
        (folder / "result").write_text(text)
        return 0

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        overlay(folder, room)
        status = forked(folder, work, 3600, 3600)
        if status != 0:
            raise SystemExit(f"{test} ends with {status}:\n{(folder / 'output').read_text()[-2000:]}")
        return json.loads((folder / "result").read_text())


def tests_of(mutant: Mutant, result: dict) -> list[str]:
    """Those that come by its lines, or all where that is when the file is read; the quickest first."""
    seconds, lines = result["seconds"], result["lines"].get(mutant.path, {})
    names = {name for line in range(mutant.line, mutant.last + 1) for name in lines.get(str(line), ())}
    names = ({*seconds} if "" in names else names) - {*result["failed"]}
    return sorted(names & seconds.keys(), key=lambda name: (seconds[name], name))


def noticed(mutant: Mutant) -> tuple[Mutant, str]:
    """By which test, if by any; or why by none."""
    if mutant.why_equivalent:
        return mutant, f"equivalent: {mutant.why_equivalent}"
    for test in own_tests(mutant.path):
        result = baseline(test)
        names = tests_of(mutant, result)
        if by := killed(mutant, names, sum(result["seconds"][name] for name in names)):
            return mutant, by
    return mutant, ""


def killed(mutant: Mutant, names: list[str], seconds: float) -> str:
    """By which test; nothing if none fails."""
    if not names:
        return ""

    def work() -> int:
        import pytest

        return int(pytest.main([*PYTEST, "-x", *names]))

    room, _, rest = mutant.path.partition("/")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (overlay(folder, room) / rest).write_text(mutant.source(), encoding="utf-8")
        status = forked(folder, work, 30 + 2 * seconds, 3600)
        if status in (0, None):  # one that only waits is not said to be noticed
            return ""
        output = (folder / "output").read_text(errors="replace").splitlines()
    failed = [line for line in output if line.startswith(("FAILED", "ERROR"))]
    return failed[0][:120] if failed else "it takes too long" if status == -signal.SIGXCPU else f"it ends with {status}"


def found_again(text: str, everything: list[Mutant]) -> list[Mutant]:
    """The mutant that was called so, or the nearest of the same change where the file has other lines by now."""
    path, line, change = text.strip().split(":", 2)
    named = [(mutant, str(mutant).rstrip()) for mutant in everything if mutant.path == path]
    same = [mutant for mutant, name in named if name.split(":", 2)[2] == change]
    return sorted(same, key=lambda mutant: abs(mutant.line - int(line)))[:1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rooms", nargs="+", help="folders, or files in them")
    parser.add_argument("--number", type=int, default=200, help="mutants to plant, of all that there are")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--from", type=int, default=0, dest="first", help="go on with this one of them")
    parser.add_argument("--to", type=int, help="end before this one")
    parser.add_argument(
        "--again", type=Path, metavar="LOG", help="only those that survived in what an earlier run wrote"
    )
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--least", type=float, default=0.9, help="share that must be noticed")
    given = parser.parse_args()
    os.chdir(ROOT)
    os.environ |= {"HYPOTHESIS_PROFILE": "ci", "HYPOTHESIS_NO_PLUGINS": "1"}
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import hypothesis  # noqa: F401
    import keras  # noqa: F401
    import numpy  # noqa: F401

    paths = sorted(
        str(path.relative_to(ROOT))
        for room in given.rooms
        for path in ([ROOT / room] if room.endswith(".py") else (ROOT / room).rglob("*.py"))
        if path.name != "__init__.py"
    )
    everything = [mutant for path in paths for mutant in mutants(path)]
    random.Random(given.seed).shuffle(everything)
    sample = list(islice(filter(is_other, everything), given.number))
    sample = sorted(sample, key=lambda mutant: (mutant.path, mutant.start))[given.first : given.to]
    if given.again:
        texts = given.again.read_text(encoding="utf-8").splitlines()
        survivors = [text.removeprefix("SURVIVED") for text in texts if text.startswith("SURVIVED")]
        sample = [mutant for text in survivors for mutant in found_again(text, everything)]
    print(f"{len(sample)} of {len(everything)} mutants", flush=True)
    survivors = []
    with ThreadPoolExecutor(given.jobs) as pool:
        for mutant, by in pool.map(noticed, sample):
            print(f"killed    {mutant}  [{by}]" if by else f"SURVIVED  {mutant}", flush=True)
            survivors += [] if by else [mutant]
    share = 1 - len(survivors) / max(1, len(sample))
    print(f"{len(sample) - len(survivors)} of {len(sample)} killed, {share:.1%}")
    for mutant in survivors:
        print(f"  {mutant}")
    raise SystemExit(share < given.least)


if __name__ == "__main__":
    main()
