"""Settings: three places, the later wins, and an error says which place it was."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from genrec.errors import SettingsError
from genrec.settings import FILE, Settings, load_settings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"GENREC_{name.upper()}", raising=False)


def write(folder: Path, text: str) -> Path:
    (folder / FILE).write_text(text, encoding="utf-8")
    return folder


def test_defaults_need_nothing(tmp_path: Path) -> None:
    assert load_settings(folder=tmp_path) == Settings()


def test_the_later_place_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path, 'lm = "ollama_chat/file"\nlm_timeout = 1.0\nthreshold = 0.1\nlm_deadline = 7\n')
    monkeypatch.setenv("GENREC_LM_TIMEOUT", "2")
    monkeypatch.setenv("GENREC_THRESHOLD", "0.2")
    settings = load_settings({"threshold": 0.3}, folder=folder)
    assert settings.lm == "ollama_chat/file"
    assert (settings.lm_deadline, settings.lm_timeout, settings.threshold) == (7.0, 2.0, 0.3)
    assert settings.home == Path(".genrec"), "the default, where nobody says anything"


def test_the_current_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write(tmp_path, 'home = "elsewhere"'))
    assert load_settings().home == Path("elsewhere")


def test_a_flag_that_is_none_was_not_given(tmp_path: Path) -> None:
    folder = write(tmp_path, "threshold = 0.4")
    assert load_settings({"threshold": None, "catalog": None}, folder=folder).threshold == 0.4


def test_a_flag_of_zero_was_given(tmp_path: Path) -> None:
    assert load_settings({"threshold": 0.0}, folder=write(tmp_path, "threshold = 0.4")).threshold == 0.0


def test_an_empty_variable_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENREC_THRESHOLD", "")
    assert load_settings(folder=write(tmp_path, "threshold = 0.4")).threshold == 0.4


def test_variables_of_others_are_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENREC_COLOUR", "green")
    monkeypatch.setenv("GENREC_", "x")
    assert load_settings(folder=tmp_path) == Settings()


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().lm = "x"  # type: ignore[misc]


class TestJudgeBars:
    def test_a_table_in_the_file(self, tmp_path: Path) -> None:
        folder = write(tmp_path, 'lm = "embedded"\n[judge_bars]\n"item.relevance" = 0.75\n"section.fit" = 0\n')
        assert load_settings(folder=folder).judge_bars == {"item.relevance": 0.75, "section.fit": 0.0}

    def test_pairs_in_the_environment_replace_the_table(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = write(tmp_path, '[judge_bars]\n"page.fit" = 0.9\n')
        monkeypatch.setenv("GENREC_JUDGE_BARS", "item.relevance=0.7, section.fit = 0.5,")
        assert load_settings(folder=folder).judge_bars == {"item.relevance": 0.7, "section.fit": 0.5}

    @pytest.mark.parametrize("text", ["item.relevance", "item.relevance=", "=0.5", "item.relevance=high", "0.5"])
    def test_what_is_no_pair_names_the_environment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        monkeypatch.setenv("GENREC_JUDGE_BARS", text)
        with pytest.raises(SettingsError, match=r"^the environment: judge_bars"):
            load_settings(folder=tmp_path)

    def test_a_bar_that_is_no_number_names_its_criterion(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match=r"judge_bars\.page\.fit: Input should be a valid number"):
            load_settings(folder=write(tmp_path, '[judge_bars]\n"page.fit" = "high"\n'))

    def test_a_criterion_without_quotes_says_what_to_write(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match='put the criterion in quotes: "item.relevance" = 0.7'):
            load_settings(folder=write(tmp_path, "[judge_bars]\nitem.relevance = 0.7\n"))

    def test_unproven_judges_from_every_place(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = write(tmp_path, "unproven_judges = true\n")
        assert load_settings(folder=folder).unproven_judges
        monkeypatch.setenv("GENREC_UNPROVEN_JUDGES", "false")
        assert not load_settings(folder=folder).unproven_judges
        assert not load_settings({"unproven_judges": None}, folder=folder).unproven_judges
        assert load_settings({"unproven_judges": True}, folder=folder).unproven_judges


class TestErrors:
    def test_an_unknown_name_in_the_file(self, tmp_path: Path) -> None:
        folder = write(tmp_path, 'colour = "green"')
        with pytest.raises(SettingsError) as caught:
            load_settings(folder=folder)
        message = str(caught.value)
        assert message.startswith(f"{folder / FILE}: colour: ")
        assert "known settings: api_base, catalog, embedder, home" in message

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("LM_TIMEOUT", "soon"),
            ("LM_TIMEOUT", "0"),
            ("LM_TIMEOUT", "-1"),
            ("LM_TIMEOUT", "nan"),
            ("LM_TIMEOUT", "inf"),
            ("LM_DEADLINE", "1e300"),
            ("THRESHOLD", "1.01"),
            ("THRESHOLD", "-0.1"),
            ("THRESHOLD", "nan"),
            ("RELEVANCE", "vibes"),
            ("LM_ADAPTER", "xml"),
        ],
    )
    def test_a_bad_variable_names_the_environment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(f"GENREC_{name}", value)
        with pytest.raises(SettingsError, match=f"^the environment: {name.lower()}: "):
            load_settings(folder=tmp_path)

    def test_a_bad_flag_names_the_command_line(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GENREC_THRESHOLD", "0.5")
        with pytest.raises(SettingsError, match="^the command line: threshold: "):
            load_settings({"threshold": 2}, folder=tmp_path)

    def test_a_bad_value_that_a_later_place_replaces_does_no_harm(self, tmp_path: Path) -> None:
        assert load_settings({"threshold": 0.5}, folder=write(tmp_path, "threshold = 9")).threshold == 0.5

    @pytest.mark.parametrize(
        "text", [b"lm = ", b'lm = "a"\nlm = "b"\n', b"lm = \xff", b"\xef\xbb\xbflm = 3\n= 4"], ids=range(4)
    )
    def test_a_file_that_is_no_toml(self, tmp_path: Path, text: bytes) -> None:
        (tmp_path / FILE).write_bytes(text)
        with pytest.raises(SettingsError) as caught:
            load_settings(folder=tmp_path)
        assert str(caught.value).startswith(f"{tmp_path / FILE}: ")

    @pytest.mark.parametrize("text", ['[lm]\nname = "x"', "lm_timeout = [1]", "catalog = 3", "home = true"])
    def test_a_value_of_another_type(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(SettingsError, match=str(tmp_path / FILE)):
            load_settings(folder=write(tmp_path, text))
