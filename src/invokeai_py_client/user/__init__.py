"""The user accounts of a server (InvokeAI 6.12+)."""
