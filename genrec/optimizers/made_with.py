"""What a compiled program was made with: the fingerprints that a registered version carries."""

from collections.abc import Sequence

from pydantic import Field

from genrec.evaluation.page_metric import METRIC
from genrec.optimizers.training_sets import training_fingerprint
from genrec.page import PageRequest, Value
from genrec.programs.relevance import RelevanceModel
from genrec.programs.top_down import TopDown


class MadeWith(Value):
    """What a program was compiled with: names and fingerprints."""

    encoder: str = Field(description="fingerprint of the catalog's encoder")
    gate: str = Field(description="fingerprint of the relevance gate")
    threshold: float = Field(description="least P(relevant) that was shown")
    judge: str = Field(description="the metric that was climbed; of judges, who they are and what they decide")
    training_set: str = Field(description="fingerprint of the train and dev requests and the written plans")
    lm: str = Field(description="language model name")
    catalog: str = Field(description="catalog fingerprint")

    def facts(self) -> dict[str, str]:
        """The same as text, as a registry keeps it."""
        return {name: str(value) for name, value in self.model_dump().items()}


def made_with(program: TopDown, requests: Sequence[PageRequest], *, metric: str = METRIC) -> MadeWith:
    """The names and fingerprints behind `program`, compiled on `requests` to climb `metric`."""
    parts = program.parts
    return MadeWith(
        encoder=parts.catalog.embedder.fingerprint,
        gate=gate_fingerprint(parts.relevance),
        threshold=parts.threshold,
        judge=metric,
        training_set=training_fingerprint(requests),
        lm=parts.model.name,
        catalog=parts.catalog.fingerprint,
    )


def gate_fingerprint(gate: RelevanceModel) -> str:
    """What identifies a gate: its own fingerprint where it has one, else its name."""
    return str(getattr(gate, "fingerprint", gate.name))
