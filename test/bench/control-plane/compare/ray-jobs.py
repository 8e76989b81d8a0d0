"""Jobs a second through Ray's job submission: NUM_JOBS. A job is a process that ends at once."""

import sys
import time

import ray
from ray.job_submission import JobStatus, JobSubmissionClient

NUM_JOBS = int(sys.argv[1])
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
started = time.monotonic()
wait_for([client.submit_job(entrypoint="true") for _ in range(NUM_JOBS)])
print(NUM_JOBS / (time.monotonic() - started))
