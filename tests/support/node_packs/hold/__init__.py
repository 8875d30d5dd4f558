"""An InvokeAI node pack for tests with nodes that run for some time, or until their queue item is canceled."""

# pyright: basic, reportMissingImports=false

import time

from invokeai.invocation_api import (
    BaseInvocation,
    InputField,
    IntegerOutput,
    InvocationContext,
    invocation,
)


@invocation("hold", title="Hold", version="1.0.0", use_cache=False)
class HoldInvocation(BaseInvocation):
    """Wait until the queue item is canceled."""

    seconds: float = InputField(default=120.0, description="The longest time to wait")

    def invoke(self, context: InvocationContext) -> IntegerOutput:
        end = time.monotonic() + self.seconds
        while time.monotonic() < end and not context.util.is_canceled():
            time.sleep(0.02)
        return IntegerOutput(value=1)


@invocation("report", title="Report", version="1.0.0", use_cache=False)
class ReportInvocation(HoldInvocation):
    """Report progress as on a GPU, and wait until the queue item is canceled.

    A server without GPUs does not name a device in its events. So this node claims one before the server creates them.
    """

    device: str = InputField(default="cuda:0", description="The GPU")

    def invoke(self, context: InvocationContext) -> IntegerOutput:
        context._data.queue_item.device = self.device
        context.util.signal_progress("Working", 0.5)
        return super().invoke(context)
