"""What the model under test may reach while it is asked."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from rehearse.scenario.base import Positive, Strict

HOST = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.\-]+)(:[0-9]{1,5})?$"


def _host(text: str) -> str:
    if re.fullmatch(HOST, text) is None:
        problem = f"{text!r} is no host, such as models.example.com:443, 10.1.2.3 or [2001:db8::1]:443"
        raise ValueError(problem)
    return text


Host = Annotated[
    str,
    Field(min_length=1, max_length=260, json_schema_extra={"pattern": HOST}),
    AfterValidator(_host),
]
"""`models.example.com`, `10.1.2.3:8080`, `[2001:db8::1]:443`."""


class Sandbox(Strict):
    """The walls round code that is not Rehearse's own; what it tries beyond them is refused and recorded."""

    allow: tuple[Host, ...] = ()
    """Hosts that it may call besides this machine itself: `host` at any port, or `host:port`."""
    alerts: tuple[Host, ...] = ()
    """Hosts that Rehearse may send alerts to, besides those of `allow`; the model may not call these."""
    write: tuple[str, ...] = ()
    """Folders in which it may write, besides those for temporary files and caches."""
    secrets: tuple[str, ...] = ()
    """Environment variables whose values are hidden everywhere, besides those whose names say so."""
    processes: bool = False
    """Whether it may begin other programs, which the walls do not hold."""
    isolate: bool = False
    """Whether it runs in a process of its own, which is ended when it hangs, floods or takes too much."""
    memory_mb: Positive | None = 4096.0
    """MiB that it may hold there, beyond what the process begins with; None: as much as there is."""
