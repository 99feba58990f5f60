"""A server of raw bytes on a real socket, for what the sandbox cannot be made to say."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Script = Callable[[socket.socket], None]


@dataclass
class Wire:
    """`requests` holds what each connection sent; the scripts answer in turn, the last one for ever."""

    url: str
    requests: list[str] = field(default_factory=list)


def says(body: bytes | dict[str, Any] = b"{}", status: int = 200, headers: str = "") -> Script:
    """An answer of the given body."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(raw)}\r\nConnection: close\r\n{headers}\r\n".encode()
    return lambda connection: connection.sendall(head + raw)


def sends(raw: bytes) -> Script:
    """These bytes, whatever they are, then the end of the connection."""
    return lambda connection: connection.sendall(raw)


def hangs_up(_: socket.socket) -> None:
    """The end of the connection, without a word."""


@contextmanager
def wire(*scripts: Script) -> Iterator[Wire]:
    """Serve the scripts on a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        served = Wire(f"http://127.0.0.1:{listener.getsockname()[1]}")
        stop = threading.Event()
        listener.settimeout(0.05)
        thread = threading.Thread(target=_serve, args=(listener, served, list(scripts), stop))
        thread.start()
        try:
            yield served
        finally:
            stop.set()
            thread.join()


def _serve(listener: socket.socket, served: Wire, scripts: list[Script], stop: threading.Event) -> None:
    while not stop.is_set():
        with suppress(TimeoutError):
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.settimeout(2)
                served.requests.append(_request(connection))
                (scripts.pop(0) if len(scripts) > 1 else scripts[0])(connection)


def _request(connection: socket.socket) -> str:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or b"\r\n\r\n"
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(x[15:]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return (head + b"\r\n\r\n" + body).decode("latin-1")
