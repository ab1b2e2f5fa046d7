"""From a model's name to something a program can ask: the embedded model, or any endpoint that DSPy reaches."""

import os
from dataclasses import dataclass
from typing import Literal

os.environ.setdefault(
    "LITELLM_LOCAL_MODEL_COST_MAP", "True"
)  # before dspy: an offline machine would wait for a price list

import dspy

from genrec.errors import SettingsError
from genrec.lm.chat import ChatAdapter, JSONAdapter
from genrec.lm.compact import CompactAdapter

EMBEDDED = "embedded"
AdapterName = Literal["auto", "chat", "json", "compact"]


@dataclass(frozen=True)
class LanguageModel:
    """An LM together with the way to speak to it.

    `small` models get one theme a call, several samples of it and only the given candidates; they are not asked for
    guardrail verdicts, because theirs are no better than chance (docs/language-models.md has the measurement).
    """

    lm: dspy.LM
    adapter: dspy.Adapter
    name: str
    small: bool
    timeout: float
    """Seconds that one attempt may take."""
    deadline: float
    """Seconds that one page may spend on it, unless the caller says otherwise. The embedded model is bounded by tokens,
    not by time: a clock that cuts in on a busy machine would make the same seed give another page."""


def open_lm(
    model: str = EMBEDDED,
    *,
    api_base: str | None = None,
    api_key: str | None = None,
    adapter: AdapterName = "auto",
    timeout: float = 10.0,
    temperature: float | None = None,
    max_tokens: int = 2000,
) -> LanguageModel:
    """Connect to `model`: "embedded", or any name that dspy.LM takes ("openai/...", "ollama_chat/...").

    Raises:
        SettingsError: the name or the combination of settings makes no sense.
        ModelFileError: the embedded model is not installed.

    """
    if model == EMBEDDED or model.startswith(f"{EMBEDDED}/"):
        if api_base:
            raise SettingsError(f"--api-base {api_base} goes with --lm PROVIDER/MODEL, not with the embedded model")
        from genrec.lm.embedded import MODEL_NAME, EmbeddedEngine

        lm = dspy.LM(MODEL_NAME, engine=EmbeddedEngine(), cache=False, num_retries=0)
        return LanguageModel(lm, CompactAdapter(), MODEL_NAME, small=True, timeout=max(timeout, 60.0), deadline=300.0)
    if "/" not in model:
        raise SettingsError(f"--lm {model}: name the provider too, e.g. openai/{model} or ollama_chat/{model}")
    connection = {"api_base": api_base, "timeout": timeout}
    if api_key or api_base:
        connection["api_key"] = api_key or os.environ.get("OPENAI_API_KEY") or "none"
    try:
        lm = dspy.LM(model, temperature=temperature, max_tokens=max_tokens, cache=False, num_retries=0, **connection)
    except ValueError as error:
        raise SettingsError(f"--lm {model}: {error}") from error
    chosen: dspy.Adapter = ChatAdapter()
    if adapter == "json":
        chosen = JSONAdapter()
    elif adapter == "compact":
        chosen = CompactAdapter()
    return LanguageModel(lm, chosen, model, small=adapter == "compact", timeout=timeout, deadline=2 * timeout)
