"""A real browser. Without one, these tests are skipped, or fail if BROWSER_TESTS=required."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator

import pytest
from chromium import NAMES, Page, browser_page, find_browser


@pytest.fixture
async def page() -> AsyncGenerator[Page]:
    """A tab of a headless browser with the size of a desktop window."""
    program = find_browser()
    if program is None:
        reason = f"no browser found: none of {', '.join(NAMES)} is on the path, and $BROWSER_PATH is not set to one"
        if os.environ.get("BROWSER_TESTS") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    async with browser_page(program) as tab:
        await tab.size(1280, 900)
        yield tab
