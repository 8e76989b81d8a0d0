"""Encoders to set beside `minilm`: its first layers alone, or one pretrained here on masked words.

A folder is written in the hub's format, which `npm run experiment -- --model FOLDER` opens.
"""

import argparse
import math
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AutoModel, AutoTokenizer, BertConfig, BertForMaskedLM

from stillhouse_worker.datasets import TokenSplit, collate
from stillhouse_worker.datasets.batching import Batch
from stillhouse_worker.distillation.rates import Schedule
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.models.catalog import model_folder
from stillhouse_worker.models.opened import load_encoder

from ._shared import note
from ._texts import train_texts

# Of BERT: a share of the tokens is predicted; of these most are masked, some are replaced.
_SHARE = 0.15
_MASKED, _REPLACED = 0.8, 0.1
_SCHEDULE = Schedule("linear", 0.1)
_SEED = 0
_TOLD_EVERY = 50


def main(argv: Sequence[str] | None = None) -> int:
    """Parse and write one encoder; the exit code."""
    args = _arguments().parse_args(argv)
    if args.out.exists():
        print(f"{args.out} is there already; name another folder with --out", file=sys.stderr)
        return 2
    try:
        if args.cut is not None:
            cut(model_folder(args.model), args.cut, args.out)
        else:
            tokenizer = load_encoder(model_folder(args.model)).tokenizer
            texts = train_texts(args.masked_words, args.data_dir, tokenizer, args.max_length)
            pretrain(tokenizer, texts, args, args.out)
    except StillhouseError as error:
        print(error.message, file=sys.stderr)
        return 2
    note(f"written to {args.out}")
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="npm run bench -- encoders", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new folder")
    parser.add_argument(
        "--model", default="minilm", help="whose layers, or whose vocabulary (default: minilm)"
    )
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--cut", type=int, metavar="N", help="its first N layers alone")
    way.add_argument(
        "--masked-words", metavar="NAME", help="pretrain on the training texts of this data set"
    )
    parser.add_argument("--data-dir", metavar="FOLDER", help="that holds it")
    parser.add_argument("--layers", type=int, default=4, help="(default: 4)")
    parser.add_argument("--heads", type=int, default=4, help="(default: 4)")
    parser.add_argument("--width", type=int, default=256, help="(default: 256)")
    parser.add_argument("--steps", type=int, default=2000, help="(default: 2000)")
    parser.add_argument("--batch-size", type=int, default=32, help="texts per step (default: 32)")
    parser.add_argument("--max-length", type=int, default=64, help="tokens (default: 64)")
    parser.add_argument(
        "--lr", type=float, default=1e-3, help="Adam's, at its peak (default: 1e-3)"
    )
    return parser


def cut(source: Path, num_layers: int, out: Path) -> None:
    """Write an encoder with the first layers of another one; tokenizer and pooling stay.

    Raises:
        StillhouseError: ``invalid`` where it does not have so many.
    """
    model = AutoModel.from_pretrained(source)
    layers = model.encoder.layer
    if not 1 <= num_layers <= len(layers):
        raise StillhouseError(
            "invalid", f"--cut must be between 1 and {len(layers)}, got {num_layers}", field="cut"
        )
    model.encoder.layer = layers[:num_layers]
    model.config.num_hidden_layers = num_layers
    model.save_pretrained(out)
    AutoTokenizer.from_pretrained(source).save_pretrained(out)
    for name in ("modules.json", "1_Pooling", "sentence_bert_config.json"):
        _copy(source / name, out / name)


def pretrain(tokenizer: Any, texts: TokenSplit, args: argparse.Namespace, out: Path) -> None:
    """Write an encoder that has learned to predict masked words of these texts, from no weights.

    Args:
        args: its sizes, and how long it is trained.
    """
    torch.manual_seed(_SEED)
    model = BertForMaskedLM(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=args.width,
            num_hidden_layers=args.layers,
            num_attention_heads=args.heads,
            intermediate_size=4 * args.width,
        )
    )
    adam = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.01)
    started = time.process_time()
    for step in range(args.steps):
        rows = torch.randint(len(texts.lengths), (args.batch_size,))
        for group in adam.param_groups:
            group["lr"] = _SCHEDULE.rate(step, args.steps, args.lr)
        loss = _masked_loss(model, collate(texts, rows), tokenizer)
        adam.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        if (step + 1) % _TOLD_EVERY == 0 or step + 1 == args.steps:
            seconds = time.process_time() - started
            perplexity = math.exp(loss.item())
            note(
                f"  step {step + 1} of {args.steps}: perplexity {perplexity:,.0f}, {seconds:.0f} s"
            )
    model.bert.save_pretrained(out)
    tokenizer.save_pretrained(out)


def _masked_loss(model: BertForMaskedLM, batch: Batch, tokenizer: Any) -> Tensor:
    """The mean cross-entropy of the chosen tokens; logits of the others are not computed."""
    ids = batch.input_ids
    chosen = (torch.rand(ids.shape) < _SHARE) & batch.mask
    chosen &= ~torch.isin(ids, torch.tensor(tokenizer.all_special_ids))
    if not chosen.any():
        chosen = batch.mask
    fate = torch.rand(ids.shape)
    given = ids.clone()
    given[chosen & (fate < _MASKED)] = tokenizer.mask_token_id
    replaced = chosen & (fate >= _MASKED) & (fate < _MASKED + _REPLACED)
    given[replaced] = torch.randint(model.config.vocab_size, (int(replaced.sum()),))
    hidden = model.bert(
        input_ids=given, attention_mask=batch.mask, token_type_ids=batch.token_type_ids
    ).last_hidden_state
    return F.cross_entropy(model.cls(hidden[chosen]), ids[chosen])


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.exists():
        shutil.copy(source, target)


if __name__ == "__main__":
    sys.exit(main())
