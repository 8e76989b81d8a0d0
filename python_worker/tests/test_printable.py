import io
import json
import logging

from stillhouse_worker.printable import printable
from stillhouse_worker.process import worker_log

HOSTILE = "a\x1b[2J\x9b31m\u202eevil\u2066\x7f\r\n"


def test_shows_what_a_terminal_would_obey_and_leaves_letters_alone():
    assert printable("a\x1b[2J\x9b\u202e\n\t\r\x00") == "a\\u001b[2J\\u009b\\u202e\\n\\t\\r\\u0000"
    assert printable("Grüße, 日本語 שלום 👩‍🔬") == "Grüße, 日本語 שלום 👩‍🔬"
    assert printable("\ud800") == "\\ud800"


def test_a_line_of_the_log_is_printable_json(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    worker_log.configure("w1", lambda: None)
    try:
        worker_log.write("info", HOSTILE)
    finally:
        logging.getLogger().handlers.clear()
        logging.captureWarnings(False)
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert printable(line[:-1]) == line[:-1]
    assert json.loads(line)["message"] == HOSTILE
