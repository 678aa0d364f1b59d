"""The SAM CLI, as a person runs it, but without that person's AWS account."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.support.template import ROOT

SAM: Final = ROOT / ".venv-sam/bin/sam"
TIMEOUT_S: Final = 300  # a build takes 4 s; on a cold cache 20 MB of wheels come first


def run_sam(arguments: Sequence[str | Path], environ: Mapping[str, str] | None = None) -> str:
    """Run `sam` in the project's folder and return what it printed.

    Raises:
        FileNotFoundError: It is not installed.
        RuntimeError: It failed; the message is all that it printed.
    """
    if not SAM.exists():
        raise FileNotFoundError(f"the SAM CLI is not at {SAM}; `make test` installs it there")
    # Nor the flags of the `make` that may have started us: SAM calls make too.
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "MAKE", "MFLAGS"))
    }
    own = {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}
    result = subprocess.run(
        [SAM, *arguments],
        cwd=ROOT,
        env=inherited | own | dict(environ or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if result.returncode != 0:
        raise RuntimeError(result.stdout)
    return result.stdout
