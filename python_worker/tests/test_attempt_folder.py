"""Each attempt writes into a folder of its own, and later attempts find those of earlier ones."""

from stillhouse_worker.process.attempt_folder import attempt_folder, earlier_folders, tidy


def test_attempts_have_folders_of_their_own_in_the_order_of_their_numbers(tmp_path) -> None:
    for attempt in (1, 2, 10, 11):
        attempt_folder(tmp_path, attempt).mkdir(parents=True)
    (tmp_path / "attempts" / "no number").mkdir()
    earlier = earlier_folders(tmp_path, 11)
    assert earlier == [tmp_path, *(attempt_folder(tmp_path, attempt) for attempt in (1, 2, 10))]
    assert earlier_folders(tmp_path / "not there", 2) == [tmp_path / "not there"]


def test_an_attempt_that_has_ended_keeps_only_its_seconds_and_its_journal(tmp_path) -> None:
    (tmp_path / "fetched" / "deep").mkdir(parents=True)
    for name in ("seconds", "seconds.draft", "journal-3"):
        (tmp_path / name).write_text("1")
    tidy(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal-3", "seconds"]
    tidy(tmp_path / "not there")
