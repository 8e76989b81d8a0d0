"""The package that programs import."""

import subprocess
import sys

import stillhouse
import stillhouse_worker
from stillhouse_worker import artifacts


def test_both_packages_export_every_public_name() -> None:
    for name in stillhouse_worker.__all__:
        assert getattr(stillhouse_worker, name) is getattr(artifacts, name)
        assert getattr(stillhouse, name) is getattr(artifacts, name)
    assert stillhouse.StillhouseClient.__module__ == "stillhouse.client"
    assert not hasattr(stillhouse, "load")


def test_the_client_works_without_torch_and_an_artifact_says_that_it_needs_it() -> None:
    program = """
import sys
sys.modules["torch"] = None
import stillhouse
stillhouse.StillhouseClient
try:
    stillhouse.load_artifact
except ModuleNotFoundError as error:
    print(error)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "stillhouse.load_artifact needs torch" in ran.stdout
    assert "pip install 'stillhouse[worker]'" in ran.stdout
