"""What the repository as a whole must not contain, and what must stand in it."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

# In two halves, so that this file does not name what it forbids.
REGISTRIES = (
    "py" + "pi.org",
    "python" + "hosted.org",
    "download.py" + "torch.org",
    "ana" + "conda",
)
MACHINE = re.compile(r"(?<![\w.~-])/(?:home|root|Users|work|mnt|opt)" + r"/\w+")
BINARY = {".gz", ".parquet", ".png", ".zip"}


@pytest.fixture(scope="module")
def texts(project: Path) -> dict[str, str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=project, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is no Git clone, so its files are not known")
    paths = [project / name for name in listed.stdout.split("\0") if name]
    return {
        str(path.relative_to(project)): path.read_text(encoding="utf-8", errors="replace")
        for path in paths
        if path.is_file() and path.suffix not in BINARY
    }


def test_no_file_names_a_package_registry(texts: dict[str, str]) -> None:
    found = {name for name, text in texts.items() if any(host in text for host in REGISTRIES)}
    assert found == set()


def test_no_file_holds_an_absolute_path_of_a_machine(texts: dict[str, str]) -> None:
    found = {name: MACHINE.findall(text) for name, text in texts.items()}
    assert {name: paths for name, paths in found.items() if paths} == {}


def test_the_synthetic_example_is_small(project: Path) -> None:
    example = [path for path in (project / "examples/tiny").rglob("*") if path.is_file()]
    assert example, "examples/tiny is empty"
    assert sum(path.stat().st_size for path in example) <= 800_000


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locked_versions_install_anywhere(lock: str, project: Path) -> None:
    lines = (project / lock).read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line == "-r requirements.lock":
            continue
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line), f"{lock}: {line}"
        assert "+" not in line, f"{lock}: a local build installs nowhere else: {line}"
        assert "file:" not in line, f"{lock}: a file of one machine: {line}"
        assert not re.match(r"(?i)nvidia|cuda|triton|rocm|.*-cu\d\d", line), f"{lock}: {line}"


def test_every_direct_dependency_is_locked_within_its_bounds(project: Path) -> None:
    metadata = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for lock, wanted in {
        "requirements.lock": metadata["dependencies"],
        "requirements-dev.lock": metadata["optional-dependencies"]["dev"],
    }.items():
        pinned = dict(
            line.lower().replace("_", "-").split("==")
            for line in (project / lock).read_text(encoding="utf-8").splitlines()
            if "==" in line
        )
        for requirement in map(Requirement, wanted):
            version = pinned.get(requirement.name.lower().replace("_", "-"))
            assert version is not None, f"{lock} lacks {requirement.name}"
            assert requirement.specifier.contains(version), f"{requirement}: {version}"


def test_torch_is_locked_exactly(project: Path) -> None:
    assert "torch==2.13.0" in (project / "requirements.lock").read_text().splitlines()


def test_dvc_neither_reports_nor_looks_for_updates(project: Path) -> None:
    config = (project / ".dvc/config").read_text(encoding="utf-8")
    assert "analytics = false" in config
    assert "check_update = false" in config


def test_the_licence_is_the_one_named(project: Path) -> None:
    text = (project / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "distilrec contributors" in text


@pytest.mark.parametrize("script", [".ci/run"])
def test_scripts_can_be_run(script: str, project: Path) -> None:
    assert (project / script).stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(project / script)], check=True)
