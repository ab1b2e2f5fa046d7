"""Test doubles of the one boundary that costs money: the LM's engine. Everything else in the tests is real."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dspy
import pytest
from dspy.lm15 import Message, Request, Response, TextPart, Usage, response_to_events

from genrec.lm.compact import CompactAdapter
from genrec.lm.connect import LanguageModel

Answers = Sequence[str] | Callable[[Request], str | None]


class ScriptedEngine:
    """An engine for `dspy.LM(name, engine=ScriptedEngine(...))` that says what the test wrote down.

    `answers` are given in order, or made from the request; one call too many, or None, fails the test. `requests` are
    the calls so far.
    """

    supports_function_calling = False
    supports_reasoning = False
    supports_response_schema = True
    supported_params = frozenset({"temperature", "max_tokens", "top_p", "seed", "presence_penalty", "response_format"})

    def __init__(self, answers: Answers) -> None:
        self.requests: list[Request] = []
        self._answers = answers

    def complete(self, request: Request) -> Response:
        self.requests.append(request)
        number = len(self.requests)
        if callable(self._answers):
            text = self._answers(request)
        else:
            text = self._answers[number - 1] if number <= len(self._answers) else None
        if text is None:
            # a BaseException: neither DSPy nor genrec takes it for an LM that is down
            pytest.fail(f"unplanned LM call {number}: {asked(request)!r}")
        return Response(
            id=f"scripted-{number}",
            model=request.model,
            message=Message.assistant([TextPart(text)]),
            finish_reason="stop",
            usage=Usage(input_tokens=10, output_tokens=5),
        )

    def stream(self, request: Request) -> Iterator[Any]:
        yield from response_to_events(self.complete(request))

    def close(self) -> None:
        pass


def scripted_lm(
    answers: Answers, *, name: str = "scripted/model", small: bool = True, adapter: dspy.Adapter | None = None
) -> LanguageModel:
    """A LanguageModel on a ScriptedEngine; the engine is at `.lm.engine`."""
    lm = dspy.LM(name, engine=ScriptedEngine(answers), cache=False, num_retries=0)
    return LanguageModel(lm, adapter or CompactAdapter(), name, small=small, timeout=30.0, deadline=60.0)


def asked(request: Request) -> str:
    """The last thing the LM was told."""
    return request.messages[-1].text or ""


def field(request: Request, name: str) -> list[str]:
    """A field of the last message, as the compact adapter writes it, split at commas; [] when it is not there."""
    lines = (line.partition(": ") for line in asked(request).splitlines())
    return next((value.split(", ") for key, _, value in lines if key == name), [])


def plain_answers(request: Request) -> str | None:
    """A dutiful small model: the first candidates and a title that names two of them, or the first keywords."""
    if candidates := field(request, "candidates"):
        first, second = candidates[:2]
        return f"{', '.join(candidates[:4])} | {first.capitalize()} with {second}"[:200]
    if keywords := field(request, "keywords"):
        return ", ".join(keywords[:4])
    return None
