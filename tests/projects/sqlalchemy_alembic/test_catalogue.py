"""The program commits, the tests are rolled back."""

import pytest
from library.catalogue import Catalogue
from library.models import Author, Book
from sqlalchemy import func, select
from sqlalchemy.exc import DataError


@pytest.fixture
def catalogue(engine):
    return Catalogue(engine)


def test_books_come_in_the_order_of_their_years(catalogue):
    catalogue.add("Ursula K. Le Guin", "The Dispossessed", 1974)
    catalogue.add("Ursula K. Le Guin", "The Left Hand of Darkness", 1969)
    assert catalogue.titles("Ursula K. Le Guin") == ["The Left Hand of Darkness", "The Dispossessed"]


def test_an_author_is_added_once(catalogue, session):
    catalogue.add("Stanisław Lem", "Solaris")
    catalogue.add("Stanisław Lem", "Fiasko")
    assert session.scalar(select(func.count()).select_from(Author)) == 1


def test_what_fails_is_undone_and_what_was_committed_stays(catalogue, session):
    catalogue.add("Stanisław Lem", "Solaris")
    with pytest.raises(DataError):
        catalogue.add("Stanisław Lem", "A title that is too long " * 10)
    assert catalogue.titles("Stanisław Lem") == ["Solaris"]
    assert session.scalar(select(func.count()).select_from(Book)) == 1
