"""The TikTok face: Ads API v1.3 under `/open_api/v1.3/`, and the consent page at `/portal/auth`.

The API always answers HTTP 200 with `{code, message, request_id, data}`; only the consent page and downloaded tables
are something else. `respond` answers a request; `received` says which writes a request asks for.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from connectors.sandbox import (
    tiktok_creates,
    tiktok_files,
    tiktok_gmv_max,
    tiktok_login,
    tiktok_reports,
    tiktok_tasks,
    tiktok_writes,
)
from connectors.sandbox.answers import Bucket, Request, Response, answer
from connectors.sandbox.logins import Token
from connectors.sandbox.tenants import Account, AdObject
from connectors.sandbox.tiktok_fields import listing
from connectors.sandbox.tiktok_terms import SMART_PLUS, STANDARD, Outcome, TikTokError, body_of, listed
from connectors.sandbox.tiktok_writes import BULK, CREATIVES_UPDATE, STATUS_UPDATES, UPDATES
from connectors.sandbox.world import Change, World

PREFIX = "/open_api/v1.3/"
QPS, QPM = 50, 3000  # the level "Ultimate"; a minute's calls may come at once

Read = Callable[[World, Account, Mapping[str, str]], dict[str, Any]]

LISTS = {
    "campaign/get/": ("campaign", STANDARD),
    "adgroup/get/": ("ad_set", STANDARD),
    "ad/get/": ("ad", STANDARD),
    "smart_plus/campaign/get/": ("campaign", SMART_PLUS),
    "smart_plus/adgroup/get/": ("ad_set", SMART_PLUS),
    "smart_plus/ad/get/": ("ad", SMART_PLUS),
}
READS: dict[str, Read] = {
    "report/integrated/get/": tiktok_reports.report,
    "gmv_max/campaign/get/": tiktok_gmv_max.campaigns,
    "campaign/gmv_max/info/": tiktok_gmv_max.info,
    "gmv_max/report/get/": tiktok_gmv_max.report,
    "gmv_max/store/list/": tiktok_gmv_max.stores,
    "identity/get/": tiktok_files.identities,
    "pixel/list/": tiktok_files.pixels,
}
TASK_READS = ("report/task/check/", "report/task/download/")
TASK_WRITES = ("report/task/create/", "report/task/cancel/")
TASK_FILE = "report/task/file/"
GETS = {*LISTS, *READS, *tiktok_files.INFOS, *TASK_READS, "advertiser/info/", "oauth2/advertiser/get/"}
CHANGES = {*UPDATES, *STATUS_UPDATES, BULK, CREATIVES_UPDATE}
POSTS = {*CHANGES, *tiktok_creates.CREATES, *tiktok_files.UPLOADS, *TASK_WRITES}
LOGINS = {"oauth2/access_token/": tiktok_login.exchange, "oauth2/revoke_token/": tiktok_login.revoke}


class Face:
    """Answers for one world; keeps the call allowances, which follow wall time, and the report tasks."""

    platform = "tiktok"

    def __init__(self, world: World) -> None:
        self.world = world
        self.calls = Bucket(QPM, QPS)
        self._served = 0
        self._tasks: tiktok_tasks.Tasks = {}

    def respond(self, request: Request) -> Response:
        if request.path.startswith(tiktok_login.PORTAL):
            return tiktok_login.portal(self.world, request)
        try:
            outcome = self._answer(request, request.path.removeprefix(PREFIX))
        except TikTokError as error:
            outcome = Outcome({}, error.code, error.message)
        finally:
            request.close()  # uploaded files
        return outcome if isinstance(outcome, Response) else self._envelope(outcome)

    def received(self, request: Request) -> list[Change]:
        path, body = request.path.removeprefix(PREFIX), body_of(request)
        if request.method != "POST":
            return []
        account = self.world.accounts.get(str(body.get("advertiser_id")))
        if account is not None and account.platform == "tiktok":
            if path in tiktok_creates.CREATES:
                return [tiktok_creates.received(account, path)]
            if path in tiktok_files.UPLOADS:
                return [tiktok_creates.creation(account, "creative")]
        return [attempt.change for attempt in tiktok_writes.attempts(self.world, path, body) or []]

    def fault(self, kind: str) -> tuple[Response, str]:
        """The answer of a fault, and its code in the ledger."""
        error = FAULTS[kind]
        return self._envelope(Outcome({}, error.code, error.message)), str(error.code)

    def edit(self, target: AdObject, field: str, value: Any) -> None:
        """A person's own edit. Raises TikTokError when TikTok's page would refuse it too."""
        attempt = tiktok_writes.attempt(self.world, target, field, value)
        if attempt is None:
            raise TikTokError(40002, f"{field} cannot be edited")
        tiktok_writes.check(self.world, attempt)
        self.world.write(attempt.change, "human")

    def _envelope(self, outcome: Outcome) -> Response:
        self._served += 1
        request_id = hashlib.sha256(str(self._served).encode()).hexdigest()[:32].upper()
        return answer(
            {"code": outcome.code, "message": outcome.message, "request_id": request_id, "data": outcome.data}
        )

    def _answer(self, request: Request, path: str) -> Outcome | Response:
        try:
            token, account = self._admit(request, path)
        except TikTokError as error:
            for change in self.received(request):
                self.world.refuse(change, str(error.code))
            raise
        return self._route(request, path, token, account)

    def _admit(self, request: Request, path: str) -> tuple[Token | None, Account | None]:
        """Whose request this is; both None where no token is asked for. Raises TikTokError."""
        if not self.calls.take(1, time.monotonic()):
            raise TikTokError(40100, "Too many requests. Please retry in some time.")
        if (request.method == "POST" and path in LOGINS) or (request.method == "GET" and path == TASK_FILE):
            return None, None
        if path not in {"GET": GETS, "POST": POSTS}.get(request.method, ()):
            raise TikTokError(40400, "The requested path does not exist")
        token = tiktok_login.token_of(self.world, request, path)
        if path in ("oauth2/advertiser/get/", "advertiser/info/"):
            return token, None
        params = body_of(request) if request.method == "POST" else request.args
        return token, tiktok_login.account_of(self.world, token, params.get("advertiser_id"))

    def _route(self, request: Request, path: str, token: Token | None, account: Account | None) -> Outcome | Response:
        world, params = self.world, request.args.to_dict()
        if token is None:
            is_file = path == TASK_FILE
            return tiktok_tasks.file(self._tasks, request) if is_file else LOGINS[path](world, body_of(request))
        if account is None:
            is_info = path == "advertiser/info/"
            return self._info(token, params) if is_info else tiktok_login.advertisers(world, token, params)
        if request.method == "POST":
            return self._write(request, path, account)
        if path in LISTS:
            return Outcome(listing(world, account, *LISTS[path], params))
        if path in tiktok_files.INFOS:
            return Outcome(tiktok_files.infos(world, account, path, params))
        if path == "report/task/check/":
            return tiktok_tasks.check(self._tasks, world, account, params)
        if path == "report/task/download/":
            return tiktok_tasks.download(self._tasks, account, request)
        return Outcome(READS[path](world, account, params))

    def _write(self, request: Request, path: str, account: Account) -> Outcome:
        body = body_of(request)
        if path in tiktok_creates.CREATES:
            return tiktok_creates.perform(self.world, account, path, body)
        if path in tiktok_files.UPLOADS:
            return tiktok_files.upload(self.world, account, path, request)
        if path == "report/task/create/":
            return tiktok_tasks.create(self._tasks, account, body)
        if path == "report/task/cancel/":
            return tiktok_tasks.cancel(self._tasks, account, body)
        return tiktok_writes.perform(self.world, account, path, body)

    def _info(self, token: Token, params: dict[str, str]) -> Outcome:
        ids = listed(params, "advertiser_ids") or []
        if not 1 <= len(ids) <= 100:
            raise TikTokError(40002, "advertiser_ids: between 1 and 100 ids are needed.")
        wanted = listed(params, "fields")
        bodies = [_advertiser(tiktok_login.account_of(self.world, token, identity)) for identity in ids]
        if wanted is not None:
            bodies = [{k: v for k, v in body.items() if k in wanted or k == "advertiser_id"} for body in bodies]
        return Outcome({"list": bodies})


def _advertiser(account: Account) -> dict[str, Any]:
    return {
        "advertiser_id": account.id,
        "name": account.name,
        "currency": account.currency,
        "timezone": account.zone,
        "display_timezone": account.zone,
        "status": "STATUS_ENABLE",
        "role": "ROLE_ADVERTISER",
        "company": account.name,
        "country": "US",
        "balance": 0.0,
        "create_time": int(account.created.timestamp()),
    }


FAULTS = {
    "rate_limit": TikTokError(40100, "Too many requests. Please retry in some time."),
    "server_error": TikTokError(50002, "Service error. Please retry."),
    "expired_token": TikTokError(40105, "Access token is incorrect or has been revoked."),
}
