"""A lock that one ledger holds for as long as it is open: the system lets go of it when the process is gone."""

import os
import sys
from contextlib import suppress
from pathlib import Path

from ...sqlite_file import Unfit

IN_USE = "a run has it open, here or in another process; wait until that has ended, or give this one a file of its own"


class FileLock:
    """A file beside the ledger, locked while this lives. Raises `Unfit` where somebody else holds it.

    SQLite's own exclusive mode would keep those out who only want to read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        while True:
            descriptor = _opened(path)
            refusal = _refusal(descriptor)
            if refusal is not None:
                os.close(descriptor)
                raise Unfit(refusal)
            # Whoever held it before may have taken the file away between the two: then this locks what nobody sees.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    break
            os.close(descriptor)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go of it, and take its file away."""
        with suppress(OSError):  # Windows takes no file away that is open
            self._path.unlink()
        os.close(self._descriptor)


def _refusal(descriptor: int) -> str | None:
    try:
        return None if _locked(descriptor) else IN_USE
    except OSError as error:  # a file system that has no locks
        return f"it cannot be locked: {os.strerror(error.errno or 0)}"


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        raise Unfit("there is no such folder") from None
    except OSError as error:
        raise Unfit(f"{path.name} beside it cannot be written: {os.strerror(error.errno or 0)}") from None


if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def _locked(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _locked(descriptor: int) -> bool:
        try:
            # Unlike lockf, this also keeps out a second one in this process.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
