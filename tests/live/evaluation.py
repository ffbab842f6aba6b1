"""Run with lm-evaluation-harness's Python: `evaluation.py URL DATA.json`. Writes, for each question of a multiple-choice
task, the log-likelihood of every choice and which one was taken."""

import json
import sys

import lm_eval  # type: ignore[import-not-found]


def main(url: str, data: str) -> None:
    task = {
        "task": "capitals",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": data}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": "choices",
        "doc_to_target": "label",
        "metric_list": [{"metric": "acc"}],
    }
    arguments = {"model": "any", "base_url": f"{url}/v1/completions", "num_concurrent": 4, "batch_size": 2}
    results = lm_eval.simple_evaluate(
        model="local-completions", model_args=arguments, tasks=[task], log_samples=True, bootstrap_iters=0
    )
    samples = sorted(results["samples"]["capitals"], key=lambda sample: sample["doc_id"])
    told = [[float(likelihood) for likelihood, _ in sample["filtered_resps"]] for sample in samples]
    sys.stdout.write(
        "RESULT " + json.dumps({"likelihoods": told, "accuracy": results["results"]["capitals"]["acc,none"]})
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
