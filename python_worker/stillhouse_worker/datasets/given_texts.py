"""The texts that a person gives to a learner."""

from collections.abc import Sequence


def given_texts(texts: Sequence[object], name: str, count: int) -> list[str]:
    """The texts, once it is certain that they are some.

    Args:
        texts: what was given.
        name: of the argument, for a person.
        count: how many there must be.

    Raises:
        TypeError: for what is no text.
        ValueError: for another number of them.
    """
    found = [text for text in texts if isinstance(text, str)]
    if len(found) < len(texts):
        wrong = next(text for text in texts if not isinstance(text, str))
        raise TypeError(f"{name} must be text or a list of texts, got {type(wrong).__name__} in it")
    if len(found) != count:
        raise ValueError(f"there must be {count} {name}, one for each, got {len(found)}")
    return found
