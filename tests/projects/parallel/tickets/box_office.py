"""Sales, on a database by its URL, from as many connections as there are buyers."""

import psycopg


def prepare(connection):
    """Make the table. It is done once for all tests: their databases are copies."""
    connection.execute("CREATE TABLE seats (number int PRIMARY KEY, buyer text)")
    connection.execute("INSERT INTO seats SELECT * FROM generate_series(1, 100)")


def sell(dsn, number, buyer):
    """Sell a seat; return whether that buyer has got it."""
    with psycopg.connect(dsn) as connection:
        connection.execute("UPDATE seats SET buyer = %s WHERE number = %s AND buyer IS NULL", [buyer, number])
        found = connection.execute("SELECT buyer FROM seats WHERE number = %s", [number]).fetchone()
    return found == (buyer,)
