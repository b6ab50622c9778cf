"""What became of the messages of which nobody knows whether Routee took them, and how those ended that it took."""

from .doubt import OnDoubt, Settled, proves
from .settler import Settler

__all__ = ["OnDoubt", "Settled", "Settler", "proves"]
