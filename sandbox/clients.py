"""boto3 clients of the sandbox, whatever the environment of the process says."""

from __future__ import annotations

import threading
from typing import Any

import boto3
from botocore.config import Config

from sandbox.functions import REGION

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "sandbox", "AWS_SECRET_ACCESS_KEY": "sandbox"}  # boto3 must sign with something
_CONFIG = Config(retries={"total_max_attempts": 2}, max_pool_connections=32, connect_timeout=2)


class Clients:
    """The clients, by service, made when first asked for. Safe to use from many threads."""

    def __init__(self, endpoint: str, lambda_endpoint: str) -> None:
        self._endpoint = endpoint
        self._endpoints = {"lambda": lambda_endpoint}
        # Any: the stubs know a client's type only where its name is written out.
        self._session: Any = boto3.Session(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        )
        self._made: dict[str, Any] = {}
        self._urls: dict[str, str] = {}
        self._lock = threading.Lock()  # a session is not to be shared by threads, its clients are

    def __call__(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        """Return the client of *service*."""
        with self._lock:
            if service not in self._made:
                url = self._endpoints.get(service, self._endpoint)
                self._made[service] = self._session.client(service, endpoint_url=url, config=_CONFIG)
            return self._made[service]

    def queue_url(self, arn: str) -> str:
        """Return the URL of the queue *arn*."""
        if arn not in self._urls:
            self._urls[arn] = self("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
        return self._urls[arn]

    def close(self) -> None:
        """Close the connections."""
        for client in self._made.values():
            client.close()
