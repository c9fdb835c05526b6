"""The models under test: baselines, adapters for other people's models, and the seam that asks them.

`load` makes a policy of whatever names one; `stack` puts the scenario's conditions round it. `Split`,
`Shadow` and their like are policies made of others.
"""

from __future__ import annotations

from rehearse.policies.breaker import CircuitBreaker
from rehearse.policies.cache import Cache
from rehearse.policies.delay import Delay
from rehearse.policies.fallback import Fallback
from rehearse.policies.faults import Faults
from rehearse.policies.guard import Guard
from rehearse.policies.loading import load
from rehearse.policies.refitted import refitted
from rehearse.policies.rollback import Rollback
from rehearse.policies.shadow import Shadow
from rehearse.policies.split import Split
from rehearse.policies.stack import stack
from rehearse.policies.workers import Load, RateLimit

__all__ = [
    "Cache",
    "CircuitBreaker",
    "Delay",
    "Fallback",
    "Faults",
    "Guard",
    "Load",
    "RateLimit",
    "Rollback",
    "Shadow",
    "Split",
    "load",
    "refitted",
    "stack",
]
