"""Calls that are out: a slow one keeps none waiting, and one that goes wrong gives its place back."""

from collections.abc import Sequence

from deadletter.event import TargetKind, TargetRef
from deadletter.redrive.sending import Where
from deadletter.store.redrives.claims import Claimed
from deadletter.store.redrives.outcomes import Report
from tests.factories import FUNCTION
from worker.calling import Calls

WHERE: Where = (7, TargetRef(TargetKind.LAMBDA, FUNCTION), "RequestResponse")


def test_a_call_that_goes_wrong_gives_its_place_back_and_the_next_is_made() -> None:
    tries = iter([RuntimeError("the database is away"), None])

    def make(_claimed_at: float, _where: Where, _claims: Sequence[Claimed]) -> Sequence[Report]:
        if error := next(tries):
            raise error
        return []

    calls = Calls(make, each=1)
    for _ in range(2):
        assert calls.free(7, FUNCTION, among=1) == 1
        calls.submit(WHERE, [])
        assert calls.free(7, FUNCTION, among=1) == 0
        assert list(calls.gather(60.0)) == [(7, [])]
    assert calls.out == 0
    calls.close()
