"""Checks of the client, the server and the connection between them, each with a suggested fix."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from invokeai_py_client import __version__
from invokeai_py_client.config import read_profiles
from invokeai_py_client.config_file import config_path, permission_problem
from invokeai_py_client.errors import (
    APIRequestError,
    AuthenticationError,
    CertificateError,
    InvokeAIClientError,
    PermissionDeniedError,
    ServerTooOldError,
    UsageError,
)
from invokeai_py_client.server.log_signs import cleanup_failure, worker_failure
from invokeai_py_client.transport.proxies import Proxy, proxy_for

if TYPE_CHECKING:
    from invokeai_py_client.client import AsyncInvokeAIClient

OLDEST = (5, 15)
NEWEST = (6, 14)
_CLOCKS_APART = 60.0
# With 2,000 finished items, 6.14.2 takes 16 ms between two items instead of 4 ms.
_MANY_ITEMS = 1_000
_LITTLE_SPACE = 2 << 30
# The number of unknown operations to name.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        about: The subject of the check, such as ``server`` or ``events``.
        state: Whether the check passed (``ok``), found a possible problem (``warn``), or failed (``fail``).
        says: A description of the result.
        cure: A suggested fix, or "".
    """

    about: str
    state: Literal["ok", "warn", "fail"]
    says: str
    cure: str = ""


def examine_client() -> Finding:
    """Return the versions of this package and of Python."""
    python = ".".join(map(str, sys.version_info[:3]))
    return Finding("client", "ok", f"invokeai-py-client {__version__}, Python {python}")


def examine_config() -> Finding:
    """Check the configuration file."""
    try:
        path = config_path()
        profiles = read_profiles()
    except UsageError as error:
        return Finding("config", "fail", str(error), "Fix the file, or delete it and run `ivk login URL`.")
    if path is None:
        return Finding("config", "ok", "no home directory, so no configuration file")
    if not profiles:
        return Finding("config", "ok", f"no profiles in {path}")
    danger = permission_problem(path) if any(one.token for one in profiles.values()) else None
    if danger:
        return Finding("config", "fail", danger, f"Run `chmod 600 {path}`.")
    names = ", ".join(f"{one.name} ({one.address.url})" for one in profiles.values())
    return Finding("config", "ok", f"{path}: {names}")


async def examine(
    client: AsyncInvokeAIClient, root: Path | None = None, log: Path | None = None
) -> AsyncGenerator[Finding]:
    """Check a server.

    Args:
        client: A client for the server.
        root: The server's root folder, if the server runs on this machine.
        log: The server's log, if ``ivk server`` started it on this machine.

    Yields:
        The result of each check. If the server does not respond, only that result.
    """
    server = await _server(client)
    if server.state == "fail" and log is not None and (reason := cleanup_failure(log)) is not None:
        server = replace(
            server,
            cure=f"InvokeAI ended at its start because it could not clean its database: {reason}. It resumes pending "
            "queue items at the same time, which can prevent that. Start it again: `ivk server start`.",
        )
    yield server
    if server.state == "fail":
        return
    yield _clock(client)
    proxy = _proxy_of(client)
    if proxy is not None:
        yield Finding("proxy", "ok", f"requests and events go through {proxy.shown}")
    rights = _Rights()
    steps: dict[str, Callable[[], Awaitable[Finding]]] = {
        "sign-in": lambda: _sign_in(client, rights),
        "api": lambda: _operations(client),
        "device": lambda: _device(client, root),
        "events": lambda: _events(client),
        "models": lambda: _models(client, rights),
        "queue": lambda: _queue(client, rights),
    }
    for about, step in steps.items():
        try:
            found = await step()
        except AuthenticationError as error:
            found = Finding(about, "fail", str(error), f"Run `ivk login {client.url}`.")
        except InvokeAIClientError as error:
            found = Finding(about, "fail", str(error), "See the server's log.")
        if about == "queue" and found.state == "ok" and log is not None:
            found = _worker(log) or found
        yield found
        if about == "sign-in" and found.state == "fail":
            return  # the other checks would fail in the same way
    yield _disk(root)


def _cure(error: APIRequestError, proxy: Proxy | None) -> str:
    if proxy is not None and not isinstance(error, CertificateError):
        return (
            f"Requests go through the proxy {proxy.shown}. Check that it is running and can reach the server. "
            f"{proxy.way_around}"
        )
    if isinstance(error, AuthenticationError | PermissionDeniedError):
        return "A proxy requires signing in: add user:password@ before the host in the URL."
    if isinstance(error, CertificateError):
        return (
            "Set SSL_CERT_FILE to the certificate of its authority, or use http:// if the server has no TLS."
        )
    return "Start the server (locally: `ivk server start`), or set its address with --url or INVOKEAI_URL."


async def _server(client: AsyncInvokeAIClient) -> Finding:
    from invokeai_py_client.schema.source import server_version

    started = time.monotonic()
    try:
        version = await server_version(
            client.connection.http, timeout=min(client.settings.timeout, 10), once=True
        )
    except APIRequestError as error:
        return Finding("server", "fail", str(error), _cure(error, _proxy_of(client)))
    says = f"InvokeAI {version} at {client.url}, response time {1000 * (time.monotonic() - started):.0f} ms"
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if numbers < OLDEST:
        return Finding(
            "server", "warn", says, "This client supports InvokeAI 5.15 and later: update the server."
        )
    if numbers > NEWEST:
        return Finding(
            "server",
            "warn",
            says,
            "This client was tested with InvokeAI up to 6.14: update the client.",
        )
    return Finding("server", "ok", says)


def _clock(client: AsyncInvokeAIClient) -> Finding:
    apart = client.connection.http.clock_difference
    if apart is None:
        return Finding("clock", "ok", "unknown (the server does not report its time)")
    if abs(apart) > _CLOCKS_APART:
        says = (
            f"the server's clock is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} this machine's"
        )
        return Finding(
            "clock",
            "warn",
            says,
            "Synchronize both with a time server: dates in listings use the server's clock.",
        )
    return Finding("clock", "ok", f"within {max(1, round(abs(apart)))} s of this machine's")


@dataclass(slots=True)
class _Rights:
    """The rights of the user.

    Attributes:
        is_admin: Whether the user may administer the server. On a server without user accounts, everybody may.
    """

    is_admin: bool = True

    def advice(self, task: str, command: str) -> str:
        """Return how to get a task done that only administrators may do.

        Args:
            task: The task, in the imperative: "resume the queue".
            command: The command for it, in backticks.
        """
        if self.is_admin:
            return f"{task[0].upper()}{task[1:]}: {command}."
        return f"Ask an administrator of the server to {task} ({command})."


async def _sign_in(client: AsyncInvokeAIClient, rights: _Rights) -> Finding:
    from invokeai_py_client.transport.auth import auth_status

    status = await auth_status(client.connection.http)
    if not status["multiuser_enabled"]:
        return Finding("sign-in", "ok", "no sign-in required")
    if status.get("setup_required"):
        says = "the server has no administrator account yet"
        return Finding(
            "sign-in",
            "fail",
            says,
            f"Open {client.url} in a browser and create the administrator, or call client.set_up(email, password).",
        )
    user = await client.me()
    rights.is_admin = user is not None and user.is_admin
    name = user.email if user else "unknown"
    role = "administrator" if user and user.is_admin else "user"
    return Finding("sign-in", "ok", f"signed in as {name} ({role})")


async def _operations(client: AsyncInvokeAIClient) -> Finding:
    from invokeai_py_client.api.operations import OPERATIONS
    from invokeai_py_client.schema.source import operations

    offered = await operations(client.connection.http)
    unknown = sorted(offered - {(one.method, one.path) for one in OPERATIONS.values()})
    if not unknown:
        return Finding("api", "ok", f"all {len(offered)} operations of the server are known")
    named = ", ".join(f"{method} {path}" for method, path in unknown[:_NAMED])
    more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
    return Finding(
        "api",
        "ok",
        f"{len(unknown)} of the server's {len(offered)} operations are unknown to this client: {named}{more}",
        "Call them with `ivk api METHOD PATH`, or update the client.",
    )


async def _device(client: AsyncInvokeAIClient, root: Path | None) -> Finding:
    from invokeai_py_client.server.torch_choice import find_gpu

    try:
        devices = await client.server.devices()
    except ServerTooOldError as error:
        return Finding("device", "ok", f"unknown (InvokeAI {error.since} and later report it)")
    used = [one for one in devices if one.in_use is not False]
    says = ", ".join(
        one.device if one.name in ("", one.device) else f"{one.device} ({one.name})" for one in used
    )
    if any(one.is_gpu for one in used):
        return Finding("device", "ok", says)
    idle = next((one for one in devices if one.is_gpu), None)
    if idle is not None:
        return Finding(
            "device",
            "warn",
            f"{says}, although the server has {idle.device} ({idle.name})",
            "Remove `device` and `generation_devices` from the server's invokeai.yaml, and restart the server.",
        )
    is_here = root is not None or urlsplit(client.url).hostname in ("localhost", "127.0.0.1", "::1")
    gpu = await asyncio.to_thread(find_gpu) if is_here else None
    if gpu is None:
        return Finding("device", "ok", says)
    cure = (
        "Install the PyTorch for this GPU: `ivk server install --force`, then restart the server."
        if root is not None
        else "Install a PyTorch for this GPU in the server's environment, and restart the server."
    )
    return Finding("device", "warn", f"{says}, although this machine has {gpu}", cure)


async def _events(client: AsyncInvokeAIClient) -> Finding:
    from invokeai_py_client.transport.socket import check_events

    cure = "If there is a proxy, let it forward WebSockets at /ws/socket.io. Until then, runs are polled."
    try:
        acknowledged = await check_events(client.settings)
    except APIRequestError as error:
        proxy = _proxy_of(client)
        if proxy is not None:
            cure = await _cure_of_events(client, proxy)
        return Finding("events", "warn", str(error), cure)
    if not acknowledged:
        return Finding("events", "warn", "connected, but the server did not confirm a subscription", cure)
    return Finding("events", "ok", "connected")


async def _cure_of_events(client: AsyncInvokeAIClient, proxy: Proxy) -> str:
    """Return the fix for events that do not arrive through a proxy, after an attempt without the proxy."""
    from invokeai_py_client.transport.socket import check_events

    forward = f"Let the proxy {proxy.shown} forward WebSockets. Until then, runs are polled."
    try:
        await check_events(client.settings, direct=True)
    except APIRequestError:
        return f"{forward} A proxy in front of the server must forward them at /ws/socket.io, too."
    return f"The server is reachable without the proxy: add {proxy.target} to NO_PROXY. Or: {forward}"


def _proxy_of(client: AsyncInvokeAIClient) -> Proxy | None:
    """Return the proxy between this machine and the server. An invalid one was reported by the first request."""
    try:
        return proxy_for(client.settings.address.origin)
    except APIRequestError:
        return None


async def _models(client: AsyncInvokeAIClient, rights: _Rights) -> Finding:
    kinds = Counter(str(model.type) for model in await client.models.list_models())
    says = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common()) or "none"
    if not kinds.get("main"):
        return Finding("models", "warn", says, rights.advice("install a main model", "`ivk models install`"))
    return Finding("models", "ok", says)


async def _queue(client: AsyncInvokeAIClient, rights: _Rights) -> Finding:
    from invokeai_py_client.run.blockage import WAY_OUT, why_blocked

    status = await client.queue.status(mine=False)
    says = f"{status.pending} pending, {status.in_progress} in progress, {status.total} in total"
    reason = await why_blocked(client.connection, "default")
    if reason is not None:
        state = "blocked" if reason == WAY_OUT else "stopped"
        if not rights.is_admin:
            reason += " You can cancel your own items only: ask an administrator of the server if that is not enough."
        return Finding("queue", "fail", f"{state}; {says}", reason)
    if not status.is_started:
        return Finding(
            "queue", "warn", f"paused; {says}", rights.advice("resume the queue", "`ivk queue resume`")
        )
    finished = status.total - status.unfinished
    if finished > _MANY_ITEMS:
        says = f"{says}; the {finished:,} finished items slow the server down"
        cure = "Run `ivk queue prune`. Before that, resume the sweeps whose manifests still lack results."
        if not rights.is_admin:
            cure += " It removes your own items only: ask an administrator of the server to do the same."
        return Finding("queue", "warn", says, cure)
    return Finding("queue", "ok", says)


def _worker(log: Path) -> Finding | None:
    error = worker_failure(log)
    if error is None:
        return None
    cure = (
        "Restart the server: `ivk server stop`, then `ivk server start`. Until then, fewer items run at once."
    )
    return Finding("queue", "warn", f"a worker of the session processor has ended: {error}", cure)


def _disk(root: Path | None) -> Finding:
    if root is None or not root.is_dir():
        return Finding("disk", "ok", "unknown (the server does not report it)")
    free = shutil.disk_usage(root).free
    says = f"{free / (1 << 30):.1f} GB free at {root}"
    if free < _LITTLE_SPACE:
        return Finding(
            "disk", "warn", says, "Free some space: the server stores images and its database there."
        )
    return Finding("disk", "ok", says)
