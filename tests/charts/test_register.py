"""The teams' chart makes one registration (L1), or says what is wrong with the values."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from artifact.errors import ContentError
from artifact.versions import check_feature_id
from loader_cdn.origin import checked
from tests.charts.helm import CHARTS, Helm, Values, succeeded
from tests.kubernetes.kubeconform import Kubeconform

CHART = CHARTS / "favn-feature-register"
EXAMPLE = CHART / "examples" / "values.yaml"
README = (CHART / "README.md").read_text("utf-8")

CDN = "https://cdn.example/prod/feature-patientlist"
DIGEST = "sha256:" + "0123456789abcdef" * 4
IMAGE = f"registry.example/features/patientlist@{DIGEST}"
LARGEST = 2**53 - 1


def values(**members: Any) -> Values:
    """A team's values: from a CDN, unless an image is given."""
    source = {} if "image" in members else {"cdnBaseUrl": CDN}
    return {"valuesFile": {"enabled": True, "featureId": "feature-patientlist"} | source | members}


def test_lint_finds_nothing(helm: Helm) -> None:
    succeeded(helm.run("lint", "--strict", CHART, "--values", EXAMPLE))


def test_a_registration_is_one_labelled_configmap(helm: Helm) -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    assert helm.template(CHART, values(minSequence=4), release="patientlist") == [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "favn-feature-patientlist",
                "namespace": "default",
                "labels": {
                    "favn.io/feature-registration": "true",
                    "helm.sh/chart": f"favn-feature-register-{chart['version']}",
                    "app.kubernetes.io/name": "favn-feature-register",
                    "app.kubernetes.io/instance": "patientlist",
                    "app.kubernetes.io/version": chart["appVersion"],
                    "app.kubernetes.io/component": "feature-registration",
                    "app.kubernetes.io/part-of": "favn",
                    "app.kubernetes.io/managed-by": "Helm",
                },
            },
            "data": {"featureId": "feature-patientlist", "cdnBaseUrl": CDN, "minSequence": "4"},
        }
    ]


def data(helm: Helm, *given: Values) -> Any:
    """The data of the one registration."""
    (registration,) = helm.template(CHART, *given)
    return registration["data"]


@pytest.mark.parametrize(
    "image",
    [
        IMAGE,
        f"registry.example:5000/features/patientlist:1.4.0@{DIGEST}",
        f"localhost:5000/a@{DIGEST}",
        f"registry.example/a-b/c__d/e.f:v1_2.3-rc.1@{DIGEST}",
    ],
)
def test_an_image_is_given_by_its_digest_with_or_without_a_tag(image: str, helm: Helm) -> None:
    assert data(helm, values(image=image)) == {"featureId": "feature-patientlist", "image": image}


@pytest.mark.parametrize("number", [1, 1_000_000, LARGEST])
def test_a_sequence_is_written_with_all_its_digits(number: int, helm: Helm) -> None:
    assert data(helm, values(minSequence=number))["minSequence"] == str(number)


@pytest.mark.parametrize("members", [{}, {"minSequence": None}, {"minSequence": 0}])
def test_without_a_sequence_there_is_none(members: dict[str, Any], helm: Helm) -> None:
    assert data(helm, values(**members)) == {"featureId": "feature-patientlist", "cdnBaseUrl": CDN}


def test_a_later_values_file_may_change_where_a_feature_comes_from(helm: Helm) -> None:
    changed = {"valuesFile": {"cdnBaseUrl": None, "image": IMAGE}}
    assert data(helm, values(), changed) == {"featureId": "feature-patientlist", "image": IMAGE}


def test_what_is_not_enabled_registers_nothing(helm: Helm) -> None:
    assert helm.template(CHART, values(enabled=False)) == []


def test_registered_unless_the_values_say_otherwise(helm: Helm) -> None:
    assert data(helm, {"valuesFile": {"featureId": "one", "cdnBaseUrl": CDN}})["featureId"] == "one"


@pytest.mark.parametrize("manager", [None, "renovate", 7, ["renovate"], {"tool": {"any": "thing"}}])
def test_what_other_tools_read_is_let_be(manager: Any, helm: Helm) -> None:
    assert data(helm, values(dependencyManager=manager)) == data(helm, values())


def test_what_helm_hands_to_every_chart_is_let_be(helm: Helm) -> None:
    assert data(helm, {**values(), "global": {"region": "north"}}) == data(helm, values())


REFUSED = {
    "both sources": (values(image=IMAGE, cdnBaseUrl=CDN), "at '/valuesFile/cdnBaseUrl': got string, want null"),
    "neither source": (
        {"valuesFile": {"featureId": "one"}},
        "at '/valuesFile': missing property 'cdnBaseUrl'\n  - at '/valuesFile': missing property 'image'",
    ),
    "no id": ({"valuesFile": {"cdnBaseUrl": CDN}}, "at '/valuesFile': missing property 'featureId'"),
    "an id with capitals": (values(featureId="Lab"), "at '/valuesFile/featureId': 'Lab' does not match pattern"),
    "an id with an underscore": (values(featureId="a_b"), "'a_b' does not match pattern"),
    "an id that is too long": (values(featureId="a" * 64), "does not match pattern"),
    "an id that is a number": (values(featureId=7), "at '/valuesFile/featureId': got number, want string"),
    "an image by its tag": (values(image="r.example/a:1"), "does not match pattern '@sha256:[0-9a-f]{64}$'"),
    "an image without either": (values(image="r.example/a"), "does not match pattern '@sha256:[0-9a-f]{64}$'"),
    "a digest that is cut": (values(image=IMAGE[:-1]), "does not match pattern '@sha256:[0-9a-f]{64}$'"),
    "a digest and nothing": (values(image=f"@{DIGEST}"), "at '/valuesFile/image'"),
    "an image as a URL": (values(image=f"https://{IMAGE}"), "at '/valuesFile/image'"),
    "an empty image": (values(image=""), "at '/valuesFile/image'"),
    "plain http": (values(cdnBaseUrl="http://cdn.example/a"), "does not match pattern '^https://'"),
    "a URL without a scheme": (values(cdnBaseUrl="cdn.example/a"), "does not match pattern '^https://'"),
    "a query": (values(cdnBaseUrl=f"{CDN}?sig=1"), "does not match pattern '^[^?#]*$'"),
    "a fragment": (values(cdnBaseUrl=f"{CDN}#a"), "does not match pattern '^[^?#]*$'"),
    "credentials": (values(cdnBaseUrl="https://user:word@cdn.example/a"), "at '/valuesFile/cdnBaseUrl'"),
    "a URL with a space": (values(cdnBaseUrl="https://cdn.example/a b"), "at '/valuesFile/cdnBaseUrl'"),
    "a URL without a host": (values(cdnBaseUrl="https:///a"), "at '/valuesFile/cdnBaseUrl'"),
    "a sequence below zero": (values(minSequence=-1), "at '/valuesFile/minSequence': minimum: got -1, want 0"),
    "a sequence past all": (values(minSequence=LARGEST + 1), "at '/valuesFile/minSequence': maximum: got"),
    "half a sequence": (values(minSequence=1.5), "at '/valuesFile/minSequence': got number, want null or integer"),
    "a sequence in quotes": (values(minSequence="4"), "at '/valuesFile/minSequence': got string, want null or integer"),
    "enabled in words": (values(enabled="yes"), "at '/valuesFile/enabled': got string, want boolean"),
    "an unknown member": (values(cdnBaseURL=CDN), "at '/valuesFile': additional properties 'cdnBaseURL' not allowed"),
    "a member in the wrong place": (
        {**values(), "featureId": "one"},
        "at '': additional properties 'featureId' not allowed",
    ),
}


@pytest.mark.parametrize(("given", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_wrong_values_are_refused_with_the_place(given: Values, said: str, helm: Helm) -> None:
    assert said in helm.refusal(CHART, given)


def test_what_is_not_enabled_is_judged_too(helm: Helm) -> None:
    assert "does not match" in helm.refusal(CHART, values(enabled=False, featureId="Lab"))


def accepts(helm: Helm, given: Values) -> bool:
    return helm.run("template", "test", CHART, values=(given,)).returncode == 0


@pytest.mark.parametrize("feature_id", ["feature-lab", "7", "a" * 63, "a" * 64, "-a", "a-", "a.b", "A", "a_b", "a\n"])
def test_an_id_is_what_the_format_says(feature_id: str, helm: Helm) -> None:
    """P1."""
    try:
        check_feature_id(feature_id, where="featureId")
    except ContentError:
        assert not accepts(helm, values(featureId=feature_id))
    else:
        assert accepts(helm, values(featureId=feature_id))


@pytest.mark.parametrize(
    "url", [CDN, f"{CDN}/", "https://cdn.example", "https://cdn.example:8443/a%20b/~c;d", "https://[2001:db8::1]/a"]
)
def test_a_url_that_is_taken_is_one_that_a_loader_asks(url: str, helm: Helm) -> None:
    assert data(helm, values(cdnBaseUrl=url))["cdnBaseUrl"] == url
    assert checked(url, allow_http=False).scheme == "https"


def test_the_readme_shows_values_that_the_chart_takes(helm: Helm) -> None:
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(valuesFile:.*?)```", README, re.DOTALL)]
    assert len(blocks) >= 3
    for block in blocks:
        helm.template(CHART, block)


def test_the_api_servers_schema_takes_it(helm: Helm, kubeconform: Kubeconform) -> None:
    text = helm.text(CHART, values(minSequence=4))
    assert kubeconform.faults(text) == []
    assert kubeconform.faults(text.replace('minSequence: "4"', "minSequence: 4")) != []
