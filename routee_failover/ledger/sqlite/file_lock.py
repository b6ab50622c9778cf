"""Exclusive lock on a ledger's own file, whatever its name; the system releases it when the process ends.

It is flock, which SQLite does not use, so that both are held on one file and those who only read stay welcome.
"""

import os
import sys
import threading
from pathlib import Path

from ..._sqlite import HARD_LINKED, UnusableDatabase
from . import file_descriptors
from .file_descriptors import FILE_REPLACED, FileId, file_id

IN_USE = (
    "a run has it open, here or in another process; wait until that has ended, or stop it. With another ledger "
    "everyone who has the message already would get a second one"
)

_guard = threading.Lock()
_held: dict[FileId, int] = {}
"""The descriptor of each file that is locked here."""


class FileLock:
    """Lock on the file at `path` while this lives. Raises `Unfit` where another ledger holds it, and for hard links.

    With `wait` it waits for others, for a file that was made just now: they refuse it for being empty.
    """

    def __init__(self, path: Path, *, wait: bool = False) -> None:
        if file_id(path.stat()) in _held:  # to open it here once more would cost a descriptor
            raise UnusableDatabase(IN_USE)
        self._descriptor = os.open(path, os.O_RDWR)
        try:
            found = os.fstat(self._descriptor)
            refusal = _refusal(self._descriptor, wait=wait) or _unfit(found, path)
        except BaseException:
            file_descriptors.close(self._descriptor)
            raise
        if refusal is not None:
            file_descriptors.close(self._descriptor)
            raise UnusableDatabase(refusal)
        self._file = file_id(found)
        with _guard:
            _held[self._file] = self._descriptor

    @property
    def descriptor(self) -> int:
        """The locked file, to be read."""
        return self._descriptor

    @property
    def inode(self) -> str:
        """The number of the file in its file system, which a copy does not have."""
        return str(self._file[1])

    def release(self) -> None:
        """Release it. The connection to the file is closed before."""
        with _guard:
            _held.pop(self._file, None)
        _unlock(self._descriptor)
        file_descriptors.close(self._descriptor)


def _forget_after_fork() -> None:  # pragma: no cover - coverage does not follow forks
    """Close, in a process that was forked, what it has of the locks: it would keep them after the run's own process.

    They are closed and not released, which would release the run's.
    """
    global _guard  # noqa: PLW0603 - a thread that is not here may hold it
    _guard = threading.Lock()
    for descriptor in _held.values():
        os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):  # pragma: no branch
    os.register_at_fork(after_in_child=_forget_after_fork)


def _unfit(found: os.stat_result, path: Path) -> str | None:
    try:
        now = path.stat()
    except FileNotFoundError:
        return FILE_REPLACED
    if not os.path.samestat(found, now):
        return FILE_REPLACED
    return HARD_LINKED if now.st_nlink > 1 else None


def _refusal(descriptor: int, *, wait: bool) -> str | None:
    try:
        return None if _locked(descriptor, wait=wait) else IN_USE
    except OSError as error:  # a file system that has no locks
        return f"it cannot be locked: {os.strerror(error.errno or 0)}"


if sys.platform == "win32":  # pragma: no cover
    # Not tested. The byte lies beyond any database: Windows lets no other process read or write what is locked.
    import msvcrt

    _BYTE = 1 << 62

    def _locked(descriptor: int, *, wait: bool) -> bool:
        os.lseek(descriptor, _BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _locked(descriptor: int, *, wait: bool) -> bool:
        try:
            # Unlike lockf, this also keeps out a second one in this process.
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
