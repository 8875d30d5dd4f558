"""Runs: what becomes of a workflow once it is sent."""
