"""The engine: rules in order, and what is said stays."""

import re

import pytest

from stages.text.spoken.rules import Change, Rule, Rules, gated, having, rule

TWO = rule("cardinal", r"2", lambda _: "two")
SIGN = (rule("symbol", "#", lambda _: "sign"),)
SUM = rule("money", r"\$(\d)", lambda match: f"{match[1]} dollars")


def test_what_was_said_is_out_of_reach_of_later_rules() -> None:
    text, changes = Rules((SUM, TWO)).apply("$2 and 2")
    assert text == "2 dollars and two"
    assert changes == (Change("money", "$2", "2 dollars"), Change("cardinal", "2", "two"))


def test_changes_come_in_the_order_of_the_text() -> None:
    assert [change.kind for change in Rules((SUM, TWO)).apply("2 of $2")[1]] == ["cardinal", "money"]


def test_a_rule_may_decline() -> None:
    odd = rule("serial", r"\d", lambda match: None if int(match[0]) % 2 == 0 else "odd")
    assert Rules((odd, TWO)).apply("1 2") == ("odd two", (Change("serial", "1", "odd"), Change("cardinal", "2", "two")))


def test_a_rule_over_what_others_said_shows_what_was_written() -> None:
    joined = rule("range", r"[\ue000-\uf8ff]-[\ue000-\uf8ff]", lambda match: match[0].replace("-", " to "))
    assert Rules((TWO, joined)).apply("2-2") == ("two to two", (Change("range", "2-2", "two to two"),))


def test_private_letters_of_a_text_change_nothing() -> None:
    assert Rules((TWO,)).apply("\ue0002\uf8ff") == ("two", (Change("cardinal", "2", "two"),))


def test_what_a_rule_leaves_as_it_is_is_no_change() -> None:
    same = rule("markup", r"<\w+>", lambda match: match[0], ignore_case=True)
    assert same.pattern.flags & re.IGNORECASE
    assert Rules((same,)).apply("<A> b") == ("<A> b", ())


@pytest.mark.parametrize(
    ("text", "spoken"),
    [("2", "2"), ("2 b", "2 b"), ("2 a", "two a"), ("2 ab", "two ab"), ("#2", "sign2"), ("#2 a", "signtwo a")],
)
def test_rules_are_tried_in_texts_that_have_what_all_their_gates_ask_for(text: str, spoken: str) -> None:
    never = rule("cardinal", r"\d", lambda _: "wrong")
    rules = (
        *gated("a", *gated(r"\d", TWO), *having("%", never)),
        *having("#%", *SIGN),
        *gated("c", *gated("a", never)),
    )
    assert Rules(rules).apply(text)[0] == spoken


def test_gates_see_the_text_as_it_was_written() -> None:
    rules = (*SIGN, *having("#", rule("letter", "b", lambda _: "bee")))
    assert Rules(rules).apply("# b")[0] == "sign bee"


def test_a_gate_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def letter(name: str) -> Rule:
        return rule("letter", name, lambda _: name.upper())

    rules = Rules(
        (*gated("x", letter("a")), *gated("y", letter("b")), *gated("x", letter("c"), *gated("z", letter("d"))))
    )
    tried: list[str] = []
    plan = rules._plan(())
    counted = [lambda text, gate=gate: tried.append(text) or gate(text) for gate in plan.gates]  # type: ignore[func-returns-value]
    monkeypatch.setattr(rules, "_plan", lambda _: plan._replace(gates=tuple(counted)))
    assert rules.apply("abcd x")[0] == "AbCd x"
    assert len(tried) == 3
