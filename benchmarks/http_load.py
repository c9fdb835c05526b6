"""A model behind HTTP under load: the policy's throughput over that of a bare asynchronous client.

Both send the same questions to the same server, a process of its own that reads each question, decides and
answers at once or after `SERVED_MS`, with as many calls under way. The bare client (httpx2) sends bytes that
are ready and takes the bytes of the reply; the policy makes its questions of columns, and reads decisions.

    python benchmarks/piece.py http_load
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

BATCH, CONCURRENCY, FEATURES = 64, 8, 8
SERVED_MS = (5.0, 0.0)
"""How long the server waits with its answer, as for a small model, or not at all."""
CUT = 0.5
ITEMS = ("refuse", "grant")


def measure(*, quick: bool = False) -> dict[str, float]:
    """Return ratios and calls a second for each form of question; best of three, in turn."""
    calls, repeats = (40, 1) if quick else (800, 5)
    found: dict[str, float] = {}
    for ms in SERVED_MS:
        with served(ms) as address:
            for form, path in (("json", "decide"), ("v2", "v2/models/m")):
                rate = _rates(f"{address}/{path}", calls, repeats)
                name = f"http_{form}_{ms:g}ms"
                found[f"{name}_over_bare"] = rate["ours"] / rate["bare"]
                found[f"{name}_calls_s"], found[f"{name}_bare_calls_s"] = rate["ours"], rate["bare"]
    return found


def _rates(url: str, calls: int, repeats: int) -> dict[str, float]:
    """Return calls a second of the policy and of the bare client, measured in turn; the best counts."""
    ours, bare, requests = _policy(url), _Bare(), _requests(calls * BATCH)
    body, asks = ours._body(requests, np.arange(BATCH)), ours._form.asks  # noqa: SLF001 - what it sends itself
    spent: dict[str, list[float]] = {"ours": [], "bare": []}
    for _ in range(repeats):
        spent["bare"].append(bare.seconds(asks, body, calls))
        began = time.perf_counter()
        decisions = ours.decide(requests)
        spent["ours"].append(time.perf_counter() - began)
        if decisions.fault.any():
            raise RuntimeError(ours.complaints.sentences)
    return {name: calls / min(each) for name, each in spent.items()}


class _Bare:
    """A client that does nothing but send and receive."""

    def seconds(self, url: str, body: bytes, calls: int) -> float:
        return asyncio.run(self._send(url, body, calls))

    async def _send(self, url: str, body: bytes, calls: int) -> float:
        import httpx2

        limits = httpx2.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
        left = iter(range(calls))
        headers = {"Content-Type": "application/json"}
        async with httpx2.AsyncClient(limits=limits, timeout=10.0, trust_env=False) as client:

            async def worker() -> None:
                for _ in left:
                    (await client.post(url, content=body, headers=headers)).raise_for_status()

            began = time.perf_counter()
            await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
            return time.perf_counter() - began


def _policy(url: str) -> Any:
    from rehearse.contract import Stage
    from rehearse.policies import load

    names = tuple(f"f{i}" for i in range(FEATURES))
    stage = Stage(ITEMS, names, ("all",), np.zeros(1, dtype=np.int32))
    policy = load(url, stage, {"batch": BATCH, "concurrency": CONCURRENCY})
    policy.meet()  # type: ignore[attr-defined]
    return policy


def _requests(rows: int) -> Any:
    from rehearse.contract import Requests

    return Requests(
        names=tuple(f"f{i}" for i in range(FEATURES)),
        features=np.random.default_rng(1).random((rows, FEATURES), dtype=np.float32),
        items=ITEMS,
        replica=np.zeros(rows, dtype=np.int32),
        user=np.arange(rows),
        tick=0,
        turn=0,
        intent=np.zeros(rows, dtype=np.int8),
        group=np.zeros(rows, dtype=np.int8),
        shown=np.empty((rows, 0), dtype=np.int32),
    )


@contextmanager
def served(ms: float) -> Iterator[str]:
    """Serve in another process, and give the address."""
    command = [sys.executable, os.fspath(__file__), str(ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603 - this file
        try:
            yield f"http://127.0.0.1:{next(iter(server.stdout or ())).strip()}"
        finally:
            server.kill()


class _Server(asyncio.Protocol):
    """HTTP/1.1 as far as it is needed: bodies with a length, connections that are kept."""

    def __init__(self, ms: float) -> None:
        self._pause, self._got = ms / 1000.0, b""

    def connection_made(self, transport: Any) -> None:
        self._out = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        lower = head.lower()
        at = lower.find(b"content-length:")
        length = int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if not end or len(body) < length:
            return
        self._got = body[length:]
        reply = _reply(_answer(json.loads(body)) if length else ABOUT)
        if self._pause:
            asyncio.get_running_loop().call_later(self._pause, self._out.write, reply)
        else:
            self._out.write(reply)


INPUTS = [{"name": f"f{i}", "shape": [-1, 1], "datatype": "FP32"} for i in range(FEATURES)]
ABOUT = {"name": "m", "inputs": INPUTS}


def _answer(body: Any) -> dict[str, Any]:
    """Decide by the first feature."""
    if "instances" in body:
        return {"predictions": [ITEMS[person["f0"] > CUT] for person in body["instances"]]}
    data = [int(value > CUT) for value in body["inputs"][0]["data"]]
    return {"outputs": [{"name": "action", "shape": [len(data)], "datatype": "INT64", "data": data}]}


def _reply(told: object) -> bytes:
    body = json.dumps(told).encode()
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )


async def _serve(ms: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Server(ms), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
