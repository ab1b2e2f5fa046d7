import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from genrec.catalog import artifact, store
from genrec.catalog.ingest import read_items
from genrec.catalog.items import Item
from genrec.catalog.minilm import MiniLM
from genrec.catalog.store import Catalog
from genrec.catalog.text import item_dense_text
from genrec.errors import CatalogError, IndexStateError


def files(path: Path) -> list[Path]:
    """The files of the current generation."""
    generation = json.loads((path / "manifest.json").read_text())["generation"]
    return sorted((path / generation).iterdir())


class Counting:
    """MiniLM that counts the texts it embeds."""

    name, dim = "counting", 384

    def __init__(self, minilm: MiniLM, fingerprint: str = "counting:1") -> None:
        self.fingerprint = fingerprint
        self.texts: list[str] = []
        self._minilm = minilm

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.texts += texts
        return self._minilm.encode(texts)


@pytest.fixture
def copied(index_path: Path, tmp_path: Path) -> Path:
    """A copy of the index that may be damaged."""
    return Path(shutil.copytree(index_path, tmp_path / "copy"))


@pytest.fixture
def file(items: list[Item], tmp_path: Path) -> Path:
    """A catalog file."""
    path = tmp_path / "shop.jsonl"
    path.write_text("".join(item.model_dump_json() + "\n" for item in items), "utf-8")
    return path


def rewrite(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    change(manifest)
    (path / "manifest.json").write_text(json.dumps(manifest))


def test_built_and_opened_are_the_same(catalog: Catalog, items: list[Item], minilm: MiniLM, tmp_path: Path) -> None:
    built = Catalog.build(items, tmp_path / "again", minilm, name="small")
    assert list(built.items.values()) == list(catalog.items.values()) == items
    assert built.fingerprint == catalog.fingerprint
    assert built.name == catalog.name == "small"
    assert list(built.keywords.phrases) == list(catalog.keywords.phrases) != []
    for query in ("birthday cake", "cheese", "detergent"):
        assert built.index.search(query, limit=20) == catalog.index.search(query, limit=20)


def test_the_items_of_an_index_are_a_catalog_file_again(
    index_path: Path, items: list[Item], catalog: Catalog, minilm: MiniLM, tmp_path: Path
) -> None:
    [lines] = [file for file in files(index_path) if file.name == "items.jsonl"]
    assert read_items(lines) == items
    assert Catalog.build(reversed(items), tmp_path / "again", minilm).fingerprint == catalog.fingerprint


def test_items_are_read_when_they_are_asked_for(catalog: Catalog, items: list[Item]) -> None:
    assert list(catalog.items) == [item.item_id for item in items] and len(catalog.items) == len(items)
    assert catalog.items["sku-07"] == items[6] and "sku-07" in catalog.items
    assert "sku-99" not in catalog.items and catalog.items.get("sku-99") is None
    with pytest.raises(KeyError):
        catalog.items[""]


def test_vector_of_is_the_encoding_of_the_items_text(catalog: Catalog, minilm: MiniLM) -> None:
    row = catalog.vector_of("sku-03")
    assert row.shape == (384,) and row.dtype == np.float32
    assert np.abs(row - minilm.encode([item_dense_text(catalog.items["sku-03"])])[0]).max() < 1e-5
    with pytest.raises(KeyError):
        catalog.vector_of("unknown")


def test_declares_diets_is_decided_by_department(catalog: Catalog) -> None:
    assert catalog.declares_diets(catalog.items["sku-11"])  # parmesan: untagged, in a department that tags
    assert not catalog.declares_diets(catalog.items["sku-36"])  # laundry liquid
    assert not catalog.declares_diets(Item(item_id="new", title="New", categories=("Unknown",)))


def test_popularity_rank_by_hand(minilm: MiniLM, tmp_path: Path) -> None:
    items = [Item(item_id=i, title=f"Tea {i}", popularity=p) for i, p in [("a", 0), ("b", 5), ("c", 5), ("d", 9)]]
    ranked = Catalog.build(items, tmp_path / "four", minilm)
    assert [ranked.popularity_rank(i) for i in "abcd"] == [0.0, 0.5, 0.5, 1.0]
    assert Catalog.build(items[:1], tmp_path / "one", minilm).popularity_rank("a") == 1.0


def test_a_flipped_byte_in_any_file_is_found(copied: Path, minilm: MiniLM) -> None:
    for file in files(copied):
        data = file.read_bytes()
        if data:
            file.write_bytes(data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :])
            with pytest.raises(IndexStateError, match=rf"{file.name}: damaged.*rebuild it with `genrec index"):
                Catalog.open(copied, embedder=minilm)
        file.write_bytes(data)
    Catalog.open(copied, embedder=minilm)


def test_a_flipped_byte_in_a_file_too_large_to_read_while_opening_is_found_by_searching(
    copied: Path, minilm: MiniLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact, "EAGER", 0)
    for name, mode in [("vectors.npy", "dense"), ("bm25.rows.npy", "lexical"), ("items.jsonl", "items")]:
        [file] = [file for file in files(copied) if file.name == name]
        data = file.read_bytes()
        file.write_bytes(data[:200] + bytes([data[200] ^ 1]) + data[201:])
        with pytest.raises(IndexStateError, match=rf"{name}: damaged"):
            opened = Catalog.open(copied, embedder=minilm)
            list(opened.items.values()) if mode == "items" else opened.index.search("bread", limit=3, mode=mode)
        with pytest.raises(IndexStateError, match=rf"{name}: damaged"):
            Catalog.open(copied, embedder=minilm).verify()
        file.write_bytes(data)


def test_a_truncated_or_missing_file_is_found(copied: Path, minilm: MiniLM) -> None:
    for file in files(copied):
        data = file.read_bytes()
        if data:
            file.write_bytes(data[:-1])
            with pytest.raises(IndexStateError, match=rf"{file.name}: .*rebuild it with `genrec index"):
                Catalog.open(copied, embedder=minilm)
        file.unlink()
        with pytest.raises(IndexStateError, match=rf"{file.name}: missing; rebuild"):
            Catalog.open(copied, embedder=minilm)
        file.write_bytes(data)


def test_a_manifest_that_is_missing_garbled_or_foreign(copied: Path, minilm: MiniLM) -> None:
    (copied / "manifest.json").write_text('{"kind": "something else"}')
    with pytest.raises(IndexStateError, match="not the manifest of a genrec index"):
        Catalog.open(copied, embedder=minilm)
    (copied / "manifest.json").write_bytes(b"\xff{")
    with pytest.raises(IndexStateError, match="cannot be read"):
        Catalog.open(copied, embedder=minilm)
    (copied / "manifest.json").unlink()
    with pytest.raises(IndexStateError, match=r"there is no manifest\.json in it; rebuild"):
        Catalog.open(copied, embedder=minilm)


def test_a_newer_format_says_upgrade_and_an_older_one_rebuild(copied: Path, minilm: MiniLM) -> None:
    rewrite(copied, lambda m: m.update(format_version=99))
    with pytest.raises(IndexStateError, match="format 99, this genrec reads format 2; upgrade genrec, or rebuild"):
        Catalog.open(copied, embedder=minilm)
    rewrite(copied, lambda m: m.update(format_version=0))
    with pytest.raises(IndexStateError, match="format 0, this genrec reads format 2; rebuild"):
        Catalog.open(copied, embedder=minilm)


def test_another_encoder_is_refused(copied: Path, minilm: MiniLM) -> None:
    with pytest.raises(IndexStateError, match=r"made by .* all-MiniLM.*searched with counting \(other:1\); open it"):
        Catalog.open(copied, embedder=Counting(minilm, "other:1"))


def test_no_such_path(tmp_path: Path, minilm: MiniLM) -> None:
    with pytest.raises(CatalogError, match="no such catalog file or index directory"):
        Catalog.open(tmp_path / "nowhere", embedder=minilm)


def test_a_file_is_indexed_once(file: Path, tmp_path: Path, minilm: MiniLM, items: list[Item]) -> None:
    counting = Counting(minilm)
    progress: list[tuple[str, int, int]] = []
    home = tmp_path / "home"
    first = Catalog.open(file, embedder=counting, home=home, progress=lambda *args: progress.append(args))
    assert first.name == "shop" and list(first.items.values()) == items
    assert progress[0] == ("items", len(items), len(items)) and progress[-1][0] == "keywords"
    [index] = (home / "indexes").iterdir()
    counting.texts.clear()
    again = Catalog.open(file, embedder=counting, home=home)
    assert counting.texts == [] and again.fingerprint == first.fingerprint
    assert Catalog.open(index, embedder=counting).fingerprint == first.fingerprint


def test_a_changed_file_keeps_the_vectors_of_what_did_not_change(file: Path, tmp_path: Path, minilm: MiniLM) -> None:
    counting = Counting(minilm)
    first = Catalog.open(file, embedder=counting, home=tmp_path / "home")
    counting.texts.clear()
    new = Item(item_id="sku-new", title="Lemon sorbet, 500 ml")
    with file.open("a", encoding="utf-8") as lines:
        lines.write(new.model_dump_json() + "\n")
    second = Catalog.open(file, embedder=counting, home=tmp_path / "home")
    assert counting.texts == ["Lemon sorbet, 500 ml"]
    assert np.array_equal(second.vector_of("sku-01"), first.vector_of("sku-01"))
    assert second.fingerprint != first.fingerprint


def test_a_damaged_cache_is_made_again(file: Path, tmp_path: Path, minilm: MiniLM) -> None:
    first = Catalog.open(file, embedder=minilm, home=tmp_path / "home")
    [index] = (tmp_path / "home" / "indexes").iterdir()
    [rows] = [part for part in files(index) if part.name == "bm25.rows.npy"]
    rows.write_bytes(b"")
    assert Catalog.open(file, embedder=minilm, home=tmp_path / "home").fingerprint == first.fingerprint
    assert list((tmp_path / "home" / "indexes").iterdir()) == [index]
    Catalog.open(index, embedder=minilm).verify()


def test_home_comes_from_the_environment(
    file: Path, tmp_path: Path, minilm: MiniLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENREC_HOME", str(tmp_path / "elsewhere"))
    Catalog.open(file, embedder=minilm)
    assert len(list((tmp_path / "elsewhere" / "indexes").iterdir())) == 1


def test_rebuilding_in_place_embeds_only_what_is_new(copied: Path, minilm: MiniLM, items: list[Item]) -> None:
    counting = Counting(minilm, minilm.fingerprint)
    changed = items[0].model_copy(update={"title": "Spelt loaf, 800 g", "price": 9.0})
    repriced = items[1].model_copy(update={"price": 9.0})
    rebuilt = Catalog.build([changed, repriced, *items[2:]], copied, counting)
    assert [text for text in counting.texts if text not in rebuilt.keywords.phrases] == [item_dense_text(changed)]
    assert rebuilt.items["sku-02"].price == 9.0


@pytest.mark.parametrize("fails_in", ["encode", "checksums", "replace"])
def test_an_interrupted_write_leaves_the_old_index_whole(
    copied: Path, minilm: MiniLM, items: list[Item], monkeypatch: pytest.MonkeyPatch, fails_in: str
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    if fails_in == "encode":
        monkeypatch.setattr(MiniLM, "encode", fail)
    else:
        monkeypatch.setattr(artifact if fails_in == "checksums" else artifact.os, fails_in, fail)
    with pytest.raises(KeyboardInterrupt):
        Catalog.build([*items, Item(item_id="new", title="Something never seen")], copied, minilm)
    monkeypatch.undo()
    assert list(Catalog.open(copied, embedder=minilm).items.values()) == items
    assert [entry.name for entry in copied.parent.iterdir()] == [copied.name]


def test_bad_items_never_lose_what_was_there(copied: Path, minilm: MiniLM, items: list[Item]) -> None:
    with pytest.raises(CatalogError, match="not written, the catalog is empty"):
        Catalog.build([], copied, minilm)
    with pytest.raises(CatalogError, match="item_id 'sku-01' is given twice"):
        Catalog.build([*items, items[0]], copied, minilm)
    assert len(Catalog.open(copied, embedder=minilm).items) == len(items)


def test_a_directory_that_is_not_an_index_is_not_overwritten(tmp_path: Path, minilm: MiniLM, items: list[Item]) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"meow")
    with pytest.raises(IndexStateError, match="exists and is not an index; name another directory"):
        Catalog.build(items, tmp_path / "photos", minilm)
    assert (tmp_path / "photos" / "cat.jpg").read_bytes() == b"meow"


def test_the_embedder_is_not_loaded_by_opening(index_path: Path) -> None:
    embedder = MiniLM(Path("/nonexistent"))
    opened = Catalog.open(index_path, embedder=embedder)
    assert opened.index.search("bread", limit=3, mode="lexical")


def test_the_sample_is_the_default(minilm: MiniLM, tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(file, tmp_path / "catalog.jsonl")
    monkeypatch.setattr(store, "SAMPLE", tmp_path)
    assert Catalog.open(embedder=minilm, home=tmp_path / "home").name == "catalog"


def test_updating_says_what_it_did(copied: Path, minilm: MiniLM, items: list[Item]) -> None:
    new = Item(item_id="sku-90", title="Lemon sorbet, 500 ml")
    assert Catalog.update([*items[1:], new], copied, minilm) == (len(items), 1, 1, 1)
    assert Catalog.update(iter(items), copied, minilm)[:3] == (len(items), 1, 1)
    assert list(Catalog.open(copied, embedder=minilm).items.values()) == items


def test_an_index_is_opened_and_updated_with_the_encoder_that_made_it(items: list[Item], tmp_path: Path) -> None:
    Catalog.build(items[:4], tmp_path / "shop", "static")
    assert Catalog.open(tmp_path / "shop").embedder.name == "static-minilm-256"
    Catalog.update(items[:5], tmp_path / "shop")
    assert Catalog.open(tmp_path / "shop").embedder.name == "static-minilm-256"
    Catalog.update(items[:5], tmp_path / "shop", "minilm")
    assert Catalog.open(tmp_path / "shop").embedder.name == MiniLM.name


def test_a_file_is_indexed_again_only_when_its_content_changes(file: Path, tmp_path: Path, minilm: MiniLM) -> None:
    def generation() -> object:
        Catalog.open(file, embedder=minilm, home=tmp_path / "home")
        [index] = (tmp_path / "home" / "indexes").iterdir()
        return json.loads((index / "manifest.json").read_text())["generation"]

    first = generation()
    os.utime(file, (1, 1))  # a copy of the file, or a checkout
    assert generation() == first
    file.write_text(file.read_text("utf-8").replace("Mild cheddar", "Mildest cheddar"), "utf-8")
    assert generation() != first  # in the same place: what went before is not kept


def test_two_files_of_one_name_do_not_share_an_index(file: Path, tmp_path: Path, minilm: MiniLM) -> None:
    (tmp_path / "other").mkdir()
    other = Path(shutil.copy(file, tmp_path / "other" / file.name))
    other.write_text(other.read_text("utf-8").splitlines(keepends=True)[0], "utf-8")
    for path, count in ((file, 40), (other, 1), (file, 40)):
        assert len(Catalog.open(path, embedder=minilm, home=tmp_path / "home").items) == count
    assert len(list((tmp_path / "home" / "indexes").iterdir())) == 2
