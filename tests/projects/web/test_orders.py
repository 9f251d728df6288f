"""The shop, driven from outside as its customers do."""

import time
import urllib.error
import urllib.request

import psycopg
import pytest


@pytest.fixture
def url(shop):
    web = shop.member("web")
    return f"http://{web.get_container_host_ip()}:{web.get_exposed_port(8000)}"


def fetch(url, data=None):
    with urllib.request.urlopen(url, data=data, timeout=10) as answer:
        return answer.read().decode()


def test_an_order_is_taken_and_sent(shop, url):
    order = fetch(f"{url}/orders", data=b"it's a jig; really")
    deadline = time.monotonic() + 10
    while (told := fetch(f"{url}/orders/{order}")) != "it's a jig; really: sent":
        assert time.monotonic() < deadline, told
        time.sleep(0.02)
    assert f"sent order {order}" in shop.member("worker").logs()


def test_many_orders(shop, url):
    orders = [fetch(f"{url}/orders", data=f"item {number}".encode()) for number in range(10)]
    deadline = time.monotonic() + 20
    with psycopg.connect(shop.member("postgres").get_connection_url(driver=None)) as connection:
        connection.autocommit = True
        asked = "SELECT count(*) FROM orders WHERE state = 'sent' AND id = ANY(%s)"
        while connection.execute(asked, ([int(order) for order in orders],)).fetchone() != (len(orders),):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_what_is_not_there(url):
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(f"{url}/orders/999999")


def test_a_tool_in_the_pod(shop):
    assert shop.run("redis:7.4", "redis-cli -h redis llen orders").stdout == b"0\n"
