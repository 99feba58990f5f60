"""What every test shares."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import pytest
from django.db import connection
from hypothesis import settings as hypothesis_settings

from accounts.scoping import all_tenants
from automation import triggers
from tests.factories import House, make_house

# A slow machine is no counter-example.
hypothesis_settings.register_profile("suite", deadline=None)
hypothesis_settings.load_profile("suite")

NEEDS = {"redis": "TEST_REDIS_URL", "browser": "TEST_BROWSER", "postgres": "TEST_DATABASE_URL", "long": "LONG"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs a service runs where the environment names it; a named one that is missing is a failure."""
    if os.environ.get("DATABASE_TESTS_ONLY"):
        config.hook.pytest_deselected(items=[item for item in items if not touches_database(item)])
        items[:] = filter(touches_database, items)
    for item in items:
        for marker, variable in NEEDS.items():
            if item.get_closest_marker(marker) and not os.environ.get(variable):
                item.add_marker(pytest.mark.skip(reason=f"{variable} is not set"))


def touches_database(item: pytest.Item) -> bool:
    """Whether a test may behave differently on another database, by what it asks for."""
    asks = {"django_db", *NEEDS} & {marker.name for marker in item.iter_markers()}
    return bool(asks) or not {"db", "transactional_db"}.isdisjoint(getattr(item, "fixturenames", ()))


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

    def flush(sql_list: Iterable[str]) -> None:
        with connection.schema_editor() as editor:
            triggers.drop(None, editor)
        execute(sql_list)
        with connection.schema_editor() as editor:
            triggers.create(None, editor)

    vars(connection.ops)["execute_sql_flush"] = flush
