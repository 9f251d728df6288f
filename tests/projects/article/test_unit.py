"""Tests that need no service: `pytest -m "not integration"` runs only these, and starts nothing."""

from myapp.models import User


def test_a_new_user_has_no_id():
    assert User(username="testuser", email="test@example.com").id is None
