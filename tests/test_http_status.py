"""Reason phrases do not depend on the Python that runs."""

from http import HTTPStatus

import pytest

from routee_failover._http_status import reason_phrase


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
def test_reason_phrase_is_the_one_of_rfc_9110(status: int, phrase: str) -> None:
    """A status is called what RFC 9110 calls it, on each Python; one without a name is called by its number."""
    assert reason_phrase(status) == phrase


def test_every_status_has_a_phrase() -> None:
    """Each status that Python knows has a phrase."""
    assert all(reason_phrase(status) and not reason_phrase(status).startswith("Status") for status in HTTPStatus)
