"""The German credit data as a table of applicants, all of it numbers (Hofmann 1994, UCI Statlog, CC BY 4.0).

A code such as A34 becomes the number after that of its attribute, 4. Attribute 9 tells marital status and
sex together; what is kept of it is `female` (A92 and A95). `bad` is 1 for the bad risks, the last column.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rehearse.columns import Columns
from rehearse.errors import DataError

CODED = (
    *("checking", "history", "purpose", "savings", "employment", "debtors", "property"),
    *("other_plans", "housing", "job", "telephone", "foreign"),
)
"""Columns whose numbers are codes."""
NAMES = (
    *("checking", "duration", "history", "purpose", "amount", "savings", "employment", "rate", "female"),
    *("debtors", "residence", "property", "age", "other_plans", "housing", "credits", "job"),
    *("dependents", "telephone", "foreign", "bad"),
)
WOMEN = {"A92", "A95"}


def read(path: str | Path) -> Columns:
    """Return the applicants of `german.data`, a row each; raises DataError where it is another file."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        problem = f"{str(path)!r} could not be read: {error.strerror}."
        raise DataError(problem, "Give the file german.data of the UCI repository.") from error
    rows = [words for line in lines if (words := line.split())]
    if not rows or any(len(words) != len(NAMES) for words in rows):
        problem = f"{str(path)!r} does not hold {len(NAMES)} words a line."
        raise DataError(problem, "Give the file german.data of the UCI repository.")
    told = zip(NAMES, zip(*rows, strict=True), strict=True)
    return Columns({name: _numbers(name, place, words) for place, (name, words) in enumerate(told, 1)})


def _numbers(name: str, place: int, words: tuple[str, ...]) -> np.ndarray:
    if name == "female":
        return np.array([float(word in WOMEN) for word in words])
    start = len(f"A{place}") if name in CODED else 0
    values = np.array([float(word[start:]) for word in words])
    return values - 1.0 if name == "bad" else values
