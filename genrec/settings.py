"""Settings: genrec.toml, then GENREC_* in the environment, then flags; the later wins. Frozen once made."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from genrec.errors import SettingsError

FILE = "genrec.toml"
PREFIX = "GENREC_"


class Settings(BaseModel):
    """Everything that may be set outside a call."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path = Field(Path(".genrec"), description="working state: indexes, the MLflow database, model files")
    catalog: Path | None = Field(None, description="catalog file or index directory; the sample when not set")
    embedder: str | None = Field(
        None, description="minilm, static or a sentence-transformers folder; an index's own, or minilm, when not set"
    )
    lm: str = Field("embedded", description="language model: embedded, or PROVIDER/MODEL")
    api_base: str | None = Field(None, description="address of an OpenAI-compatible server")
    lm_adapter: Literal["auto", "chat", "json", "compact"] = Field("auto", description="how the LM is spoken to")
    lm_timeout: float = Field(10.0, gt=0, le=86_400, description="seconds that one attempt at one LM call may take")
    lm_deadline: float | None = Field(
        None, gt=0, le=86_400, description="seconds that a page may spend on the LM; twice lm_timeout when not set"
    )
    relevance: Literal["gate", "cosine"] = Field("gate", description="who filters: the cross-encoder or plain cosine")
    threshold: float | None = Field(
        None, ge=0, le=1, description="least P(relevant) shown; the gate's own when not set"
    )
    ranker: str | None = Field(None, description="a shop's own ranker as module:callable")
    model: str = Field("packaged", description="program version: packaged, or models:/genrec-page@ALIAS")
    judge_bars: Mapping[str, float] = Field(
        {}, description="weighted kappa that a judge needs before it may decide, by criterion"
    )
    learned_judges: Path | None = Field(
        None, description="folder of learned judges, as judge_training writes it; the shipped ones when not set"
    )
    unproven_judges: bool = Field(False, description="let judges decide that are under their bar or never measured")
    tracking_uri: str | None = Field(
        None, description="MLflow tracking and registry URI; SQLite under home when not set"
    )

    @field_validator("judge_bars", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        """Read `NAME=BAR,NAME=BAR`, as the environment has it; which names there are, evaluation knows."""
        if isinstance(value, Mapping) and any(isinstance(bar, Mapping) for bar in value.values()):
            raise ValueError('put the criterion in quotes: "item.relevance" = 0.7')
        if not isinstance(value, str):
            return value
        pairs = [pair.strip().partition("=") for pair in value.split(",") if pair.strip()]
        for name, equals, bar in pairs:
            if not (name and equals and bar):
                raise ValueError(
                    f"{name + equals + bar!r} is no CRITERION=BAR; write item.relevance=0.7,section.fit=0.5"
                )
        return {name.strip(): bar.strip() for name, _, bar in pairs}


def load_settings(flags: Mapping[str, Any] | None = None, *, folder: Path | None = None) -> Settings:
    """Merge `folder`/genrec.toml (default: the current folder), GENREC_* and `flags`; a flag that is None is not set.

    Raises:
        SettingsError: unreadable file, unknown name or value out of range; the message says where it came from.

    """
    path = (folder or Path.cwd()) / FILE
    layers: list[tuple[str, dict[str, Any]]] = [(str(path), _file(path))]
    known = Settings.model_fields.keys()
    environment = {n[len(PREFIX) :].lower(): v for n, v in os.environ.items() if n.startswith(PREFIX) and v}
    layers.append(("the environment", {n: v for n, v in environment.items() if n in known}))
    layers.append(("the command line", {n: v for n, v in (flags or {}).items() if v is not None}))
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for source, values in layers:
        for name, value in values.items():
            merged[name] = value
            origin[name] = source
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "settings"
        source = origin.get(str(first["loc"][0]) if first["loc"] else "", "settings")
        raise SettingsError(f"{source}: {place}: {first['msg']}; known settings: {', '.join(sorted(known))}") from error


def _file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {error}; see docs/settings.md") from error
