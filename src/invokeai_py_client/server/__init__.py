"""A local InvokeAI server: install it, start it, add tiny test models, and stop it.

::

    from invokeai_py_client.server import LocalServer

    with LocalServer() as server:
        print(server.url)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._lazy import lazy_names

if TYPE_CHECKING:
    from invokeai_py_client.server.health import answers as answers
    from invokeai_py_client.server.installer import Installation as Installation
    from invokeai_py_client.server.installer import install as install
    from invokeai_py_client.server.installer import installed as installed
    from invokeai_py_client.server.local import LocalServer as LocalServer
    from invokeai_py_client.server.local_servers import LocalServers as LocalServers
    from invokeai_py_client.server.memory import ServerMemory as ServerMemory
    from invokeai_py_client.server.python import find_python as find_python
    from invokeai_py_client.server.state import Running as Running
    from invokeai_py_client.server.tiny_models import TinyModel as TinyModel
    from invokeai_py_client.server.tiny_models import TinyModels as TinyModels
    from invokeai_py_client.server.tiny_models import install_tiny_models as install_tiny_models
    from invokeai_py_client.server.tiny_models import make_tiny_models as make_tiny_models

_HOME = {
    "answers": "health",
    "Installation": "installer",
    "install": "installer",
    "installed": "installer",
    "LocalServer": "local",
    "LocalServers": "local_servers",
    "ServerMemory": "memory",
    "find_python": "python",
    "Running": "state",
    "TinyModel": "tiny_models",
    "TinyModels": "tiny_models",
    "install_tiny_models": "tiny_models",
    "make_tiny_models": "tiny_models",
}

__getattr__, __dir__ = lazy_names(__name__, _HOME)
