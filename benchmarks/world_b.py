"""World B: what every score was predicted to do on it, beside what it did.

    python benchmarks/world_b.py

Scores the shipped model of FoolingWorld (`load_causal_lm("fooling-world")`, made by `workbench train-persona --world
fooling-world`) on 512 texts of each mechanism, and prints the measured numbers beside those of `data/predictions.toml`,
which were committed before any model had been trained on that world and are never changed. Two minutes on one core.
Writes `benchmarks/results/world_b.csv` and `.md`.
"""

from __future__ import annotations

import tomllib

import pandas as pd

from workbench.language import load_causal_lm
from workbench.settings import ROOT, settings
from workbench.tokens.worlds import MECHANISMS
from workbench.tokens.worlds.measures import fooled

RESULTS = ROOT / "benchmarks" / "results"


def beside(measured: pd.DataFrame, predicted: dict) -> pd.DataFrame:
    """The measured table with predicted ranges and a verdict, which is empty where nothing was predicted."""
    ranges = [predicted[row.mechanism].get(row.measure, (None, None)) for row in measured.itertuples()]
    table = measured.assign(predicted_low=[low for low, _ in ranges], predicted_high=[high for _, high in ranges])
    table = table.astype({"predicted_low": float, "predicted_high": float})
    table["verdict"] = "as predicted"
    table.loc[table["value"] > table["predicted_high"], "verdict"] = "higher"
    table.loc[table["value"] < table["predicted_low"], "verdict"] = "lower"
    table.loc[table["predicted_low"].isna(), "verdict"] = ""
    return table


def page(table: pd.DataFrame, predicted: dict) -> str:
    """The results as Markdown."""
    made = table[table["verdict"] != ""]
    right = (made["verdict"] == "as predicted").sum()
    lines = ["# World B, written to break the scores", "", "Made by `python benchmarks/world_b.py`.", ""]
    lines += [
        f"{right} of {len(made)} predicted numbers came out in their range. The predictions were committed before"
    ]
    lines += [
        "any model had been trained on this world (`data/predictions.toml`); none was changed. Most of them follow"
    ]
    lines += [
        "from how the world is made by arithmetic: what was tested is that a trained model does as the arithmetic"
    ]
    lines += ["says, and the ranges are wide where it is silent (attention, small remainders).", ""]
    for mechanism in MECHANISMS:
        lines += [
            f"## {mechanism}",
            "",
            f"Why: {predicted[mechanism].get('why', 'the control, where nothing is done')}.",
        ]
        lines += ["", "| measure | predicted | measured | verdict |", "|---|---|---|---|"]
        for r in table[table["mechanism"] == mechanism].itertuples():
            interval = "" if pd.isna(r.low) else f" [{r.low:.3f}, {r.high:.3f}]"
            told = f"{r.predicted_low:.2f} to {r.predicted_high:.2f}" if r.verdict else ""
            lines.append(f"| {r.measure} | {told} | {r.value:.3f}{interval} | {r.verdict} |")
        lines.append("")
    plain = table[table["mechanism"] == "plain"].set_index("measure")["value"]
    found, share = plain["cause_found"], plain["share_of_pir_on_other_words"]
    end = f"""Two numbers for the plain texts stand in comments of the predictions: leave-one-out finds the cause of
.95 or more of the words d (measured {found:.3f}), and less than .03 of PIR lies on words that are not personal
(measured {share:.3f}).

512 texts of each mechanism by as many users; generated words, one model of 118,848 parameters, one seed: what a score
does where the truth is planted, and no evidence about language models at large.
"""
    return "\n".join(lines) + "\n" + end


def main() -> None:
    predicted = tomllib.loads((settings().data / "predictions.toml").read_text(encoding="utf-8"))["world_b"]
    table = beside(fooled(*load_causal_lm("fooling-world")), predicted)
    RESULTS.mkdir(exist_ok=True)
    table.to_csv(RESULTS / "world_b.csv", index=False, float_format="%.4f")
    text = page(table, predicted)
    (RESULTS / "world_b.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
