"""The API against its own document: whatever schemathesis makes of it, no answer is a server error or another shape."""

import os
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from console.api.blueprint import OPERATIONS, PREFIX
from console.api.document import openapi_path
from console.api.routes import Operation
from deadletter.settings import Settings
from deadletter.store import make_engine
from tests.console.api import Program
from tests.console.people import Door

CHECKS = [not_a_server_error, response_schema_conformance, status_code_conformance, content_type_conformance]
EXAMPLES = int(os.environ.get("API_EXAMPLES", "2"))
"""Requests for each operation and way of making them up; a long run by hand asks for more."""


@pytest.fixture(scope="module")
def ada(seeded_file: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    chosen = Settings(data_dir=tmp_path_factory.mktemp("api"))
    (chosen.data_dir / "redrive.db").write_bytes(seeded_file)
    engine = make_engine(chosen)
    yield Program(Door(chosen, engine), "ada", "admin")
    engine.dispose()


@pytest.fixture(scope="module")
def schema(ada: Program) -> BaseSchema:
    return schemathesis.openapi.from_wsgi(f"{PREFIX}/openapi.json", ada.browser.application)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_no_request_is_answered_but_as_the_document_says(
    operation: Operation, mode: GenerationMode, ada: Program, schema: BaseSchema
) -> None:
    described = schema[PREFIX + openapi_path(operation.path)][operation.method]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=described.as_strategy(generation_mode=mode))
    def answers(case: Case) -> None:
        case.call_and_validate(headers=ada.headers, checks=CHECKS)

    answers()
