"""The admin site put together: the pages beside the models' own, and what other packages registered in vain."""

from __future__ import annotations

# Imported first, so that what they register can be taken away again.
import django.contrib.auth.admin  # noqa: F401
import django_q.admin  # noqa: F401
from django.contrib import admin
from django.contrib.auth.models import Group
from django.urls import URLPattern, path
from django_q.models import Failure, OrmQ, Schedule, Success

from automation.admin import approvals, switches
from config import dashboard
from metrics.admin import credit_page, shop_page

# Whoever edits a schedule runs code, and groups carry no rights here.
for unwanted in (Failure, OrmQ, Schedule, Success, Group):
    admin.site.unregister(unwanted)


def extra_urls() -> list[URLPattern]:
    view = admin.site.admin_view
    return [
        path("dashboard/", view(dashboard.fragment), name="dashboard"),
        path("banner/", view(dashboard.banner_fragment), name="banner"),
        *approvals.urls(),
        *switches.urls(),
        *shop_page.urls(),
        *credit_page.urls(),
    ]


admin.site.extra_urls = extra_urls  # type: ignore[attr-defined]
