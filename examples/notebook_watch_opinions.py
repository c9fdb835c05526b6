# %% [markdown]
# # Watch what a recommender does to opinions
# For a researcher: a Mesa model in which people move towards what they read, unless it is too far from what
# they think (bounded confidence, as in Deffuant and others, 2000), and a recommender decides what that is.

# %%
import networkx as nx
import numpy as np

import rehearse
from rehearse.agents.cast import Client
from rehearse.agents.model import Rehearsal

# %% [markdown]
# ## The people and their society
# They are Mesa agents: annotations are columns, `step` is theirs, `model.tie` takes a networkx graph.

# %%
NEAR, STEP = 0.3, 0.4


class Person(Client):
    opinion: float = 0.5

    def worth(self, item):
        """Like what says what one thinks: the items are opinions, from one end to the other."""
        return 1.0 - abs(self.opinion - self.model.stance(item))

    def settles(self, item):
        """Move towards what was read, unless it is too far away."""
        stance = self.model.stance(item)
        if abs(stance - self.opinion) < NEAR:
            self.opinion += STEP * (stance - self.opinion) * 0.2
        return 1.0 - abs(self.opinion - stance)

    def talk(self):
        for friend in self.friends[:2]:
            if abs(friend.opinion - self.opinion) < NEAR:
                self.opinion += 0.1 * STEP * (friend.opinion - self.opinion)


class Town(Rehearsal):
    items, features = ("left", "middle", "right"), ("opinion",)

    def __init__(self, people=60, **given):
        super().__init__(**given)
        Person.create_agents(self, people)
        for person in self.agents:
            person.opinion = person.chance("birth").random()
        self.tie(nx.watts_strogatz_graph(people, 4, 0.1, seed=1))

    def stance(self, item):
        return {"left": 0.1, "middle": 0.5, "right": 0.9}[item]

    def step(self):
        self.agents.do("talk")
        super().step()  # everybody meets the recommender

    def measures(self):
        opinion = np.array(self.agents.get("opinion"))
        return {"spread": opinion.std(), "extreme": np.mean(np.abs(opinion - 0.5) > 0.35)}


# %% [markdown]
# ## Two recommenders
# One shows people what they think already, the other the middle.


# %%
def mirror(person: dict) -> str:
    return "left" if person["opinion"] < 0.35 else "right" if person["opinion"] > 0.65 else "middle"


def moderate(person: dict) -> str:
    return person["items"][1]


played = {
    each.__name__: rehearse.play(Town, policy=each, replicas=4, ticks=20, seed=3)
    for each in (mirror, moderate)
}
for name, found in played.items():
    print(f"{name}: {found}")

# %% [markdown]
# ## The charts
# `played["mirror"]` at the end of a cell shows them; each can be saved, here as the data that it draws.

# %%
for name, found in played.items():
    chart = found.charts()["spread"]
    first, last = chart.rows[0], chart.rows[-1]
    print(f"{name}: spread {first['mean']:.3f} to {last['mean']:.3f}, in", chart.save(f"spread-{name}.csv"))

# %% [markdown]
# ## The same question to a built-in society
# The people of the catalogue influence each other too. Measures of emergence are asked for by name, and each
# has an interval over replicas. `rehearse.read("runs/travel")` opens the run again another day.

# %%
follow = {"people.society.emergence.measures": ["clusters", "echo", "segregation"]}
society = rehearse.run("travel", users=120, ticks=10, replicas=4, out="runs/travel", settings=follow)
charts = society.charts()
for name in ("polarisation", "echo"):
    first, last = charts[name].rows[0], charts[name].rows[-1]
    print(f"{name}: {first['mean']:.3f} to {last['mean']:.3f} ({last['low']:.3f} to {last['high']:.3f})")
print(f"{charts['ties'].title}: {len(charts['ties'].rows)} ties")
