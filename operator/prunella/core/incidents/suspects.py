"""Who of those that a sick object depends on is the likely cause.

Harm adds up along calls: a caller is as much slower as its callees are, times how often it calls
them, and fails as often as they do.  So each abnormal object's harm - seconds lost or requests
failed, beyond what is usual - is set against that of the abnormal objects that it calls.  What
they do not explain is its own, and who has most harm of its own is suspected first.  A database
that is 2 ms slower, however rare that is, does not explain a second lost above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from prunella.core import model
from prunella.core.incidents import anomalies, topology, values

ABNORMAL = 0.75
"""Strength from which an object's harm counts: below what is rare, as something nearby is sick."""
CLEAR = 1.25
"""Strength that alone is proof that something is wrong."""
AGREED = 1.0
"""Strength that is proof if the object that was complained of is abnormal too."""
TIE = 0.05
"""Of two whose shares of the harm differ by less, the one that fell sick first comes first."""
PASSED_ON = 0.02
"""What an object keeps of a harm that its callees explain: it stays in the ranking, far below."""

Found = Mapping[model.Ref, anomalies.Anomaly]


def rank(
    measurements: Iterable[anomalies.Measurement],
    calls: topology.Links,
    symptom: model.Ref,
    quantity: anomalies.Quantity,
) -> tuple[values.Suspect, ...]:
    """The suspects for what is wrong at the symptom, most suspicious first.

    Only what the symptom depends on is looked at, itself included.  Scores are shares of the
    harm and sum to 1.  Empty when nothing is abnormal, or nothing is known.
    """
    below = _below(symptom, calls)
    judged = {
        each.target: anomalies.judge(each)
        for each in measurements
        if each.quantity is quantity and each.target in below
    }
    known = {target: each for target, each in judged.items() if each is not None}
    if not _proof(known, symptom):
        return ()
    abnormal = {
        target: each
        for target, each in known.items()
        if each.strength >= ABNORMAL and each.harm > 0
    }
    own = {target: _own(target, abnormal, calls) for target in abnormal}
    total = sum(own.values())
    shares = {target: value / total for target, value in own.items() if total > 0}
    order = sorted(shares, key=lambda target: _key(shares[target], abnormal[target]))
    return tuple(_suspect(target, shares[target], abnormal, calls) for target in order)


def _proof(known: Found, symptom: model.Ref) -> bool:
    """Whether anything is wrong: one clear anomaly, or a lesser one and the symptom itself."""
    most = max((each.strength for target, each in known.items() if target != symptom), default=0.0)
    there = known[symptom].strength if symptom in known else 0.0
    return max(most, there) >= CLEAR or (most >= AGREED and there >= ABNORMAL)


def _below(symptom: model.Ref, calls: topology.Links) -> set[model.Ref]:
    """All that an object depends on, by calls of calls."""
    found, edge = {symptom}, [symptom]
    while edge:
        edge = sorted({each for caller in edge for each in calls.get(caller, ())} - found)
        found.update(edge)
    return found


def _own(target: model.Ref, abnormal: Found, calls: topology.Links) -> float:
    """The harm that the object's callees do not explain, and a little of what they do."""
    harm = abnormal[target].harm
    explained = sum(each.harm for each in _sick_callees(target, abnormal, calls))
    return max(harm - explained, PASSED_ON * harm)


def _sick_callees(
    target: model.Ref, abnormal: Found, calls: topology.Links
) -> Sequence[anomalies.Anomaly]:
    callees = sorted(set(calls.get(target, ())) - {target})
    return [abnormal[each] for each in callees if each in abnormal]


def _key(share: float, anomaly: anomalies.Anomaly) -> tuple[float, float, float, model.Ref]:
    """The greater share first; among equals the earlier, then the greater again."""
    onset = float("inf") if anomaly.onset is None else anomaly.onset
    return (-round(share / TIE), onset, -share, anomaly.measurement.target)


def _suspect(
    target: model.Ref, share: float, abnormal: Found, calls: topology.Links
) -> values.Suspect:
    anomaly = abnormal[target]
    evidence = [
        values.Evidence("anomaly", anomaly.sentence(), anomaly.onset, anomaly.strength),
        values.Evidence("topology", _explained(target, abnormal, calls), weight=share),
    ]
    return values.Suspect(target, share, tuple(evidence))


def _explained(target: model.Ref, abnormal: Found, calls: topology.Links) -> str:
    """What the object's callees say of its harm."""
    anomaly, callees = abnormal[target], _sick_callees(target, abnormal, calls)
    latency = anomaly.measurement.quantity is anomalies.Quantity.LATENCY
    unit = "s lost per sample" if latency else "requests failed per sample"
    if not callees:
        return f"nothing that it calls is abnormal, {anomaly.harm:.3g} {unit} are its own"
    most = max(callees, key=lambda each: each.harm)
    explained = sum(each.harm for each in callees)
    return (
        f"{len(callees)} of what it calls are abnormal and explain {explained:.3g} of its "
        f"{anomaly.harm:.3g} {unit}, most of it {most.measurement.target}"
    )
