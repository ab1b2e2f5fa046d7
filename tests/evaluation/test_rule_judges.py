"""The policy rules as a judge."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from genrec.evaluation.judges import GuardrailCase, Judge, Judgment
from genrec.evaluation.rule_judges import PolicyJudge
from genrec.page import PageRequest, Shopper
from genrec.programs import policy_terms
from genrec.programs.policy import ShopPolicy, Verdict
from tests.contracts.judge_contract import ITEMS, REQUESTS, JudgeContract

CHILD = REQUESTS[2]


class TestContract(JudgeContract):
    @pytest.fixture
    def judge(self) -> Judge[Any]:
        return PolicyJudge(ShopPolicy())


class Alone:
    """A policy that sees how it is asked."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def check(self, request: PageRequest, title: str, items: Sequence[Item]) -> list[Verdict]:
        self.calls.append([item.item_id for item in items])
        return [Verdict(item.item_id, True, "", "") for item in items]


def test_the_reason_is_the_rule_and_what_it_says() -> None:
    cases = [GuardrailCase(CHILD, "Supper tonight", ITEMS[i]) for i in ("bread", "wine", "milk", "gone")]
    assert PolicyJudge(ShopPolicy()).judge(cases) == [
        Judgment(1.0, 3, ""),
        Judgment(0.0, 0, "age: for 18 and over"),
        Judgment(0.0, 0, "allergen: contains milk"),
        Judgment(0.0, 0, "stock: out of stock"),
    ]


def test_every_item_is_asked_by_itself() -> None:
    # together, what the first declares would make the second's silence a no
    policy = Alone()
    PolicyJudge(policy).judge([GuardrailCase(CHILD, "Supper", ITEMS[i]) for i in ("bread", "wine")])
    assert policy.calls == [["bread"], ["wine"]]
    declared = Item(item_id="a", title="Lentils", categories=("Food",), dietary=frozenset({"jain"}))
    silent = Item(item_id="b", title="Beans", categories=("Food",))
    request = PageRequest(shopper=Shopper(shopper_id="s", diets=frozenset({"jain"})), on=date(2026, 11, 12))
    assert [v.allowed for v in ShopPolicy().check(request, "Pulses", [declared, silent])] == [True, False]
    judged = PolicyJudge(ShopPolicy()).judge([GuardrailCase(request, "Pulses", i) for i in (declared, silent)])
    assert [j.grade for j in judged] == [3, 3]


class TestFingerprint:
    def test_it_is_stable(self) -> None:
        assert PolicyJudge().fingerprint == PolicyJudge(ShopPolicy()).fingerprint

    def test_what_a_policy_knows_of_a_catalog_makes_another_judge(self, catalog: Catalog) -> None:
        declares = ShopPolicy(catalog.declares_diets)
        assert PolicyJudge(declares).fingerprint == PolicyJudge(ShopPolicy(catalog.declares_diets)).fingerprint
        diets = [PolicyJudge(ShopPolicy(catalog_diets=names)).fingerprint for names in (["jain"], ["jain", "sikh"])]
        assert len({PolicyJudge().fingerprint, PolicyJudge(declares).fingerprint, *diets}) == 4

    def test_another_policy_has_another(self) -> None:
        assert PolicyJudge(ShopPolicy()).fingerprint != PolicyJudge(Alone()).fingerprint

    def test_other_rules_or_terms_have_another(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = PolicyJudge(ShopPolicy()).fingerprint
        source = "inspect.getsource"
        from inspect import getsource

        monkeypatch.setattr(source, lambda m: getsource(m) + ("\n# a word more" if m is policy_terms else ""))
        assert PolicyJudge(ShopPolicy()).fingerprint != before

    def test_a_policy_without_source_will_do(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def gone(module: object) -> str:
            raise OSError("could not get source code")

        monkeypatch.setattr("inspect.getsource", gone)
        prints = {PolicyJudge(policy).fingerprint for policy in (ShopPolicy(), Alone())}
        assert len(prints) == 2
