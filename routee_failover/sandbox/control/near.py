"""Who may control a sandbox: callers on its own machine, unless whoever started it lets everybody in."""

import ipaddress

from aiohttp import web

from ..routee.refusals import FAILOVER


def refuse_strangers(request: web.Request, anyone: bool) -> None:
    """Refuse with 403 a caller on another machine, unless `anyone` is let in."""
    if anyone:
        return
    try:
        near = ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        near = False
    if not near:
        raise FAILOVER.not_here()
