"""An OpenAI-compatible server on 127.0.0.1 that misbehaves the way that a test names."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STAGES = {"[[ ## candidates ## ]]": "plan", "[[ ## keywords ## ]]": "describe", "[[ ## lines ## ]]": "guard"}
"""A field that only one signature's request has -> the stage that asked."""

Behaviour = Callable[["Handler"], None]
Answer = Callable[[str, str], str]
"""From the stage and the whole question to the content of the answer."""


class FaultyServer(ThreadingHTTPServer):
    """`address` goes to --api-base; `bodies` are the requests so far."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviour = behaviour
        self.bodies: list[dict[str, Any]] = []
        self.closing = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request, client_address) -> None:
        """A client that gave up waiting is what several tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: FaultyServer

    def log_message(self, *args) -> None:
        pass

    def do_POST(self) -> None:  # noqa: N802
        self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(self.body)
        self.server.behaviour(self)

    @property
    def question(self) -> str:
        return str(self.body["messages"][-1]["content"])

    @property
    def stage(self) -> str:
        return next((stage for mark, stage in STAGES.items() if mark in self.question), "")

    def reply(self, body: bytes, *, status: int = 200, kind: str = "application/json", length: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def completion(self, content: str) -> bytes:
        message = {"role": "assistant", "content": content}
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        answer = {
            "id": "faulty",
            "object": "chat.completion",
            "created": 1,
            "model": self.body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": usage,
        }
        return json.dumps(answer).encode()


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[FaultyServer]:
    server = FaultyServer(behaviour)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()


def closed_port() -> str:
    """An address that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


def hangs(handler: Handler) -> None:
    handler.server.closing.wait(120)


def drips(handler: Handler) -> None:
    """A byte a second: no socket timeout ever trips."""
    handler.reply(b"", length=1000)
    while not handler.server.closing.wait(1):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def html(handler: Handler) -> None:
    handler.reply(b"<!doctype html><html><body><h1>Welcome to nginx!</h1></body></html>", kind="text/html")


def half_a_json(handler: Handler) -> None:
    whole = handler.completion("[[ ## themes ## ]]\n[]")
    handler.reply(whole[: len(whole) // 2])


def cut_off(handler: Handler) -> None:
    """Promises more bytes than it sends."""
    whole = handler.completion("[[ ## themes ## ]]\n[]")
    handler.reply(whole[: len(whole) // 2], length=len(whole))
    handler.close_connection = True


def no_choices(handler: Handler) -> None:
    handler.reply(json.dumps({"object": "chat.completion", "choices": []}).encode())


def json_of_another_kind(handler: Handler) -> None:
    handler.reply(b'["not", "a", "completion"]')


def fails(status: int) -> Behaviour:
    def behaviour(handler: Handler) -> None:
        error = {"message": f"this is what a {status} looks like", "type": "error", "code": str(status)}
        handler.reply(json.dumps({"error": error}).encode(), status=status)

    return behaviour


def says(answer: str | Answer) -> Behaviour:
    """A valid completion with this content."""

    def behaviour(handler: Handler) -> None:
        content = answer if isinstance(answer, str) else answer(handler.stage, handler.question)
        handler.reply(handler.completion(content))

    return behaviour


# What a good large model says, so that a test can spoil one part of it.

GOOD_THEMES: tuple[Mapping[str, Any], ...] = (
    {
        "concepts": ["rice noodles", "soy sauce", "chilli sauce", "spring onions"],
        "title": "Noodle night in ten minutes",
    },
    {"concepts": ["red lentils", "chickpeas", "basmati rice", "curry powder"], "title": "Big pot of curry and rice"},
    {"concepts": ["rolled oats", "bananas", "apples", "raisins"], "title": "Oat breakfasts with fruit"},
    {"concepts": ["black beans", "tortillas", "salsa", "sweetcorn"], "title": "Bean tacos with salsa"},
    {"concepts": ["laundry detergent", "dish soap", "sponges", "bin bags"], "title": "Clean the kitchen and laundry"},
    {"concepts": ["spaghetti", "tomato sauce", "olive oil", "garlic"], "title": "Pasta with tomato sauce"},
    {"concepts": ["shampoo", "toothpaste", "deodorant", "soap"], "title": "Fresh start in the bathroom"},
    {"concepts": ["carrots", "potatoes", "onions", "celery"], "title": "Root vegetables for soup"},
    {"concepts": ["green tea", "herbal tea", "black tea", "lemon"], "title": "Tea for a study break"},
    {"concepts": ["notebooks", "pens", "highlighters", "sticky notes"], "title": "Pens and paper for exams"},
)


def section(name: str, value: Any) -> str:
    """A field as DSPy's chat format writes it."""
    return f"[[ ## {name} ## ]]\n{json.dumps(value)}\n\n[[ ## completed ## ]]"


def field(question: str, name: str) -> Any:
    """A list that the question holds, as DSPy's chat format writes it."""
    text = question.split(f"[[ ## {name} ## ]]\n", 1)[1]
    return json.loads(text.split("\n\n[[ ##", 1)[0].split("\n\nRespond", 1)[0])


def good(stage: str, question: str) -> str:
    if stage == "plan":
        return section("themes", GOOD_THEMES)
    if stage == "describe":
        return section("descriptor", {"keywords": field(question, "keywords")[:5]})
    return section("deny", [])


def spoiled(**parts: Any) -> Answer:
    """A good model but for one field: `themes`, `descriptor` or `deny` is this value, or made from the good one."""

    def answer(stage: str, question: str) -> str:
        text = good(stage, question)
        name = {"plan": "themes", "describe": "descriptor", "guard": "deny"}[stage]
        if name not in parts:
            return text
        part = parts[name]
        return section(name, part(question) if callable(part) else part)

    return answer
