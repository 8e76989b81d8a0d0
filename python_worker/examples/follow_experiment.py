"""Follow an experiment to its end, then print what came out: python example.py HOST:PORT ID."""

import sys

from stillhouse.client import StillhouseClient, StillhouseError
from stillhouse_proto.v1 import experiment_pb2


def main(address: str, experiment_id: str) -> int:
    """Returns the exit code."""
    with StillhouseClient(address) as client:
        try:
            for event in client.watch(experiment_id):
                if event.WhichOneof("kind") == "task":
                    print(event.task.id, experiment_pb2.State.Name(event.task.state))
            ended = client.get(experiment_id)
            print(ended.id, experiment_pb2.State.Name(ended.state))
            for (_, name), points in client.series(experiment_id).items():
                print(f"{name}: {len(points)} points, the last {points[-1]}")
        except StillhouseError as error:
            print(f"{error.kind}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
