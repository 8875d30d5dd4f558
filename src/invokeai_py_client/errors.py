"""Every error this package raises, in one tree.

::

    InvokeAIClientError
    ├── UsageError                      the call itself is wrong (also a ValueError)
    │   ├── WorkflowError               a workflow file or object cannot be used
    │   │   ├── WorkflowFormatError     not a workflow, or a format that this client cannot read
    │   │   ├── WorkflowNotFoundError   no file or library workflow has this name (an UnknownNameError)
    │   │   └── UnknownNodeError        the server does not have some of the node types
    │   ├── InputError                  an input of a workflow is wrong
    │   │   ├── UnknownInputError       no input has this name (also a KeyError)
    │   │   ├── AmbiguousInputError     several inputs have this name
    │   │   └── InputValueError         a value has the wrong type or is out of range
    │   ├── SchemaFormatError           the bytes are not a packed schema of this version
    │   ├── NotReadyError               the workflow is incomplete: .findings
    │   ├── UnknownNameError            nothing on the server has this name (also a NotFoundError)
    │   │   └── ModelNotFoundError      the model is not on the server
    │   └── ServerTooOldError           the server does not have an operation yet (also a NotFoundError)
    ├── APIRequestError                 a request failed: .status_code, .payload
    │   ├── BadRequestError 400, AuthenticationError 401, PermissionDeniedError 403,
    │   │   NotFoundError 404, MethodNotAllowedError 405, ConflictError 409, UnprocessableError 422
    │   │   └── MaintenanceError        a 409 while the server moves its images to other folders
    │   ├── ServerError                 5xx
    │   ├── ServerUnreachableError      no response from the address (also a ConnectionError)
    │   │   ├── CertificateError        no secure connection
    │   │   ├── ConnectionLostError     the request was sent, but no response arrived
    │   │   │   └── EnqueueUnknownError     ... and whether the batch was enqueued is unknown
    │   │   └── NotInvokeAIError        the server at the address is not InvokeAI
    │   └── RequestTimeoutError         a single request took too long (also a TimeoutError)
    ├── TransferError                   some of several things failed: .failed, .done
    ├── ModelInstallError               installing a model failed
    │   ├── ModelInstallStartError      it could not be started (also an APIRequestError)
    │   ├── ModelInstallJobFailed       it ended without a model: .info
    │   └── ModelInstallTimeout         a wait timed out; the installation continues (also a TimeoutError)
    ├── RunError                        base class for errors about a run
    │   ├── RunFailedError              a node failed on the server
    │   ├── RunCanceledError            the run was canceled or removed from the queue
    │   ├── RunTimeoutError             a wait timed out; the run continues (also a TimeoutError)
    │   ├── RunNotFinishedError         results were requested too early
    │   └── EnqueueError                the server accepted fewer runs than requested
    ├── PoolError                       a pool of servers cannot work as it is
    │   └── AgentLostError              the agent of a server has ended
    ├── QuickTaskError                  a task of the quick client failed (also a ValueError)
    └── LocalServerError                a local InvokeAI could not be installed or started
        ├── InstallError, StartError
        └── PythonNotFoundError

Catch ``InvokeAIClientError`` to catch them all. Each error has a stable ``code`` for programs and a message for
people, and can be pickled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from invokeai_py_client.models.install import ModelInstJobInfo


def _rebuild(
    cls: type[InvokeAIClientError], args: tuple[Any, ...], state: dict[str, Any]
) -> InvokeAIClientError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class InvokeAIClientError(Exception):
    """Base class of every error that this package raises.

    Attributes:
        code: A stable short name, for programs and for the ``--json`` output of the command line.
    """

    code: ClassVar[str] = "error"

    def __reduce__(self) -> tuple[Any, ...]:
        # By default, exceptions are rebuilt from ``args``. That would lose the attributes, and fail for subclasses
        # whose __init__ requires more than the message.
        return _rebuild, (type(self), self.args, dict(self.__dict__))

    def __str__(self) -> str:
        from invokeai_py_client._text import printable

        # KeyError.__str__ would put the message in quotes. Messages repeat texts of servers and files, and Python
        # prints errors to the terminal.
        return printable(str(self.args[0])) if self.args else ""


# --------------------------------------------------------------------------- the call is wrong


class UsageError(InvokeAIClientError, ValueError):
    """Raised if a call is invalid. Nothing was sent to the server."""

    code = "usage"


class WorkflowError(UsageError):
    """Raised if a workflow cannot be used."""

    code = "workflow"


class WorkflowFormatError(WorkflowError):
    """Raised if a file or object is not a workflow, or has a format that this client cannot read."""

    code = "workflow_format"


class UnknownNodeError(WorkflowError):
    """Raised if a workflow uses node types that are not on the server.

    Attributes:
        node_types: The missing node types.
    """

    code = "unknown_node"

    def __init__(self, message: str, node_types: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.node_types = tuple(node_types)


class InputError(UsageError):
    """Raised if an input of a workflow is wrong, or several at once. Base class of the errors about inputs."""

    code = "input"


class UnknownInputError(InputError, KeyError):
    """Raised if a workflow has no input with the given name.

    Attributes:
        name: The name that was not found.
        candidates: Similar names, best first.
    """

    code = "unknown_input"

    def __init__(self, message: str, name: str | int = "", candidates: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.name = name
        self.candidates = tuple(candidates)


class AmbiguousInputError(InputError):
    """Raised if several inputs of a workflow have the given name.

    Attributes:
        name: The ambiguous name.
        candidates: A unique name for each of these inputs.
    """

    code = "ambiguous_input"

    def __init__(self, message: str, name: str = "", candidates: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.name = name
        self.candidates = tuple(candidates)


class InputValueError(InputError):
    """Raised if a value has the wrong type, is out of range, or is not one of the choices."""

    code = "input_value"


class SchemaFormatError(UsageError):
    """Raised if bytes are not a packed schema, or have a format that this version cannot read."""

    code = "schema_format"


class NotReadyError(UsageError):
    """Raised if a workflow cannot run as it is, for example because a required input has no value.

    Attributes:
        findings: One sentence for each problem, with the node, the field, and how to fix it.
    """

    code = "not_ready"

    def __init__(self, message: str, findings: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)


# --------------------------------------------------------------------------- the connection


class APIRequestError(InvokeAIClientError):
    """Raised if a request fails: the server rejected it, failed to process it, or could not be reached.

    Attributes:
        status_code: The HTTP status, or None if no response arrived.
        payload: The decoded body of the response (JSON data or text).
        method: The request's method.
        path: The request's path on the server.
        request_id: The id sent with the request as ``X-Request-ID``.
        retry_after: Seconds to wait before the next attempt, if the server sent ``Retry-After``.
    """

    code = "api"

    def __init__(
        self,
        status_code: int | None = None,
        payload: Any = None,
        message: str | None = None,
        *,
        method: str = "",
        path: str = "",
        request_id: str = "",
    ) -> None:
        super().__init__(message or f"The server responded with status {status_code}: {str(payload)[:500]}")
        self.status_code = status_code
        self.payload = payload
        self.method = method
        self.path = path
        self.request_id = request_id
        self.retry_after: float | None = None


class BadRequestError(APIRequestError):
    """Raised for HTTP 400: the server could not use the request."""

    code = "api_400"


class AuthenticationError(APIRequestError):
    """Raised for HTTP 401: not signed in, or the token has expired."""

    code = "api_401"


class PermissionDeniedError(APIRequestError):
    """Raised for HTTP 403: signed in, but not allowed."""

    code = "api_403"


class NotFoundError(APIRequestError):
    """Raised for HTTP 404: the server has no such item or path."""

    code = "api_404"


class UnknownNameError(UsageError, NotFoundError):
    """Raised if the server has no board, image, model, workflow or queue item with the given name or id.

    Attributes:
        name: The name that was not found.
        candidates: Similar names, best first.
    """

    code = "unknown_name"

    def __init__(self, message: str, name: str = "", candidates: Sequence[str] = ()) -> None:
        NotFoundError.__init__(self, 404, None, message)
        self.name = name
        self.candidates = tuple(candidates)


class ServerTooOldError(UsageError, NotFoundError):
    """Raised if the server's version does not have an operation.

    Attributes:
        since: The first version that has it.
        version: The server's version.
    """

    code = "server_too_old"

    def __init__(
        self, message: str, *, since: str = "", version: str = "", method: str = "", path: str = ""
    ) -> None:
        NotFoundError.__init__(self, 404, None, message, method=method, path=path)
        self.since = since
        self.version = version


class ModelNotFoundError(UnknownNameError):
    """Raised if a model is not on the server, or does not fit the field."""

    code = "model_not_found"


class WorkflowNotFoundError(WorkflowError, UnknownNameError):
    """Raised if neither a file nor a workflow in the server's library has the given name."""

    code = "workflow_not_found"


class MethodNotAllowedError(APIRequestError):
    """Raised for HTTP 405: this version of the server does not support the method for this path."""

    code = "api_405"


class ConflictError(APIRequestError):
    """Raised for HTTP 409: the request conflicts with the current state, for example because an item exists."""

    code = "api_409"


class MaintenanceError(ConflictError):
    """Raised while the server moves its images to other folders (InvokeAI 6.14), which an administrator has started.

    Until that has finished, images can be neither read nor changed, and nothing can be enqueued. The server did not
    carry out the request. Waits, and everything that follows a run, continue when it has finished.
    """

    code = "maintenance"


class UnprocessableError(APIRequestError):
    """Raised for HTTP 422: the data failed the server's validation."""

    code = "api_422"


class ServerError(APIRequestError):
    """Raised for HTTP 500 and above: the server, or a proxy in front of it, failed."""

    code = "api_5xx"


class ServerUnreachableError(APIRequestError, ConnectionError):
    """Raised if no server responds at the address."""

    code = "unreachable"


class CertificateError(ServerUnreachableError):
    """Raised if the server's certificate is not trusted, or the port does not speak TLS."""

    code = "certificate"


class ConnectionLostError(ServerUnreachableError):
    """Raised if the connection broke before the response arrived. The server may have carried out the request."""

    code = "connection_lost"


class EnqueueUnknownError(ConnectionLostError):
    """Raised if the response to an enqueue request was lost and the server cannot be reached to check.

    Whether the server has the batch is unknown. Call ``client.queue.batch_status(error.batch_id)`` when the
    server responds again: if ``total`` is 0, nothing was enqueued.

    Attributes:
        batch_id: The id of the batch.
    """

    code = "enqueue_unknown"
    batch_id: str = ""


class NotInvokeAIError(ServerUnreachableError):
    """Raised if the server at the address does not respond like InvokeAI."""

    code = "not_invokeai"


class RequestTimeoutError(APIRequestError, TimeoutError):
    """Raised if a request received no response in time. The server may have carried it out."""

    code = "request_timeout"


API_ERRORS: Mapping[int, type[APIRequestError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: MethodNotAllowedError,
    409: ConflictError,
    422: UnprocessableError,
}


# --------------------------------------------------------------------------- many things


class TransferError(InvokeAIClientError):
    """Raised if a call about several images, files, models and so on succeeded only for some of them, or for none.

    All of them were tried.

    Attributes:
        failed: The errors, keyed by the name of the file, image, model...
        done: The results of the others, keyed by name: the path of a download, the record of an upload, or the name of
            an image that was changed or deleted.
    """

    code = "transfer"

    def __init__(
        self,
        message: str,
        *,
        failed: Mapping[str, InvokeAIClientError] | None = None,
        done: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.failed = dict(failed or {})
        self.done = dict(done or {})


# --------------------------------------------------------------------------- installing models


class ModelInstallError(InvokeAIClientError):
    """Base class for errors about installing a model."""

    code = "model_install"


class ModelInstallStartError(ModelInstallError, APIRequestError):
    """Raised if the server did not start the installation."""

    code = "model_install_start"


class ModelInstallJobFailed(ModelInstallError):
    """Raised if an installation failed or was canceled.

    Attributes:
        info: The job, as the server last reported it.
    """

    code = "model_install_failed"

    def __init__(self, info: ModelInstJobInfo | None = None, message: str | None = None) -> None:
        super().__init__(message or f"The installation failed: {info.error if info else 'unknown reason'}.")
        self.info = info


class ModelInstallTimeout(ModelInstallError, TimeoutError):
    """Raised if a wait for an installation timed out. The installation itself continues.

    Attributes:
        last_info: The job, as the server last reported it.
        timeout: The timeout in seconds.
    """

    code = "model_install_timeout"

    def __init__(
        self,
        last_info: ModelInstJobInfo | None = None,
        timeout: float | None = None,
        message: str | None = None,
    ) -> None:
        super().__init__(message or f"The installation did not finish within {timeout} s.")
        self.last_info = last_info
        self.timeout = timeout


# --------------------------------------------------------------------------- runs


class RunError(InvokeAIClientError):
    """Base class for errors about a run.

    Attributes:
        item_id: The id of the queue item, or None if it is not known yet.
        batch_id: The id of the batch, or None if it is not known.
        images: The images of the other runs, if ``generate()`` started several.
    """

    code = "run"
    images: Sequence[Any] = ()

    def __init__(self, message: str, *, item_id: int | None = None, batch_id: str | None = None) -> None:
        super().__init__(message)
        self.item_id = item_id
        self.batch_id = batch_id


class RunFailedError(RunError):
    """Raised if a node failed on the server.

    Attributes:
        node_id: The id of the failed node in the workflow, if the server reports it.
        node_label: The label of the failed node in the workflow.
        error_type: The server's exception type.
        error_message: The server's message.
        error_traceback: The server's traceback.
    """

    code = "run_failed"

    def __init__(
        self,
        message: str,
        *,
        item_id: int | None = None,
        batch_id: str | None = None,
        node_id: str | None = None,
        node_label: str | None = None,
        error_type: str | None = None,
        error_message: str | None = None,
        error_traceback: str | None = None,
    ) -> None:
        super().__init__(message, item_id=item_id, batch_id=batch_id)
        self.node_id = node_id
        self.node_label = node_label
        self.error_type = error_type
        self.error_message = error_message
        self.error_traceback = error_traceback


class RunCanceledError(RunError):
    """Raised if the run was canceled, or its queue item no longer exists."""

    code = "run_canceled"


class RunTimeoutError(RunError, TimeoutError):
    """Raised if a wait for a run timed out. The run itself continues.

    ``client.run(error.item_id, batch_id=error.batch_id)`` returns it.
    """

    code = "run_timeout"


class RunNotFinishedError(RunError):
    """Raised if results are requested before the run has finished."""

    code = "run_not_finished"


class EnqueueError(RunError):
    """Raised if the server accepted fewer runs than requested, usually because its queue is full."""

    code = "enqueue"


class PoolError(InvokeAIClientError):
    """Raised if a pool of servers cannot work, for example because its scheduler cannot be reached."""

    code = "pool"


class AgentLostError(PoolError):
    """Raised if the agent of a server has ended or does not respond, such as a Dask worker."""

    code = "agent_lost"


class QuickTaskError(InvokeAIClientError, ValueError):
    """Raised if a task of the quick client failed. ``__cause__`` is the original error."""

    code = "quick_task"


# --------------------------------------------------------------------------- the local server


class LocalServerError(InvokeAIClientError):
    """Raised if a local InvokeAI could not be installed, started or stopped.

    Attributes:
        log_tail: The last lines of the server's log, or "".
    """

    code = "local_server"

    def __init__(self, message: str, log_tail: str = "") -> None:
        super().__init__(f"{message}\n{log_tail}" if log_tail else message)
        self.log_tail = log_tail


class InstallError(LocalServerError):
    """Raised if InvokeAI could not be installed."""

    code = "server_install"


class StartError(LocalServerError):
    """Raised if the local server did not start."""

    code = "server_start"


class PythonNotFoundError(LocalServerError):
    """Raised if no Python version that InvokeAI supports was found."""

    code = "python_not_found"
