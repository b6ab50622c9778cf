"""Ledger document with the endpoint of a run's messages, and whether they are raw flows.

It is written before the first entry: reconciliation after a crash has to know what to search, and whether a message
that it does not find can be told from one that carries no label.
"""

from collections.abc import Mapping
from typing import Any

from ...flows import Endpoint

ENDPOINT_DOCUMENT_NAME = "endpoint"


def endpoint_document(endpoint: Endpoint | None, *, raw: bool) -> dict[str, Any]:
    """Return the document."""
    return {"endpoint": str(endpoint), **({"raw": True} if raw else {})}


def is_raw(document: Mapping[str, Any] | None) -> bool:
    """Return whether the messages of a ledger with this document are raw flows."""
    return document is not None and document.get("raw") is True
