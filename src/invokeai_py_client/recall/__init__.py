"""Recall: values for the open web UI."""
