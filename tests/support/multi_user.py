"""A multi-user server with two workers, an administrator and two users."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import packs
import pytest
import pytest_asyncio

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.server import LocalServer

ADMIN = ("admin@example.org", "Admin-secret-1")
ANN = ("ann@example.org", "Ann-secret-1")
BOB = ("bob@example.org", "Bob-secret-1")
USERS = "/api/v1/auth/users"
NODE_PACKS = [packs.CHEAP_COLLECTIONS, packs.TWO_WORKERS, packs.HOLD]


@dataclass(frozen=True)
class Users:
    """The server and its administrator."""

    server: LocalServer
    admin: InvokeAIClient
    ids: dict[str, str]

    @property
    def url(self) -> str:
        return self.server.url

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request as the administrator."""
        return self.admin._call(self.admin._impl.connection.http.json(method, path, json=body))

    def end_tokens(self, user: tuple[str, str], password: str | None = None) -> None:
        """Make the server reject all existing tokens of a user and close the user's event connections.

        Setting a password does that, even the same one.
        """
        self.ask("PATCH", f"{USERS}/{self.ids[user[0]]}", {"password": password or user[1]})

    def token(self, user: tuple[str, str], seconds: float) -> str:
        """Return a user's token that expires soon, signed with the server's secret."""
        with closing(sqlite3.connect(self.server.root / "databases" / "invokeai.db")) as database:
            [secret] = database.execute("SELECT value FROM app_settings WHERE key = 'jwt_secret'").fetchone()
        record = self.ask("GET", f"{USERS}/{self.ids[user[0]]}")
        claims = {name: record[name] for name in ("user_id", "email", "is_admin", "token_epoch")}
        head, body = (
            _encoded(json.dumps(part).encode())
            for part in ({"alg": "HS256", "typ": "JWT"}, {**claims, "exp": time.time() + seconds})
        )
        mark = hmac.new(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
        return f"{head}.{body}.{_encoded(mark)}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture(scope="package")
def users(say: Callable[[str], None]) -> Iterator[Users]:
    with (
        LocalServer(temporary=True, config={"multiuser": True}, node_packs=NODE_PACKS, say=say) as server,
        InvokeAIClient.from_url(server.url, email=ADMIN[0], password=ADMIN[1]) as admin,
    ):
        users = Users(server, admin, {})
        assert admin.set_up(*ADMIN, display_name="Admin").is_admin
        for email, password in (ANN, BOB):
            user = {"email": email, "display_name": email, "password": password}
            users.ids[email] = users.ask("POST", USERS, user)["user_id"]
        yield users


@pytest.fixture
def ann(users: Users) -> Iterator[InvokeAIClient]:
    with InvokeAIClient.from_url(users.url, email=ANN[0], password=ANN[1]) as client:
        yield client


@pytest.fixture
def bob(users: Users) -> Iterator[InvokeAIClient]:
    with InvokeAIClient.from_url(users.url, email=BOB[0], password=BOB[1]) as client:
        yield client


@pytest_asyncio.fixture
async def held(users: Users) -> AsyncIterator[None]:
    """A paused queue that starts items after ``go()`` is called."""
    users.admin.queue_repo.pause()
    yield
    users.admin.queue_repo.resume()
