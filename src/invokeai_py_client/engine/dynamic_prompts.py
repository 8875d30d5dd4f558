"""Problems with dynamic prompts, which the server expands without failing.

InvokeAI 6.14.2 has no wildcards. It repeats a prompt with a wildcard outside of braces as often as prompts were
requested, and it responds to other invalid prompts with status 200, the prompt itself and an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from invokeai_py_client._text import clip, listed

_WILDCARD = re.compile(r"__[^\s_{}|$](?:[^\s{}|$]*?[^\s_{}|$])?__")
_SHOWN = 80


def expansion_problem(prompt: str, prompts: Sequence[str], error: str | None) -> str | None:
    """Return why the server could not expand a prompt and how to correct it, or None if it could.

    Args:
        prompt: The prompt with its alternatives.
        prompts: The expanded prompts.
        error: The server's error.
    """
    if error:
        reason = f"the server could not expand {_quoted(prompt)}: {' '.join(error.split())}"
        unknown = dict.fromkeys(_WILDCARD.findall(prompt))
    else:
        unknown = {
            name: None for name in _WILDCARD.findall(prompt) if any(name in expanded for expanded in prompts)
        }
        if not unknown:
            return None
        names = listed(list(unknown), 4)
        word = "wildcard" if len(unknown) == 1 else "wildcards"
        reason = f"the server does not know the {word} {names} in {_quoted(prompt)}"
    if unknown:
        return f"{reason}. Write the alternatives into the prompt, such as {{red|green|blue}}."
    if prompt.count("{") != prompt.count("}"):
        return f"{reason.rstrip('.')}. Close each {{ with a }}."
    return f"{reason.rstrip('.')}. Expected alternatives such as {{red|green|blue}}."


def _quoted(prompt: str) -> str:
    return repr(clip(prompt, _SHOWN))
