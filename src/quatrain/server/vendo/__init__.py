"""Vendo, served locally: connections and their tokens, events, billing, actions on data."""
