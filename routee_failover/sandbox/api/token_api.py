"""`POST /oauth/token`: access tokens for the application's id and secret (https://docs.routee.net/docs/get-authenticated)."""

import time
from urllib.parse import parse_qsl

from aiohttp import web

from ..._http_reason_phrases import reason_phrase
from ..context import SandboxContext, json_response, read_bounded
from .errors import ApiError
from .tokens import UnknownScope

FORM_MEDIA = "application/x-www-form-urlencoded"
TOKEN_PATH = "/oauth/token"  # noqa: S105  # a path
_BASIC_CHALLENGE = {"WWW-Authenticate": 'Basic realm="routee"'}  # INF: as on every 401 in HTTP


class TokenApi:
    """Endpoint of the token service."""

    def __init__(self, context: SandboxContext) -> None:
        self._context = context

    def routes(self) -> list[web.RouteDef]:
        """Return the route and its handler."""
        return [web.post(TOKEN_PATH, self.issue_token)]

    async def issue_token(self, request: web.Request) -> web.Response:
        """Issue an access token: the current one while it is valid, or a new one."""
        self._context.counters.token_requests += 1
        self._context.apply_rules(request, "token", TOKEN_ERRORS)
        if not self._context.tokens.has_valid_credentials(request.headers.get("Authorization", "")):
            raise TOKEN_ERRORS.scripted_error(401)
        form = await self._form(request)
        # The pages name these two keys and not their values, which are those of OAuth2 (INF).
        if "grant_type" not in form:
            raise _bad_request("invalid_request", "Missing grant type")
        if self._context.contract.check_body("createToken", form):
            raise _bad_request("unsupported_grant_type", "Unsupported grant type")
        tokens = self._context.tokens
        try:
            token = tokens.issue(form.get("scope", ""))
        except UnknownScope:
            raise _bad_request("invalid_scope", "The application does not have this scope") from None
        body = {
            "access_token": token.value,
            "token_type": "bearer",
            "expires_in": int(tokens.seconds_left(token)),
            "scope": " ".join(token.scopes),
            "permissions": list(token.roles),
        }
        return json_response(body)

    async def _form(self, request: web.Request) -> dict[str, str]:
        if request.content_type != FORM_MEDIA:
            raise _bad_request("invalid_request", f"The content type must be {FORM_MEDIA}")
        try:
            return dict(parse_qsl((await read_bounded(request)).decode(), keep_blank_values=True, max_num_fields=20))
        except ValueError:
            raise _bad_request("invalid_request", "The form cannot be read") from None


class TokenErrorFormat:
    """Error format of the token service. Its 401 was recorded; other statuses have the same shape (INF)."""

    def scripted_error(self, status: int) -> ApiError:
        """Return the error with this HTTP status."""
        error = reason_phrase(status)
        body = {
            "timestamp": int(time.time() * 1000),
            "status": status,
            "error": error,
            "message": "Bad credentials" if status == 401 else error,
            "path": TOKEN_PATH,
        }
        return ApiError(status, body, _BASIC_CHALLENGE if status == 401 else {})


TOKEN_ERRORS = TokenErrorFormat()


def _bad_request(error: str, description: str) -> ApiError:
    return ApiError(400, {"error": error, "error_description": description})
