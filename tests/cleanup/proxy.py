"""A service that stands before the engine, passes requests on, and refuses some."""

from __future__ import annotations

import http.server
import socketserver
import threading
from pathlib import Path
from types import TracebackType

from cleanup.world import call


class RefusingProxy:
    """A context manager: a socket whose service answers 500 to removals that name ``refused``."""

    def __init__(self, address: str, socket: Path, *, refused: str) -> None:
        self.address = f"unix://{socket}"
        self.refusals = 0
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def handle_one(self) -> None:
                path = self.path.partition("/libpod/")[2] or self.path.lstrip("/")
                if self.command == "DELETE" and refused in path:
                    proxy.refusals += 1
                    self.answer(500, b'{"cause": "the disk is on fire", "response": 500}')
                    return
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else None
                status, answer = call(address, self.command, path, body, raw=True)
                self.answer(status, answer)

            do_GET = do_DELETE = do_POST = handle_one  # noqa: N815  the base class's names

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Libpod-Api-Version", "4.3.1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def address_string(self) -> str:
                return "client"

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = socketserver.ThreadingUnixStreamServer(str(socket), Handler)
        self._server.daemon_threads = True

    def __enter__(self) -> RefusingProxy:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
