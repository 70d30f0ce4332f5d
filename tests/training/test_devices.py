"""Several devices train as one does: replicas on one machine, and worker processes, of which one dies and returns."""

from __future__ import annotations

import csv
import importlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from layerblocks import checks
from layerblocks.blocks import weightless
from layerblocks.training import WorkerLost, compile_args, device_strategy, fit_distributed, is_chief
from layerblocks.training.devices import VARIABLE, lost_workers

from ..helpers import needs_tensorflow, seconds, time_scale
from . import devices_program as program

pytestmark = needs_tensorflow

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))  # as it is for the programs themselves

LIMIT = 400  # seconds on an idle machine, after which a program hangs

NETS = """
import json, os, signal, threading, time
from pathlib import Path

import keras
from layerblocks.blocks import classifier, conv, inception

def two_heads(input_shape, classes):
    images = keras.Input(input_shape)
    x = conv(images, 8, strides=4, name="stem")
    x = inception(x, 4, (3, 4), (2, 3), 3, name="inception")
    aux = classifier(x, classes, name="aux1")
    x = conv(x, 8, strides=2, name="body")
    return keras.Model(images, {"main": classifier(x, classes, name="main"), "aux1": aux}, name="two_heads")

def die_once(log, marker):
    while not log.exists() or len(log.read_text().splitlines()) < 3:  # the header and two epochs
        time.sleep(0.01)
    marker.touch()
    os.kill(os.getpid(), signal.SIGKILL)

dying = os.environ.get("DYING_WORKER")
if dying and json.loads(os.environ["TF_CONFIG"])["task"]["index"] == int(dying):
    run = Path(os.environ["RUN"])
    if not (run / "died").exists():
        threading.Thread(target=die_once, args=(run / "log.csv", run / "died"), daemon=True).start()
"""


def start(*words, **environment):
    command = [sys.executable, *map(str, words)]
    left_out = {name: value for name, value in os.environ.items() if name != VARIABLE}
    left_out["LAYERBLOCKS_TIME_SCALE"] = str(time_scale())
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**left_out, **environment}
    )


def ended(process):
    """What a program said; it has to end well, and in time."""
    try:
        out, err = process.communicate(timeout=seconds(LIMIT))
    finally:
        process.kill()
    assert process.returncode == 0, err[-3000:]
    return out, err


def once(tmp_path_factory, name, make):
    """The folder that `make` fills, in one of pytest-xdist's processes while the others wait."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"devices-{name}"
    done = folder / "done"
    try:
        folder.mkdir()
    except FileExistsError:
        limit = time.monotonic() + seconds(LIMIT)
        while not done.exists() and time.monotonic() < limit:
            time.sleep(0.1)
        return folder
    try:
        make(folder)
    finally:
        done.touch()
    return folder


# -- replicas on one machine ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def replicas(tmp_path_factory):
    ready = once(
        tmp_path_factory,
        "replicas",
        lambda folder: ended(start(HERE / "devices_program.py", "replicas", folder / "results.json")),
    )
    results = json.loads((ready / "results.json").read_text())
    assert results["replicas"] == 2
    return results


@pytest.mark.sweep
@pytest.mark.parametrize("name", program.SAME)
def test_two_replicas_train_as_one_device_under_fit(replicas, name):
    found = replicas[name]
    assert found["logs"] < 1e-4
    assert found["weights"] < 1e-4
    assert found["moved"] > 1e-2


@pytest.mark.sweep
def test_replicas_share_the_statistics_of_plain_norms(replicas):
    assert replicas["plain norms"] == {"replicas": 0.0, "frozen": True, "moved": True}


@pytest.mark.sweep
def test_steps_callbacks_and_restoring(replicas):
    found = replicas["steps"]
    assert found["logs"] < 1e-4
    epochs = (["epoch 0", "batch 0", "batch 1", "end epoch"], ["epoch 1", "batch 0", "batch 1", "end epoch"])
    assert found["seen"] == ["begin", *epochs[0], *epochs[1], "end"]
    assert found["restored"] < 1e-4
    assert found["stopped after"] == 1


@pytest.mark.sweep
@pytest.mark.parametrize(
    "case, words",
    [
        ("batch", "a multiple of the 2 replicas .* has 5 examples"),
        ("growing", "batches of one size.* has 8 examples"),
        ("no batches", "data must be one batch or more, got none"),
        ("not pairs", r"data must be batches \(x, y\)"),
        ("not data", "TypeError: .* data must be a tf.data.Dataset or a function .* got "),
        ("outside", r"model must be made in strategy.scope\(\), but stem.conv/kernel"),
        ("optimizer", r"optimizer must be made in strategy.scope\(\)"),
        ("uncompiled", "model must be compiled"),
        ("sum", "loss .* must be of the reduction .* got 'sum'"),
        ("not a model", "TypeError: .* model must be a Keras model, got None"),
    ],
)
def test_refused(replicas, case, words):
    assert re.search(words, replicas["messages"][case])
    assert "fit_distributed: " in replicas["messages"][case]


# -- workers ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    command = [EXAMPLES / "launch.py", "--workers", 2, HERE / "devices_program.py", "worker"]
    folder = once(tmp_path_factory, "workers", lambda folder: ended(start(*command, folder)))
    return [np.load(folder / f"{index}.npz") for index in (0, 1)]


@pytest.mark.sweep
def test_two_workers_train_as_one_process_under_fit(workers):
    one = program.compiled(**program.WORKER)
    train, held_out = program.train_data(one)
    history = one.fit(train, validation_data=held_out, epochs=program.EPOCHS, verbose=0).history
    for index, found in enumerate(workers):
        about = json.loads(str(found["about"]))
        assert about["chief"] == (index == 0)
        assert program.difference(history, about["history"]) < 1e-4
        for number, values in enumerate(one.get_weights()):
            np.testing.assert_allclose(found[f"w{number}"], values, atol=1e-4)


@pytest.mark.sweep
def test_workers_that_come_apart_stop(workers):
    for found in workers:
        said = json.loads(str(found["about"]))["said"]
        assert re.match(
            r"ValueError: .* different first epoch \(0 on replica 0, 1 on replica 1\)", said["initial_epoch"]
        )
        assert re.match("RuntimeError: .* different learning rate", said["callbacks"])


@pytest.mark.sweep
@pytest.mark.parametrize(
    "dying",
    [
        1,
        pytest.param(
            0,
            marks=pytest.mark.skipif(
                os.environ.get("HYPOTHESIS_PROFILE") != "nightly", reason="nightly: the chief dies"
            ),
        ),
    ],
)
def test_a_worker_dies_and_returns_and_the_training_ends_as_if_it_had_not(tmp_path, dying):
    """`train.py` by `launch.py`; the truth is `train.py` in one process."""
    nets = tmp_path / "my_nets.py"
    nets.write_text(NETS)
    command = [f"{nets}:two_heads", "--epochs", 4, "--steps-per-epoch", 6]
    command += ["--rotation", 10, "--learning-rate", 0.01, "--no-tensorboard", "--verbose", 0]
    run = tmp_path / "two"
    launched = ["--workers", 2, EXAMPLES / "train.py", *command, "--strategy", "multiworker", "--output", run]
    workers = start(EXAMPLES / "launch.py", *launched, DYING_WORKER=str(dying), RUN=str(run))
    runs, train = importlib.import_module("runs"), importlib.import_module("train")
    one = [*map(str, command), "--output", str(tmp_path / "one")]
    assert runs.exit_code("train.py", lambda: train.main(one)) == 0
    out, err = ended(workers)
    assert (run / "died").exists()
    assert f"worker {dying}: -9" in err and "another worker was lost" in err
    assert out.count("best.keras: of epoch") == 1  # said by the chief
    one, two = ([*csv.DictReader((tmp_path / name / "log.csv").open())] for name in ("one", "two"))
    assert len(one) == len(two) == 4
    for expected, found in zip(one, two, strict=True):
        assert set(expected) == set(found)
        for column, value in expected.items():
            assert float(found[column]) == pytest.approx(float(value), abs=1e-4), column
    with np.load(tmp_path / "one" / "state.npz") as expected, np.load(run / "state.npz") as found:
        assert set(expected) == set(found)
        for name in set(expected) - {"about"}:
            np.testing.assert_allclose(found[name], expected[name], atol=1e-4)


@pytest.mark.sweep
def test_a_worker_that_stays_alone_does_not_wait_for_ever():
    lines = [
        "from layerblocks.training import device_strategy",
        "device_strategy('multiworker', timeout=1)",
    ]
    ports = importlib.import_module("launch").free_ports(2)
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0}})
    alone = start("-c", "\n".join(lines), TF_CONFIG=config)
    _, err = alone.communicate(timeout=seconds(LIMIT))
    assert alone.returncode == 1
    assert f"waiting for 127.0.0.1:{ports[0]}, 127.0.0.1:{ports[1]}, at most 1 s" in err
    assert "Timeout (0:00:01)!" in err


# -- the launcher -----------------------------------------------------------------------------------------------------


@pytest.mark.sweep_but(
    "sys.exit(0)-0-1-", "sys.exit(2)-2-1-", "sys.exit(75 if count == 1 else 0)-0-2-worker 0: 75; starting again"
)
@pytest.mark.parametrize(
    "body, code, starts, words",
    [
        ("sys.exit(0)", 0, 1, ""),
        ("sys.exit(2)", 2, 1, ""),
        ("sys.exit(75 if count == 1 else 0)", 0, 2, "worker 0: 75; starting again"),
        ("os.kill(os.getpid(), 9)", 1, 3, "gave up after 2 restarts"),
        (
            "time.sleep(300 if count == 1 and index == 1 else 0); sys.exit(count == 1)",
            0,
            2,
            "worker 0: 1, worker 1: -9",
        ),
    ],
)
def test_launcher(tmp_path, body, code, starts, words):
    script = tmp_path / "script.py"
    script.write_text(
        "import json, os, sys, time\nfrom pathlib import Path\n"
        "config = json.loads(os.environ['TF_CONFIG'])\nindex = config['task']['index']\n"
        "assert len(set(config['cluster']['worker'])) == int(sys.argv[1])\n"
        f"path = Path({str(tmp_path)!r}, f'{{index}}')\n"
        "path.write_text((path.read_text() if path.exists() else '') + 'x')\ncount = len(path.read_text())\n" + body
    )
    workers = 2 if "index" in body else 1
    options = ["--workers", workers, "--restarts", 2, "--grace", 0.5]
    process = start(EXAMPLES / "launch.py", *options, script, workers)
    _, err = process.communicate(timeout=seconds(60))
    assert process.returncode == code, err
    assert len((tmp_path / "0").read_text()) == starts
    assert words in err


@pytest.mark.parametrize(
    "words, said",
    [
        (["--workers", "0", "x.py"], "--workers must be at least 1"),
        (["--hosts", "a:1,b:2", "--index", "2", "x.py"], "--index must be 0 to 1, as --hosts has 2"),
        (["--hosts", "a:1,b:2", "x.py"], "--index must be 0 to 1"),
        (["--workers", "2"], "which program"),
    ],
)
def test_launcher_refuses(monkeypatch, capsys, words, said):
    launch = importlib.import_module("launch")
    monkeypatch.setattr(sys, "argv", ["launch.py", *words])
    with pytest.raises(SystemExit) as stop:
        launch.main()
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


# -- strategies -------------------------------------------------------------------------------------------------------


def config(cluster, kind="worker", index=0):
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


TWO = {"worker": ["a:1", "b:2"]}


@pytest.mark.parametrize(
    "text, words",
    [
        (None, "TF_CONFIG is not set"),
        ("", "must be JSON"),
        ("{'cluster': 1}", "must be JSON"),
        ("[]", "a cluster and a task"),
        ('{"cluster": {"worker": ["a:1"]}}', "a cluster and a task"),
        (config({}), "a cluster of worker"),
        (config({"chief": ["a:1"]}, "chief"), "a cluster of worker"),
        (config({"worker": ["a:1"], "ps": ["b:2"]}), "a cluster of worker"),
        (config({"worker": "a:1"}), "worker as a list of host:port"),
        (config({"worker": []}), "worker as a list of host:port"),
        (config({"worker": ["a"]}), "worker as a list of host:port"),
        (config({"worker": ["a:0"]}), "worker as a list of host:port"),
        (config({"worker": ["a:65536"]}), "worker as a list of host:port"),
        (config({"worker": [1]}), "worker as a list of host:port"),
        (config({"worker": ["a:1", "a:1"]}), r"each address once \(a:1 is not\)"),
        (config({"worker": ["a:1"], "chief": ["b:1", "c:1"]}), "one chief at most"),
        (config(TWO, "chief"), "a task whose type is worker"),
        (config(TWO, None), "a task whose type is worker"),
        (config(TWO, index=2), "from 0 to 1, as there are 2 of type worker"),
        (config(TWO, index=-1), "from 0 to 1"),
        (config(TWO, index="0"), "from 0 to 1"),
        (config(TWO, index=True), "from 0 to 1"),
    ],
)
def test_tf_config_is_checked(monkeypatch, text, words):
    if text is None:
        monkeypatch.delenv(VARIABLE, raising=False)
    else:
        monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ValueError, match=words) as refused:
        device_strategy("multiworker")
    assert str(refused.value).startswith("device_strategy: ")
    assert VARIABLE in str(refused.value)


@pytest.mark.parametrize("name", ["tpu", "Mirrored", "", None, 3])
def test_unknown_strategies(name):
    with pytest.raises(ValueError, match=r"device_strategy: name must be one of 'mirrored' or 'multiworker'.*, got"):
        device_strategy(name)


@pytest.mark.parametrize("timeout", [0, -1, "10", None, True])
def test_timeouts(timeout):
    with pytest.raises((TypeError, ValueError), match="device_strategy: timeout must be seconds above 0, got"):
        device_strategy("mirrored", timeout=timeout)


@pytest.mark.parametrize(
    "jobs, kind, index, expected",
    [
        ([], None, None, True),
        (["worker"], "worker", 0, True),
        (["worker"], "worker", 1, False),
        (["worker", "chief"], "chief", 0, True),
        (["worker", "chief"], "worker", 0, False),
    ],
)
def test_chief(jobs, kind, index, expected):
    cluster = {job: ["a:1", "b:2"] for job in jobs}
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster), task_type=kind, task_id=index
    )
    strategy = type("Strategy", (), {"cluster_resolver": resolver})()
    assert is_chief(strategy) is expected


@pytest.mark.parametrize("error", [tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError])
def test_what_tensorflow_raises_is_a_lost_worker(error):
    words = r"fit: another worker was lost now \(.*\); start all workers again"
    with pytest.raises(WorkerLost, match=words), checks.speaking("fit"), lost_workers("now"):
        raise error(None, None, "Graph execution error:\n\nCollective ops is aborted by: Socket closed")


def test_other_errors_stay_what_they_are():
    with pytest.raises(tf.errors.InvalidArgumentError), lost_workers("now"):
        raise tf.errors.InvalidArgumentError(None, None, "not a JPEG")


# -- arguments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"epochs": -1}, ValueError, "epochs"),
        ({"epochs": 1.5}, TypeError, "epochs"),
        ({"initial_epoch": -1}, ValueError, "initial_epoch"),
        ({"steps_per_epoch": 0}, ValueError, "steps_per_epoch"),
        ({"validation_steps": 0}, ValueError, "validation_steps"),
        ({"strategy": "mirrored"}, TypeError, "strategy must be what device_strategy gives"),
        ({"validation_data": [1]}, TypeError, "validation_data must be"),
    ],
)
def test_arguments(options, error, words):
    model = program.compiled()
    (data,) = program.labelled(model, program.batches(8, 8))
    with pytest.raises(error, match=f"fit_distributed: {words}"):
        fit_distributed(model, data, **{"strategy": tf.distribute.get_strategy(), **options})


def test_a_model_without_weights_is_refused():
    with weightless():
        model = program.network()
    model.compile(**compile_args(model))
    with pytest.raises(ValueError, match=r"must be one with weights, but stem\.conv/kernel has no value"):
        fit_distributed(model, program.batches(8, 8), strategy=tf.distribute.get_strategy())


def test_the_bar_and_the_history_are_those_of_fit(capsys):
    model = program.compiled()
    (data,) = program.labelled(model, program.batches(16, 8))
    history = fit_distributed(model, data, strategy=tf.distribute.get_strategy(), epochs=1)
    assert isinstance(history, keras.callbacks.History)
    said = capsys.readouterr().out
    assert "2/2" in said and "main_accuracy" in said


def test_no_epochs_change_nothing():
    model = program.compiled()
    (data,) = program.labelled(model, program.batches(16, 8))
    before = model.get_weights()
    history = fit_distributed(model, data, strategy=tf.distribute.get_strategy(), epochs=0, verbose=0)
    assert history.history == {}
    assert all((now == then).all() for now, then in zip(model.get_weights(), before, strict=True))


def test_train_py_says_what_is_wrong_with_the_cluster_in_a_line(monkeypatch, capsys):
    runs, train = importlib.import_module("runs"), importlib.import_module("train")
    monkeypatch.setenv(VARIABLE, "{")
    words = ["googlenet_bn", "--strategy", "multiworker"]
    assert runs.exit_code("train.py", lambda: train.main(words)) == 2
    assert re.fullmatch(r"train.py: error: device_strategy: TF_CONFIG must be JSON.*\n", capsys.readouterr().err)


@pytest.mark.sweep
def test_train_py_under_mirrored(tmp_path, capsys):
    runs, train = importlib.import_module("runs"), importlib.import_module("train")
    nets = tmp_path / "my_nets.py"
    nets.write_text(NETS)
    words = [f"{nets}:two_heads", "--strategy", "mirrored", "--epochs", "1", "--steps-per-epoch", "2", "--verbose", "0"]
    assert runs.exit_code("train.py", lambda: train.main([*words, "--output", str(tmp_path / "run")])) == 0
    assert "best.keras: of epoch 1" in capsys.readouterr().out


# -- the page ---------------------------------------------------------------------------------------------------------


@pytest.mark.sweep
def test_the_program_of_the_page_runs_and_goes_on(tmp_path, monkeypatch, capsys):
    page = (HERE.parents[1] / "docs" / "many-devices.md").read_text()
    body = re.search(r"<!-- program -->\n```python\n(.*?)```", page, re.DOTALL).group(1)
    assert body.count('device_strategy("multiworker")') == 1
    monkeypatch.chdir(tmp_path)
    for epochs in (2, 3):
        text = body.replace('device_strategy("multiworker")', 'device_strategy("mirrored")')
        exec(compile(text.replace("epochs=3", f"epochs={epochs}"), "many-devices.md", "exec"), {})
    assert [int(number) for number in re.findall(r"Epoch (\d)/", capsys.readouterr().out)] == [1, 2, 3]
    assert keras.models.load_model(tmp_path / "model.keras").name == "lenet5"


def test_the_page_names_flags_and_variables_that_exist():
    page = (HERE.parents[1] / "docs" / "many-devices.md").read_text()
    assert (
        json.dumps({"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}})
        in page
    )
    launch, train = ((EXAMPLES / name).read_text() for name in ("launch.py", "train.py"))
    for line in re.findall(r"^(?:until )?python examples/.*$", page, re.MULTILINE):
        ahead, _, behind = line.partition("examples/train.py")
        assert behind
        assert all(f'"{flag}"' in launch for flag in re.findall(r"--\w+", ahead))
        assert all(f'"{flag}"' in train for flag in re.findall(r"--[\w-]+", behind))
