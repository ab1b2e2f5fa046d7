"""From the words of a command line to a request, and what is said when they make none."""

import json
from datetime import date
from pathlib import Path

import pytest

from genrec.errors import RequestError
from genrec.page import Objective, PageRequest
from genrec.serving.requests import find_shopper, page_request, parse_objective


def people(folder: Path, *ids: str, name: str = "people.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps({"shopper_id": i, "household": f"of {i}"}) + "\n" for i in ids))
    return path


class TestFindShopper:
    def test_a_sample_shopper(self) -> None:
        assert find_shopper("maya-vegan-student").diets == {"vegan"}

    def test_the_only_one_of_a_file(self, tmp_path: Path) -> None:
        assert find_shopper(str(people(tmp_path, "ann"))).household == "of ann"

    def test_one_of_several_by_id(self, tmp_path: Path) -> None:
        path = people(tmp_path, "ann", "bob", "cy#1")
        assert find_shopper(f"{path}#bob").shopper_id == "bob"
        assert find_shopper(f"{path}#cy#1").shopper_id == "cy#1"
        assert find_shopper(f"{people(tmp_path, 'ann')}#ann").shopper_id == "ann"

    def test_one_object_in_a_json_file(self, tmp_path: Path) -> None:
        path = tmp_path / "me.json"
        path.write_text(json.dumps({"shopper_id": "me"}, indent=1))
        assert find_shopper(str(path)).shopper_id == "me"

    def test_an_unknown_sample_shopper(self) -> None:
        with pytest.raises(RequestError) as caught:
            find_shopper("nobody")
        message = str(caught.value)
        assert message.startswith("the sample: no single shopper 'nobody' among 64 (")
        assert "`genrec shoppers` lists them" in message

    @pytest.mark.parametrize("mark", ["", "#", "#dora"])
    def test_a_file_of_several_needs_a_name(self, tmp_path: Path, mark: str) -> None:
        path = people(tmp_path, "ann", "bob", "cy", "ed")
        with pytest.raises(RequestError) as caught:
            find_shopper(f"{path}{mark}")
        message = str(caught.value)
        assert message.startswith(f"{path}: no single shopper {mark[1:]!r} among 4 (ann, bob, cy, ...); ")
        assert message.endswith(f"name one as {path}#ID")

    def test_all_names_of_a_short_file_are_given(self, tmp_path: Path) -> None:
        with pytest.raises(RequestError, match=r"among 2 \(ann, bob\);"):
            find_shopper(str(people(tmp_path, "ann", "bob")))

    @pytest.mark.parametrize("name", ["gone.jsonl", "gone.jsonl#ann", "folder/gone.JSON", "gone.jsonl.gz"])
    def test_a_file_that_is_not_there(self, name: str) -> None:
        with pytest.raises(RequestError, match="no such file of shoppers"):
            find_shopper(name)

    @pytest.mark.parametrize("name", ["", "#", "#ann", "x" * 5000, "nul\x00byte", "/", "."])
    def test_odd_names_are_unknown_shoppers(self, name: str) -> None:
        with pytest.raises(RequestError, match="no single shopper"):
            find_shopper(name)

    def test_a_broken_file_says_where(self, tmp_path: Path) -> None:
        path = tmp_path / "people.jsonl"
        path.write_text('{"shopper_id": "ann"}\n{"shopper_id": "bob", "age": "old"}\n')
        with pytest.raises(RequestError, match=r"people\.jsonl:2"):
            find_shopper(f"{path}#ann")

    def test_a_file_of_another_kind(self, tmp_path: Path) -> None:
        path = people(tmp_path, "ann", name="people.csv")
        with pytest.raises(RequestError, match="shoppers are read from .jsonl or .json"):
            find_shopper(str(path))


class TestObjective:
    @pytest.mark.parametrize(
        ("text", "name", "weight"),
        [
            ("value", "value", 1.0),
            ("value=0.5", "value", 0.5),
            (" own brand = 1 ", "own brand", 1.0),
            ("value=0", "value", 0.0),
            ("value=1e-1", "value", 0.1),
        ],
    )
    def test_name_and_weight(self, text: str, name: str, weight: float) -> None:
        assert parse_objective(text) == Objective(name=name, weight=weight)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "=",
            "=0.5",
            " =1",
            "value=",
            "value=much",
            "value=1.1",
            "value=-1",
            "value=nan",
            "value=inf",
            "a=b=0.5",
            "x" * 61,
        ],
    )
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(RequestError) as caught:
            parse_objective(text)
        assert str(caught.value) == f"--objective {text}: write NAME=WEIGHT with a weight from 0 to 1"


class TestPageRequest:
    @staticmethod
    def make(**changes: object) -> PageRequest:
        words = {
            "occasion": "",
            "on": date(2026, 11, 12),
            "objectives": (),
            "sections": 6,
            "items_per_section": 8,
            "seed": 0,
        }
        return page_request("alex-new", **{**words, **changes})  # type: ignore[arg-type]

    def test_the_words_become_the_request(self) -> None:
        made = self.make(occasion="birthday", objectives=("value=0.5", "discovery"), sections=3, seed=9)
        assert (made.shopper.shopper_id, made.occasion, made.on) == ("alex-new", "birthday", date(2026, 11, 12))
        assert made.objectives == (Objective(name="value", weight=0.5), Objective(name="discovery"))
        assert (made.sections, made.items_per_section, made.seed) == (3, 8, 9)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("sections", 0),
            ("sections", 21),
            ("sections", -1),
            ("items_per_section", 2),
            ("items_per_section", 41),
            ("seed", -1),
            ("seed", 2**31),
            ("occasion", "x" * 81),
        ],
    )
    def test_what_is_out_of_range_is_named(self, field: str, value: object) -> None:
        with pytest.raises(RequestError, match=f"^{field}: "):
            self.make(**{field: value})

    @pytest.mark.parametrize(
        ("field", "value"), [("sections", 1), ("sections", 20), ("items_per_section", 3), ("items_per_section", 40)]
    )
    def test_the_ends_of_a_range_are_in_it(self, field: str, value: int) -> None:
        assert getattr(self.make(**{field: value}), field) == value
