"""The token service, and the errors of each service for a missing or invalid token, or a missing role."""

import base64
import io
from datetime import timedelta
from typing import Any

import pytest

from routee_failover.sandbox.api.tokens import ALL_ROLES, TokenService, UnknownScope

from ..raw_http import OTP, SENDS, STANDARD, TRANSACTIONAL, VIBER_OTP, Caller, basic, open_caller

FORM = {"grant_type": "client_credentials"}
READS = {
    "trackFailover": "/failover/tracking/x",
    "trackFailoverOtp": "/failover-otp/otp/failover/x",
    "listFailoverOtps": "/failover-otp/otp/failover",
    "listOtpTemplates": "/failover-otp/otp/templates",
    "trackViber": "/viber/tracking/x",
    "getBalance": "/accounts/me/balance",
}
CALLS = [("POST", *item) for item in (SENDS | {"searchFailovers": "/failover/tracking"}).items()]
CALLS += [("GET", *item) for item in READS.items()]


async def test_token_response_has_the_documented_members() -> None:
    """The response has the type, the remaining seconds, the scopes as one text and the roles as a list."""
    async with open_caller() as caller:
        status, body = await caller.token()
    assert status == 200
    assert body["token_type"] == "bearer"
    assert 3590 <= body["expires_in"] <= 3600
    assert "failover" in body["scope"].split()
    assert body["permissions"] == list(ALL_ROLES)


def test_same_token_is_issued_until_it_expires() -> None:
    """The same token is issued with less and less time left, and another one once it has expired."""
    time = [100.0]
    tokens = TokenService(
        application_id="a",
        application_secret="b",
        lifetime=timedelta(seconds=60),
        roles=ALL_ROLES,
        clock=lambda: time[0],
    )
    first = tokens.issue()
    time[0] += 45
    assert tokens.issue() is first
    assert tokens.seconds_left(first) == 15
    assert tokens.authenticate(f"Bearer {first.value}") is first
    time[0] += 15
    assert tokens.authenticate(f"Bearer {first.value}") is None
    second = tokens.issue()
    assert second.value != first.value
    assert tokens.authenticate(f"bearer {second.value}") is second


def test_scopes_limit_the_roles_of_a_token() -> None:
    """Scopes separated by blanks or commas limit a token; `all` does not, and an unknown one is rejected."""
    tokens = TokenService(application_id="a", application_secret="b", lifetime=timedelta(1), roles=ALL_ROLES)
    assert tokens.issue("failover,sms").roles == ("MT_ROLE_SMS", "MT_ROLE_FAILOVER")
    assert tokens.issue("sms failover") is tokens.issue("failover,sms")
    assert tokens.issue("all viber") is tokens.issue()
    with pytest.raises(UnknownScope):
        tokens.issue("failover fax")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic(secret="wrong"),
        basic("other"),
        {"Authorization": "Basic ???"},
        {"Authorization": "Basic é"},
        {"Authorization": "Bearer " + base64.b64encode(b"sandbox:sandbox-secret").decode()},
    ],
)
async def test_wrong_credentials_return_401(headers: dict[str, str]) -> None:
    """Wrong credentials get a 401 in the format of the token service."""
    async with open_caller() as caller:
        status, body = await caller.raw("POST", "/oauth/token", data=FORM, headers=headers)
    assert status == 401
    assert (body["status"], body["error"], body["message"]) == (401, "Unauthorized", "Bad credentials")
    assert body["path"] == "/oauth/token"
    assert isinstance(body["timestamp"], int)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"data": {"grant_type": "password"}}, "unsupported_grant_type"),
        ({"data": FORM | {"scope": "fax"}}, "invalid_scope"),
        ({"data": {"scope": "sms"}}, "invalid_request"),
        ({"json": FORM}, "invalid_request"),
        ({"data": {str(number): "x" for number in range(50)}}, "invalid_request"),
    ],
)
async def test_invalid_token_request_returns_an_oauth_error(options: dict[str, Any], error: str) -> None:
    """A token request with an invalid form gets a 400 in OAuth2's format."""
    async with open_caller() as caller:
        status, body = await caller.raw("POST", "/oauth/token", headers=basic(), **options)
    assert (status, body["error"]) == (400, error)
    assert set(body) == {"error", "error_description"}


async def test_undecodable_or_huge_token_form_is_rejected() -> None:
    """Bytes that are not UTF-8, or too many, are an invalid form and not a fault."""
    headers = basic() | {"Content-Type": "application/x-www-form-urlencoded"}
    async with open_caller() as caller:
        status, body = await caller.raw("POST", "/oauth/token", headers=headers, data=b"grant_type=\xff")
        assert (status, body["error"]) == (400, "invalid_request")
        status, body = await caller.raw("POST", "/oauth/token", headers=headers, data=io.BytesIO(b"x" * 1_100_000))
    assert (status, body["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(("method", "operation", "path"), CALLS)
async def test_missing_and_invalid_tokens_have_the_status_of_the_service(
    method: str, operation: str, path: str
) -> None:
    """Without a Bearer token the OTP service responds with 403, others with 401; with an invalid one all with 401."""
    otp = path.startswith("/failover-otp")
    async with open_caller() as caller:
        for headers in ({}, basic()):
            caller.headers = headers
            status, body = await caller.call(operation, path, method=method)
            assert status == (403 if otp else 401)
            assert ("detail" if otp else "error") in body
        caller.headers = {"Authorization": "Bearer 11111111-2222-4333-8444-555555555555"}
        status, body = await caller.call(operation, path, method=method)
        assert status == 401
        assert otp or body["error"] == "invalid_token"


async def _challenge(caller: Caller, method: str, path: str, **options: Any) -> tuple[int, str | None]:
    async with caller.session.request(method, path, **options) as response:
        return response.status, response.headers.get("WWW-Authenticate")


@pytest.mark.parametrize(("method", "operation", "path"), CALLS)
async def test_401_names_the_bearer_scheme(method: str, operation: str, path: str) -> None:
    """HTTP requires `WWW-Authenticate` on a 401, and generic clients read it; the 403 of the OTP service has none."""
    del operation
    async with open_caller() as caller:
        missing = await _challenge(caller, method, path)
        invalid = await _challenge(caller, method, path, headers={"Authorization": "Bearer 11111111-2222"})
    assert missing == ((403, None) if path.startswith("/failover-otp") else (401, 'Bearer realm="routee"'))
    assert invalid == (401, 'Bearer realm="routee", error="invalid_token"')


async def test_wrong_credentials_name_the_basic_scheme() -> None:
    """The token service names the scheme of the application's id and secret."""
    async with open_caller() as caller:
        answer = await _challenge(caller, "POST", "/oauth/token", data=FORM, headers=basic(secret="wrong"))
    assert answer == (401, 'Basic realm="routee"')


@pytest.mark.parametrize(
    ("endpoint", "method", "path", "scheme"),
    [
        ("token", "POST", "/oauth/token", "Basic"),
        ("reading", "GET", "/failover/tracking/x", "Bearer"),
        ("reading", "GET", "/failover-otp/otp/failover", "Bearer"),
        ("standard", "POST", "/failover", "Bearer"),
    ],
)
async def test_scripted_401_names_its_scheme_too(endpoint: str, method: str, path: str, scheme: str) -> None:
    """A 401 of a rule is like any other, and keeps its Retry-After."""
    async with open_caller() as caller:
        rule = {"endpoint": endpoint, "response": {"status": 401, "retryAfter": 7}}
        assert (await caller.call("addSandboxRule", "/sandbox/rules", method="POST", json=rule))[0] < 300
        body: dict[str, Any] = {"json": STANDARD} if endpoint == "standard" else {}
        async with caller.session.request(method, path, headers=caller.headers, **body) as response:
            assert response.status == 401
            assert response.headers["WWW-Authenticate"].startswith(f"{scheme} ")
            assert response.headers["Retry-After"] == "7"


async def test_revoked_token_is_rejected_and_a_new_one_works() -> None:
    """Revoking ends every token at once; the next one is different and valid."""
    async with open_caller() as caller:
        _, before = await caller.token()
        caller.sandbox.revoke_tokens()
        assert (await caller.send("sendFailover", STANDARD))[0] == 401
        await caller.authenticate()
        assert (await caller.send("sendFailover", STANDARD))[0] == 200
        assert (await caller.token())[1]["access_token"] != before["access_token"]


@pytest.mark.parametrize(
    ("missing", "operation", "body"),
    [
        ("MT_ROLE_FAILOVER", "sendFailover", STANDARD),
        ("MT_ROLE_SMS", "sendFailover", STANDARD),
        ("MT_ROLE_VOICE", "sendFailover", STANDARD),
        ("MT_ROLE_VIBER", "sendTransactionalFailover", TRANSACTIONAL),
        ("MT_ROLE_VIBER", "sendViberOtp", VIBER_OTP),
    ],
)
async def test_send_without_a_role_returns_403_with_its_name(missing: str, operation: str, body: object) -> None:
    """A send requires the failover role and those of its channels; a missing one gets a 403 that names it."""
    async with open_caller(roles=[role for role in ALL_ROLES if role != missing]) as caller:
        status, response = await caller.send(operation, body)
        assert status == 403
        assert missing in response["developerMessage"]
        assert caller.sandbox.accepted == []
        assert (await caller.send("sendFailoverOtp", OTP))[0] == 200  # this service documents no roles


async def test_token_with_fewer_scopes_has_fewer_rights() -> None:
    """A token that was requested with fewer scopes has fewer rights."""
    async with open_caller() as caller:
        await caller.authenticate(scope="failover sms")
        assert (await caller.send("sendFailover", STANDARD))[0] == 403
        assert (await caller.send("sendFailover", {"flow": STANDARD["flow"][1:2]}))[0] == 200
