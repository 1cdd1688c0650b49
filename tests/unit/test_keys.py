"""Master keys before and after a rotation."""

from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.exceptions import InvalidTag

from shared.auth import BadToken, Principal, issue_token, read_token
from shared.keys import KEY_FILE, Keys
from shared.settings import Settings

FIRST, SECOND, THIRD = (bytes([number]) * 32 for number in (1, 2, 3))
BEFORE, AFTER = Keys(FIRST), Keys(SECOND, FIRST)


def test_what_others_hold_and_what_is_found_by_a_hash_outlives_a_rotation() -> None:
    issue = uuid4()
    assert AFTER.track_code(issue) == BEFORE.track_code(issue)
    assert AFTER.phone_index("+8619900000001") == BEFORE.phone_index("+8619900000001")
    assert AFTER.digest("door", b"1") == BEFORE.digest("door", b"1")
    assert AFTER.secret("callback") == BEFORE.secret("callback")


def test_a_person_sealed_before_a_rotation_is_read_after_it() -> None:
    key, wrapped = BEFORE.new_person_key()
    assert AFTER.unwrap(wrapped) == key
    assert not AFTER.is_current(wrapped)
    assert Keys(THIRD, SECOND, FIRST).unwrap(AFTER.wrap(key)) == key


def test_what_the_new_key_wrapped_the_old_one_alone_does_not_open() -> None:
    _, wrapped = AFTER.new_person_key()
    assert AFTER.is_current(wrapped)
    with pytest.raises(InvalidTag):
        BEFORE.unwrap(wrapped)


def test_tokens_of_the_old_key_end_with_a_rotation() -> None:
    token = issue_token(BEFORE, Principal(role="command"))
    with pytest.raises(BadToken):
        read_token(AFTER, token)


def test_roles_of_the_database_get_new_passwords() -> None:
    assert AFTER.role_password("chuishao_intake") != BEFORE.role_password("chuishao_intake")


def test_several_keys_are_one_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "master_key"
    file.write_text(f"{SECOND.hex()}\n{FIRST.hex()}\n")
    monkeypatch.setenv("CHUISHAO_MASTER_KEY_FILE", str(file))
    keys = Keys.from_hex(Settings().master_key or "")
    assert keys.rotated
    assert keys.token_secret == AFTER.token_secret


def test_kept_keys_are_nobody_elses_to_read(tmp_path: Path) -> None:
    before = Keys.from_directory(tmp_path, create=True)
    path = tmp_path / KEY_FILE
    Keys.keep(tmp_path, [SECOND.hex(), path.read_text()])
    assert path.stat().st_mode & 0o077 == 0
    issue = uuid4()
    assert Keys.from_directory(tmp_path).track_code(issue) == before.track_code(issue)
