"""Code that runs in the server's Python, never in ours. It may import torch, diffusers and InvokeAI.

It is started by its path (``__main__.py``), so that our environment does not affect the server's.
"""
