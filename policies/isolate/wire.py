"""What passes between Rehearse and a model in a process of its own.

To the model go pickles: it is told what it may know. What comes back is numbers and plain words only, never
a pickle, which could make this process do anything.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from rehearse.columns import Array
from rehearse.contract import Decisions, Requests
from rehearse.dialogue.domain import Domain
from rehearse.dialogue.talk import NO_TEXT, Passage, Reply, Talk

SIZE = struct.Struct("!Q")
DETAIL, REPLY, TEXTS = "detail/", "reply/", "texts"
PLAIN = "biufUSc?"


class _Without(pickle.Pickler):
    """Writes the number of a domain in its place."""

    def __init__(self, file: io.BytesIO, domain: Domain, number: int) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._domain, self._number = domain, number

    def persistent_id(self, obj: object) -> int | None:
        return self._number if obj is self._domain else None


class _With(pickle.Unpickler):
    """Puts a domain where its number stands."""

    def __init__(self, file: io.BytesIO, domain: Domain) -> None:
        super().__init__(file)
        self._domain = domain

    def persistent_load(self, pid: object) -> Domain:
        del pid
        return self._domain


def framed(content: bytes) -> bytes:
    """Return bytes with their length before them."""
    return SIZE.pack(len(content)) + content


def length_of(buffer: bytearray) -> int:
    """Return how long a frame is, with its length; 0 where that has not come yet."""
    return SIZE.size + SIZE.unpack_from(buffer)[0] if len(buffer) >= SIZE.size else 0


def packed(told: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    """Return words and arrays as bytes."""
    parts = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    shapes = {name: [part.dtype.str, part.shape] for name, part in parts.items()}
    head = json.dumps({"told": told, "arrays": shapes}).encode()
    return SIZE.pack(len(head)) + head + b"".join(part.tobytes() for part in parts.values())


def unpacked(content: bytes) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return what was packed; raises ValueError, KeyError or TypeError where it was not."""
    start = SIZE.size + SIZE.unpack_from(content)[0]
    head = json.loads(content[SIZE.size : start])
    arrays: dict[str, Array] = {}
    for name, (kind, shape) in head["arrays"].items():
        dtype = np.dtype(kind)
        if dtype.kind not in PLAIN:
            raise ValueError(kind)
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(content, dtype, count, start).reshape(shape).copy()
        start += count * dtype.itemsize
    return head["told"], arrays


def asked(requests: Requests, known: set[int]) -> bytes:
    """Return requests as bytes; what people speak of is sent once, if it is not `known` by its number."""
    talk = requests.talk
    if talk is None:
        return pickle.dumps((requests, None, {}))
    domain, number = talk.domain, id(talk.domain)
    past = [_of(passage, talk) for passage in talk.past]
    texts = {key: domain.texts[key] for p in past for key in p.said.text.tolist() if key in domain.texts}
    told = None if number in known else replace(domain, texts={})
    known.add(number)
    file = io.BytesIO()
    _Without(file, domain, number).dump(replace(requests, talk=replace(talk, past=past)))
    return pickle.dumps((file.getvalue(), (number, told), texts))


def answered_to(content: bytes, domains: dict[int, Domain]) -> Requests:
    """Return requests, in the process of the model, which remembers what people speak of."""
    inner, spoken, texts = pickle.loads(content)  # noqa: S301 - whoever leads the run made it
    if spoken is None:
        plain: Requests = inner
        return plain
    number, told = spoken
    domain = domains.setdefault(number, told)
    domain.texts.update(texts)
    requests: Requests = _With(io.BytesIO(inner), domain).load()
    return requests


def of_decisions(decisions: Decisions, requests: Requests) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return decisions as words and arrays."""
    arrays: dict[str, Array] = {name: getattr(decisions, name) for name in Decisions.columns()}
    arrays |= {DETAIL + name: array for name, array in decisions.detail.items()}
    reply = decisions.reply
    if reply is None or requests.talk is None:
        return {}, arrays
    arrays |= {REPLY + f.name: getattr(reply, f.name) for f in fields(Reply)}
    texts = requests.talk.domain.texts
    return {TEXTS: [texts[key] for key in set(reply.text.tolist()) - {NO_TEXT}]}, arrays


def to_decisions(told: Mapping[str, Any], arrays: Mapping[str, Any], requests: Requests) -> Decisions:
    """Return words and arrays as decisions, whose rows and items are still to be checked."""
    columns = {name: arrays[name] for name in Decisions.columns()}
    made = Decisions.of(columns.pop("slate"), **columns)
    detail = {name.removeprefix(DETAIL): a for name, a in arrays.items() if name.startswith(DETAIL)}
    made = replace(made, detail=detail)
    if requests.talk is None or f"{REPLY}said" not in arrays:
        return made
    for text in told.get(TEXTS, ()):
        requests.talk.domain.keep(str(text))
    return replace(made, reply=Reply(**{f.name: arrays[REPLY + f.name] for f in fields(Reply)}))


def _of(passage: Passage, talk: Talk) -> Passage:
    """Return what was said earlier by those who speak now."""
    at = np.flatnonzero(np.isin(passage.rows, talk.rows))
    said = passage.said
    kept = {f.name: getattr(said, f.name).take(at, axis=0) for f in fields(said) if f.name != "domain"}
    return Passage(passage.rows[at], replace(said, **kept))
