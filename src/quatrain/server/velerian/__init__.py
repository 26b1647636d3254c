"""Velerian, local: governed runs, and evidence of them that can be checked."""
