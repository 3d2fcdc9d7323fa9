"""What a case names must be there, and lie within its time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prunella.policytest import cases, fields, judge, run, timeline

Problem = tuple[judge.Path, str]


def problems(test: cases.PolicyTest, policies: Sequence[timeline.Policy]) -> Iterator[Problem]:
    """Where, and what is wrong there."""
    shared = [each.key for each in test.series]
    if len(set(shared)) != len(shared):
        yield ("series",), "two series have the same labels: only one of them can be written"
    for number, case in enumerate(test.cases):
        for path, message in _case_problems(test, case, policies):
            yield ("cases", number, *path), message


def _case_problems(
    test: cases.PolicyTest, case: cases.Case, policies: Sequence[timeline.Policy]
) -> Iterator[Problem]:
    namespace = test.namespace or policies[0].key.namespace
    known = {str(ref) for ref in run.workloads(test, case, namespace)}
    if not known:
        yield (), "no workload is there: give objects"
        return
    own = [each.key for each in case.series]
    if len(set(own)) != len(own):
        yield ("series",), "two series have the same labels: only one of them can be written"
    for path, name in (*_named(case), *_named_by_incidents(case), *_named_by_series(test, case)):
        ref = str(fields.ref(name, namespace))
        if ref not in known:
            yield path, f"{ref} is not among the objects: {', '.join(sorted(known))}"
    names = {policy.key.name for policy in policies}
    for path, name in _named_policies(case):
        if name not in names:
            yield path, f"no policy {name}: {', '.join(sorted(names))}"
    yield from _ambiguous(case, len(known), len(policies))
    yield from _out_of_time(test.clock_of(case), case)


def _named(case: cases.Case) -> Iterator[tuple[judge.Path, str]]:
    for number, event in enumerate(case.events):
        path: judge.Path = ("events", number)
        for name in (*(event.set_image or ()), *(event.scale or ()), *(event.run_job or ())):
            yield path, name
        if event.delete is not None:
            yield path, event.delete
    expect = case.expect
    for field in ("checks", "effects", "refusals"):
        for number, each in enumerate(getattr(expect, field)):
            if each.target is not None:
                yield ("expect", field, number), each.target
    for name in expect.final.workloads:
        yield ("expect", "final", "workloads", name), name
    for number, record in enumerate(expect.final.remediations or ()):
        if record.target is not None:
            yield ("expect", "final", "remediations", number), record.target


def _named_by_incidents(case: cases.Case) -> Iterator[tuple[judge.Path, str]]:
    """Other objects than workloads need not be there: a Service, a node."""
    for number, incident in enumerate(case.incidents):
        for name in (incident.suspect, *incident.symptoms):
            if name.rpartition("/")[0] in {"", *fields.WORKLOAD_KINDS}:
                yield ("incidents", number), name


def _named_by_series(test: cases.PolicyTest, case: cases.Case) -> Iterator[tuple[judge.Path, str]]:
    for number, each in enumerate(case.series):
        if each.target is not None:
            yield ("series", number), each.target
    for number, alert in enumerate(case.alerts):
        if alert.target is not None:
            yield ("alerts", number), alert.target
    for target in (each.target for shared in (test.series, test.alerts) for each in shared):
        if target is not None:
            yield (), target


def _named_policies(case: cases.Case) -> Iterator[tuple[judge.Path, str]]:
    for number, check in enumerate(case.expect.checks):
        if check.policy is not None:
            yield ("expect", "checks", number), check.policy
    for number, refusal in enumerate(case.expect.refusals):
        if refusal.policy is not None:
            yield ("expect", "refusals", number), refusal.policy
    for number, event in enumerate(case.events):
        if event.resume is not None:
            yield ("events", number), event.resume


def _ambiguous(case: cases.Case, workloads: int, policies: int) -> Iterator[Problem]:
    for field in ("checks", "refusals"):
        for number, each in enumerate(getattr(case.expect, field)):
            path: judge.Path = ("expect", field, number)
            if each.target is None and workloads > 1:
                yield path, f"which of {workloads} workloads? give target"
            if each.policy is None and policies > 1:
                yield path, f"which of {policies} policies? give policy"


def _out_of_time(clock: cases.Clock, case: cases.Case) -> Iterator[Problem]:
    end, begin = clock.run.total_seconds(), -clock.history.total_seconds()
    for number, event in enumerate(case.events):
        if not begin <= event.at <= end:
            yield ("events", number), _outside(event.at, begin, end)
    for number, incident in enumerate(case.incidents):
        if not begin <= incident.from_ <= end:
            yield ("incidents", number), _outside(incident.from_, begin, end)
    for number, check in enumerate(case.expect.checks):
        if not 0 <= check.at <= end:
            yield ("expect", "checks", number), _outside(check.at, 0.0, end)


def _outside(at: float, begin: float, end: float) -> str:
    whole = f"{fields.clock_time(begin)} to {fields.clock_time(end)}"
    return f"{fields.clock_time(at)} is outside of the story, which goes from {whole}"
