"""Serve the sandbox: the platforms' HTTP APIs from one living market."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from connectors.sandbox import options as flags
from connectors.sandbox.journal import StateError
from connectors.sandbox.server import PortError, build, serve


class Command(BaseCommand):
    help = "Serve the HTTP APIs of Meta, TikTok Ads and Shopify from one living market."
    requires_system_checks: list[str] = []  # it needs neither database nor settings

    def add_arguments(self, parser: ArgumentParser) -> None:
        flags.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            sandbox = build(
                flags.config(options),
                state=options["state"],
                host=options["host"],
                port=options["port"],
                shopify_plan=options["shopify_plan"],
            )
        except (PortError, StateError) as error:
            raise CommandError(str(error)) from error
        serve(sandbox, lambda line: print(line, flush=True))
