"""The README's code runs as it stands, and its links are those that a package index needs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
REPOSITORY = re.compile(
    r"https://(?:github\.com|raw\.githubusercontent\.com)/layerblocks/layerblocks/(?:(?:blob|tree)/)?main/([^)\s]+)"
)


def test_the_tour_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "readme"}
    for code in re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL):
        exec(compile(code, "README.md", "exec"), namespace)
    assert (tmp_path / "tiny_net.svg").read_text(encoding="utf-8").count("<svg") == 1


def test_the_two_commands_are_there_for_ci_to_run():
    for mark in ("draw", "test"):
        assert re.search(rf"^<!-- {mark} -->\n```bash\npython3 -m venv .*\n```$", README, re.MULTILINE)


def test_links_are_absolute():
    assert not re.findall(r"\]\((?!https://)[^)]*\)", README)
    keys = dict(re.findall(r"^\[([^\]]+)\]: (\S+)$", README, re.MULTILINE))
    assert set(re.findall(r"\]\[([^\]]+)\]", README)) <= keys.keys()
    assert all(url.startswith("https://") for url in keys.values())


@pytest.mark.parametrize("path", REPOSITORY.findall(README))
def test_what_a_link_leads_to_is_there(path):
    assert (ROOT / path).exists()
