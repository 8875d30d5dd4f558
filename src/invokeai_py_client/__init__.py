"""Python client for InvokeAI."""

__version__ = "2.0.0"
