from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from tests.api.partner import Partner
from tests.factories import House, add_history, make_house


@pytest.fixture(autouse=True)
def _static_files(tmp_path: Path) -> Iterator[None]:
    """Collected static files are no part of a checkout, and their absence is a warning."""
    with override_settings(STATIC_ROOT=tmp_path):
        yield


@pytest.fixture
def living(house: House) -> House:
    """A house whose last days are known."""
    add_history(house)
    return house


@pytest.fixture
def partner(house: House) -> Partner:
    return Partner(house)


@pytest.fixture
def other(db: None) -> House:
    return make_house("beta")
