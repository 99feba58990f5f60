from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from connectors.sandbox.server import running_sandbox
from tests.connectors.sandbox.visitor import Visitor

START = datetime(2026, 11, 5, 15, tzinfo=UTC)  # New York left summer time on the first of this month


@pytest.fixture(scope="module")
def reader() -> Iterator[Visitor]:
    """A sandbox for tests that only read."""
    with running_sandbox(start=START, days=14) as running:
        yield Visitor(running.url)


@pytest.fixture
def visitor() -> Iterator[Visitor]:
    """A sandbox of one's own."""
    with running_sandbox(start=START, days=3) as running:
        yield Visitor(running.url)
