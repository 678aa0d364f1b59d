"""The functions that a processed template has, as the local host needs to know them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from forebay_cli.local.resolve import Scope, resolve
from forebay_cli.local.template import local_path

WRAPPER: Final = "AWS_LAMBDA_EXEC_WRAPPER"
DEFAULT_TIMEOUT_S: Final = 3  # Lambda's own defaults
DEFAULT_MEMORY_MB: Final = 128
ENV_REFERENCE: Final = re.compile(r"[\"']env:([A-Za-z_][A-Za-z0-9_]*)[\"']")

# What a process needs of the person's environment to reach the internet as they do.
INHERITED: Final = (
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip


class FunctionError(Exception):
    """A function of the template cannot run here; the message says which and why."""


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One function.

    Attributes:
        name: its logical id in the template.
        task_root: the folder of its code (`LAMBDA_TASK_ROOT`).
        layers: the folders that make up `/opt`, first to last.
        environ: its own variables, with `/opt/…` turned into paths of this machine.
    """

    name: str
    handler: str
    task_root: Path
    layers: tuple[Path, ...]
    environ: Mapping[str, str]
    timeout_s: float
    memory_mb: int

    @property
    def wrapper(self) -> Path:
        """The program that is given the interpreter, as Lambda does with an exec wrapper."""
        return Path(self.environ[WRAPPER])


def load_functions(
    template: Mapping[str, Any], scope: Scope, root: Path, extra: Mapping[str, str]
) -> dict[str, FunctionSpec]:
    """Return the template's functions by logical id.

    Code lies below `root`, the template's folder. Each function gets the variables of `extra`
    beside, and over, its own.

    Raises:
        FunctionError: one has no exec wrapper, or a folder of it is missing.
        ResolveError: its properties refer to what is unknown.
    """
    resources = template["Resources"]
    return {
        name: _function(name, resource["Properties"], resources, (scope, root, extra))
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Function"
    }


def _function(
    name: str,
    raw: Mapping[str, Any],
    resources: Mapping[str, Any],
    around: tuple[Scope, Path, Mapping[str, str]],
) -> FunctionSpec:
    scope, root, extra = around
    # The role and other things of IAM mean nothing here, so they are not resolved either.
    wanted = ("Handler", "Environment", "Timeout", "MemorySize", "Layers", "LoggingConfig")
    properties = resolve({key: raw[key] for key in wanted if key in raw}, scope)
    layers = tuple(
        _folder(name, root, resources[layer]["Properties"]["Content"])
        for layer in (str(item).rsplit(":", 1)[-1] for item in properties.get("Layers", []))
        if layer in resources
    )
    own = properties.get("Environment", {}).get("Variables", {})
    environ = {key: _opt_path(str(value), layers) for key, value in own.items()} | dict(extra)
    environ["AWS_LAMBDA_LOG_FORMAT"] = properties.get("LoggingConfig", {}).get("LogFormat", "Text")
    if WRAPPER not in environ:
        raise FunctionError(f"{name} has no {WRAPPER}: only the streaming runtime runs here.")
    if not Path(environ[WRAPPER]).is_file():
        raise FunctionError(f"{name}: {WRAPPER} {environ[WRAPPER]} is in none of its layers.")
    return FunctionSpec(
        name=name,
        handler=properties["Handler"],
        task_root=_folder(name, root, raw["Code"]),
        layers=layers,
        environ=environ,
        timeout_s=float(properties.get("Timeout", DEFAULT_TIMEOUT_S)),
        memory_mb=int(properties.get("MemorySize", DEFAULT_MEMORY_MB)),
    )


def _folder(name: str, root: Path, location: Any) -> Path:
    path = local_path(root, location)
    if path is None or not path.is_dir():
        raise FunctionError(f"{name}: its code or a layer of it, {location}, is not a folder here.")
    return path


def _opt_path(value: str, layers: Iterable[Path]) -> str:
    """Replace a path below `/opt` by the layer's file; the last layer that has it wins."""
    if not value.startswith("/opt/"):
        return value
    found = [layer / value.removeprefix("/opt/") for layer in layers]
    return next((str(path) for path in reversed(found) if path.exists()), value)


def referenced_variables(config_text: str) -> set[str]:
    """The names of the environment variables that a `gateway.toml` takes secrets from."""
    return set(ENV_REFERENCE.findall(config_text))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all sandboxes share.

    Attributes:
        user: variables of the person's environment that are let through.
        aws: region and credentials.
        concurrency: invocations one process takes at a time; 1 is Lambda's plain mode.
    """

    user: Mapping[str, str]
    aws: Mapping[str, str]
    concurrency: int = 1


def sandbox_environment(
    spec: FunctionSpec, around: Surroundings, runtime_api: str
) -> dict[str, str]:
    """Return the whole environment of a sandbox's process, as Lambda would set it.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    python_path = [str(layer / "python") for layer in spec.layers if (layer / "python").is_dir()]
    environ = {
        **around.user,
        **around.aws,
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{spec.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "LAMBDA_TASK_ROOT": str(spec.task_root),
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "_HANDLER": spec.handler,
        "PYTHONPATH": ":".join(python_path),
        "PYTHONUNBUFFERED": "1",
        **spec.environ,
    }
    if around.concurrency > 1:
        environ["AWS_LAMBDA_MAX_CONCURRENCY"] = str(around.concurrency)
    return environ
