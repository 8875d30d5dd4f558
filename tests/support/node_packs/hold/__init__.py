"""An InvokeAI node pack for tests with a node that runs for some time, or until its queue item is canceled."""

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
