"""What `sam build` puts into each layer and function, for arm64 and Python 3.13, on any machine."""

import ast
import hashlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.sam import run_sam
from tests.support.template import ROOT, Template

pytestmark = pytest.mark.build

CONFIGURED = ["GatewayFunction", "SettlerFunction", "ControllerFunction"]
LAYERS = ["RuntimeLayer", "CoreLayer", "DependenciesLayer", "NumericsLayer"]
UNZIPPED_LIMIT_BYTES = 250 * 1000**2  # Lambda's, for a function with all its layers
BUDGET_BYTES = 40 * 1000**2  # ours: 25 MB today, and every byte is fetched in a cold start
ELF_MACHINE_AARCH64 = 0xB7


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    run_sam(["build", "--build-dir", folder])
    return folder


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in files(folder)}


def without_bytecode(folder: Path) -> set[str]:
    return {name for name in names(folder) if "__pycache__" not in name}


def digest(folder: Path) -> str:
    """Return a hash of the names, contents and executable bits of all files."""
    entries = [
        f"{path.relative_to(folder)} {os.access(path, os.X_OK)} {path.read_bytes().hex()}"
        for path in files(folder)
    ]
    return hashlib.sha256("\n".join(entries).encode()).hexdigest()


def distributions(layer: Path) -> set[tuple[str, str]]:
    """Return name and version of each installed package, as its metadata has them."""
    metadata = [path.read_text() for path in layer.glob("python/*.dist-info/METADATA")]
    return {
        (
            re.sub(r"[-_.]+", "-", _field("Name", text)).lower(),
            _field("Version", text),
        )
        for text in metadata
    }


def _field(name: str, metadata: str) -> str:
    found = re.search(rf"^{name}: (.+)$", metadata, re.MULTILINE)
    assert found, f"{name} is missing"
    return found[1]


@pytest.mark.parametrize("function", [*CONFIGURED, "AdminFunction"])
def test_a_function_and_its_layers_fit_lambda_and_our_own_budget(
    built: Path, transformed: Template, function: str
) -> None:
    references = transformed["Resources"][function]["Properties"]["Layers"]
    used = [layer for layer in LAYERS for ref in references if ref["Ref"].startswith(layer)]
    assert len(used) == len(references)
    folders = [built / name for name in (function, *used)]
    size = sum(path.stat().st_size for folder in folders for path in files(folder))
    assert size < BUDGET_BYTES < UNZIPPED_LIMIT_BYTES


@pytest.mark.parametrize("function", CONFIGURED)
def test_a_function_is_its_app_and_what_the_operator_edits(built: Path, function: str) -> None:
    assert names(built / function) == {"app.py", "gateway.toml"}
    edited = (ROOT / "gateway.toml").read_bytes()
    assert (built / function / "gateway.toml").read_bytes() == edited


def test_admin_needs_nothing_of_what_the_operator_edits(built: Path) -> None:
    assert names(built / "AdminFunction") == {"app.py"}


def test_the_runtime_layer_starts_functions(built: Path) -> None:
    layer = built / "RuntimeLayer"
    assert os.access(layer / "streaming-runtime", os.X_OK)
    assert (layer / "streaming-runtime").read_bytes().startswith(b"#!/bin/")
    assert (layer / "python/lambda_streaming/__main__.py").exists()


def test_the_core_layer_is_the_library_with_its_data(built: Path) -> None:
    source = ROOT / "layers/core/python/forebay"
    shipped = built / "CoreLayer/python/forebay"
    assert without_bytecode(shipped) == without_bytecode(source)


@pytest.mark.parametrize("layer", ["DependenciesLayer", "NumericsLayer"])
def test_packages_are_the_locked_ones(built: Path, layer: str) -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    locked = {(package["name"], package.get("version", "")) for package in lock["package"]}
    shipped = distributions(built / layer)
    assert shipped
    assert shipped <= locked


def test_every_dependency_of_the_project_ships(built: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    shipped = {name for name, _ in distributions(built / "DependenciesLayer")}
    wanted = {re.split(r"[<>=\[ ]", dependency)[0] for dependency in project["dependencies"]}
    assert wanted <= shipped


def imported(package: Path) -> set[str]:
    """Return the top-level names that a package imports, wherever in a module it does."""
    trees = [ast.parse(path.read_text()) for path in package.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {module.partition(".")[0] for module in modules}


def test_all_that_the_library_imports_ships_with_it(built: Path) -> None:
    """Lambda has a boto3 of its own, but of another version than the botocore in our layer."""
    shipped = {path.stem for layer in LAYERS for path in (built / layer / "python").iterdir()}
    needed = imported(built / "CoreLayer") | imported(built / "RuntimeLayer")
    assert needed - shipped - sys.stdlib_module_names == set()


def test_no_file_is_in_two_layers(built: Path) -> None:
    """/opt is one folder: the later layer would hide the earlier one's file."""
    shipped = [name for layer in LAYERS for name in names(built / layer)]
    assert len(shipped) == len(set(shipped))


@pytest.mark.parametrize("layer", ["DependenciesLayer", "NumericsLayer"])
def test_native_modules_are_for_python_3_13_on_arm64(built: Path, layer: str) -> None:
    modules = [path for path in files(built / layer) if path.suffix == ".so"]
    assert modules
    for module in modules:
        assert int.from_bytes(module.read_bytes()[18:20], "little") == ELF_MACHINE_AARCH64, module
        assert "cpython-313" in module.name or "abi3" in module.name


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_carries_nothing_that_a_function_never_reads(built: Path, layer: str) -> None:
    useless = [
        name
        for name in names(built / layer)
        if re.search(r"(^|/)(tests?|bin)/|\.(pyi|pyx|c)$|/RECORD$|/INSTALLER$", name)
        or (name.endswith(".pyc") and "cpython-313" not in name)
    ]
    assert useless == []


@pytest.mark.parametrize("service", ["dynamodb", "secretsmanager", "ssm", "sts"])
def test_botocore_still_speaks_to_the_services_that_functions_use(
    built: Path, service: str
) -> None:
    """The layer leaves out the descriptions of all other services."""
    session = "__import__('botocore.session').session.get_session()"
    script = f"{session}.create_client({service!r}, 'us-east-1')"
    subprocess.run(
        [sys.executable, "-S", "-B", "-c", script],  # -B: the layer stays as it was built
        env={"PYTHONPATH": str(built / "DependenciesLayer/python")},
        check=True,
    )


def test_the_vocabularies_are_in_the_numerics_layer_and_no_way_to_download_others(
    built: Path,
) -> None:
    layer = built / "NumericsLayer"
    assert names(layer / "tiktoken") == names(ROOT / "layers/numerics/tiktoken")
    assert not (layer / "python/requests").exists()


def test_a_second_build_is_the_same_to_the_byte(built: Path, tmp_path: Path) -> None:
    """Else each deployment would publish layers that have not changed."""
    run_sam(["build", "--build-dir", tmp_path])
    assert {layer: digest(tmp_path / layer) for layer in LAYERS} == {
        layer: digest(built / layer) for layer in LAYERS
    }
