"""A Forebay to talk to, on a socket."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from forebay_cli.main import main
from tests.support.admin_api import AdminApi, AdminServer, serve


class Result(NamedTuple):
    status: int
    out: str
    err: str


Forebay = Callable[..., Result]
"""Runs `forebay ARG…` in this process."""


@pytest.fixture
def server() -> Iterator[AdminServer]:
    with serve(AdminApi()) as running:
        yield running


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Forebay:
    """Runs the command line as given."""

    def forebay(*args: str) -> Result:
        capsys.readouterr()
        try:
            status = main(args)
        except SystemExit as ended:  # argparse ends the program by itself
            status = int(ended.code or 0)
        printed = capsys.readouterr()
        return Result(status, printed.out, printed.err)

    return forebay


@pytest.fixture
def forebay(run: Forebay, server: AdminServer) -> Forebay:
    """Runs a command against `server`."""
    return lambda *args: run("--url", server.url, *args)
