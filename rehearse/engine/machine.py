"""What the kernel asks of the machine it runs on: to keep memory.

Blocks are worked on in arrays of some hundred kilobytes. By default glibc gives arrays of that
size back to the system at once and fetches them again, and every page is then zeroed and mapped
anew: that cost five times the arithmetic. Memory once fetched is kept for the next block instead.
Arrays of everybody's numbers in a large society are given back: kept, they would add to the peak.
"""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
KEPT_BYTES = 1 << 28
"""So much freed memory is kept."""
LARGE_BYTES = 1 << 26
"""An array of this size and above is given back as soon as it is freed."""


def give_back() -> bool:
    """Give all freed memory back to the system, after something large; tell whether it could be asked."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (OSError, AttributeError):
        return False


def keep_memory() -> bool:
    """Ask the allocator to keep freed memory for reuse; tell whether it could be asked."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library than glibc
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))
