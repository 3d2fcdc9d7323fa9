"""Custom resource definitions: the whole manifest, and its text."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import pydantic
import pytest
import yaml

from prunella.api import crdgen, schema, types
from tests.unit.api import structural


class Rule(pydantic.BaseModel):
    """A rule."""

    when: types.Duration = pydantic.Field(types.duration("5m"), description="When.")


class SampleSpec(pydantic.BaseModel):
    """What is wanted."""

    first: Rule = pydantic.Field(default_factory=Rule, description="First rule.")
    second: Rule | None = pydantic.Field(None, description="Second rule.")
    selector: types.LabelSelector = pydantic.Field(description="Objects.")
    most: types.IntOrPercent = pydantic.Field("25%", description="Most at once: 1 or 25%.")


class SampleStatus(pydantic.BaseModel):
    """What is."""

    phase: Annotated[str, pydantic.Field(max_length=20)] = pydantic.Field(
        "", description="Where it stands."
    )
    since: types.LocalTime | None = pydantic.Field(None, description="Since when.")


SAMPLE = crdgen.CustomResource(
    group="example.dev",
    version="v1alpha1",
    kind="Sample",
    plural="samples",
    singular="sample",
    scope="Namespaced",
    description="A sample: to be read by people.",
    spec=SampleSpec,
    status=SampleStatus,
    short_names=("smp",),
    categories=("all",),
    columns=(
        crdgen.PrinterColumn("Phase", ".status.phase"),
        crdgen.PrinterColumn("Age", ".metadata.creationTimestamp", "date"),
        crdgen.PrinterColumn("Most", ".spec.most", priority=1, description="Most at once."),
    ),
)
BARE = dataclasses.replace(SAMPLE, status=None, short_names=(), categories=(), columns=())


def version_of(resource: crdgen.CustomResource) -> dict[str, Any]:
    """The only version of a CRD."""
    (version,) = crdgen.manifest(resource)["spec"]["versions"]
    assert isinstance(version, dict)
    return version


def test_names_the_kind() -> None:
    """Group, names, scope and the CRD's own name are those of the resource."""
    manifest = crdgen.manifest(SAMPLE)
    assert "apiextensions.k8s.io/v1" == manifest["apiVersion"]
    assert "CustomResourceDefinition" == manifest["kind"]
    assert {"name": "samples.example.dev"} == manifest["metadata"]
    assert {
        "kind": "Sample",
        "listKind": "SampleList",
        "plural": "samples",
        "singular": "sample",
        "shortNames": ["smp"],
        "categories": ["all"],
    } == manifest["spec"]["names"]
    assert ("example.dev", "Namespaced") == (manifest["spec"]["group"], manifest["spec"]["scope"])
    assert "example.dev/v1alpha1" == SAMPLE.api_version


def test_serves_and_stores_one_version() -> None:
    """The version is served and stored, with a status subresource and its columns."""
    version = version_of(SAMPLE)
    version.pop("schema")
    assert {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
            {
                "name": "Most",
                "type": "string",
                "jsonPath": ".spec.most",
                "description": "Most at once.",
                "priority": 1,
            },
        ],
    } == version


def test_leaves_out_what_is_not_there() -> None:
    """A kind without status, columns and other names has no empty keys for them."""
    assert {"name", "served", "storage", "schema"} == version_of(BARE).keys()
    assert {"kind", "listKind", "plural", "singular"} == crdgen.manifest(BARE)["spec"][
        "names"
    ].keys()


@pytest.mark.parametrize(
    ("resource", "names"),
    [
        pytest.param(SAMPLE, ["apiVersion", "kind", "metadata", "spec", "status"], id="status"),
        pytest.param(BARE, ["apiVersion", "kind", "metadata", "spec"], id="no status"),
    ],
)
def test_has_a_structural_schema(resource: crdgen.CustomResource, names: list[str]) -> None:
    """The schema has the usual top, demands a spec and keeps the API server's rules."""
    root = version_of(resource)["schema"]["openAPIV3Schema"]
    assert names == list(root["properties"])
    assert ["spec"] == root["required"]
    assert "A sample: to be read by people." == root["description"]
    assert "What is wanted." == root["properties"]["spec"]["description"]
    assert [] == structural.structural_errors(root)


@pytest.mark.parametrize("part", ["spec", "status"])
def test_an_error_names_kind_and_field(part: str) -> None:
    """A fault in a model is found under the name that its author knows."""
    bad = pydantic.create_model(
        "Bad", __doc__="Bad.", free_text=(str, pydantic.Field(description="Text."))
    )
    models: dict[str, Any] = {part: bad}
    with pytest.raises(schema.CrdError, match=rf"^Sample\.{part}\.free_text: a text without"):
        crdgen.manifest(dataclasses.replace(SAMPLE, **models))


def test_text_says_that_it_is_generated() -> None:
    """Whoever opens the file sees at once that the models are the place to edit."""
    first = crdgen.render(SAMPLE).splitlines()[0]
    assert "# Generated from the models in prunella.api; do not edit." == first


def test_text_is_the_manifest() -> None:
    """The text holds the manifest, without anchors, and is the same each time."""
    text = crdgen.render(SAMPLE)
    assert crdgen.manifest(SAMPLE) == yaml.safe_load(text)
    assert not any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text))
    assert text == crdgen.render(SAMPLE)
