"""Access check of the admin API: local callers only, unless the sandbox allows remote administration.

A browser on this machine is local too, and runs the pages of strangers. Such a page may send requests anywhere and
cannot read the response, unless the name of its server is made to resolve to this machine (DNS rebinding). So a request
must name this machine as its host, by an address or as localhost, and a page that sends one must come from that same
host.
"""

import ipaddress
from urllib.parse import SplitResult, urlsplit

from aiohttp import web

from ..api.errors import FAILOVER_ERRORS
from ..callbacks.poster import USER_AGENT


def require_local_caller(request: web.Request, allow_remote: bool) -> None:
    """Raise a 403 for a page of another host and, unless `allow_remote`, for a remote caller and for a callback.

    Callbacks come from this machine, but on behalf of the program that named the URL. A page of another host is never
    allowed: a user who may control a sandbox has not chosen what the pages in their browser do.
    """
    if not (_is_own_page(request) and (allow_remote or _is_local_caller(request))):
        raise FAILOVER_ERRORS.remote_caller_forbidden()


def _is_local_caller(request: web.Request) -> bool:
    is_callback = request.headers.get("User-Agent") == USER_AGENT
    return not is_callback and _is_loopback(request.remote or "") and _names_this_machine(request)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _names_this_machine(request: web.Request) -> bool:
    host = _split_url(f"//{request.headers.get('Host', 'localhost')}").hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:  # an address is what it says; only a name can be made to resolve to another machine
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_own_page(request: web.Request) -> bool:
    """Return whether the request is from the sandbox's own page, or from no page.

    Browsers send an Origin with a request that changes something or goes to another host.
    """
    origin = request.headers.get("Origin")
    return origin is None or _split_url(origin).netloc.lower() == request.headers.get("Host", "").lower()


def _split_url(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:  # such as half of an IPv6 address
        return urlsplit("")
