"""``python -m stillhouse_worker``: a worker, one task in the foreground, or a download."""

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import StillhouseError
from .printable import printable

# How long a thread of PyTorch stays awake while it waits for the others, in rounds. With GNU's
# 300,000 a step is up to ten times slower where another process has one of the cores; with these
# it is about 5 % slower where none has.
SPIN_ROUNDS = "1000"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 ok, 1 failed, 2 usage."""
    arguments = _parser().parse_args(argv)
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_ROUNDS)  # read when PyTorch is loaded
    try:
        return int(arguments.command(arguments))
    except StillhouseError as error:
        print(printable(f"error: {error.message}"), file=sys.stderr)
        return 2 if error.kind == "invalid" else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stillhouse_worker", description=__doc__)
    commands = parser.add_subparsers(required=True)

    worker = commands.add_parser("worker", help="take tasks from a control plane")
    worker.add_argument("--connect", required=True, help="ZeroMQ address, tcp://HOST:PORT")
    worker.add_argument("--grpc", help="gRPC address for artifacts, HOST:PORT (default: as told)")
    worker.add_argument("--id", help="whole name of this worker (default: one of its own)")
    worker.add_argument("--name", help="beginning of that name (default: the machine's)")
    worker.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N (default: cpu)")
    worker.add_argument(
        "--work-dir",
        type=Path,
        default=Path("worker"),
        help="for checkpoints, where the control plane's folder is not here (default: worker)",
    )
    worker.add_argument(
        "--data-dir", type=Path, help="local data sets, where a spec's are not here"
    )
    worker.add_argument(
        "--no-shared-folders", action="store_true", help="use no folder of the control plane"
    )
    worker.add_argument("--keys", type=Path, help="folder of keys (default: none)")
    worker.add_argument(
        "--parent", type=int, help="process that it ends with (default: whose child it is)"
    )
    worker.add_argument(
        "--leave-after",
        type=float,
        default=float("inf"),
        help="seconds without a task and without a control plane, then it ends (default: never)",
    )
    worker.set_defaults(command=_worker)

    devices = commands.add_parser("devices", help="list the devices of this machine as JSON")
    devices.set_defaults(command=_devices)

    run = commands.add_parser(
        "run", help="run one task in the foreground, without sockets, for a debugger"
    )
    run.add_argument("spec", type=Path, help="a resolved spec, or what --dry-run --json printed")
    run.add_argument(
        "--task", default="distill", help="pretrain, distill, evaluate, replay, or a baseline"
    )
    run.add_argument(
        "--work-dir", type=Path, default=Path("run"), help="for checkpoint and artifact"
    )
    run.add_argument("--artifact", type=Path, help="artifact to evaluate (default: of --work-dir)")
    run.add_argument("--inits", type=int, default=5, help="test learners (default: 5)")
    run.add_argument(
        "--pool", type=Path, nargs="*", default=[], help="what --task pretrain has written"
    )
    run.set_defaults(command=_run)

    fetch = commands.add_parser("fetch", help="download a data set, a model or word vectors")
    fetch.add_argument("--dataset")
    fetch.add_argument("--model")
    fetch.add_argument("--embeddings")
    fetch.set_defaults(command=_fetch)
    return parser


def _worker(arguments: argparse.Namespace) -> int:
    # Read before the imports, which take seconds in which the parent may end. It may have ended
    # before that, too, so a process that the worker must not outlive passes its own id.
    parent = arguments.parent or os.getppid()
    from .devices.facts import find_device
    from .distillation.process_group import has_unfinished
    from .process.credentials import read_credentials
    from .process.folder_cache import FolderCache
    from .process.identity import Identity
    from .process.work_place import WorkPlace
    from .process.worker import Worker

    device = find_device(arguments.device).device
    work_dir = arguments.work_dir
    if arguments.id is None:
        identity = Identity(work_dir / "workers", arguments.name, device)
    worker_id = arguments.id or identity.worker_id
    place = WorkPlace(
        device,
        work_dir / "tasks",
        arguments.data_dir,
        shares=not arguments.no_shared_folders,
        cache=FolderCache(work_dir / "folders"),
    )
    credentials = read_credentials(arguments.keys)
    connect, grpc, leave_after_s = arguments.connect, arguments.grpc, arguments.leave_after
    worker = Worker(connect, grpc, worker_id, place, parent, credentials, leave_after_s)
    worker.run()
    if worker.has_abandoned or has_unfinished():
        for helper in multiprocessing.active_children():
            helper.kill()
        sys.stderr.flush()
        os._exit(0)  # the interpreter would wait for a thread in a library's call, or crash with it
    return 0


def _devices(arguments: argparse.Namespace) -> int:
    from .devices.facts import all_devices

    print(json.dumps([facts._asdict() for facts in all_devices()]))
    return 0


def _fetch(arguments: argparse.Namespace) -> int:
    from .inspection import fetch

    fetch(arguments.dataset, arguments.model, arguments.embeddings)
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from . import convert
    from .context.event_files import with_event_files
    from .context.reporting import Stopped
    from .context.task_context import TaskContext
    from .tasks.execute import WORKS, execute

    if arguments.task not in WORKS:
        raise StillhouseError(
            "invalid", f"--task must be one of {', '.join(WORKS)}, got {arguments.task!r}"
        )
    spec = convert.spec_from_json(_spec_text(arguments.spec))
    settings, document = convert.settings_of(spec), convert.spec_document(spec)
    artifact = arguments.artifact or arguments.work_dir / "artifact"
    work_dir = arguments.work_dir / ("" if arguments.task == "distill" else arguments.task)
    seeds = list(range(1, arguments.inits + 1))
    try:
        with with_event_files(_Console(), arguments.task, None) as reporter:
            own = (settings, document, seeds, reporter, work_dir, work_dir, artifact)
            members = range(settings.pool.size) if settings.pool else ()
            task = TaskContext(*own, members=members, pool=arguments.pool)
            outcome = execute(arguments.task, task)
    except Stopped:
        return 130
    print(json.dumps(outcome._asdict(), indent=2, default=str))
    return 0


def _spec_text(path: Path) -> str:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StillhouseError("invalid", f"the spec {path} cannot be read: {error}") from error
    return json.dumps(document.get("spec", document))


class _Console:
    """A reporter that prints, about every tenth of the way."""

    def __init__(self) -> None:
        self._shown = ""

    def progress(self, stage: str, done: int, total: int, values: Mapping[str, float]) -> None:
        key = f"{stage} {10 * done // max(1, total)}"
        if key != self._shown:
            self._shown = key
            shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
            print(printable(f"{stage} {done}/{total} {shown}".rstrip()), file=sys.stderr)

    def metric(self, name: str, step: int, value: float) -> None:
        pass  # a debugger's user looks at the values themselves

    def log(self, level: str, message: str) -> None:
        print(printable(f"{level}: {message}"), file=sys.stderr)

    def checkpoint(self) -> None:
        pass  # what was printed is printed

    def stop_requested(self) -> bool:
        return False


if __name__ == "__main__":
    sys.exit(main())
