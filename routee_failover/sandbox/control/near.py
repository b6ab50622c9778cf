"""Who may control a sandbox: callers on its own machine, unless whoever started it lets everybody in."""

import ipaddress

from aiohttp import web

from ..callbacks.posting import AGENT
from ..routee.refusals import FAILOVER


def refuse_strangers(request: web.Request, anyone: bool) -> None:
    """Refuse with 403 a caller on another machine, unless `anyone` is let in.

    What a sandbox posts comes from this machine, but on behalf of whoever named the address.
    """
    if anyone:
        return
    if request.headers.get("User-Agent") == AGENT:
        raise FAILOVER.not_here()
    try:
        near = ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        near = False
    if not near:
        raise FAILOVER.not_here()
