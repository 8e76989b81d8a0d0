"""A worker's reports are on disk until they are acknowledged, and the next attempt finds them."""

import signal
import sqlite3
import subprocess
import sys
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest

from stillhouse_proto.v1 import worker_pb2
from stillhouse_worker.convert.lease import Lease
from stillhouse_worker.process import outbox as outbox_module
from stillhouse_worker.process.attempt_folder import attempt_folder
from stillhouse_worker.process.journal import (
    RESEND_AFTER_S,
    Entry,
    Journal,
    Leftover,
    leftovers,
)
from stillhouse_worker.process.outbox import Outbox

ENTRIES = [Entry(1, b"one"), Entry(2, b""), Entry(3, b"three" * 100)]


def written(folder: Path, attempt: int, entries=ENTRIES) -> Path:
    journal = Journal(folder, attempt)
    for entry in entries:
        journal.append(entry)
    return journal.path


def read_entries(path: Path) -> list[Entry]:
    with closing(sqlite3.connect(path)) as database:
        return [Entry(*row) for row in database.execute("SELECT * FROM report ORDER BY number")]


def test_what_was_appended_is_read_without_being_closed(tmp_path) -> None:
    assert read_entries(written(tmp_path, 1)) == ENTRIES


def test_what_a_killed_process_appended_is_there(tmp_path) -> None:
    code = (
        "import os, pathlib, signal, sys\n"
        "from stillhouse_worker.process.journal import Entry, Journal\n"
        "journal = Journal(pathlib.Path(sys.argv[1]), 1)\n"
        "for number in (1, 2):\n"
        "    journal.append(Entry(number, b'report'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    entries = read_entries(tmp_path / "journal-1")
    assert entries == [Entry(1, b"report"), Entry(2, b"report")]


def test_the_next_attempt_reads_while_a_lost_one_still_writes(tmp_path) -> None:
    journal = Journal(tmp_path, 1)
    journal.append(ENTRIES[0])
    (leftover,) = leftovers(tmp_path, "t", 2)
    assert leftover.take(0.0) == b"one"
    journal.append(ENTRIES[1])
    leftover.acknowledge(1)
    assert leftover.take(RESEND_AFTER_S * 2) == b""
    journal.append(ENTRIES[2])
    leftover.acknowledge(2)
    assert leftover.take(RESEND_AFTER_S * 4) == ENTRIES[2].frame
    leftover.acknowledge(3)
    assert leftover.is_done()


@pytest.mark.parametrize("content", [b"no database", None], ids=["another file", "cut off"])
def test_a_journal_that_cannot_be_read_is_named_in_the_log(tmp_path, caplog, content) -> None:
    path = written(tmp_path, 1)
    path.write_bytes(path.read_bytes()[:600] if content is None else content)
    (leftover,) = leftovers(tmp_path, "t", 2)
    assert leftover.take(0.0) is None
    assert leftover.is_done()
    assert str(path) in caplog.text


def test_a_journal_that_is_locked_is_read_later(tmp_path) -> None:
    path = written(tmp_path, 1)
    leftover = Leftover(path, "t")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert leftover.take(0.0) is None
        assert not leftover.is_done()
    assert leftover.take(0.0) == b"one"


def test_journals_of_earlier_attempts_are_handed_in_one_report_after_the_other(tmp_path) -> None:
    for attempt in (10, 2, 11):
        written(tmp_path, attempt)
    first, second = leftovers(tmp_path, "t", 11)
    assert [first.lease, second.lease] == [("t", 2), ("t", 10)]
    assert first.take(0.0) == b"one"
    assert first.take(RESEND_AFTER_S / 2) is None
    assert first.take(RESEND_AFTER_S * 2) == b"one"
    first.acknowledge(3)
    assert first.take(RESEND_AFTER_S * 2) is None, "only the one that was sent counts"
    for number in (1, 2, 3):
        assert not first.is_done()
        first.acknowledge(number)
    assert first.is_done()
    assert not list(tmp_path.glob("journal-2*"))
    assert (tmp_path / "journal-10").exists()


def test_journals_are_in_the_folders_of_their_attempts(tmp_path) -> None:
    written(tmp_path, 1)  # of an earlier version
    for attempt in (2, 3, 4):
        written(attempt_folder(tmp_path, attempt), attempt)
    found = leftovers(tmp_path, "t", 4)
    assert [leftover.lease for leftover in found] == [("t", 1), ("t", 2), ("t", 3)]
    assert [leftover.take(0.0) for leftover in found] == [b"one"] * 3


def test_an_outbox_keeps_on_disk_what_is_not_acknowledged(tmp_path) -> None:
    outbox = Outbox(Lease("t", 3, b"secret"), Journal(tmp_path, 3))
    outbox.metric("loss", 1, 0.5)
    outbox.checkpoint()
    outbox.log("info", "hello")
    path = tmp_path / "journal-3"
    assert [entry.frame for entry in read_entries(path)] == outbox.take(0.0)
    outbox.acknowledge(1)
    outbox.close()
    assert path.exists(), "one report was never acknowledged"
    outbox.acknowledge(2)
    outbox.close()
    assert not path.exists()


def test_others_cannot_read_a_journal_since_the_secret_of_its_attempt_is_in_it(tmp_path) -> None:
    outbox = Outbox(Lease("t", 3, b"secret"), Journal(tmp_path, 3))
    outbox.log("info", "hello")
    assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o600}
    (found,) = leftovers(tmp_path, "t", 4)
    frame = worker_pb2.WorkerMessage.FromString(found.take(0.0))
    assert frame.report.secret == b"secret", "the next attempt may hand it in"


def fill_disk(journal: Journal, is_full: bool = True) -> None:
    """Let the database take no further page, which is what SQLite does on a full disk."""
    journal._database.execute(f"PRAGMA max_page_count={1 if is_full else 1 << 30}")


def test_a_report_that_did_not_fit_on_the_disk_is_written_later(tmp_path) -> None:
    journal = Journal(tmp_path, 1)
    outbox = Outbox(Lease("t", 1, b"secret"), journal)
    outbox.log("info", "first")
    fill_disk(journal)
    outbox.log("info", "second" * 10_000)
    with pytest.raises(OSError, match="full"):
        outbox.checkpoint()
    fill_disk(journal, is_full=False)
    outbox.log("info", "third")
    outbox.checkpoint()
    assert [entry.number for entry in read_entries(journal.path)] == [1, 2, 3]


def test_reports_that_cannot_be_sent_are_on_disk_and_not_in_memory(tmp_path, monkeypatch) -> None:
    held_bytes = 1 << 20
    monkeypatch.setattr(outbox_module, "MAX_HELD_BYTES", held_bytes)
    journal = Journal(tmp_path, 1)
    outbox = Outbox(Lease("t", 1, b"secret"), journal)
    num_reports, text = 100, "x" * 100_000
    tracemalloc.start()
    for number in range(num_reports):
        if number == num_reports - 1:
            fill_disk(journal)
        outbox.log("info", f"{number} {text}")
    fill_disk(journal, is_full=False)
    taken = []
    while not outbox.is_empty():
        frames = outbox.take(10.0 * len(taken))
        assert sum(map(len, frames)) < held_bytes + 200_000
        found = [worker_pb2.WorkerMessage.FromString(frame).report for frame in frames]
        taken += [(report.number, report.log.message.split()[0]) for report in found]
        # Only half are acknowledged, so that the others are sent again.
        outbox.acknowledge(found[len(found) // 2].number)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * held_bytes < num_reports * len(text)
    assert sorted(set(taken)) == [(n + 1, str(n)) for n in range(num_reports)]
    outbox.close()
    assert not list(tmp_path.iterdir())


def test_what_was_sent_over_a_lost_connection_is_sent_again_in_order() -> None:
    outbox = Outbox(Lease("t", 1, b"secret"))
    for text in ("one", "two"):
        outbox.log("info", text)
    sent = outbox.take(0.0)
    outbox.log("info", "three")
    outbox.send_again()
    assert outbox.take(0.1)[:2] == sent
    outbox.acknowledge(2)
    assert outbox.acknowledged == 2
    outbox.send_again()
    assert len(outbox.take(0.2)) == 1


def test_reports_of_a_former_attempt_go_one_at_a_time() -> None:
    outbox = Outbox(Lease("t", 1, b"secret"))
    for text in ("one", "two"):
        outbox.log("info", text)
    (first,) = outbox.take_oldest(0.0)
    assert outbox.take_oldest(RESEND_AFTER_S / 2) == []
    assert outbox.take_oldest(RESEND_AFTER_S * 2) == [first]
    outbox.acknowledge(1)
    assert outbox.take_oldest(RESEND_AFTER_S * 2) != [first]
    outbox.acknowledge(2)
    assert outbox.is_empty()
