"""Slurm, by its own commands.

PSI/J would give PBS and LSF as well, but finds a job by its number alone, which is lost when this
process dies between a submission and its answer. A job's name is known before.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence

from .engine import Order, Refused, Settings, Status, Unknown
from .seat import log_path, log_tail, worker_command

# Names of options and the flags of sbatch that they become.
_FLAGS = {
    "account": "--account",
    "constraint": "--constraint",
    "cpus": "--cpus-per-task",
    "partition": "--partition",
    "qos": "--qos",
    "reservation": "--reservation",
    "time": "--time",
}
# Options without a flag of their own: memory of a worker in MiB, type of GPU, seconds between two
# looks at the queue.
_OTHERS = ("memory", "gpu-type", "poll")
_DEFAULT_POLL_S = 10.0
_TIMEOUT_S = 30.0
# Time for a checkpoint before a job's time is up.
_NOTICE_S = 120
_MIB = 1 << 20

_PENDING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED"}
# A job in any other state counts as alive, also in one that is not known here.
_ENDED = set(
    "BOOT_FAIL CANCELLED COMPLETED COMPLETING DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED "
    "REVOKED SPECIAL_EXIT TIMEOUT".split()
)
# Slurm may have heard the question when its answer is lost.
_LOST_ANSWER = re.compile(r"timed out|Unable to contact|Zero Bytes|Connection re", re.IGNORECASE)
# What a job gets of this process's environment: no tokens.
_ENVIRONMENT = re.compile(
    r"HF_HOME|HOME|LANG|LC_\w+|LOGNAME|OMP_NUM_THREADS|PATH|SHELL|SLURM_CONF|TZ|USER"
)


class Slurm:
    """The jobs of this account whose names begin with the pool's prefix.

    Raises:
        ValueError: for an option that is not one of Slurm's here.
    """

    changes: int | None = None

    def __init__(self, settings: Settings) -> None:
        known = sorted([*_FLAGS, *_OTHERS])
        for name in settings.options:
            if name not in known:
                raise ValueError(f"slurm has no option {name!r}; it has {', '.join(known)}")
        self._settings = settings
        self.poll_s = float(settings.options.get("poll", _DEFAULT_POLL_S))
        self._job_ids: dict[str, str] = {}

    def launch(self, order: Order) -> None:
        """A second job of that name would wait for the first and then start (singleton)."""
        if any(status.launch_id == order.launch_id for status in self.live()):
            return
        script = f"#!/bin/sh\nexec {shlex.join(worker_command(self._settings, order))}\n"
        self._run(["sbatch", *self._flags(order)], script)

    def live(self) -> Sequence[Status]:
        """One question for all jobs of the account."""
        lines = self._run(["squeue", "--me", "--noheader", "--format=%j|%A|%T|%N|%r"]).splitlines()
        found = []
        for line in lines:
            name, job_id, state, node, reason = line.split("|", 4)
            if not name.startswith(self._settings.prefix) or state in _ENDED:
                continue
            self._job_ids[name] = job_id
            is_pending = state in _PENDING
            phase = "pending" if is_pending else "running"
            found.append(Status(name, phase, reason if is_pending else "", node))
        return found

    def end_of(self, launch_id: str) -> Status:
        """Slurm remembers a job for some minutes; the database of its accounting is not asked."""
        job_id = self._job_ids.pop(launch_id, None)
        reason = "Slurm has it no more in its queue"
        if job_id is not None:
            try:
                shown = self._run(["scontrol", "show", "job", "--oneliner", job_id])
                reason = _ending(shown)
            except (Refused, Unknown):
                pass
        tail = log_tail(log_path(self._settings, launch_id))
        return Status(launch_id, "ended", reason, log_tail=tail)

    def stop(self, launch_id: str) -> None:
        """A plain scancel would end a worker after KillWait, in the middle of a checkpoint."""
        self._cancel(launch_id, "--state=PENDING")
        self._cancel(launch_id, "--state=RUNNING", "--batch", "--signal=TERM")

    def kill(self, launch_id: str) -> None:
        """The signal ends all that the job started; the second call ends what waits."""
        self._cancel(launch_id, "--state=RUNNING", "--full", "--signal=KILL")
        self._cancel(launch_id)

    def _cancel(self, launch_id: str, *flags: str) -> None:
        try:
            self._run(["scancel", "--me", f"--name={launch_id}", *flags])
        except Refused as error:
            raise Unknown(str(error)) from error

    def _flags(self, order: Order) -> list[str]:
        options, launch_id = self._settings.options, order.launch_id
        flags = [f"--job-name={launch_id}", "--parsable", "--dependency=singleton", "--no-requeue"]
        flags += [f"--signal=B:TERM@{_NOTICE_S}", "--open-mode=append", "--nodes=1", "--ntasks=1"]
        flags += [f"--output={log_path(self._settings, launch_id)}"]
        flags += [f"{flag}={options[name]}" for name, flag in _FLAGS.items() if name in options]
        memory_mib = int(options.get("memory", 0))
        if order.device == "cpu":
            memory_mib = max(memory_mib, -(-order.memory_bytes // _MIB))
        else:
            kind = f"{options['gpu-type']}:" if "gpu-type" in options else ""
            flags.append(f"--gres=gpu:{kind}{order.num_devices}")
        return [*flags, f"--mem={memory_mib}M"] if memory_mib > 0 else flags

    def _run(self, command: Sequence[str], text: str = "") -> str:
        try:
            done = subprocess.run(
                command,
                input=text,
                env=_environment(os.environ),
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Unknown(f"{command[0]} gave no answer within {_TIMEOUT_S:.0f} s") from error
        except OSError as error:
            raise Refused(f"{command[0]} cannot be run: {error.strerror}") from error
        if done.returncode == 0:
            return done.stdout
        said = f"{command[0]}: {_last_line(done.stderr)}"
        raise (Unknown if _LOST_ANSWER.search(done.stderr) else Refused)(said)


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if _ENVIRONMENT.fullmatch(name)}


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it failed and said nothing"


def _ending(shown: str) -> str:
    """ "Slurm says CANCELLED, exit code 0:15"."""
    facts = dict(part.split("=", 1) for part in shown.split() if "=" in part)
    state, code = facts.get("JobState", "nothing"), facts.get("ExitCode", "")
    return f"Slurm says {state}" + (f", exit code {code}" if code not in ("", "0:0") else "")
