"""Status of a message in every shape that Routee's services write.

`{name, updatedDate}` in failover tracking, `{status, date}` in the services of single messages, a word in failover OTP.
"""

from datetime import datetime

from ._fields import get_datetime, get_enum, get_object, get_str
from .record import JsonObject
from .statuses import MessageStatus


def read_status(data: JsonObject) -> tuple[MessageStatus | None, datetime | None]:
    """Return the status of a message and when it reached it; a missing value is `None`."""
    status = get_object(data, "status")
    if not status:
        return get_enum(MessageStatus, data, "status"), None
    return (
        get_enum(MessageStatus, status, "name") or get_enum(MessageStatus, status, "status"),
        get_datetime(status, "updatedDate") or get_datetime(status, "date"),
    )


def read_detailed_status(data: JsonObject) -> str | None:
    """Return Routee's reason for the status in a few words."""
    status = get_object(data, "status")
    return get_str(get_object(status, "reason"), "detailedStatus") or get_str(status, "reason")


def read_status_description(data: JsonObject) -> str | None:
    """Return Routee's reason for the status as a sentence."""
    return get_str(get_object(get_object(data, "status"), "reason"), "description")
