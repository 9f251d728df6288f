"""Waiting for an HTTP answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from podjig import GenericContainer, HttpWaitStrategy, LogMessageWaitStrategy, PortWaitStrategy
from podjig.errors import ContainerExited, DefinitionError, PortError, WaitTimeout

SERVE = """
mkdir -p /www/cgi-bin /www/secret
echo 'all is well' > /www/index.html
echo 'for members' > /www/secret/index.html
echo '/secret:user:pass:word' > /etc/httpd.conf
cat > /www/cgi-bin/echo <<'END'
#!/bin/sh
echo 'Content-type: text/plain'
echo
echo "$REQUEST_METHOD $QUERY_STRING $HTTP_X_COLOUR $(cat)"
END
cat > /www/cgi-bin/teapot <<'END'
#!/bin/sh
printf 'Status: 418 Teapot\\r\\n\\r\\n'
END
chmod +x /www/cgi-bin/*
nc -ll -p 81 -e sleep 600 &
nc -ll -p 82 -e echo 'not HTTP' &
exec httpd -f -p 80 -h /www -c /etc/httpd.conf
"""

TLS = """
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout /tmp/key -out /tmp/cert 2>/dev/null
exec openssl s_server -accept 8443 -key /tmp/key -cert /tmp/cert -www -quiet
"""


@pytest.fixture(scope="module")
def web() -> Iterator[GenericContainer]:
    container = GenericContainer("busybox", command=["sh", "-c", SERVE]).with_exposed_ports(80, 81, 82, 83)
    with container.waiting_for(PortWaitStrategy(80), PortWaitStrategy(81), PortWaitStrategy(82)) as started:
        yield started


@pytest.fixture(scope="module")
def tls() -> Iterator[GenericContainer]:
    container = GenericContainer("postgres:17", command=["-c", TLS]).with_entrypoint("sh").with_exposed_ports(8443)
    with container.waiting_for(HttpWaitStrategy(8443).using_tls(insecure=True)) as started:
        yield started


def echo() -> HttpWaitStrategy:
    return HttpWaitStrategy(80, "/cgi-bin/echo?q=1")


@pytest.mark.parametrize(
    "strategy",
    [
        HttpWaitStrategy(80),
        HttpWaitStrategy("80/tcp", "index.html"),
        HttpWaitStrategy(80, None),
        HttpWaitStrategy(80, "/absent").for_status_code(404),
        HttpWaitStrategy(80, "/absent").for_status_code(200).for_status_code(404),
        HttpWaitStrategy(80, "/cgi-bin/teapot").for_status_code_matching(lambda status: 400 <= status < 500),
        HttpWaitStrategy(80, "/cgi-bin/teapot").for_status_code(200).for_status_code_matching(lambda s: s == 418),
        HttpWaitStrategy(80).for_response_predicate(lambda body: "well" in body),
        HttpWaitStrategy(80, "/secret/").for_status_code(401),
        HttpWaitStrategy(80, "/secret/").with_basic_credentials("user", "pass:word"),
        echo().for_response_predicate(lambda body: body == "GET q=1  \n"),
        echo().with_method("post").with_body("a body").for_response_predicate(lambda b: b == "POST q=1  a body\n"),
        echo().with_method("POST").with_body(b"bytes").for_response_predicate(lambda b: b == "POST q=1  bytes\n"),
        echo().with_header("X-Colour", "blue").for_response_predicate(lambda body: body == "GET q=1 blue \n"),
        HttpWaitStrategy.from_url("http://any.example/index.html"),
        HttpWaitStrategy.from_url("http://localhost"),
        HttpWaitStrategy.from_url("http://user:pass%3Aword@localhost:80/secret/"),
        HttpWaitStrategy.from_url("http://localhost/cgi-bin/echo?q=7").for_response_predicate(lambda b: "q=7" in b),
    ],
    ids=lambda strategy: strategy._path,
)
def test_an_answer_as_wanted(web: GenericContainer, strategy: HttpWaitStrategy) -> None:
    assert strategy.check(web) is None


@pytest.mark.parametrize(
    ("strategy", "missing"),
    [
        (HttpWaitStrategy(80, "/absent"), "last answer: 404 Not Found"),
        (HttpWaitStrategy(80).for_status_code(404), "last answer: 200 OK"),
        (HttpWaitStrategy(80).for_status_code_matching(lambda status: status > 500), "last answer: 200 OK"),
        (
            HttpWaitStrategy(80).for_response_predicate(lambda body: "ill" in body),
            "last answer: 200, but its body is not the one wanted: 'all is well\\n'",
        ),
        (HttpWaitStrategy(80, "/secret/").with_basic_credentials("user", "wrong"), "last answer: 401 Unauthorized"),
        (HttpWaitStrategy(82), "last error: BadStatusLine: not HTTP"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_answer_is_told(web: GenericContainer, strategy: HttpWaitStrategy, missing: str) -> None:
    found = strategy.check(web)
    assert found is not None
    assert found.strip() == missing


def test_no_server_means_not_yet(web: GenericContainer) -> None:
    with pytest.raises(WaitTimeout, match=r"waited for GET http://...:83/ to be answered; last error: "):
        HttpWaitStrategy(83).with_startup_timeout(0.1).wait_until_ready(web)


def test_a_hanging_server_means_not_yet(web: GenericContainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("podjig.wait.http._ONE_REQUEST", 0.1)
    with pytest.raises(WaitTimeout, match="last error: TimeoutError: timed out"):
        HttpWaitStrategy(81).with_startup_timeout(0.15).wait_until_ready(web)


def test_a_start_waits_for_it() -> None:
    late = ["sh", "-c", "sleep 0.5; echo up; mkdir /www; echo > /www/health; exec httpd -f -p 80 -h /www"]
    container = GenericContainer("busybox", command=late).with_exposed_ports(80)
    with container.waiting_for(HttpWaitStrategy(80, "/health")) as web:
        assert "up" in web.logs()


def test_a_server_that_dies_ends_the_wait() -> None:
    container = GenericContainer("busybox", command=["sh", "-c", "exit 5"]).with_exposed_ports(80)
    with pytest.raises(ContainerExited, match=r"exited with code 5 .*waited for GET http://...:80/ to be answered"):
        container.waiting_for(HttpWaitStrategy(80)).start()


def test_a_port_that_is_not_published_is_an_error_at_once(web: GenericContainer) -> None:
    with pytest.raises(PortError, match="port 99/tcp of .* is not published"):
        HttpWaitStrategy(99).wait_until_ready(web)


def test_tls(tls: GenericContainer) -> None:
    assert HttpWaitStrategy(8443).using_tls(insecure=True).for_status_code(200).check(tls) is None
    assert HttpWaitStrategy(8443).using_tls(insecure=True).describe() == "GET https://...:8443/ to be answered"


def test_tls_with_a_certificate_that_nobody_vouches_for(tls: GenericContainer) -> None:
    for strategy in (HttpWaitStrategy(8443).using_tls(), HttpWaitStrategy.from_url("https://localhost:8443/")):
        with pytest.raises(WaitTimeout, match="certificate verify failed"):
            strategy.with_startup_timeout(2).wait_until_ready(tls)


def test_plain_http_to_a_tls_server_means_not_yet(tls: GenericContainer) -> None:
    with pytest.raises(WaitTimeout):
        HttpWaitStrategy(8443).with_startup_timeout(0).wait_until_ready(tls)


def test_from_url_knows_the_schemes_ports() -> None:
    assert HttpWaitStrategy.from_url("https://h/x?y").describe() == "GET https://...:443/x?y to be answered"
    assert HttpWaitStrategy.from_url("http://h").describe() == "GET http://...:80/ to be answered"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: HttpWaitStrategy(0), "0"),
        (lambda: HttpWaitStrategy("http"), "'http'"),
        (lambda: HttpWaitStrategy.from_url("localhost:80"), "'localhost:80'"),
        (lambda: HttpWaitStrategy.from_url("ftp://h/"), "'ftp://h/'"),
        (lambda: HttpWaitStrategy.from_url("http://h:99999/"), "'http://h:99999/'"),
        (lambda: HttpWaitStrategy.from_url("http://h:abc/"), "'http://h:abc/'"),
        (lambda: HttpWaitStrategy.from_url("http://[::1/"), "'http://[::1/'"),
    ],
)
def test_bad_values_are_refused_at_once_and_named(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(DefinitionError, match=re.escape(says)):
        make()


def test_wanted_codes_are_told() -> None:
    strategy = HttpWaitStrategy(80, "/h").with_method("head").for_status_code(204).for_status_code(200)
    assert strategy.describe() == "HEAD http://...:80/h to be answered with status 200, 204"


def test_it_may_wait_beside_others() -> None:
    serve = ["sh", "-c", "echo ready; exec httpd -f -p 80"]
    container = GenericContainer("busybox", command=serve).with_exposed_ports(80)
    with container.waiting_for(LogMessageWaitStrategy("ready"), HttpWaitStrategy(80, "/x").for_status_code(404)):
        pass
