"""What must never happen with hostile input: an exception that is not ours, or words that quote it.

Cells, files of rows and files of flows have modules of their own: nothing may leave that was not there.
"""

import pickle
import re
from collections.abc import Callable
from typing import Any

from routee_failover import CallbackInbox, InvalidCallback, ReceiveResult, parse_callback, records
from routee_failover._wire.responses import parse_json, parse_object, parse_rejection
from routee_failover.records.record import Record
from routee_failover.webhooks.dedup import payload_digest
from routee_failover.webhooks.progress import progress_of

from . import csv_files, flow_files, phone_cells
from .inputs import BODIES, SEGMENT, SIGNER, Source, bent, broken, one_of

KINDS: list[type[Any]] = [
    kind for kind in vars(records).values() if isinstance(kind, type) and issubclass(kind, Record)
]
_said = re.compile(
    r"this is not a Routee callback: (it is not JSON|it is not a JSON object|it has more than \d+ bytes"
    r"|it is nested more than 64 deep|it has more than \d+ values|it has a number that is too large"
    r"|it has neither trackingId and messages, nor flowId and steps, nor the direction Inbound"
    r"|(messages|steps) is not a list of objects|(messages|steps) has more than 1000 entries|status is not a text"
    r"|(trackingId|flowId|from) is not a text of 1 to 200 printable characters)"
).fullmatch


_known: dict[type[Any], list[str]] = {}


def _properties(kind: type[Any]) -> list[str]:
    if kind not in _known:
        _known[kind] = [name for name in dir(kind) if name[0] != "_" and isinstance(getattr(kind, name), property)]
    return _known[kind]


def use(record: Any) -> None:
    """Everything that somebody may do with a record."""
    repr(record)
    hash(record)
    for name in _properties(type(record)):
        found = getattr(record, name)
        for inner in found if isinstance(found, tuple) else ():
            if isinstance(inner, Record):
                use(inner)
    again = pickle.loads(pickle.dumps(record))
    assert again.raw == record.raw or "nan" in repr(record.raw)


def _refused(read: Callable[[Any], Any], body: Any) -> Any:
    """What is read, or `None` where it is refused in words that are all ours."""
    try:
        return read(body)
    except InvalidCallback as error:
        if not _said(str(error)):
            raise
        return None


def callback(body: Any) -> None:
    """A callback is read and used, or refused in words that are all ours; and the inbox agrees."""
    inbox = CallbackInbox(notify=lambda _record: None, observers=[])
    record = _refused(parse_callback, body)
    if record is None:
        assert _refused(inbox.receive, body) is None
        return
    use(record)
    progress_of(record)
    assert inbox.receive(body) is ReceiveResult.NEW
    assert inbox.receive(body) is ReceiveResult.DUPLICATE


def answer(body: bytes) -> None:
    """An answer of Routee's is read by every record, or said to be unreadable."""
    for kind in KINDS:
        record = parse_object(body, kind.from_dict)
        if not isinstance(record, str):
            use(record)
    parse_json(body)
    str(parse_rejection(400, None, body))


def segment(data: bytes) -> None:
    """No text but our own is an address."""
    text = data.decode("latin-1")
    assert SIGNER.verify(text) == ("intent" if data == SEGMENT else None)


def shaped(source: Source) -> None:
    """A documented shape that is bent a little, as a mapping and as bytes."""
    shape = bent(source)
    callback(shape)
    assert payload_digest(shape) == payload_digest(dict(reversed(shape.items())))


def raw(source: Source) -> None:
    """Bytes that are bent."""
    body = broken(source, BODIES[source.upto(len(BODIES) - 1)])
    callback(body)
    answer(body)


def address(source: Source) -> None:
    """The last segment of an address, bent."""
    segment(broken(source, SEGMENT))


TARGETS: dict[str, Callable[[Source], None]] = {
    "shaped": shaped,
    "raw": raw,
    "address": address,
    "cells": phone_cells.cell,
    "csv": csv_files.fuzz_rows,
    "flows": flow_files.file,
}
"""By the name that `--target` calls each."""


def execute(source: Source) -> None:
    """One execution: whichever target the source picks."""
    one_of(source, [*TARGETS.values()])(source)
