"""Looking for standard and transactional flows: by the label where one is shown, else by recipient, kind and time."""

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
"""How far our clock and Routee's may be apart, either way, without a flow being missed."""
MATCH_TOLERANCE = timedelta(minutes=5)
"""How far they may be apart for a flow without a label to be taken for the one that was sent then."""
_MAX_UNLABELLED = 100
"""More flows without a label to one number are not told apart anyway."""


class _Known(NamedTuple):
    """A message of the run, as far as it says whose a flow is."""

    number: int
    identity: str | None
    is_accepted: bool


class FlowLookup:
    """Looks for flows by recipient, in the search that Routee has for both endpoints.

    A label is matched wherever one can be: on each SMS, and on the Viber messages of standard flows. A flow that shows
    such a message without our label is not ours, as far as the control shows that Routee does give labels back.
    """

    def __init__(self, routee: RouteeClient, ledger: Ledger, endpoint: Endpoint) -> None:
        self._routee = routee
        self._ledger = ledger
        self._kind = FlowKind(endpoint.value)
        self._labels_come_back = False
        """Whether a label of this run was seen on a record. Before, none proves nothing by being absent."""

    async def find(self, entry: LedgerEntry, since: float) -> LookupResult | Unlabelled:
        """Look for a message in doubt."""
        if not entry.recipient:
            return Inconclusive(NO_RECIPIENT_NUMBER, retryable=False)
        nameless: list[FlowRecord] = []
        async for record in self._search(entry.recipient, since):
            if entry.key_hash in self._key_hashes(record):
                self._labels_come_back = True
                return _found(record)
            if self._may_be_ours(record) and len(nameless) < _MAX_UNLABELLED:
                nameless.append(record)
        return Unlabelled(tuple(nameless)) if nameless else Absent()

    async def resolve_unlabelled(
        self, candidates: Sequence[tuple[LedgerEntry, Unlabelled]]
    ) -> Mapping[int, LookupResult]:
        """What flows without a label prove. After the looks: the ledger knows by then whose they have shown."""
        shared = {intent.recipient for intent, _ in candidates if intent.key != intent.recipient}
        # Where numbers are the keys, no other message of the run went to the same one.
        known = await self._known(shared) if shared else {}
        return {
            intent.number: _resolve(
                intent, nameless, [one for one in known.get(intent.recipient, ()) if one.number != intent.number]
            )
            for intent, nameless in candidates
        }

    async def _known(self, recipients: set[str]) -> dict[str, list[_Known]]:
        """The messages of this run to some numbers."""
        known: dict[str, list[_Known]] = {}
        async for one in self._ledger.entries({EntryState.ACCEPTED, EntryState.SENDING, EntryState.UNKNOWN}):
            if one.recipient in recipients:
                is_accepted = one.state is EntryState.ACCEPTED
                known.setdefault(one.recipient, []).append(_Known(one.number, one.tracking_id, is_accepted))
        return known

    async def finds_canary(self, canary: LedgerEntry) -> bool:
        """Whether the search finds a message that is known to be accepted, with its label where it can have one."""
        async for record in self._search(canary.recipient, canary.claimed_at):
            if record.tracking_id == canary.tracking_id:
                labelled = canary.key_hash in self._key_hashes(record)
                self._labels_come_back |= labelled
                return labelled or self._may_be_ours(record)
        return False

    def _search(self, recipient: str, since: float) -> FlowSearch:
        begins = datetime.fromtimestamp(since, UTC) - SEARCH_MARGIN
        ends = datetime.fromtimestamp(max(self._ledger.now(), since), UTC) + SEARCH_MARGIN
        # The label of a standard flow says enough; by its kind is asked only where that has to tell flows apart.
        kind = None if self._kind is FlowKind.STANDARD else self._kind
        return self._routee.search(to=recipient, flow_kind=kind, since=begins, until=ends)

    def _key_hashes(self, record: FlowRecord) -> set[int | None]:
        run = self._ledger.run_id
        return {parse_label(message.label, run) for message in record.messages if message.label}

    def _may_be_ours(self, record: FlowRecord) -> bool:
        """Whether it shows no message on which our label would stand."""
        if record.flow_kind is not None and record.flow_kind is not self._kind:
            return False
        labels = [message.label for message in record.messages if self._can_be_labelled(message.channel)]
        return not (any(labels) or (labels and self._labels_come_back))

    def _can_be_labelled(self, channel: Channel | None) -> bool:
        return channel is Channel.SMS or (channel is Channel.VIBER and self._kind is FlowKind.STANDARD)


def _resolve(intent: LedgerEntry, nameless: Unlabelled, others: Sequence[_Known]) -> LookupResult:
    claimed = {one.identity for one in others if one.identity is not None}
    records = [record for record in nameless.records if record.tracking_id not in claimed]
    if not records:
        return Absent()
    if not all(one.is_accepted for one in others):
        return Inconclusive("other messages of this run to the same number are in doubt too, and show no label")
    if len(records) > 1:
        return Inconclusive("several flows to the same number show no label")
    record = records[0]
    if not record.messages:
        return Inconclusive("a flow to the same number shows no message yet")
    if not _close(intent, record.created_at):
        return Inconclusive("a flow to the same number shows no label, and was not accepted when this one was sent")
    return _found(record)


def _close(intent: LedgerEntry, moment: datetime | None) -> bool:
    if moment is None:
        return False
    begun = datetime.fromtimestamp(intent.claimed_at, UTC)
    ended = datetime.fromtimestamp(max(intent.lease_expires_at, intent.ended_at or 0.0), UTC)
    return begun - MATCH_TOLERANCE <= moment <= ended + MATCH_TOLERANCE


def _found(record: FlowRecord) -> Found:
    channel = next((message.channel for message in record.messages if message.channel is not None), None)
    return Found(record.tracking_id, channel, record)
