"""The one way to write a file: whole or not at all, or streamed where the target is a stream.

Of a file that is replaced, its mode, owner and hard links stay.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import sys
from pathlib import Path

STDOUT = "-"

Target = str | os.PathLike[str]


def is_stream(path: Target) -> bool:
    """Whether what is written there goes through: standard output (`-`), an open descriptor, a pipe or a device."""
    if os.fspath(path) == STDOUT or _descriptor(path) is not None:
        return True
    return Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir()


def check_writable(path: Target) -> None:
    """Raise an OSError that says why, if a file cannot be made or replaced there."""
    if is_stream(path):
        return
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError("it is a folder")
    if target.exists():
        if not _may_be_written(target):
            raise PermissionError("it is read-only")
        return
    folder = target.parent
    if not folder.exists():
        raise FileNotFoundError(f"the folder {str(Path(path).parent)!r} does not exist")
    if not folder.is_dir():
        raise NotADirectoryError(f"{str(Path(path).parent)!r} is not a folder")
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"the folder {str(Path(path).parent)!r} cannot be written to")


def write_whole(path: Target, data: bytes) -> None:
    """Write a file whole or not at all; what is a stream gets the data appended to what went through it before."""
    if os.fspath(path) == STDOUT:
        _stream(1, data)
        return
    number = _descriptor(path)
    if number is not None:
        _stream(number, data)
        return
    check_writable(path)
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        target.write_bytes(data)
    elif not target.exists():
        _replace(target, data, None)
    else:
        before = target.stat()
        if before.st_nlink > 1 or not os.access(target.parent, os.W_OK) or not _replace(target, data, before):
            _write_through(target, data)


def why(error: OSError) -> str:
    """What an OSError says, without its number."""
    return error.strerror or str(error) or errno.errorcode.get(error.errno or 0, "failed")


def _descriptor(path: Target) -> int | None:
    """The descriptor of this process that a path such as /dev/stdout names, also by way of links."""
    ours = re.compile(rf"/dev/fd/(\d+)|/proc/(?:self|thread-self|{os.getpid()})(?:/task/\d+)?/fd/(\d+)")
    name = Path(path).absolute()
    for _ in range(40):  # as many links as Linux follows
        for written in (name, name.parent.resolve() / name.name):
            if found := ours.fullmatch(str(written)):
                return int(found[1] or found[2])
        try:
            name = name.parent / name.readlink()
        except (OSError, ValueError):  # no link
            return None
    return None


def _stream(number: int, data: bytes) -> None:
    """Write to an open descriptor, after what Python still holds back for it."""
    for held in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # None, closed, or without a descriptor
            if held.fileno() == number:
                held.flush()
    with os.fdopen(os.dup(number), "wb") as stream:
        stream.write(data)


def _may_be_written(target: Path) -> bool:
    """Whether its mode and its owner let it be written; root, who may write everything, keeps to the mode too."""
    mode = target.stat().st_mode
    return os.access(target, os.W_OK) and bool(mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))


def _replace(target: Path, data: bytes, before: os.stat_result | None) -> bool:
    """Write beside the file, then put it in its place; False where the result would belong to somebody else."""
    draft = target.with_name(f".layerblocks-{secrets.token_hex(6)}.tmp")
    mode = 0o666 if before is None else 0o600
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
        if before is not None and not _as_before(draft, before):
            draft.unlink()
            return False
        draft.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    return True


def _as_before(draft: Path, before: os.stat_result) -> bool:
    """Give the draft the owner, group and mode of the file; False if that is not allowed."""
    now = draft.stat()
    try:
        if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
            os.chown(draft, before.st_uid, before.st_gid)
        draft.chmod(stat.S_IMODE(before.st_mode))
    except OSError:
        return False
    return True


def _write_through(target: Path, data: bytes) -> None:
    """Write into the file itself, which stays the same one under all its names; on a failure, what was in it again."""
    before = target.read_bytes() if os.access(target, os.R_OK) else None
    try:
        _overwrite(target, data)
    except BaseException:
        if before is not None:
            _overwrite(target, before)
        raise


def _overwrite(target: Path, data: bytes) -> None:
    with os.fdopen(os.open(target, os.O_WRONLY), "wb") as file:
        file.write(data)
        file.truncate()  # at the end: until then there is room for what was in it before
