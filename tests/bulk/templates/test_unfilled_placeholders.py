"""Placeholders of other tools and column names in a text are found; ordinary text is not reported."""

import pytest

from routee_failover.bulk.templates.unfilled_placeholders import ColumnNameMatcher, find_foreign_placeholders


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello {name}", ["{name}"]),
        ("Hello { name }", ["{ name }"]),
        ("Hello {contact.FIRSTNAME}", ["{contact.FIRSTNAME}"]),
        ('Hello {name | default: "you"}', ['{name | default: "you"}']),
        ("{#if name}x{/if}", ["{#if name}", "{/if}"]),
        ("Hello *|FNAME|*", ["*|FNAME|*"]),
        ("Hello %name%", ["%name%"]),
        ("Hello %recipient.name%", ["%recipient.name%"]),
        ("Hello %%First Name%%", ["%%First Name%%"]),
        ("Hello [[name]], <<name>>", ["[[name]]", "<<name>>"]),
        ("Hello <%= name %>", ["<%= name %>"]),
        ("Hello <?= $name ?>", ["<?= $name ?>"]),
        ("Hello ##name##", ["##name##"]),
        ("Hello ${name}", ["{name}"]),
    ],
)
def test_placeholders_of_other_tools_are_found(text: str, found: list[str]) -> None:
    """Regardless of the columns of the source."""
    assert [*find_foreign_placeholders(text)] == found


@pytest.mark.parametrize(
    "text",
    [
        "Save 20 % on shoes and 30% on hats",
        "20%-30% off, 5%off",
        "https://a.example/?q=caf%C3%A9",
        "Dear [~{firstName}], we open",
        "[Demo] Your code is 482913",
        "Call me :) at 9:00 <3",
        "a < b and c > d, #sale, @demo, {}, { }, $5, 1 * 2 | 3",
        '{"a": 1}',
    ],
)
def test_ordinary_text_is_no_placeholder(text: str) -> None:
    """Percentages, URLs, brands in brackets, smileys, and the placeholders that Routee fills itself."""
    assert [*find_foreign_placeholders(text)] == []
    assert [*ColumnNameMatcher(["phone", "name"], {"phone"}).find_in(text)] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello [name]", ["[name]"]),
        ("Hello [First Name]", ["[First Name]"]),
        ("Hello [FIRST_NAME]", ["[FIRST_NAME]"]),
        ("Hello <name>", ["<name>"]),
        ("Hello « name »", ["« name »"]),
        ("Hello $name, :name", ["$name", ":name"]),
        ("Hello #name#, @name@, ~name~", ["#name#", "@name@", "~name~"]),
        ("Hello -name-, __name__", ["-name-", "__name__"]),
        ("Hello first_name", ["first_name"]),
        ("Hello NAME", ["NAME"]),
        ("HELLO NAME", []),
        ("Your name is on the list", []),
        ("Your PHONE", []),
        ("Hello [nobody]", []),
    ],
)
def test_column_names_in_a_text_are_found(text: str, found: list[str]) -> None:
    """In the marks of another tool in any letter case; without marks only names that are no ordinary words."""
    assert [*ColumnNameMatcher(["phone", "name", "first_name"], {"phone"}).find_in(text)] == found
