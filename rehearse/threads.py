"""How many threads the libraries below may take: said in one place, before they are loaded.

Products of blocks are small: on them BLAS with two threads took up to four times the CPU of one. So
BLAS gets one thread; compiled kernels that gain by it (`compiled`) get two, or one in each of
several shards, which fill the cores by themselves. What the environment says already stands.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

BLAS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
KERNELS = "NUMBA_NUM_THREADS"


def hold(environment: MutableMapping[str, str] = os.environ, *, alone: bool = True) -> None:
    """Set what is not set; `alone`: no other process of the run wants the cores."""
    for name in BLAS:
        environment.setdefault(name, "1")
    environment.setdefault(KERNELS, str(min(2, os.cpu_count() or 1)) if alone else "1")
