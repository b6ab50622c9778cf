"""What became of the messages of which nobody knows whether Routee took them, and how those ended that it took."""

from .doubt import Settled, UnknownPolicy, proves
from .settler import Reconciler

__all__ = ["Reconciler", "Settled", "UnknownPolicy", "proves"]
