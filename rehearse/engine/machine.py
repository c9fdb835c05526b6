"""What the kernel asks of the machine it runs on: how memory is kept, and one thread for BLAS.

Blocks are worked on in arrays of some hundred kilobytes. By default glibc gives arrays of that
size back to the system at once and fetches them again, and every page is then zeroed and mapped
anew: that cost five times the arithmetic. Memory once fetched is kept for the next block instead.
"""

from __future__ import annotations

import ctypes
import os
import sys

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
KEPT_BYTES = 1 << 30
BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def keep_memory() -> bool:
    """Ask the allocator to keep freed memory for reuse; tell whether it could be asked."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library than glibc
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))


def one_blas_thread() -> None:
    """Let BLAS use one thread, unless the environment says otherwise; only before numpy is imported."""
    for name in BLAS_THREADS:
        os.environ.setdefault(name, "1")
