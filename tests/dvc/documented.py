"""The commands of docs/labels.md, as a reader types them."""

import re
from collections.abc import Mapping

from tests.dvc.project import SOURCE, Project

NO_MATTER = "may end with conflicts"
"""A line with these words in its comment may fail."""


def commands(block: str) -> list[str]:
    """Return the lines of the code block below ``<!-- sharing: BLOCK -->``, comments included."""
    text = (SOURCE / "docs/labels.md").read_text(encoding="utf-8")
    found = re.findall(rf"<!-- sharing: {block} -->\n```sh\n(.*?)```", text, re.DOTALL)
    assert len(found) == 1, f"docs/labels.md: {len(found)} blocks '{block}'"
    return str(found[0]).splitlines()


def follow(
    project: Project, block: str, in_place: Mapping[str, str] | None = None, refused: str = ""
) -> None:
    """Type a block's commands in the project, word for word.

    Args:
        project: where.
        block: which.
        in_place: what stands for the words in the documentation that are only an example.
        refused: the command that must fail; the block ends with it.
    """
    lines = commands(block)
    assert not refused or lines[-1] == refused
    for line in lines:
        typed = line
        for example, real in (in_place or {}).items():
            typed = typed.replace(example, real)
        failed = project.run("bash", "-c", typed, check=False)
        if line == refused:
            assert failed.returncode != 0, line
        elif NO_MATTER not in line:
            assert failed.returncode == 0, f"{typed}\n{failed.stdout}\n{failed.stderr}"
