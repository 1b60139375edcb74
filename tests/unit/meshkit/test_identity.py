import stat
from pathlib import Path

import jwt
import pytest

from meshkit.errors import Unauthenticated
from meshkit.identity import AUDIENCE, ISSUER, Role, TokenIssuer, TokenVerifier, create_keys


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("identity")
    create_keys(directory)
    return directory


def test_an_issued_token_says_who_it_is(keys: Path) -> None:
    token = TokenIssuer(keys).issue("ana", Role.SELLER)
    verifier = TokenVerifier(keys / "jwks.json")
    for _ in range(2):  # verified, then looked up
        identity = verifier.verify(f"Bearer {token}")
        assert (identity.user_id, identity.role) == ("ana", Role.SELLER)


def test_keys_are_made_once_and_kept_private(keys: Path) -> None:
    before = (keys / "private.pem").read_bytes()
    create_keys(keys)
    assert (keys / "private.pem").read_bytes() == before
    assert stat.S_IMODE((keys / "private.pem").stat().st_mode) == 0o600


def _forged(keys: Path, **changes: object) -> str:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "eve", "role": "operator", "exp": 9_999_999_999} | changes
    pem = (keys / "private.pem").read_text()
    return jwt.encode({k: v for k, v in claims.items() if v}, pem, algorithm="ES256", headers={"kid": "peakmesh-1"})


@pytest.mark.parametrize(
    "changes",
    [{"aud": "other"}, {"iss": "other"}, {"role": "king"}, {"role": None}, {"sub": None}, {"exp": None}, {"exp": 1}],
)
def test_a_token_that_lacks_or_misstates_a_claim_is_refused(keys: Path, changes: dict[str, object]) -> None:
    with pytest.raises(Unauthenticated):
        TokenVerifier(keys / "jwks.json").verify(f"Bearer {_forged(keys, **changes)}")


def test_another_algorithm_is_refused(keys: Path) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "eve", "role": "operator", "exp": 9_999_999_999}
    secret = "a shared secret of more than thirty-two bytes"
    header = {"kid": "peakmesh-1"}
    symmetric = jwt.encode(claims, secret, algorithm="HS256", headers=header)
    unsigned = jwt.encode(claims, "", algorithm="none", headers=header)
    for token in (symmetric, unsigned, "x.y.z", ""):
        with pytest.raises(Unauthenticated):
            TokenVerifier(keys / "jwks.json").verify(f"Bearer {token}")
