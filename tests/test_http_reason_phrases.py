"""Reason phrases do not depend on the Python version."""

from http import HTTPStatus

import pytest

from routee_failover._http_reason_phrases import reason_phrase


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (404, "Not Found"),
        (413, "Content Too Large"),
        (414, "URI Too Long"),
        (416, "Range Not Satisfiable"),
        (422, "Unprocessable Content"),
        (799, "Status 799"),
    ],
)
def test_reason_phrase_follows_rfc_9110_on_every_python(status: int, phrase: str) -> None:
    """A status has the phrase of RFC 9110 on each Python; one without a phrase is named by its number."""
    assert reason_phrase(status) == phrase


def test_every_known_status_has_a_phrase() -> None:
    """Each status that Python knows has a phrase."""
    assert all(reason_phrase(status) and not reason_phrase(status).startswith("Status") for status in HTTPStatus)
