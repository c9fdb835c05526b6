"""Tables in HTML that look alike in every notebook, with or without its own style."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

STYLE = """<style>
.rehearse{font-family:system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;font-size:13px;
line-height:1.45;color:#1d2126;background:#fff;padding:10px 12px;max-width:1000px}
.rehearse h3{font-size:15px;font-weight:600;margin:2px 0 6px}
.rehearse p{margin:4px 0;color:#626a72;max-width:70em}
.rehearse table{border-collapse:collapse;margin:8px 0 12px;font-variant-numeric:tabular-nums;border:0}
.rehearse table th,.rehearse table td{padding:4px 14px 4px 0;border:0;border-bottom:1px solid #ece9e2;
text-align:left;vertical-align:top;background:none;font-size:13px;color:inherit;white-space:normal}
.rehearse table tbody tr{background:none}
.rehearse table thead th{border-bottom:1px solid #1d2126;font-weight:600}
.rehearse table tr .n{text-align:right;white-space:nowrap}
.rehearse table .pass,.rehearse table .better{color:#1c6e46;font-weight:600}
.rehearse table .fail,.rehearse table .worse{color:#a62639;font-weight:600}
.rehearse table .unsure{color:#835800;font-weight:600}
</style>"""
MARKED = ("pass", "fail", "unsure", "better", "worse")
"""Cells that are one of these words are coloured."""
MOST = 20


def block(title: str, parts: Iterable[str]) -> str:
    """Return parts of HTML under a title, in the style of all that is shown in notebooks."""
    return f'{STYLE}<div class="rehearse"><h3>{escape(title)}</h3>{"".join(parts)}</div>'


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]], most: int = MOST) -> str:
    """Return a table; columns of numbers stand to the right, and rows beyond `most` are counted."""
    shown = [[cell(value) for value in row] for row in rows[:most]]
    right = [all(_is_number(row[i]) for row in shown) and bool(shown) for i in range(len(heads))]
    head = "".join(f"<th{_class(name, n)}>{escape(name)}</th>" for name, n in zip(heads, right, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{_class(v, n)}>{escape(v)}</td>' for v, n in zip(row, right, strict=True))}</tr>"
        for row in shown
    )
    more = said(f"… {len(rows) - most:,} rows more") if len(rows) > most else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def said(sentence: str) -> str:
    """Return a sentence as a paragraph."""
    return f"<p>{escape(sentence)}</p>"


def cell(value: Any) -> str:
    """Return a value as it stands in a table."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _class(text: str, number: bool) -> str:  # noqa: FBT001 - a column is one or the other
    names = [name for name, holds in (("n", number), (text, text in MARKED)) if holds]
    return f' class="{" ".join(names)}"' if names else ""


def _is_number(text: str) -> bool:
    return bool(text) and (
        text == "–" or text[0].isdigit() or (text[0] in "+-−×.<" and text[1:].lstrip(".")[:1].isdigit())
    )
