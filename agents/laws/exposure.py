"""Satisfaction by exposure: what pleases now may wear people out.

RecSim's long-term satisfaction (Ie and others, arXiv:1909.04847, 2019; after Wilhelm and others' "choc
and kale"): with c the attribute (0 kale to 1 clickbait) of each item taken,

    NPE' = memory · NPE − effect · (c − neutral) + innovation · ε        net positive exposure
    satisfaction = σ(sensitivity · NPE')

The first is what RecSim's code does; its docstring has the sign of the second term reversed.
Under items with independent c, NPE tends to the mean −effect · (E c − neutral) / (1 − memory) and the
variance (effect² Var c + innovation²) / (1 − memory²).
"""

from __future__ import annotations

import numpy as np

from rehearse.agents.laws.law import Law, Moment, Setting
from rehearse.contract import Outcomes
from rehearse.exact import Floats, sigmoid
from rehearse.scenario import laws as written


def exposed(law: written.Exposure, exposure: Floats, attribute: Floats, normal: Floats) -> Floats:
    """Return the net positive exposure after an item."""
    kept = law.memory * exposure - law.effect * (attribute - law.neutral)
    return np.asarray(kept + law.innovation * normal)


class Exposure(Law):
    """Satisfaction that follows what somebody was exposed to."""

    told = ("exposure",)

    def __init__(self, law: written.Exposure, setting: Setting) -> None:
        """Let exposure begin as the trait says, and satisfaction follow it."""
        path = "people.laws.satisfaction.exposure"
        self._law, self._people = law, setting.columns
        self._place = setting.place(law.of, f"{path}.of")
        setting.start("exposure", path)
        satisfied = sigmoid(law.sensitivity * setting.columns.numbers("exposure"))
        setting.columns["satisfaction"] = satisfied.astype(np.float32)

    def remember(self, moment: Moment, outcomes: Outcomes) -> None:
        """Take in what was taken."""
        del outcomes
        took = np.flatnonzero(moment.taken)
        turn, rows = moment.turn.take(took), moment.turn.rows.take(took)
        attribute = moment.attribute(self._place).take(took)
        normal = turn.normal("laws/exposure")[:, 0]
        now = exposed(self._law, self._people.numbers("exposure", rows), attribute, normal)
        self._people["exposure"][rows] = now
        self._people["satisfaction"][rows] = sigmoid(self._law.sensitivity * now)
