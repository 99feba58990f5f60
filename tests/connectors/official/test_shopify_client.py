"""Shopify's own client for Python (`ShopifyAPI`) against the sandbox, over real HTTP and, for tokens, TLS."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.sandbox.server import Sandbox, build, running_sandbox
from connectors.sandbox.world import Config
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.visitor import Visitor

shopify: Any = import_module("shopify")
BACK = "https://bursar.test/callback"
ORDERS = """query($first: Int!, $after: String) { orders(first: $first, after: $after, sortKey: UPDATED_AT) {
  nodes { id updatedAt totalPriceSet { shopMoney { amount } } } pageInfo { hasNextPage endCursor } } }"""


class Desk:
    """The client at the first tenant. It puts a shop's name before the domain that it is set up with: 127 + .0.0.1."""

    def __init__(self, url: str) -> None:
        self.visitor = Visitor(url)
        self.who: dict[str, str] = self.visitor.who["shopify"]
        shopify.Session.setup(
            api_key=self.who["client_id"],
            secret=self.who["client_secret"],
            protocol=urlsplit(url).scheme,
            myshopify_domain="0.0.1",
            port=urlsplit(url).port,
        )

    def session(self, token: str | None = None) -> Any:
        return shopify.Session("127.0.0.1", "2026-10", token)

    def ask(self, query: str, **variables: Any) -> Any:
        return json.loads(shopify.GraphQL().execute(query, variables))

    def callback(self, url: str) -> dict[str, str]:
        """What the person brings back who has agreed at this address, in the first tenant's shop."""
        page = self.visitor.send("GET", url, params={"shop": self.who["shop"], "allow": "1"} | query_of(url))
        return query_of(page.headers["Location"])


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


@contextmanager
def desk_at(sandbox: Sandbox) -> Iterator[Desk]:
    kept = {
        name: getattr(shopify.Session, name) for name in ("api_key", "secret", "protocol", "myshopify_domain", "port")
    }
    desk = Desk(sandbox.url)
    try:
        yield desk
    finally:
        shopify.ShopifyResource.clear_session()
        shopify.Session.setup(**kept)
        desk.visitor.client.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    with running_sandbox(start=START, days=3) as running, desk_at(running) as desk:
        shopify.ShopifyResource.activate_session(desk.session(desk.who["access_token"]))
        yield desk


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """The sandbox behind TLS with a certificate of its own, because the client asks for tokens over https only."""
    certificate, key = certified(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    sandbox = build(Config(start=START, days=1))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    sandbox.server.socket = context.wrap_socket(sandbox.server.socket, server_side=True)
    sandbox.url = sandbox.url.replace("http:", "https:")
    thread = threading.Thread(target=sandbox.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    with desk_at(sandbox) as desk:
        yield desk
    sandbox.server.shutdown()
    thread.join()
    sandbox.application.close()


def certified(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, signed by itself, and its key."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(private, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    text = private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "certificate.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(text)
    return folder / "certificate.pem", folder / "key.pem"


def test_orders_are_read_over_several_pages(desk: Desk) -> None:
    found: list[Any] = []
    after = None
    while True:
        page = desk.ask(ORDERS, first=15, after=after)["data"]["orders"]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert len(found) > 45 and len({order["id"] for order in found}) == len(found)
    times = [order["updatedAt"] for order in found]
    assert times == sorted(times)
    assert len(found) == desk.ask("{ ordersCount { count } }")["data"]["ordersCount"]["count"]


def test_a_dead_token_is_the_clients_own_http_error(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    shopify.ShopifyResource.activate_session(desk.session("shpat_dead"))
    with pytest.raises(HTTPError) as raised:
        desk.ask("{ shop { name } }")
    assert raised.value.code == 401
    assert "Invalid API key or access token" in capsys.readouterr().out


def test_throttling_comes_as_an_error_in_the_answer(desk: Desk) -> None:
    desk.visitor.control("faults", fault="rate_limit", platform="shopify")
    assert desk.ask("{ shop { name } }")["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert desk.ask("{ shop { name } }")["data"]


def test_a_server_error_is_raised(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.visitor.control("faults", fault="server_error", platform="shopify")
    with pytest.raises(HTTPError) as raised:
        desk.ask("{ shop { name } }")
    assert raised.value.code == 500


def test_a_person_agrees_and_the_client_gets_its_token(secure: Desk) -> None:
    session = secure.session()
    url = session.create_permission_url(["read_orders", "read_products"], BACK, "a1b2c3")
    params = secure.callback(url)
    assert shopify.Session.validate_params(params) and params["state"] == "a1b2c3"
    token = session.request_token(params)
    assert set(session.access_scopes) == {"read_orders", "read_products"}
    shopify.ShopifyResource.activate_session(secure.session(token))
    assert secure.ask("{ shop { myshopifyDomain } }")["data"]["shop"]["myshopifyDomain"] == secure.who["shop"]


def test_a_changed_callback_is_refused_by_the_client_and_a_used_code_by_us(secure: Desk) -> None:
    url = secure.session().create_permission_url(["read_orders"], BACK, "a1b2c3")
    params = secure.callback(url)
    validation: Any = import_module("shopify.session").ValidationException
    with pytest.raises(validation):
        secure.session().request_token({**params, "shop": "other.myshopify.com"})
    secure.session().request_token(params)
    with pytest.raises(HTTPError) as raised:
        secure.session().request_token(params)
    assert raised.value.code == 400
    raised.value.close()


@pytest.mark.parametrize("state", ["a=b", "a/b c", "a%26b&c=d", "é"])
def test_odd_states_are_signed_as_the_client_expects(secure: Desk, state: str) -> None:
    params = secure.callback(secure.session().create_permission_url(["read_orders"], BACK, state))
    assert params["state"] == state and shopify.Session.validate_params(params)
