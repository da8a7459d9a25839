"""Labels travel through a remote to a second clone, which then asks for none."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.dvc.project import Project, stages, standing

pytestmark = [pytest.mark.dvc, pytest.mark.xdist_group("dvc")]

STORES = ("data/hints/shop", "data/labels/shop")
ACCESS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Yield the address of an S3 service on loopback with a bucket ``labels``."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    _, port = server.get_host_and_port()
    address = f"http://127.0.0.1:{port}"
    boto3.client(
        "s3",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    ).create_bucket(Bucket="labels")
    yield address
    server.stop()


def test_a_clone_that_pulls_the_labels_alone_from_s3_reads_them_without_asking(
    ran: Project, tmp_path: Path, s3: str
) -> None:
    first = replace(standing(ran, tmp_path / "first"), secrets=ACCESS)
    first.dvc("remote", "add", "--default", "team", "s3://labels/distilrec")
    first.dvc("remote", "modify", "team", "endpointurl", s3)
    first.dvc("push", *STORES)
    first.commit("where our labels are")

    second = first.clone(tmp_path / "second")
    second.dvc("pull", *STORES)
    assert parts(second) == parts(first) != []
    found = stages(second.repro("labelled"))
    assert found == {"fetch", "sessions", "teacher", "difficulty", "select", "hints", "labelled"}
    assert parts(second) == parts(first)


def test_a_clone_that_pulls_everything_from_a_folder_distils_anew_without_asking(
    ran: Project, tmp_path: Path
) -> None:
    first = standing(ran, tmp_path / "first")
    first.dvc("remote", "add", "--default", "team", tmp_path / "remote")
    first.dvc("push")
    first.commit("where our labels are")

    second = first.clone(tmp_path / "second")
    second.dvc("pull")
    assert parts(second) == parts(first) != []
    second.change("distill.published.learning_rate", 0.04)
    found = stages(second.repro())
    assert {"distill", "evaluate"} <= found <= {"distill", "evaluate", "report"}


def parts(project: Project) -> list[str]:
    """Return the names of the label store's files."""
    return sorted(path.name for path in (project.root / "data/labels/shop").rglob("*.parquet"))
