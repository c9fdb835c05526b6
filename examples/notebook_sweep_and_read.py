# %% [markdown]
# # Sweep, and read what matters
# For somebody with many configurations: a plan, its runs, one table, the best point, and which axis matters.

# %%
import rehearse

# %% [markdown]
# ## The plan
# Axes are dotted paths of the scenario; every point gets the same seeds, so that points meet the same people.

# %%
plan = {
    "scenario": "travel",
    "set": {"people.count": 40, "time.ticks": 3, "replicas": 1},
    "axes": {
        "policy": ["greedy-v1", "random-v1"],
        "people.behaviour.outside": {"range": [0.2, 0.6], "steps": 3},
    },
    "seeds": 4,
}
swept = rehearse.sweep(plan, out="sweeps/travel", jobs=0)
print(swept)

# %% [markdown]
# ## One table, in SQL
# A row a run and metric; `swept.table("pandas")` and `"polars"` are the same as frames.

# %%
found = swept.query(
    """SELECT policy, count(DISTINCT run) AS runs, round(avg(estimate), 3) AS regret
    FROM results WHERE metric = 'regret' GROUP BY policy ORDER BY policy"""
)
for row in zip(*(found[name].tolist() for name in found), strict=True):
    print(dict(zip(found, row, strict=True)))

best = swept.best("goal_completion")
print(
    f"Best: {best['policy']} at {best['people.behaviour.outside']}, {best['mean']:.3f} ± {best['error']:.3f}"
)

# %% [markdown]
# ## What matters, and the charts
# `swept` or a chart at the end of a cell draws it; `.save("x.svg")` and `"x.png"` need the extra `pictures`.

# %%
charts = swept.charts("goal_completion")
print(charts)
for bar in charts["goal-completion-sensitivity"].rows:
    print(f"{bar['what']} alone explains {bar['value']:.0%} of the variance between points.")
print(charts["goal-completion-by-policy"].save("by-policy.csv").read_text().splitlines()[0])

# %% [markdown]
# ## Gone on with
# The next day the folder is all that is needed; a sweep that was interrupted goes on with `resume=True`.

# %%
again = rehearse.read("sweeps/travel")
print(again.best("regret")["policy"], "has the least regret,", len(again.axes), "axes were swept.")
