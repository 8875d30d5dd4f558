"""Code that runs in the server's own Python, never in ours: it may import torch, diffusers and InvokeAI.

It is started by path (``__main__.py``), so that nothing of our environment gets into the server's.
"""
