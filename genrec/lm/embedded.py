"""SmolLM2 in this process on llama.cpp: a DSPy engine without key, network or compiler. Prompts are in compact.py."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dspy.lm15 import Message, Request, Response, TextPart, Usage, response_to_events
from dspy.lm15 import ServerError as EngineFailure

from genrec.lm.weights import PLANNER_LORA, smollm2_path

MODEL_NAME = "embedded/smollm2-135m"
CONTEXT_TOKENS = 4096
"""Longest prompt and answer."""
SLOTS = 3


class EmbeddedEngine:
    """One llama.cpp server for `dspy.LM(MODEL_NAME, engine=EmbeddedEngine())`.

    A request's `config.extensions` may carry llama.cpp's own fields: `grammar` (GBNF), `id_slot` (which prefix cache
    to use), `lora` (adapter scales) and sampler settings.

    The same request gives the same answer, whatever was asked before, because the arithmetic is the same: in float
    rounding, how many tokens are computed together and where they lie in the cache make a difference that sampling
    shows. Hence calls are made one at a time, each slot has a cache of its own, and before each call its slot is
    brought back to what never changes: everything up to the last message. That costs about 0.05 s.
    """

    supports_function_calling = False
    supports_reasoning = False
    supports_response_schema = True
    supported_params = frozenset({"temperature", "max_tokens", "top_p", "seed", "presence_penalty", "response_format"})

    def __init__(self, model: Path | None = None, lora: Path | None = None, *, threads: int = 2, port: int = 0) -> None:
        """Load the weights (about a second). `port` 0 takes a free loopback port.

        Raises:
            ModelFileError: the weights are missing or damaged.

        """
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(model or smollm2_path())
        params.n_ctx = CONTEXT_TOKENS * SLOTS
        params.n_parallel = SLOTS
        params.kv_unified = False
        params.cache_ram_mib = 0
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.verbosity = -1
        params.hostnames = ["127.0.0.1"]
        params.port = port
        adapter = PLANNER_LORA if lora is None and PLANNER_LORA.is_file() else lora
        if adapter is not None:
            params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 0.0)]
        self._has_lora = adapter is not None
        self._server = xllamacpp.Server(params)
        # A server that is dropped before its loop runs never ends: its destructor waits for a loop that missed the call
        # to stop. One answered question proves that the loop runs.
        self._ask({"messages": [{"role": "user", "content": ""}], "max_tokens": 1})
        self._lock = threading.Lock()
        self._prefixes: dict[int, str] = {}

    @property
    def address(self) -> str:
        """Base address of the OpenAI-compatible port, e.g. for `--api-base`."""
        return f"{self._server.listening_address}/v1"

    def complete(self, request: Request) -> Response:
        """Answer one canonical request.

        Raises:
            dspy.lm15.ServerError: llama.cpp refused it, e.g. the prompt is longer than the context.

        """
        body = self._body(request)
        with self._lock:
            computed = self._settle(body)
            answer = self._ask(body)
        choice, usage = answer["choices"][0], answer["usage"]
        cached = usage.get("prompt_tokens_details", {}).get("cached_tokens", 0)
        return Response(
            id=answer.get("id"),
            model=request.model,
            message=Message.assistant([TextPart(choice["message"]["content"] or "")]),
            finish_reason="length" if choice.get("finish_reason") == "length" else "stop",
            usage=Usage(
                input_tokens=usage["prompt_tokens"],
                output_tokens=usage["completion_tokens"],
                cache_read_tokens=max(0, cached - computed),
            ),
        )

    def stream(self, request: Request) -> Iterator[Any]:
        """The whole answer as one stream; llama.cpp is asked once."""
        yield from response_to_events(self.complete(request))

    def close(self) -> None:
        """Nothing to do: the server goes with this object."""

    def _settle(self, body: dict[str, Any]) -> int:
        """Leave in the slot nothing but the messages before the last; returns how many tokens were computed for it."""
        *prefix, last = body["messages"]
        slot, key = body["id_slot"], json.dumps([prefix, body.get("lora")])
        known = self._prefixes.pop(slot, None) == key
        shared: dict[str, Any] = {name: body[name] for name in ("id_slot", "lora") if name in body}
        empty = {"role": last["role"], "content": ""}
        usage = self._ask({"messages": [*prefix, empty], "max_tokens": 0, "cache_prompt": known, **shared})["usage"]
        self._prefixes[slot] = key
        return int(usage["prompt_tokens"] - usage.get("prompt_tokens_details", {}).get("cached_tokens", 0))

    def _ask(self, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._server.handle_chat_completions(body)
        if "choices" not in answer:
            error = answer.get("error", answer)
            raise EngineFailure(f"llama.cpp: {error.get('message', error)}")
        return answer

    def _body(self, request: Request) -> dict[str, Any]:
        config = request.config
        messages = []
        if request.system is not None:
            system = request.system if isinstance(request.system, str) else "".join(p.text for p in request.system)
            messages.append({"role": "system", "content": system})
        messages += [{"role": message.role, "content": message.text or ""} for message in request.messages]
        body: dict[str, Any] = {"messages": messages, "cache_prompt": True, "max_tokens": config.max_tokens or 512}
        for name in ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty"):
            if (value := getattr(config, name)) is not None:
                body[name] = value
        if config.response_format is not None:
            schema = config.response_format.get("schema")  # canonical form; llama.cpp wants it by itself
            body |= {"json_schema": schema} if schema else {"response_format": config.response_format}
        body.update({"id_slot": SLOTS - 1, **(config.extensions or {})})
        if not self._has_lora:
            body.pop("lora", None)
        return body
