"""What was read of an account is kept as JSON, and is the same account again."""

import json

from hypothesis import given
from hypothesis import strategies as st

from deadletter.discovery.account import Account, Function, InvokeConfig, Queue, RuleTarget, SourceMapping, together
from deadletter.discovery.saved import from_json, to_json

texts = st.text(max_size=20)
maybe = st.none() | texts
functions = st.builds(
    Function,
    arn=texts,
    role_arn=maybe,
    role_id=maybe,
    dead_letter_arn=maybe,
    invoke_configs=st.none() | st.lists(st.builds(InvokeConfig, texts, maybe), max_size=2).map(tuple),
)
mappings = st.builds(SourceMapping, uuid=texts, function_arn=texts, source_arn=maybe)
accounts = st.builds(
    Account,
    functions=st.lists(functions, max_size=3).map(tuple),
    mappings=st.lists(st.builds(SourceMapping, uuid=texts, function_arn=texts, source_arn=maybe), max_size=2).map(
        tuple
    ),
    queues=st.lists(st.builds(Queue, arn=texts, retention_s=st.none() | st.integers(0, 99)), max_size=2).map(tuple),
    rule_targets=st.lists(st.builds(RuleTarget, rule_arn=texts, arn=texts, enabled=st.booleans())).map(tuple),
)


@given(accounts)
def test_an_account_survives_being_kept_as_json(account: Account) -> None:
    assert from_json(json.loads(json.dumps(to_json(account)))) == account


def test_what_an_older_or_newer_version_kept_is_read_as_far_as_it_is_known() -> None:
    saved = {"queues": [{"arn": "q", "colour": "red"}], "moons": [{"arn": "m"}]}
    assert from_json(saved) == Account(queues=(Queue(arn="q"),))


def test_several_accounts_are_drawn_as_one() -> None:
    one, other = Account(queues=(Queue(arn="a"),)), Account(queues=(Queue(arn="b"),), functions=(Function(arn="f"),))
    assert together([one, other]) == Account(queues=(Queue(arn="a"), Queue(arn="b")), functions=(Function(arn="f"),))
