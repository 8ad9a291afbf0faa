"""The teams' chart, installed by Helm with no more rights than it needs, at a real API server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.charts.helm import Helm, HelmError, Values, succeeded
from tests.charts.test_register import CDN, CHART, IMAGE, values
from tests.kubernetes.control_plane import ControlPlane

RELEASES = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "create", "update", "delete"]}
REGISTRATIONS = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "patch", "delete"]}


@dataclass(frozen=True, slots=True)
class Team:
    """A team's namespace, and Helm with the rights that the README asks for."""

    helm: Helm
    control_plane: ControlPlane
    namespace: str
    kubeconfig: Path

    def run(self, command: str, *words: str | Path, given: tuple[Values, ...] = ()) -> str:
        """A command's output. HelmError."""
        return succeeded(self.helm.run(command, *words, "--kubeconfig", self.kubeconfig, values=given))

    def registered(self) -> dict[str, Any]:
        """What a loader sees: the data of all registrations, by name."""
        selected = "?labelSelector=favn.io/feature-registration%3Dtrue"
        found = self.control_plane.admin.get(f"/api/v1/namespaces/{self.namespace}/configmaps{selected}")
        return {item["metadata"]["name"]: item["data"] for item in found["items"]}


@pytest.fixture
def team(helm: Helm, control_plane: ControlPlane) -> Team:
    namespace = control_plane.namespace()
    account = control_plane.service_account(namespace, RELEASES, REGISTRATIONS)
    return Team(helm, control_plane, namespace, control_plane.kubeconfig(account))


def test_a_dry_run_is_judged_by_the_server_and_leaves_nothing(team: Team) -> None:
    said = team.run("install", "patientlist", CHART, "--dry-run=server", given=(values(),))
    assert "name: favn-feature-patientlist" in said
    assert team.registered() == {}


def test_a_feature_is_registered_moved_rolled_back_and_taken_away(team: Team) -> None:
    from_cdn = {"featureId": "feature-patientlist", "cdnBaseUrl": CDN, "minSequence": "4"}
    said = team.run("install", "patientlist", CHART, given=(values(minSequence=4),))
    assert f"feature-patientlist is registered in {team.namespace}" in said
    assert team.registered() == {"favn-feature-patientlist": from_cdn}

    team.run("upgrade", "patientlist", CHART, given=(values(image=IMAGE),))
    assert team.registered() == {"favn-feature-patientlist": {"featureId": "feature-patientlist", "image": IMAGE}}

    team.run("rollback", "patientlist", "1")
    assert team.registered() == {"favn-feature-patientlist": from_cdn}

    said = team.run("upgrade", "patientlist", CHART, given=(values(enabled=False),))
    assert "feature-patientlist is not registered" in said
    assert team.registered() == {}

    team.run("upgrade", "patientlist", CHART, given=(values(),))
    team.run("uninstall", "patientlist")
    assert team.registered() == {}


def test_two_releases_for_one_feature_collide(team: Team) -> None:
    team.run("install", "one", CHART, given=(values(),))
    with pytest.raises(HelmError, match=r'ConfigMap "favn-feature-patientlist".*exists and cannot be imported'):
        team.run("install", "two", CHART, given=(values(image=IMAGE),))
    assert team.registered()["favn-feature-patientlist"]["cdnBaseUrl"] == CDN


def test_two_features_of_one_team_stand_side_by_side(team: Team) -> None:
    for feature_id in ("feature-lab", "feature-notes"):
        team.run("install", feature_id, CHART, given=(values(featureId=feature_id),))
    assert set(team.registered()) == {"favn-feature-lab", "favn-feature-notes"}
