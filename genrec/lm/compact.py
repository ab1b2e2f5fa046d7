"""The compact adapter: terse prompts, one-line answers and a grammar a call, so that a small model cannot go astray.

The signature stays the same for every LM; only this file knows how a 135M model is spoken to:

    shopper: diet: vegan; on: October          ->    red lentils, coconut milk, curry paste, spinach | Curries tonight
    candidates: red lentils, maple syrup, ...
    count: 1
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dspy
from dspy.lm15 import Config, Message, Request
from dspy.utils.exceptions import AdapterParseError
from pydantic import TypeAdapter, ValidationError

from genrec.lm.grammar import numbers_grammar, page_grammar, subset_grammar, themes_grammar
from genrec.page import Descriptor, Theme
from genrec.signatures.whole_page import PickedSection


@dataclass(frozen=True)
class Codec:
    """How one output type is written, read and constrained."""

    write: Callable[[Any], str]
    read: Callable[[str], Any]
    grammar: Callable[[Mapping[str, Any]], str]
    request: Mapping[str, Any]
    """llama.cpp request fields: a prefix-cache slot of its own, and whether the planner's LoRA is on."""


def plain(phrase: str) -> str:
    """A phrase as it may stand in a list and in a grammar: no separators, no control characters, single spaces."""
    return re.sub(r"[\s,|;\x00-\x1f\x7f-\x9f]+", " ", phrase).strip()


def listed(phrases: Sequence[str]) -> list[str]:
    """Phrases as they are shown and may be chosen: plain, none empty, none twice."""
    return list(dict.fromkeys(p for phrase in phrases if (p := plain(str(phrase)))))


def _write_theme(theme: Theme | Mapping[str, Any]) -> str:
    theme = theme if isinstance(theme, Theme) else Theme.model_validate(theme)
    return f"{', '.join(plain(c) for c in theme.concepts)} | {theme.title}"


def _read_theme(line: str) -> dict[str, Any]:
    concepts, bar, title = line.partition(" | ")
    if not bar:
        raise ValueError(f"no ' | ' in {line!r}")
    return {"concepts": tuple(c.strip() for c in concepts.split(",")), "title": title.strip().rstrip(",- ")}


def _read_themes(text: str) -> list[dict[str, Any]]:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError("no theme")
    return [_read_theme(line) for line in lines]


def _write_descriptor(descriptor: Descriptor | Mapping[str, Any]) -> str:
    given = descriptor if isinstance(descriptor, Descriptor) else Descriptor.model_validate(descriptor)
    return ", ".join(plain(k) for k in given.keywords)


def _write_picked(section: PickedSection | Mapping[str, Any]) -> str:
    given = section if isinstance(section, PickedSection) else PickedSection.model_validate(section)
    return f"{given.title} | {', '.join(map(str, given.items))}"


def _read_picked(line: str) -> dict[str, Any]:
    title, bar, numbers = line.partition(" | ")
    if not bar:
        raise ValueError(f"no ' | ' in {line!r}")
    return {"title": title.strip(), "items": tuple(int(n) for n in numbers.split(","))}


THEMES = Codec(
    write=lambda themes: "\n".join(_write_theme(t) for t in themes),
    read=_read_themes,
    grammar=lambda inputs: themes_grammar(listed(inputs["candidates"]), int(inputs["count"])),
    request={"id_slot": 0, "lora": [{"id": 0, "scale": 1.0}]},
)
DESCRIPTOR = Codec(
    write=_write_descriptor,
    read=lambda text: {"keywords": tuple(k.strip() for k in text.split(",") if k.strip())},
    grammar=lambda inputs: subset_grammar(listed(inputs["keywords"]), 4, 6),
    request={"id_slot": 1, "lora": [{"id": 0, "scale": 0.0}]},
)
NUMBERS = Codec(
    write=lambda numbers: ", ".join(str(n) for n in numbers) or "none",
    read=lambda text: [] if text.strip() == "none" else [int(n) for n in text.split(",")],
    grammar=lambda inputs: numbers_grammar(len(inputs["lines"])),
    request={"id_slot": 2, "lora": [{"id": 0, "scale": 0.0}]},
)
PAGE = Codec(
    write=lambda page: "\n".join(_write_picked(section) for section in page),
    read=lambda text: [_read_picked(line) for line in text.splitlines() if line.strip()],
    grammar=lambda inputs: page_grammar(len(inputs["items"]), int(inputs["count"]), int(inputs["size"])),
    request={"id_slot": 2, "lora": [{"id": 0, "scale": 0.0}]},
)
CODECS: tuple[tuple[Any, Codec], ...] = (
    (list[Theme], THEMES),
    (Descriptor, DESCRIPTOR),
    (list[int], NUMBERS),
    (list[PickedSection], PAGE),
)


class CompactAdapter(dspy.Adapter):
    """Speaks to small models through llama.cpp, in process or behind its HTTP port.

    A signature needs exactly one output field, of a type in CODECS. What never changes (the first paragraph of the
    instructions, the demonstrations) comes first and is byte-identical from call to call, so it stays cached.
    """

    def __call__(
        self,
        lm: dspy.LM,
        lm_kwargs: dict[str, Any],
        signature: type[dspy.Signature],
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """One request, one answer: [{output field: value}].

        Raises:
            AdapterParseError: the answer does not read as the output type.

        """
        _, codec = self._output(signature)
        options = {key: value for key, value in {**lm.kwargs, **lm_kwargs}.items() if value is not None}
        config = Config(
            temperature=options.get("temperature", 0.0),
            top_p=options.get("top_p", 0.95),
            max_tokens=options.get("max_tokens", 64 * int(inputs.get("count", 1))),
            seed=options.get("seed", 0),
            extensions={"grammar": codec.grammar(inputs), **codec.request},
        )
        system, *turns = self.format(signature, demos, inputs)
        speaker = {"user": Message.user, "assistant": Message.assistant}
        messages = tuple(speaker[turn["role"]](turn["content"]) for turn in turns)
        response = lm(Request(model=lm.model, system=system["content"], messages=messages, config=config))
        return [self.parse(signature, response.message.text or "")]

    def format(
        self, signature: type[dspy.Signature], demos: list[dict[str, Any]], inputs: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Chat messages: instructions, demonstrations as turns, the request last."""
        name, codec = self._output(signature)
        messages = [{"role": "system", "content": instruction(signature)}]
        for demo in demos:
            if demo.get(name) is not None:
                messages.append({"role": "user", "content": self._lines(signature, demo)})
                messages.append({"role": "assistant", "content": codec.write(demo[name])})
        return [*messages, {"role": "user", "content": self._lines(signature, inputs)}]

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        """The output field, validated against its type."""
        name, codec = self._output(signature)
        kind = signature.output_fields[name].annotation
        try:
            return {name: TypeAdapter(kind).validate_python(codec.read(completion))}
        except (ValueError, ValidationError) as error:
            raise AdapterParseError(
                adapter_name="CompactAdapter", signature=signature, lm_response=completion, message=str(error)
            ) from error

    @staticmethod
    def _output(signature: type[dspy.Signature]) -> tuple[str, Codec]:
        fields = signature.output_fields
        if len(fields) == 1:
            ((name, field),) = fields.items()
            for kind, codec in CODECS:
                if field.annotation == kind:
                    return name, codec
        raise TypeError(f"the compact adapter knows no way to write {list(fields)} of {signature.__name__}")

    @staticmethod
    def _lines(signature: type[dspy.Signature], values: Mapping[str, Any]) -> str:
        """`name: value`, a line for each input that is not empty, in the signature's order."""
        lines = []
        for name in signature.input_fields:
            value = values.get(name)
            if isinstance(value, Sequence) and not isinstance(value, str):
                value = ", ".join(listed(value))
            if value not in (None, ""):
                lines.append(f"{name}: {' '.join(str(value).split())}")
        return "\n".join(lines)


def instruction(signature: type[dspy.Signature]) -> str:
    """The first paragraph of a signature's instructions, on one line: all that a small model can use."""
    return " ".join(signature.instructions.strip().split("\n\n")[0].split())
