"""TikTok for Business API, v1.3."""
