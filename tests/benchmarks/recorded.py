"""Answers of the sandbox, recorded once and served again by a server that does nothing else.

`python -m tests.benchmarks.recorded record FOLDER UPSTREAM` is a proxy that keeps what passes;
`python -m tests.benchmarks.recorded serve FOLDER` serves it. Both print their address on a line of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

import httpx

KEPT = ("content-type", "x-app-usage", "x-ad-account-usage", "x-business-use-case-usage")


def key_of(method: str, path: str, body: bytes) -> str:
    return hashlib.sha256(b" ".join([method.encode(), path.encode(), body])).hexdigest()[:32]


class Recorder:
    """Forwards each request and appends it, with its answer, to the folder: `index` and `bodies`."""

    def __init__(self, folder: Path, upstream: str) -> None:
        self._client = httpx.AsyncClient(base_url=upstream, timeout=120, trust_env=False)
        self._index = (folder / "index").open("w")
        self._bodies = (folder / "bodies").open("wb")

    async def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        sent = {name: value for name, value in headers.items() if name not in ("host", "connection", "content-length")}
        reply = await self._client.request(method, path, headers=sent, content=body)
        raw = _response(reply.status_code, {n: reply.headers[n] for n in KEPT if n in reply.headers}, reply.content)
        entry = {"key": key_of(method, path, body), "start": self._bodies.tell(), "length": len(raw)}
        entry |= {"method": method, "path": path, "body": body.decode(), "type": headers.get("content-type", "")}
        self._bodies.write(raw)
        self._bodies.flush()
        self._index.write(json.dumps(entry) + "\n")
        self._index.flush()
        return raw


class Player:
    """Serves each key's answers in the order they were recorded; the last one stays."""

    def __init__(self, folder: Path) -> None:
        self._bodies = (folder / "bodies").open("rb")
        self._places: defaultdict[str, deque[tuple[int, int]]] = defaultdict(deque)
        for entry in entries(folder):
            self._places[entry["key"]].append((entry["start"], entry["length"]))

    async def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        places = self._places[key_of(method, path, body)]
        if not places:
            return _response(404, {}, b"{}")
        start, length = places.popleft() if len(places) > 1 else places[0]
        self._bodies.seek(start)
        return self._bodies.read(length)


def entries(folder: Path) -> list[dict[str, Any]]:
    """The requests in the order they were recorded, each with the place of its answer."""
    return [json.loads(line) for line in (folder / "index").read_text().splitlines()]


def _response(status: int, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status} X", *(f"{n}: {v}" for n, v in headers.items()), f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _serve(talker: Recorder | Player) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").split("\r\n")
                method, path, _ = first.split(" ", 2)
                headers = {n.strip().lower(): v.strip() for n, _, v in (line.partition(":") for line in lines if line)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                writer.write(await talker.answer(method, path, headers, body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=1 << 20)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    asyncio.run(_serve(Recorder(folder, sys.argv[3]) if sys.argv[1] == "record" else Player(folder)))
