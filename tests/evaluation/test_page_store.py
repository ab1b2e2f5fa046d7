"""Pages on disk: each made once, whatever interrupts; what names a request, and what must not."""

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genrec.errors import RequestError
from genrec.evaluation.page_store import PageStore, request_key
from genrec.page import Objective, Page, PageItem, PageRequest, Provenance, Purchase, Section, Shopper, Theme

ON = date(2026, 11, 12)
MAKER = "popular 1, sample abc, no LM"


def request(shopper_id: str = "ann", **fields: Any) -> PageRequest:
    names = PageRequest.model_fields
    shopper = {name: value for name, value in fields.items() if name not in names}
    return PageRequest.model_validate(
        {
            "on": ON,
            **{name: value for name, value in fields.items() if name in names},
            "shopper": Shopper.model_validate({"shopper_id": shopper_id, **shopper}),
        }
    )


def page(shopper_id: str = "ann", title: str = "Tea time", item: str = "tea") -> Page:
    theme = Theme(title=title, concepts=("tea", "scones", "jam"))
    shown = PageItem(item_id=item, title="Black tea, “80 bags”", relevance=0.1 + 0.2, score=1 / 3)
    return Page(
        shopper_id=shopper_id,
        created_at=datetime(2026, 11, 12, 9, 30, 0, 123456, tzinfo=UTC),
        sections=(Section(theme=theme, items=(shown,)),),
        provenance=Provenance(program="popular", lm="", catalog="abc", seed=0),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pages" / "popular.jsonl"


class TestKeeping:
    def test_what_was_put_is_there_for_the_next(self, path: Path) -> None:
        store = PageStore(path, MAKER)
        assert (len(store), store.get(request())) == (0, None)
        store.put(request(), page())
        store.put(request("bob"), page("bob"))
        for known in (store, PageStore(path, MAKER)):
            assert len(known) == 2
            assert known.get(request()) == page()
            assert known.get(request("bob")) == page("bob")
            assert known.get(request("cy")) is None

    def test_it_is_on_disk_when_put_returns(self, path: Path) -> None:
        store = PageStore(path, MAKER)
        store.put(request(), page())
        assert PageStore(path, MAKER).get(request()) == page()
        assert len(path.read_bytes().splitlines()) == 2

    @pytest.mark.parametrize("text", ["a\u2028b", "a\u2029b", "a\x85b", "a\x1cb\x0bc\x0cd", "a\r\nb", "苹果 🍎 ’"])
    def test_titles_may_hold_anything(self, path: Path, text: str) -> None:
        made = page(title=text, item=text)
        PageStore(path, MAKER).put(request(), made)
        again = PageStore(path, MAKER)
        assert again.get(request()) == made
        again.put(request("bob"), page("bob"))
        assert len(PageStore(path, MAKER)) == 2

    def test_the_last_page_for_a_request_counts(self, path: Path) -> None:
        store = PageStore(path, MAKER)
        store.put(request(), page(title="First"))
        store.put(request(), page(title="Second"))
        assert PageStore(path, MAKER).get(request()) == store.get(request()) == page(title="Second")
        assert len(store) == 1


class TestCut:
    """A crash may end the file anywhere."""

    @given(st.data())
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_anywhere_it_costs_the_last_page_at_most(self, tmp_path: Path, data: st.DataObject) -> None:
        path = tmp_path / "cut.jsonl"
        path.unlink(missing_ok=True)
        store = PageStore(path, MAKER)
        sizes = [path.stat().st_size]
        for name in ("ann", "bob"):
            store.put(request(name), page(name, title="Thé à cinq heures 🍵"))
            sizes.append(path.stat().st_size)
        at = data.draw(st.integers(0, sizes[-1]))
        os.truncate(path, at)
        again = PageStore(path, MAKER)
        assert len(again) == sum(size <= at for size in sizes[1:])
        for name in ("ann", "bob"):
            if again.get(request(name)) is None:
                again.put(request(name), page(name, title="Thé à cinq heures 🍵"))
        whole = PageStore(path, MAKER)
        assert [whole.get(request(name)) for name in ("ann", "bob")] == [
            page(name, title="Thé à cinq heures 🍵") for name in ("ann", "bob")
        ]
        assert path.stat().st_size == sizes[-1]

    def test_within_a_letter(self, path: Path) -> None:
        store = PageStore(path, MAKER)
        store.put(request(), page(title="Thé 🍵"))
        cut = path.read_bytes().index("🍵".encode()) + 2
        os.truncate(path, cut)
        assert PageStore(path, MAKER).get(request()) is None


class TestRefused:
    def test_pages_of_another_maker(self, path: Path) -> None:
        PageStore(path, MAKER).put(request(), page())
        with pytest.raises(RequestError, match=r"holds pages of 'popular 1.*', not of 'popular 2'.*\(-o\)"):
            PageStore(path, "popular 2")
        assert PageStore(path, MAKER).get(request()) == page(), "nothing was lost"

    @pytest.mark.parametrize("content", [b"hello\n", b"[1]\n", b"{}\n", b"hello", b"\xff\xfe\n", b"\n", b"null\n"])
    def test_a_file_that_is_no_store_is_left_alone(self, path: Path, content: bytes) -> None:
        path.parent.mkdir()
        path.write_bytes(content)
        with pytest.raises(RequestError, match="evaluate into another directory"):
            PageStore(path, MAKER)
        assert path.read_bytes() == content

    @pytest.mark.parametrize("line", [b"{}", b"[]", b"{", b'{"request": "a", "page": {}}', b"\xff", b""])
    def test_a_whole_line_that_is_no_page_is_named(self, path: Path, line: bytes) -> None:
        PageStore(path, MAKER).put(request(), page())
        path.write_bytes(path.read_bytes() + line + b"\n")
        with pytest.raises(RequestError, match=r"popular\.jsonl:3: is no page"):
            PageStore(path, MAKER)


class TestKey:
    def test_purchases_after_the_day_do_not_count(self) -> None:
        past = (Purchase(item_id="tea", at=ON),)
        later = (*past, Purchase(item_id="jam", at=date(2026, 11, 13)))
        assert request_key(request(history=past)) == request_key(request(history=later))
        assert request_key(request(history=past)) != request_key(request(history=()))

    def test_the_order_of_a_set_does_not_count_in_any_process(self) -> None:
        diets = [f"diet {n}" for n in range(12)]
        here = request_key(request(diets=diets, allergens=diets[::-1]))
        assert here == request_key(request(diets=diets[::-1], allergens=diets))
        program = (
            "from tests.evaluation.test_page_store import *;"
            "d = [f'diet {n}' for n in range(12)];"
            "print(request_key(request(diets=d, allergens=d[::-1])))"
        )
        for seed in ("1", "2"):
            environment = {**os.environ, "PYTHONHASHSEED": seed}
            ran = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
            )
            assert ran.stdout.strip() == here

    @pytest.mark.parametrize(
        "changed",
        [
            {"shopper_id": "bob"},
            {"on": date(2026, 11, 13)},
            {"occasion": "birthday"},
            {"objectives": (Objective(name="discovery"),)},
            {"sections": 5},
            {"items_per_section": 5},
            {"seed": 1},
            {"likes": ("tea",)},
            {"dislikes": ("tea",)},
            {"diets": frozenset({"vegan"})},
            {"allergens": frozenset({"milk"})},
            {"household": "two cats"},
            {"age": 40},
            {"locale": "de-DE"},
            {"note": "likes surprises"},
            {"history": (Purchase(item_id="tea", at=ON, quantity=2),)},
        ],
        ids=lambda changed: next(iter(changed)),
    )
    def test_all_that_a_generator_may_look_at_counts(self, changed: dict[str, Any]) -> None:
        assert request_key(request(**changed)) != request_key(request())

    def test_no_field_was_forgotten(self) -> None:
        named = {"shopper_id", "on", "occasion", "objectives", "sections", "items_per_section", "seed", "likes"}
        named |= {"dislikes", "diets", "allergens", "household", "age", "locale", "note", "history", "shopper"}
        assert set(PageRequest.model_fields) | set(Shopper.model_fields) == named

    def test_it_names_a_line_of_the_file(self, path: Path) -> None:
        PageStore(path, MAKER).put(request(), page())
        header, line = path.read_text(encoding="utf-8").splitlines()
        assert json.loads(header) == {"maker": MAKER}
        assert json.loads(line)["request"] == request_key(request())
