"""The blocks of BERT and a head as a function of their parameters: entry in, logits out."""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from .dropout import Dropout
from .encoder_config import EncoderConfig
from .interface import Output, Params, ScoreRows
from .precision import Linear, Precision, low_backward_linear

# "explicit" computes the attention scores as a tensor: it can be differentiated twice and its
# scores are returned. "fused" is PyTorch's kernel: first order only, no scores.
Attention = Literal["explicit", "fused"]


def first_order_attention(device: torch.device) -> Attention:
    """The faster kind where one derivative is enough.

    On a CPU the explicit one: at 48 x 64 tokens in bf16 its forward and backward take a fifth of
    the fused kernel's time (PyTorch 2.13), in fp32 about the same.
    """
    return "fused" if device.type == "cuda" else "explicit"


def forward(
    config: EncoderConfig,
    params: Params,
    entry: Float[Tensor, "b s e"],
    mask: Bool[Tensor, "b s"] | None = None,
    *,
    attention: Attention = "explicit",
    score_rows: ScoreRows = "first",
    dropout: Dropout | None = None,
    backward: Precision = "fp32",
) -> Output:
    """Run a learner from the entry of its first block.

    Args:
        config: sizes of the encoder.
        params: theta, as `Encoder.draw` gives it.
        entry: vectors that enter the first block.
        mask: True where there is a token; None when every position counts.
        attention: see `Attention`.
        score_rows: see `ScoreRows`.
        dropout: of attention, after each sublayer and before the last layer of the head.
        backward: of the products with weights in the backward pass; see `low_backward_linear`.
    """
    run = _Run(config, mask, attention, score_rows, dropout, low_backward_linear(backward))
    hidden, scores, firsts = _run_blocks(run, params, entry)
    return Output(run_head(params, pool(config, hidden, mask), dropout), scores, firsts)


def pooled_output(
    config: EncoderConfig,
    params: Params,
    entry: Float[Tensor, "b s e"],
    mask: Bool[Tensor, "b s"],
    attention: Attention,
) -> Float[Tensor, "b e"]:
    """The input of a head, of vectors that enter the first block; see `pool`."""
    run = _Run(config, mask, attention, "first", None, low_backward_linear("fp32"))
    return pool(config, _run_blocks(run, params, entry)[0], mask)


def pool(
    config: EncoderConfig, hidden: Float[Tensor, "b rows e"], mask: Bool[Tensor, "b s"] | None
) -> Float[Tensor, "b e"]:
    """The input of a head, from the output of the last block.

    Args:
        config: says which: the first vector, or the mean over the tokens.
        hidden: of all positions, or of the first alone where no other is wanted.
        mask: True where there is a token; None when every position counts.
    """
    if config.pooling == "first":
        return hidden[:, 0]
    if mask is None:
        return hidden.mean(1)
    weights = mask.to(hidden.dtype) / mask.sum(1, keepdim=True)
    return (weights[:, None] @ hidden)[:, 0]


class _Run(NamedTuple):
    """The properties that all blocks of a pass share; see `forward`."""

    config: EncoderConfig
    mask: Tensor | None
    attention: Attention
    score_rows: ScoreRows
    dropout: Dropout | None
    linear: Linear


def _run_blocks(
    run: _Run, params: Params, entry: Float[Tensor, "b s e"]
) -> tuple[Float[Tensor, "b rows e"], tuple[Tensor, ...], tuple[Tensor, ...]]:
    """The output of the last block, and the scores and the first token's vectors of all blocks."""
    hidden, scores, firsts = entry, [], []
    for index in range(run.config.num_layers):
        is_last = index == run.config.num_layers - 1
        own = run._replace(dropout=block_dropout(run.dropout, index))
        hidden, block_scores = _run_block(own, block_params(params, index), hidden, is_last)
        if block_scores is not None:
            scores.append(block_scores)
            firsts.append(hidden[:, 0].clone())  # a view would keep all of hidden in memory
    return hidden, tuple(scores), tuple(firsts)


def block_dropout(dropout: Dropout | None, index: int) -> Dropout | None:
    """That of one block."""
    return dropout and dropout.within("block", index)


def block_params(params: Params, index: int) -> Params:
    """The parameters of one block, by their names within it."""
    prefix = f"blocks.{index}."
    return {n.removeprefix(prefix): p for n, p in params.items() if n.startswith(prefix)}


def _run_block(
    run: _Run, params: Params, hidden: Float[Tensor, "b s e"], is_last: bool
) -> tuple[Float[Tensor, "b rows e"], Tensor | None]:
    """One transformer block and its attention scores.

    The last block computes its first row alone where nothing else reaches the head.
    """
    first_alone = is_last and run.config.pooling == "first"
    rows = 1 if first_alone else hidden.shape[1]
    score_all = not first_alone or (run.score_rows == "all" and run.attention == "explicit")
    queries = hidden if score_all else hidden[:, :1]
    query, key, value = _project(run, params, queries, hidden)
    context, scores = _attend(run, query, key, value, rows)
    return _feed_forward(run, params, hidden[:, :rows], context), scores


def run_head(
    params: Params, pooled: Float[Tensor, "b e"], dropout: Dropout | None = None
) -> Float[Tensor, "b c"]:
    """Logits from the output of `pool`."""
    inner = torch.tanh(_linear(F.linear, params, "head.dense", pooled))
    if dropout:
        inner = dropout.apply("head", inner)
    return _linear(F.linear, params, "head.out", inner)


def _project(
    run: _Run, params: Params, queries: Tensor, hidden: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Query b x Hd x Q x d of ``queries``; key and value b x Hd x S x d of ``hidden``."""
    weight, bias = params["qkv.weight"], params["qkv.bias"]
    width, heads = run.config.width, run.config.num_heads
    if queries is hidden:  # one product for the three
        query, key, value = run.linear(hidden, weight, bias).chunk(3, -1)
    else:
        query = run.linear(queries, weight[:width], bias[:width])
        key, value = run.linear(hidden, weight[width:], bias[width:]).chunk(2, -1)
    query, key, value = (
        t.reshape(*t.shape[:2], heads, width // heads).transpose(1, 2) for t in (query, key, value)
    )
    return query, key, value


def _attend(
    run: _Run,
    query: Float[Tensor, "b h q d"],
    key: Float[Tensor, "b h s d"],
    value: Float[Tensor, "b h s d"],
    rows: int,
) -> tuple[Float[Tensor, "b rows e"], Tensor | None]:
    """Context of the first ``rows`` queries, and the scores of all that are given."""
    key_mask = None if run.mask is None else run.mask[:, None, None, :]
    scores = None
    if run.attention == "fused":
        probability = run.dropout.probability if run.dropout else 0.0
        context = F.scaled_dot_product_attention(query, key, value, key_mask, probability)
    else:
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        if (
            key_mask is not None
        ):  # added, since filling in also costs a pass over the memory in the backward pass
            lowest = torch.finfo(scores.dtype).min
            scores = scores + (~key_mask).to(scores.dtype) * lowest
        probabilities = scores[:, :, :rows].softmax(-1)
        if run.dropout:
            probabilities = run.dropout.apply("attention", probabilities)
        context = probabilities @ value
    return context.transpose(1, 2).flatten(2), scores


def _feed_forward(run: _Run, params: Params, hidden: Tensor, context: Tensor) -> Tensor:
    attended = _linear(run.linear, params, "attention_out", context)
    hidden = _add_norm(run, params, "attention_norm", hidden, attended)
    inner = F.gelu(_linear(run.linear, params, "up", hidden))
    expanded = _linear(run.linear, params, "down", inner)
    return _add_norm(run, params, "norm", hidden, expanded)


def _add_norm(run: _Run, params: Params, name: str, residual: Tensor, out: Tensor) -> Tensor:
    if run.dropout:
        out = run.dropout.apply(name, out)
    weight, bias = params[f"{name}.weight"], params[f"{name}.bias"]
    return F.layer_norm(
        residual + out, (run.config.width,), weight, bias, run.config.layer_norm_eps
    )


def _linear(linear: Linear, params: Params, name: str, values: Tensor) -> Tensor:
    return linear(values, params[f"{name}.weight"], params[f"{name}.bias"])
