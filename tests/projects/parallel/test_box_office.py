"""The same seat in each test, on two workers at a time."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tickets.box_office import sell

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("buyer", [f"buyer {number}" for number in range(8)])
def test_a_free_seat_is_sold(database, buyer):
    assert sell(database.dsn, 1, buyer)


def test_a_seat_is_sold_once(database):
    with ThreadPoolExecutor(4) as pool:
        sold = list(pool.map(lambda buyer: sell(database.dsn, 1, buyer), ["a", "b", "c", "d"]))
    assert sorted(sold) == [False, False, False, True]
