"""Live display of runs: progress bars in a terminal, bars and a thumbnail in a notebook, plain lines elsewhere."""

from invokeai_py_client.display.choice import Display, check_preview, display_for, is_interactive
from invokeai_py_client.display.progress import line_of

__all__ = ["Display", "check_preview", "display_for", "is_interactive", "line_of"]
