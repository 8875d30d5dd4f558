"""Runs: executions of a workflow on the server."""
