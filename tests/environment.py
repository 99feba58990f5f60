"""The environment of the test run, set before Django reads its settings (loaded as a pytest plugin)."""

import os

os.environ["SECRET_KEY"] = "a-key-for-tests-only-that-is-long-enough-to-pass-the-checks-0123456789"
os.environ["FIELD_ENCRYPTION_KEYS"] = "test:" + "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL") or "sqlite://:memory:"
os.environ["LOG_LEVEL"] = "WARNING"
os.environ.pop("REDIS_URL", None)
os.environ["META_RATE_SCORE"] = "9000"
os.environ["TIKTOK_QPS"] = "50"
