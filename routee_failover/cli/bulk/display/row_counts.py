"""Row counts of a run, computed once for every display, and number formats."""

from typing import Any, NamedTuple

import attrs

from ....bulk.progress import Progress
from ....ledger import StateCounts


class RowGroup(NamedTuple):
    """Number of rows with the same outcome."""

    name: str
    number: int
    style: str


@attrs.frozen(kw_only=True)
class RowCounts:
    """Rows by outcome; each row counts once."""

    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    expired: int = 0
    invalid: int = 0
    key_conflicts: int = 0
    """Invalid rows that have the key of a message to another recipient."""
    duplicates: int = 0
    deferred: int = 0
    """Remaining rows that wait for the send window of their recipients."""
    suppressed: int = 0
    """Rows on the suppression list."""
    limit_reached: bool = False
    """Whether rows remain because of the limit on messages."""
    in_flight: int = 0
    new: int = 0
    """Remaining rows that are in the ledger."""
    missing_from_source: int = 0
    """New rows that a run did not find, although it read its whole source."""
    incomplete: bool = False
    """Whether a run stopped before it had read all rows of an earlier one: the number of remaining rows is unknown."""
    total: int | None = None
    """Number of rows in the source."""

    @classmethod
    def from_progress(cls, progress: Progress) -> "RowCounts":
        """Return the counts of a run in progress."""
        return cls.from_counts(
            progress.counts,
            in_flight=progress.in_flight,
            total=progress.total,
            key_conflicts=progress.key_conflicts,
            duplicates=progress.duplicates,
            deferred=progress.deferred,
            suppressed=progress.suppressed,
            suppressed_new=progress.suppressed_new,
            limit_reached=progress.limit_reached,
        )

    @classmethod
    def after_run(cls, progress: Progress, *, interrupted: bool, done_before: int) -> "RowCounts":
        """Return the counts of a finished run; an earlier one had done `done_before` rows."""
        counts = cls.from_progress(progress)
        if _is_complete(progress, interrupted=interrupted):
            return attrs.evolve(counts, missing_from_source=counts.new)
        return attrs.evolve(counts, incomplete=counts.total is not None and progress.skipped < done_before)

    @classmethod
    def from_counts(
        cls,
        counts: StateCounts,
        *,
        in_flight: int | None = None,
        missing_from_source: int = 0,
        suppressed_new: int = 0,
        **known: Any,
    ) -> "RowCounts":
        """Return the counts of a ledger, with what only the source knows.

        Claimed rows beyond `in_flight` wait to be sent; without that number every claimed row counts as in flight.
        """
        sending = counts.sending if in_flight is None else min(in_flight, counts.sending)
        new = max(counts.new - suppressed_new, 0)
        return cls(
            accepted=counts.accepted,
            rejected=counts.rejected,
            unknown=counts.unknown,
            expired=counts.expired,
            invalid=counts.invalid,
            in_flight=sending,
            new=new + counts.sending - sending,
            missing_from_source=min(missing_from_source, new),
            **known,
        )

    @property
    def done(self) -> int:
        """Rows that need no more sending: each has an outcome, possibly UNKNOWN, or is a duplicate or suppressed."""
        own = self.accepted + self.rejected + self.unknown + self.expired + self.invalid
        return own + self.duplicates + self.suppressed

    @property
    def remaining(self) -> int | None:
        """Rows that are not sent yet; `None` while their number is unknown."""
        if self.total is None:
            return self.new or None
        return max(self.total - self.done - self.in_flight, self.new)

    @property
    def all_rows(self) -> int | None:
        """Rows of the source, and messages of the ledger whose rows are no longer in it."""
        return None if self.total is None else max(self.total, self.done + self.in_flight + self.new)

    @property
    def not_in_source(self) -> int:
        """Minimum number of messages in the ledger that are no longer in the source."""
        return 0 if self.total is None else (self.all_rows or 0) - self.total

    @property
    def has_remaining(self) -> bool:
        """Whether another run has something to send, as far as is known."""
        return bool(self.remaining or self.in_flight or self.incomplete)

    @property
    def done_share(self) -> float | None:
        """Share of rows that are done, from 0 to 1."""
        return self.done / self.all_rows if self.all_rows else None

    def groups(self) -> list[RowGroup]:
        """Return the counts to display: the common ones always, the others if there are any."""
        groups = [
            RowGroup("accepted", self.accepted, "green"),
            RowGroup("rejected", self.rejected, "red"),
            RowGroup("unknown", self.unknown, "magenta"),
            RowGroup("invalid", self.invalid, "yellow"),
            RowGroup("duplicates", self.duplicates, "dim"),
            RowGroup("deferred", self.deferred, "cyan"),
            RowGroup("in flight", self.in_flight, "cyan"),
        ]
        if self.expired:
            groups.insert(4, RowGroup("expired", self.expired, "yellow"))
        if self.suppressed:
            groups.insert(-2, RowGroup("suppressed", self.suppressed, "dim"))
        if self.remaining is not None:
            groups.append(RowGroup("not sent", self.remaining, ""))
        return groups


def with_final_totals(progress: Progress, *, interrupted: bool) -> Progress:
    """Return the final progress with exact totals if the run read its whole source: none of its rows remains.

    Rows without an entry of their own have the key of another row. An earlier run may have sent that one without
    counting them as duplicates.
    """
    if progress.total is None or not _is_complete(progress, interrupted=interrupted):
        return progress
    counts = RowCounts.from_progress(progress)
    own = counts.done - counts.duplicates + counts.in_flight
    return attrs.evolve(progress, total=progress.read, duplicates=max(progress.read - own, 0))


def _is_complete(progress: Progress, *, interrupted: bool) -> bool:
    """Return whether every row of the source was read and none was deferred."""
    return not (interrupted or progress.pause_reason is not None or progress.deferred)


def format_number(value: int) -> str:
    """Format an integer: 12,345."""
    return f"{value:,}"


def format_percent(share: float) -> str:
    """Format a share; 0 % and 100 % mean exactly none and all."""
    shown = share * 100
    if 0 < shown < 0.1:
        return "under 0.1 %"
    if shown < 10 and shown != int(shown):
        return f"{shown:.1f} %"
    return f"{min(int(shown), 99) if share < 1 else 100} %"


def format_duration(seconds: float) -> str:
    """Format a duration: 8 s, 2:05 min, 3:20:00 h."""
    whole = max(int(seconds + 0.5), 0)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours < 48 else f"{hours // 24} days {hours % 24} h"


def format_rate(rate: float) -> str:
    """Format a rate: 412/s, 0.5/s."""
    return f"{rate:,.0f}/s" if rate >= 10 or rate == int(rate) else f"{rate:.1f}/s"
