"""Where a redrive may go: refused when it is planned, and once more at the moment of sending."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from deadletter import redrive
from deadletter.errors import BadInput
from deadletter.event import TargetKind, TargetRef
from deadletter.redrive.allowing import Gate
from deadletter.store import read, write
from deadletter.store.allowed import allow_list, keep_targets
from deadletter.store.senders import set_senders
from deadletter.store.sources import remove, set_target
from tests.factories import ACCOUNT, ADA, FUNCTION, NOW, TARGET, make_source
from tests.store.redriving import SETTINGS, items, plan, run, store, take

STRICT = replace(SETTINGS, allowed_targets=())
OTHER = TargetRef(TargetKind.LAMBDA, ACCOUNT.format("lambda", "function:payments"))


def planned(engine: Engine, **given: object) -> Mapping[str, int]:
    row = plan(engine, settings=STRICT, **given)
    return {"waiting": row.waiting, "skipped": row.skipped}


def test_what_only_a_record_names_is_skipped_with_what_to_do(engine: Engine) -> None:
    store(engine, 2)
    row = plan(engine, settings=STRICT)
    assert (row.waiting, row.skipped) == (0, 2)
    reason = items(engine, row.id)[0].reason or ""
    assert f"{FUNCTION} is not a target that is allowed here" in reason
    assert "discover the account" in reason


def test_a_discovery_and_a_source_s_target_allow_it_until_they_are_gone(engine: Engine) -> None:
    store(engine, 1)
    with write(engine) as session:
        source = make_source(session)
        set_target(session, source.id, TARGET, by=ADA, now=NOW)
    assert planned(engine) == {"waiting": 1, "skipped": 0}
    with write(engine) as session:
        remove(session, source.id, by=ADA, now=NOW)
    assert planned(engine) == {"waiting": 0, "skipped": 1}
    with write(engine) as session:
        keep_targets(session, "/", [FUNCTION, OTHER.arn])
    assert planned(engine) == {"waiting": 1, "skipped": 0}
    with write(engine) as session:
        keep_targets(session, "/", [OTHER.arn])
    assert planned(engine) == {"waiting": 0, "skipped": 1}


def test_what_tells_the_functions_of_a_queue_apart_allows_them(engine: Engine) -> None:
    with write(engine) as session:
        set_senders(session, make_source(session).id, {"AROA1": OTHER.arn})
    with read(engine) as session:
        assert allow_list(session, [f"{OTHER.arn}:live", FUNCTION]).arns == {OTHER.arn}


@pytest.mark.parametrize("arn", [FUNCTION.replace("capture", "captura"), FUNCTION.replace("eu-west-1", "us-east-1")])
def test_a_person_who_chooses_a_target_that_is_not_allowed_is_told_so_at_once(engine: Engine, arn: str) -> None:
    store(engine, 1)
    with write(engine) as session:
        keep_targets(session, "/", [FUNCTION])
    with pytest.raises(BadInput, match="A redrive sends where it was allowed to before"):
        plan(engine, settings=STRICT, target=redrive.parse_target(arn))
    assert planned(engine, target=redrive.parse_target(f"{FUNCTION}:live")) == {"waiting": 1, "skipped": 0}


def test_at_the_moment_of_sending_it_is_looked_at_again_and_the_answer_is_kept_for_seconds(engine: Engine) -> None:
    store(engine, 3)
    ticks = [0.0]
    gate = Gate(engine, (), then=lambda claims: {claims[0].event_id: "held"} if claims else {}, ticks=lambda: ticks[0])
    claims = take(engine, run(engine).id)
    assert {why.partition(" is not")[0] for why in gate(claims).values()} == {FUNCTION}
    assert set(gate(claims)) == {each.event_id for each in claims}

    with write(engine) as session:
        keep_targets(session, "/", [FUNCTION])
    assert set(gate(claims)) == {each.event_id for each in claims}
    ticks[0] = 2.5
    assert gate(claims) == {claims[0].event_id: "held"}
