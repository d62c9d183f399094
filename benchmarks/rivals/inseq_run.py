"""PIR from inseq, token by token, timed: `contrast_prob_diff(logprob=True)`, which evaluates the
model once a token.

Reads `job.json` {model, threads, texts: [[prompt with, prompt without, response], ...]}; writes
`result.json` {seconds: [...], values: [[...], ...], versions}. The first text is scored once more
before the clock starts.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import inseq
import torch
from measure import clock


def main() -> None:
    job = json.loads(Path("job.json").read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    model = inseq.load_model(job["model"], "dummy")  # no attribution, step scores alone
    options = {"step_scores": ["contrast_prob_diff"], "logprob": True, "show_progress": False}

    def score(with_: str, without: str, response: str) -> list[float]:
        found = model.attribute(
            with_, with_ + response, contrast_targets=without + response, **options
        )
        return found.sequence_attributions[0].step_scores["contrast_prob_diff"].tolist()

    score(*job["texts"][0][:2], " ".join(job["texts"][0][2].split()[:4]))
    timed = [clock(score, *text) for text in job["texts"]]
    names = ("inseq", "torch", "transformers", "captum", "typeguard", "numpy")
    result = {
        "seconds": [seconds for seconds, _ in timed],
        "values": [values for _, values in timed],
    }
    result["versions"] = {name: version(name) for name in names}
    Path("result.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
