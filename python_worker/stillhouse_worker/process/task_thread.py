"""One attempt at a task, computing in a thread of its own."""

import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from .. import convert
from ..artifact_files import DISTILLED_FILES, POOL_FILES
from ..context.checkpoint_store import newest_files
from ..context.event_files import with_event_files
from ..context.reporting import (
    LOADING,
    DistillOutcome,
    PoolOutcome,
    Stopped,
    environment,
)
from ..context.task_context import TaskContext
from ..convert.lease import Lease
from ..devices.energy import EnergyMeter
from ..stopping import stoppable
from ..tasks.execute import execute
from .artifact_transfer import ArtifactTransfer
from .attempt_folder import attempt_folder
from .checkpoint_courier import CheckpointCourier
from .checkpoint_transfer import CheckpointTransfer
from .credentials import Credentials
from .folder_transfer import fetch_folder
from .journal import Journal
from .outbox import Outbox
from .patient_calls import PatientCalls
from .stopwatch import Stopwatch
from .work_place import WorkPlace, path_at_hand


class TaskThread:
    """One attempt at a task, computing in a thread of its own."""

    def __init__(
        self,
        assign: convert.Assign,
        place: WorkPlace,
        grpc_address: str,
        credentials: Credentials,
        host: str,
    ) -> None:
        self._assign, self._place, self._host = assign, place, host
        self.lease = Lease(assign.task_id, assign.attempt, assign.secret)
        is_shared = place.sees(assign.work_dir)
        self.folder = place.task_folder(assign.task_id, assign.work_dir, assign.begun_anew_at)
        is_member = assign.team.rank > 0
        if is_member and is_shared:  # with the leader
            self.folder = self.folder / f"member-{assign.team.rank}"
        self.scratch = attempt_folder(self.folder, assign.attempt)
        self.fenced = self.is_abandoned = False
        self._fault: OSError | None = None
        try:
            journal = Journal(self.scratch, assign.attempt)
        except OSError as error:  # no place to work in: the task fails with the reason
            journal, self._fault = None, error
        self.outbox = Outbox(self.lease, journal)
        self.stopwatch = Stopwatch(self.folder, assign.attempt)
        self.has_succeeded = False
        calls = PatientCalls(grpc_address, credentials, self.outbox.stop.is_set)
        self._calls, self._transfer = calls, ArtifactTransfer(calls)
        # The leader keeps the checkpoints of a team, and gives the others its state.
        self._courier = None if is_shared or is_member else self._new_courier(calls)
        self._thread = threading.Thread(target=self._run, name="task", daemon=True)
        self._thread.start()

    def is_running(self) -> bool:
        """Whether it still computes for this attempt."""
        return self._thread.is_alive() and not self.is_abandoned

    def _new_courier(self, calls: PatientCalls) -> CheckpointCourier:
        known = convert.checkpoint_files(self._assign.checkpoints)
        transfer = CheckpointTransfer(calls, self.lease)
        return CheckpointCourier(self.folder, self.outbox, transfer, known)

    def _run(self) -> None:
        try:
            with stoppable(self._stop_if_requested):
                result = self._execute()
        except Stopped:
            self.stopwatch.save()
            if self._courier is not None and not self.fenced:
                self._courier.hand_in_last()
            self.outbox.add(stopped=convert.stopped())
        except BaseException as error:  # whatever it is, it becomes a report
            self.stopwatch.save()
            self.outbox.add(failure=convert.failure_of(error))
        else:
            self.has_succeeded = True
            self.outbox.add(result=result)
        finally:
            if self._courier is not None:
                self._courier.end()

    def _execute(self) -> Any:
        if self._fault is not None:
            raise self._fault
        request = convert.task_request(self._assign)
        with ExitStack() as held:
            return self._execute_with(request, self._folders(held))

    def _folders(self, held: ExitStack) -> dict[str, Path]:
        """Where the folders of clients are here, which stay there until ``held`` is closed."""
        found: dict[str, Path] = {}
        for folder in self._assign.folders:
            folder_id = folder.folder_id
            if self._place.sees(folder.path):
                found[folder_id] = Path(folder.path)
            else:
                fetch = partial(fetch_folder, self._calls, self.lease, folder_id)
                found[folder_id] = held.enter_context(self._place.cache.held(folder_id, fetch))
        return found

    def _execute_with(self, request: convert.TaskRequest, folders: Mapping[str, Path]) -> Any:
        settings = self._place.at_hand(request.settings, folders)
        variation = request.variation
        if variation is not None:
            variation = variation._replace(model=path_at_hand(variation.model, folders))
        artifact_path = self._place.shared_artifact(request.artifact_path)
        if request.artifact_id and artifact_path is None:
            fetched = self.scratch / "fetched"
            artifact_path = self._transfer.download(self.lease, request.artifact_id, fetched)
        pool = [self._folder_of(part, POOL_FILES) for part in request.pool]
        memories = [self._folder_of(part, DISTILLED_FILES) for part in request.memories]
        seat = convert.seat_of(self._assign, self._host, self._announce)
        if seat is None or seat.rank == 0:
            self._find_checkpoints()
        meter, cpu_before = EnergyMeter(settings.device), _cpu_seconds()
        with with_event_files(self.outbox, request.task_id, self._event_folder()) as reporter:
            task = TaskContext(
                settings,
                request.spec,
                request.init_seeds,
                reporter,
                self.folder,
                self.scratch,
                artifact_path,
                variation,
                request.members,
                pool,
                request.task_id,
                request.method,
                memories,
                seat,
            )
            outcome = execute(request.work, task)
        # What earlier attempts have spent is not known.
        spent = {}
        if self.lease.attempt == 1:
            spent = {"joules": meter.joules(), "cpu_time_s": _cpu_seconds() - cpu_before}
        facts = environment(settings.device)
        stored = None
        if isinstance(outcome, DistillOutcome | PoolOutcome):
            stored = self._transfer.upload(self.lease, outcome.folder)
        cost = convert.Cost(self.stopwatch.seconds(), **spent)
        return convert.task_result(outcome, stored, cost, facts)

    def _stop_if_requested(self) -> None:
        if self.outbox.stop.is_set():
            raise Stopped

    def is_loading(self) -> bool:
        """Whether it has computed nothing yet that a stop could lose."""
        return self.outbox.stage in ("", LOADING)

    def abandon(self) -> None:
        """Report a stop for a thread that does not hear it, in an import or a library's call.

        What the thread itself still reports is left out; it ends with the process.
        """
        self.is_abandoned = True
        self.outbox.add(stopped=convert.stopped())
        self.outbox.seal()

    def _find_checkpoints(self) -> None:
        """Fetch those of other machines, and say where the task begins if there are none."""
        if self._courier is not None:
            self._courier.start()
        if self.lease.attempt > 1 and not newest_files(self.folder):
            sentence = "no checkpoint of an earlier attempt is here: the task starts from step 1"
            self.outbox.log("info", sentence)

    def _announce(self, meeting: Any) -> None:
        """The leader of a team says where the others are to come."""
        self.outbox.add(team_store=convert.team_store(meeting))

    def _folder_of(self, part: convert.PoolPart, names: Sequence[str]) -> Path:
        shared = self._place.shared_artifact(part.path)
        if shared is not None:
            return shared
        fetched = self.scratch / "fetched-parts" / part.artifact_id
        return self._transfer.download(self.lease, part.artifact_id, fetched, names)

    def _event_folder(self) -> Path | None:
        run = self._place.shared_run(self._assign.run_dir)
        name = self._assign.task_id.removeprefix(f"{self._assign.experiment_id}-")
        return run and run / name


def _cpu_seconds() -> float:
    """Of this process and of those that it has started and that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
