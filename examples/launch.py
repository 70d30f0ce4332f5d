"""Run a program as the workers of a `multiworker` training, and start them again when one is lost.

python examples/launch.py --workers 2 examples/train.py googlenet_bn --strategy multiworker
python examples/launch.py --hosts a:2222,b:2222 --index 0 examples/train.py googlenet_bn --strategy multiworker

The first runs all workers on this machine, to try it out. The second runs one of them; on b the same line has
`--index 1`. Each worker knows by TF_CONFIG who the others are. When one of them is gone the others cannot go on, and
end; they are all started again, and go on from their last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

REFUSED = 2  # the exit code of a program that would refuse again


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def start(program: Sequence[str], addresses: Sequence[str], index: int) -> subprocess.Popen:
    """One worker of those at the addresses."""
    config = {"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": index}}
    return subprocess.Popen([sys.executable, *program], env=os.environ | {"TF_CONFIG": json.dumps(config)})


def finished(workers: Sequence[subprocess.Popen], grace: float) -> list[int]:
    """The exit codes of all, when all have ended; those that are left after one has failed get `grace` seconds."""
    limit = None
    while any(worker.poll() is None for worker in workers):
        if limit is None and any(worker.poll() for worker in workers):
            limit = time.monotonic() + grace
        if limit is not None and time.monotonic() > limit:
            end(workers)
        time.sleep(0.1)
    return [worker.wait() for worker in workers]


def end(workers: Sequence[subprocess.Popen]) -> None:
    for worker in workers:
        if worker.poll() is None:
            worker.kill()  # TensorFlow keeps SIGTERM for itself


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--workers", type=int, metavar="COUNT", help="run so many, all on this machine")
    where.add_argument("--hosts", metavar="HOST:PORT,…", help="of all workers, of which this machine runs one")
    parser.add_argument("--index", type=int, help="which of the hosts this is, from 0; it is the chief that writes")
    parser.add_argument("--restarts", type=int, default=10, help="how often to start again before giving up")
    parser.add_argument("--grace", type=float, default=60, help="seconds for the others to end, when one has failed")
    parser.add_argument("program", nargs=argparse.REMAINDER, help="a Python file and its arguments")
    arguments = parser.parse_args()
    hosts = arguments.hosts.split(",") if arguments.hosts else []
    if not arguments.program:
        parser.error("which program?")
    if arguments.workers is not None and arguments.workers < 1:
        parser.error("--workers must be at least 1")
    if hosts and (arguments.index is None or not 0 <= arguments.index < len(hosts)):
        parser.error(f"--index must be 0 to {len(hosts) - 1}, as --hosts has {len(hosts)}")

    for attempt in range(arguments.restarts + 1):
        addresses = hosts or [f"127.0.0.1:{port}" for port in free_ports(arguments.workers)]
        mine = [arguments.index] if hosts else range(len(addresses))
        workers = [start(arguments.program, addresses, index) for index in mine]
        try:
            codes = finished(workers, arguments.grace)
        finally:
            end(workers)
        if not any(codes):
            return 0
        if REFUSED in codes:
            return REFUSED
        if attempt < arguments.restarts:
            said = ", ".join(f"worker {index}: {code}" for index, code in zip(mine, codes, strict=True))
            print(f"launch.py: ended with exit code {said}; starting again", file=sys.stderr, flush=True)
            time.sleep(1)
    print(f"launch.py: gave up after {arguments.restarts} restarts", file=sys.stderr)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
