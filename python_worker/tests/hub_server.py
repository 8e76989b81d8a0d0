"""A small Hugging Face hub on a loopback port, which serves a folder as far as downloads need it.

Run as ``python hub_server.py FOLDER``; it prints its port. FOLDER holds datasets/OWNER/NAME/FILES
and models/OWNER/NAME/FILES.
"""

import hashlib
import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlparse

_COMMIT = "a" * 40
_API = re.compile(r"/api/(?P<kind>datasets|models)/(?P<repo>[^/]+/[^/]+)(?P<rest>/.*)?")
_FILE = re.compile(r"/(?P<kind>datasets/)?(?P<repo>[^/]+/[^/]+)/resolve/[^/]+/(?P<path>.*)")


class Handler(BaseHTTPRequestHandler):
    root = Path()

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        url = urlparse(self.path)
        path = unquote(url.path)
        if path == "/":
            self._reply(200, b"a hub")
        elif match := _API.fullmatch(path):
            folder = self.root / match["kind"] / match["repo"]
            self._api(folder, match["repo"], match["rest"] or "", body)
        elif match := _FILE.fullmatch(path):
            kind = "datasets" if match["kind"] else "models"
            self._file(self.root / kind / match["repo"] / match["path"])
        else:
            self._reply(404, b"")

    do_HEAD = do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass

    def _api(self, folder: Path, repo: str, rest: str, body: str) -> None:
        if not folder.is_dir():
            self._reply(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif rest.startswith("/paths-info/"):
            paths = [folder / path for path in parse_qs(body)["paths"]]
            self._json([_entry(path, folder) for path in paths if path.exists()])
        elif "/tree/" in rest:
            inside = folder / rest.split("/", 3)[3] if rest.count("/") > 2 else folder
            found = sorted(inside.rglob("*"))
            if found:
                self._json([_entry(path, folder) for path in found])
            else:
                self._reply(404, b"{}", {"X-Error-Code": "EntryNotFound"})
        else:
            files = [path for path in folder.rglob("*") if path.is_file()]
            siblings = [{"rfilename": str(path.relative_to(folder))} for path in files]
            self._json({"id": repo, "sha": _COMMIT, "tags": [], "siblings": siblings})

    def _file(self, path: Path) -> None:
        if not path.is_file():
            self._reply(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": _COMMIT})
            return
        content = path.read_bytes()
        etag = f'"{hashlib.sha1(content).hexdigest()}"'
        self._reply(200, content, {"X-Repo-Commit": _COMMIT, "ETag": etag})

    def _json(self, answer: object) -> None:
        self._reply(200, json.dumps(answer).encode())

    def _reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _entry(path: Path, folder: Path) -> dict[str, object]:
    name = str(path.relative_to(folder))
    if path.is_dir():
        return {"type": "directory", "path": name, "oid": "0" * 40}
    content = path.read_bytes()
    oid = hashlib.sha1(content).hexdigest()
    return {"type": "file", "path": name, "size": len(content), "oid": oid}


if __name__ == "__main__":
    Handler.root = Path(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
