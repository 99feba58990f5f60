"""Settings of the partner API: DRF and its schema."""

from __future__ import annotations

from typing import Any

import environ

REQUESTS_PER_MINUTE = environ.Env().int("API_REQUESTS_PER_MINUTE", default=600)

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["config.api_keys.PartnerKey"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.api_scopes.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.api_parsing.StrictJsonParser"],
    "DEFAULT_THROTTLE_CLASSES": ["config.api_keys.PartnerThrottle"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "config.problems.handle",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Bursar partner API",
    "DESCRIPTION": "Profit by the hour, budget changes under guardrails, and the kill switch.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": False,
    "COMPONENT_NO_READ_ONLY_REQUIRED": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": True,
    "ENUM_NAME_OVERRIDES": {
        "ActionState": "automation.states.State",
        "RolloutStage": "accounts.models.RolloutStage",
        "NodeStatus": "accounts.models.Status",
        "ChangeKind": "automation.models.KINDS",
        "ProposalSource": "automation.models.SOURCES",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.api_schema.add_problems",
    ],
}
