"""What a file that is written, replaced or streamed to keeps."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading

import pytest

from layerblocks.files import check_writable, is_stream, write_whole

OLD, NEW = b"old " * 5000, b"new " * 3000
root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(OLD)
    return path


def alone(folder, *names):
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_the_mode_stays(file, mode):
    file.chmod(mode)
    write_whole(file, NEW)
    assert file.read_bytes() == NEW and stat.S_IMODE(file.stat().st_mode) == mode
    alone(file.parent, "file")


@root
def test_the_owner_stays(file):
    os.chown(file, 1, 2)
    file.chmod(0o640)
    write_whole(file, NEW)
    found = file.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (1, 2, 0o640)


def test_an_owner_that_cannot_be_given_stays(file, monkeypatch):
    """By writing into the file itself."""

    def refused(*args):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refused)
    monkeypatch.setattr("pathlib.Path.chmod", refused)
    number = file.stat().st_ino
    write_whole(file, NEW)
    assert file.read_bytes() == NEW and file.stat().st_ino == number
    alone(file.parent, "file")


def test_hard_links_stay(file):
    other = file.with_name("other")
    other.hardlink_to(file)
    write_whole(other, NEW)
    assert file.read_bytes() == NEW and file.samefile(other)
    alone(file.parent, "file", "other")


def test_hard_links_keep_what_was_there_where_it_fails(file, monkeypatch):
    other = file.with_name("other")
    other.hardlink_to(file)
    fdopen, calls = os.fdopen, []

    class Full:
        def __init__(self, stream):
            self.stream = stream

        def __enter__(self):
            return self

        def __exit__(self, *args):
            self.stream.close()

        def write(self, data):
            self.stream.write(data[:10])
            raise OSError(28, "No space left on device")

    def once(number, mode):
        calls.append(mode)
        return Full(fdopen(number, mode)) if len(calls) == 1 else fdopen(number, mode)

    monkeypatch.setattr(os, "fdopen", once)
    with pytest.raises(OSError, match="No space left"):
        write_whole(other, NEW)
    assert file.read_bytes() == OLD and len(calls) == 2


def test_a_symbolic_link_stays_one(file):
    link = file.with_name("link")
    link.symlink_to(file.name)
    write_whole(link, NEW)
    assert link.is_symlink() and file.read_bytes() == NEW


def test_a_read_only_file_is_refused(file):
    file.chmod(0o444)
    for attempt in (lambda: check_writable(file), lambda: write_whole(file, NEW)):
        with pytest.raises(PermissionError, match="read-only"):
            attempt()
    assert file.read_bytes() == OLD
    alone(file.parent, "file")


@pytest.mark.parametrize("mask", [0o077, 0o022, 0o027])
def test_a_new_file_is_as_the_umask_says(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_whole(tmp_path / "new", NEW)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o666 & ~mask


def test_a_pipe_is_written_to(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    assert is_stream(pipe)
    write_whole(pipe, NEW)
    reader.join()
    assert found == [NEW] and stat.S_ISFIFO(pipe.stat().st_mode)


def test_what_is_a_stream(file):
    assert is_stream("-") and is_stream(os.devnull)
    assert not is_stream(file) and not is_stream(file.parent) and not is_stream(file.with_name("none"))


WRITE = """
import os, sys
from layerblocks.files import write_whole
print("before")
write_whole(sys.argv[1], b"the data\\n")
print("after")
"""
NAMES = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"]
posix = pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="needs /dev/stdout")  # noqa: PTH110


def written(folder, name, **options):
    if name == "link":
        (folder / "link").symlink_to("/dev/stdout")
    command = [sys.executable, "-c", WRITE, name]
    return subprocess.run(command, cwd=folder, check=True, **options)


@posix
@pytest.mark.parametrize("name", NAMES)
def test_standard_output_as_a_pipe(tmp_path, name):
    done = written(tmp_path, name, stdout=subprocess.PIPE)
    assert done.stdout == b"before\nthe data\nafter\n"


@posix
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("mode", "kept"), [("ab", b"old\n"), ("wb", b"")])
def test_standard_output_as_a_file(tmp_path, name, mode, kept):
    """`>>` appends, and `>` goes on where the last line ended."""
    (tmp_path / "out").write_bytes(b"old\n")
    with (tmp_path / "out").open(mode) as out:
        written(tmp_path, name, stdout=out)
    assert (tmp_path / "out").read_bytes() == kept + b"before\nthe data\nafter\n"
    alone(tmp_path, "out", *(["link"] if name == "link" else []))
