"""The devices of one machine or of several, as a strategy of `tf.distribute`."""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .. import checks
from ..checks import complaint, public
from .rendezvous import meet

VARIABLE = "TF_CONFIG"
CLUSTER = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
JOBS = ("chief", "worker")
STRATEGIES = ("mirrored", "multiworker")


class WorkerLost(RuntimeError):
    """Another process of the training is gone, or did not answer in time.

    Nothing can be done in this process any more: all processes have to end and to be started again.
    """


@public
def device_strategy(name: str, *, timeout: float = 600) -> Any:
    """The strategy to build a model in and to train it with by `fit_distributed`.

    Make it before anything else of TensorFlow runs.

    Args:
        name: `mirrored`, for all GPUs of this machine, or its logical CPUs if there are none; or `multiworker`, for
            those of all machines in the environment variable `TF_CONFIG`, on each of which the same program runs.
        timeout: seconds that this process waits for the others, at the start and in each exchange with them; after
            that it is a `WorkerLost`. (Where one is gone within the moment in which TensorFlow itself looks for them,
            this process ends with exit code 1 and the stack on standard error.)

    Returns:
        A `tf.distribute.Strategy`.

    Raises:
        ValueError: there is no such strategy, or `TF_CONFIG` does not say which processes there are and which is this.
        WorkerLost: the others did not come, or were there and are gone.
        OSError: another program listens at the port of this process.

    Example:
        >>> strategy = device_strategy("mirrored")
        >>> strategy.num_replicas_in_sync, is_chief(strategy)
        (1, True)
    """
    name = checks.choice("name", name, STRATEGIES)
    timeout = checks.number("timeout", timeout, "seconds above 0", above=0)
    import tensorflow as tf

    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    addresses, here = _addresses(os.environ.get(VARIABLE))
    if len(addresses) > 1:
        print(f"waiting for {', '.join(addresses)}, at most {timeout:g} s", file=sys.stderr, flush=True)
        missing = meet(addresses, here, timeout)
        if missing:
            again = f"start the program on all machines of {VARIABLE}"
            raise complaint(f"{', '.join(missing)} did not come within {timeout:g} s; {again}", WorkerLost)
    options = tf.distribute.experimental.CommunicationOptions(timeout_seconds=timeout)
    with _at_most(timeout, addresses), lost_workers("at the start"):
        return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)


@public
def is_chief(strategy: Any) -> bool:
    """Whether this process is the one that writes files: the only one, or of several the chief or worker 0."""
    resolver = checked_strategy(strategy).cluster_resolver
    if resolver is None:
        return True
    jobs = resolver.cluster_spec().jobs
    return not jobs or (resolver.task_type, resolver.task_id) == (min(jobs), 0)  # "chief" comes before "worker"


def checked_strategy(strategy: Any) -> Any:
    """The value, if it is a strategy of TensorFlow."""
    if not hasattr(strategy, "cluster_resolver"):
        raise checks.refuse("strategy", strategy, "what device_strategy gives", TypeError)
    return strategy


@contextmanager
def lost_workers(when: str) -> Iterator[None]:
    """Turn what TensorFlow raises when another process is gone into a `WorkerLost`."""
    from tensorflow import errors

    try:
        yield
    except (errors.AbortedError, errors.CancelledError, errors.DeadlineExceededError, errors.UnavailableError) as error:
        lines = [line.strip(" :") for line in error.message.splitlines()]
        reason = next((line for line in lines if "aborted by" in line), type(error).__name__)
        again = "start all workers again, and they go on from the last checkpoint"
        raise complaint(f"another worker was lost {when} ({reason}); {again}", WorkerLost) from error


@contextmanager
def _at_most(timeout: float, addresses: list[str]) -> Iterator[None]:
    """End the process if it takes longer: TensorFlow waits for the others while no Python can run."""
    if len(addresses) > 1:
        faulthandler.dump_traceback_later(timeout, exit=True, file=sys.__stderr__ or sys.stderr)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def _addresses(text: str | None) -> tuple[list[str], int]:
    """All processes that `TF_CONFIG` names, and the place of this one among them.

    Raises:
        ValueError: it is missing or not as TensorFlow needs it.
    """
    if text is None:
        raise complaint(
            f"name must be 'mirrored' where the environment variable {VARIABLE} is not set, got 'multiworker'; on the "
            f"first of two machines it is {CLUSTER}"
        )
    try:
        config = json.loads(text)
    except ValueError as error:
        raise _refuse("JSON", text) from error
    cluster, task = (config.get(key) if isinstance(config, Mapping) else None for key in ("cluster", "task"))
    if not isinstance(cluster, Mapping) or not isinstance(task, Mapping):
        raise _refuse("a cluster and a task", text)
    if not cluster or not set(cluster) <= set(JOBS) or "worker" not in cluster:
        raise _refuse("a cluster of worker and perhaps chief", text)
    for job, hosts in cluster.items():
        if not isinstance(hosts, list) or not hosts or not all(map(_is_address, hosts)):
            raise _refuse(f"{job} as a list of host:port", text)
    if len(cluster.get("chief", [None])) != 1:
        raise _refuse("one chief at most", text)
    addresses = [address for job in sorted(cluster) for address in cluster[job]]
    twice = sorted({address for address in addresses if addresses.count(address) > 1})
    if twice:
        raise _refuse(f"each address once ({', '.join(twice)} is not)", text)
    job, index = task.get("type"), task.get("index")
    if not isinstance(job, str) or job not in cluster:
        raise _refuse(f"a task whose type is {' or '.join(sorted(cluster))}", text)
    count = len(cluster[job])
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < count:
        raise _refuse(f"a task whose index is from 0 to {count - 1}, as there are {count} of type {job}", text)
    return addresses, addresses.index(cluster[job][index])


def _refuse(must_be: str, text: str) -> Exception:
    return checks.refuse(VARIABLE, text, f"{must_be}, as in {CLUSTER}")


def _is_address(value: Any) -> bool:
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    return bool(host) and port.isdecimal() and 0 < int(port) < 65536
