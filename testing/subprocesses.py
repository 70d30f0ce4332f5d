"""Running models in another process, as on some inputs the platform ends the process or returns wrong memory.

TensorFlow on the CPU, seen in 2.21: a pooling with a window larger than its image can kill the process.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import queue
import re
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from typing import IO, Any

START_SECONDS, JOB_SECONDS = 120.0, 60.0
_LOG = re.compile(r"WARNING|[IWE]\d{4} |\d{4}-\d\d-\d\d |To enable the following instructions")  # TensorFlow's own
_JOBS = 200  # after so many the worker is replaced: built models are never freed entirely


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its reply, or how the process ended."""

    reply: dict[str, Any] | None
    ended: str = ""


class Worker:
    """A Python process that does one job after the other; a new one is started where it has died.

    A job is a dict for `layerblocks.testing.worker`, and so is its reply.
    """

    def __init__(self, module: str = "layerblocks.testing.worker") -> None:
        self.module = module
        self.starts = 0
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[str] | None = None
        self._replies: queue.Queue[str] = queue.Queue()
        self._jobs = 0

    def run(self, job: dict[str, Any], seconds: float = JOB_SECONDS) -> Outcome:
        """Do one job, of so many seconds at most."""
        fresh = self._process is None or self._process.poll() is not None or self._jobs >= _JOBS
        if fresh:
            self._start()
        assert self._process is not None and self._process.stdin is not None
        self._jobs += 1
        with contextlib.suppress(OSError):  # it has died: the empty reply says so
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
        try:
            line = self._replies.get(timeout=seconds + (START_SECONDS if fresh else 0))
            code = None if line else self._process.wait(seconds)
        except (queue.Empty, subprocess.TimeoutExpired):
            self.close()
            return Outcome(None, f"no answer within {seconds:g} s")
        if code is not None:
            said = self._last_words()
            self.close()
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            return Outcome(None, f"the process {how}" + (f": {said}" if said else ""))
        return Outcome(json.loads(line))

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout, self._errors):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
        self._process, self._errors, self._jobs = None, None, 0

    def _start(self) -> None:
        self.close()
        self.starts += 1
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", self.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
        )
        self._replies = queue.Queue()
        threading.Thread(target=_pass_on, args=(self._process.stdout, self._replies), daemon=True).start()

    def _last_words(self) -> str:
        assert self._errors is not None
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors if line.strip() and not _LOG.match(line)]
        return lines[-1][:300] if lines else ""


def _pass_on(stream: IO[str], replies: queue.Queue[str]) -> None:
    with contextlib.suppress(ValueError, OSError):  # closed
        for line in stream:
            replies.put(line)
    replies.put("")


_shared: Worker | None = None


def shared_worker() -> Worker:
    """The worker of this process, which takes seconds to start, for all checks."""
    global _shared
    if _shared is None:
        _shared = Worker()
        atexit.register(_shared.close)
    return _shared
