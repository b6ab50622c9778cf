"""The currency of a run's prices: Routee's records name none, so it is the one that the account's balance is in."""

from ..ledger import Ledger
from ..records import Balance
from .sanitize import sanitize

DOCUMENT_NAME = "currency"
"""Its name in the ledger."""


async def store_currency(ledger: Ledger, balance: Balance) -> None:
    """Keep the currency that a balance names, for the report; where it names none, nothing changes.

    Raises `LedgerError` where the ledger cannot be written.
    """
    if balance.currency:
        await ledger.put_document(DOCUMENT_NAME, {"code": balance.currency})


async def load_currency(ledger: Ledger) -> str:
    """Return the code that was kept, as `EUR`; empty if none was. Raises `LedgerError` for an unreadable ledger."""
    document = await ledger.get_document(DOCUMENT_NAME)
    code = document.get("code") if isinstance(document, dict) else None
    return sanitize(code, 12) if isinstance(code, str) else ""
