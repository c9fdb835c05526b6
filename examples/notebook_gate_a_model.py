# %% [markdown]
# # Gate a model before it ships
# For an ML engineer: rehearse the candidate, read the verdict, look at the cases that fail, ask what
# would have been, and compare it with the model in production. A result at the end of a cell shows itself.

# %%
from pathlib import Path

import rehearse

SMALL = {"users": 300, "ticks": 6, "replicas": 4, "seed": 11}

# %% [markdown]
# ## The verdict
# A bank lends to two groups. The candidate is the scenario's own; each criterion is judged with its interval.

# %%
candidate = rehearse.run("lending", out="runs/candidate", **SMALL)
print(candidate)

# %% [markdown]
# ## The cases that fail
# Each is a labelled row to retrain on: what the model saw, answered, and should have.

# %%
failing = rehearse.export(candidate.folder, "failing.csv", only=["wrong"])
print(f"{failing.cases:,} wrong answers in {failing.file}: {failing.reasons}")

# %% [markdown]
# ## What if everybody's score were 40 points higher?
# The same people with the same luck are lived again.

# %%
lifted = rehearse.counterfactual(candidate.folder, instead="score+40", out="runs/lifted")
print(f"{lifted.flipped:,} of {lifted.turns:,} answers flip; {lifted.touched:,} lives change.")
print(list(lifted.charts()))

# %% [markdown]
# ## Against the model in production
# Paired by person: both models met the very same people.

# %%
production = rehearse.run("lending", policy="random-v1", out="runs/production", **SMALL)
found = rehearse.compare(production.folder, candidate.folder)
for row in found.differences:
    if row.metric in {"goal_completion", "acceptance", "rightness", "regret", "reward"}:
        print(f"{row.metric:<16} {row.difference:+.3f}  ({row.low:+.3f} to {row.high:+.3f})  {row.change}")

# %%
charts = found.charts()
for name in list(charts)[:2]:
    print(charts[name].save(Path("pictures") / f"{name}.csv"), "holds", len(charts[name].rows), "rows")
