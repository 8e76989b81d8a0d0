"""The process of one part: ``python -m bench._gpu.child PART FILE OPTIONS``.

It appends one line of JSON per row to the file, so that what is done stays when it is ended.
"""

import gc
import json
import sys
from pathlib import Path
from typing import Any

from .part import Options
from .parts import PARTS


def main() -> None:
    """Run the part."""
    name, path, given = sys.argv[1:]
    options = Options(**json.loads(given))
    rows = PARTS[name].rows()
    from .device import machine_facts, prepared_device  # behind PyTorch, as the part itself

    device = prepared_device(options)
    gc.freeze()  # what was imported is here to stay: measurements collect garbage often
    with Path(path).open("a", encoding="utf-8") as file:

        def write(kind: str, value: dict[str, Any]) -> None:
            file.write(json.dumps({kind: value}) + "\n")
            file.flush()

        write("machine", machine_facts(device))
        for row in rows(options):
            write("row", row._asdict())


if __name__ == "__main__":
    main()
