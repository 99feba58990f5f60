from __future__ import annotations

from collections.abc import Iterator

import pytest
import stamina

from connectors.sandbox.server import running_sandbox
from tests.connectors.control import Control


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Control]:
    """One sandbox for all tests of connectors: they must not depend on an untouched market."""
    with running_sandbox(seed=7, days=12) as running:
        yield Control(running.url)


@pytest.fixture
def quick_retries() -> Iterator[None]:
    """Reads are tried three times without a pause."""
    with stamina.set_testing(True, attempts=3, cap=True):
        yield
