"""Errors of the sandbox itself; the error responses of its API are in `api.errors`."""

from ..errors import RouteeError


class SandboxError(RouteeError):
    """The sandbox cannot do what was requested: a port is in use, a setting is invalid, or an extra is missing."""
