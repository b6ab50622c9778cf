"""Names of the four send APIs (https://docs.routee.net/docs/failover-endpoints)."""

from enum import StrEnum


class Endpoint(StrEnum):
    """Send API that a flow belongs to; the plain text is accepted wherever a member is."""

    STANDARD = "standard"
    TRANSACTIONAL = "transactional"
    OTP = "otp"
    VIBER_OTP = "viber-otp"


def endpoint_problem(guess: object) -> str:
    """Return what an endpoint must be, and which one a wrong name probably means."""
    name = guess.strip(" /").lower().replace("_", "-").replace(" ", "-") if isinstance(guess, str) else ""
    name = _GUESSES.get(name, name)
    hint = f"; did you mean {name}?" if name in [*Endpoint] else ""
    return f"must be one of {', '.join(Endpoint)}{hint}"


_GUESSES = {
    **dict.fromkeys(("failover", "failover-standard", "flow", "sms", "viber", "voice"), "standard"),
    **dict.fromkeys(("failover-otp", "otp-failover", "failover-otp/otp/send-failover", "2fa", "otp-sms"), "otp"),
    **dict.fromkeys(("viberotp", "otp-viber", "viber/otp"), "viber-otp"),
    **dict.fromkeys(("failover-transactional", "transaction"), "transactional"),
}
"""Names that people guess, and the endpoint that each probably means."""
