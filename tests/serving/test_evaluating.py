"""An evaluation as a command line asks for it: whom, against what, what is kept in the folder, and what is refused."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

import genrec
from genrec import __version__
from genrec.catalog.ingest import read_shoppers
from genrec.catalog.sample import shoppers_path
from genrec.catalog.store import Catalog
from genrec.errors import GenrecError, RegistryError, RequestError, SettingsError
from genrec.evaluation import cards as cards_file
from genrec.evaluation.cards import FILE, write_cards
from genrec.evaluation.judges import CRITERIA
from genrec.evaluation.results import EvaluationReport, Program
from genrec.page import Page, Purchase, Shopper
from genrec.programs.baselines import BASELINES
from genrec.serving import evaluating
from genrec.serving.evaluating import SPLITS, Asked, contenders_of, maker, run, shoppers_of
from genrec.serving.evaluation_reading import headline
from genrec.serving.judging import judges_of
from genrec.settings import Settings
from tests.contracts.generator_contract import market_items
from tests.faulty_server import closed_port
from tests.judge_cards import card_for
from tests.programs.small_shop import ON, Compass, small_shop

NAMES = ("popular", "repeat", "als")
SPLIT_FACTS = json.loads(shoppers_path().with_name("splits.json").read_text(encoding="utf-8"))

# each department has 12 items: even numbers on its shelf 1, odd ones on its shelf 2, and number 1 is sold out
ANN = ("frui-03 frui-05 frui-07 frui-09 frui-11 frui-03", "dair-00 dair-09")
BOB = ("bake-02 bake-04 bake-06 bake-08 tins-02", "frui-02 hous-00")
CY = ("", "tins-04")
DEE = ("hous-02 hous-04 hous-06 frui-04", "")
PEOPLE = {"ann": ANN, "bob": BOB, "cy": CY, "dee": DEE}
"""What was bought in the days up to the page, and in the days after it."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return Catalog.build(market_items(), tmp_path_factory.mktemp("evaluating") / "market")


def shopper(shopper_id: str, before: str, after: str, **fields: Any) -> Shopper:
    """The last purchase before is on the day itself, the first one after on the next."""
    past, future = before.split(), after.split()
    history = [Purchase(item_id=i, at=ON - timedelta(days=n)) for n, i in enumerate(reversed(past))]
    history += [Purchase(item_id=i, at=ON + timedelta(days=n)) for n, i in enumerate(future, start=1)]
    return Shopper(shopper_id=shopper_id, history=tuple(history), **fields)


def written(folder: Path, people: Mapping[str, Sequence[str]] = PEOPLE) -> Path:
    path = folder / "people.jsonl"
    lines = [shopper(name, before, after).model_dump_json() for name, (before, after) in people.items()]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


class Place:
    """A file of shoppers, a home without anything in it, and a folder to evaluate into."""

    def __init__(self, path: Path, shop: Catalog) -> None:
        self.path, self.shop, self.folder = path, shop, path / "out"
        self.told: list[tuple[str, int, int]] = []

    def run(self, people: Mapping[str, Sequence[str]] = PEOPLE, *programs: str, **asked: Any) -> EvaluationReport:
        settings = {name: asked.pop(name) for name in list(asked) if name in Settings.model_fields}
        usual: dict[str, Any] = {
            "programs": programs or NAMES,
            "shoppers": written(self.path, people),
            "on": ON,
            "sections": 3,
            "items_per_section": 4,
            "judge": "none",
        }
        self.told.clear()
        return run(
            Settings(home=self.path / "home", **settings),
            self.shop,
            Asked(**usual | asked),
            self.folder,
            lambda *what: self.told.append(what),
        )

    def files(self, name: str) -> list[Path]:
        """The pages of each maker of this name."""
        return sorted((self.folder / "pages").glob(f"{name}-????????.jsonl"))

    def lines(self, name: str) -> list[bytes]:
        (path,) = self.files(name)
        return path.read_bytes().splitlines(keepends=True)

    def pages(self, name: str) -> list[Page]:
        """In the order that they were made."""
        return [Page.model_validate(json.loads(line)["page"]) for line in self.lines(name)[1:]]


@pytest.fixture
def place(tmp_path: Path, shop: Catalog) -> Place:
    return Place(tmp_path, shop)


def of(report: EvaluationReport, name: str) -> Program:
    return next(program for program in report.programs if program.name == name)


def shown(page: Page) -> list[list[str]]:
    return [[item.item_id for item in section.items] for section in page.sections]


def but_for_the_hour(report: EvaluationReport) -> dict[str, Any]:
    return report.model_dump(exclude={"created_at"})


class TestReport:
    @pytest.fixture(scope="class")
    def place(self, shop: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Place:
        return Place(tmp_path_factory.mktemp("report"), shop)

    @pytest.fixture(scope="class")
    def report(self, place: Place) -> EvaluationReport:
        return place.run(match="item")

    def test_the_files_say_what_was_returned(self, report: EvaluationReport, place: Place) -> None:
        assert EvaluationReport.model_validate_json((place.folder / "report.json").read_bytes()) == report
        html = (place.folder / "report.html").read_text(encoding="utf-8")
        assert headline(report).title in html
        assert all(name in html for name in NAMES)
        there = {path.name for path in place.folder.iterdir()}
        assert there - {".lock"} == {"pages", "report.html", "report.json"}, "nothing half written is left"

    def test_what_was_asked(self, report: EvaluationReport, place: Place) -> None:
        assert report.shoppers == ("ann", "bob", "cy", "dee")
        assert (report.on, report.weeks, report.match) == (ON, 1, "item")
        assert (report.sections, report.items_per_section) == (3, 4)
        assert report.catalog == f"market {place.shop.fingerprint[:12]}"
        assert [program.name for program in report.programs] == list(NAMES)
        assert {program.provenance for program in report.programs} == {f"baseline {n}, LM: none" for n in NAMES}
        assert all([len(row) for row in shown(page)] == [4, 4, 4] for name in NAMES for page in place.pages(name))

    def test_what_popular_found_by_hand(self, report: EvaluationReport, place: Place) -> None:
        # the best of the three departments that sell most, of which number 1 is sold out
        rows = [[f"{department}-{n:02}" for n in (0, 2, 3, 4)] for department in ("dair", "frui", "bake")]
        assert [shown(page) for page in place.pages("popular")] == [rows] * 4
        assert of(report, "popular").by_shopper["recall"] == (1 / 2, 1 / 2, 0, None)
        assert of(report, "popular").means["recall"].value == 1 / 3  # type: ignore[union-attr]
        assert of(report, "popular").means["coverage"].value == 12 / 72  # type: ignore[union-attr]

    def test_repeat_shows_what_was_bought_before(self, place: Place) -> None:
        ann, bob, cy, _ = place.pages("repeat")
        assert {i for row in shown(ann) for i in row} >= set("frui-03 frui-05 frui-07 frui-09".split())
        assert {i for row in shown(bob) for i in row} >= set(BOB[0].split()[:4])
        assert shown(cy) == shown(place.pages("popular")[2])
        assert [step.stage for step in cy.degraded] == ["gather"]

    def test_the_first_is_compared_with_the_others(self, report: EvaluationReport) -> None:
        assert {d.baseline for d in report.differences} == {"repeat", "als"}
        for difference in report.differences:
            mine = of(report, "popular").by_shopper[difference.metric]
            theirs = of(report, difference.baseline).by_shopper[difference.metric]
            pairs = [(a, b) for a, b in zip(mine, theirs, strict=True) if a is not None and b is not None]
            assert difference.difference.n == len(pairs)
            assert difference.difference.value == pytest.approx(sum(a - b for a, b in pairs) / len(pairs))
            assert difference.wins + difference.losses == sum(a != b for a, b in pairs)

    def test_nobody_judged(self, report: EvaluationReport) -> None:
        assert report.judges == report.deciding == report.weakest == ()
        assert not [metric.name for metric in report.metrics if metric.name.startswith("judge.")]
        assert any(note.startswith("1 of 4 shoppers bought nothing later ") for note in report.notes)


class TestHeldOut:
    def test_no_page_depends_on_a_later_purchase(self, place: Place, tmp_path: Path, shop: Catalog) -> None:
        swapped = {name: (before, "wine-02 wine-04 hous-08 hous-10") for name, (before, _) in PEOPLE.items()}
        (tmp_path / "other").mkdir()
        other = Place(tmp_path / "other", shop)
        one, two = place.run(), other.run(swapped)
        for name in NAMES:
            assert [p.sections for p in place.pages(name)] == [p.sections for p in other.pages(name)], name
        assert of(one, "popular").by_shopper["recall"] != of(two, "popular").by_shopper["recall"]

    def test_what_was_bought_on_the_day_is_known(self, place: Place) -> None:
        bought = "soap-0 " + "wine-03 wine-05 wine-07 wine-09"
        place.run({"eve": (bought, "hous-03")}, "repeat", match="item")
        assert any(set(row) == set(bought.split()[1:]) for row in shown(place.pages("repeat")[0]))
        place.folder = place.path / "next day"
        place.run({"eve": ("", bought)}, "repeat", match="item")
        assert not any(i.startswith("wine") for row in shown(place.pages("repeat")[0]) for i in row)

    @pytest.mark.parametrize(("weeks", "recall", "seen"), [(1, 1, 1), (2, 1 / 2, 2), (None, 1 / 3, 8)])
    def test_weeks(self, place: Place, weeks: int | None, recall: float, seen: int) -> None:
        days = {"frui-00": 7, "hous-00": 14, "wine-00": 50}
        history = tuple(Purchase(item_id=i, at=ON + timedelta(days=n)) for i, n in days.items())
        path = place.path / "eve.jsonl"
        path.write_text(Shopper(shopper_id="eve", history=history).model_dump_json(), encoding="utf-8")
        report = place.run({}, "popular", shoppers=path, weeks=weeks)
        assert (of(report, "popular").by_shopper["recall"], report.weeks) == ((pytest.approx(recall),), seen)

    def test_leaf_and_item(self, place: Place) -> None:
        # dairy number 9 is not shown, but others of its shelf are
        found = {
            match: of(place.run({"ann": ANN}, "popular", match=match), "popular").by_shopper["recall"]
            for match in ("leaf", "item")
        }
        assert found == {"leaf": (1,), "item": (1 / 2,)}


class TestMakingOnce:
    def test_a_second_run_makes_no_page_and_gives_the_same_numbers(self, place: Place) -> None:
        first = place.run()
        kept = {name: place.lines(name) for name in NAMES}
        again = place.run()
        assert but_for_the_hour(again) == but_for_the_hour(first)
        assert {name: place.lines(name) for name in NAMES} == kept
        assert [len(lines) for lines in kept.values()] == [5, 5, 5]
        assert [what for what in place.told if what[0] == "pages als"] == [("pages als", n, 4) for n in range(1, 5)]

    def test_a_torn_last_line_heals(self, place: Place) -> None:
        first = place.run()
        (path,) = place.files("repeat")
        lines, pages = place.lines("repeat"), place.pages("repeat")
        path.write_bytes(b"".join(lines)[: -len(lines[-1]) // 2])
        again = place.run()
        assert place.lines("repeat")[:4] == lines[:4]
        assert place.pages("repeat")[3].sections == pages[3].sections
        assert len(place.lines("repeat")) == 5
        assert but_for_the_hour(again) == but_for_the_hour(first)

    def test_more_shoppers_and_programs_cost_only_themselves(self, place: Place) -> None:
        place.run(PEOPLE, "popular", "als", limit=2)
        known = {name: place.lines(name) for name in ("popular", "als")}
        place.run(PEOPLE, *NAMES)
        assert {name: place.lines(name)[:3] for name in known} == known, "als learns from all in the file anyway"
        assert [len(place.lines(name)) for name in NAMES] == [5, 5, 5]

    def test_the_limit_is_drawn_by_the_seed(self, place: Place) -> None:
        drawn = {seed: place.run(PEOPLE, "popular", limit=2, seed=seed).shoppers for seed in range(6)}
        assert drawn[0] == place.run(PEOPLE, "popular", limit=2, seed=0).shoppers
        assert all(len(set(names)) == 2 for names in drawn.values()) and len(set(drawn.values())) > 1
        assert {page.provenance.seed for page in place.pages("popular")} == set(range(6))

    def test_another_layout_is_another_page(self, place: Place) -> None:
        place.run({"ann": ANN}, "popular")
        place.run({"ann": ANN}, "popular", sections=2, occasion="birthday", objectives=("discovery=0.5",))
        place.run({"ann": ANN}, "popular", weeks=1, match="item", least_before=1)
        assert [len(page.sections) for page in place.pages("popular")] == [3, 2]

    def test_als_depends_on_what_everyone_bought_and_popular_does_not(self, place: Place) -> None:
        place.run(PEOPLE, "popular", "als")
        before, (first,) = place.lines("popular"), place.files("als")
        kept = first.read_bytes()
        place.run({**PEOPLE, "dee": ("wine-02 wine-04", "")}, "popular", "als")
        assert place.lines("popular")[:5] == before, "and one more, for the shopper who changed"
        assert len(place.lines("popular")) == 6
        (second,) = set(place.files("als")) - {first}
        assert len(second.read_bytes().splitlines()) == 5
        assert first.read_bytes() == kept
        place.run(PEOPLE, "popular", "als")
        assert (first.read_bytes(), len(place.files("als"))) == (kept, 2)

    def test_another_catalog_is_another_shop(self, place: Place) -> None:
        place.run({"ann": ANN}, "popular", items_per_section=3)
        (first,) = place.files("popular")
        kept = first.read_bytes()
        place.shop = small_shop(place.path)
        report = place.run({"ann": ANN}, "popular", items_per_section=3)
        assert report.catalog.startswith("small ")
        assert (len(place.files("popular")), first.read_bytes()) == (2, kept)

    def test_two_at_a_time_in_one_folder_are_refused(self, place: Place) -> None:
        place.run({"ann": ANN}, "popular")
        with FileLock(place.folder / ".lock"), pytest.raises(RequestError, match="out: another evaluation writes"):
            place.run(PEOPLE, "popular")
        assert len(place.lines("popular")) == 2
        assert len(place.run(PEOPLE, "popular").shoppers) == 4, "and the folder is free again"


class TestMaker:
    """What a page depends on beside the request is in its maker, and nothing else is."""

    ONE_LM = ("one-prompt", "packaged")
    ITEMS = ("static", "packaged")

    @pytest.mark.parametrize(
        ("changed", "names"),
        [
            ({"lm": "openai/x"}, ONE_LM),
            ({"api_base": "http://127.0.0.1:1/v1"}, ONE_LM),
            ({"lm_adapter": "json"}, ONE_LM),
            ({"lm_timeout": 3.0}, ONE_LM),
            ({"lm_deadline": 3.0}, ONE_LM),
            ({"relevance": "cosine"}, ITEMS),
            ({"threshold": 0.1}, ITEMS),
            ({"ranker": "mine:ranker"}, ITEMS),
            ({"unproven_judges": True}, ("packaged",)),
            ({"home": Path("elsewhere")}, ()),
            ({"judge_bars": {"page.fit": 0.1}}, ()),
            ({"learned_judges": Path("elsewhere")}, ()),
            ({"tracking_uri": "sqlite:///elsewhere.db"}, ()),
        ],
        ids=lambda value: next(iter(value), "") if isinstance(value, dict) else "",
    )
    def test_settings(self, shop: Catalog, changed: dict[str, Any], names: Sequence[str]) -> None:
        everyone = ("packaged", *BASELINES)
        before = {name: maker(name, shop, Settings()) for name in everyone}
        after = {name: maker(name, shop, Settings(**changed)) for name in everyone}
        assert tuple(sorted(n for n in everyone if before[n] != after[n])) == tuple(sorted(names))

    def test_everyone_depends_on_name_version_and_catalog(self, tmp_path: Path, shop: Catalog) -> None:
        other = small_shop(tmp_path)
        for name in ("packaged", *BASELINES):
            words = maker(name, shop, Settings()).split()
            assert words[:2] == [name, __version__] and shop.fingerprint in words
            assert maker(name, other, Settings()) == " ".join(words).replace(shop.fingerprint, other.fingerprint)
        assert maker("genrec-page/1/a", shop, Settings()) != maker("genrec-page/1/b", shop, Settings())

    def test_genrecs_own_code_and_words_make_pages_and_what_measures_them_does_not(
        self, shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home = tmp_path / "genrec"
        names = ("lm/a.py", "programs/words.txt", "programs/b.pyc", "signatures/c.py", "evaluation/d.py", "page.py")
        for name in (*names, "catalog/sample/e.jsonl", "pyfunc.py"):
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(name, encoding="utf-8")
        monkeypatch.setattr(genrec, "__file__", str(home / "__init__.py"))

        def made() -> str:
            evaluating._sources.cache_clear()
            return maker("popular", shop, Settings())

        try:
            before = made()
            changed = set()
            for name in names:
                (home / name).write_text("another", encoding="utf-8")
                if made() != before:
                    changed.add(name)
                (home / name).write_text(name, encoding="utf-8")
            assert changed == {"lm/a.py", "programs/words.txt", "signatures/c.py", "page.py"}
            assert made() == before
        finally:
            evaluating._sources.cache_clear()

    def test_histories_are_what_als_learns_from_and_nothing_else_does(self, shop: Catalog) -> None:
        def made(name: str, *people: Shopper) -> str:
            return maker(name, shop, Settings(), people)

        ann, bob = shopper("ann", *ANN), shopper("bob", *BOB)
        more = shopper("bob", BOB[0] + " hous-02", BOB[1])
        assert made("als", ann, bob) == made("als", ann, bob)
        assert len({made("als"), made("als", ann), made("als", ann, bob), made("als", ann, more)}) == 4
        told = shopper("bob", *BOB, diets=frozenset({"vegan"}), likes=("plums",), age=40)
        assert made("als", ann, told) == made("als", ann, bob)
        for name in ("packaged", *BASELINES):
            assert (made(name, ann, bob) == made(name)) is (name != "als")


class TestContenders:
    def test_all_of_them_unless_some_are_named(self, place: Place) -> None:
        settings = Settings(home=place.path / "home")
        found = contenders_of(settings, place.shop, (), (), tell=pytest.fail)
        assert [one.name for one in found] == ["packaged", *BASELINES]
        assert not (place.path / "home").exists(), "nothing was opened, and no registry made"

    def test_each_is_opened_once_and_makes_its_own_pages(self, shop: Catalog) -> None:
        for one in contenders_of(Settings(), shop, NAMES, [shopper("ann", *ANN)], tell=pytest.fail):
            assert one.open() is one.open()
            assert one.open().name == one.name  # type: ignore[attr-defined]

    @pytest.mark.parametrize(("unproven", "guards"), [(False, "guard False"), (True, "guard True")])
    def test_whether_an_lm_guards_is_part_of_what_made_a_page(self, place: Place, unproven: bool, guards: str) -> None:
        said: list[str] = []
        settings = Settings(
            home=place.path / "home",
            lm="openai/x",
            api_base="http://127.0.0.1:1/v1",
            relevance="cosine",
            unproven_judges=unproven,
        )
        (one,) = contenders_of(settings, place.shop, ["packaged"], (), tell=said.append)
        assert one.maker.endswith(guards)
        assert [text.partition(" (")[0] for text in said] == ["the LM is not asked as a guard"] * (not unproven)

    def test_a_baseline_as_the_settings_program_is_compared_with_the_others(self, shop: Catalog) -> None:
        found = contenders_of(Settings(model="repeat"), shop, (), (), tell=pytest.fail)
        assert [one.name for one in found] == ["repeat", "popular", "static", "als", "one-prompt"]


class TestWithAnLM:
    def test_one_that_cannot_be_reached_is_told_of(self, place: Place) -> None:
        """The program falls back to the theme library; whoever reads the numbers must know."""
        place.shop = Catalog.build(market_items(), place.path / "market", Compass())
        where = {"lm": "openai/faulty", "api_base": closed_port(), "lm_deadline": 60.0, "relevance": "cosine"}
        report = place.run({"ann": ANN}, "packaged", "popular", **where)
        assert report.notes[0].startswith("the LM is not asked as a guard (openai/faulty on guardrail.allowed: never")
        assert any(note.startswith("On 1 of 1 pages of packaged the LM answered nothing") for note in report.notes)
        assert not any("pages of popular" in note for note in report.notes)
        assert of(report, "packaged").by_shopper["degraded"] == (1,)
        assert of(report, "packaged").provenance == "top-down packaged, LM: openai/faulty"
        before = place.lines("packaged")
        assert place.run({"ann": ANN}, "packaged", "popular", **where).notes == report.notes
        assert place.lines("packaged") == before


class TestShoppers:
    @pytest.mark.parametrize("split", [*SPLITS, "all"])
    def test_the_sample_by_split(self, split: str) -> None:
        people, everyone, on = shoppers_of(Asked(split=split))
        wanted = SPLIT_FACTS[split] if split != "all" else [name for s in SPLITS for name in SPLIT_FACTS[s]]
        assert sorted(one.shopper_id for one in people) == sorted(wanted)
        assert everyone == read_shoppers(shoppers_path()), "als learns from all of them"
        assert on == date.fromisoformat(SPLIT_FACTS["today"]) == date(2026, 11, 12)

    def test_the_sample_is_split_into_three_that_share_nobody(self) -> None:
        parts = [{one.shopper_id for one in shoppers_of(Asked(split=split))[0]} for split in SPLITS]
        assert [len(part) for part in parts] == [32, 16, 16]
        assert set.union(*parts) == {one.shopper_id for one in read_shoppers(shoppers_path())}

    def test_another_day_of_the_sample(self) -> None:
        assert shoppers_of(Asked(on=ON - timedelta(days=3)))[2] == ON - timedelta(days=3)

    def test_a_file_and_its_day(self, tmp_path: Path) -> None:
        people, everyone, on = shoppers_of(Asked(shoppers=written(tmp_path), on=ON, split="nonsense"))
        assert ([one.shopper_id for one in people], on) == (["ann", "bob", "cy", "dee"], ON)
        assert everyone == people
        assert len(people[0].history) == 8, "all of it: what is held out is left out later"


class TestRefused:
    @pytest.mark.parametrize(
        ("asked", "error", "said"),
        [
            ({"programs": ("populr",)}, SettingsError, "'populr' is no program; .* popular, static, repeat, als"),
            ({"programs": ("popular", "als", "popular")}, SettingsError, "popular als popular: each only once"),
            ({"programs": ("models:/mine@best",)}, RegistryError, "no version of mine is registered"),
            ({"on": None}, RequestError, r"people\.jsonl: say on which day pages are made \(--on\)"),
            ({"shoppers": None, "split": "holdout"}, RequestError, "--split holdout: .* train, dev, test, all"),
            ({"shoppers": Path("none.jsonl")}, RequestError, r"none\.jsonl"),
            ({"objectives": ("discovery=many",)}, RequestError, "--objective discovery=many"),
            ({"items_per_section": 2}, RequestError, "items_per_section"),
            ({"least_before": 7}, RequestError, "none of 4 shoppers has 7 purchases up to 2026-11-12 and 0 then"),
            ({"least_after": 3}, RequestError, "0 purchases up to 2026-11-12 and 3 then; .* --least-after"),
            ({"least_before": 1, "least_after": 1, "on": ON + timedelta(days=30)}, RequestError, "up to 2026-12-12"),
            ({"judge": "lm"}, SettingsError, "the embedded model is no judge"),
            ({"judge": "learned", "learned_judges": Path("my-judges")}, GenrecError, "my-judges"),
            ({"judge": "learned", "judge_bars": {"fit": 0.5}}, SettingsError, "'fit' is no criterion"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
    )
    def test_before_anything_is_made(
        self, place: Place, asked: dict[str, Any], error: type[GenrecError], said: str
    ) -> None:
        with pytest.raises(error, match=said):
            place.run(**{"programs": ("popular",), **asked})
        assert not place.folder.exists()
        assert not (place.path / "home").exists()

    def test_a_folder_that_is_a_file(self, place: Place) -> None:
        place.folder.write_text("mine", encoding="utf-8")
        for folder in (place.folder, place.folder / "below"):
            place.folder = folder
            with pytest.raises(RequestError, match=f"{folder}: cannot be written .* -o"):
                place.run(PEOPLE, "popular")
        assert (place.path / "out").read_text(encoding="utf-8") == "mine"

    def test_a_report_that_cannot_be_written(self, place: Place) -> None:
        (place.folder / "report.html").mkdir(parents=True)
        with pytest.raises(RequestError, match=r"report\.html: cannot be written .* -o"):
            place.run(PEOPLE, "popular")
        assert len(place.lines("popular")) == 5, "the pages are kept for the next time"

    def test_purchases_that_the_catalog_lacks_do_not_count(self, place: Place) -> None:
        people = {"ann": ("soap-1 soap-2", "soap-3"), "bob": ("frui-02", "frui-03")}
        assert place.run(people, "popular", least_before=1, least_after=1).shoppers == ("bob",)
        with pytest.raises(RequestError, match="none of 2 shoppers has 2 purchases"):
            place.run(people, "popular", least_before=2)

    def test_a_limit_of_nobody(self, place: Place) -> None:
        with pytest.raises(RequestError):
            place.run(PEOPLE, "popular", limit=0)


@pytest.mark.slow
class TestJudged:
    """The learned judges and the rules on one small page."""

    @pytest.fixture(scope="class")
    def place(self, shop: Catalog, tmp_path_factory: pytest.TempPathFactory):
        """Two judges at their bar, one under it, and nothing known of the others."""
        place = Place(tmp_path_factory.mktemp("judged"), shop)
        judges = judges_of(Settings(), shop, "learned")
        kappas = {"item.relevance": 0.7, "page.fit": 0.6, "section.clarity": 0.59}
        write_cards([card_for(judges[c], kappa) for c, kappa in kappas.items()], place.path / "home" / FILE)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cards_file, "SHIPPED", place.path / "no-cards.json")
            yield place

    def judged(self, place: Place, **asked: Any) -> EvaluationReport:
        usual = {"sections": 2, "items_per_section": 3, "judge": "learned"}
        return place.run({"ann": ANN}, "popular", **usual | asked)

    def test_those_at_their_bar_make_the_score(self, place: Place) -> None:
        report = self.judged(place)
        means = {name: mean.value for name, mean in of(report, "popular").means.items() if mean is not None}
        judged = {name for name in means if name.startswith("judge.")}
        assert judged == {"judge.score", *(f"judge.{c}" for c in CRITERIA if c != "page.coverage")}
        # items weigh 0.35, the page 0.2
        expected = (0.35 * means["judge.item.relevance"] + 0.2 * means["judge.page.fit"]) / 0.55
        assert means["judge.score"] == pytest.approx(expected)
        assert report.deciding == ("item.relevance", "page.fit")
        assert {card.criterion for card in report.judges} == {*report.deciding, "section.clarity"}
        assert [weak.shopper_id for weak in report.weakest] == ["ann", "ann"]
        assert report.weakest[0].score <= report.weakest[1].score

    def test_who_only_advises_is_said(self, place: Place) -> None:
        notes = self.judged(place).notes
        assert notes[0] == "Advisory only, because they agree too little with gold judgments: section.clarity."
        assert notes[1].startswith("Never measured against gold judgments, and so advisory too: section.appeal, ")
        assert "page.coverage" not in notes[1], "which nobody asked"
        asked_for = self.judged(place, unproven_judges=True)
        assert asked_for.deciding == tuple(CRITERIA)
        assert asked_for.notes[0].startswith("Judges under their bar or never measured decide here, ")
        assert not any(note.startswith("Advisory only") for note in asked_for.notes)

    def test_coverage_is_judged_where_objectives_are_asked_for(self, place: Place) -> None:
        report = self.judged(place, objectives=("discovery",))
        assert of(report, "popular").means["judge.page.coverage"] is not None
