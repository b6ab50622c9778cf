"""High-water mark of a ledger: the number of committed transactions, in a small file beside it.

It is written after each commit and not synced, which costs two microseconds. So it is never ahead of what is safe, and
if the ledger is behind it, something was lost. A kill leaves it exact; a power cut may leave an older mark, which
detects less and never reports a loss that is not one.
"""

import os
from contextlib import suppress
from pathlib import Path

COMMITS_SUFFIX = "-commits"

_DIGITS = 20
_WAL_SUFFIX = "-wal"


def sidecar_path(path: Path, suffix: str) -> Path:
    """Return the path of a file that belongs to the ledger at `path`."""
    return path.with_name(f"{path.name}{suffix}")


def read_high_water(path: Path, run_id: str) -> int | None:
    """Read the mark of the ledger at `path`; `None` if there is none of this run. Raises `OSError`."""
    try:
        parts = sidecar_path(path, COMMITS_SUFFIX).read_bytes().split()
    except FileNotFoundError:
        return None
    valid = len(parts) == 2 and parts[0] == run_id.encode() and len(parts[1]) == _DIGITS and parts[1].isdigit()
    return int(parts[1]) if valid else None


_CREATING = b"begun\n"
"""Content while a ledger is being created: nothing was sent with it, so that an empty file may be used again."""


def begin_creation(path: Path) -> str | None:
    """Record that a ledger is about to be created; return the name of a file left over from a missing ledger.

    Such a file is proof that messages may have been sent, and a new ledger would send them again.
    """
    mark = sidecar_path(path, COMMITS_SUFFIX)
    with suppress(OSError):  # creating the ledger itself reports why its folder cannot be used
        descriptor = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        try:
            os.write(descriptor, _CREATING)
        finally:
            os.close(descriptor)
    leftover = next((file for file in (mark, sidecar_path(path, _WAL_SUFFIX)) if not _is_blank(file)), None)
    if leftover is None or os.path.lexists(path):  # another process may have created it meanwhile
        return None
    clear_creation(path)
    return leftover.name


def _is_blank(path: Path) -> bool:
    try:
        return path.read_bytes() in {b"", _CREATING}
    except OSError:
        return True


def creation_begun(path: Path) -> bool:
    """Return whether a ledger was being created, so that nothing was sent with it."""
    try:
        return sidecar_path(path, COMMITS_SUFFIX).read_bytes() == _CREATING
    except OSError:
        return False


def clear_creation(path: Path) -> None:
    """Remove what `begin_creation` wrote, if no ledger was created."""
    if creation_begun(path):
        with suppress(OSError):
            sidecar_path(path, COMMITS_SUFFIX).unlink()


class HighWaterMark:
    """High-water mark of an open ledger. Raises `OSError`."""

    def __init__(self, path: Path, run_id: str, commits: int) -> None:
        self._path, self._run_id = sidecar_path(path, COMMITS_SUFFIX), run_id
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        try:
            self.record(commits)
            os.fsync(self._descriptor)
            _sync_folder(path.parent)
        except BaseException:
            os.close(self._descriptor)
            raise

    def record(self, commits: int) -> None:
        """Record how many transactions are safe."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, f"{self._run_id} {commits:0{_DIGITS}d}\n".encode())

    def close(self, *, remove: bool) -> None:
        """Close the file; `remove` it once the ledger's main file holds everything."""
        os.close(self._descriptor)
        if remove:
            with suppress(OSError):
                self._path.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file survive a power cut, if the system supports it."""
    with suppress(OSError):  # Windows opens no folders, and does not need this
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
