"""Completion in bash, which splits words at ``=`` and ``:``, so that ``-s model=tiny`` would be three words."""

from __future__ import annotations

import os
import re

from click.shell_completion import BashComplete, CompletionItem, add_completion_class, split_arg_string


class BashLineComplete(BashComplete):
    """Completion of the whole line up to the cursor, instead of the words into which bash splits it."""

    source_template = BashComplete.source_template.replace(
        "$(env ", '$(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" ', 1
    )

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the complete arguments, and the incomplete one."""
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)
        if not line[-1:].isspace():
            return words[1:-1], words[-1]
        return words[1:], ""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """Return the proposals without the part before the last ``=`` or ``:``, which bash keeps."""
        found = super().get_completions(args, incomplete)
        kept = len(re.match(r"(?:.*[=:])?", incomplete, re.DOTALL)[0])  # type: ignore[index]  # it always matches
        for item in found:
            item.value = str(item.value)[kept:]
        return found


def register() -> None:
    """Let click use this class for bash."""
    add_completion_class(BashLineComplete)
