"""What a stage is charged with."""

import dspy
import pytest
from dspy.lm15 import Message, Response, ServerError, TextPart, Usage

from genrec.lm.connect import open_lm
from genrec.lm.usage import Meter
from tests.faulty_server import says, serving


class Engine:
    supports_function_calling = supports_reasoning = supports_response_schema = False
    supported_params = frozenset({"temperature", "max_tokens"})

    def __init__(self, usage=None):
        self.usage = usage

    def complete(self, request):
        if self.usage is None:
            raise ServerError("down")
        return Response(
            id="1", model=request.model, message=Message.assistant([TextPart("yes")]), finish_reason="stop",
            usage=self.usage,
        )  # fmt: skip


def lm(usage=None):
    return dspy.LM("embedded/some-model", engine=Engine(usage), cache=False, num_retries=0)


def test_tokens_calls_and_seconds_add_up_by_stage():
    model = lm(Usage(input_tokens=100, cache_read_tokens=60, output_tokens=7))
    meter = Meter(model)
    for stage in ("plan", "describe", "plan"):
        with meter.stage(stage) as charged:
            charged("hello")
    report = meter.report()
    assert list(report) == ["plan", "describe"]
    plan = report["plan"]
    assert (plan.calls, plan.input_tokens, plan.cached_tokens, plan.output_tokens) == (2, 200, 120, 14)
    assert (plan.failures, plan.dollars) == (0, None)
    assert plan.seconds > 0
    assert report["describe"].calls == 1
    assert model.history == []


def test_dollars_where_the_price_is_known():
    """The faulty server's 100 tokens in and 20 out, at gpt-4o-mini's 0.15 and 0.60 dollars a million."""
    with serving(says("yes")) as server:
        for name, dollars in (("openai/gpt-4o-mini", pytest.approx(2 * 27e-6)), ("openai/nobody-sells-this", None)):
            meter = Meter(open_lm(name, api_base=server.address).lm)
            for _ in range(2):
                with meter.stage("plan") as charged:
                    charged("hello")
            assert meter.report()["plan"].dollars == dollars


def test_a_call_that_failed_is_a_call():
    meter = Meter(lm())
    with pytest.raises(dspy.LMError), meter.stage("plan") as charged:
        charged("hello")
    meter.fail("plan")
    plan = meter.report()["plan"]
    assert (plan.calls, plan.failures, plan.input_tokens) == (1, 1, 0)


def test_two_meters_on_one_model_do_not_mix():
    model = lm(Usage(input_tokens=10, output_tokens=1))
    one, two = Meter(model), Meter(model)
    with one.stage("plan") as first, two.stage("plan") as second:
        first("hello")
        second("hello")
        second("hello")
    assert one.report()["plan"].calls == 1
    assert two.report()["plan"].calls == 2
