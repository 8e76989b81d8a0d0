"""Whether the Hugging Face hub can be reached, what it has, and where its caches are."""

import os
import threading
from functools import lru_cache
from pathlib import Path
from typing import Literal

# A name server that does not answer holds a look-up longer than any timeout of the HTTP client,
# so the whole check has a limit of its own.
_REQUEST_TIMEOUT_S = 3.0
_CHECK_TIMEOUT_S = 5.0
# What a closed network's proxy answers for a host that it does not let through.
_REFUSED = (403, 407)


def hub_is_reachable() -> bool:
    """Whether the hub answers; asked once per process, in at most 5 s."""
    return hub_offline_reason() == ""


@lru_cache(maxsize=1)
def hub_offline_reason() -> str:
    """Why the hub cannot be reached, for a message; empty when it can.

    Honours HF_ENDPOINT and HF_HUB_OFFLINE, which ``huggingface_hub`` reads.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    answers: list[str] = []
    check = threading.Thread(target=lambda: answers.append(_ask(constants.ENDPOINT)), daemon=True)
    check.start()
    check.join(_CHECK_TIMEOUT_S)
    return answers[0] if answers else f"{constants.ENDPOINT} did not answer in time"


def hub_endpoint() -> str:
    """Address of the hub or of the mirror that HF_ENDPOINT names."""
    from huggingface_hub import constants

    return constants.ENDPOINT


def hub_has(repo: str, kind: Literal["model", "dataset"]) -> bool:
    """Whether the hub, which must be reachable, has a repository of that name.

    True when the hub gives no clear answer: the download that follows says what is wrong.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError

    try:
        return HfApi().repo_exists(repo, repo_type=kind)
    except HFValidationError:
        return False
    except Exception:  # whichever HTTP client the installed hub library brings
        return True


def cached_snapshot(repo: str) -> Path | None:
    """Folder of a model repository in the hub's cache, when its config.json is there."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(repo, "config.json")
    except HFValidationError:
        return None
    return Path(config).parent if isinstance(config, str) else None


def datasets_cache() -> Path:
    """Folder in which the ``datasets`` library keeps prepared sets.

    Found by the same rule as in the library, which takes a second to import.
    """
    from huggingface_hub import constants

    return Path(os.environ.get("HF_DATASETS_CACHE") or Path(constants.HF_HOME) / "datasets")


def _ask(endpoint: str) -> str:
    from huggingface_hub import get_session

    try:
        response = get_session().head(endpoint, timeout=_REQUEST_TIMEOUT_S)
    except Exception as error:  # whichever HTTP client the installed hub library brings
        return f"{endpoint}: {error or type(error).__name__}"
    if response.status_code in _REFUSED or response.status_code >= 500:
        return f"{endpoint} answered {response.status_code}"
    return ""
