"""Lookup of standard and transactional flows: by label if one is shown, otherwise by recipient, kind and time."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ..._search import FlowSearch
from ...client import RouteeClient
from ...flows import Endpoint
from ...ledger import EntryState, Ledger, LedgerEntry
from ...ledger.entry import parse_label
from ...records import Channel, FlowKind, FlowRecord
from .lookup import NO_RECIPIENT_NUMBER, Absent, Found, Inconclusive, LookupResult, Unlabelled

SEARCH_MARGIN = timedelta(days=1)
"""Maximum difference between our clock and Routee's, either way, at which no flow is missed."""
MATCH_TOLERANCE = timedelta(minutes=5)
"""Maximum difference at which a flow without a label still matches the attempt that was sent at that time."""
_MAX_UNLABELLED = 100
"""Limit of flows without a label to one number; more cannot be told apart anyway."""


class _RunMessage(NamedTuple):
    """A message of the run, as far as it identifies the owner of a flow."""

    number: int
    tracking_id: str | None
    is_accepted: bool


class FlowLookup:
    """Lookup of flows by recipient, in the search that Routee has for both endpoints.

    A label is matched wherever one is possible: on each SMS, and on the Viber messages of standard flows. A flow that
    shows such a message without our label is not ours, once the search canary has shown that Routee returns labels.
    """

    def __init__(self, routee: RouteeClient, ledger: Ledger, endpoint: Endpoint) -> None:
        self._routee = routee
        self._ledger = ledger
        self._kind = FlowKind(endpoint.value)
        self._labels_are_returned = False
        """Whether a label of this run was seen on a record. Until then a missing label proves nothing."""

    async def find(self, entry: LedgerEntry, since: float) -> LookupResult | Unlabelled:
        """Look up a message of unknown outcome."""
        if not entry.recipient:
            return Inconclusive(NO_RECIPIENT_NUMBER, retryable=False)
        unlabelled: list[FlowRecord] = []
        async for record in self._search(entry.recipient, since):
            if entry.key_hash in self._key_hashes(record):
                self._labels_are_returned = True
                return _found(record)
            if self._may_be_ours(record) and len(unlabelled) < _MAX_UNLABELLED:
                unlabelled.append(record)
        return Unlabelled(tuple(unlabelled)) if unlabelled else Absent()

    async def resolve_unlabelled(
        self, candidates: Sequence[tuple[LedgerEntry, Unlabelled]]
    ) -> Mapping[int, LookupResult]:
        """Return what flows without a label prove.

        Called after the lookups, which record whose flows they have found.
        """
        shared = {entry.recipient for entry, _ in candidates if entry.key != entry.recipient}
        # If the key is the number, no other message of the run went to the same number.
        known = await self._messages_to(shared) if shared else {}
        return {
            entry.number: _resolve(
                entry, unlabelled, [other for other in known.get(entry.recipient, ()) if other.number != entry.number]
            )
            for entry, unlabelled in candidates
        }

    async def _messages_to(self, recipients: set[str]) -> dict[str, list[_RunMessage]]:
        """Return the messages of this run to some numbers."""
        known: dict[str, list[_RunMessage]] = {}
        async for entry in self._ledger.entries({EntryState.ACCEPTED, EntryState.SENDING, EntryState.UNKNOWN}):
            if entry.recipient in recipients:
                is_accepted = entry.state is EntryState.ACCEPTED
                known.setdefault(entry.recipient, []).append(_RunMessage(entry.number, entry.tracking_id, is_accepted))
        return known

    async def finds_canary(self, canary: LedgerEntry) -> bool:
        """Return whether the search finds a message that is known to be accepted, with its label if it can have one."""
        async for record in self._search(canary.recipient, canary.claimed_at):
            if record.tracking_id == canary.tracking_id:
                labelled = canary.key_hash in self._key_hashes(record)
                self._labels_are_returned |= labelled
                return labelled or self._may_be_ours(record)
        return False

    def _search(self, recipient: str, since: float) -> FlowSearch:
        starts_at = datetime.fromtimestamp(since, UTC) - SEARCH_MARGIN
        ends_at = datetime.fromtimestamp(max(self._ledger.now(), since), UTC) + SEARCH_MARGIN
        # A standard flow is identified by its label; the kind is only needed to tell flows without a label apart.
        kind = None if self._kind is FlowKind.STANDARD else self._kind
        return self._routee.search(to=recipient, flow_kind=kind, since=starts_at, until=ends_at)

    def _key_hashes(self, record: FlowRecord) -> set[int | None]:
        run_id = self._ledger.run_id
        return {parse_label(message.label, run_id) for message in record.messages if message.label}

    def _may_be_ours(self, record: FlowRecord) -> bool:
        """Return whether the record shows no message that would carry our label."""
        if record.flow_kind is not None and record.flow_kind is not self._kind:
            return False
        labels = [message.label for message in record.messages if self._can_be_labelled(message.channel)]
        return not (any(labels) or (labels and self._labels_are_returned))

    def _can_be_labelled(self, channel: Channel | None) -> bool:
        return channel is Channel.SMS or (channel is Channel.VIBER and self._kind is FlowKind.STANDARD)


def _resolve(entry: LedgerEntry, unlabelled: Unlabelled, others: Sequence[_RunMessage]) -> LookupResult:
    known_ids = {other.tracking_id for other in others if other.tracking_id is not None}
    records = [record for record in unlabelled.records if record.tracking_id not in known_ids]
    if not records:
        return Absent()
    if not all(other.is_accepted for other in others):
        return Inconclusive("other messages of this run to the same number are unknown too, and show no label")
    if len(records) > 1:
        return Inconclusive("several flows to the same number show no label")
    record = records[0]
    if not record.messages:
        return Inconclusive("a flow to the same number shows no message yet")
    if not _is_near_attempt(entry, record.created_at):
        return Inconclusive("a flow to the same number shows no label, and was not accepted when this one was sent")
    return _found(record)


def _is_near_attempt(entry: LedgerEntry, accepted_at: datetime | None) -> bool:
    if accepted_at is None:
        return False
    claimed_at = datetime.fromtimestamp(entry.claimed_at, UTC)
    ended_at = datetime.fromtimestamp(max(entry.lease_expires_at, entry.ended_at or 0.0), UTC)
    return claimed_at - MATCH_TOLERANCE <= accepted_at <= ended_at + MATCH_TOLERANCE


def _found(record: FlowRecord) -> Found:
    channel = next((message.channel for message in record.messages if message.channel is not None), None)
    return Found(record.tracking_id, channel, record)
