"""Tiny models with random weights that InvokeAI accepts as real models."""
