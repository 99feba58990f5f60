from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from accounts.api_fields import ACTION, AD_SET, ASSESSMENT, CAMPAIGN, STORE, public_id
from accounts.scoping import all_tenants
from config import api_keys
from config.tasks import heartbeat
from metrics.assessments import assess
from tests.api.partner import Partner
from tests.factories import AS_OF, House, awaiting

EXAMPLES = 15
COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"


def test_the_committed_schema_is_current_and_valid() -> None:
    made = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=made)
    assert yaml.safe_load(made.getvalue()) == yaml.safe_load(COMMITTED.read_text()), (
        "run: python manage.py spectacular --file docs/openapi.yaml"
    )


@pytest.mark.parametrize("accept", ["application/yaml", "application/json", "*/*"])
def test_the_schema_is_served_without_a_key(accept: str, db: None) -> None:
    answer = Client().get("/api/v1/schema", headers={"Accept": accept})
    assert answer.status_code == 200
    assert yaml.safe_load(answer.content)["openapi"] == "3.1.0"


@pytest.fixture
def live(living: House, partner: Partner, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The API's schema bound to the real WSGI application, with rows to be found."""
    action = awaiting(living, ad_set=living.ad_sets[1])
    with all_tenants():
        assessed = assess(living.tenant, period_end=AS_OF, actor="test")
    known = {
        "actions": public_id(ACTION, action.pk),
        "ad-sets": public_id(AD_SET, living.ad_sets[0].pk),
        "campaigns": public_id(CAMPAIGN, living.campaign.pk),
        "credit-assessments": public_id(ASSESSMENT, assessed.pk),
        "stores": public_id(STORE, living.store.pk),
    }
    heartbeat()
    monkeypatch.setattr(api_keys, "REQUESTS_PER_MINUTE", 10_000)
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema", get_wsgi_application())
    yield schema, known, partner
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.filterwarnings("default")
def test_every_answer_is_one_that_the_schema_documents(live: Any) -> None:
    schema, known, partner = live
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(), is_known=st.booleans())
        def ask(case: schemathesis.Case, is_known: bool) -> None:
            if is_known:
                _name_what_exists(case, known)
            case.call_and_validate(
                headers={"Authorization": f"Bearer {partner.secret}"},
                excluded_checks=[negative_data_rejection, positive_data_acceptance],
            )

        ask()


def _name_what_exists(case: Any, known: dict[str, str]) -> None:
    if "id" in (case.path_parameters or {}):
        case.path_parameters["id"] = known[case.path.split("/")[3]]
    if isinstance(case.body, dict) and "ad_set" in case.body:
        case.body["ad_set"] = known["ad-sets"]
