"""Pools in the configuration file: several servers, or a Dask scheduler, under one name.

::

    [pools.lab]
    servers = ["gpu1", "gpu2", "http://localhost:9090"]

    [pools.campus]
    scheduler = "tls://login1:8786"
    tls_ca = "~/.dask/ca.pem"
    tls_cert = "~/.dask/me.pem"
    tls_key = "~/.dask/me.key"

    [pools.local]
    servers = ["http://127.0.0.1:9090", "http://127.0.0.1:9091"]
    root = "/home/me/.local/share/invokeai-py-client/pools/local"

Servers are names of profiles, or URLs. Relative paths start at the folder of the configuration file.
``ivk pool up`` writes the ``root`` of the servers that it starts, and ``ivk pool down`` stops those servers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from invokeai_py_client._given import is_blank, require
from invokeai_py_client._paths import is_file, user_path
from invokeai_py_client._text import close_names, did_you_mean, hide_secrets, shown
from invokeai_py_client.config import Profile, read_profiles
from invokeai_py_client.config_file import change_config, config_name, config_path, read_config
from invokeai_py_client.errors import UsageError
from invokeai_py_client.transport.settings import ServerAddress

_FILES = ("tls_ca", "tls_cert", "tls_key")
_PATHS = (*_FILES, "root")
_KEYS = ("servers", "scheduler", *_PATHS)
_ENCRYPTED = ("tls", "wss")
_SCHEMES = ("tcp", "tls", "ws", "wss")
_EXAMPLE = 'servers = ["gpu1", "http://localhost:9090"]'
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
# Every URL of a server has one of these characters, and no name of a profile that people choose does.
_OF_URLS = re.compile(r"[:/.@\[]")


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """A pool in the configuration file.

    Attributes:
        name: The pool's name.
        servers: The names of profiles and the URLs of its servers, as written. Empty for a pool with a scheduler.
        scheduler: The address of its Dask scheduler, or None.
        tls_ca: The certificate of the authority that signed the scheduler's certificate, or None.
        tls_cert: Your certificate, or None.
        tls_key: The key of your certificate, or None.
        root: The folder of the local servers that ``ivk pool up`` has started, or None for other servers.
    """

    name: str
    servers: tuple[str, ...] = field(default=(), repr=False)  # a URL may contain a password
    scheduler: str | None = None
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    root: Path | None = None


def pool_names() -> list[str]:
    """Return the names of the pools in the configuration file, sorted.

    Raises:
        UsageError: The file cannot be read.
    """
    return sorted(_tables(read_config()))


def read_pool(name: str) -> PoolSettings:
    """Return a pool in the configuration file.

    Args:
        name: The pool's name.

    Raises:
        UsageError: The file has no such pool, the pool is not valid, or the file cannot be read.
    """
    require("the name of a pool in the configuration file", pool=name)
    tables = _tables(read_config())
    if name not in tables:
        raise UsageError(_unknown(name, sorted(tables)))
    where = f"{config_name()}: [pools.{name}]"
    return _checked(_pool(name, tables[name], where), where)


def local_root(name: str) -> Path | None:
    """Return the folder of the local servers of a pool in the configuration file.

    Args:
        name: The pool's name. The rest of its table may be invalid.

    Returns:
        The folder, or None if the file has no such pool, or ``ivk pool up`` did not write it.

    Raises:
        UsageError: The file cannot be read.
    """
    table = _tables(read_config()).get(name)
    root: Any = cast("dict[str, Any]", table).get("root") if isinstance(table, dict) else None
    return _path(root) if isinstance(root, str) and not is_blank(root) else None


def choose_pool(text: str) -> PoolSettings:
    """Return the pool that a text means: the value of ``--pool``.

    Args:
        text: The name of a pool in the configuration file, the address of a Dask scheduler (``tls://login1:8786``), or
            names of profiles and URLs, separated by commas. A single server needs the form of a URL.

    Raises:
        UsageError: The file has no such pool, or the text is not valid.
    """
    require("the name of a pool, or servers separated by commas", pool=text)
    if text not in pool_names():
        name = hide_secrets(text)
        if text.partition("://")[0] in _SCHEMES:
            return _checked(PoolSettings(name, scheduler=text), "pool")
        if "," in text or _OF_URLS.search(text):
            servers = tuple(part.strip() for part in text.split(","))
            return _checked(PoolSettings(name, servers), "pool")
    return read_pool(text)


def keep_pool(pool: PoolSettings, *, replace: bool = False) -> Path:
    """Write a pool to the configuration file.

    Args:
        pool: The pool.
        replace: Whether to replace a pool of the same name. Defaults to False.

    Returns:
        The path of the file.

    Raises:
        UsageError: The name is not valid or in use, or the file cannot be read or written.
    """
    check_pool_name(pool.name)
    check_pool(pool)

    def change(data: dict[str, Any]) -> dict[str, dict[str, str | Sequence[str] | None]]:
        if pool.name in _tables(data) and not replace:
            raise UsageError(
                f"A pool named {pool.name!r} is already in {config_name()}. Choose another name, or remove that pool "
                f"first: ivk pool rm {pool.name}"
            )
        files = {key: getattr(pool, key) for key in _PATHS}
        paths = {key: None if path is None else str(path) for key, path in files.items()}
        return {pool.name: {"servers": pool.servers or None, "scheduler": pool.scheduler, **paths}}

    path = change_config("pools", change)
    assert path is not None
    return path


def check_pool_name(name: str) -> None:
    """Check that a pool can have a name.

    Raises:
        UsageError: The name could be mistaken for servers.
    """
    if not re.fullmatch(r"[\w-]+", name):
        raise UsageError(
            f"Invalid name of a pool {name!r}: expected letters, digits, - and _, such as 'lab'."
        )


def forget_pool(name: str) -> Path:
    """Remove a pool from the configuration file.

    Returns:
        The path of the file.

    Raises:
        UsageError: The file has no such pool, or cannot be read or written.
    """
    require("the name of a pool in the configuration file", pool=name)

    def change(data: dict[str, Any]) -> dict[str, None]:
        tables = _tables(data)
        if name not in tables:
            raise UsageError(_unknown(name, sorted(tables)))
        return {name: None}

    change(read_config())  # without the pool, nothing is written, so that no folder is created
    path = change_config("pools", change)
    assert path is not None
    return path


def pool_addresses(servers: Iterable[str], where: str) -> dict[str, ServerAddress]:
    """Return the addresses of the servers of a pool.

    Args:
        servers: Names of profiles and URLs.
        where: The place of the servers in messages, such as "servers in [pools.lab]".

    Returns:
        The addresses by name or URL, in the same order. Two loopback addresses with the same port are the same server.

    Raises:
        UsageError: A server is not valid, the profile does not exist, a server is there twice, or there are no servers.
    """
    profiles = read_profiles()
    found: dict[str, ServerAddress] = {}
    for server in servers:
        address = _address(server, profiles, where)
        for other, known in found.items():
            if _canonical(known).is_same(_canonical(address)):
                raise UsageError(_twice(other, server, address, where))
        found[server] = address
    if not found:
        raise UsageError(f"{where}: there is no server; expected at least one, such as {_EXAMPLE}.")
    return found


def _twice(first: str, second: str, address: ServerAddress, where: str) -> str:
    first, second = hide_secrets(first), hide_secrets(second)
    if first == second:
        return f"{where}: {first!r} is there twice. Remove one of them."
    return (
        f"{where}: {first!r} and {second!r} are the same server, {address.url}. A pool has each server once. "
        "Remove one of them."
    )


def _address(server: str, profiles: Mapping[str, Profile], where: str) -> ServerAddress:
    if not isinstance(server, str) or is_blank(server):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"{where}: {shown(server)} is not valid; expected the name of a profile, or a URL.")
    if server in profiles:
        return profiles[server].address
    if not _OF_URLS.search(server) and server != "localhost":
        close = did_you_mean(close_names(server, profiles))
        known = ", ".join(sorted(profiles)) or "none"
        raise UsageError(
            f"{where}: no profile named {server!r} in {config_name()}.{close} Existing profiles: {known}. To create "
            f"it, run `ivk login URL --profile {server}`. If it is a host, write its URL: http://{server}:9090."
        )
    try:
        return ServerAddress.parse(server)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def _canonical(address: ServerAddress) -> ServerAddress:
    """Return an address with the same host for all loopback addresses."""
    scheme, _, host = address.origin.partition("://")
    for name in _LOOPBACK:
        if host == name or host.startswith(f"{name}:"):
            host = f"localhost{host.removeprefix(name)}"
            break
    return ServerAddress(f"{scheme}://{host}", address.prefix)


def _tables(data: Mapping[str, Any]) -> dict[str, Any]:
    tables: Any = data.get("pools", {})
    if not isinstance(tables, dict):
        raise UsageError(f"{config_name()}: `pools` is not valid; expected tables such as [pools.lab].")
    return cast("dict[str, Any]", tables)


def _unknown(name: str, known: Sequence[str]) -> str:
    existing, close = ", ".join(known) or "none", did_you_mean(close_names(name, known))
    return (
        f"No pool named {name!r} in {config_name()}.{close} Existing pools: {existing}. To create it, run "
        f"`ivk pool add {name} URL URL`, or add these lines to the file:\n"
        f"  [pools.{name}]\n  {_EXAMPLE}"
    )


def _pool(name: str, table: Any, where: str) -> PoolSettings:
    """Return the pool in a table whose values have the right types."""
    if not isinstance(table, dict):
        raise UsageError(f"{where} is not valid; expected a table with servers, such as {_EXAMPLE}.")
    values = cast("dict[str, Any]", table)
    for key, value in values.items():
        if key not in _KEYS:
            close = did_you_mean(close_names(key, _KEYS))
            raise UsageError(f"{where} has an unknown key {key!r}.{close} Known keys: {', '.join(_KEYS)}.")
        if key == "servers" and not isinstance(value, list):
            raise UsageError(f"{where}: servers is not valid; expected a list of texts, such as {_EXAMPLE}.")
        if key != "servers" and (not isinstance(value, str) or is_blank(value)):
            raise UsageError(f"{where}: {key} is {shown(value)}; expected a text.")
    paths = {key: _path(values[key]) for key in _PATHS if key in values}
    return PoolSettings(name, tuple(values.get("servers", ())), values.get("scheduler"), **paths)


def _path(text: str) -> Path:
    """Return a path in the file. Relative paths start at the folder of the file."""
    file, path = config_path(), user_path(text)
    return path if file is None else file.absolute().parent / path


def check_pool(pool: PoolSettings) -> PoolSettings:
    """Return a pool after checking it.

    Raises:
        UsageError: The pool is not valid.
    """
    return _checked(pool, f"pool {pool.name}")


def _checked(pool: PoolSettings, where: str) -> PoolSettings:
    """Return a pool after checking its servers or its scheduler, and its files.

    Raises:
        UsageError: The pool is not valid.
    """
    if pool.servers and pool.scheduler:
        raise UsageError(f"{where} has both servers and a scheduler. Remove one of them.")
    if pool.scheduler is None and not pool.servers:
        raise UsageError(
            f"{where} has neither servers nor a scheduler. Add one of them, such as {_EXAMPLE} or "
            'scheduler = "tls://login1:8786".'
        )
    files = {key: file for key in _FILES if (file := getattr(pool, key)) is not None}
    if pool.scheduler is None:
        pool_addresses(pool.servers, f"{where}: servers")
        if files:
            raise UsageError(f"{where} has {' and '.join(files)}, which only a scheduler needs. Remove it.")
        return pool
    if pool.root is not None:
        raise UsageError(f"{where} has a root, which only a pool of local servers needs. Remove it.")
    scheme = _scheme_of(pool.scheduler, where)
    if files and scheme not in _ENCRYPTED:
        raise UsageError(
            f"{where} has {' and '.join(files)}, but the address of the scheduler is {pool.scheduler!r}, which is not "
            f"encrypted. Write tls:// instead of {scheme}://."
        )
    if "tls_key" in files and "tls_cert" not in files:
        raise UsageError(f"{where} has a tls_key without a tls_cert. Add the path of the certificate.")
    for key, file in files.items():
        if not is_file(file):
            raise UsageError(f"{where}: {key} is {str(file)!r}; expected the path of an existing file.")
    return pool


def _scheme_of(scheduler: str, where: str) -> str:
    try:
        parts = urlsplit(scheduler)
        if parts.scheme in _SCHEMES and parts.hostname and parts.port and "@" not in scheduler:
            return parts.scheme
    except ValueError:  # the port is not a number, for example
        pass
    raise UsageError(
        f"{where}: scheduler is {hide_secrets(scheduler)!r}; expected the address of a Dask scheduler, such as "
        f"tls://login1:8786. Schemes: {', '.join(_SCHEMES)}."
    )
