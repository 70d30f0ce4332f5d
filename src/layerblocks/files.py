"""The one way to write a file: whole or not at all, or streamed where the target is a stream."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path


def check_writable(path: Path) -> None:
    """Raise an OSError that says why, if a file cannot be made there."""
    folder = path.parent
    if path.is_dir():
        raise IsADirectoryError("it is a folder")
    if not folder.exists():
        raise FileNotFoundError(f"the folder {str(folder)!r} does not exist")
    if not folder.is_dir():
        raise NotADirectoryError(f"{str(folder)!r} is not a folder")
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"the folder {str(folder)!r} cannot be written to")


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file whole or not at all: beside it first, then in its place."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():  # a device or a pipe, which nothing can take the place of
        target.write_bytes(data)
        return
    draft = target.with_name(f".layerblocks-{secrets.token_hex(6)}.tmp")
    try:
        with draft.open("xb") as file:
            file.write(data)
        draft.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def why(error: OSError) -> str:
    """What an OSError says, without its number."""
    return error.strerror or str(error) or errno.errorcode.get(error.errno or 0, "failed")
