"""`check_net(eager=…)`: what only running shows, in a process that may die of it."""

from __future__ import annotations

import json
import re
import sys
from functools import partial

import keras
import pytest
from keras import layers

from layerblocks.blocks import conv, conv_bn
from layerblocks.testing import CheckError, check_net
from layerblocks.testing.eager import job_of
from layerblocks.testing.examples import as_net
from layerblocks.testing.subprocesses import Worker, shared_worker

from ..helpers import needs_tensorflow


def smallest(build, spec, **options):
    with pytest.raises(CheckError) as caught:
        check_net(build, spec, max_examples=10, eager=5, **options)
    return caught.value.report


@pytest.mark.sweep
def test_good_nets_run():
    check_net(
        conv_bn, "b h w c -> b ceil(h/2) ceil(w/2) 4", params={"filters": 4, "strides": 2}, max_examples=5, eager=5
    )
    heads = {"maps": "b h w c -> b h w 2", "flat": "b h w c -> b 2"}

    def two(x):
        maps = conv(x, 2)
        return {"maps": maps, "flat": layers.GlobalMaxPooling2D()(maps)}

    check_net(two, heads, max_examples=5, eager=5)


def cropped_skip(x):
    """A skip whose odd pixel is cropped, but not where the size is unknown."""
    y = layers.UpSampling2D(2)(layers.MaxPooling2D(2)(x))
    odd = [(0, (size or 0) % 2) for size in x.shape[1:3]]
    return layers.Concatenate()([y, layers.Cropping2D(odd)(x)])


@pytest.mark.sweep
def test_a_concat_that_fails_for_unknown_sizes_only():
    """Neither the static build nor any symbolic shape shows it."""
    report = smallest(cropped_skip, "b h w c -> b h//2*2 w//2*2 2*c")
    assert report.title == "check_net: built for unknown sizes it fails when it is run"
    assert report.smallest == "input (None, 2, 3, 1)"
    refusal = r"must be equal|[Cc]annot concatenate"  # of TensorFlow, of JAX
    assert re.search(refusal, report.got) and "\x1b" not in report.got
    with pytest.raises(Exception, match=refusal):
        exec(report.code, dict(report.names))


def trap_21(x):
    return layers.Conv2DTranspose(3, 2, strides=2, padding="same", output_padding=0)(x)


@needs_tensorflow  # which JAX computes as it says
def test_a_transposed_convolution_that_passes_symbolically():
    report = smallest(trap_21, "b h w c -> b 2*h-2 2*w-2 3", too_small="skip")
    assert (report.title, report.smallest) == (
        "check_net: built for this size it fails when it is run",
        "input (None, 2, 2, 1)",
    )


def trap_20(x):
    return layers.AdaptiveMaxPooling2D(1)(x)


@needs_tensorflow  # whose bug it is
def test_a_net_that_kills_the_process():
    report = smallest(trap_20, "b h w c -> b 1 1 c", unknown=False)
    assert report.title == "check_net: run on real numbers it ends the process"
    assert "was killed by signal" in report.got
    check_net(conv, "b h w c -> b h w 2", params={"filters": 2}, max_examples=2, eager=1)  # by another one


@keras.saving.register_keras_serializable("tests")
class Liar(keras.Layer):
    """Says that it keeps a shape of which it takes a row."""

    def call(self, x):
        return x[:, 1:]

    def compute_output_shape(self, shape):
        return shape


def test_a_layer_that_gives_another_shape_than_it_says():
    try:
        report = smallest(lambda x: Liar()(x), "b h w c -> b h w c")
    except TypeError as error:  # where pytest imports tests under names that nobody else can import
        assert "another process" in str(error)
    else:
        assert report.off == ("axis 1: h is 1, got 0",)


class Local(keras.Layer):
    def call(self, x):
        return x

    def get_config(self):
        raise NotImplementedError("no config")


def test_a_net_that_no_other_process_can_build():
    with pytest.raises(TypeError, match="build must be a net that another process can build"):
        check_net(lambda x: Local()(x), "b h w c -> b h w c", max_examples=2, eager=1)


def test_a_function_of_a_module_is_sent_by_its_name():
    def job(build):
        net = as_net(build, "b h w c -> b h w 2", sides=(1, 9), params={}, least=1)
        return job_of(net, {}, {}, [(None, 3, 3, 1)])

    sent = job(partial(conv, filters=2))
    assert sent["pickled"] and "layerblocks.blocks.units" in sent["modules"] and sent["sizes"] == [[2, 3, 3, 1]]
    assert job(lambda x: x)["pickled"] is None
    assert json.dumps(sent)


# The worker itself, with a module that needs no TensorFlow.

ECHO = """
import json, os, sys, time
for line in sys.stdin:
    job = json.loads(line)
    if job.get("die"): os._exit(3)
    if job.get("shut"): os.close(1)
    if job.get("sleep"): time.sleep(job["sleep"])
    print(json.dumps({"got": job}), flush=True)
"""


@pytest.fixture
def echo(tmp_path, monkeypatch):
    (tmp_path / "echo_worker.py").write_text(ECHO)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    worker = Worker("echo_worker")
    yield worker
    worker.close()


def test_a_worker_does_one_job_after_the_other(echo):
    assert [echo.run({"n": n}).reply for n in range(3)] == [{"got": {"n": n}} for n in range(3)]
    assert echo.starts == 1


def test_a_dead_worker_is_replaced(echo):
    outcome = echo.run({"die": True})
    assert outcome.reply is None and "exit code 3" in outcome.ended
    assert echo.run({"n": 1}).reply == {"got": {"n": 1}}
    assert echo.starts == 2


def test_a_worker_that_hangs_is_replaced(echo, monkeypatch):
    echo.run({})
    for more in ({}, {"shut": True}):  # it may have no output any more, and live
        outcome = echo.run({"sleep": 30, **more}, seconds=0.2)
        assert outcome.reply is None and outcome.ended == "no answer within 0.2 s"
        assert echo.run({"n": 1}).reply == {"got": {"n": 1}}


def test_a_module_that_does_not_start():
    worker = Worker("no_such_module_here")
    outcome = worker.run({})
    assert outcome.reply is None and "No module named" in outcome.ended
    worker.close()


def test_one_worker_for_all():
    assert shared_worker() is shared_worker()
    assert sys.executable
