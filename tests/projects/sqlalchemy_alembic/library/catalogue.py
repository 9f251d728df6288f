"""The catalogue: it has an engine and sessions of its own, and commits."""

from sqlalchemy import Engine, select
from sqlalchemy.orm import sessionmaker

from library.models import Author, Book


class Catalogue:
    """Books by author."""

    def __init__(self, engine: Engine) -> None:
        self._sessions = sessionmaker(engine)

    def add(self, name: str, title: str, year: int | None = None) -> None:
        """Add a book, and its author where that is a new one."""
        with self._sessions.begin() as session:
            author = session.scalar(select(Author).filter_by(name=name)) or Author(name=name)
            author.books.append(Book(title=title, year=year))
            session.add(author)

    def titles(self, name: str) -> list[str]:
        """Return an author's titles, the oldest first."""
        with self._sessions() as session:
            author = session.scalar(select(Author).filter_by(name=name))
            return [book.title for book in author.books] if author else []
