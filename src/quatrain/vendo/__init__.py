"""Vendo: tokens and connections, billing, live events, webhooks."""
