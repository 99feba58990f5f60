"""TikTok Shop: revenue of shops and commissions of creators, by the Partner API."""
