"""The relevance models: one contract for both, what the shipped gate knows, and what a damaged one says."""

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from genrec.catalog.items import Item
from genrec.catalog.minilm import MiniLM
from genrec.errors import ModelFileError
from genrec.page import Theme
from genrec.programs import relevance
from genrec.programs.relevance import (
    CosineRelevance,
    CrossEncoderGate,
    RelevanceModel,
    item_text,
    probability,
    theme_text,
)

SHIPPED = Path(relevance.__file__).with_name("relevance_gate")
FRUIT = "Fruit for the bowl this week: bananas, apples, pears, oranges"


def _item(title: str, leaf: str = "", description: str = "") -> Item:
    return Item(item_id=title, title=title, categories=(leaf,) if leaf else (), description=description)


APPLES = _item("Gala apples, 6 pack", "Apples & pears", "Small, sweet eating apples. Good raw.")
SHAMPOO = _item("Green apple shampoo, 250 ml", "Shampoo & conditioner", "Gentle shampoo for daily washing.")
HAMMER = _item("Claw hammer, 450 g", "Tools and repairs", "Steel head, rubber grip.")


@pytest.fixture(scope="module", params=["cosine", "gate"])
def model(request: pytest.FixtureRequest) -> RelevanceModel:
    """Both implementations of the seam."""
    return CosineRelevance(MiniLM()) if request.param == "cosine" else CrossEncoderGate.load()


def test_scores_are_probabilities_in_the_order_of_the_items(model: RelevanceModel) -> None:
    scores = model.score(FRUIT, [HAMMER, APPLES, SHAMPOO])
    assert scores.dtype == np.float32
    assert scores.shape == (3,)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert scores[1] == scores.max()
    np.testing.assert_allclose(scores[::-1], model.score(FRUIT, [SHAMPOO, APPLES, HAMMER]), atol=1e-5)


def test_a_pair_scores_the_same_alone_and_in_a_batch(model: RelevanceModel) -> None:
    pairs = [(FRUIT, APPLES), ("Odd jobs: hammer, nails, glue", HAMMER), (FRUIT, HAMMER), (FRUIT, APPLES)]
    scores = model.score_many(pairs)
    alone = [float(model.score(theme, [item])[0]) for theme, item in pairs]
    np.testing.assert_allclose(scores, alone, atol=1e-4)
    assert scores[0] == scores[3]
    assert scores[1] > scores[2]


def test_repeats_are_identical(model: RelevanceModel) -> None:
    first = model.score(FRUIT, [APPLES, SHAMPOO, HAMMER])
    assert np.array_equal(first, model.score(FRUIT, [APPLES, SHAMPOO, HAMMER]))


def test_nothing_in_nothing_out(model: RelevanceModel) -> None:
    assert model.score(FRUIT, []).shape == (0,)
    assert model.score_many([]).shape == (0,)


@pytest.mark.parametrize("theme", ["", " ", "\u0000", "苹果和梨", "🍎" * 300, "word " * 2_000])
def test_odd_text_never_raises(model: RelevanceModel, theme: str) -> None:
    odd = _item("🍏 " * 90, description="x" * 4_000)
    scores = model.score(theme, [APPLES, odd])
    assert np.isfinite(scores).all()


def test_threads_get_the_scores_of_one(model: RelevanceModel) -> None:
    expected = model.score(FRUIT, [APPLES, SHAMPOO, HAMMER])
    found: list[bool] = []

    def work() -> None:
        found.append(np.array_equal(model.score(FRUIT, [APPLES, SHAMPOO, HAMMER]), expected))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 4


def test_the_text_of_a_theme_is_title_and_concepts() -> None:
    theme = Theme(concepts=("bananas", "apples", "pears"), title="Fruit for the bowl")
    assert theme_text(theme) == "Fruit for the bowl: bananas, apples, pears"


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (APPLES, "Gala apples, 6 pack. Apples & pears. Small, sweet eating apples"),
        (_item("Rye flour, 1 kg", "Flour", "Dark. Strong."), "Rye flour, 1 kg. Dark"),
        (_item("Plain"), "Plain"),
    ],
)
def test_the_text_of_an_item_is_short(item: Item, text: str) -> None:
    assert item_text(item) == text
    assert len(item_text(_item("t", "leaf", "word " * 500)).split()) == relevance.ITEM_WORDS


def test_probability_is_the_logistic_curve() -> None:
    raw = np.array([0.0, np.log(3.0), -1e9], np.float32)
    np.testing.assert_allclose(probability(raw, 1.0, 0.0), [0.5, 0.75, 0.0], atol=1e-6)


def test_importing_the_module_does_not_import_torch() -> None:
    code = "import sys, genrec.programs.relevance; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_gate_ships_small_and_without_pickle() -> None:
    assert {path.name for path in SHIPPED.iterdir()} == {"adapter.safetensors", "manifest.json"}
    assert (SHIPPED / "adapter.safetensors").stat().st_size <= 2 * 2**20
    assert 0 < CrossEncoderGate.load().threshold < 1


def _copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "gate"))


def _edit(folder: Path, **facts: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | facts))


def test_a_missing_gate_names_the_folder_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"nowhere.*relevance_training"):
        CrossEncoderGate.load(tmp_path / "nowhere")


def test_a_damaged_adapter_is_not_loaded(tmp_path: Path) -> None:
    folder = _copy(tmp_path)
    with (folder / "adapter.safetensors").open("r+b") as file:
        file.seek(5_000)
        file.write(b"damage")
    with pytest.raises(ModelFileError, match=r"adapter.safetensors.*train it again"):
        CrossEncoderGate.load(folder)


def test_an_adapter_of_another_base_is_not_loaded(tmp_path: Path) -> None:
    folder = _copy(tmp_path)
    _edit(folder, base_sha256="0" * 64)
    with pytest.raises(ModelFileError, match="another base model"):
        CrossEncoderGate.load(folder)


def test_a_newer_format_asks_for_an_upgrade(tmp_path: Path) -> None:
    folder = _copy(tmp_path)
    _edit(folder, format_version=99)
    with pytest.raises(ModelFileError, match="upgrade genrec"):
        CrossEncoderGate.load(folder)


def test_a_manifest_without_numbers_is_an_error(tmp_path: Path) -> None:
    folder = _copy(tmp_path)
    _edit(folder, slope="steep")
    with pytest.raises(ModelFileError, match="manifest"):
        CrossEncoderGate.load(folder)


def test_a_base_that_is_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"something else")
    with pytest.raises(ModelFileError, match="SHA-256"):
        CrossEncoderGate.load(base=tmp_path)
    with pytest.raises(ModelFileError, match="all-MiniLM-L6-v2"):
        CrossEncoderGate.load(base=tmp_path / "empty")
