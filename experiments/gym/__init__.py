"""Rehearse's worlds as Gymnasium environments; importing this registers them (extra `gym`).

    import gymnasium
    import rehearse.experiments.gym

    env = gymnasium.make("rehearse/Recommend-v1")
    env = gymnasium.make("rehearse/Scenario-v1", scenario="travel", users=500)
    envs = gymnasium.make_vec("rehearse/Recommend-v1", num_envs=256)

Each id stands for a scenario of the catalogue; `rehearse/Scenario-v1` takes any, by name or file. What
may be given besides, what is observed and when episodes end stands at `Sessions` and `SessionsBatch`.
"""

from __future__ import annotations

from rehearse.experiments.gym.seeing import as_policy, observed
from rehearse.scenario.load import catalogue

SCENARIOS = {
    "Recommend-v1": "feed",
    "Lending-v1": "lending",
    "Triage-v1": "triage",
    "Pricing-v1": "pricing",
    "Assist-v1": "assist",
}
"""Which scenario of the catalogue an id stands for."""
ANY = "Scenario-v1"

__all__ = ["SCENARIOS", "as_policy", "ids", "observed", "register"]


def ids() -> tuple[str, ...]:
    """Return the ids of all environments."""
    there = {listed.name for listed in catalogue()}
    return (*(f"rehearse/{i}" for i, name in SCENARIOS.items() if name in there), f"rehearse/{ANY}")


def register() -> None:
    """Make the environments known to Gymnasium; known ones stay as they are."""
    import gymnasium

    for name in ids():
        scenario = SCENARIOS.get(name.removeprefix("rehearse/"))
        if name not in gymnasium.registry:
            gymnasium.register(
                id=name,
                entry_point=f"{__name__}.single:Sessions",
                vector_entry_point=f"{__name__}.batch:SessionsBatch",
                kwargs={} if scenario is None else {"scenario": scenario},
            )


register()
