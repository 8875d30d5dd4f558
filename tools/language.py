"""Check the English of docstrings, comments, messages and pages against the rules in CONTRIBUTING.md.

    tools/language.py                     fail on the patterns in FORBIDDEN (part of `make lint`)
    tools/language.py --table             count the patterns in TABLE per 10,000 words of docstrings and comments
    tools/language.py --sample 50 [--seed 7]  print random sentences, to be read aloud

To ban another pattern, add a row to FORBIDDEN. Code in backticks, quoted words and fenced blocks are not checked.
"""

from __future__ import annotations

import argparse
import ast
import io
import random
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDERS = ("src", "tests", "tools", "demo", "benchmarks", "docs")
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", ".ci/run")
GENERATED = {"_sync.py", "cli-reference.md", "language.py"}
DATA = {"data", "__pycache__", "pictures"}

FORBIDDEN = (
    # (where, pattern, advice); `where` is "docstring" for the start of a docstring, else "prose"
    ("docstring", r"What\b", "begin with an imperative verb (function) or a noun phrase (property)"),
    ("prose", r"\banew\b", 'write "again"'),
    ("prose", r"\b(?:is|are) none\b", 'write "is not a valid X", "does not exist" or "has no X"'),
    ("prose", r"\bgiv(?:es|en back)\b", 'functions "return", iterators "yield"'),
    ("prose", r"\b(?:some|any|no)body\b(?!'s)", 'write "someone", "anyone", "no one", or name the case'),
    ("prose", r"\bwhilst\b|\bamongst\b", 'write "while", "among"'),
    (
        "prose",
        r"\b(?:colour(?:s|ed)?|grey(?:ed)?|behaviours?|licences?|neighbours?|neighbouring|favourites?|honours?|labelled"
        r"|labelling|modelled|modelling|cancelled|cancelling|travell\w+|signalled|centred?|catalogues?|artefacts?"
        r"|analys(?:e|ed|es|ing)|\w{3,}(?:alis|eris|imis|onis|aris|ognis)(?:e|ed|es|ing|ation))\b",
        "use American spelling",
    ),
)

TABLE = (
    # (name, pattern, highest rate of the model codebases); "" counts docstrings that begin with "What"
    ('docstring begins with "What"', "", 2.4),
    ("told / tell", r"\b(?:told|tells?)\b", 1.4),
    ("stands / stand", r"\bstands?\b", 0.9),
    ('"is none"', r"\b(?:is|are) none\b", 0.0),
    ('"is/are no X"', r"\b(?:is|are) no\b", 6.2),
    ("anew", r"\banew\b", 0.0),
    ("of one's own / its own", r"\b(?:one's|its) own\b", 2.2),
    ("gives", r"\bgives\b", 1.5),
    ("where", r"\bwhere\b", 8.8),
    ("somebody", r"\bsomebody\b", 0.0),
)
AT_LEAST = ((r"\bif\b", "if", 50.0), (r"\bdefaults? to\b", '"defaults to"', 1.0))

QUOTED = re.compile(r"``.*?``|`[^`]*`|\"[^\"\n]{1,60}\"|(?<!\w)'[^'\n]{1,40}'(?!\w)|https?://\S+", re.DOTALL)


@dataclass(frozen=True)
class Text:
    """A piece of prose: a docstring, a comment, a message or a paragraph."""

    file: Path
    line: int
    kind: str
    text: str


def files() -> Iterator[Path]:
    """Yield the files that hold prose."""
    for name in PAGES:
        yield REPOSITORY / name
    for folder in FOLDERS:
        for path in sorted((REPOSITORY / folder).rglob("*")):
            if path.suffix in (".py", ".md") and path.name not in GENERATED and not DATA & set(path.parts):
                yield path


def texts(path: Path) -> Iterator[Text]:
    """Yield the prose of a file."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield from paragraphs(path, source)
    elif path.suffix == ".py":
        yield from strings(path, source)
        yield from comments(path, source)
    else:
        for number, line in enumerate(source.splitlines(), 1):
            if "#" in line:
                yield Text(path, number, "comment", line.partition("#")[2])


def paragraphs(path: Path, source: str) -> Iterator[Text]:
    """Yield the lines of a page, without its fenced blocks."""
    fenced = False
    for number, line in enumerate(source.splitlines(), 1):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        elif not fenced and line.strip():
            yield Text(path, number, "page", line)


def strings(path: Path, source: str) -> Iterator[Text]:
    """Yield the docstrings of a module, and its strings of several words, which are mostly messages."""
    tree = ast.parse(source)
    # Strings that are statements: docstrings of modules, classes, functions and attributes.
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) in docstrings:
                yield Text(path, node.lineno, "docstring", node.value)
            elif len(node.value.split()) > 2 and "{" not in node.value:
                yield Text(path, node.lineno, "message", node.value)


def comments(path: Path, source: str) -> Iterator[Text]:
    """Yield the comments of a module."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and not token.string.startswith(
            ("# type:", "# pyright:", "# noqa")
        ):
            yield Text(path, token.start[0], "comment", token.string.lstrip("# "))


def check(found: list[Text]) -> int:
    """Print each forbidden pattern with its file and line, and return how many there are."""
    count = 0
    for text in found:
        prose = QUOTED.sub(lambda match: re.sub(r"\S", "_", match.group()), text.text)
        for where, pattern, advice in FORBIDDEN:
            if where == "docstring" and text.kind != "docstring":
                continue
            find = re.match if where == "docstring" else re.search
            match = find(pattern, prose, 0 if where == "docstring" else re.IGNORECASE)
            if match:
                line = text.line + prose[: match.start()].count("\n")
                print(f"{text.file.relative_to(REPOSITORY)}:{line}: {match.group()!r}: {advice}")
                count += 1
    return count


def table(found: list[Text]) -> int:
    """Print the rates of the patterns, and return how many exceed their limit."""
    prose = [text for text in found if text.kind in ("docstring", "comment") and "src" in text.file.parts]
    words = sum(len(text.text.split()) for text in prose)
    exceeded = 0
    print(
        f"{words:,} words of docstrings and comments in src (without generated code); rates per 10,000 words"
    )
    for name, pattern, limit in TABLE:
        if pattern:
            hits = sum(len(re.findall(pattern, text.text, re.IGNORECASE)) for text in prose)
        else:
            hits = sum(text.kind == "docstring" and bool(re.match(r"What\b", text.text)) for text in prose)
        rate = hits * 10_000 / words
        exceeded += rate > limit
        print(f"{name:32} {rate:6.1f}   at most {limit}{'   EXCEEDED' if rate > limit else ''}")
    for pattern, name, least in AT_LEAST:
        rate = sum(len(re.findall(pattern, text.text, re.IGNORECASE)) for text in prose) * 10_000 / words
        exceeded += rate < least
        print(f"{name:32} {rate:6.1f}   at least {least}{'   TOO FEW' if rate < least else ''}")
    return exceeded


def sample(found: list[Text], count: int, seed: int) -> None:
    """Print random sentences of at least six words with their files and lines."""
    sentences = [
        (text, sentence.strip())
        for text in found
        if "tests" not in text.file.parts
        for sentence in re.split(r"(?<=[.!?:])\s+|\n\s*\n", text.text)
        if len(sentence.split()) >= 6
    ]
    print(f"seed {seed}, {count} of {len(sentences):,} sentences")
    for text, sentence in random.Random(seed).sample(sentences, count):
        print(
            f"{text.file.relative_to(REPOSITORY)}:{text.line} [{text.kind}]\n    {' '.join(sentence.split())}"
        )


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Check the English of the repository.")
    parser.add_argument(
        "paths", nargs="*", type=Path, help="files or folders; defaults to the whole repository"
    )
    parser.add_argument("--table", action="store_true", help="print the rates of the patterns in TABLE")
    parser.add_argument("--sample", type=int, metavar="N", help="print N random sentences")
    parser.add_argument("--seed", type=int, default=random.randrange(1000), help="seed of --sample")
    options = parser.parse_args()
    chosen = [path.resolve() for path in options.paths]
    found = [
        text
        for path in files()
        if not chosen or any(path == one or one in path.parents for one in chosen)
        for text in texts(path)
    ]
    if options.sample:
        sample(found, options.sample, options.seed)
        return 0
    bad = table(found) if options.table else check(found)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
