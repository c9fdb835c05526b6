"""Boltzmann wealth with a lender: people give coins away, and a model decides who of the broke is lent one.

A lender that lends to whoever owes nothing is rehearsed against one that always lends.
"""

import rehearse
from rehearse.agents.cast import Client
from rehearse.agents.model import Rehearsal


class Citizen(Client):
    wealth: int = 1
    debt: int = 0

    def step(self):
        if self.wealth > 1 and self.debt > 0:
            self.wealth, self.debt = self.wealth - 1, self.debt - 1
        elif self.wealth > 0:
            self.wealth -= 1
            self.chance("give").choice(self.model.agents).wealth += 1

    def opens(self):
        return self.wealth == 0

    def worth(self, item):
        return float(item == "lend")

    def settles(self, item):
        """Take the coin; the lender earns interest, and may never see again what it lends to debtors."""
        if item == "refuse":
            return 0.0
        self.wealth, self.debt = self.wealth + 1, self.debt + 1
        return 0.1 - 0.2 * (self.debt - 1)


class Town(Rehearsal):
    items, features = ("lend", "refuse"), ("wealth", "debt")

    def __init__(self, people=60, **given):
        super().__init__(**given)
        Citizen.create_agents(self, people)

    def step(self):
        self.agents.shuffle_do("step")
        super().step()  # the broke meet the lender

    def measures(self):
        wealth = sorted(self.agents.get("wealth"))
        ranks = sum((2 * i + 1 - len(wealth)) * coins for i, coins in enumerate(wealth))
        return {"gini": ranks / len(wealth) / max(sum(wealth), 1), "debt": self.agents.agg("debt", sum)}


def careful(person: dict) -> str:
    return "lend" if person["debt"] == 0 else "refuse"


def generous(person: dict) -> str:
    return person["items"][0]


for lender in (careful, generous):
    played = rehearse.play(Town, policy=lender, replicas=5, ticks=30, seed=1)
    gini, debt, gain = played.measure("gini"), played.measure("debt"), played.turns["reward"].sum()
    print(f"Lends in {played.share('lend'):.0%} of {played.turns.length} meetings, at a gain of {gain:.1f}.")
    print(f"  Gini {gini.estimate:.2f} ({gini.low:.2f} to {gini.high:.2f}), {debt.estimate:.0f} coins owed.")
print("Digest", played.digest[:16])
