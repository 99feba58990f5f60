"""The sandbox as a server: one process, one port, every platform at its own paths.

`running_sandbox(...)` serves from a thread (tests, demos); `serve(...)` serves until it is interrupted.
"""

from __future__ import annotations

import gc
import re
import signal
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from connectors.sandbox import meta, shopify, tiktok, tiktok_shop
from connectors.sandbox.answers import Request, Response, answer
from connectors.sandbox.control import PREFIX, Control
from connectors.sandbox.faults import REFUSALS, Fault, Faults
from connectors.sandbox.journal import Journal, StateError
from connectors.sandbox.pushes import Pushes
from connectors.sandbox.world import Config, World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

META_PATH = re.compile(r"/v\d+\.\d+(/|$)")
Face = meta.Face | tiktok.Face | shopify.Face | tiktok_shop.Face
TIKTOK_PATHS = ("/open_api/", "/portal/")  # the second is where merchants consent
GATEWAY_PAGE = "<html><head><title>504 Gateway Time-out</title></head><body>504 Gateway Time-out</body></html>"


class PortError(Exception):
    """The port cannot be used; the message says why in one line."""


class Application:
    """The WSGI application: finds the face, applies the fault if one is due, answers."""

    def __init__(self, world: World, shopify_plan: str = "plus") -> None:
        self.world = world
        self.faults = Faults()
        self._meta = meta.Face(world)
        self._tiktok = tiktok.Face(world)
        self.pushes = Pushes(self.faults)
        self._shopify = shopify.Face(world, self.pushes, shopify_plan)
        self._tiktok_shop = tiktok_shop.Face(world, self.pushes)
        self._control = Control(world, self.faults, self._meta, self._tiktok, self._shopify, self._tiktok_shop)
        self._timers: list[threading.Timer] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        request.get_data()
        response = self._answer(request)
        return response(environ, start_response)

    def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self.pushes.close()
        self.world.close()

    def _answer(self, request: Request) -> Response:
        if request.path.startswith(PREFIX):
            with self.world.lock:
                self.world.tick()
                return self._control.respond(request)
        face = self._face(request.path)
        if face is None:
            return answer({"error": "no platform has this path"}, 404)
        fault = self.faults.take(face.platform, request.method, request.path)
        return self._respond(face, request) if fault is None else self._fail(face, request, fault)

    def _face(self, path: str) -> Face | None:
        if META_PATH.match(path):
            return self._meta
        if path.startswith(TIKTOK_PATHS):
            return self._tiktok
        if path.startswith(tiktok_shop.PATHS):
            return self._tiktok_shop
        return self._shopify if path.startswith("/admin/") else None

    def _respond(self, face: Face, request: Request) -> Response:
        with self.world.lock:
            self.world.tick()
            return face.respond(request)

    def _fail(self, face: Face, request: Request, fault: Fault) -> Response:
        if fault.fault in REFUSALS:
            with self.world.lock:
                self.world.tick()
                response, code = face.fault(fault.fault)
                for change in face.received(request):
                    self.world.refuse(change, code)
            return response
        if fault.fault == "late_apply":
            timer = threading.Timer(fault.seconds, self._respond, (face, request))
            timer.daemon = True
            self._timers.append(timer)
            timer.start()
        if fault.fault in ("late_apply", "drop_before_apply"):
            cut(request)
        if fault.fault == "slow":
            time.sleep(fault.seconds)
        response = self._respond(face, request)
        if fault.fault == "drop_after_apply":
            cut(request)
        if fault.fault == "html_body":
            return Response(GATEWAY_PAGE, 504, mimetype="text/html")
        return _halved(request, response) if fault.fault == "truncated_body" else response


def cut(request: Request) -> None:
    """Close the TCP connection without a word; the server then drops the request."""
    request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError


def _halved(request: Request, response: Response) -> Response:
    whole = response.get_data()

    def half() -> Iterator[bytes]:
        yield whole[: len(whole) // 2]
        cut(request)

    headers = dict(response.headers) | {"Content-Length": str(len(whole))}
    return Response(half(), response.status_code, headers)


class _QuietHandler(WSGIRequestHandler):
    """Logs no request: their URLs carry tokens."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@dataclass
class Sandbox:
    """A running sandbox; `application` gives a test what HTTP does not."""

    url: str
    application: Application
    server: BaseWSGIServer

    @property
    def world(self) -> World:
        return self.application.world


def build(
    config: Config,
    *,
    state: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    shopify_plan: str = "plus",
) -> Sandbox:
    """A sandbox that listens but does not serve yet. Raises PortError, StateError."""
    listener = _listen(host, port)
    try:
        application = Application(_world(config, state), shopify_plan)
        server = make_server(
            host, port, application, threaded=True, request_handler=_QuietHandler, fd=listener.fileno()
        )
    finally:
        bound = listener.getsockname()[1]
        listener.close()
    shown = f"[{host}]" if ":" in host else host
    return Sandbox(f"http://{shown}:{bound}", application, server)


def _world(config: Config, state: Path | None) -> World:
    journal = Journal(state)
    collects = gc.isenabled()
    gc.disable()  # a large world is millions of objects that all stay
    try:
        return World(config, journal)
    except StateError:
        journal.close()
        raise
    finally:
        if collects:
            gc.enable()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise PortError(f"cannot listen on {host}:{port}: {error}") from error
    return listener


@contextmanager
def running_sandbox(
    *,
    seed: int = 7,
    start: datetime | None = None,
    days: int = 5,
    tenants: int = 2,
    ad_sets: int = 6,
    clock: float = 0.0,
    accounts: int = 1,
    state: Path | None = None,
    port: int = 0,
    shopify_plan: str = "plus",
) -> Iterator[Sandbox]:
    """A sandbox served from a thread of this process, for as long as the block lasts."""
    config = Config(seed, start, days, tenants, ad_sets, clock, accounts)
    sandbox = build(config, state=state, port=port, shopify_plan=shopify_plan)
    thread = threading.Thread(target=sandbox.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield sandbox
    finally:
        sandbox.server.shutdown()
        thread.join()
        sandbox.application.close()


def serve(sandbox: Sandbox, announce: Any) -> None:
    """Announce the address and serve until interrupted."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the shell that started us ignores it
    gc.collect()
    gc.freeze()  # the world stays as it is; looking through it again and again would cost more than the answers
    announce(f"sandbox listening on {sandbox.url}")
    try:
        sandbox.server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        sandbox.application.close()
