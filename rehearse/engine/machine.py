"""What the kernel asks of the machine it runs on: to keep memory.

Blocks are worked on in arrays of some hundred kilobytes. By default glibc gives arrays of that
size back to the system at once and fetches them again, and every page is then zeroed and mapped
anew: that cost five times the arithmetic. Memory once fetched is kept for the next block instead.
"""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
KEPT_BYTES = 1 << 30


def keep_memory() -> bool:
    """Ask the allocator to keep freed memory for reuse; tell whether it could be asked."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library than glibc
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))
