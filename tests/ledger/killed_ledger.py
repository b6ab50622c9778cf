"""The files of a ledger as a killed process leaves them, which a test can damage and restore repeatedly."""

import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

ACCEPTED = 20
"""Number of messages that are claimed and accepted, one after the other, before the kill."""

UNKNOWN = 5_000
"""Number claimed before that, all at once: their frames stay in the file behind those of the restarted log."""

_CHILD = """
import asyncio, os, signal, sys
sys.path.insert(0, {root!r})
from routee_failover.ledger import Transition, SqliteLedger
from tests.ledger.factories import transition_details, claim_request

async def main():
    async with SqliteLedger({path!r}) as ledger:
        await ledger.claim([claim_request(10_000 + line) for line in range({unknown})], lease=60)
        await ledger.put_document("run", {{"rate": 5}})  # after which the log is restarted
        for line in range({accepted}):
            (found,) = await ledger.claim([claim_request(line)], lease=60)
            await ledger.apply(Transition.ACCEPT, transition_details(found, tracking_id="id"))
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


class Frame(NamedTuple):
    """Frame of a log: its position, and whether it commits a transaction."""

    begin: int
    end: int
    commit: bool


class KilledLedger:
    """Files of a ledger whose process was killed; `restore` writes them back into the same inodes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log, self.commits = (path.with_name(f"{path.name}{end}") for end in ("-wal", "-commits"))
        code = _CHILD.format(root=str(ROOT), path=str(path), accepted=ACCEPTED, unknown=UNKNOWN)
        done = subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
        assert done.returncode == -signal.SIGKILL
        self.main_bytes, self.log_bytes, self.commits_bytes = (
            found.read_bytes() for found in (self.path, self.log, self.commits)
        )

    def restore(self, log: bytes | None = None, *, behind: int = 0) -> None:
        """Restore all files, with another log if one is given, and the high-water mark lowered by `behind`."""
        for end in ("-shm", "-wal.set-aside"):
            self.path.with_name(f"{self.path.name}{end}").unlink(missing_ok=True)
        self.path.write_bytes(self.main_bytes)
        self.log.write_bytes(self.log_bytes if log is None else log)
        run_id, count = self.commits_bytes.split()
        self.commits.write_bytes(b"%s %020d\n" % (run_id, int(count) - behind))

    def frames(self) -> Iterator[Frame]:
        """Iterate over the frames of the original log, without those of an older log behind them."""
        (size,) = struct.unpack_from(">I", self.log_bytes, 8)
        begin = 32
        while begin < len(self.log_bytes) and self.log_bytes[begin + 8 : begin + 16] == self.log_bytes[16:24]:
            (commit,) = struct.unpack_from(">I", self.log_bytes, begin + 4)
            yield Frame(begin, begin + 24 + size, bool(commit))
            begin += 24 + size
