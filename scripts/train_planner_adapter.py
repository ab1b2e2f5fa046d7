"""Teach the embedded model the planner's format: candidates in, concepts and a title out (LoRA, GGUF).

    python scripts/train_planner_adapter.py --out genrec/lm/planner-lora.gguf --epochs 3

Reads the section files in genrec/optimizers/data/ and writes a llama.cpp adapter. A held-out thirtieth of the sections,
split by shopper line, gives the validation loss that is printed after each epoch; checkpoints allow `--resume`.
"""

import argparse
import json
import random
import time
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFWriter
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from genrec.lm.compact import instruction
from genrec.lm.weights import smollm2_path
from genrec.signatures import ThemePlanner

DATA = Path(__file__).parents[1] / "genrec" / "optimizers" / "data"
TURNS = 3
"""Sections packed into one conversation: earlier turns act as the demonstrations of later ones."""

FIRST_LAYER = 10
"""Layers below it stay as they are: half of the backward pass for most of the effect."""

# Queries and keys are left alone: llama.cpp stores them permuted, and titles do not need them.
GGUF_NAMES = {
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def read_sections() -> list[dict]:
    """Rows of {group, facts, concepts, title}; rows of one group never straddle the split."""
    rows = []
    for line in (DATA / "plans.jsonl").read_text().splitlines():
        plan = json.loads(line)
        parts = [p for p in plan["shopper"].split("; ") if not p.startswith(("buys:", "shop: grocery"))]
        for text in plan["plan"]:
            title, concepts = text.split(" | ")
            rows.append(
                {
                    "group": plan["shopper"],
                    "facts": "; ".join(parts),
                    "concepts": concepts.split(", "),
                    "title": title,
                }
            )
    for path in sorted(DATA.glob("sections_*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            rows.append(
                {"group": row["title"], "facts": row["for"], "concepts": row["concepts"], "title": row["title"]}
            )
    return [r for r in rows if len(r["title"]) <= 48]


def turn(row: dict, siblings: list[dict], everything: list[dict], rng: random.Random) -> tuple[str, str]:
    """One (user, assistant) pair: the four true concepts hidden among four to nine others."""
    pool = [c for s in siblings if s is not row for c in s["concepts"]]
    rng.shuffle(pool)
    others = pool[: rng.randint(2, 4)] if pool and rng.random() < 0.6 else []
    while len(others) < 3 + rng.randint(0, 3):
        others.append(rng.choice(rng.choice(everything)["concepts"]))
    concepts = [c.replace(",", " ") for c in row["concepts"]]
    candidates = list(dict.fromkeys([*concepts, *(o.replace(",", " ") for o in others)]))
    rng.shuffle(candidates)
    facts = row["facts"] if rng.random() < 0.85 else ""
    user = f"shopper: {facts or 'anyone'}\ncandidates: {', '.join(candidates)}\ncount: 1"
    ordered = [c for c in candidates if c in concepts]
    return user, f"{', '.join(ordered)} | {row['title']}"


def conversation(tokenizer, pairs: list[tuple[str, str]]) -> tuple[list[int], list[int]]:
    """Token ids and labels (-100 outside the answers), in the chat format of the model."""
    ids = tokenizer.encode(f"<|im_start|>system\n{instruction(ThemePlanner)}<|im_end|>\n")
    labels = [-100] * len(ids)
    for user, answer in pairs:
        prompt = tokenizer.encode(f"<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n")
        target = tokenizer.encode(f"{answer}<|im_end|>\n")
        ids += prompt + target
        labels += [-100] * len(prompt) + target
    return ids, labels


def batches(tokenizer, rows: list[dict], everything: list[dict], rng: random.Random, size: int):
    """Padded tensors of `size` conversations: (size, length) ids, labels, mask."""
    groups: dict[str, list[dict]] = {}
    for row in everything:
        groups.setdefault(row["group"], []).append(row)
    rows = rows[:]
    rng.shuffle(rows)
    packed = [
        conversation(
            tokenizer,
            [turn(r, groups[r["group"]], everything, rng) for r in rows[i : i + TURNS]],
        )
        for i in range(0, len(rows) - TURNS + 1, TURNS)
    ]
    for start in range(0, len(packed), size):
        part = packed[start : start + size]
        longest = max(len(ids) for ids, _ in part)
        ids = torch.zeros(len(part), longest, dtype=torch.long)
        labels = torch.full((len(part), longest), -100)
        mask = torch.zeros(len(part), longest, dtype=torch.long)
        for n, (i, l) in enumerate(part):
            ids[n, : len(i)], labels[n, : len(l)], mask[n, : len(i)] = torch.tensor(i), torch.tensor(l), 1
        yield ids, labels, mask


def write_gguf(state: dict[str, torch.Tensor], path: Path, alpha: float) -> None:
    """llama.cpp's adapter format: lora_a (rank, in) and lora_b (out, rank) for each weight."""
    temporary = path.with_suffix(".part")
    writer = GGUFWriter(temporary, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    for name, tensor in state.items():
        layer = name.split(".layers.")[1].split(".")[0]
        module = name.split(f".layers.{layer}.")[1].rsplit(".lora_", 1)[0]
        side = "lora_a" if ".lora_A." in name else "lora_b"
        array = tensor.detach().to(torch.float32).numpy().astype(np.float16)
        writer.add_tensor(f"blk.{layer}.{GGUF_NAMES[module]}.weight.{side}", array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    temporary.replace(path)


def main() -> None:
    """Train, print the validation loss after each epoch, write the adapter after each epoch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--checkpoint", type=Path, default=Path(".genrec/train/planner"))
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(13)
    weights = smollm2_path()
    tokenizer = AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name)
    model = AutoModelForCausalLM.from_pretrained(
        weights.parent,
        gguf_file=weights.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
    )
    targets = [name.split(".")[1] for name in GGUF_NAMES]
    model = get_peft_model(
        model,
        LoraConfig(
            r=args.rank,
            lora_alpha=2 * args.rank,
            target_modules=targets,
            layers_to_transform=list(range(FIRST_LAYER, 30)),
        ),
    )
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    args.checkpoint.mkdir(parents=True, exist_ok=True)
    saved, done = args.checkpoint / "adapter.safetensors", args.checkpoint / "epochs.json"
    first = 0
    if args.resume and done.exists():
        set_peft_model_state_dict(model, load_file(saved))
        first = json.loads(done.read_text())["epochs"]

    rows = read_sections()
    names = sorted({r["group"] for r in rows})
    random.Random(7).shuffle(names)
    held = set(names[: len(names) // 30])
    train, test = [r for r in rows if r["group"] not in held], [r for r in rows if r["group"] in held]
    print(f"{len(train)} sections to train on, {len(test)} held out")
    steps = args.epochs * (len(train) // (TURNS * args.batch) + 1)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=args.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.rate, total_steps=steps + 1, pct_start=0.1)
    for _ in range(first * (steps // args.epochs)):
        schedule.step()

    def loss_of(ids, labels, mask):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = model.base_model.model.model(input_ids=ids, attention_mask=mask).last_hidden_state
            wanted = labels[:, 1:] != -100
            logits = model.base_model.model.lm_head(hidden[:, :-1][wanted])
        return torch.nn.functional.cross_entropy(logits.float(), labels[:, 1:][wanted])

    for epoch in range(first, args.epochs):
        model.train()
        start, seen, losses = time.time(), 0, []
        for step, batch in enumerate(batches(tokenizer, train, train, random.Random(epoch), args.batch)):
            loss = loss_of(*batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            seen += int(batch[2].sum())
            losses.append(loss.item())
            if step % 10 == 0:
                rate = seen / (time.time() - start)
                print(f"epoch {epoch} step {step} loss {np.mean(losses[-10:]):.3f} {rate:.0f} tokens/s", flush=True)
        model.eval()
        with torch.no_grad():
            held_loss = np.mean([loss_of(*b).item() for b in batches(tokenizer, test, test, random.Random(1), 8)])
        print(f"epoch {epoch} held-out loss {held_loss:.3f} after {time.time() - start:.0f} s", flush=True)
        state = get_peft_model_state_dict(model)
        save_file({k: v.contiguous() for k, v in state.items()}, saved)
        done.write_text(json.dumps({"epochs": epoch + 1}))
        write_gguf(state, args.out, 2 * args.rank)


if __name__ == "__main__":
    main()
