"""Each fault of the sandbox × each call of the two ad platforms (rows: `fault_calls`; columns: here).

A fault either passes (it hits one request) or stays. What was to be read is then right or given up with the typed
error; what was to be written is applied once, or not, or of unknown fate until it is read back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.contracts import Platform
from connectors.errors import (
    AuthenticationError,
    ConnectorError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    TransientError,
    UnverifiedError,
)
from connectors.login_contracts import Grant
from connectors.sandbox.faults import KINDS
from connectors.sandbox.server import Sandbox, running_sandbox
from tests.connectors.fault_calls import BACK, CALLS, META_READS, READS, WRITES, Stage, stage
from tests.connectors.leaks import listen, texts_of

RIGHT = None  # no error, and what comes back is right
ONE, MANY = 1, 50
Outcome = type[ConnectorError] | None

# fault: how a reading ends when the fault passes, and when it stays
READING: dict[str, tuple[Outcome, Outcome]] = {
    "rate_limit": (RIGHT, RateLimitedError),
    "server_error": (RIGHT, TransientError),
    "drop_before_apply": (RIGHT, TransientError),
    "drop_after_apply": (RIGHT, TransientError),
    "late_apply": (RIGHT, TransientError),
    "slow": (RIGHT, RIGHT),
    "expired_token": (AuthenticationError, AuthenticationError),
    "truncated_body": (RIGHT, TransientError),
    "html_body": (RIGHT, TransientError),
}
# fault: how a writing ends when the fault hits it (passing or staying: it is sent once), and whether it is applied
WRITING: dict[str, tuple[Outcome, bool]] = {
    "rate_limit": (RateLimitedError, False),
    "server_error": (OutcomeUnknownError, False),
    "drop_before_apply": (OutcomeUnknownError, False),
    "drop_after_apply": (OutcomeUnknownError, True),
    "late_apply": (OutcomeUnknownError, True),
    "slow": (RIGHT, True),
    "expired_token": (AuthenticationError, False),
    "truncated_body": (OutcomeUnknownError, True),
    "html_body": (OutcomeUnknownError, True),
}
# fault: how a writing ends that has to read first, when the fault stays; nothing is applied but where it is right
READING_FIRST: dict[str, Outcome] = {
    **dict.fromkeys(WRITING, NotSentError),
    "slow": RIGHT,
    "expired_token": AuthenticationError,
}
# fault: how a code ends that is exchanged: once, for it works once
EXCHANGING: dict[str, Outcome] = {
    **dict.fromkeys(READING, TransientError),
    "rate_limit": RateLimitedError,
    "slow": RIGHT,
    "expired_token": AuthenticationError,
}

pytestmark = pytest.mark.usefixtures("quick_retries")
FAULTS = pytest.mark.parametrize("fault", READING)
DURATION = pytest.mark.parametrize("count", [ONE, MANY], ids=["passes", "stays"])
BOTH = pytest.mark.parametrize("platform", [Platform.META, Platform.TIKTOK])
CHANGES = pytest.mark.parametrize(
    ("platform", "call"),
    [(p, name) for p in (Platform.META, Platform.TIKTOK) for name in WRITES if (p, name) != ("meta", "set_target_roi")],
)


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox(seed=7, days=12) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def stages(running: Sandbox) -> dict[Platform, Stage]:
    return {platform: stage(running, platform) for platform in (Platform.META, Platform.TIKTOK)}


@pytest.fixture
def on(stages: dict[Platform, Stage], platform: Platform, caplog: pytest.LogCaptureFixture) -> Iterator[Stage]:
    """The stage of a platform; afterwards nothing that anybody logged holds a secret."""
    listen(caplog)
    yield stages[platform]
    stages[platform].clear()
    assert not [secret for secret in stages[platform].issued() if secret in caplog.text]


def ended(on: Stage, call: Callable[[], Any]) -> tuple[Any, Outcome]:
    """What a call gave, and the class of the error that it ended with, whose text and chain hold no secret."""
    try:
        return call(), RIGHT
    except ConnectorError as error:
        told = "\n".join(texts_of(error))
        assert not [secret for secret in on.issued() if secret in told]
        assert error.platform == on.platform
        return None, type(error)
    finally:
        on.clear()


def test_the_matrix_knows_every_fault_of_a_request() -> None:
    others = {"too_many_requests"}  # Shopify's own
    assert set(READING) == set(WRITING) == {kind for kind in KINDS if not kind.startswith("webhook_")} - others


@DURATION
@FAULTS
@pytest.mark.parametrize(("platform", "call"), CALLS)
def test_a_reading_gets_over_what_passes_and_says_what_stays(on: Stage, call: str, fault: str, count: int) -> None:
    read = (READS | META_READS)[call]
    expected, before = read(on), len(on.ledger)
    on.order(fault, count)
    found, outcome = ended(on, lambda: read(on))
    assert outcome is READING[fault][count != ONE]
    assert found == (expected if outcome is RIGHT else None)
    assert len(on.ledger) == before


@DURATION
@FAULTS
@CHANGES
def test_a_writing_is_sent_once_and_says_what_became_of_it(on: Stage, call: str, fault: str, count: int) -> None:
    outcome, is_applied = WRITING[fault]
    changes(on, call, lambda: on.order(fault, count, method="POST"), outcome, is_applied)


@FAULTS
@CHANGES
def test_a_writing_on_a_platform_that_fails_altogether(on: Stage, call: str, fault: str) -> None:
    outcome, is_applied = WRITING[fault]
    if on.platform in WRITES[call].reads_first:
        outcome, is_applied = READING_FIRST[fault], READING_FIRST[fault] is RIGHT
    changes(on, call, lambda: on.order(fault, MANY), outcome, is_applied)


@FAULTS
@CHANGES
def test_a_writing_that_cannot_be_read_back_is_unverified(on: Stage, call: str, fault: str) -> None:
    outcome: Outcome = RIGHT if fault == "slow" else UnverifiedError
    if on.platform in WRITES[call].reads_first:
        outcome = READING_FIRST[fault]
    changes(on, call, lambda: on.order(fault, MANY, method="GET"), outcome, outcome in (RIGHT, UnverifiedError))


def changes(on: Stage, call: str, disturb: Callable[[], None], outcome: Outcome, is_applied: bool) -> None:
    """Do it under the fault; then what is held agrees with the ledger, which holds it at most once."""
    on.later()
    write, target = WRITES[call], on.targets[call]
    held: Any = on.ads.read(target)
    wanted, before = write.wanted(held), len(on.ledger)
    disturb()
    answer, became = ended(on, lambda: write.does(on.ads, target, wanted))
    assert became is outcome
    rows = on.ledger[before:]
    assert {row["object_id"] for row in rows} <= {target.external_id}
    assert max(Counter(row["field"] for row in rows).values(), default=0) <= 1
    assert any(row["result"] == "applied" for row in rows) is is_applied
    read_back = write.shows(on.ads.read(target))
    assert read_back == (wanted if is_applied else write.shows(held))
    assert outcome is not RIGHT or write.shows(answer) == wanted


@DURATION
@FAULTS
@BOTH
def test_a_code_is_exchanged_once(on: Stage, fault: str, count: int) -> None:
    code = on.code()
    on.order(fault, count)
    grant, outcome = ended(on, lambda: on.login.exchange(code, redirect_uri=BACK))
    assert outcome is EXCHANGING[fault]
    if grant is not None:
        assert on.login.owned_accounts(grant)
    assert on.login.owned_accounts(on.grant())


@DURATION
@FAULTS
@BOTH
def test_a_token_is_renewed_where_tokens_age(on: Stage, fault: str, count: int) -> None:
    grant = on.grant()
    on.order(fault, count)
    younger, outcome = ended(on, lambda: on.login.refresh(grant))
    if on.platform is Platform.TIKTOK:
        assert (younger, outcome) == (None, RIGHT)
    else:
        assert outcome is READING[fault][count != ONE]
    if younger is not None:
        assert on.login.owned_accounts(younger)
    assert on.login.owned_accounts(grant)


@DURATION
@FAULTS
@BOTH
def test_a_revocation_is_sent_once_and_can_be_repeated(on: Stage, fault: str, count: int) -> None:
    grant: Grant = on.grant()
    outcome, is_applied = WRITING[fault]
    on.order(fault, count)
    _, became = ended(on, lambda: on.login.revoke(grant))
    # A token that the platform calls dead needs no revocation.
    assert became is (RIGHT if fault == "expired_token" else outcome)
    is_alive = on.sandbox.world.logins.find(on.platform, grant.access_token) is not None
    assert is_alive is not is_applied
    on.login.revoke(grant)
    with pytest.raises(AuthenticationError):
        on.login.owned_accounts(grant)
