"""Deliveries: sent once each, in order, again when they are not taken, and late or twice on order."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from connectors.sandbox.faults import Faults
from connectors.sandbox.pushes import RETRIES, Pushes
from tests.connectors.sandbox.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def pushes(faults: Faults) -> Iterator[Pushes]:
    made = Pushes(faults)
    made.retry_seconds = 0.001
    yield made
    made.close()


def bodies(receiver: Receiver) -> list[bytes]:
    return [delivery.body for delivery in receiver.got]


def test_what_is_queued_arrives_once_in_order_with_its_headers_and_exact_body(
    pushes: Pushes, receiver: Receiver
) -> None:
    for number in range(20):
        pushes.send("shopify", receiver.url, f"Füllung {number}".encode(), {"X-Id": str(number)})
    assert pushes.drain()
    assert bodies(receiver) == [f"Füllung {number}".encode() for number in range(20)]
    assert [delivery.headers["x-id"] for delivery in receiver.got] == [str(number) for number in range(20)]


@pytest.mark.parametrize("status", [301, 401, 404, 500, 503])
def test_a_delivery_that_is_not_taken_comes_again_just_as_it_was(
    pushes: Pushes, receiver: Receiver, status: int
) -> None:
    receiver.statuses = [status, status]
    pushes.send("shopify", receiver.url, b"one", {"X-Id": "7"})
    assert pushes.drain()
    assert bodies(receiver) == [b"one"] * 3
    assert {delivery.headers["x-id"] for delivery in receiver.got} == {"7"}


def test_after_eight_retries_it_is_given_up_and_said_so_once(pushes: Pushes, receiver: Receiver) -> None:
    receiver.statuses = [500] * 100
    given_up = threading.Event()
    pushes.send("shopify", receiver.url, b"one", {}, gave_up=given_up.set)
    assert pushes.drain()
    assert len(receiver.got) == 1 + RETRIES and given_up.is_set()


def test_an_address_where_nobody_listens_is_a_failure_too(pushes: Pushes, receiver: Receiver) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/"
    given_up = threading.Event()
    pushes.send("shopify", address, b"lost", {}, gave_up=given_up.set)
    pushes.send("shopify", receiver.url, b"found", {})
    assert pushes.drain()
    assert given_up.is_set() and bodies(receiver) == [b"found"]


def test_a_duplicate_on_order_is_the_same_delivery_twice(pushes: Pushes, receiver: Receiver, faults: Faults) -> None:
    faults.add({"fault": "webhook_duplicate", "platform": "shopify"})
    for body in (b"one", b"two"):
        pushes.send("shopify", receiver.url, body, {"X-Id": body.decode()})
    assert pushes.drain()
    assert bodies(receiver) == [b"one", b"one", b"two"]
    assert [delivery.headers["x-id"] for delivery in receiver.got] == ["one", "one", "two"]
    assert faults.waiting() == []


def test_a_late_one_on_order_comes_after_younger_ones(pushes: Pushes, receiver: Receiver, faults: Faults) -> None:
    faults.add({"fault": "webhook_late", "seconds": 0.2})
    for body in (b"one", b"two", b"three"):
        pushes.send("shopify", receiver.url, body, {})
    assert pushes.drain()
    assert bodies(receiver) == [b"two", b"three", b"one"]


def test_faults_of_deliveries_know_platform_and_address_and_leave_requests_alone(
    pushes: Pushes, receiver: Receiver, faults: Faults
) -> None:
    faults.add({"fault": "webhook_duplicate", "platform": "tiktok_shop"})
    faults.add({"fault": "webhook_duplicate", "path": "/elsewhere"})
    faults.add({"fault": "server_error"})
    pushes.send("shopify", receiver.url, b"one", {})
    assert pushes.drain()
    assert bodies(receiver) == [b"one"]
    assert faults.take("shopify", "POST", "/elsewhere") is not None
    assert faults.take("shopify", "POST", "/elsewhere") is None
    assert len(faults.waiting()) == 2


@pytest.mark.parametrize(
    "address", ["", "ftp://127.0.0.1/x", "pubsub://project:topic", "http://", "http://[", "http://a b"]
)
def test_only_web_addresses_are_pushed_to(pushes: Pushes, address: str) -> None:
    with pytest.raises(ValueError, match="http"):
        pushes.send("shopify", address, b"", {})


def test_what_waits_when_it_is_closed_is_never_sent(receiver: Receiver, faults: Faults) -> None:
    pushes = Pushes(faults)
    faults.add({"fault": "webhook_late", "seconds": 0.1})
    pushes.send("shopify", receiver.url, b"late", {})
    assert not pushes.drain(timeout=0.01)
    pushes.close()
    pushes.send("shopify", receiver.url, b"after", {})
    assert pushes.drain(timeout=0.2)
    assert receiver.got == []
