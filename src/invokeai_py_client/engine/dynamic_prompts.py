"""Problems with dynamic prompts, which the server expands without failing.

InvokeAI 6.14.2 has no wildcards. It repeats a prompt with a wildcard outside of braces as often as prompts were
requested, and it responds to other invalid prompts with status 200, the prompt itself and an error. A wildcard inside
of braces makes older servers (5.15.0, 6.0.2) loop forever: they respond to no request any more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from invokeai_py_client._text import clip, listed

_WILDCARD = re.compile(r"__[^\s_{}|$](?:[^\s{}|$]*?[^\s_{}|$])?__")
_BRACE_OR_WILDCARD = re.compile(rf"\$?{{|}}|{_WILDCARD.pattern}")
_FIX = "Write the alternatives into the prompt, such as {red|green|blue}."
_SHOWN = 80


def wildcard_problem(prompt: str) -> str | None:
    """Return why no server can make all combinations of a prompt, or None if it can: it has wildcards in alternatives.

    Such a prompt must not be sent.

    Args:
        prompt: The prompt with its alternatives.
    """
    unknown: dict[str, None] = {}
    opened: list[str] = []
    for match in _BRACE_OR_WILDCARD.finditer(prompt):
        text = match[0]
        if text == "}":
            del opened[-1:]
        elif text.endswith("{"):
            opened.append(text)
        elif "{" in opened:  # "${" begins a variable
            unknown[text] = None
    return f"{_unknown(prompt, list(unknown))}. {_FIX}" if unknown else None


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
        reason = _unknown(prompt, list(unknown))
    if unknown:
        return f"{reason}. {_FIX}"
    if prompt.count("{") != prompt.count("}"):
        return f"{reason.rstrip('.')}. Close each {{ with a }}."
    return f"{reason.rstrip('.')}. Expected alternatives such as {{red|green|blue}}."


def _unknown(prompt: str, names: list[str]) -> str:
    word = "wildcard" if len(names) == 1 else "wildcards"
    return f"the server does not know the {word} {listed(names, 4)} in {_quoted(prompt)}"


def _quoted(prompt: str) -> str:
    return repr(clip(prompt, _SHOWN))
