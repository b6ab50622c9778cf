"""Rows of the file as the values of a ledger."""

from collections.abc import Collection, Sequence
from typing import Any

from ..intent import Counts, Fate, Found, Intent
from ..memory import counts_of
from ..states import State
from .schema import CODES, STATES

_COLUMNS = (
    "number, tag, coalesce(key, recipient), recipient, line, state, attempt, fingerprint, begun_at, lease_until,"
    " ended_at, reason, identity, proof, channel, seconds,"
    " fate_status, fate_channel, fate_price, fate_country, fate_reason, fate_seconds"
)
_FATE = 16  # where that begins

DELIVERIES = (
    "SELECT fate_status, fate_channel, count(*) FROM intents"
    f" WHERE state = {CODES[State.ACCEPTED]} GROUP BY fate_status, fate_channel"
)
BY_TAG = f"SELECT {_COLUMNS} FROM intents WHERE tag = ?"


def page(states: Collection[State] | None, *, without_fate: bool) -> str:
    """The question for the next intents after a number, and at most so many."""
    wanted = ["number > ?"]
    if states is not None:
        codes = [str(CODES[state]) for state in states]
        # Only by this word does SQLite see that the index of what is doubtful serves.
        wanted.append(f"state = {codes[0]}" if len(codes) == 1 else f"state IN ({', '.join(codes)})")
    if without_fate:
        wanted.append("fate_status IS NULL")
    return f"SELECT {_COLUMNS} FROM intents WHERE {' AND '.join(wanted)} ORDER BY number LIMIT ?"


def intent_of(row: Sequence[Any]) -> Intent:
    """An intent, of a row of `BY_TAG` or a page."""
    number, tag, key, recipient, line, state, attempt, fingerprint, begun, until, ended, *more = row[:_FATE]
    reason, identity, proof, channel, seconds = more
    return Intent(
        number=number,
        tag=tag,
        key=key,
        recipient=recipient,
        line=line,
        state=STATES[state],
        attempt=attempt,
        fingerprint=fingerprint,
        begun_at=begun,
        lease_until=until,
        ended_at=ended,
        reason=reason,
        identity=identity,
        proof=proof,
        channel=channel,
        seconds=seconds,
        fate=None if row[_FATE] is None else Fate(number, *row[_FATE:]),
    )


def found_of(row: Sequence[Any]) -> Found:
    """How one stands, of a row of `statements.KNOWN`."""
    number, attempt, state, line, fingerprint, *_, recipient = row
    return Found(number, attempt, STATES[state], line, fingerprint, False, recipient)


def counts_in(tally: Sequence[int]) -> Counts:
    """Counts that stand in the order of `schema.STATES`."""
    return counts_of(dict(zip(STATES, tally, strict=True)))
