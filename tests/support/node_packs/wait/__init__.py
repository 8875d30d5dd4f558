"""An InvokeAI node pack with a node that waits, like one that a GPU works on. Its server can be made slow or broken.

The file ``pace.json`` beside this one is read by each execution: ``{"factor": 4, "fails": true}``. Without it, the node
waits for as long as its input says.
"""

# pyright: basic, reportMissingImports=false

import json
import time
from pathlib import Path

from invokeai.invocation_api import (
    BaseInvocation,
    InputField,
    IntegerOutput,
    InvocationContext,
    invocation,
)

PACE = Path(__file__).with_name("pace.json")


@invocation("ivk_wait", title="Wait", version="1.0.0", use_cache=False)
class WaitInvocation(BaseInvocation):
    """Wait, and return a number."""

    number: int = InputField(default=0, description="The number to return")
    seconds: float = InputField(default=1.0, description="The time to wait")

    def invoke(self, context: InvocationContext) -> IntegerOutput:
        pace = json.loads(PACE.read_text()) if PACE.exists() else {}
        if pace.get("fails"):
            raise RuntimeError("This server was told to fail.")
        end = time.monotonic() + self.seconds * pace.get("factor", 1.0)
        while time.monotonic() < end and not context.util.is_canceled():
            time.sleep(0.02)
        return IntegerOutput(value=self.number)
