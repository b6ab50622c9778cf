"""Rules of the parts that several endpoints share, from Routee's pages."""

from routee_failover.flows import (
    Callback,
    DialPlan,
    MachineDetection,
    Play,
    Say,
    SmsMessage,
    SmsStep,
    Speech,
    UrlShortener,
    VoiceRecipient,
    VoiceStep,
)

from .rule_tables import Bad, Rule, minutes, seconds
from .sample_requests import PHONE, JsonPath

NUMBERS = ("+6834000", "+123456789012345", PHONE)
NOT_NUMBERS = (
    Bad("306900000001", "lacks its +, write "),
    Bad("6900000001", "lacks its +, and probably its country code"),
    Bad("00306900000001", "lacks its +, write "),
    Bad("06900000001", "lacks its + and the country code"),
    Bad("+30691", "has 5 digits, not 7 to 15"),
    Bad("+1234567890123456", "at most 15"),
    Bad("+0306900000001", "a 0 after its +"),
    Bad("+30 6900000001", "write only + and digits"),
    Bad("+30 (0)6900000001", "has a 0 in parentheses"),
    Bad("+306900000001\n", "E.164"),
    Bad("+30690000000\u0661", "mixes digits of several scripts"),
    Bad("\u202a+306900000001", "begins with an invisible character"),
    Bad("+3069****0001", "is masked"),
    Bad("+3069OOOO0001", "has letters in it"),
    Bad("", "E.164"),
    Bad(306900000001, "must be text, not a number"),
)

SENDER_IDS = ("1234567890123456", "Elevenchars", "My Shop 1", "ΚΑΦΕΣ")
NOT_SENDER_IDS = (
    Bad("12345678901234567", "at most 16 digits"),
    Bad("Twelve chars", "at most 11 letters"),
    Bad("+306900000001", "without +"),
    Bad("My_Shop", "letters, digits and spaces"),
    Bad("   ", "letters, digits and spaces"),
    Bad("", "letters, digits and spaces"),
)
NON_EMPTY_TEXTS = ("x", "x" * 5000)
NOT_NON_EMPTY_TEXTS = (Bad("", "must not be empty"), Bad(7, "must be text, not a number"), Bad("\ud800", "surrogate"))
LABELS = ("", "x" * 350)
NOT_LABELS = (Bad("x" * 351, "at most 350 characters, has 351"), Bad(7, "must be text"))
BOOLEANS = (True, False)
NOT_BOOLEANS = (Bad("true", "must be true or false, not text"), Bad(1, "must be true or false, not a number"))
WEB_URLS = ("https://example.test/cb", "http://example.test", "HTTPS://example.test/?a=b#c")
NOT_WEB_URLS = (
    Bad("ftp://example.test/", "https or http"),
    Bad("example.test/cb", "must be a URL"),
    Bad("https://", "must name a host"),
    Bad("https:///cb", "must name a host"),
    Bad("https://[::1/cb", "must be a valid URL"),
    Bad("https://example.test/a b", "must be a URL"),
    Bad("https://example.test/\ud800", "must be a URL"),
    Bad(7, "must be text"),
)
VIBER_MINUTES = (0.5, 0.6, 1, 2.5, 1439.9, 1440)
NOT_VIBER_MINUTES = (
    Bad(0.4, "0.5 to 1440 minutes"),
    Bad(0, "0.5 to 1440 minutes"),
    Bad(1440.1, "0.5 to 1440 minutes"),
    Bad(0.55, "at most one decimal"),
)
INTEGERS = (0, -1, 2**63 - 1)
NOT_INTEGERS = (Bad(1.5, "whole number"), Bad("1", "whole number, not text"), Bad(True, "whole number"))


def failover_statuses_rule(owner: type, path: JsonPath, *allowed: str, foreign: str) -> Rule:
    """Rule of a step's failover statuses: any of those of its channel, or none."""
    allowed_names = ", ".join(allowed)
    return Rule(
        owner,
        path,
        "failover_on_statuses",
        "failoverOnStatuses",
        ([], *([status] for status in allowed), list(allowed)),
        (
            Bad([foreign], f"one of {allowed_names}", (0,)),
            Bad([allowed[0], "Nonsense"], f"must be one of {allowed[0]}", (1,)),
            Bad([allowed[0], 847291], "not a number", (1,)),
            Bad(["847291"], "must be one of", (0,)),
            Bad(allowed[0], "must be a list, not text"),
        ),
    )


def sms_rules(step: JsonPath) -> list[Rule]:
    """Rules of the SMS step of the standard and the transactional endpoint."""
    message = (*step, "message")
    return [
        Rule(SmsStep, step, "from_", "from", SENDER_IDS, NOT_SENDER_IDS),
        Rule(SmsStep, step, "to", "to", NUMBERS, NOT_NUMBERS),
        Rule(
            SmsStep,
            step,
            "ttl",
            "ttl",
            (1, 1440),
            (Bad(0, "1 to 1440 minutes"), Bad(1441, "1 to 1440 minutes"), Bad(1.5, "whole minutes")),
            minutes,
        ),
        failover_statuses_rule(SmsStep, step, "Undelivered", "Failed", foreign="Expired"),
        Rule(SmsMessage, message, "body", "body", (*NON_EMPTY_TEXTS, "two\nlines"), NOT_NON_EMPTY_TEXTS),
        Rule(SmsMessage, message, "flash", "flash", BOOLEANS, NOT_BOOLEANS),
        Rule(SmsMessage, message, "transcode", "transcode", BOOLEANS, NOT_BOOLEANS),
        Rule(SmsMessage, message, "label", "label", LABELS, NOT_LABELS),
        Rule(
            UrlShortener,
            (*message, "urlShortener"),
            "url_validity",
            "urlValidity",
            (3600, 2592000),
            (Bad(3599, "3600 to 2592000"), Bad(2592001, "3600 to 2592000"), Bad(3600.5, "whole seconds")),
            seconds,
        ),
    ]


LANGUAGES = "en-US de-DE fr-FR it-IT pt-BR es-ES es-LA en-GB el-GR bg-BG pl-PL hu-HU sv-SE ru-RU"


def voice_rules(step: JsonPath) -> list[Rule]:
    """Rules of the voice step of the standard and the transactional endpoint."""
    plan = (*step, "dialPlan")
    say, play = (*plan, "verbs", 0), (*plan, "verbs", 1)
    speech, detection, to = (*say, "message"), (*step, "machineDetection"), (*step, "to")
    repeats = (-1, 0, 1, 100)
    not_repeats = (Bad(-2, "at least -1"), *NOT_INTEGERS)
    return [
        Rule(VoiceStep, step, "from_", "from", NON_EMPTY_TEXTS, NOT_NON_EMPTY_TEXTS),
        failover_statuses_rule(
            VoiceStep, step, "Completed", "Busy", "NoAnswer", "Failed", "Unsent", "Terminated", foreign="Undelivered"
        ),
        Rule(VoiceRecipient, to, "phone", "phone", NUMBERS, NOT_NUMBERS),
        Rule(VoiceRecipient, to, "viber", "viber", NUMBERS, tuple(bad for bad in NOT_NUMBERS if bad.value != "")),
        Rule(VoiceRecipient, to, "sip", "sip", ("1111@host:55080",), (Bad(7, "must be text"),)),
        Rule(
            DialPlan, plan, "verbs", "verbs", (), (Bad([], "at least one verb"), Bad("SAY", "must be a list, not text"))
        ),
        Rule(Speech, speech, "text", "text", NON_EMPTY_TEXTS, NOT_NON_EMPTY_TEXTS),
        Rule(
            Speech,
            speech,
            "language",
            "language",
            tuple(LANGUAGES.split()),
            (Bad("en", "one of en-US"), Bad("EN-us", "one of en-US"), Bad("sv-FI", "one of en-US")),
        ),
        Rule(Speech, speech, "gender", "gender", ("male", "female"), (Bad("Female", "must be"),)),
        Rule(Say, say, "repeat", "repeat", repeats, not_repeats),
        Rule(Say, say, "barge_in", "bargeIn", BOOLEANS, NOT_BOOLEANS),
        Rule(Play, play, "file_url", "fileURL", WEB_URLS, NOT_WEB_URLS),
        Rule(Play, play, "repeat", "repeat", repeats, not_repeats),
        Rule(Play, play, "barge_in", "bargeIn", BOOLEANS, NOT_BOOLEANS),
        Rule(
            MachineDetection,
            detection,
            "strategy",
            "strategy",
            ("Continue",),
            (Bad("continue", "must be"), Bad("Stop", "must be")),
        ),
        Rule(MachineDetection, detection, "event_url", "eventUrl", WEB_URLS, NOT_WEB_URLS),
    ]


def callback_rules() -> list[Rule]:
    """Rules of the callback of the standard and the transactional endpoint."""
    path = ("callback",)
    return [
        Rule(Callback, path, "url", "url", WEB_URLS, NOT_WEB_URLS),
        Rule(
            Callback,
            path,
            "strategy",
            "strategy",
            ("OnStep", "OnCompletion"),
            (Bad("OnChange", "must be"), Bad("onstep", "must be"), Bad(1, "must be")),
        ),
    ]
