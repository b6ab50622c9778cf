"""Currency of a run's prices: Routee's records name none, so it is the currency of the account's balance."""

from ..ledger import Ledger
from ..records import Balance
from .sanitize import sanitize

DOCUMENT_NAME = "currency"
"""Name of the ledger document."""


async def store_currency(ledger: Ledger, balance: Balance) -> None:
    """Store the currency of a balance for the report; if the balance names none, nothing changes.

    Raises `LedgerError` if the ledger cannot be written.
    """
    if balance.currency:
        await ledger.put_document(DOCUMENT_NAME, {"code": balance.currency})


async def load_currency(ledger: Ledger) -> str:
    """Return the stored currency code, such as `EUR`; empty if none is stored. Raises `LedgerError`."""
    document = await ledger.get_document(DOCUMENT_NAME)
    code = document.get("code") if isinstance(document, dict) else None
    return sanitize(code, 12) if isinstance(code, str) else ""
