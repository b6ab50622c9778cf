"""The currency of a run's prices: Routee's records name none, so it is the one that the account's balance is in."""

from ..ledger import Ledger
from ..records import Balance
from .plain import plain

DOCUMENT = "currency"
"""Its name in the ledger."""


async def keep_currency(ledger: Ledger, balance: Balance) -> None:
    """Keep the currency that a balance names, for the report; where it names none, nothing changes.

    Raises `LedgerError` where the ledger cannot be written.
    """
    if balance.currency:
        await ledger.put_document(DOCUMENT, {"code": balance.currency})


async def currency_of(ledger: Ledger) -> str:
    """Return the code that was kept, as `EUR`; empty if none was. Raises `LedgerError` for an unreadable ledger."""
    document = await ledger.get_document(DOCUMENT)
    code = document.get("code") if isinstance(document, dict) else None
    return plain(code, 12) if isinstance(code, str) else ""
