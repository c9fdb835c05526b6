"""An epidemic with a vaccine allocator: three doses a day, and a model that says who gets one.

Giving them to whoever comes first is rehearsed against giving them to those with many contacts.
"""

import networkx as nx

import rehearse
from rehearse.agents.cast import Client
from rehearse.agents.model import Rehearsal

WELL, SICK, IMMUNE = 0, 1, 2


class Inhabitant(Client):
    status: int = WELL

    def step(self):
        luck = self.chance("illness")
        for friend in self.friends if self.status == SICK else ():
            if friend.status == WELL and luck.random() < 0.05:
                friend.status = SICK
        if self.status == SICK and luck.random() < 0.1:
            self.status = IMMUNE

    def opens(self):
        return self.status == WELL and self.chance("ask").random() < 0.2

    def offered(self):
        return ("vaccinate", "wait") if self.model.doses else ("wait",)

    def tells(self):
        return {"contacts": len(self.friends)}

    def worth(self, item):
        return float(item == "vaccinate") * len(self.friends)

    def settles(self, item):
        if item == "vaccinate":
            self.status, self.model.doses = IMMUNE, self.model.doses - 1
        return 0.0


class Country(Rehearsal):
    items, features = ("vaccinate", "wait"), ("contacts",)
    one_by_one = True

    def __init__(self, people=120, sick=3, **given):
        super().__init__(**given)
        Inhabitant.create_agents(self, people)
        self.tie(nx.barabasi_albert_graph(people, 3, seed=self.random))
        self.agents.shuffle().select(at_most=sick).set("status", SICK)

    def step(self):
        self.doses = 3
        self.agents.do("step")
        super().step()  # those who are well may ask for a dose, one after another

    def measures(self):
        return {"sick": len(self.agents.select(where=lambda people: people["status"] == SICK))}


def first_come(person: dict) -> str:
    return person["items"][0]


def by_contacts(person: dict) -> str:
    return "vaccinate" if "vaccinate" in person["items"] and person["contacts"] >= 5 else "wait"


for allocator in (first_come, by_contacts):
    played = rehearse.play(Country, policy=allocator, replicas=4, ticks=30, seed=1)
    worst = max(played.measure("sick", tick=tick).estimate for tick in range(30))
    doses = played.share("vaccinate") * played.turns.length / 4
    print(f"{allocator.__name__}: {doses:.0f} doses, {worst:.1f} of 120 people sick on the worst day.")
print("Digest", played.digest[:16])
