"""A copy of the project in a folder of its own, and the real `dvc` in it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

SOURCE = Path(__file__).resolve().parents[2]
NEEDED = (
    "pipeline",
    "examples",
    ".dvc/config",
    ".dvcignore",
    ".gitattributes",
    ".gitignore",
    "dvc.yaml",
    "params.yaml",
    "reports/grid/README.md",
)


@dataclass(frozen=True)
class Project:
    """A repository in a temporary folder."""

    root: Path
    home: Path
    """Stands for the user's home: settings, journal and DVC's own files of this test alone."""
    secrets: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the repository; a failure shows what the command said."""
        done = subprocess.run(
            [str(word) for word in words],
            cwd=self.root,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=500,
        )
        with self.said.open("a") as said:
            said.write(done.stdout + done.stderr)
        assert not check or done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done

    @property
    def said(self) -> Path:
        """The file of what all commands have printed."""
        return self.home / "said.txt"

    def dvc(self, *words: str | Path) -> str:
        """Run `dvc` and return what it printed."""
        return self.run(sys.executable, "-m", "dvc", *words).stdout

    def start(self, *words: str | Path) -> subprocess.Popen[bytes]:
        """Start a command in a process group of its own, so that it can be killed as a whole."""
        with self.said.open("a") as said:
            return subprocess.Popen(
                [str(word) for word in words],
                cwd=self.root,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def repro(self, *words: str) -> set[str]:
        """Run `dvc repro` and return the stages that ran: ``teacher shop/fpmc/strong/1``.

        What decides is a file that the stage's own process leaves when it has worked, not what
        `dvc` prints.
        """
        log = self.root / ".cache" / "seconds"
        shutil.rmtree(log, ignore_errors=True)
        self.dvc("repro", *words)
        ran = [path.relative_to(log).with_suffix("") for path in log.rglob("*.json")]
        return {" ".join([path.parts[0], "/".join(path.parts[1:])]) for path in ran}

    def change(self, key: str, value: Any, *, new: bool = False) -> None:
        """Set one parameter in `params.yaml`, one that is there unless it is said to be new."""
        yaml = YAML()
        path = self.root / "params.yaml"
        content = yaml.load(path)
        *above, last = key.split(".")
        section = content
        for name in above:
            section = section[name]
        assert (last in section) != new, f"params.yaml: {key}"
        section[last] = value
        yaml.dump(content, path)

    def keep_stages(self, *names: str) -> None:
        """Leave only these stages in `dvc.yaml`, so that `dvc repro` is the part under test."""
        yaml = YAML()
        path = self.root / "dvc.yaml"
        content = yaml.load(path)
        content["stages"] = {name: content["stages"][name] for name in names}
        yaml.dump(content, path)

    def commit(self, message: str) -> None:
        """Commit everything that Git does not ignore."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def clone(self, root: Path) -> "Project":
        """Return a clone of the repository with its own home and an empty journal."""
        clone_of(self.root, root)
        return Project(root, _new_home(root), self.secrets)

    def copy(self, root: Path) -> "Project":
        """Return the repository once more, with the journal of the same person."""
        home = root.with_name(f"{root.name}-home")
        shutil.copytree(self.root, root)
        shutil.copytree(self.home, home)
        return Project(root, home, self.secrets)

    def _environment(self) -> dict[str, str]:
        return {**environment(self.home), **self.secrets}


def copy_of_the_project(root: Path) -> Project:
    """Return a new repository with the project's files as they stand here, committed or not."""
    for name in NEEDED:
        if (SOURCE / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(SOURCE / name, root / name, ignore=ignore)
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(SOURCE / name, root / name)
    return empty_repository(root)


def empty_repository(root: Path) -> Project:
    """Return a repository without a commit in a folder, whatever files are in it."""
    root.mkdir(parents=True, exist_ok=True)
    project = Project(root, _new_home(root))
    project.run("git", "init", "--quiet", "--initial-branch", "main")
    return project


def standing(project: Project, root: Path) -> Project:
    """Return a clone with all of a project's outputs, so that a test may change it."""
    clone = project.clone(root)
    shutil.copytree(project.root / ".dvc/cache", root / ".dvc/cache")
    clone.dvc("checkout")
    return clone


def clone_of(source: Path, root: Path) -> Project:
    """Return a clone of a repository: what is committed there, and nothing else."""
    project = Project(root, _new_home(root))
    command = ["git", "clone", "--quiet", "--no-hardlinks", str(source), str(root)]
    subprocess.run(command, env=environment(project.home), check=True, stdin=subprocess.DEVNULL)
    return project


def environment(home: Path) -> dict[str, str]:
    """Return an environment that knows nothing of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if name in ("LANG", "TMPDIR")}
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(SOURCE),  # `distilrec` is the code beside these tests
        "HOME": str(home),
        "DISTILREC_JOURNAL": str(home / "journal"),
        "DVC_GLOBAL_CONFIG_DIR": str(home / "dvc"),
        "DVC_SYSTEM_CONFIG_DIR": str(home / "dvc"),
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),
        "DVC_NO_ANALYTICS": "1",
        "OMP_NUM_THREADS": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }


def stages(ran: Iterable[str]) -> set[str]:
    """Return the names alone: ``teacher``."""
    return {one.split()[0] for one in ran}


def _new_home(root: Path) -> Path:
    home = root.with_name(f"{root.name}-home")
    home.mkdir(parents=True, exist_ok=True)
    # A file, since `dvc exp` does not look for Git's settings in the environment.
    (home / ".gitconfig").write_text("[user]\n\tname = test\n\temail = test@localhost\n")
    return home
