"""The pytest plugin, in test runs of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

import layerblocks.blocks  # noqa: F401  (a run in this process forgets what it imports; NumPy cannot come again)
from layerblocks.testing import pytest_options as options

pytest_plugins = ["pytester"]

FAILING = """
    from layerblocks.blocks import conv
    from layerblocks.testing import check_net

    def test_good():
        check_net(conv, "b h w c -> b h w filters", params={"filters": 2}, max_examples=3)

    def test_bad():
        check_net(conv, "b h w c -> b h w-1 filters", params={"filters": 3}, too_small="skip")
"""


@pytest.fixture
def with_plugin(pytester, request):
    """Arguments that load the plugin where the package is installed without its entry point."""
    known = request.config.pluginmanager.hasplugin("layerblocks")
    return ["-p", "no:cacheprovider"] + ([] if known else ["-p", "layerblocks.testing.plugin"])


def test_a_failure_is_reported_with_code_to_copy(pytester, with_plugin):
    pytester.makepyfile(FAILING)
    result = pytester.runpytest_inprocess(*with_plugin, "--layerblocks-examples=20")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*check_net: the output has not the shape of the spec",
            "E*spec*b h w c -> b h w-1 filters",
            "E*smallest*input (None, 1, 2, 1), filters=3",
            "E*expected*(None, 1, 1, 3)",
            "E*got*(None, 1, 2, 3)",
            "E*off*axis 2: w-1 is 1, got 2",
            "*- layerblocks: to reproduce -*",
            "import keras",
            "from layerblocks.blocks import conv",
            "x = keras.Input(batch_shape=(None, 1, 2, 1))",
            "y = conv(x, filters=3)",
            "*= layerblocks: the smallest cases that fail =*",
            "*::test_bad",
            "*check_net: the output has not the shape of the spec: input (None, 1, 2, 1), filters=3",
        ]
    )
    result.stdout.no_fnmatch_line("*smallest_failure*")  # nothing of ours in the traceback


def test_the_number_of_examples(pytester, with_plugin):
    pytester.makepyfile(
        """
        from layerblocks.blocks import conv
        from layerblocks.testing import check_net

        def count(**options):
            return check_net(lambda x: conv(x, 2), "b h w 1 -> b h w 2", unknown=False, **options).examples

        def test_it():
            assert 2 <= count() <= 3 and count(max_examples=1) == 1

        def test_of_the_profile():
            from hypothesis import settings
            settings.get_profile("layerblocks-nightly")
        """
    )
    result = pytester.runpytest_inprocess(*with_plugin, "--layerblocks-examples=3")
    result.assert_outcomes(passed=2)
    assert options.EXAMPLES is None


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_a_number_that_makes_no_sense(pytester, with_plugin, number):
    pytester.makepyfile("def test(): pass")
    result = pytester.runpytest_inprocess(*with_plugin, f"--layerblocks-examples={number}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_pytest_starts_without_keras_or_hypothesis():
    code = (
        "import sys, layerblocks.testing.plugin\n"
        "sys.exit(', '.join({'keras', 'tensorflow', 'numpy', 'hypothesis'} & set(sys.modules)) or 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


PROFILE = """
from hypothesis import settings
before = repr(settings())
from layerblocks.testing.profiles import PROFILES, register
register()
print(*[settings.get_profile(name).max_examples for name in PROFILES])
assert repr(settings()) == before and "layerblocks-ci" in PROFILES
"""


def test_profiles_are_known_and_none_is_loaded():
    done = subprocess.run([sys.executable, "-c", PROFILE], check=False, capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (["30", "100", "1000"], "")
