"""A worker uses folders that it shares with the control plane, and otherwise its own."""

import pytest

from stillhouse_worker.artifacts import MANIFEST_NAME
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.process.work_place import WorkPlace


def test_an_existing_folder_is_shared_and_otherwise_one_is_created(tmp_path) -> None:
    shared = tmp_path / "home" / "ab12-distill"
    shared.mkdir(parents=True)
    place = WorkPlace("cpu", tmp_path / "own")
    assert place.task_folder("ab12-distill", str(shared)) == shared
    assert not place.sees(""), "no folder was named, not the present one"
    own = place.task_folder("cd34-distill", str(tmp_path / "of-another" / "cd34-distill"))
    assert own == tmp_path / "own" / "cd34-distill"
    # Nothing is made where another machine has its folders: the next attempt would take it for one.
    assert not (tmp_path / "of-another").exists()
    own.mkdir(parents=True)
    for folder in (own, shared):
        place.leave(folder, is_done=True)
    assert shared.exists()
    assert not own.exists()


def test_a_task_that_begins_anew_finds_no_checkpoint_of_before(tmp_path) -> None:
    alone = WorkPlace("cpu", tmp_path, shares=False)
    before, retried, again = (alone.task_folder("t", "", attempt) for attempt in (0, 3, 5))
    assert len({before, retried, again}) == 3
    assert alone.task_folder("t", "", 3) == retried, "its own attempts share one"
    shared = tmp_path / "shared"
    shared.mkdir()
    seeing = WorkPlace("cpu", tmp_path)
    assert seeing.task_folder("t", str(shared), 3) == shared, "the control plane has emptied it"


@pytest.mark.parametrize("name", ["../evil", "/evil", "", ".hidden", "a/b"])
def test_a_task_never_works_outside_the_folder(tmp_path, name) -> None:
    with pytest.raises(StillhouseError, match="plain name"):
        WorkPlace("cpu", tmp_path).task_folder(name, str(tmp_path / "none"))


def test_an_artifact_is_shared_when_its_manifest_is_visible(tmp_path) -> None:
    place = WorkPlace("cpu", tmp_path / "own")
    assert place.shared_artifact(str(tmp_path)) is None
    (tmp_path / MANIFEST_NAME).write_text("{}")
    assert place.shared_artifact(str(tmp_path)) == tmp_path
    assert place.shared_artifact("") is None
    alone = WorkPlace("cpu", tmp_path / "own", shares=False)
    assert alone.shared_artifact(str(tmp_path)) is None
    assert alone.task_folder("t", str(tmp_path)) == tmp_path / "own" / "t"


def test_settings_take_the_device_and_the_data_of_this_machine(settings, tmp_path) -> None:
    place = WorkPlace("cuda:3", tmp_path / "own", tmp_path / "here")
    there = settings._replace(
        data=settings.data._replace(data_dir=str(tmp_path / "none"), source="local")
    )
    cuda = place.at_hand(there._replace(device="cuda:0"))
    assert (cuda.device, cuda.data.data_dir) == ("cuda:3", str(tmp_path / "here"))
    assert place.at_hand(there).device == "cpu", "another kind of device stays as it was asked for"
    assert place.at_hand(settings).data == settings.data
