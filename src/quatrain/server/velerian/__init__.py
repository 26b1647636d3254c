"""Velerian, local: governed runs, the evidence of what they did, and an audit log."""
