"""An InvokeAI node pack for tests: two workers on the CPU, and a node that runs until its item is canceled.

InvokeAI runs a worker for each generation device, but accepts the CPU only once. Its configuration is not validated
when it is changed, and node packs are imported before the workers start, so this pack adds the CPU with a number.
"""

# pyright: basic, reportMissingImports=false

import time

from invokeai.app.services.config.config_default import get_config
from invokeai.invocation_api import (
    BaseInvocation,
    InputField,
    IntegerOutput,
    InvocationContext,
    invocation,
)

get_config().generation_devices = ["cpu", "cpu:0"]


@invocation("hold", title="Hold", version="1.0.0", use_cache=False)
class HoldInvocation(BaseInvocation):
    """Wait until the queue item is canceled."""

    seconds: float = InputField(default=120.0, description="The longest time to wait")

    def invoke(self, context: InvocationContext) -> IntegerOutput:
        end = time.monotonic() + self.seconds
        while time.monotonic() < end and not context.util.is_canceled():
            time.sleep(0.02)
        return IntegerOutput(value=1)
