"""Train a model on half of the real travellers, save it with skops, and rehearse it.

Needs the extra `sklearn`: pip install 'rehearse[sklearn]'. The file that this writes can be given
to the command line as well:

    rehearse run travel --policy traveller_model.skops
"""

import pandas as pd
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import rehearse
from rehearse.environments.travel import MODES, table

# What each of the 210 travellers faced, and what the model may see of it in the scenario `travel`.
travellers = table()
seen = [*(f"gc_{way}" for way in MODES), *(f"ttme_{way}" for way in MODES), "hinc"]
faced = pd.DataFrame({name: travellers[name] for name in seen})
chosen = pd.Series([MODES[way] for way in travellers["chosen"]])

# Every other traveller trains the model; the rest say how well it predicts.
training = faced.index % 2 == 0
model = make_pipeline(StandardScaler(), LogisticRegression(C=10.0, max_iter=1000))
model.fit(faced[training], chosen[training])
right = int((model.predict(faced[~training]) == chosen[~training]).sum())
print(f"Predicts what {right} of the {int((~training).sum())} other travellers chose.")

skops.io.dump(model, "traveller_model.skops")

# Predicting what people chose is one thing, serving them well is another: that is what a rehearsal shows.
result = rehearse.run("travel", policy="traveller_model.skops", ticks=10, seed=7)
print("The verdict is", result.verdict)
for criterion in result.criteria:
    print(f"  {criterion['verdict']:<7}{criterion['metric']}")
