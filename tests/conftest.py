"""What every test shares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from accounts.scoping import all_tenants
from automation import triggers
from tests.factories import House, make_house


@pytest.fixture(autouse=True)
def _fast_passwords(settings: pytest.FixtureRequest) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]


@pytest.fixture
def house(db: None) -> House:
    return make_house()


@pytest.fixture
def everywhere() -> Iterator[None]:
    """Tests that look at rows of any tenant."""
    with all_tenants():
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: object) -> None:
    """Emptying tables between transactional tests is what the log's triggers exist to refuse: lift them then."""
    execute = connection.ops.execute_sql_flush

    def flush(sql_list: list[str]) -> None:
        with connection.schema_editor() as editor:
            triggers.drop(None, editor)
        execute(sql_list)
        with connection.schema_editor() as editor:
            triggers.create(None, editor)

    connection.ops.execute_sql_flush = flush
