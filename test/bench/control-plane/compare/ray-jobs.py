"""Jobs per second through Ray's job submission, for each number of jobs that is read from stdin.

A job is a process that ends at once. Prints 0 when the first one has run.
"""

import sys
import time

import ray
from ray.job_submission import JobStatus, JobSubmissionClient

ENDED = {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED}

context = ray.init(include_dashboard=True, dashboard_host="127.0.0.1", log_to_driver=False)
client = JobSubmissionClient(f"http://{context.dashboard_url}")


def wait_for(jobs: list[str]) -> None:
    """Return when all have ended."""
    for job in jobs:
        while (status := client.get_job_status(job)) not in ENDED:
            time.sleep(0.02)
        if status != JobStatus.SUCCEEDED:
            raise RuntimeError(f"job {job} ended as {status}: {client.get_job_logs(job)}")


wait_for([client.submit_job(entrypoint="true")])
print(0, flush=True)
for line in sys.stdin:
    num_jobs = int(line)
    started = time.monotonic()
    wait_for([client.submit_job(entrypoint="true") for _ in range(num_jobs)])
    print(num_jobs / (time.monotonic() - started), flush=True)
