"""An InvokeAI node pack for tests that makes the server run two workers on the CPU.

InvokeAI runs a worker for each generation device, but accepts the CPU only once. Its configuration is not validated
when it is changed, and node packs are imported before the workers start, so this pack adds the CPU with a number.
"""

# pyright: basic, reportMissingImports=false

from invokeai.app.services.config.config_default import get_config

get_config().generation_devices = ["cpu", "cpu:0"]
