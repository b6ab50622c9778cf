"""Exclusive lock on a ledger's own file, under any name; the system releases it when the process ends.

It is flock, which SQLite does not use, so that both can be held on one file and readers are not locked out.
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
    "everyone who already has the message would get a second one"
)

_guard = threading.Lock()
_held: dict[FileId, int] = {}
"""The descriptor of each file that this process has locked."""


class FileLock:
    """Lock on the file at `path`, until it is released.

    Raises `UnusableDatabase` if another ledger holds it, in this process or another, and for hard links. With `wait` it
    waits for other holders: for a file that was just created, which they refuse because it is empty.
    """

    def __init__(self, path: Path, *, wait: bool = False) -> None:
        if file_id(path.stat()) in _held:  # to open it once more would cost a descriptor
            raise UnusableDatabase(IN_USE)
        self._descriptor = os.open(path, os.O_RDWR)
        try:
            status = os.fstat(self._descriptor)
            problem = _lock_problem(self._descriptor, wait=wait) or _file_problem(status, path)
        except BaseException:
            file_descriptors.close(self._descriptor)
            raise
        if problem is not None:
            file_descriptors.close(self._descriptor)
            raise UnusableDatabase(problem)
        self._file = file_id(status)
        with _guard:
            _held[self._file] = self._descriptor

    @property
    def descriptor(self) -> int:
        """Descriptor of the locked file, for reading."""
        return self._descriptor

    @property
    def inode(self) -> str:
        """Inode number of the file, which a copy does not share."""
        return str(self._file[1])

    def release(self) -> None:
        """Release the lock. The connection to the file must be closed before."""
        with _guard:
            _held.pop(self._file, None)
        _unlock(self._descriptor)
        file_descriptors.close(self._descriptor)


def _reset_after_fork() -> None:  # pragma: no cover - coverage does not follow forks
    """Close a forked process's copies of the locks: they would outlast those of the run's own process.

    They are closed and not unlocked, which would release the run's locks too.
    """
    global _guard  # noqa: PLW0603 - a thread that does not exist in the child may hold it
    _guard = threading.Lock()
    for descriptor in _held.values():
        os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):  # pragma: no branch
    os.register_at_fork(after_in_child=_reset_after_fork)


def _file_problem(locked: os.stat_result, path: Path) -> str | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return FILE_REPLACED
    if not os.path.samestat(locked, status):
        return FILE_REPLACED
    return HARD_LINKED if status.st_nlink > 1 else None


def _lock_problem(descriptor: int, *, wait: bool) -> str | None:
    try:
        return None if _try_lock(descriptor, wait=wait) else IN_USE
    except OSError as error:  # a file system that has no locks
        return f"it cannot be locked: {os.strerror(error.errno or 0)}"


if sys.platform == "win32":  # pragma: no cover
    # Not tested. The byte is beyond any database: Windows lets no other process read or write what is locked.
    import msvcrt

    _BYTE = 1 << 62

    def _try_lock(descriptor: int, *, wait: bool) -> bool:
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

    def _try_lock(descriptor: int, *, wait: bool) -> bool:
        try:
            # Unlike lockf, flock also excludes a second lock in this process.
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
