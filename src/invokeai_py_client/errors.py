"""Every error this package raises, in one tree.

::

    InvokeAIClientError
    ├── UsageError                      the call itself is wrong (also a ValueError)
    │   ├── WorkflowError               a workflow file or object that cannot be used
    │   │   ├── WorkflowFormatError     not a workflow, or one this client cannot read
    │   │   ├── WorkflowNotFoundError   neither a file nor a workflow of the server's library
    │   │   └── UnknownNodeError        node types that the server lacks
    │   ├── InputError                  something about an input of a workflow
    │   │   ├── UnknownInputError       no input by that name (also a KeyError)
    │   │   ├── AmbiguousInputError     several inputs answer to that name
    │   │   └── InputValueError         a value of the wrong type, or out of range
    │   ├── SchemaFormatError           bytes that are not a packed schema of this version
    │   ├── NotReadyError               the workflow cannot be sent as it is: all findings
    │   ├── ModelNotFoundError          a model that the server lacks
    │   └── UnknownNameError            a board, an image or a queue item that the server lacks
    ├── APIRequestError                 a request that did not succeed: .status_code, .payload
    │   ├── BadRequestError 400, AuthenticationError 401, PermissionDeniedError 403,
    │   │   NotFoundError 404, MethodNotAllowedError 405, ConflictError 409, UnprocessableError 422
    │   ├── ServerError                 5xx
    │   ├── ServerUnreachableError      no answer from the address (also a ConnectionError)
    │   │   ├── CertificateError        no secure connection
    │   │   ├── ConnectionLostError     the request was sent; its answer never came
    │   │   │   └── EnqueueUnknownError     ... and whether the batch was enqueued cannot be asked
    │   │   └── NotInvokeAIError        something answers, but it is not InvokeAI
    │   └── RequestTimeoutError         one request took too long (also a TimeoutError)
    ├── TransferError                   some of many files did not get through: .failed, .done
    ├── ModelInstallError               something about the installation of a model
    │   ├── ModelInstallStartError      it could not be started (also an APIRequestError)
    │   ├── ModelInstallJobFailed       it ended without a model: .info
    │   └── ModelInstallTimeout         a wait ran out; it goes on (also a TimeoutError)
    ├── RunError                        something about a run
    │   ├── RunFailedError              a node failed on the server
    │   ├── RunCanceledError            the run was canceled or removed from the queue
    │   ├── RunTimeoutError             a wait ran out; the run goes on (also a TimeoutError)
    │   ├── RunNotFinishedError         results were asked for too early
    │   └── EnqueueError                the server took fewer runs than asked
    ├── QuickTaskError                  a task of the quick client failed (also a ValueError)
    └── LocalServerError                a local InvokeAI could not be installed or started
        ├── InstallError, StartError
        └── PythonNotFoundError

Catch ``InvokeAIClientError`` to catch them all. Each carries a stable ``code`` for programs,
a sentence for people, and can be pickled.
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
    """The root of every error of this package.

    Attributes:
        code: A stable short name for programs and for the command line's ``--json`` output.
    """

    code: ClassVar[str] = "error"

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are rebuilt from ``args`` by default, which loses keyword attributes and breaks
        # any subclass whose __init__ takes more than the message.
        return _rebuild, (type(self), self.args, dict(self.__dict__))

    def __str__(self) -> str:
        # KeyError's own __str__ would put the sentence in quotes.
        return str(self.args[0]) if self.args else ""


# --------------------------------------------------------------------------- the call is wrong


class UsageError(InvokeAIClientError, ValueError):
    """The call cannot be carried out as it was made; nothing was sent."""

    code = "usage"


class WorkflowError(UsageError):
    """A workflow that cannot be used."""

    code = "workflow"


class WorkflowFormatError(WorkflowError):
    """The file or object is not a workflow, or of a version that this client does not read."""

    code = "workflow_format"


class WorkflowNotFoundError(WorkflowError):
    """Neither a file nor a workflow in the server's library has that name."""

    code = "workflow_not_found"


class UnknownNodeError(WorkflowError):
    """The workflow has node types that the server lacks.

    Attributes:
        node_types: The missing types.
    """

    code = "unknown_node"

    def __init__(self, message: str, node_types: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.node_types = tuple(node_types)


class InputError(UsageError):
    """Something about an input of a workflow."""

    code = "input"


class UnknownInputError(InputError, KeyError):
    """No input answers to that name.

    Attributes:
        name: What was asked for.
        candidates: Close names, best first.
    """

    code = "unknown_input"

    def __init__(self, message: str, name: str | int = "", candidates: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.name = name
        self.candidates = tuple(candidates)


class AmbiguousInputError(InputError):
    """Several inputs answer to that name.

    Attributes:
        name: What was asked for.
        candidates: Names that each stand for one of them.
    """

    code = "ambiguous_input"

    def __init__(self, message: str, name: str = "", candidates: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.name = name
        self.candidates = tuple(candidates)


class InputValueError(InputError):
    """A value of the wrong type, outside the limits, or not among the choices."""

    code = "input_value"


class SchemaFormatError(UsageError):
    """The bytes are not a packed schema, or of a format that this version does not read."""

    code = "schema_format"


class NotReadyError(UsageError):
    """The workflow cannot be sent as it is.

    Attributes:
        findings: One sentence for each thing wrong: node label, field, what is wrong, the cure.
    """

    code = "not_ready"

    def __init__(self, message: str, findings: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)


class ModelNotFoundError(UsageError):
    """The server has no such model."""

    code = "model_not_found"


class UnknownNameError(UsageError):
    """The server has nothing of that name: no such board, image or queue item.

    Attributes:
        name: What was asked for.
        candidates: Close names, best first.
    """

    code = "unknown_name"

    def __init__(self, message: str, name: str = "", candidates: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.name = name
        self.candidates = tuple(candidates)


# --------------------------------------------------------------------------- the connection


class APIRequestError(InvokeAIClientError):
    """The server refused a request, or failed at it.

    Attributes:
        status_code: The HTTP status, or None where no answer came.
        payload: The decoded body of the answer (JSON data, or text).
        method: The request's method.
        path: The request's path on the server.
        request_id: The id sent with the request as ``X-Request-ID``.
        retry_after: The seconds after which the server wants to be asked again, where it said so.
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
        super().__init__(message or f"the server answered {status_code}: {str(payload)[:500]}")
        self.status_code = status_code
        self.payload = payload
        self.method = method
        self.path = path
        self.request_id = request_id
        self.retry_after: float | None = None


class BadRequestError(APIRequestError):
    """HTTP 400."""

    code = "api_400"


class AuthenticationError(APIRequestError):
    """HTTP 401: sign in, or sign in again."""

    code = "api_401"


class PermissionDeniedError(APIRequestError):
    """HTTP 403: signed in, but not allowed."""

    code = "api_403"


class NotFoundError(APIRequestError):
    """HTTP 404."""

    code = "api_404"


class MethodNotAllowedError(APIRequestError):
    """HTTP 405: the server has the path, but not for this; another version may."""

    code = "api_405"


class ConflictError(APIRequestError):
    """HTTP 409."""

    code = "api_409"


class UnprocessableError(APIRequestError):
    """HTTP 422: the server's validation refused the data."""

    code = "api_422"


class ServerError(APIRequestError):
    """HTTP 5xx."""

    code = "api_5xx"


class ServerUnreachableError(APIRequestError, ConnectionError):
    """Nothing answers at the address."""

    code = "unreachable"


class CertificateError(ServerUnreachableError):
    """No secure connection: the server's certificate is not one to be trusted, or there is no TLS at that port."""

    code = "certificate"


class ConnectionLostError(ServerUnreachableError):
    """The request was sent, but the connection broke before the answer: it may have been carried out."""

    code = "connection_lost"


class EnqueueUnknownError(ConnectionLostError):
    """The answer to an enqueue request was lost, and the server could not be asked about it either.

    Whether it has the batch is not known. ``client.queue_repo.batch_status(error.batch_id)`` tells, once the server
    answers again: a ``total`` of 0 means that nothing was enqueued.

    Attributes:
        batch_id: The batch that was to be enqueued.
    """

    code = "enqueue_unknown"
    batch_id: str = ""


class NotInvokeAIError(ServerUnreachableError):
    """Something answers at the address, but it does not speak InvokeAI's API."""

    code = "not_invokeai"


class RequestTimeoutError(APIRequestError, TimeoutError):
    """One request was not answered in time; it may have been carried out."""

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


# --------------------------------------------------------------------------- many files


class TransferError(InvokeAIClientError):
    """Some of many files could not be fetched or brought; the others were.

    Attributes:
        failed: The error of each that failed, by its name.
        done: What became of each of the others: the file's path, or the image's record.
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
    """Something about the installation of a model."""

    code = "model_install"


class ModelInstallStartError(ModelInstallError, APIRequestError):
    """The server did not start the installation."""

    code = "model_install_start"


class ModelInstallJobFailed(ModelInstallError):
    """The installation ended without a model: by an error, or because somebody canceled it.

    Attributes:
        info: The job as the server last told it.
    """

    code = "model_install_failed"

    def __init__(self, info: ModelInstJobInfo | None = None, message: str | None = None) -> None:
        super().__init__(message or f"The installation failed: {info.error if info else 'no reason known'}.")
        self.info = info


class ModelInstallTimeout(ModelInstallError, TimeoutError):
    """A wait for an installation ran out of time. The installation itself goes on.

    Attributes:
        last_info: The job as the server last told it.
        timeout: The seconds waited for.
    """

    code = "model_install_timeout"

    def __init__(
        self,
        last_info: ModelInstJobInfo | None = None,
        timeout: float | None = None,
        message: str | None = None,
    ) -> None:
        super().__init__(message or f"The installation did not end within {timeout} s.")
        self.last_info = last_info
        self.timeout = timeout


# --------------------------------------------------------------------------- runs


class RunError(InvokeAIClientError):
    """Something about a run.

    Attributes:
        item_id: The queue item's id, or None where there is none yet.
        batch_id: The batch's id.
    """

    code = "run"

    def __init__(self, message: str, *, item_id: int | None = None, batch_id: str | None = None) -> None:
        super().__init__(message)
        self.item_id = item_id
        self.batch_id = batch_id


class RunFailedError(RunError):
    """A node failed on the server.

    Attributes:
        node_id: The failing node's id in the workflow, where the server tells it.
        node_label: What the workflow calls that node.
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
    """The run was canceled, or its queue item no longer exists."""

    code = "run_canceled"


class RunTimeoutError(RunError, TimeoutError):
    """A wait ran out of time. The run itself goes on; its ids are on the error."""

    code = "run_timeout"


class RunNotFinishedError(RunError):
    """Results were asked for before the run had ended."""

    code = "run_not_finished"


class EnqueueError(RunError):
    """The server took fewer runs than asked, most often because its queue is full."""

    code = "enqueue"


class QuickTaskError(InvokeAIClientError, ValueError):
    """A task of the quick client failed; ``__cause__`` is the error that tells why."""

    code = "quick_task"


# --------------------------------------------------------------------------- the local server


class LocalServerError(InvokeAIClientError):
    """A local InvokeAI could not be installed, started or stopped.

    Attributes:
        log_tail: The last lines of its log.
    """

    code = "local_server"

    def __init__(self, message: str, log_tail: str = "") -> None:
        super().__init__(f"{message}\n{log_tail}" if log_tail else message)
        self.log_tail = log_tail


class InstallError(LocalServerError):
    """The installation failed."""

    code = "server_install"


class StartError(LocalServerError):
    """The server did not start."""

    code = "server_start"


class PythonNotFoundError(LocalServerError):
    """No Python of a version that InvokeAI runs on was found."""

    code = "python_not_found"
