"""Who calls: ES256 tokens, their issue and their verification."""

import base64
import json
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from meshkit.errors import Unauthenticated
from meshkit.ids import is_ident

ISSUER = "peakmesh"
AUDIENCE = "peakmesh-shop"
_CACHE_LIMIT = 50_000


class Role(StrEnum):
    BUYER = "buyer"
    SELLER = "seller"
    OPERATOR = "operator"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Identity:
    user_id: str
    role: Role


def create_keys(directory: Path) -> None:
    """Makes `private.pem` (mode 600) and `jwks.json`, once; keys that are there stay."""
    private_path, jwks_path = directory / "private.pem", directory / "jwks.json"
    if private_path.exists() and jwks_path.exists():
        return
    directory.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private_path.touch(mode=0o600)
    private_path.write_bytes(pem)
    numbers = key.public_key().public_numbers()
    public = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "peakmesh-1"}
    jwks_path.write_text(json.dumps({"keys": [public | {"x": _b64(numbers.x), "y": _b64(numbers.y)}]}))


def _b64(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()


class TokenIssuer:
    """Signs tokens with the key made at set-up."""

    def __init__(self, directory: Path) -> None:
        pem = (directory / "private.pem").read_bytes()
        self._key: Any = serialization.load_pem_private_key(pem, password=None)

    def issue(self, sub: str, role: Role, ttl_seconds: float = 3600) -> str:
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": sub, "role": role.value, "iat": now}
        claims |= {"exp": int(now + ttl_seconds)}
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": "peakmesh-1"})


class TokenVerifier:
    """Verifies tokens; a token seen before is looked up until it expires: no signature to check."""

    def __init__(self, jwks_path: Path) -> None:
        keys = jwt.PyJWKSet.from_json(jwks_path.read_text()).keys
        self._keys = {key.key_id: key.key for key in keys}
        self._seen: dict[str, tuple[Identity, float]] = {}
        # An issuer's tokens begin alike: no need to decode that anew for each buyer. Of verified tokens alone: few.
        self._by_header: dict[str, Any] = {}

    def verify(self, authorization: str) -> Identity:
        """`Bearer <token>` → who that is. Raises Unauthenticated."""
        token = authorization[7:] if authorization[:7].lower() == "bearer " else ""
        if not token:
            raise Unauthenticated("a bearer token is required")
        known = self._seen.get(token)
        if known and known[1] > time.time():
            return known[0]
        identity, expires = self._decode(token)
        if len(self._seen) >= _CACHE_LIMIT:
            self._seen.clear()
        self._seen[token] = (identity, expires)
        return identity

    def _decode(self, token: str) -> tuple[Identity, float]:
        try:
            header = token[: token.find(".")]
            key = self._by_header.get(header) or self._keys[jwt.get_unverified_header(token).get("kid", "")]
            claims = jwt.decode(
                token,
                key,
                algorithms=["ES256"],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": ["exp", "sub", "aud", "iss"]},
            )
            self._by_header[header] = key
            # It goes into keys and rows: an issuer's other names would be a server's error at the first of them.
            if not is_ident(claims["sub"]):
                raise Unauthenticated("the token's sub is no user_id: 1 to 64 letters, digits, '_' or '-'")
            return Identity(claims["sub"], Role(claims["role"])), float(claims["exp"])
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the token has expired") from None
        except (jwt.PyJWTError, KeyError, ValueError):
            raise Unauthenticated("the token is not valid here") from None
