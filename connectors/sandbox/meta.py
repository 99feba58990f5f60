"""The Meta face: the Graph and Marketing API under `/v25.0/` and `/v26.0/`, as far as the sandbox knows it.

`respond` answers a request; `received` says which writes a request asks for; `edit` is a person's own change.
Errors have Meta's shape and codes. Every write that is received is booked once: applied or, here, refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from connectors.sandbox import meta_activities, meta_creates, meta_fields, meta_login, meta_media, meta_writes
from connectors.sandbox.answers import Request, Response, answer
from connectors.sandbox.meta_batch import batch, parts_of
from connectors.sandbox.meta_creative import find
from connectors.sandbox.meta_errors import FAULTS, MetaError, error_answer, no_such_object
from connectors.sandbox.meta_insights import Insights
from connectors.sandbox.meta_jobs import Job, Jobs, poll, result
from connectors.sandbox.meta_lists import edge, page
from connectors.sandbox.meta_session import (
    PLATFORM,
    READ_SCOPES,
    WRITE_SCOPES,
    Call,
    Node,
    Params,
    Session,
    authenticate,
    params_of,
    require,
    session_of,
    token_text,
)
from connectors.sandbox.meta_usage import Usage
from connectors.sandbox.tenants import Account, AdObject
from connectors.sandbox.world import Change, World

VERSIONS = ("v25.0", "v26.0")
PATH = re.compile(r"/(v\d+\.\d+)(?:/([^/]+))?(?:/([^/]+))?/?$")
MISHAPS = {
    "job_failed": "the next report job ends as Job Failed",
    "job_hidden": "the next report job is not found when it is first asked for",
    "null_part": "the next part of a batch is answered with null; nothing of it is applied",
}
NO_CAPABILITY = MetaError(3, "Application does not have the capability to make this API call.")

Answer = Callable[[Call], Any]


class Face:
    """Answers for one world; keeps the call scores, report jobs and media, which are not part of it."""

    platform = PLATFORM

    def __init__(self, world: World) -> None:
        self.world = world
        self._usage, self._jobs, insights = Usage(), Jobs(), Insights()
        self._mishaps = Counter[str]()
        self._edges: dict[tuple[str, str, str], Answer] = {
            ("GET", "account", "campaigns"): edge("campaign"),
            ("GET", "account", "minimum_budgets"): minimum_budgets,
            ("GET", "account", "adimages"): meta_media.images,
            ("POST", "account", "advideos"): meta_media.add_video,
            ("POST", "account", "adimages"): meta_media.add_image,
            **{("GET", kind, "adsets"): edge("ad_set") for kind in ("account", "campaign")},
            **{("GET", kind, "ads"): edge("ad") for kind in ("account", "campaign", "ad_set")},
            **{("GET", kind, "adcreatives"): edge("creative") for kind in ("account", "ad_set", "ad")},
            **{("GET", kind, "activities"): meta_activities.edge for kind in ("account", "campaign", "ad_set", "ad")},
            **{("GET", kind, "insights"): insights.edge for kind in ("account", "campaign", "ad_set", "ad")},
            **{("POST", kind, "insights"): self._start_job for kind in ("account", "campaign", "ad_set", "ad")},
            **{("POST", "account", name): _maker(name) for name in meta_creates.MADE},
        }

    def respond(self, request: Request) -> Response:
        account: Account | None = None
        params = params_of(request)
        try:
            node, name = _place(request)
            if (told := meta_login.login_endpoint(self.world, request, f"{node}/{name}" if name else node)) is not None:
                return told
            session = authenticate(self.world, request, params)
            account = self._addressed(session, node)
            response = answer(self._route(session, node, name, params, request))
        except MetaError as error:
            self._book_refused(request, params, error)
            response = error_answer(error)
        if account is not None:
            is_insights = request.path.rstrip("/").endswith("insights")
            response.headers.update(self._usage.headers(account, is_insights=is_insights))
        return response

    def received(self, request: Request) -> list[Change]:
        """The writes that a request asks for, before anything is checked; a rehearsal asks for none."""
        params, match = params_of(request), PATH.match(request.path)
        if "batch" in params and match and match[2] is None:
            return [change for part in parts_of(request, params["batch"]) for change in self.received(part)]
        if match is None or match[2] is None or meta_writes.is_rehearsal(params):
            return []
        node, name = match[2], match[3]
        account, target = self.world.accounts.get(node), find(self.world, node)
        if request.method == "POST" and account is not None and name in meta_creates.EDGES:
            return [meta_creates.received(self.world, account, name, params.get("name", ""))]
        if target is None or target.platform != PLATFORM or name is not None:
            return []
        if request.method == "DELETE":
            return [meta_writes.deletion(self.world, target)]
        return meta_writes.changes(self.world, target, params) if request.method == "POST" else []

    def refuse(self, request: Request, code: str) -> None:
        """Book every write that a request asks for as refused, before any of it is looked at."""
        for change in self.received(request):
            self.world.refuse(change, code)

    def fault(self, kind: str) -> tuple[Response, str]:
        """The answer of a fault, and its code in the ledger."""
        error = FAULTS[kind]
        return error_answer(error), error.label

    def disturb(self, kind: str) -> None:
        """Order a mishap of `MISHAPS` for the next request that it can befall."""
        self._mishaps[kind] += 1

    def edit(self, target: AdObject, field: str, value: Any) -> None:
        """A person's own edit. Raises MetaError when Meta's page would refuse it too."""
        text = value if isinstance(value, str) else answer(value).get_data(as_text=True)
        found = meta_writes.changes(self.world, target, {field: text}, by_person=True)
        if not found:
            raise MetaError(100, f"({field}) cannot be edited")
        meta_writes.check(self.world, target, found)
        for change in found:
            self.world.write(change, "human")

    def _book_refused(self, request: Request, params: Params, error: MetaError) -> None:
        """Book the writes of a request that came to nothing, as far as its token reaches."""
        session = session_of(self.world, token_text(request, params))
        for change in self.received(request) if session else []:
            if session and session.opens(change.target.account):
                self.world.refuse(change, error.label)

    def _addressed(self, session: Session, node: str) -> Account | None:
        """The ad account that a request is about, `None` where it is about none of the session's."""
        job, thing = self._jobs.find(node), find(self.world, node)
        owner = job.call.account.id if job else thing.account if thing else node
        return next((account for account in session.accounts if account.id == owner), None)

    def _route(self, session: Session, node: str, name: str, params: Params, request: Request) -> Any:
        method = request.method
        if not node:
            return self._root(session, params, request)
        if node in ("me", meta_login.me(self.world, session)["id"]):
            return self._me(session, name, params, request)
        account = self._addressed(session, node)
        if account is not None:
            self._usage.charge(account, method, is_insights=name == "insights")
        is_read = method == "GET" or name == "insights"
        require(session, READ_SCOPES if is_read else WRITE_SCOPES)
        job = self._jobs.find(node)
        if job is not None and account is not None:
            return self._report(job, name, Call(self.world, request, params, account))
        call = Call(self.world, request, params, self._find(session, node))
        if name:
            return self._edge(call, method, name)
        if method == "GET":
            return _node(call)
        return meta_writes.delete(call) if method == "DELETE" else meta_writes.update(call)

    def _root(self, session: Session, params: Params, request: Request) -> Any:
        """What has no node: many objects by `ids`, or a batch."""
        if request.method == "POST" and "batch" in params:
            return batch(request, params["batch"], self._part)
        if request.method != "GET" or "ids" not in params:
            raise MetaError(2500, "Unknown path components: /")
        require(session, READ_SCOPES)
        found = [self._find(session, part) for part in params["ids"].split(",") if part]
        for thing in found:
            self._usage.charge(Call(self.world, request, params, thing).account, "GET")
        return {thing.id: meta_fields.read(self.world, thing, params) for thing in found}

    def _part(self, request: Request) -> Response | None:
        """A part of a batch; `None` for one that ran out of time before anything of it was done."""
        if not self._befalls("null_part"):
            return self.respond(request)
        self.refuse(request, "960")
        return None

    def _start_job(self, call: Call) -> dict[str, str]:
        return self._jobs.start(call, hides=self._befalls("job_hidden"), fails=self._befalls("job_failed"))

    def _befalls(self, kind: str) -> bool:
        """Whether a mishap was ordered; it is used up."""
        found = self._mishaps[kind] > 0
        self._mishaps[kind] -= found
        return found

    def _me(self, session: Session, name: str, params: Params, request: Request) -> Any:
        if name == "permissions":
            if request.method == "DELETE":
                return meta_login.revoke(self.world, session)
            return meta_login.permissions(session)
        if request.method != "GET":
            raise NO_CAPABILITY
        if not name:
            return meta_login.me(self.world, session)
        if name != "adaccounts":
            raise _unknown_edge(name)
        require(session, READ_SCOPES)
        mine = session.accounts
        call = Call(self.world, request, params, mine[0])
        return page(call, [a.id for a in mine], lambda k: meta_fields.read(self.world, mine[k], params))

    def _report(self, job: Job, name: str, call: Call) -> Any:
        if call.request.method != "GET":
            raise NO_CAPABILITY
        if name not in ("", "insights"):
            raise _unknown_edge(name)
        return result(job, call) if name else poll(job, call.params.get("fields", ""))

    def _edge(self, call: Call, method: str, name: str) -> Any:
        kind = meta_fields.kind_of(call.target)
        if (method, kind, name) in self._edges:
            return self._edges[method, kind, name](call)
        if ("GET", kind, name) in self._edges:
            raise NO_CAPABILITY
        raise _unknown_edge(name)

    def _find(self, session: Session, node: str) -> Node:
        account = next((account for account in session.accounts if account.id == node), None)
        thing = account or find(self.world, node)
        if thing is None or (isinstance(thing, AdObject) and not session.opens(thing.account)):
            raise no_such_object(node)
        return thing


def _place(request: Request) -> tuple[str, str]:
    """Node and edge of a path, "" where it has none. Raises MetaError for a version or a path that is none."""
    match = PATH.match(request.path)
    if match and match[1] not in VERSIONS:
        raise MetaError(2635, f"You are calling a deprecated version of the Ads API: {match[1]}")
    if match is None:
        raise MetaError(2500, "Unknown path components: " + request.path[:200])
    if request.method not in ("GET", "POST", "DELETE"):
        raise MetaError(100, "Unsupported method")
    return match[2] or "", match[3] or ""


def _node(call: Call) -> dict[str, Any]:
    target = call.target
    if isinstance(target, AdObject) and target.extra.get("material") == "video":
        return meta_media.video(target)
    return meta_fields.read(call.world, target, call.params)


def _unknown_edge(name: str) -> MetaError:
    return MetaError(2500, f"Unknown path components: /{name[:80]}")


def _maker(name: str) -> Answer:
    return lambda call: meta_creates.create(call, name)


def minimum_budgets(call: Call) -> dict[str, Any]:
    least = meta_fields.minimum_units(call.account.currency)
    row = {
        "currency": call.account.currency,
        "min_daily_budget_imp": least,
        "min_daily_budget_high_freq": least * 5,
        "min_daily_budget_low_freq": least * 40,
        "min_daily_budget_video_views": least,
    }
    return page(call, ["0"], lambda k: row)
