"""The script that the Jobs of helmRollback run, before Helm writes anything: Helm is a stand-in."""

from __future__ import annotations

import pathlib
import subprocess
from typing import Any

import pytest
import yaml

SCRIPT = pathlib.Path(__file__).parents[2] / "charts/prunella/files/helm-rollback.sh"
STAND_IN = """#!/bin/sh
echo "$*" >> "$TMPDIR/calls"
case "$*" in
  history*"--max 1 "*) cat "$TMPDIR/told-newest" ;;
  history*) cat "$TMPDIR/told-history" ;;
  *manifest*) cat "$TMPDIR/told-manifest" ;;
  *hooks*) cat "$TMPDIR/told-hooks" ;;
  rollback*) exit "$ENDS" ;;
esac
"""
CHANGED = 1_772_366_400
"""2026-03-01T12:00:00Z."""
DEPLOYMENT = (
    "---\n# Source: shop/x\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n"
)
ROLLBACK = "rollback web -n shop {} --history-max 10 --timeout 60s"
Revision = dict[str, Any]


def revision(
    number: int, status: str = "superseded", at: str = "11:00:00Z", **more: Any
) -> Revision:
    """One entry of Helm's history."""
    described = {"description": "Upgrade complete", **more}
    return {
        "app_version": "",
        "chart": "web-0.1.0",
        "revision": number,
        "status": status,
        "updated": at if "T" in at else f"2026-03-01T{at}",
        **described,
    }


LONG = 'Upgrade "web" failed: ' + "context deadline exceeded, " * 12
NEWEST = revision(2, "deployed", "11:59:50.123456789Z")
USUAL = [revision(1), NEWEST]


def run(
    tmp_path: pathlib.Path,
    history: list[Revision],
    manifest: str = DEPLOYMENT,
    hooks: str = "",
    newest: list[Revision] | None = None,
    **env: str,
) -> tuple[int, str, str]:
    """Exit code, what the last line says, and how Helm was asked to write."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "helm").write_text(STAND_IN)
    (programs / "helm").chmod(0o755)
    (tmp_path / "told-history").write_text(yaml.safe_dump(history))
    made = [revision(each["revision"] + 1, description="Rollback to 1") for each in history[-1:]]
    told = yaml.safe_dump(made if newest is None else newest)
    (tmp_path / "told-newest").write_text(told)
    (tmp_path / "told-manifest").write_text(manifest)
    (tmp_path / "told-hooks").write_text(hooks)
    given = {
        "PATH": f"{programs}:/usr/bin:/bin",
        "TMPDIR": str(tmp_path),
        "RELEASE": "web",
        "PRUNELLA_TARGET_NAMESPACE": "shop",
        "KINDS": "Deployment.apps Service",
        "HOOKS": "Refuse",
        "HISTORY_MAX": "10",
        "TIMEOUT": "60",
        "CHANGED": str(CHANGED),
        "ENDS": "0",
    }
    done = subprocess.run(  # noqa: S603 - our own script
        ["/bin/sh", "-c", SCRIPT.read_text()],
        env={**given, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "" == done.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    writes = [each for each in calls if each.startswith("rollback")]
    return done.returncode, done.stdout.splitlines()[-1], "; ".join(writes)


@pytest.mark.parametrize(
    ("history", "to"),
    [
        pytest.param(USUAL, 1, id="the revision before"),
        pytest.param(
            [revision(1), revision(2, "deployed", "2026-03-01T13:59:50.5+02:00")],
            1,
            id="whose clock was in another zone",
        ),
        pytest.param(
            [revision(1), revision(2, "deployed", "2026-03-01T07:00:10-05:00")],
            1,
            id="or west of Greenwich",
        ),
        pytest.param(
            [revision(4, "deployed"), revision(5, "failed", "11:59:00Z", description=LONG)],
            4,
            id="a release that has failed",
        ),
        pytest.param(
            [
                revision(3),
                revision(4, "failed", description=LONG),
                revision(5, "deployed", "12:00:00Z"),
            ],
            3,
            id="never one that has failed",
        ),
        pytest.param(
            [revision(3), revision(4, description=LONG), revision(5, "deployed", "12:00:00Z")],
            3,
            id="nor one that had failed before it was superseded",
        ),
        pytest.param(
            [
                revision(1),
                revision(2, description="Rollback to 1"),
                revision(3, "deployed", "12:00:00Z"),
            ],
            2,
            id="an earlier rollback is a release as any",
        ),
        pytest.param(
            [revision(1, at="11:30:00Z"), revision(2, "deployed", "11:59:00Z")],
            1,
            id="of two in an hour the nearer one has changed the target",
        ),
        pytest.param(
            [revision(1, at="11:59:50.1Z"), revision(2, "deployed", "11:59:50.9Z")],
            1,
            id="of two in a second the later one",
        ),
    ],
)
def test_it_goes_back_to_what_was_deployed_before(
    tmp_path: pathlib.Path, history: list[Revision], to: int
) -> None:
    """By Helm's own rollback, once; the log says what has become of it."""
    newest = history[-1]["revision"]
    said = (
        f"prunella: made revision {newest + 1} of web as revision {to} was, after revision {newest}"
    )
    assert (0, said, ROLLBACK.format(to)) == run(tmp_path, history)


def test_it_goes_forward_again(tmp_path: pathlib.Path) -> None:
    """When the revision that was made is still the newest; what time it is does not matter."""
    history = [revision(1), revision(2), revision(3, "deployed", description="Rollback to 1")]
    said = "prunella: made revision 4 of web as revision 2 was, after revision 3"
    assert (0, said, ROLLBACK.format(2)) == run(tmp_path, history, EXPECT="3", TO="2", CHANGED="0")


SEE = "nothing was made, or somebody has released meanwhile; see: helm history web -n shop"
MADE = "made revision 3 of web as revision 1 was, after revision 2"
HALF = 'Rollback "web" failed: cannot create "x"'


@pytest.mark.parametrize(
    ("ends", "newest", "said"),
    [
        pytest.param("1", revision(3, "failed", description=HALF), MADE, id="half of it"),
        pytest.param("1", revision(3, "failed", description=f"{HALF}\nnor y"), MADE, id="in lines"),
        pytest.param(
            "1",
            NEWEST,
            f"revision 2 of web is the newest, and not 3 as a rollback: {SEE}",
            id="none",
        ),
        pytest.param(
            "0",
            revision(4, description="Rollback to 1"),
            f"revision 4 of web is the newest, and not 3 as a rollback: {SEE}",
            id="somebody has released after it",
        ),
        pytest.param(
            "1",
            revision(3),
            f"revision 3 of web is the newest, and not 3 as a rollback: {SEE}",
            id="somebody has released instead",
        ),
        pytest.param(
            "1",
            None,
            f"revision unknown of web is the newest, and not 3 as a rollback: {SEE}",
            id="nobody knows",
        ),
    ],
)
def test_it_tells_what_it_has_made(
    tmp_path: pathlib.Path, ends: str, newest: Revision | None, said: str
) -> None:
    """What has failed halfway can be undone; a revision that is not its own it never claims."""
    found = run(tmp_path, USUAL, newest=[newest] if newest else [], ENDS=ends)
    assert (int(ends), f"prunella: {said}", ROLLBACK.format(1)) == found


UNKNOWN = "which is the cause is not known"
PENDING = "another Helm is at work, or was broken off"
HOOK = '---\napiVersion: batch/v1\nkind: Job\nmetadata:\n  annotations:\n    "helm.sh/hook": {}\n'


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            {"history": [revision(1), revision(2, "pending-upgrade")]},
            f"revision 2 is pending-upgrade: {PENDING}",
            id="another Helm is at work",
        ),
        pytest.param(
            {"history": [revision(1), revision(2, "pending-rollback")]},
            f"revision 2 is pending-rollback: {PENDING}",
            id="another rollback is at work",
        ),
        pytest.param(
            {"history": [revision(1), revision(2, "uninstalled")]},
            "revision 2 is uninstalled",
            id="uninstalled",
        ),
        pytest.param({"history": []}, "it has no revision", id="no history"),
        pytest.param(
            {"history": [NEWEST]}, "no revision before 2 was deployed", id="nothing to return to"
        ),
        pytest.param(
            {
                "history": [
                    revision(1),
                    revision(2, "deployed", "12:00:10Z", description="Rollback to 1"),
                ]
            },
            "revision 2 is a rollback itself",
            id="it has run before, or a person was quicker",
        ),
        pytest.param(
            {"history": [revision(1), revision(2, "deployed", "10:59:59Z")]},
            "revision 2 is of 2026-03-01T10:59:59Z, which is not when the target was changed",
            id="an older release is not what has changed the target",
        ),
        pytest.param(
            {"history": [revision(1), revision(2, "deployed", "13:00:01Z")]},
            "revision 2 is of 2026-03-01T13:00:01Z, which is not when the target was changed",
            id="nor is a later one",
        ),
        pytest.param(
            {
                "history": [
                    revision(6),
                    revision(7, at="11:59:55Z"),
                    revision(8, "deployed", "12:40:00Z"),
                ]
            },
            "revision 7 was made 5 s before the target was changed, and the newest, 8, "
            f"2400 s after: {UNKNOWN}",
            id="one that did not change the target, by a person who mends it",
        ),
        pytest.param(
            {
                "history": [
                    revision(6, at="10:00:00Z"),
                    revision(7, at="11:50:00Z"),
                    revision(8, "deployed", "12:05:00Z"),
                ]
            },
            "revision 7 was made 600 s before the target was changed, and the newest, 8, "
            f"300 s after: {UNKNOWN}",
            id="nor where hooks lie between a release and the change",
        ),
        pytest.param(
            {
                "history": [
                    revision(6, at="10:00:00Z"),
                    revision(7, at="11:59:55Z"),
                    revision(8, "deployed", "12:00:05Z"),
                ]
            },
            "revision 7 was made 5 s before the target was changed, and the newest, 8, "
            f"5 s after: {UNKNOWN}",
            id="nor where both are as near",
        ),
        pytest.param(
            {"manifest": DEPLOYMENT + "---\nkind: Role\nmetadata:\n  name: x\n"},
            "revision 2 holds a Role, which helmRollback.kinds does not list",
            id="a kind that is not allowed",
        ),
        pytest.param(
            {"manifest": DEPLOYMENT + "  namespace: blog\n"},
            "revision 2 holds an object of namespace blog",
            id="an object elsewhere",
        ),
        pytest.param(
            {"manifest": '{"kind": "Role"}\n'},
            "revision 2 holds an object in JSON, which can not be looked through",
            id="what can't be looked through",
        ),
        pytest.param(
            {"hooks": HOOK.format("pre-upgrade,pre-install")},
            "revision 2 has hooks, and allowHooks is not set",
            id="hooks",
        ),
        pytest.param(
            {"hooks": HOOK.replace('"', "'").format("pre-upgrade")},
            "revision 2 has hooks, and allowHooks is not set",
            id="hooks in single quotes",
        ),
        pytest.param(
            {"hooks": HOOK.format("pre-upgrade # x: test")},
            "revision 2 has hooks, and allowHooks is not set",
            id="hooks with a comment that looks like a test's",
        ),
        pytest.param(
            {"hooks": HOOK.format("test") + HOOK.format("test,pre-rollback")},
            "revision 2 has hooks, and allowHooks is not set",
            id="hooks that are tests as well, beside a test",
        ),
        pytest.param(
            {"hooks": HOOK.format("pre-rollback"), "HOOKS": "Run"},
            "revision 2 holds a Job.batch, which helmRollback.kinds does not list",
            id="a hook of a kind that is not allowed",
        ),
        pytest.param(
            {
                "hooks": HOOK.format("pre-rollback") + "  namespace: blog\n",
                "HOOKS": "Run",
                "KINDS": "Deployment.apps Job.batch",
            },
            "revision 2 holds an object of namespace blog",
            id="a hook elsewhere",
        ),
        pytest.param(
            {"manifest": DEPLOYMENT + "---\nkind: Service\napiVersion: serving.knative.dev/v1\n"},
            "revision 2 holds a Service.serving.knative.dev, "
            "which helmRollback.kinds does not list",
            id="a kind of another group by a name that is allowed",
        ),
        pytest.param(
            {"manifest": DEPLOYMENT.replace("apps/v1", "v1")},
            "revision 2 holds a Deployment, which helmRollback.kinds does not list",
            id="or of none",
        ),
        pytest.param(
            {"manifest": DEPLOYMENT + "kind: Service\n"},
            "revision 2 holds an object of two kinds",
            id="one kind shown, another meant",
        ),
        pytest.param(
            {"manifest": DEPLOYMENT + "---\n  kind: Role\n"},
            "revision 2 holds an object whose kind can not be read",
            id="a kind further in",
        ),
        pytest.param(
            {"manifest": DEPLOYMENT + "---\nkind : Role\n"},
            "revision 2 holds a Role, which helmRollback.kinds does not list",
            id="a kind before a space",
        ),
        pytest.param(
            {"history": [*USUAL, revision(3, "deployed")], "EXPECT": "2", "TO": "1"},
            "revision 3 is not revision 2, which was made: somebody has released since",
            id="a release since, on the way forward",
        ),
        pytest.param(
            {"EXPECT": "2", "TO": "7"}, "revision 7 is no longer kept", id="the history was cut"
        ),
        pytest.param(
            {"history": [*USUAL, revision(3, "pending-upgrade")], "EXPECT": "3", "TO": "1"},
            f"revision 3 is pending-upgrade: {PENDING}",
            id="another Helm is at work, on the way forward",
        ),
    ],
)
def test_it_refuses_before_anything_is_written(
    tmp_path: pathlib.Path, options: dict[str, Any], message: str
) -> None:
    """With what it has seen; the operator shows the line."""
    found = run(tmp_path, **{"history": USUAL, **options})
    assert (3, f"prunella: refused: web: {message}", "") == found


@pytest.mark.parametrize(
    ("hooks", "env"),
    [
        pytest.param(HOOK.format("test"), {}, id="tests are no hooks of releases"),
        pytest.param(HOOK.format('"test-success"'), {}, id="nor by their older name"),
        pytest.param(HOOK.format("test # x: y"), {}, id="nor with a comment"),
        pytest.param(HOOK.replace('"', "'").format("'test'"), {}, id="nor in single quotes"),
        pytest.param(
            HOOK.format("post-upgrade"),
            {"HOOKS": "Run", "KINDS": "Deployment.apps Job.batch"},
            id="where they are allowed",
        ),
        pytest.param(
            HOOK.format("test"), {"HOOKS": "Run"}, id="a test's kind, which is not written"
        ),
    ],
)
def test_hooks_that_are_no_reason_to_refuse(
    tmp_path: pathlib.Path, hooks: str, env: dict[str, str]
) -> None:
    """They are run by Helm, or not at all."""
    assert ROLLBACK.format(1) == run(tmp_path, USUAL, hooks=hooks, **env)[2]


def test_the_objects_of_a_listed_kind_and_namespace_may_be_written(tmp_path: pathlib.Path) -> None:
    """A namespace deeper down, as of a role's subject or a label, is none of the object."""
    manifest = (
        "# Of the chart's.\n---\n\n---\n"
        + DEPLOYMENT
        + '  namespace: "shop"\nspec:\n  namespace: blog\n---\nkind: Service\napiVersion: v1\n'
    )
    assert ROLLBACK.format(1) == run(tmp_path, USUAL, manifest=manifest)[2]


def test_it_fits_the_settings() -> None:
    """No parameter of a script is longer than what settings take."""
    assert len(SCRIPT.read_text()) < 16_384
