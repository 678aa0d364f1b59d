import pytest

from tests.support.template import TEMPLATE, Template, load, packaged, transform_sam


@pytest.fixture(scope="session")
def source() -> Template:
    return load(TEMPLATE)


@pytest.fixture(scope="session")
def transformed(source: Template) -> Template:
    return transform_sam(packaged(source))
