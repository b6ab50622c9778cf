"""Reason phrases of HTTP statuses, the same on every Python version."""

from http import HTTPStatus

# Python 3.13 adopted these names of RFC 9110; 3.11 and 3.12 have those of earlier RFCs.
_RFC_9110 = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}


def reason_phrase(status: int) -> str:
    """Return the RFC 9110 reason phrase of a status; `Status 799` for a status without one."""
    try:
        return _RFC_9110.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"
