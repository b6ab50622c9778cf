"""Why a sandbox cannot start or be asked; what it answers to its callers is in `refusals`."""

from ..errors import RouteeError


class SandboxError(RouteeError):
    """The sandbox cannot do what was asked: a port is taken, a setting cannot work, or an extra is not installed."""
