"""A server to test against, and a cable that can be cut."""

from __future__ import annotations

import os
import random
import socket
import threading
from collections.abc import Iterator

import psycopg
import pytest

from florin_ledger import Definition, Ledger


class Cable:
    """Forwards connections to a server, and cuts all of them when told to."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            with self._lock:
                self._open += [client, server]
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            _close(end)

    def cut(self) -> None:
        with self._lock:
            cut, self._open = self._open, []
        self.cuts += bool(cut)
        for end in cut:
            _close(end)

    def close(self) -> None:
        self._listener.close()
        self.cut()


def _close(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()


@pytest.fixture(scope="session")
def url() -> str:
    found = os.environ.get("FLORIN_URL")
    if not found:
        pytest.skip("FLORIN_URL names no server")
    return found


@pytest.fixture(scope="session")
def number(url: str) -> int:
    """A ledger of its own for each run."""
    number = random.randrange(1_000, 2**31)
    with Ledger(url) as ledger:
        ledger.define(Definition(number, f"test {number}", currency="EUR", scale=2))
    return number


@pytest.fixture
def cable(url: str) -> Iterator[tuple[Cable, str]]:
    parts = psycopg.conninfo.conninfo_to_dict(url)
    cable = Cable(str(parts.get("host", "127.0.0.1")), int(parts.get("port", 5433) or 5433))
    yield cable, psycopg.conninfo.make_conninfo(url, host="127.0.0.1", port=cable.port)
    cable.close()
