"""Fuzz targets: hostile input must never raise an undocumented error, or one that quotes the input.

Phone cells, CSV files and flow files have modules of their own: nothing may be sent that was not in the input.
"""

import pickle
import re
from collections.abc import Callable
from typing import Any

from routee_failover import CallbackInbox, InvalidCallback, ReceiveResult, parse_callback, records
from routee_failover._wire.responses import parse_json, parse_object, parse_rejection
from routee_failover.records.record import Record
from routee_failover.webhooks.dedup import payload_digest
from routee_failover.webhooks.flow_progress import progress_of

from . import csv_files, flow_files, phone_cells
from .inputs import BODIES, SEGMENT, SIGNER, Source, mutate_bytes, mutate_json, one_of

RECORD_CLASSES: list[type[Any]] = [
    record_class
    for record_class in vars(records).values()
    if isinstance(record_class, type) and issubclass(record_class, Record)
]
_is_known_message = re.compile(
    r"this is not a Routee callback: (it is not JSON|it is not a JSON object|it has more than \d+ bytes"
    r"|it is nested more than 64 deep|it has more than \d+ values"
    r"|it has neither trackingId and messages, nor flowId and steps, nor trackingId and the status of a message, "
    r"nor the direction Inbound"
    r"|(messages|steps) is not a list of objects|(messages|steps) has more than 1000 entries|status is not a text"
    r"|(trackingId|flowId|flow_id|from) is not a text of 1 to 200 printable characters)"
).fullmatch


_property_names: dict[type[Any], list[str]] = {}


def _properties_of(record_class: type[Any]) -> list[str]:
    if record_class not in _property_names:
        _property_names[record_class] = [
            name for name in dir(record_class) if name[0] != "_" and isinstance(getattr(record_class, name), property)
        ]
    return _property_names[record_class]


def exercise_record(record: Any) -> None:
    """Use a record in every way that is possible."""
    repr(record)
    hash(record)
    for name in _properties_of(type(record)):
        found = getattr(record, name)
        for inner in found if isinstance(found, tuple) else ():
            if isinstance(inner, Record):
                exercise_record(inner)
    again = pickle.loads(pickle.dumps(record))
    assert again.raw == record.raw or "nan" in repr(record.raw)


def _read_or_none(read: Callable[[Any], Any], body: Any) -> Any:
    """Return what is read, or `None` if the error is a documented message, which quotes nothing of the input."""
    try:
        return read(body)
    except InvalidCallback as error:
        if not _is_known_message(str(error)):
            raise
        return None


def check_callback(body: Any) -> None:
    """Assert that a callback is read and usable, or fails with a documented message; and that the inbox agrees."""
    inbox = CallbackInbox(notify=lambda _record: None, observers=[])
    record = _read_or_none(parse_callback, body)
    if record is None:
        assert _read_or_none(inbox.receive, body) is None
        return
    exercise_record(record)
    progress_of(record)
    assert inbox.receive(body) is ReceiveResult.NEW
    assert inbox.receive(body) is ReceiveResult.DUPLICATE


def check_response(body: bytes) -> None:
    """Assert that a response is read by every record class, or reported as unreadable."""
    for record_class in RECORD_CLASSES:
        record = parse_object(body, record_class.from_dict)
        if not isinstance(record, str):
            exercise_record(record)
    parse_json(body)
    str(parse_rejection(400, None, body))


def check_segment(data: bytes) -> None:
    """Assert that the signer verifies no segment except its own."""
    text = data.decode("latin-1")
    assert SIGNER.verify(text) == ("reference" if data == SEGMENT else None)


def fuzz_mutated_json(source: Source) -> None:
    """Check a mutated document, as a mapping and as bytes."""
    document = mutate_json(source)
    check_callback(document)
    assert payload_digest(document) == payload_digest(dict(reversed(document.items())))


def fuzz_mutated_bytes(source: Source) -> None:
    """Check a document with mutated bytes."""
    body = mutate_bytes(source, BODIES[source.upto(len(BODIES) - 1)])
    check_callback(body)
    check_response(body)


def fuzz_callback_segment(source: Source) -> None:
    """Check a mutated last segment of a callback URL."""
    check_segment(mutate_bytes(source, SEGMENT))


TARGETS: dict[str, Callable[[Source], None]] = {
    "shaped": fuzz_mutated_json,
    "raw": fuzz_mutated_bytes,
    "address": fuzz_callback_segment,
    "cells": phone_cells.fuzz_phone_cell,
    "csv": csv_files.fuzz_rows,
    "flows": flow_files.fuzz_flow_file,
}
"""Fuzz targets by the name that `--target` uses."""


def execute(source: Source) -> None:
    """Run one execution of a target that the source picks."""
    one_of(source, [*TARGETS.values()])(source)
