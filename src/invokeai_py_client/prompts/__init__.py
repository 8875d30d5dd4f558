"""Prompts: alternatives, language models on the server, and system prompts."""
