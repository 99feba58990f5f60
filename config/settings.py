"""All settings, read from the environment (and `.env`) by django-environ. `.env.example` documents each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import environ

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")
VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var")))

# --- Security ----------------------------------------------------------------------------------------
SECRET_KEY = env.str("SECRET_KEY")
FIELD_ENCRYPTION_KEYS = env.list("FIELD_ENCRYPTION_KEYS")
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
HTTPS = env.bool("HTTPS", default=False)
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 3600
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024

# --- Application -------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "config",
    "accounts",
    "connectors",
    "metrics",
    "rules",
    "brain",
    "automation",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_q",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.request_id",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.tenant_scope_of_request",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.permissions.RoleBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "admin:login"
APPEND_SLASH = True

# --- Time, language, static files --------------------------------------------------------------------
USE_TZ = True
TIME_ZONE = "UTC"
# Django overwrites the process's TZ with TIME_ZONE, so children would lose it: it is handed on by another name.
DEFAULT_TIME_ZONE = env.str("BURSAR_TIME_ZONE", default="") or env.str("TZ", default="") or "UTC"
os.environ["BURSAR_TIME_ZONE"] = DEFAULT_TIME_ZONE
LANGUAGE_CODE = "en"
USE_I18N = True
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
WHITENOISE_USE_FINDERS = True

# --- Database and cache ------------------------------------------------------------------------------
DATABASE_URL = env.str("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'bursar.sqlite3'}")
DATABASES = {"default": env.db_url_config(DATABASE_URL)}
IS_SQLITE = DATABASES["default"]["ENGINE"].endswith("sqlite3")
if IS_SQLITE:
    # Read-then-write transactions fail at once with "database is locked" unless they begin IMMEDIATE.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
else:
    DATABASES["default"] |= {
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"options": "-c statement_timeout=60000 -c lock_timeout=20000"},
    }
REDIS_URL = env.str("REDIS_URL", default="")
CACHES = {
    "default": (
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "shared_cache"}
    )
}

# --- Queue: a wake-up call only, never the truth -----------------------------------------------------
Q_CLUSTER: dict[str, Any] = {
    "name": "bursar",
    "orm": "default",
    "workers": env.int("QUEUE_WORKERS", default=2),
    "timeout": 120,
    "retry": 600,
    "queue_limit": 1,
    "bulk": 1,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": 0,
    "catch_up": False,
    "recycle": 200,
    "max_rss": 800_000,
    "poll": 0.5,
    "guard_cycle": 0.5,
    "label": "Queue",
}

# --- Platforms ---------------------------------------------------------------------------------------
META_BASE_URL = env.str("META_BASE_URL", default="https://graph.facebook.com")
META_API_VERSION = env.str("META_API_VERSION", default="v26.0")
TIKTOK_BASE_URL = env.str("TIKTOK_BASE_URL", default="https://business-api.tiktok.com")
TIKTOK_API_VERSION = env.str("TIKTOK_API_VERSION", default="v1.3")
SHOPIFY_BASE_URL = env.str("SHOPIFY_BASE_URL", default="")
SHOPIFY_API_VERSION = env.str("SHOPIFY_API_VERSION", default="2026-10")
# What Shopify's app asks for; read_all_orders, for orders older than 60 days, needs Shopify's approval.
SHOPIFY_SCOPES = env.list(
    "SHOPIFY_SCOPES", default=["read_orders", "read_customers", "read_products", "read_inventory"]
)
TIKTOK_SHOP_BASE_URL = env.str("TIKTOK_SHOP_BASE_URL", default="https://open-api.tiktokglobalshop.com")
TIKTOK_SHOP_AUTH_URL = env.str("TIKTOK_SHOP_AUTH_URL", default="https://auth.tiktok-shops.com")
TIKTOK_SHOP_SERVICE_ID = env.str("TIKTOK_SHOP_SERVICE_ID", default="")
# Where sellers outside and inside the US consent, and creators.
TIKTOK_SHOP_DIALOG_URLS = {
    "seller": env.str("TIKTOK_SHOP_DIALOG_URL", default="https://services.tiktokshop.com"),
    "seller_us": env.str("TIKTOK_SHOP_US_DIALOG_URL", default="https://services.us.tiktokshop.com"),
    "creator": env.str("TIKTOK_SHOP_CREATOR_DIALOG_URL", default="https://shop.tiktok.com"),
}
META_DIALOG_URL = env.str("META_DIALOG_URL", default="https://www.facebook.com")
TIKTOK_DIALOG_URL = env.str("TIKTOK_DIALOG_URL", default="https://business-api.tiktok.com")
# The address under which browsers reach Bursar; empty: taken from the request. Platforms compare it byte by byte.
PUBLIC_URL = env.str("PUBLIC_URL", default="").rstrip("/")
# How much one may ask, shared by all processes. Meta: points per ad account in 300 seconds (a read 1, a write 3);
# 60 is its Limited tier, 9000 its Full one. TikTok: requests per second of the app; 10 is its Basic level.
META_RATE_SCORE = env.int("META_RATE_SCORE", default=60)
TIKTOK_QPS = env.int("TIKTOK_QPS", default=10)
# Requests per second for each TikTok Shop: the platform names no fixed figure, 3 to 10 is what apps start with.
TIKTOK_SHOP_QPS = env.int("TIKTOK_SHOP_QPS", default=5)
# TikTok's documents call an update of an ad group a full replacement; public clients send the changed field alone.
TIKTOK_FULL_UPDATE = env.bool("TIKTOK_FULL_UPDATE", default=False)
WRITE_STOP_FILE = Path(env.str("WRITE_STOP_FILE", default=str(VAR_DIR / "STOP")))

# The largest share of a nominal daily budget that a platform may spend in one day, in millionths.
# Meta documents 175 %, some of its pages still say 125 %; TikTok documents 125 % for dynamic budgets.
WORST_DAY_FACTOR_PPM = {
    "meta": env.int("META_WORST_DAY_PPM", default=1_750_000),
    "tiktok": env.int("TIKTOK_WORST_DAY_PPM", default=1_250_000),
}
# Days before today that every sync reads again, and how many the nightly one does: Meta's figures move for
# about 28 days, TikTok corrects yesterday's at 12:00 UTC and late conversions for some days more.
RESTATEMENT_DAYS = {
    "meta": env.int("META_RESTATEMENT_DAYS", default=2),
    "tiktok": env.int("TIKTOK_RESTATEMENT_DAYS", default=2),
}
RESTATEMENT_DAYS_NIGHTLY = {
    "meta": env.int("META_RESTATEMENT_DAYS_NIGHTLY", default=28),
    "tiktok": env.int("TIKTOK_RESTATEMENT_DAYS_NIGHTLY", default=14),
}
# How far back platforms give hours: Meta 13 months since 2026-01-12.
OLDEST_HOURS_DAYS = env.int("OLDEST_HOURS_DAYS", default=395)

# --- Policy and money defaults of new tenants --------------------------------------------------------
DAILY_BUDGET_TARGET = env.str("DAILY_BUDGET_TARGET", default="")
COGS_PER_UNIT = env.str("COGS_PER_UNIT", default="")
LAMBDA_SPEND = env.str("LAMBDA_SPEND", default="0")
LAGRANGE_STEP = env.str("LAGRANGE_STEP", default="0.01")

# --- A single tenant from the environment (`manage.py connect_from_environment`) ----------------------
SINGLE_TENANT = {
    name: env.str(name, default="")
    for name in (
        "SHOPIFY_STORE_DOMAIN",
        "SHOPIFY_ADMIN_TOKEN",
        "SHOPIFY_API_KEY",
        "SHOPIFY_API_SECRET",
        "SHOPIFY_API_SECRET_OLD",
        "META_APP_ID",
        "META_APP_SECRET",
        "META_LONG_LIVED_TOKEN",
        "META_AD_ACCOUNT_ID",
        "TIKTOK_APP_ID",
        "TIKTOK_APP_SECRET",
        "TIKTOK_ACCESS_TOKEN",
        "TIKTOK_AD_ACCOUNT_ID",
        "TIKTOK_SHOP_APP_KEY",
        "TIKTOK_SHOP_APP_SECRET",
        "TIKTOK_SHOP_ID",
        "TIKTOK_SHOP_CIPHER",
        "TIKTOK_SHOP_ACCESS_TOKEN",
        "TIKTOK_SHOP_REFRESH_TOKEN",
    )
}

# The apps through which staff connect ad accounts and stores, by the settings that name their id and secret.
LOGIN_APP_SETTINGS = {
    "meta": ("META_APP_ID", "META_APP_SECRET"),
    "tiktok": ("TIKTOK_APP_ID", "TIKTOK_APP_SECRET"),
    "shopify": ("SHOPIFY_API_KEY", "SHOPIFY_API_SECRET"),
    "tiktok_shop": ("TIKTOK_SHOP_APP_KEY", "TIKTOK_SHOP_APP_SECRET"),
}
# By name, so that Django's error pages redact the secrets.
LOGIN_APPS = {
    platform: {"app_id": SINGLE_TENANT[app_id], "app_secret": SINGLE_TENANT[app_secret]}
    for platform, (app_id, app_secret) in LOGIN_APP_SETTINGS.items()
}
# After Shopify's secret was rotated, deliveries may bear the old one's signature for an hour.
SHOPIFY_OLD_APP_SECRET = SINGLE_TENANT["SHOPIFY_API_SECRET_OLD"]
# US dollars for one unit of a currency, such as EUR=1.08,GBP=1.27: credit assessments compare in dollars.
USD_RATES = env.dict("USD_RATES", default={})

# --- Dispatch deadlines, seconds of wall time: send < request < lease < queue timeout ----------------
DISPATCH_SEND_DEADLINE = 10
DISPATCH_REQUEST_DEADLINE = 30
DISPATCH_LEASE = 60
# Quarantine of an unclear write: queue timeout + request deadline + assumed late application + margin.
DISPATCH_QUARANTINE = env.int("DISPATCH_QUARANTINE", default=120 + 30 + 300 + 60)
DISPATCH_EVIDENCE_GAP = env.int("DISPATCH_EVIDENCE_GAP", default=60)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        "django-q": {"level": "WARNING"},
        "stamina": {"level": "ERROR"},
    },
}

from config.api_settings import REST_FRAMEWORK, SPECTACULAR_SETTINGS  # noqa: E402, F401
from config.theme import FORMAT_MODULE_PATH, LOGIN_REDIRECT_URL, UNFOLD  # noqa: E402, F401
