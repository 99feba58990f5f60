"""Meta Marketing API."""
