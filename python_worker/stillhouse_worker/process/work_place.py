"""What a worker finds on its machine: its device, its folders, and what it shares with others."""

import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from ..artifact_files import MANIFEST_NAME
from ..context.settings import DataSettings, ModelSettings, Settings
from ..errors import StillhouseError
from .folder_cache import FolderCache

# As the control plane names them, in whatever home.
_IN_FOLDER = re.compile(r".*/folders/([0-9a-f]{64})/content(?=/|$)")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# By then, checkpoints of tasks that continued on another machine are of no use any more.
_LONGEST_KEPT_S = 14 * 24 * 3600.0


class WorkPlace:
    """Where a worker computes and keeps its checkpoints.

    The folders that the control plane names are used if they exist here: names of tasks are random,
    so such a folder is the control plane's own, on this machine or on a shared disk.

    Args:
        device: cpu or cuda:N.
        folder: for checkpoints of tasks whose folder is not there; made when it is needed.
        data_dir: local data sets and word vectors, where those that a spec names are not there.
        shares: whether to use folders of the control plane at all.
        cache: of data sets and models that clients have sent; by default in ``folder``.
    """

    def __init__(
        self,
        device: str,
        folder: Path,
        data_dir: Path | None = None,
        *,
        shares: bool = True,
        cache: FolderCache | None = None,
    ) -> None:
        self.device, self._folder, self._data_dir = device, folder, data_dir
        self._shares = shares
        self.cache = cache or FolderCache(folder / ".folders")
        _sweep(folder)

    def task_folder(self, task_id: str, shared: str, begun_anew_at: int = 0) -> Path:
        """The folder for the checkpoints of a task.

        Args:
            shared: the control plane's.
            begun_anew_at: the first attempt whose checkpoints count; the control plane empties a
                folder of its own, and here later attempts get another one.

        Raises:
            StillhouseError: ``invalid`` for an id that is no plain name.
        """
        if self.sees(shared):
            return Path(shared)
        if not _PLAIN_NAME.fullmatch(task_id):
            raise StillhouseError("invalid", f"a task id must be a plain name, got {task_id!r}")
        return self._folder / (f"{task_id}-{begun_anew_at}" if begun_anew_at else task_id)

    def sees(self, shared: str) -> bool:
        """Whether a folder of the control plane is there and may be used."""
        return self._shares and bool(shared) and Path(shared).is_dir()

    def shared_artifact(self, path: str) -> Path | None:
        """The folder of an artifact, if this machine sees it."""
        if not self._shares or not path:
            return None
        return Path(path) if (Path(path) / MANIFEST_NAME).is_file() else None

    def shared_run(self, path: str) -> Path | None:
        """The control plane's folder of an experiment, if this machine sees it."""
        return Path(path) if self.sees(path) else None

    def at_hand(
        self, settings: Settings, folders: Mapping[str, Path] = MappingProxyType({})
    ) -> Settings:
        """``settings`` with this worker's own device of that kind, and its own folder of data.

        Args:
            settings: of a task.
            folders: where the folders of clients are on this machine, by their ids.
        """
        settings = _with_folders(settings, folders)
        if self.device.partition(":")[0] == settings.device.partition(":")[0]:
            settings = settings._replace(device=self.device)
        objective = settings.objective
        if objective.source is not None:
            objective = objective._replace(source=self._found(objective.source))
        data, model = self._found(settings.data), self._with_vectors(settings.model)
        return settings._replace(data=data, model=model, objective=objective)

    def _found(self, data: DataSettings) -> DataSettings:
        """With this worker's own folder of data where the one that is named is not here."""
        is_elsewhere = data.source == "local" and not (Path(data.data_dir) / data.name).exists()
        if is_elsewhere and self._data_dir is not None:
            return data._replace(data_dir=str(self._data_dir))
        return data

    def _with_vectors(self, model: ModelSettings) -> ModelSettings:
        """With word vectors of its own folder of data, where they are not as the spec says."""
        words = model.embeddings
        if words is None or self._data_dir is None or not words.path or Path(words.path).exists():
            return model
        own = self._data_dir / Path(words.path).name
        return model._replace(embeddings=words._replace(path=str(own)))

    def leave(self, folder: Path, is_done: bool) -> None:
        """A task has ended here; what is done needs no checkpoint any more."""
        if is_done and folder.parent == self._folder:
            shutil.rmtree(folder, ignore_errors=True)


def path_at_hand(path: str, folders: Mapping[str, Path]) -> str:
    """A path of the control plane, on this machine where it leads into a folder of a client."""
    match = _IN_FOLDER.match(path)
    if match is None or match[1] not in folders:
        return path
    return str(folders[match[1]]) + path[match.end() :]


def _with_folders(settings: Settings, folders: Mapping[str, Path]) -> Settings:
    data, model, objective = settings.data, settings.model, settings.objective
    data = data._replace(data_dir=path_at_hand(data.data_dir, folders))
    model = model._replace(name=path_at_hand(model.name, folders))
    if (words := model.embeddings) is not None:
        name, path = (path_at_hand(each, folders) for each in (words.name, words.path))
        model = model._replace(embeddings=words._replace(name=name, path=path))
    if (source := objective.source) is not None:
        source = source._replace(data_dir=path_at_hand(source.data_dir, folders))
        objective = objective._replace(source=source)
    return settings._replace(data=data, model=model, objective=objective)


def _sweep(folder: Path) -> None:
    oldest = time.time() - _LONGEST_KEPT_S
    for task in folder.iterdir() if folder.is_dir() else ():
        if task.is_dir() and _changed(task) < oldest:
            shutil.rmtree(task, ignore_errors=True)


def _changed(folder: Path) -> float:
    """When something in it was changed last; for ever later where it is being removed right now."""
    try:
        return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except FileNotFoundError:
        return float("inf")
