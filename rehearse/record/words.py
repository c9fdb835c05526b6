"""What passed in words: a side table of the record, keyed by turn.

In memory and in the digest words are numbers, the acts of `rehearse.dialogue`; in the files they are
words. Parts lie in `words/` beside the parts of turns, and only where there are any. Columns:

    replica, tick, user, session, turn    the keys of the turn
    goal                                  what the person wants as the turn begins, as acts
    meant, heard, answered                acts as text: what the person meant, what came through, what the
                                          assistant did: `inform(area=north) request(phone)`
    said, reply                           the same in sentences: what the assistant was given to read, and
                                          what it answered
    own                                   1 where the reply is in the assistant's own words, 0 where the house
                                          put its acts into words
    calls                                 its tool calls with what they gave back, as JSON
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Array, Columns, stacked
from rehearse.dialogue.domain import Domain
from rehearse.dialogue.phrases import Model
from rehearse.dialogue.talk import NO_TEXT, Reply
from rehearse.dialogue.written import acts_in, calls_in
from rehearse.record.page import KEYS
from rehearse.redact import redacted
from rehearse.tables import write_pages

WORDS = "words"
"""The folder of the parts, the view of the table, and what a scenario lists in `columns` to have it."""
_IN_WORDS = re.compile(r"(goal|meant|heard|answer|call)_\d+|answer_text")


def in_words(name: str) -> bool:
    """Tell whether a column belongs to the table of words."""
    return _IN_WORDS.fullmatch(name) is not None


def write_words(path: Path, pages: Sequence[Columns], domain: Domain) -> None:
    """Write what passed in the turns of some pages as a part, if anything did; OutputError, OSError."""
    table = _words_of(pages)
    if table.length and "answer_0" in table:
        path.parent.mkdir(exist_ok=True)
        codes, vocabularies = _coded(table, domain)
        write_pages(path, [codes], vocabularies)


def told(turns: Columns, domain: Domain) -> dict[str, Array]:
    """Return what passed in some turns as columns of words, as they stand in the files."""
    if "answer_0" not in turns:
        return {}
    codes, vocabularies = _coded(_words_of([turns]), domain)
    plain: dict[str, Array] = dict(codes)
    return plain | {name: np.array(words)[plain[name]] for name, words in vocabularies.items()}


def replies(words: Columns, domain: Domain) -> Reply:
    """Return what assistants said in rows of the table, as they said it."""
    reply = Reply.silent(words.length)
    columns = (words[name].tolist() for name in ("answered", "calls", "reply", "own"))
    for row, (answered, calls, text, own) in enumerate(zip(*columns, strict=True)):
        said, made = acts_in(domain, answered), calls_in(domain, calls)
        reply.said[row, : len(said)] = said
        reply.calls[row, : len(made)] = made
        if own:
            reply.text[row] = domain.keep(text)
    return reply


def recall(words: Columns, domain: Domain) -> None:
    """Let a language model that puts acts into words know what it said in rows of the table."""
    if not isinstance(domain.phrases, Model):
        return
    for by, acts, text, own in (
        ("user", "heard", "said", np.zeros(words.length, np.int8)),
        ("assistant", "answered", "reply", words["own"]),
    ):
        known = set(zip(words[acts].tolist(), words[text].tolist(), own.tolist(), strict=True))
        for meant, said, own_words in sorted(known):
            told = domain.told(acts_in(domain, meant))
            domain.phrases.recall(told, by, said, own=bool(own_words))


def _words_of(pages: Sequence[Columns]) -> Columns:
    parts = [
        Columns({n: a for n, a in page.items() if n in KEYS or in_words(n)}, length=page.length)
        for page in pages
    ]
    return stacked(parts)


def _coded(table: Columns, domain: Domain) -> tuple[Columns, dict[str, tuple[str, ...]]]:
    """Return the keys and codes of words, and the words: each different utterance is put into words once."""
    columns: dict[str, Array] = {name: table[name] for name in KEYS}
    vocabularies: dict[str, tuple[str, ...]] = {}

    def put(name: str, codes: NDArray[Any], word: Callable[[Any], str]) -> None:
        distinct, number = _distinct(codes)
        columns[name] = number.astype(np.int32)
        vocabularies[name] = tuple(redacted(word(row)) for row in distinct)

    parts = {prefix: _codes(table, prefix) for prefix in ("goal", "meant", "heard", "answer", "call")}
    for name, prefix in (("goal", "goal"), ("meant", "meant"), ("heard", "heard"), ("answered", "answer")):
        put(name, parts[prefix], lambda row: " ".join(map(str, domain.told(row))))
    put("said", parts["heard"], lambda row: domain.text(row, "user"))
    own = np.asarray(table["answer_text"], dtype=np.int64)
    columns["own"] = (own != NO_TEXT).astype(np.int8)
    halves = own[:, None].view(np.int32)

    def reply(row: NDArray[np.int32]) -> str:
        key = int(np.ascontiguousarray(row[:2]).view(np.int64)[0])
        return domain.texts[key] if key in domain.texts else domain.text(row[2:], "assistant")

    put("reply", np.concatenate([halves, parts["answer"]], axis=1), reply)
    put("calls", parts["call"], lambda row: json.dumps(domain.call(row)) if (row >= 0).any() else "")
    return Columns(columns), vocabularies


def _distinct(codes: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the distinct rows, and which of them each row is."""
    # Sorting one number a row takes a fraction of sorting rows; two rows with one number are found out.
    mixed = np.zeros(len(codes), dtype=np.uint64)
    for place in range(codes.shape[1]):
        mixed = (mixed ^ codes[:, place].astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    _, first, number = np.unique(mixed, return_index=True, return_inverse=True)
    distinct = codes[first]
    if (distinct[number] != codes).any():
        distinct, number = np.unique(codes, axis=0, return_inverse=True)
    return distinct, number.reshape(-1)


def _codes(table: Columns, prefix: str) -> NDArray[np.int32]:
    names = sorted(
        (n for n in table if re.fullmatch(rf"{prefix}_\d+", n)), key=lambda n: int(n.rpartition("_")[2])
    )
    return np.ascontiguousarray(np.stack([np.asarray(table[n], dtype=np.int32) for n in names], axis=1))
