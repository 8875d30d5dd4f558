"""An InvokeAI node pack for tests that makes the server's garbage collections cheap. It has no nodes.

InvokeAI collects all garbage before each queue item. Each time, Python looks at every object of torch, diffusers and
pydantic, which takes most of the time of a run with tiny models. After a slow collection, this pack excludes the
remaining objects from later ones.
"""

import gc
import time

SLOW = 0.03
started = 0.0


def exclude_what_remains(phase: str, info: dict[str, int]) -> None:
    """Exclude the remaining objects after a full collection that took more than SLOW seconds."""
    global started
    if info["generation"] < 2:
        return
    if phase == "start":
        started = time.perf_counter()
    elif time.perf_counter() - started > SLOW:
        gc.freeze()


gc.callbacks.append(exclude_what_remains)
