"""The engine: rules in order, and what is said stays."""

import re

from stages.text.spoken.rules import Change, apply, rule

TWO = rule("cardinal", r"2", lambda _: "two")
SUM = rule("money", r"\$(\d)", lambda match: f"{match[1]} dollars")


def test_what_was_said_is_out_of_reach_of_later_rules() -> None:
    text, changes = apply((SUM, TWO), "$2 and 2")
    assert text == "2 dollars and two"
    assert changes == (Change("money", "$2", "2 dollars"), Change("cardinal", "2", "two"))


def test_changes_come_in_the_order_of_the_text() -> None:
    assert [change.kind for change in apply((SUM, TWO), "2 of $2")[1]] == ["cardinal", "money"]


def test_a_rule_may_decline() -> None:
    odd = rule("serial", r"\d", lambda match: None if int(match[0]) % 2 == 0 else "odd")
    assert apply((odd, TWO), "1 2") == ("odd two", (Change("serial", "1", "odd"), Change("cardinal", "2", "two")))


def test_a_rule_over_what_others_said_shows_what_was_written() -> None:
    joined = rule("range", r"[\ue000-\uf8ff]-[\ue000-\uf8ff]", lambda match: match[0].replace("-", " to "))
    assert apply((TWO, joined), "2-2") == ("two to two", (Change("range", "2-2", "two to two"),))


def test_private_letters_of_a_text_change_nothing() -> None:
    assert apply((TWO,), "\ue0002\uf8ff") == ("two", (Change("cardinal", "2", "two"),))


def test_what_a_rule_leaves_as_it_is_is_no_change() -> None:
    same = rule("markup", r"<\w+>", lambda match: match[0], ignore_case=True)
    assert same.pattern.flags & re.IGNORECASE
    assert apply((same,), "<A> b") == ("<A> b", ())
