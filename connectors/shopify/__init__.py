"""Shopify Admin GraphQL API."""
