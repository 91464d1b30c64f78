"""The script that a good engineer would write in an afternoon: read, split, fit, score, save."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl
import skops.io
import yaml
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import accuracy_score, average_precision_score, log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OrdinalEncoder

# The very parameters of the recipe, so that both fit the same trees.
PARAMS = yaml.safe_load(Path(sys.argv[2]).read_text())["params"]

frame = pl.read_parquet(sys.argv[1])
features = [name for name in frame.columns if name != "y"]
categories = [name for name in features if frame.schema[name] == pl.String]
y = (frame["y"] == "yes").to_numpy().astype(np.int64)
rest, test = train_test_split(np.arange(frame.height), test_size=0.2, stratify=y, random_state=0)
train, validation = train_test_split(rest, test_size=0.125, stratify=y[rest], random_state=0)

encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
encoder.fit(frame[train].select(categories).to_numpy())
numbers = frame.select(name for name in features if name not in categories).to_numpy()
x = np.hstack([numbers, encoder.transform(frame.select(categories).to_numpy())]).astype(np.float64)
is_category = [False] * numbers.shape[1] + [True] * len(categories)

model = HistGradientBoostingClassifier(
    **PARAMS,
    early_stopping=True,
    categorical_features=is_category,
    random_state=0,
)
model.fit(x[train], y[train], X_val=x[validation], y_val=y[validation])
probability = model.predict_proba(x[test])[:, 1]
scores = {
    "roc_auc": roc_auc_score(y[test], probability),
    "average_precision": average_precision_score(y[test], probability),
    "log_loss": log_loss(y[test], probability),
    "accuracy": accuracy_score(y[test], probability > 0.5),
}
print(scores, model.n_iter_)
skops.io.dump((encoder, model), "model.skops")
