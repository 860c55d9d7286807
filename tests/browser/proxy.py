"""A bad network between a page and the dashboard: slow, deaf or lost connections."""

import socket
import threading
import time
from contextlib import suppress

from tests.browser.conftest import Dashboard


class Proxy:
    """Passes connections on to the dashboard, as well as its fields let it.

    ``rate`` is the most bytes a second that a live socket gets; ``deaf`` drops what live
    sockets say, ``refusing`` takes no new ones. What ``lose`` has lost stays open, and nothing
    goes through it any more.
    """

    def __init__(self, dashboard: Dashboard) -> None:
        self.rate: float | None = None
        self.deaf = False
        self.refusing = False
        self._to = dashboard.port
        self._lost: set[socket.socket] = set()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "Proxy":
        """Begin to listen."""
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        """Cut everything."""
        self.rate = None
        for end in (self._listener, *self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=10)
        for end in (self._listener, *self._open):
            end.close()

    def lose(self) -> None:
        """Lose all connections that are open, as a router does that has forgotten them."""
        self._lost |= set(self._open)

    def _start(self, what: object, *args: object) -> None:
        thread = threading.Thread(target=what, args=args, daemon=True)  # type: ignore[arg-type]  # our own methods
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                page, _ = self._listener.accept()
                if self.refusing:
                    page.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._to))
                self._open += [page, server]
                first = page.recv(65536)
                server.sendall(first)
                live = b"/ecg/ws" in first.split(b"\r\n")[0]
                self._start(self._pass, page, server, live, False)
                self._start(self._pass, server, page, live, True)

    def _pass(self, source: socket.socket, to: socket.socket, live: bool, down: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1024 if live else 65536):
                if source in self._lost or (live and self.deaf and not down):
                    continue
                to.sendall(data)
                if live and down and self.rate is not None:
                    time.sleep(len(data) / self.rate)
        if source not in self._lost:
            with suppress(OSError):
                to.shutdown(socket.SHUT_RDWR)
