"""The command ``prunella compile``."""

# ruff: noqa: A001 - a command of this name

from __future__ import annotations

import enum
import pathlib
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prunella.cli import errors, options

if TYPE_CHECKING:
    from prunella.api import policy as policy_api
    from prunella.core import objects
    from prunella.core.recording import rules
    from prunella.core.signals import compiled

    _Policies = Iterator[tuple[objects.Key, policy_api.RemediationPolicySpec]]

HEADER = "# Written by `prunella compile`: change the policy, then compile it again.\n"


class Format(enum.StrEnum):
    """What is written."""

    PROMETHEUS_RULE = "prometheusrule"
    RULES = "rules"


LabelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--label", metavar="KEY=VALUE", help="Label of the PrometheusRule. Can be repeated."
    ),
]
NamespaceLabelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--namespace-label",
        metavar="SOURCE=LABEL",
        help="The label that holds the namespace in a source, if not `namespace`.",
    ),
]


def compile(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    file: Annotated[str, typer.Argument(metavar="FILE", help="A policy, or - for standard input.")],
    format_: Annotated[
        Format, typer.Option("--format", help="rules: a plain file, for a ruler without operator.")
    ] = Format.PROMETHEUS_RULE,
    out: Annotated[
        pathlib.Path | None, typer.Option("--out", help="Write there instead of the terminal.")
    ] = None,
    tests: Annotated[
        pathlib.Path | None,
        typer.Option("--tests", help="Also write a file for `promtool test rules`."),
    ] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Of policies that name none.")
    ] = None,
    label: LabelOption = None,
    namespace_label: NamespaceLabelOption = None,
    matcher: options.MatcherOption = None,
) -> None:
    """Write recording rules that compute baselines and burn rates of a policy.

    A policy with `evaluation: Rules` reads their results. Exit code 2: the policy has errors, or
    asks for what recording rules can't compute.
    """
    from prunella.core.recording import manifests  # noqa: PLC0415 - see main

    labels = options.pairs("--label", label)
    named = options.pairs("--namespace-label", namespace_label)
    sources = _confinements(named, options.matchers(matcher))
    if tests is not None and (out is None or format_ is not Format.RULES):
        raise errors.CliError("--tests needs --format rules and --out: promtool reads that file")
    policies = list(_policies(file, namespace))
    found = [(key, _groups(file, key, spec, sources)) for key, spec in policies]
    if format_ is Format.RULES:
        content = [manifests.rules_file(group for _, groups in found for group in groups)]
    else:
        content = [manifests.prometheus_rule(key, groups, labels) for key, groups in found]
    _write(out, content)
    if tests is not None and out is not None:
        _write(tests, [_tests(policies, sources, out, tests)])


def _confinements(
    namespace_labels: Mapping[str, str], matchers: Mapping[str, Mapping[str, str]]
) -> dict[str, compiled.Confinement]:
    """What confines the queries of each source that an option names."""
    from prunella.core.signals import compiled  # noqa: PLC0415

    return {
        source: compiled.Confinement(
            namespace_labels.get(source, compiled.DEFAULT_CONFINEMENT.label),
            matchers.get(source, {}),
        )
        for source in namespace_labels.keys() | matchers.keys()
    }


def _policies(file: str, namespace: str | None) -> _Policies:
    """Every policy of the file; raises CliError for what `prunella lint` would refuse."""
    from prunella.cli.lint import check, documents, schema  # noqa: PLC0415
    from prunella.core import objects  # noqa: PLC0415

    (name, text), *more = check.texts([file], sys.stdin.read() if file == "-" else "")
    read, broken = documents.read(name, text)
    found = [item for whole in read for item in whole.items() if schema.is_ours(item)]
    if more or not (found or broken):
        raise errors.CliError(f"{file} must be one file with a RemediationPolicy of prunella.dev")
    for document in found:
        content: Any = document.content
        spec, notes = schema.check_spec(document)
        problems = [*broken, *map(document.place, [*schema.check_identity(content), *notes])]
        if content.get("kind") == schema.CLUSTER_KIND:
            raise errors.CliError(f"{name}: policies on nodes are not compiled to rules")
        if spec is None or problems:
            message = "; ".join(f"line {each.line}: {each.message}" for each in problems)
            raise errors.CliError(f"{name}: {message} (see `prunella lint`)")
        metadata = content.get("metadata") or {}
        place, called = metadata.get("namespace") or namespace, metadata.get("name")
        if not place or not called:
            raise errors.CliError(f"{name}: metadata needs a name and a namespace, or use -n")
        yield objects.Key(place, called), spec
    if broken:
        raise errors.CliError(f"{name}: line {broken[0].line}: {broken[0].message}")


def _groups(
    file: str,
    key: objects.Key,
    spec: policy_api.RemediationPolicySpec,
    sources: Mapping[str, compiled.Confinement],
) -> tuple[rules.Group, ...]:
    from prunella.core.recording import compiler, rules  # noqa: PLC0415
    from prunella.core.signals import compiled  # noqa: PLC0415

    try:
        return compiler.compile_rules(key, spec, sources)
    except (compiled.PolicyError, rules.UnsupportedError) as error:
        raise errors.CliError(f"{file}: {error}") from error


def _tests(
    policies: list[tuple[objects.Key, policy_api.RemediationPolicySpec]],
    sources: Mapping[str, compiled.Confinement],
    rule_file: pathlib.Path,
    tests: pathlib.Path,
) -> dict[str, Any]:
    from prunella.core.recording import testing  # noqa: PLC0415
    from prunella.core.signals import compiled  # noqa: PLC0415

    # Promtool reads the names of rule files from where the tests lie.
    beside = rule_file.resolve().parent == tests.resolve().parent
    name = rule_file.name if beside else str(rule_file.resolve())
    signals = [(key, compiled.compile_policy(key, spec, sources).signals) for key, spec in policies]
    return testing.promtool_tests(signals, name)


def _write(path: pathlib.Path | None, content: list[dict[str, Any]]) -> None:
    import yaml  # noqa: PLC0415

    text = HEADER + yaml.safe_dump_all(content, sort_keys=False, width=10_000)
    if path is None:
        sys.stdout.write(text)
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise errors.CliError(f"can't write {path}: {error.strerror}") from error
