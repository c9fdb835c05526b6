"""What a learning policy is told of a tick that is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Array, Rows
from rehearse.contract.codes import Codes, Ints, Singles


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a learning policy is told after a tick, in the order (replica, user, turn)."""

    features: Singles
    slate: Ints
    choice: Ints
    reward: Singles
    propensity: Singles
    replica: Ints
    user: Rows
    turn: NDArray[np.int16]
    group: Codes
    """Each person's group, for learners that must be fair; never passed on to a foreign model."""
    tick: int
    label: Codes | None = None
    """`Outcomes.label` of the turns; None: this world has none."""
    happened: Ints | None = None
    """The tick of each turn, where some are told late; None: all are of `tick`."""
    harm: Singles | None = None
    """The harm done in each turn, for built-in policies that keep to a budget; None: this world has none."""
    detail: Mapping[str, Array] = field(default_factory=dict)
    """`Decisions.detail` of the turns: by which a policy made of others knows which of them acted."""

    def take(self, index: Rows) -> Feedback:
        """Return the turns at some positions."""
        told = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in {"tick", "detail"}}
        kept = {name: array.take(index, axis=0) for name, array in told.items() if array is not None}
        return replace(self, **kept, detail={n: a.take(index) for n, a in self.detail.items()})
