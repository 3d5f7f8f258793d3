import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadletter.access import (
    LEAST_ROLE,
    Forbidden,
    Grant,
    Permission,
    Principal,
    Role,
    capped,
    parse_grants,
    role_map,
)
from deadletter.errors import BadInput

ORDERS = "arn:aws:sqs:eu-west-1:123456789012:orders-dlq"
PAYMENTS = "arn:aws:sqs:eu-west-1:123456789012:payments-dlq"
GRANTS = st.lists(st.builds(Grant, st.sampled_from(Role), st.sampled_from(["*", "*:orders-*", ORDERS])), max_size=4)


def somebody(*grants: str) -> Principal:
    return Principal("ada", parse_grants(grants), "password")


def test_every_permission_has_a_least_role() -> None:
    assert LEAST_ROLE.keys() == set(Permission)


def test_each_role_may_do_all_that_the_ones_before_it_may() -> None:
    may = [{permission for permission in Permission if somebody(role).may(permission)} for role in Role]
    assert all(before < after for before, after in itertools.pairwise(may))
    assert may[-1] == set(Permission)


def test_a_role_for_some_sources_holds_for_those_only_and_says_so() -> None:
    ada = somebody("viewer", "operator:arn:aws:sqs:*:*:orders-*")
    assert ada.may(Permission.REDRIVE, ORDERS)
    refused = ada.may(Permission.REDRIVE, PAYMENTS)
    assert not refused
    assert "only for the sources arn:aws:sqs:*:*:orders-*" in refused.reason
    assert ada.may(Permission.VIEW, PAYMENTS)
    assert ada.everywhere(Permission.VIEW)
    assert not ada.everywhere(Permission.REDRIVE)


def test_a_refusal_names_the_role_that_is_missing_and_who_can_give_it() -> None:
    with pytest.raises(Forbidden, match=r"you need the role approver; ada has operator.*An admin"):
        somebody("operator").require(Permission.APPROVE)


def test_nobody_in_particular_may_nothing() -> None:
    assert not any(somebody().may(permission) for permission in Permission)


def test_several_sources_must_all_be_allowed() -> None:
    ada = somebody(f"operator:{ORDERS}")
    ada.require(Permission.REDRIVE, [ORDERS])
    with pytest.raises(Forbidden, match="payments-dlq is none of them"):
        ada.require(Permission.REDRIVE, [ORDERS, PAYMENTS])


@given(GRANTS, st.sampled_from(Role), st.sampled_from(Permission), st.sampled_from([ORDERS, PAYMENTS]))
def test_a_token_never_may_what_its_owner_may_not(
    grants: list[Grant], cap: Role, permission: Permission, source: str
) -> None:
    owner = Principal("ada", tuple(grants), "password")
    token = Principal("ada", capped(grants, cap), "token")
    if token.may(permission, source):
        assert owner.may(permission, source)
        assert Principal("", (Grant(cap),), "").may(permission)


@given(GRANTS)
def test_grants_are_read_as_they_are_written(grants: list[Grant]) -> None:
    assert parse_grants(map(str, grants)) == tuple(dict.fromkeys(grants))


@pytest.mark.parametrize("text", ["root", "Admin", ":*", "operator viewer"])
def test_what_is_no_role_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(BadInput, match="viewer, operator, approver, admin"):
        Grant.parse(text)


def test_groups_of_the_provider_bring_roles() -> None:
    found = role_map("sre=operator, leads=approver, pay=operator:*:payments-*, pay=viewer")
    assert found == {
        "sre": (Grant(Role.OPERATOR),),
        "leads": (Grant(Role.APPROVER),),
        "pay": (Grant(Role.OPERATOR, "*:payments-*"), Grant(Role.VIEWER)),
    }
    assert role_map("") == {}
    with pytest.raises(BadInput, match="Write group=role"):
        role_map("operator")
