"""Who may control a sandbox: callers on its own machine, unless whoever started it lets everybody in.

A browser on this machine is near, too, and runs the pages of strangers. Such a page may send requests anywhere and
read no answer, unless its server's name is made to lead to this machine (DNS rebinding). So a request must name this
machine as its host, by an address or as localhost, and a page that sends one must have come from that very host.
"""

import ipaddress
from urllib.parse import SplitResult, urlsplit

from aiohttp import web

from ..api.errors import FAILOVER_ERRORS
from ..callbacks.poster import USER_AGENT


def require_local_caller(request: web.Request, allow_remote: bool) -> None:
    """Refuse with 403 a page of another host; and, unless `anyone` is let in, a caller on another machine and a
    callback.

    What a sandbox posts comes from this machine, but on behalf of whoever named the address. A page of another host is
    never let in: whoever may control a sandbox has not chosen what the pages in their browser do.
    """  # noqa: D205
    if not (_is_own_page(request) and (allow_remote or _is_local_caller(request))):
        raise FAILOVER_ERRORS.remote_caller_forbidden()


def _is_local_caller(request: web.Request) -> bool:
    ours = request.headers.get("User-Agent") == USER_AGENT
    return not ours and _is_loopback(request.remote or "") and _names_this_machine(request)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _names_this_machine(request: web.Request) -> bool:
    host = _parts(f"//{request.headers.get('Host', 'localhost')}").hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:  # an address leads where it says; only a name can be made to lead elsewhere
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_own_page(request: web.Request) -> bool:
    """Browsers say which page a request comes from when it changes something, or goes to another host."""
    origin = request.headers.get("Origin")
    return origin is None or _parts(origin).netloc.lower() == request.headers.get("Host", "").lower()


def _parts(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:  # such as half of an IPv6 address
        return urlsplit("")
