"""Secrets stay out of everything that is written or said.

A secret is the value of an environment variable whose name says so (`OPENAI_API_KEY`, `PGPASSWORD`), or which
was named; one of fewer than eight characters cannot be told from a word and is left alone.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterable
from urllib.parse import quote

from rehearse.errors import UserError

SAID_BY = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL")
"""How a word of a secret's name ends, in the singular."""
SHORTEST = 8
HIDDEN = "***"
CREDENTIAL = re.compile(r"(?:bearer|basic) (.+)", re.IGNORECASE)
"""What a header Authorization says after its scheme is as secret as the whole."""

_KNOWN: list[str] = []
"""Every spelling of every secret, the longest first."""


def learn(named: Iterable[str] = ()) -> None:
    """Look for secrets in the environment as it is now; `named` are variables that hold one, too."""
    wanted = set(named)
    whole = {value for name, value in os.environ.items() if name in wanted or is_secret(name)}
    values = whole | {found[1] for value in whole if (found := CREDENTIAL.match(value))}
    spelled = {form for value in values if len(value) >= SHORTEST for form in _spellings(value)}
    _KNOWN[:] = sorted({*spelled, *_KNOWN}, key=len, reverse=True)


def is_secret(name: str) -> bool:
    """Tell whether the name of an environment variable says that its value is a secret."""
    return any(word.removesuffix("S").endswith(SAID_BY) for word in name.upper().split("_"))


def redacted(text: str) -> str:
    """Return a text with every secret in it hidden."""
    for secret in _KNOWN:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text


def refuse_secrets(scenario: str) -> None:
    """Raise UserError where the text of a scenario holds a secret: it is kept with the run, to repeat it."""
    if redacted(scenario) != scenario:
        problem = "the scenario holds the value of a secret of the environment, and is kept with the run."
        raise UserError(problem, "Let the model read the environment variable, and give its name at most.")


def _spellings(value: str) -> tuple[str, ...]:
    """Return a value as it stands in text, in JSON, in HTML and in an address."""
    return value, json.dumps(value)[1:-1], html.escape(value), quote(value, safe="")
