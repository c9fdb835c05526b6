"""How commands read and print: numbers, columns of words, wrapped paragraphs, one JSON object."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import sys
import textwrap
from collections.abc import Iterable
from typing import Any

import typer

from rehearse.errors import UserError


def print_json(value: Any, indent: int | None = None) -> None:
    """Print one JSON object, and nothing else, on stdout."""
    typer.echo(json.dumps(value, indent=indent, ensure_ascii=False, default=str))


def complain(problem: str) -> None:
    """Say on stderr what went wrong where the command goes on."""
    typer.echo(f"rehearse: {problem}", err=True)


def as_data(value: Any) -> Any:
    """Return dataclasses and named tuples, however nested, as dicts and lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: as_data(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: as_data(part) for name, part in value._asdict().items()}
    if isinstance(value, dict):
        return {str(key): as_data(part) for key, part in value.items()}
    return [as_data(part) for part in value] if isinstance(value, list | tuple) else value


def stdout_for_us() -> contextlib.AbstractContextManager[Any]:
    """Send to stderr what a model prints, so that stdout holds the result alone."""
    return contextlib.redirect_stdout(sys.stderr)


def whole(option: str, text: str) -> int:
    """Return the whole number from 0 that an option was given; raises UserError for anything else."""
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        problem = f"{option} {text}: this is no whole number from 0."
        raise UserError(problem, f"Write, for example, {option} 42.")
    return int(text)


def lines_of(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Return names and texts as two columns, the texts wrapped to the terminal; a repeated name once."""
    pairs = list(rows)
    width = max((len(name) for name, _ in pairs), default=0)
    lines, before = [], ""
    for name, text in pairs:
        head = "" if name == before else name
        body = wrapped(text, width + 4) or [""]
        lines.append(f"  {head:<{width}}  {body[0]}".rstrip())
        lines += [f"{'':{width + 4}}{line}" for line in body[1:]]
        before = name
    return lines


def wrapped(text: str, taken: int = 0) -> list[str]:
    """Return a text as lines that fit beside what the line already holds."""
    columns = min(shutil.get_terminal_size((100, 24)).columns, 110)
    return textwrap.wrap(" ".join(text.split()), max(columns - taken, 40))


def table_of(names: list[str], rows: list[list[Any]]) -> list[str]:
    """Return a table as lines: a header, a rule, and a line a row; numbers stand to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(n), *(len(row[i]) for row in cells), 0) for i, n in enumerate(names)]
    right = [bool(rows) and all(isinstance(row[i], int | float) for row in rows) for i in range(len(names))]
    lines = [names, ["─" * width for width in widths], *cells]
    return ["  ".join(_put(line, widths, right)).rstrip() for line in lines]


def _put(line: list[str], widths: list[int], right: list[bool]) -> list[str]:
    sides = zip(line, widths, right, strict=True)
    return [cell.rjust(width) if number else cell.ljust(width) for cell, width, number in sides]


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
