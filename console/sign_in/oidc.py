"""The sign-in provider, by OpenID Connect: the code flow with PKCE, state and nonce. Authlib checks what comes back.

Every address that is called comes from the provider's own metadata, whose address comes from the settings; no redirect
is followed, so nothing that a browser sends can make the console call anybody else.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, cast
from urllib.parse import urlsplit

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from deadletter.errors import NetworkError
from deadletter.settings import Oidc
from deadletter.store.people.sign_ins import Start

TIMEOUT_S = 10.0
_KEPT_S = 600.0
_LEEWAY_S = 60
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a key that only the provider has. Never `none`, never a shared secret."""

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_MOST_BYTES = 1_000_000


class SignInFailed(NetworkError):
    """The provider did not answer, or not with somebody who may come in; the sentence is for the person signing in."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What the provider says of a person: `subject` is theirs for good, `name` and `groups` are today's."""

    subject: str
    name: str
    groups: tuple[str, ...]


class Provider:
    """One OpenID Connect provider. Thread-safe; keeps its metadata and keys for ten minutes."""

    def __init__(self, oidc: Oidc) -> None:
        self._oidc = oidc
        self._lock = Lock()
        self._metadata: tuple[float, Mapping[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def address(self, start: Start, redirect_uri: str) -> str:
        """Return the provider's address that a browser goes to for *start*. Raises SignInFailed."""
        endpoint = self._endpoint("authorization_endpoint")
        with self._client(redirect_uri) as client:
            address, _ = client.create_authorization_url(
                endpoint, state=start.state, nonce=start.nonce, code_verifier=start.verifier
            )
        return str(address)

    def claims(self, start: Start, redirect_uri: str, *, code: str) -> Claims:
        """Return whom the provider let in, for the *code* that a browser brought back. Raises SignInFailed."""
        try:
            with self._client(redirect_uri) as client:
                token = client.fetch_token(
                    self._endpoint("token_endpoint"),
                    code=code,
                    code_verifier=start.verifier,
                    grant_type="authorization_code",
                    timeout=TIMEOUT_S,
                    allow_redirects=False,
                )
        except (OAuthError, requests.RequestException, ValueError) as error:
            raise SignInFailed(f"The sign-in provider did not take the code: {_said(error)}. Try again.") from error
        return self._checked(token, start)

    def _checked(self, token: Mapping[str, Any], start: Start) -> Claims:
        given = {"nonce": start.nonce, "client_id": self._oidc.client_id, "access_token": token.get("access_token")}
        options = {"iss": {"essential": True, "value": self._oidc.issuer}}
        try:
            decoded = self._decoded(str(token.get("id_token", "")))
            claims = CodeIDToken(decoded.claims, decoded.header, options, given)
            claims.validate(leeway=_LEEWAY_S)
        except (JoseError, ValueError) as error:
            raise SignInFailed(
                f"What the sign-in provider says cannot be trusted: {_said(error)}. Nobody was signed in."
            ) from error
        return self._claims(claims)

    def _decoded(self, id_token: str) -> jwt.Token:
        registry = JWSRegistry(algorithms=list(_ALGORITHMS), strict_check_header=False)
        try:
            return jwt.decode(id_token, self._key_set(fresh=False), registry=registry)
        except (JoseError, ValueError):  # it may have new keys since we asked
            return jwt.decode(id_token, self._key_set(fresh=True), registry=registry)

    def _claims(self, claims: Mapping[str, Any]) -> Claims:
        named = (claims.get(name) for name in ("email", "preferred_username", "name", "sub"))
        name = next(str(text) for text in named if text)
        if claims.get("email") == name and claims.get("email_verified") is False:
            name = str(claims.get("preferred_username") or claims["sub"])
        groups = claims.get(self._oidc.groups_claim, [])
        groups = [groups] if isinstance(groups, str) else groups
        texts = tuple(str(group) for group in groups) if isinstance(groups, list) else ()
        return Claims(f"{self._oidc.issuer} {claims['sub']}", name, texts)

    def _client(self, redirect_uri: str) -> OAuth2Session:
        return OAuth2Session(
            self._oidc.client_id,
            self._oidc.client_secret or None,
            scope=self._oidc.scope,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if self._oidc.client_secret else "none",
        )

    def _endpoint(self, name: str) -> str:
        address = str(self._known().get(name) or "")
        if not is_safe(address):
            raise SignInFailed(
                f"The sign-in provider names no {name} that is https. An admin has to mend its settings."
            )
        return address

    def _known(self) -> Mapping[str, Any]:
        with self._lock:
            if self._metadata is None or time.monotonic() - self._metadata[0] > _KEPT_S:
                found = _json(f"{self._oidc.issuer.rstrip('/')}/.well-known/openid-configuration")
                if found.get("issuer") != self._oidc.issuer:
                    raise SignInFailed(
                        f"{self._oidc.issuer} calls itself {str(found.get('issuer'))[:120]!r}. REDRIVE_OIDC_ISSUER has "
                        "to be exactly what it calls itself."
                    )
                self._metadata = (time.monotonic(), found)
            return self._metadata[1]

    def _key_set(self, *, fresh: bool) -> KeySet:
        address = self._endpoint("jwks_uri")
        with self._lock:
            if fresh or self._keys is None or time.monotonic() - self._keys[0] > _KEPT_S:
                self._keys = (time.monotonic(), KeySet.import_key_set(cast("Any", _json(address))))
            return self._keys[1]


def is_safe(address: str) -> bool:
    """Return whether *address* is https, or on this very machine."""
    parts = urlsplit(address)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )


def _json(address: str) -> Mapping[str, Any]:
    try:
        answer = requests.get(address, timeout=TIMEOUT_S, allow_redirects=False, headers={"Accept": "application/json"})
        found = (
            answer.json() if answer.status_code == requests.codes.ok and len(answer.content) <= _MOST_BYTES else None
        )
    except (requests.RequestException, ValueError) as error:
        raise SignInFailed(f"The sign-in provider at {address} cannot be read: {_said(error)}.") from error
    if not isinstance(found, dict):
        raise SignInFailed(
            f"The sign-in provider at {address} answered {answer.status_code}, without what was asked for."
        )
    return found


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200].rstrip(".")
