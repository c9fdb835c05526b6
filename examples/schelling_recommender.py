"""Schelling's neighbourhoods with a housing recommender: who lives among strangers is shown another home.

Showing the home with most neighbours of one's own kind is rehearsed against showing, of the homes where
people would be content, the most mixed. Homes are the nodes of a networkx grid.
"""

from statistics import fmean

import networkx as nx

import rehearse
from rehearse.agents.cast import Client
from rehearse.agents.model import Rehearsal

WANTED = 0.4  # the share of neighbours of their own kind from which people are content


class Resident(Client):
    kin: int = 0
    home: tuple = ()

    def alike(self, home):
        around = [self.model.lives.get(place) for place in self.model.grid[home]]
        others = [resident.kin for resident in around if resident not in {None, self}]
        return others.count(self.kin) / max(len(others), 1)

    def homes(self):
        return dict(zip(self.model.items, self.chance("homes").sample(self.model.empty, 3), strict=True))

    def opens(self):
        return self.alike(self.home) < WANTED

    def tells(self):
        return {name: self.alike(home) for name, home in self.homes().items()}

    def worth(self, item):
        return min(self.alike(self.homes()[item]), WANTED)

    def settles(self, item):
        new = self.homes()[item]
        self.model.empty[self.model.empty.index(new)] = self.home
        self.model.lives[new], self.home = self.model.lives.pop(self.home), new
        return 1.0


class City(Rehearsal):
    items = features = ("first", "second", "third")
    one_by_one = True

    def __init__(self, side=10, empty=20, **given):
        super().__init__(**given)
        self.grid = nx.grid_2d_graph(side, side, periodic=True)
        homes = self.random.sample(list(self.grid), side * side)
        self.empty, taken = homes[:empty], homes[empty:]
        Resident.create_agents(self, len(taken), kin=[i % 2 for i in range(len(taken))], home=taken)
        self.lives = {resident.home: resident for resident in self.agents}

    def measures(self):
        alike = [resident.alike(resident.home) for resident in self.agents]
        return {"alike": fmean(alike), "content": fmean(share >= WANTED for share in alike)}


def same(person: dict) -> str:
    return max(person["items"], key=person.get)


def mixed(person: dict) -> str:
    return min(person["items"], key=lambda home: (person[home] < WANTED, person[home]))


for recommender in (same, mixed):
    played = rehearse.play(City, policy=recommender, replicas=4, ticks=8, seed=3)
    alike, content = played.measure("alike"), played.measure("content")
    print(f"{recommender.__name__}: {played.turns.length} homes shown, {content.estimate:.0%} are content.")
    print(f"  {alike.estimate:.0%} of neighbours are alike ({alike.low:.0%} to {alike.high:.0%}).")
print("Digest", played.digest[:16])
