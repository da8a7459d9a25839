"""Who may import whom, and what no module of the pipeline may do."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

BASE = ("errors", "files", "seeds", "console", "params", "tables", "paths", "versions")
"""The base modules, downwards: each may import those before it."""

SHARED = {*BASE}
ALLOWED: dict[str, set[str]] = {
    **{name: set(BASE[:place]) for place, name in enumerate(BASE)},
    "interactions": SHARED,
    "selection": SHARED,
    "evaluation": SHARED,
    "project": {"params", "paths"},
    "labelling": SHARED
    | {"interactions.catalog", "project"}
    | {f"evaluation.{name}" for name in ("metrics", "intervals", "agreement", "card_words")},
    "recommenders": SHARED | {"interactions.catalog"},
    "distillation": SHARED | {"recommenders"},
    "report": SHARED | {"evaluation"},
    "stages": SHARED
    | {"interactions", "selection", "evaluation", "labelling", "recommenders", "distillation"}
    | {"report"},
    "grid": SHARED
    | {"interactions", "selection", "evaluation", "labelling", "recommenders", "distillation"}
    | {"stages", "project"},
    "export": SHARED | {"recommenders"},
    "cli": {"params", "paths", "console", "errors", "project"}
    | {"stages", "labelling", "recommenders", "evaluation", "report", "grid", "export"},
    "__main__": {"cli"},
    "__init__": set(),
}
PROJECT = Path(__file__).resolve().parent.parent
MODULES = sorted((PROJECT / "pipeline").rglob("*.py"))
BENCHMARKS = sorted((PROJECT / "benchmarks").rglob("*.py"))


def name_of(path: Path) -> str:
    """Return a module's name below `pipeline`: ``recommenders.fpmc``."""
    parts = path.relative_to(PROJECT / "pipeline").with_suffix("").parts
    return ".".join(parts if parts == ("__init__",) or parts[-1] != "__init__" else parts[:-1])


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the full names that a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{one.name}" for one in node.names)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_what_its_part_may(path: Path) -> None:
    module = name_of(path)
    part = module.split(".", maxsplit=1)[0]
    for imported in imports(ast.parse(path.read_text(encoding="utf-8"))):
        assert not imported.startswith("."), f"{module}: write imports in full"
        if imported.startswith("pipeline."):
            target = imported.removeprefix("pipeline.")
            own = part == target.split(".")[0] and part != "stages"
            fits = any(f"{target}.".startswith(f"{one}.") for one in ALLOWED[part])
            assert own or fits, f"pipeline.{module} imports {imported}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_needs_no_pandas_no_pickle_and_does_not_print(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    roots = {imported.split(".")[0] for imported in imports(tree)}
    assert roots.isdisjoint({"pandas", "pickle", "joblib", "shelve", "marshal", "tests"})
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert [one for one in calls if ast.unparse(one.func) in ("print", "torch.save")] == []


RUNNING = {"eval", "exec", "compile", "__import__", "breakpoint"}
LOADING = {"torch.load", "np.load", "numpy.load"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
OPENERS = {
    "labelling.stores.parquet": "its parts",
    "tables": "tables",
    "interactions.tabular": "a dataset's files",
    "interactions.readers.already_cut": "a dataset's files",
    "interactions.readers.own_log": "a dataset's files",
    "recommenders.answers": "a file that a user names",
}
"""Who opens Parquet files, and which."""
ARROW = {"labelling.stores.parquet", "tables"}
"""Who may use a library that opens them by other names."""


@pytest.mark.parametrize("path", [*MODULES, *BENCHMARKS], ids=str)
def test_nothing_that_was_read_is_ever_run(path: Path) -> None:
    """No code from text, no pickle in any dress, no shell, no YAML that makes objects."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    roots = {imported.split(".")[0] for imported in imports(tree)}
    assert roots.isdisjoint(
        {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "yaml"}
    )
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        named = {one.arg: ast.unparse(one.value) for one in call.keywords}
        assert name not in RUNNING | LOADING | SHELLS, f"{path}: {name}"
        assert named.get("shell", "False") == "False", f"{path}: {name} through a shell"
        assert named.get("allow_pickle", "False") == "False", f"{path}: {name} with pickle"
        if name == "YAML" and path in MODULES:
            assert named.get("typ") == "'safe'", f"{path}: YAML that is not safe"


def opens(tree: ast.AST) -> set[str]:
    """Return by what a module could open a Parquet file: names it uses, libraries it imports."""
    imported = list(imports(tree))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    used |= {name.rsplit(".", maxsplit=1)[-1] for name in imported}
    calls = {one for one in used if re.match(r"(read|scan)_parquet|Parquet|SQL|sql$", one)}
    libraries = {name.split(".")[0] for name in imported}
    return calls | (libraries & {"pyarrow", "duckdb", "fastparquet", "deltalake"})


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_store_opens_its_parts(path: Path) -> None:
    """A part is checked against its name before anything is read from it."""
    found, module = opens(ast.parse(path.read_text(encoding="utf-8"))), name_of(path)
    if module not in ARROW:
        assert {one for one in found if "parquet" not in one} == set()
    if module not in OPENERS:
        assert found == set()


@pytest.mark.parametrize(
    "code",
    [
        "import duckdb\nduckdb.sql(text)",
        "import pyarrow.parquet as pq\npq.read_schema(path)",
        "from pyarrow.parquet import ParquetDataset",
        "from pyarrow import dataset",
        "from polars import scan_parquet as scan",
        "pl.read_parquet_schema(path)",
        "pl.sql(text)",
    ],
)
def test_every_way_to_open_a_part_is_seen(code: str) -> None:
    assert opens(ast.parse(code))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_every_stage_has_a_file_and_every_file_is_a_stage() -> None:
    stages = YAML(typ="safe").load(PROJECT / "dvc.yaml")["stages"]
    files = {path.stem for path in (PROJECT / "pipeline/stages").glob("[a-z]*.py")}
    assert files == set(stages)


NO_KEYS = ("pipeline.errors", "pipeline.params", "pipeline.labelling.online.announced")
"""Imported where prompts are built, and without a say in them: parameters are named one by one."""


def behind(module: str) -> set[str]:
    """Return a module of the pipeline and all that it imports, and those import, by their files."""
    found, left = set[str](), [module]
    while left:
        one = left.pop()
        file = Path(one.replace(".", "/") + ".py")
        has_no_say = any(f"{one}.".startswith(f"{free}.") for free in NO_KEYS)
        if has_no_say or str(file) in found or not (PROJECT / file).exists():
            continue
        found.add(str(file))
        for name in imports(ast.parse((PROJECT / file).read_text(encoding="utf-8"))):
            left += [name, name.rpartition(".")[0]]
    return found


@pytest.mark.parametrize(
    ("stage", "modules"),
    [
        ("hints", ("prompt", "parse")),
        ("label", ("prompt",)),
        ("labelled", ("prompt", "parse")),
    ],
)
def test_stages_depend_on_the_code_that_makes_keys_and_reads_answers(
    stage: str, modules: tuple[str, ...]
) -> None:
    named = YAML(typ="safe").load(PROJECT / "dvc.yaml")["stages"][stage]["deps"]
    needed = {"pipeline/labelling/cases.py", "pipeline/labelling/prompts"}
    needed |= {one for module in modules for one in behind(f"pipeline.labelling.{module}")}
    assert "pipeline/labelling/key.py" in needed
    assert sorted(needed - set(named)) == []


def test_nothing_is_called_utils() -> None:
    vague = {"utils", "helpers", "common", "manager", "misc"}
    assert [path for path in MODULES if vague & set(name_of(path).split("."))] == []
