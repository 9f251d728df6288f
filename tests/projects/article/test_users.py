"""Tests against a real PostgreSQL and a real Redis."""

import pytest
from myapp.models import User


@pytest.mark.integration
def test_create_user(db_session):
    user = User(username="testuser", email="test@example.com")
    db_session.add(user)
    db_session.flush()

    result = db_session.query(User).filter_by(username="testuser").first()
    assert result is not None
    assert result.email == "test@example.com"


@pytest.mark.integration
def test_cache_user(db_session, redis_client):
    user = User(username="cached", email="cached@example.com")
    db_session.add(user)
    db_session.flush()

    redis_client.set(f"user:{user.id}", user.email)
    cached = redis_client.get(f"user:{user.id}")
    assert cached == b"cached@example.com"


@pytest.mark.integration
def test_nothing_is_left_of_the_other_tests(db_session):
    assert db_session.query(User).count() == 0
