"""Parts of a record: turns as they stand in files, where codes are words and empty columns are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rehearse.columns import Array, Columns
from rehearse.contract import End, Fault, Intent
from rehearse.record.page import names_items
from rehearse.record.words import in_words
from rehearse.tables import write_pages

Words = Mapping[str, tuple[str, ...]]
NOT_FILLED = {"score": np.nan, "propensity": np.nan, "measured_ms": np.nan, "rationale": -1, "guard": -1}
"""Columns that are left out of a part where they hold nothing but this."""


def write_part(path: Path, pages: Sequence[Columns], words: Words) -> None:
    """Write pages of turns as one file, whole or not at all; `words` name what codes such as `guard` say.

    Raises OutputError or OSError where it cannot be written.
    """
    told, named = readable(pages, words)
    write_pages(path, told, named)


def readable(pages: Sequence[Columns], words: Words) -> tuple[list[Columns], dict[str, tuple[str, ...]]]:
    """Return turns without the columns that hold nothing on any page, and the words of their codes."""
    kept = dict.fromkeys(name for page in pages for name in page if not in_words(name))
    kept = {n: None for n in kept if not all(_empty(n, page[n]) for page in pages if n in page)}
    named = {"intent": Intent.words(), "fault": Fault.words(), "end": End.words()}
    # -1 is "none": one place further, it is the empty word.
    shifted = [name for name in dict.fromkeys(("rationale", "guard", *words)) if name in kept]
    named |= {name: ("", *words.get(name, ())) for name in shifted}
    told = [
        Columns(
            {
                n: page[n].astype(np.int16) + 1 if n in shifted else _wide(n, page[n])
                for n in kept
                if n in page
            },
            length=page.length,
        )
        for page in pages
    ]
    return told, {name: vocabulary for name, vocabulary in named.items() if name in kept}


def _wide(name: str, values: Array) -> Array:
    """Return items as those who read files know them, whatever is narrow enough in memory."""
    return values.astype(np.int32) if names_items(name) else values


def _empty(name: str, values: Array) -> bool:
    if name not in NOT_FILLED:
        return False
    neutral = NOT_FILLED[name]
    blank = np.isnan if np.isnan(neutral) else lambda a: a == neutral
    return bool(blank(values[:1]).all() and blank(values).all())
