"""Train a policy by policy gradient in the scenario `travel`, then rehearse it.

Needs the extra `gym`: pip install 'rehearse[gym]'. The policy is a softmax over linear scores of what a model
may see of a traveller; it learns from whether people take what it proposes (Williams' REINFORCE, 1992).
"""

import sys

import numpy as np

import rehearse

try:
    import gymnasium

    from rehearse.experiments.gym import as_policy
except ImportError:
    print("This example needs the extra gym: pip install 'rehearse[gym]'")
    sys.exit()

CHAIRS, STEPS, RATE = 512, 150, 0.5
rng = np.random.default_rng(1)

# 512 travellers at a time, out of 5,000; whoever's session ends makes room for the next.
envs = gymnasium.make_vec("rehearse/Scenario-v1", num_envs=CHAIRS, scenario="travel", users=5000)
seen, _ = envs.reset(seed=11)
centre, spread = seen.mean(axis=0), seen.std(axis=0) + 1.0
weights = np.zeros((seen.shape[1] + 1, envs.single_action_space.n))


def chances(observations):
    """Return the inputs of the scores (n, f + 1) and the chance of each item (n, m)."""
    inputs = np.column_stack([(observations - centre) / spread, np.ones(len(observations))])
    scores = inputs @ weights
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return inputs, odds / odds.sum(axis=1, keepdims=True)


rewards = []
for _ in range(STEPS):
    inputs, likely = chances(seen)
    actions = (likely.cumsum(axis=1) < rng.random((CHAIRS, 1))).sum(axis=1).clip(0, likely.shape[1] - 1)
    seen, reward, terminated, truncated, infos = envs.step(actions)
    better = reward - reward.mean()
    taken = np.eye(likely.shape[1])[actions]
    weights += RATE * inputs.T @ ((taken - likely) * better[:, None]) / CHAIRS
    rewards.append(reward.mean())

print(f"Proposals that were taken, first ten steps: {100 * np.mean(rewards[:10]):.0f} %")
print(f"Proposals that were taken, last ten steps:  {100 * np.mean(rewards[-10:]):.0f} %")


def act(observations, masks):
    """Propose the likeliest way that a person can have."""
    return np.where(masks, chances(observations)[1], -1.0).argmax(axis=1)


# What pays in the environment is not all that a scenario asks of a model: that is what a rehearsal shows.
trained = rehearse.run("travel", policy=as_policy(act), ticks=10, seed=7)
chance = rehearse.run("travel", policy="random-v1", ticks=10, seed=7)
print(f"The verdict is {trained.verdict}; on proposals at random, {chance.verdict}.")
for criterion in trained.criteria:
    print(f"  {criterion['verdict']:<7}{criterion['metric']}")
