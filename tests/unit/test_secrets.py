"""What is kept of passwords and of random secrets."""

from argon2 import extract_parameters

from deadletter.store.people.secrets import hash_of, hash_password, new_secret, password_fits

PASSWORD = "correct horse battery staple"


def test_a_password_is_kept_as_argon2id_with_no_less_than_owasp_asks_for() -> None:
    kept = hash_password(PASSWORD)
    work = extract_parameters(kept)
    assert work.type.name == "ID"
    assert work.memory_cost >= 19_456  # KiB; OWASP's Password Storage Cheat Sheet: m=19456, t=2, p=1
    assert work.time_cost >= 2
    assert password_fits(PASSWORD, kept)
    assert not password_fits(PASSWORD + "r", kept)


def test_nobody_is_let_in_who_has_no_password() -> None:
    assert not password_fits(PASSWORD, None)
    assert not password_fits("", None)
    assert not password_fits(PASSWORD, "not a hash")


def test_secrets_differ_and_are_kept_as_a_hash_only() -> None:
    one, other = new_secret("rdr_"), new_secret("rdr_")
    assert one != other
    assert one.startswith("rdr_")
    assert one not in hash_of(one)
    assert hash_of(one) != hash_of(other)
