"""Two people buy different labels and end with the union, by the steps of docs/labels.md."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.dvc.documented import follow
from tests.dvc.paid import STORES, Till, held, missing
from tests.dvc.project import SOURCE, Project, empty_repository

pytestmark = [pytest.mark.dvc, pytest.mark.xdist_group("paid")]

ATTRIBUTES = SOURCE / ".gitattributes"
ACCESS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
HARDEST, COUNT = 4, 18  # of 36 training sessions, so that the easiest are others


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    """Yield the environment of an S3 service on loopback with the documentation's bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    _, port = server.get_host_and_port()
    address = f"http://127.0.0.1:{port}"
    access = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", **access)
    client.create_bucket(Bucket="bucket")
    yield {**ACCESS, "AWS_ENDPOINT_URL": address}
    server.stop()


@pytest.fixture
def first(bought: Project, tmp_path: Path) -> Project:
    """Return the repository with an origin, of one who labels the hardest sessions."""
    project = bought.copy(tmp_path / "first")
    project.change("select.policy", "hardest")
    project.change("select.count", HARDEST)
    project.dvc("repro")
    project.commit("the hardest")
    project.run("git", "clone", "--quiet", "--bare", project.root, tmp_path / "origin.git")
    project.run("git", "remote", "set-url", "origin", tmp_path / "origin.git")
    project.run("git", "fetch", "--quiet")
    return project


def clone(first: Project, root: Path) -> Project:
    """Return a colleague's clone of the origin, with an empty journal."""
    project = replace(first, root=first.root.with_name("origin.git")).clone(root)
    assert not (project.home / "journal").exists()
    return project


def parts(project: Project) -> set[str]:
    """Return the names of both stores' parts."""
    return {path.name for store in STORES for path in (project.root / store).glob("*.parquet")}


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_two_people_end_with_the_union_and_nothing_is_bought_twice(
    first: Project, till: Till, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    elsewhere = {}
    if kind == "folder":
        elsewhere = {"s3://bucket/distilrec": str(tmp_path / "remote")}
    else:
        first = replace(first, secrets=first.secrets | request.getfixturevalue("s3"))
    before = held(first)
    follow(first, "once", elsewhere)
    second = clone(first, tmp_path / "second")
    follow(second, "get")
    assert parts(second) == parts(first)

    for person, policy in ((first, "hardest"), (second, "easiest")):
        person.change("select.policy", policy)
        person.change("select.count", COUNT)
        person.dvc("repro")
    ours, theirs = set(held(first)) - set(before), set(held(second)) - set(before)
    assert ours
    assert theirs
    assert till.sessions() == ours | theirs

    follow(first, "give")
    follow(second, "give", refused="git push")
    follow(second, "unite")
    follow(first, "get")
    assert till.sessions() == ours | theirs
    for person in (first, second):
        assert set(held(person)) == set(before) | ours | theirs
        assert missing(person) == [0, 0]
        assert person.run("git", "status", "--porcelain").stdout == ""
        assert person.dvc("status").strip() == "Data and pipelines are up to date."
    assert parts(first) == parts(second)
    assert len(till.paid()) == len(ours) + len(theirs)


def test_one_who_got_the_labels_alone_trains_anew_and_buys_nothing(
    first: Project, till: Till, tmp_path: Path
) -> None:
    follow(first, "give labels alone", {"s3://bucket/labels": str(tmp_path / "labels")})
    second = clone(first, tmp_path / "second")
    follow(second, "get labels alone")
    assert not list((tmp_path / "labels").rglob("*.safetensors"))
    assert till.paid() == []
    assert set(held(second)) == set(held(first))


@pytest.mark.parametrize("marked", [True, False], ids=["as here", "without our mark"])
def test_git_keeps_our_dvc_lock_whole_where_both_have_changed_it(
    tmp_path: Path, marked: bool
) -> None:
    project = empty_repository(tmp_path / "project")
    lock, lines = project.root / "dvc.lock", [f"line {n}" for n in range(30)]
    (project.root / ".gitattributes").write_text(ATTRIBUTES.read_text() if marked else "")
    lock.write_text("\n".join(lines))
    project.commit("both")
    project.run("git", "checkout", "--quiet", "-b", "theirs")
    lock.write_text("\n".join([*lines[:-1], "theirs"]))
    project.commit("theirs")
    project.run("git", "checkout", "--quiet", "main")
    ours = "\n".join(["ours", *lines[1:]])
    lock.write_text(ours)
    project.commit("ours")
    merged = project.run("git", "merge", "--no-commit", "theirs", check=False)
    assert (merged.returncode, lock.read_text() == ours) == ((1, True) if marked else (0, False))
