"""Tiny models with random weights, which InvokeAI takes for real ones."""
