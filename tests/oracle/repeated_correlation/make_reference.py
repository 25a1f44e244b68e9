"""Write reference.json: repeated measures correlation by statsmodels' analysis of covariance.

Run by hand: ``python make_reference.py`` with numpy, pandas, pingouin and statsmodels.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pingouin
import statsmodels
import statsmodels.formula.api as smf
from statsmodels.stats.anova import anova_lm

HERE = Path(__file__).parent
DATA = HERE.parent / "stats_reference" / "data" / "parallel3x3.csv"
FACTORS = {"plain": "", "sessions_out": " + C(arm):C(session)", "motion_out": " + fd_mean"}


def ancova(table: pd.DataFrame, outcome: str, beside: str) -> dict[str, float]:
    """Give the correlation of Bakdash and Marusich (2017) from sums of squares."""
    fit = smf.ols(f"{outcome} ~ C(subject){beside} + cadss", table).fit()
    rows = anova_lm(fit, typ=2)
    of_score, error = rows.loc["cadss", "sum_sq"], rows.loc["Residual", "sum_sq"]
    r = np.sign(fit.params["cadss"]) * np.sqrt(of_score / (of_score + error))
    return {"r": float(r), "df": float(fit.df_resid), "p": float(rows.loc["cadss", "PR(>F)"])}


table = pd.read_csv(DATA)
missing = table.drop(index=[1, 5, 40, 41, 100])
found = {
    "made_with": {"statsmodels": statsmodels.__version__, "pingouin": pingouin.__version__},
    "dropped_rows": [1, 5, 40, 41, 100],
}
for data, rows in (("complete", table), ("missing", missing)):
    found[data] = {
        outcome: {name: ancova(rows, outcome, beside) for name, beside in FACTORS.items()}
        for outcome in ("roi3", "roi4")
    }
    for outcome, answers in found[data].items():
        theirs = pingouin.rm_corr(data=rows, x="cadss", y=outcome, subject="subject")
        answers["pingouin_rm_corr"] = float(theirs["r"].iloc[0])
        means = rows.groupby("subject")[["cadss", outcome]].mean()
        answers["between"] = float(np.corrcoef(means.T)[0, 1])
        ranked = rows.assign(cadss=rows["cadss"].rank(), **{outcome: rows[outcome].rank()})
        answers["ranks"] = ancova(ranked, outcome, "")
(HERE / "reference.json").write_text(json.dumps(found, indent=1) + "\n")
