"""A real browser. Where the machine has none, these tests are skipped; with BROWSER_TESTS=required they fail."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator

import pytest
from chromium import NAMES, Page, browser_page, find_browser


@pytest.fixture
async def page() -> AsyncGenerator[Page]:
    """A tab of a headless browser, as wide as a desktop's."""
    program = find_browser()
    if program is None:
        reason = f"no browser: none of {', '.join(NAMES)} is on the path, and $BROWSER_PATH names none"
        if os.environ.get("BROWSER_TESTS") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    async with browser_page(program) as tab:
        await tab.size(1280, 900)
        yield tab
