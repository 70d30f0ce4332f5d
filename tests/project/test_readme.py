"""The README's code runs as it stands."""

import re
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_tour_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "readme"}
    for code in re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL):
        exec(compile(code, "README.md", "exec"), namespace)
    assert (tmp_path / "tiny_net.svg").read_text(encoding="utf-8").count("<svg") == 1


def test_the_two_commands_are_there_for_ci_to_run():
    for mark in ("draw", "test"):
        assert re.search(rf"^<!-- {mark} -->\n```bash\npython3 -m venv .*\n```$", README, re.MULTILINE)
