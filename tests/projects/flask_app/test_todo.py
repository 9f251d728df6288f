"""Requests, each in a transaction of its own."""

import pytest
from sqlalchemy.exc import IntegrityError

pytestmark = pytest.mark.integration


def test_there_is_nothing_to_do(client):
    assert client.get("/things").json == []


def test_things_are_added(client):
    assert client.post("/things", json=["wash up"]).status_code == 201
    assert client.post("/things", json=["sleep"]).status_code == 201
    assert client.get("/things").json == ["wash up", "sleep"]


def test_a_request_that_fails_leaves_nothing_and_the_next_works(client):
    client.post("/things", json=["wash up"])
    client.application.testing = True  # errors come through
    with pytest.raises(IntegrityError):
        client.post("/things", json=["sleep", "wash up"])
    assert client.get("/things").json == ["wash up"]
