"""A checkout that only tells counters: what a test presses a governor with."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Pressure:
    """`rate`: orders accepted a second, from now on."""

    def __init__(self) -> None:
        self._accepted, self._rate, self._since = 0.0, 0.0, time.monotonic()
        self.port = 0

    def press(self, rate: float) -> None:
        self._accepted, self._since, self._rate = self._now(), time.monotonic(), rate

    def page(self) -> str:
        return (
            "# TYPE peakmesh_checkout_answers_total counter\n"
            f'peakmesh_checkout_answers_total{{answer="QUEUED"}} {self._now()}\n'
            "# TYPE peakmesh_checkout_in_progress gauge\n"
            "peakmesh_checkout_in_progress 3.0\n"
        )

    def _now(self) -> float:
        return self._accepted + self._rate * (time.monotonic() - self._since)


@contextmanager
def pressing() -> Iterator[Pressure]:
    pressure = Pressure()

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pressure.page().encode()
            self.send_response(200)
            self.send_header("content-length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *arguments: object) -> None:
            """Not to the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    pressure.port = server.server_port
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield pressure
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
