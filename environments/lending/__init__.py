"""The world `lending-v1`: applicants with a score and a group, and loans that some of them repay.

Of an applicant with score s and group g, a loan of `amount` A at `rate` r (interest A · r), and one
uniform draw u of the turn:

    chance        p(s, g) or p(traits), told or fitted; p' = σ(ln(p / (1 − p)) − burden · A · r)
    repays        u < p', the ground truth; `qualified`: would repay the cheapest loan there is
    reward        A · r if repaid, −A if not (or the term's own `gain` and `loss`), to this lender alone
    cost          the interest that a borrower who repays pays this lender
    score         s' = s + repaid or + default or + refused, held within low and high
    harm          `default` for a loan not repaid, `refusal` for an applicant who would have repaid, was
                  refused here and found no other lender
    truth         what an item would bring the lender, knowing u, less welfare · harm; a refusal brings 0
    ideal         argmax of the truth over what can be had; regret: truth of the ideal less that of the answer
    label         1 if repaid, 0 if not; unknown without a loan, unless labels: always

Money is in units of the scenario's own, scores in points. `market` holds other lenders with rules of
their own, `bank` a till that can run empty, `pool` replaces people who stay by seats at a window.

Sources: Liu, Dean, Rolf, Simchowitz and Hardt, "Delayed impact of fair machine learning" (ICML 2018) for
the moves of scores; D'Amour and others, "Fairness is not static" (FAT* 2020, ml-fairness-gym) for lending
from a pool and college admission (an applicant who is admitted is "granted", who is eligible "repays");
Perdomo, Zrnic, Mendler-Dünner and Hardt, "Performative prediction" (ICML 2020), where people answer to a
published model: `people.strategy`. Departures: an applicant is a person who stays and comes back (with
`pool`, as in the gym, one who does not), and the luck of repaying is one draw a turn, whatever is
decided, so that two lenders meet the very same defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rehearse.chance import Chance
from rehearse.environments.lending.settings import Settings
from rehearse.environments.lending.world import Lending
from rehearse.errors import ScenarioError
from rehearse.scenario.model import Drift
from rehearse.scenario.wrong import check

__all__ = ["Lending", "build"]


def build(
    settings: Mapping[str, Any],
    *,
    data: Path | None,
    drift: tuple[Drift, ...],
    chance: Chance,  # noqa: ARG001 - nothing is drawn before the first turn
) -> Lending:
    """Return the world; settings that make no sense are a ScenarioError that names their path."""
    checked = check(Settings, dict(settings), under="world.settings")
    curve = checked.repayment.curve
    if data is not None and checked.table is None and (curve is None or curve.table != "data"):
        problem = f"the data file {str(data)!r} was given to a world that reads none."
        raise ScenarioError(problem, "Set world.settings.table: data for people, or repayment.curve.table.")
    return Lending(checked, data, drift)
