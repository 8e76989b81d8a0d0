"""The only place where ``transformers`` opens files that others wrote."""

from typing import Any

import torch


def open_pretrained(path_or_id: str) -> tuple[Any, Any]:
    """The model, in fp32 on the CPU and in evaluation mode, and the fast tokenizer of a folder.

    What a config may ask for is pinned here. No code that comes with a model is run; and attention
    is the eager one, whatever the config names: a name there may stand for a kernel that is fetched
    from the hub and run, or for a package that is not installed.

    Args:
        path_or_id: a folder in the hub's format or a repository of the hub.

    Raises:
        OSError, ValueError: it cannot be opened.
    """
    from transformers import (
        AutoConfig,
        AutoModel,
        AutoTokenizer,
        logging,
    )  # takes seconds: not at import

    # Its bar would tear the lines of a log and a bar of ours.
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    config = AutoConfig.from_pretrained(path_or_id, trust_remote_code=False)
    # The argument of that name alone gives way to a config.json that has "_attn_implementation".
    config._attn_implementation = "eager"
    model = AutoModel.from_pretrained(
        path_or_id,
        config=config,
        dtype=torch.float32,
        attn_implementation="eager",
        trust_remote_code=False,
    )
    tokenizer = AutoTokenizer.from_pretrained(path_or_id, use_fast=True, trust_remote_code=False)
    return model.eval(), tokenizer
