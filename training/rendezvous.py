"""The processes of a training find each other before TensorFlow waits for them, which no Python could end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from contextlib import closing

from ..checks import complaint

_PAUSE = 0.1  # seconds between two attempts
_HELLO = b"layerblocks"


def meet(addresses: Sequence[str], here: int, timeout: float) -> list[str]:
    """Wait until every process has reached every other, and give the addresses of those that did not come.

    Each listens at its own address until all others have been there, and goes to theirs until it is answered; so when
    one stops listening, for TensorFlow to do so, nobody looks for it there any more.

    Args:
        addresses: of all processes, as `host:port`.
        here: the place of this one among them.
        timeout: seconds.

    Raises:
        OSError: another program listens at the port of this process.
    """
    end = time.monotonic() + timeout
    port = _split(addresses[here])[1]
    try:
        server = _server(port)
    except OSError as error:
        said = f"TF_CONFIG must be of free ports, got {addresses[here]} of this process ({error.strerror or error})"
        raise complaint(said, OSError) from error
    came: set[int] = set()
    with closing(server):
        listening = threading.Thread(target=_listen, args=(server, len(addresses), came, end), daemon=True)
        listening.start()
        reached = {here}
        others = {*range(len(addresses))} - {here}
        while time.monotonic() < end and not (others <= reached and others <= came):
            for other in sorted(others - reached):
                if _greet(addresses[other], here):
                    reached.add(other)
            time.sleep(_PAUSE)
    listening.join()
    return [addresses[other] for other in sorted(others - (reached & came))]


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _server(port: int) -> socket.socket:
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    server = socket.create_server(("", port), family=family, dualstack_ipv6=both)
    server.settimeout(_PAUSE)
    return server


def _listen(server: socket.socket, count: int, came: set[int], end: float) -> None:
    """Answer whoever says its number, until all have or there is nobody to listen any more."""
    while time.monotonic() < end and len(came) < count - 1:
        try:
            connection, _ = server.accept()
        except TimeoutError:
            continue
        except OSError:  # closed
            return
        with closing(connection):
            connection.settimeout(1)
            try:
                said = connection.recv(64)
                if said.startswith(_HELLO) and said[len(_HELLO) :].isdigit():
                    connection.sendall(_HELLO)
                    came.add(int(said[len(_HELLO) :]))
            except OSError:  # it is gone, and comes again
                continue


def _greet(address: str, here: int) -> bool:
    """Whether the process at an address answers."""
    try:
        with closing(socket.create_connection(_split(address), timeout=1)) as connection:
            connection.sendall(_HELLO + str(here).encode())
            return connection.recv(64) == _HELLO
    except OSError:
        return False
