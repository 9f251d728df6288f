"""Properties: Hypothesis calls a test with many examples, but sets its fixtures up only once.

So each example is rolled back inside the test. It would not do to ask for a database of the test's own: the second
example would find what the first one left, of which Hypothesis warns (its health check "function_scoped_fixture").
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wiki.pages import read, write

from podjig import rollback

pytestmark = pytest.mark.integration

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))  # what PostgreSQL takes for text
edits = st.lists(st.tuples(st.sampled_from(["home", "help", "Ünïcode"]), texts), max_size=10)


@settings(max_examples=50, deadline=None)  # how long an example takes is the machine's affair
@given(edits=edits)
def test_a_page_reads_as_it_was_written_last(run_connection, edits):
    with rollback(run_connection) as connection:
        assert read(connection, "home") is None
        expected = {}
        for page, text in edits:
            write(connection, page, text)
            expected[page] = text
        assert {page: read(connection, page) for page in expected} == expected


@settings(max_examples=50, deadline=None)
@given(edits=edits)
def test_every_version_is_kept(run_connection, edits):
    with rollback(run_connection) as connection:
        for page, text in edits:
            write(connection, page, text)
        kept = connection.execute("SELECT page, text FROM versions").fetchall()
        assert sorted(kept) == sorted(edits)
