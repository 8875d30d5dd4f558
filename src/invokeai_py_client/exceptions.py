"""Version 1's names of the errors. ``invokeai_py_client.errors`` has them under their present names."""

from __future__ import annotations

import builtins

from invokeai_py_client.errors import APIRequestError as APIError
from invokeai_py_client.errors import AuthenticationError, WorkflowError
from invokeai_py_client.errors import InputError as ValidationError
from invokeai_py_client.errors import InvokeAIClientError as InvokeAIError
from invokeai_py_client.errors import NotFoundError as ResourceNotFoundError
from invokeai_py_client.errors import RunError as JobError
from invokeai_py_client.errors import ServerUnreachableError as ConnectionError
from invokeai_py_client.errors import UsageError as ConfigurationError

TimeoutError = builtins.TimeoutError
"""Every timeout of this package is one: of a request, a run, an installation."""
FileError = WorkflowError
"""A file that cannot be used; those are workflow files."""

__all__ = [
    "APIError",
    "AuthenticationError",
    "ConfigurationError",
    "ConnectionError",
    "FileError",
    "InvokeAIError",
    "JobError",
    "ResourceNotFoundError",
    "TimeoutError",
    "ValidationError",
    "WorkflowError",
]
