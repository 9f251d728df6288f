"""A web shop as it runs: app and worker from one image, PostgreSQL and Redis, all in one pod."""

from pathlib import Path

import pytest

from podjig import (
    DockerImage,
    ExitWaitStrategy,
    GenericContainer,
    HttpWaitStrategy,
    LogMessageWaitStrategy,
    Pod,
    PostgresContainer,
    RedisContainer,
)
from podjig.image.store import resolve

ENVIRONMENT = {"DATABASE_URL": "postgresql://test:test@postgres:5432/test", "REDIS": "redis:6379"}


@pytest.fixture(scope="session")
def image():
    with DockerImage(Path(__file__).parent / "app", buildargs={"BASE": resolve("postgres:16")}) as built:
        yield built.tag


@pytest.fixture(scope="session")
def shop(image):
    def of_image(name, **fields):
        return GenericContainer(image, env=ENVIRONMENT, network_aliases=[name], **fields)

    postgres, redis = PostgresContainer("postgres:16"), RedisContainer("redis:7.4")
    schema = of_image("schema", command=["sh", "-c", "psql -v ON_ERROR_STOP=1 -f schema.sql $DATABASE_URL"])
    schema.waiting_for(ExitWaitStrategy())
    web = of_image("web", ports=[8000]).waiting_for(HttpWaitStrategy(8000, "/health"))
    worker = of_image("worker", command="perl worker").waiting_for(LogMessageWaitStrategy("waiting for orders"))

    pod = Pod(postgres, redis)
    pod.add(schema, depends_on=[postgres])
    pod.add(web, depends_on=[schema, redis]).add(worker, depends_on=[schema, redis])
    with pod:
        yield pod
