"""A real OpenID Connect provider for tests: Authlib's authorization server, on this machine.

Whoever comes is signed in as the person that the test names next; there is no page in between.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import AuthorizationCodeMixin, UserInfo
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, jsonify
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

CLIENT_ID, CLIENT_SECRET = "redrive", "s3cret-of-the-client"


@dataclass
class Person:
    sub: str
    email: str
    groups: list[str] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)
    """Claims that take the place of what the provider would say."""


class Client(ClientMixin):
    def __init__(self, redirect_uri: str) -> None:
        self.redirect_uri = redirect_uri

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002 - Authlib's signature
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class Code(AuthorizationCodeMixin):
    code: str
    person: Person
    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(time.time())

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class Provider:
    """The provider; `person` is who signs in next, `redirect_uri` where the client may be led back to."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.person = Person("1", "ada@example.com")
        self.redirect_uri = ""
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.codes: dict[str, Code] = {}
        self.metadata: dict[str, Any] = {}
        self.app = self._app()

    def _app(self) -> Flask:
        app = Flask("oidc")
        app.config["OAUTH2_SCOPES_SUPPORTED"] = ["openid", "email", "profile"]
        server = AuthorizationServer(app, query_client=lambda _id: Client(self.redirect_uri), save_token=_keep_nothing)
        grant = type("Grant", (CodeGrant,), {"provider": self})
        id_token = type("Token", (IdToken,), {"provider": self})
        server.register_grant(grant, [id_token(require_nonce=True), CodeChallenge(required=True)])
        app.add_url_rule("/.well-known/openid-configuration", "metadata", lambda: jsonify(self._metadata()))
        app.add_url_rule("/keys", "keys", lambda: jsonify({"keys": [self.key.as_dict(private=False)]}))
        app.add_url_rule("/authorize", "authorize", lambda: self._authorize(server))
        app.add_url_rule("/token", "token", server.create_token_response, methods=["POST"])
        return app

    def _authorize(self, server: AuthorizationServer) -> Any:
        grant = server.get_consent_grant(end_user=self.person)
        return server.create_authorization_response(grant_user=self.person, grant=grant)

    def _metadata(self) -> dict[str, Any]:
        found = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        return found | self.metadata


class CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc] # Authlib's stubs are partial
    """The code flow; its codes are the provider's."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)
    provider: Provider

    def save_authorization_code(self, code: str, request: Any) -> None:
        asked = request.payload.data
        names = ("nonce", "code_challenge", "code_challenge_method")
        given = {name: asked.get(name, "") for name in names}
        payload = request.payload
        self.provider.codes[code] = Code(code, request.user, payload.redirect_uri, payload.scope, **given)

    def query_authorization_code(self, code: str, client: Any) -> Code | None:  # noqa: ARG002 - Authlib's signature
        return self.provider.codes.get(code)

    def delete_authorization_code(self, authorization_code: Code) -> None:
        self.provider.codes.pop(authorization_code.code)

    def authenticate_user(self, authorization_code: Code) -> Person:
        return authorization_code.person


class IdToken(OpenIDCode):  # type: ignore[misc] # the same
    """The ID token, signed by the provider's key."""

    provider: Provider

    def exists_nonce(self, nonce: str, request: Any) -> bool:  # noqa: ARG002 - Authlib's signature
        return False

    def resolve_client_private_key(self, client: Any) -> RSAKey:  # noqa: ARG002 - the same
        return self.provider.key

    def get_client_algorithm(self, client: Any) -> str:  # noqa: ARG002 - the same
        return "RS256"

    def get_client_claims(self, client: Any) -> dict[str, Any]:  # noqa: ARG002 - the same
        now = int(time.time())
        return {"iss": self.provider.issuer, "aud": [CLIENT_ID], "iat": now, "exp": now + 300}

    def generate_user_info(self, user: Person, scope: str) -> UserInfo:  # noqa: ARG002 - the same
        claims = {"sub": user.sub, "email": user.email, "email_verified": True, "groups": user.groups}
        return UserInfo(claims | user.more)


def _keep_nothing(*_args: object) -> None:
    """Access tokens are used for nothing here."""


@contextmanager
def served() -> Iterator[Provider]:
    """Serve a provider on a port of its own."""

    def later(environ: Any, start: Any) -> Any:  # its own address is known once it listens
        return provider.app(environ, start)

    server = make_server("127.0.0.1", 0, later, threaded=True)
    provider = Provider(f"http://127.0.0.1:{server.port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
