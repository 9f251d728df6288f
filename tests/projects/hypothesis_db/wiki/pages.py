"""Reading and writing, on a psycopg connection."""


def write(connection, page, text):
    """Write a new version of a page, and commit."""
    connection.execute(
        "INSERT INTO versions SELECT %(page)s, count(*) + 1, %(text)s FROM versions WHERE page = %(page)s",
        {"page": page, "text": text},
    )
    connection.commit()


def read(connection, page):
    """Return a page's text; nothing where there is no such page."""
    found = connection.execute("SELECT text FROM versions WHERE page = %s ORDER BY number DESC LIMIT 1", [page])
    row = found.fetchone()
    return row[0] if row else None
