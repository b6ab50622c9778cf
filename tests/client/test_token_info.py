"""Roles and scopes of the access token: what explains a 403, and nothing of the token."""

import pickle
from datetime import timedelta
from typing import Any

import pytest

from routee_failover import ClientClosed, Forbidden, RouteeClient, TokenInfo, TokenUnavailable
from routee_failover.sandbox import Sandbox

from .fake_routee import FakeRoutee, always
from .rendered_errors import shown
from .sample_flows import CANARIES, sms, viber_otp

TOKEN = "11111111-2222-4333-8444-555555555555"


def token_with(**keys: object) -> dict[str, object]:
    """Return the body of a token response."""
    return {"access_token": TOKEN, "token_type": "bearer", "expires_in": 3599, **keys}


async def test_token_info_has_roles_and_scopes_and_nothing_of_the_token() -> None:
    """Roles, scopes and lifetime are readable, requested if need be; the token is in no part of the record."""
    body = token_with(scope="sms failover", permissions=["MT_ROLE_SMS", "MT_ROLE_FAILOVER"], jti=TOKEN)
    async with FakeRoutee(token=always(200, body)) as server, RouteeClient(server.config()) as client:
        info = await client.token_info()
        assert await client.token_info() == info
        assert (server.token_requests, server.requests) == (1, [])
    assert (info.roles, info.scopes) == (("MT_ROLE_SMS", "MT_ROLE_FAILOVER"), ("sms", "failover"))
    assert info.lifetime == timedelta(seconds=3599)
    assert info.raw == {"scope": "sms failover", "permissions": [*info.roles], "expires_in": 3599}
    assert TOKEN not in f"{info!r}{vars(info)}{info.raw}{pickle.dumps(info)!r}"


@pytest.mark.parametrize(
    ("keys", "scopes", "roles"),
    [
        ({}, (), ()),
        ({"scope": "sms,failover"}, ("sms", "failover"), ()),
        ({"scope": ["sms", 5, None]}, ("sms",), ()),
        ({"scope": None, "permissions": "MT_ROLE_SMS"}, (), ("MT_ROLE_SMS",)),
        ({"scope": 5, "permissions": {"a": 1}}, (), ()),
        ({"permissions": ["A\x1bB", "x" * 1000, "ok"]}, (), ("ok",)),
        ({"scope": f"a {TOKEN} {TOKEN}b {TOKEN[:9]}", "permissions": [f"role-{TOKEN}"]}, ("a",), ()),
        ({"expires_in": 1e300}, (), ()),
    ],
    ids=str,
)
async def test_token_response_of_any_shape_is_read(keys: dict[str, Any], scopes: Any, roles: Any) -> None:
    """What is missing or of another shape is empty, a name that quotes the token is dropped, and nothing raises."""
    async with FakeRoutee(token=always(200, token_with(**keys))) as server, RouteeClient(server.config()) as client:
        info = await client.token_info()
        await client.send(sms())
    assert (info.scopes, info.roles) == (scopes, roles)
    assert TOKEN not in f"{info!r}{info.raw}"


def test_info_of_an_empty_response_has_no_names() -> None:
    """An empty response is read as well."""
    info = TokenInfo.from_dict({})
    assert (info.roles, info.scopes, info.lifetime, info.raw) == ((), (), None, {})


async def test_forbidden_lists_the_roles_and_scopes_of_the_token() -> None:
    """A 403 of a send or a read call says what the token has, in its text and as attributes, and not the token."""
    body = token_with(scope="failover sms", permissions=["MT_ROLE_FAILOVER", "MT_ROLE_SMS"])
    async with (
        FakeRoutee(always(403), token=always(200, body)) as server,
        RouteeClient(server.config()) as client,
    ):
        with pytest.raises(Forbidden) as sent:
            await client.send(sms())
        with pytest.raises(Forbidden) as read:
            await client.track("t-1")
    for caught in (sent.value, read.value, pickle.loads(pickle.dumps(sent.value))):
        assert str(caught).endswith(
            ". The token has the roles MT_ROLE_FAILOVER, MT_ROLE_SMS and the scopes failover, sms"
        )
        assert (caught.roles, caught.scopes) == (("MT_ROLE_FAILOVER", "MT_ROLE_SMS"), ("failover", "sms"))
        assert TOKEN not in shown(caught)
        assert [canary for canary in CANARIES if canary in shown(caught)] == []


async def test_forbidden_without_known_roles_says_nothing_about_them() -> None:
    """A token response that names neither roles nor scopes proves nothing: the error lists none."""
    async with FakeRoutee(always(403)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Forbidden) as caught:
            await client.send(sms())
    assert (caught.value.roles, caught.value.scopes) == ((), ())
    assert "The token has" not in str(caught.value)


async def test_missing_role_can_be_seen_in_the_error_of_the_sandbox() -> None:
    """Against the sandbox: the role that is missing is not among those that the error lists."""
    async with Sandbox(roles=["MT_ROLE_FAILOVER", "MT_ROLE_SMS"]) as sandbox, RouteeClient(sandbox.config()) as client:
        with pytest.raises(Forbidden, match="The token has the roles MT_ROLE_FAILOVER, MT_ROLE_SMS") as caught:
            await client.send(viber_otp())
    assert caught.value.roles == ("MT_ROLE_FAILOVER", "MT_ROLE_SMS")


async def test_token_info_without_a_token_raises_not_sent() -> None:
    """Without a token there is no information about one: the error is that of the token request."""
    async with FakeRoutee(token=always(400)) as server:
        client = RouteeClient(server.config())
        with pytest.raises(TokenUnavailable, match="answered 400"):
            await client.token_info()
        await client.aclose()
        with pytest.raises(ClientClosed):
            await client.token_info()
