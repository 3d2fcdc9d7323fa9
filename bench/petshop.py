"""The shipped ranking of suspects on PetShop's cases (Hardt et al. 2023, CC BY 4.0).

    python -m bench.petshop --data DIR --out FILE

``DIR`` is one traffic scenario: ``graph.csv``, ``noissue/metrics.csv`` and cases
``{train,test}/issue_N`` with ``metrics.csv`` and ``target.json``.  Writes a line {"case",
"ranking"} for each case, most suspicious first; of ``target.json`` only the complaint is read for
it.  Prints the share of cases whose cause comes first and among the first three, for all, for
train and test and for random halves, then the share of windows without an issue, as long as an
issue's, that get an empty answer: each is judged by the other days without its neighbours.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / part) for part in ("", "operator")]

import numpy as np  # noqa: E402 - after the path, so that a plain checkout runs
from numpy.typing import NDArray  # noqa: E402

from prunella.core import model  # noqa: E402
from prunella.core.incidents import anomalies, suspects  # noqa: E402

Floats = NDArray[np.float64]
Table = Mapping[tuple[str, str], Floats]
QUANTITIES = {
    "latency": anomalies.Quantity.LATENCY,
    "availability": anomalies.Quantity.ERRORS,
}
HALVES = 200


def ref(name: str) -> model.Ref:
    """A node of the graph as an object."""
    return model.Ref("Service", "", name)


def read_table(path: Path) -> tuple[Floats, Table]:
    """Times and columns by node and metric: averages and sums, availability as error share."""
    with path.open() as file:
        nodes, metrics, statistics, *rows = csv.reader(file)
    rows = [row for row in rows if row[0].replace(".", "").isdigit()]
    times = np.array([float(row[0]) for row in rows])
    numbers = np.array([[float(x) if x else np.nan for x in row[1:]] for row in rows])
    columns: dict[tuple[str, str], Floats] = {}
    for i, key in enumerate(zip(nodes[1:], metrics[1:], statistics[1:], strict=True)):
        if key[2] in ("Average", "Sum"):
            column = numbers[:, i]
            columns[key[:2]] = 1 - column / 100 if key[1] == "availability" else column
    return times, columns


def read_calls(path: Path) -> dict[model.Ref, list[model.Ref]]:
    """The graph: a 1 in the row of a caller and the column of whom it calls."""
    with path.open() as file:
        head, *rows = csv.reader(file)
    return {
        ref(row[0]): [ref(name) for name, x in zip(head[1:], row[1:], strict=True) if float(x)]
        for row in rows
    }


def measurements(
    usual: Table, recent: Table, times: Floats, metric: str
) -> Iterator[anomalies.Measurement]:
    """All nodes' measurements of a metric; nodes that were never seen before are left out."""
    for (node, name), values in recent.items():
        if name == metric and (node, name) in usual:
            counts = recent.get((node, "requests"), np.ones(1))
            seen = counts[np.isfinite(counts)]
            mean = float(seen.mean()) if len(seen) else 0.0
            yield anomalies.Measurement(
                ref(node), QUANTITIES[metric], usual[node, name], values, times, mean
            )


def rank(
    usual: Table,
    recent: tuple[Floats, Table],
    calls: Mapping[model.Ref, Sequence[model.Ref]],
    node: str,
    metric: str,
) -> list[str]:
    """The names of the suspects for a complaint, first the most suspicious."""
    some = measurements(usual, recent[1], recent[0], metric)
    found = suspects.rank(some, calls, ref(node), QUANTITIES[metric])
    return [each.target.name for each in found]


def places(data: Path, rankings: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """At which place each case's cause stands, from 0; the complaining node is left out."""
    found = {}
    for case, names in rankings.items():
        truth = json.loads((data / case / "target.json").read_text())
        others = [name for name in names if name != truth["target"]["node"]]
        cause = truth["root_cause"]["node"]
        found[case] = others.index(cause) if cause in others else len(others) + 99
    return found


def quiet(
    usual: tuple[Floats, Table],
    calls: Mapping[model.Ref, Sequence[model.Ref]],
    complaints: set[tuple[str, str]],
    length: int,
) -> float:
    """Share of windows of the days without an issue with an empty answer to each complaint."""
    times, table = usual
    answers = []
    for begin in range(0, len(times) - length + 1, length):
        around = slice(max(0, begin - length), begin + 2 * length)
        other = {key: np.delete(values, around) for key, values in table.items()}
        part = slice(begin, begin + length)
        window = times[part], {key: values[part] for key, values in table.items()}
        answers += [
            not rank(other, window, calls, node, metric) for node, metric in sorted(complaints)
        ]
    return float(np.mean(answers))


def table(found: Mapping[str, int]) -> None:
    """Print top-1 and top-3 of all, of train and of test, and how halves differ."""
    for part in ("", "train/", "test/"):
        some = [place for case, place in found.items() if case.startswith(part)]
        shares = [np.mean([place < k for place in some]) for k in (1, 3)] if some else [np.nan] * 2
        print(
            f"{part or 'all':8s}{len(some):3d} cases  top-1 {shares[0]:.3f}  top-3 {shares[1]:.3f}"
        )
    if len(found) < 2:
        return
    all_places, rng = np.array(list(found.values())), np.random.default_rng(0)
    halves = [rng.permutation(all_places)[: len(all_places) // 2] for _ in range(HALVES)]
    low, high = np.quantile([np.mean(half < 1) for half in halves], (0.05, 0.95))
    print(f"random halves, 90 % of them: top-1 {low:.3f} to {high:.3f}")


def main() -> None:
    """Rank all cases, write the rankings, print the figures."""
    parser = argparse.ArgumentParser(description="PetShop's causes by the shipped ranking.")
    parser.add_argument("--data", type=Path, required=True, help="folder of a traffic scenario")
    parser.add_argument("--out", type=Path, required=True, help="lines of case and ranking")
    args = parser.parse_args()
    cases = sorted(args.data.glob("t*/issue_*"))
    if not cases or not (args.data / "noissue" / "metrics.csv").exists():
        parser.error(f"no t*/issue_*/ or no noissue/metrics.csv in {args.data}")
    calls = read_calls(args.data / "graph.csv")
    usual = read_table(args.data / "noissue" / "metrics.csv")
    rankings, complaints, length = {}, set(), 1
    for path in cases:
        target = json.loads((path / "target.json").read_text())["target"]
        recent = read_table(path / "metrics.csv")
        node, metric, length = target["node"], target["metric"], len(recent[0])
        complaints.add((node, metric))
        name = f"{path.parent.name}/{path.name}"
        rankings[name] = rank(usual[1], recent, calls, node, metric)
    with args.out.open("w") as file:
        file.writelines(
            json.dumps({"case": case, "ranking": names}) + "\n" for case, names in rankings.items()
        )
    table(places(args.data, rankings))
    print(f"windows without an issue: {quiet(usual, calls, complaints, length):.3f} empty answers")


if __name__ == "__main__":
    main()
