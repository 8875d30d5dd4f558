"""Workflows that make an image with any model, built from the server's own node types."""
