"""The learned judges as shipped: the promise of every judge, what they were trained for, and what they must notice."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from genrec.errors import ModelFileError
from genrec.evaluation import learned
from genrec.evaluation.gold_judgments import load_gold
from genrec.evaluation.judges import CRITERIA, ItemCase, Judge, PageCase, SectionCase
from genrec.evaluation.learned import CaseReader, judged_parts, open_learned
from genrec.evaluation.scorer import BECAUSE, ONLY_WITH
from genrec.page import Shopper, Theme
from genrec.programs.relevance import CrossEncoderGate
from tests.contracts.judge_contract import ITEMS, REQUESTS, THEMES, JudgeContract, page_of, same, usual_cases

NEW, VEGAN, CHILD = REQUESTS
SOUP, WINE, VAGUE = THEMES


@pytest.fixture(scope="module")
def judges() -> Mapping[str, Judge[Any]]:
    return open_learned(ITEMS)


class AnyCriterion(JudgeContract):
    criterion = ""

    @pytest.fixture
    def judge(self, judges: Mapping[str, Judge[Any]]) -> Judge[Any]:
        return judges[self.criterion]


@pytest.mark.slow
class TestItemContract(AnyCriterion):
    criterion = "item.relevance"


@pytest.mark.slow
class TestSectionContract(AnyCriterion):
    criterion = "section.fit"


@pytest.mark.slow
class TestPageContract(AnyCriterion):
    criterion = "page.coverage"


@pytest.mark.slow
class TestWhatTheyNotice:
    """Differences that are plain to a person, between cases that no training saw."""

    @pytest.mark.parametrize(
        ("good", "bad"),
        [("soup", "gel"), ("bread", "wine"), ("soup", "wine")],
    )
    def test_an_item_that_belongs(self, judges: Mapping[str, Judge[Any]], good: str, bad: str) -> None:
        judged = judges["item.relevance"].judge([ItemCase(SOUP, ITEMS[good]), ItemCase(SOUP, ITEMS[bad])])
        assert judged[0].score > judged[1].score
        assert judged[0].grade > judged[1].grade == 0

    @pytest.mark.parametrize(
        ("criterion", "good", "bad"),
        [
            ("section.clarity", "Soup and bread for grey evenings", "Soup with bread and the grey of a"),
            ("section.specificity", "Soup and bread for grey evenings", "Great picks for you"),
            ("section.appeal", "Soup and bread for grey evenings", "Soup soup bread soup item"),
            ("section.fit", "Soup and bread for November evenings", "Summer barbecue favourites"),
        ],
    )
    def test_a_title_that_says_more(
        self, judges: Mapping[str, Judge[Any]], criterion: str, good: str, bad: str
    ) -> None:
        cases = [
            SectionCase(VEGAN, Theme(title=title, concepts=("lentil soup", "vegan rye bread", "leeks")))
            for title in (good, bad)
        ]
        better, worse = judges[criterion].judge(cases)
        assert better.score > worse.score
        assert worse.reason, "what is not good has a reason"

    def test_nothing_is_said_of_what_is_not_known(self, judges: Mapping[str, Judge[Any]]) -> None:
        stranger = NEW.model_copy(update={"shopper": Shopper(shopper_id="x"), "objectives": ()})
        titles = [case.case.theme for case in load_gold().cases("section.fit", "train")][:150]
        judged = judges["section.fit"].judge([SectionCase(stranger, theme) for theme in titles])
        page = page_of(stranger, [(WINE, [ITEMS["wine"]])])
        judged += [judges[name].judge([PageCase(stranger, page, ITEMS)])[0] for name in ("page.fit", "page.coverage")]
        said = {judgment.reason for judgment in judged} - {""}
        assert len(said) > 3
        assert not said & {BECAUSE[name] for name in ONLY_WITH}

    def test_a_page_of_strays(self, judges: Mapping[str, Judge[Any]]) -> None:
        right = page_of(NEW, [(SOUP, [ITEMS["soup"], ITEMS["bread"]]), (WINE, [ITEMS["wine"]])])
        wrong = page_of(NEW, [(SOUP, [ITEMS["gel"], ITEMS["wine"]]), (WINE, [ITEMS["milk"]])])
        better, worse = judges["page.cohesion"].judge([PageCase(NEW, page, ITEMS) for page in (right, wrong)])
        assert better.score > worse.score

    def test_a_page_that_repeats_itself(self, judges: Mapping[str, Judge[Any]]) -> None:
        twice = page_of(NEW, [(SOUP, [ITEMS["soup"], ITEMS["bread"]])] * 2)
        two = page_of(NEW, [(SOUP, [ITEMS["soup"], ITEMS["bread"]]), (WINE, [ITEMS["wine"]])])
        better, worse = judges["page.diversity"].judge([PageCase(NEW, page, ITEMS) for page in (two, twice)])
        assert better.score > worse.score

    def test_a_purchase_after_the_day_tells_nothing(self, judges: Mapping[str, Judge[Any]]) -> None:
        shopper = CHILD.shopper
        past = shopper.model_copy(update={"history": tuple(p for p in shopper.history if p.at <= CHILD.on)})
        cases = [SectionCase(CHILD.model_copy(update={"shopper": one}), WINE) for one in (shopper, past)]
        later, without = judges["section.fit"].judge(cases)
        assert later == without


@pytest.mark.slow
class TestCaseReader:
    """What was read once is not read again, and never taken for what another case says."""

    @pytest.fixture(scope="class")
    def network(self) -> CrossEncoderGate:
        return CrossEncoderGate.load(learned.SHIPPED / learned.READER)

    @pytest.fixture
    def reader(self, network: CrossEncoderGate) -> CaseReader:
        return CaseReader(ITEMS, network)

    def test_the_same_case_is_read_once(self, reader: CaseReader) -> None:
        (first,) = reader.sections([SectionCase(NEW, SOUP)])
        again = reader.sections([SectionCase(NEW, SOUP), SectionCase(VEGAN, SOUP)])
        assert again[0] is first
        assert again[1].named != first.named

    def test_other_ideas_or_goods_are_another_section(self, reader: CaseReader) -> None:
        other = SOUP.model_copy(update={"concepts": ("engine oil", "car wax", "wipers")})
        renamed = ITEMS["soup"].model_copy(update={"title": "Engine oil"})
        cases = [
            SectionCase(NEW, SOUP, (ITEMS["soup"],)),
            SectionCase(NEW, other, (ITEMS["soup"],)),
            SectionCase(NEW, SOUP, (renamed,)),
            SectionCase(NEW, SOUP),
        ]
        found = [features.named for features in reader.sections(cases)]
        assert all(a != b for n, a in enumerate(found) for b in found[:n])

    def test_other_ideas_or_unknown_items_are_another_page(
        self, reader: CaseReader, judges: Mapping[str, Judge[Any]]
    ) -> None:
        other = SOUP.model_copy(update={"concepts": ("engine oil", "car wax", "wipers")})
        goods = [ITEMS["soup"], ITEMS["bread"]]
        cases = [
            PageCase(NEW, page_of(NEW, [(SOUP, goods)]), ITEMS),
            PageCase(NEW, page_of(NEW, [(other, goods)]), ITEMS),
            PageCase(NEW, page_of(NEW, [(SOUP, goods)]), {}),
        ]
        together = reader.pages(cases, judges)
        alone = [CaseReader.pages(reader, [case], judges)[0] for case in cases]
        assert [f.named for f in together] == [f.named for f in alone]
        assert together[0].named["clarity"] != together[1].named["clarity"]
        assert together[2].named["items"] == 0

    def test_it_forgets_without_losing_what_is_asked(self, reader: CaseReader, monkeypatch: pytest.MonkeyPatch) -> None:
        cases = usual_cases("section")
        expected = [f.named for f in reader.sections(cases)]
        monkeypatch.setattr(learned, "REMEMBERED", 2)
        with ThreadPoolExecutor(4) as pool:
            turns = [cases[n:] + cases[:n] for n in range(len(cases))]
            for n, found in enumerate(pool.map(reader.sections, turns)):
                assert [f.named for f in found] == expected[n:] + expected[:n]

    def test_parts_of_an_empty_page_are_0(self, judges: Mapping[str, Judge[Any]]) -> None:
        found = judged_parts(PageCase(NEW, page_of(NEW, []), ITEMS), judges)
        assert set(found.values()) == {0.0}

    def test_means_and_worst_of_parts_by_hand(self) -> None:
        class ByLength:
            """The longer the title, the better."""

            name, fingerprint, criterion = "length", "1", ""

            def judge(self, cases: Any) -> list[Any]:
                titles = [c.item.title if isinstance(c, ItemCase) else c.theme.title for c in cases]
                return [learned.Judgment(len(title) / 100, 0, "") for title in titles]

        parts = {c: ByLength() for c, level in CRITERIA.items() if level in ("item", "section")}
        sections = [(SOUP, [ITEMS["soup"], ITEMS["bread"]]), (WINE, [ITEMS["wine"]]), (VAGUE, [])]
        found = judged_parts(PageCase(NEW, page_of(NEW, sections), ITEMS), parts)
        # items: (19 + 9) / 2 = 14 letters, 15 and none; titles: 32, 18 and 19 letters
        assert found["items"] == pytest.approx((0.14 + 0.15 + 0) / 3)
        assert found["items worst"] == 0
        assert found["clarity"] == pytest.approx((0.32 + 0.18 + 0.19) / 3)
        assert found["clarity worst"] == 0.18


class TestOpening:
    def test_all_that_can_be_learned_is_there(self, judges: Mapping[str, Judge[Any]]) -> None:
        assert set(judges) == {c for c, level in CRITERIA.items() if level != "guardrail"}
        assert {judge.name for judge in judges.values()} == {"learned"}
        assert all(judge.criterion == criterion for criterion, judge in judges.items())

    def test_the_fingerprint_is_that_of_the_files(self, judges: Mapping[str, Judge[Any]]) -> None:
        again = open_learned({})
        assert {j.fingerprint for j in again.values()} == {j.fingerprint for j in judges.values()}
        assert len({j.fingerprint for j in again.values()}) == 1

    def test_a_folder_without_judges_says_how_to_make_them(self, tmp_path: Path) -> None:
        with pytest.raises(ModelFileError, match="judge_training"):
            open_learned({}, tmp_path)

    @pytest.mark.slow
    def test_a_changed_file_is_noticed(self, tmp_path: Path) -> None:
        folder = tmp_path / "judges"
        for path in learned.SHIPPED.rglob("*"):
            if path.is_file():
                there = folder / path.relative_to(learned.SHIPPED)
                there.parent.mkdir(parents=True, exist_ok=True)
                there.write_bytes(path.read_bytes())
        assert {j.fingerprint for j in open_learned({}, folder).values()} == {
            j.fingerprint for j in open_learned({}).values()
        }
        arrays = folder / learned.FORESTS / learned.ARRAYS
        arrays.write_bytes(arrays.read_bytes()[:-100])
        with pytest.raises(ModelFileError, match=r"forests\.npz"):
            open_learned({}, folder)
        arrays.unlink()
        with pytest.raises(ModelFileError, match=r"forests\.npz"):
            open_learned({}, folder)


@pytest.mark.slow
def test_purchases_that_the_catalog_lacks_are_left_out(judges: Mapping[str, Judge[Any]]) -> None:
    stranger = open_learned({})
    cases = [SectionCase(r, t) for r in REQUESTS[:2] for t in THEMES]
    assert same(stranger["section.fit"].judge(cases), judges["section.fit"].judge(cases)), "no history, no difference"
    asked = [SectionCase(CHILD, SOUP)]
    assert len(stranger["section.fit"].judge(asked)) == 1
