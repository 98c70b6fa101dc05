"""A server's address and a token -> a typed client of its REST API, and runs that are pushed there."""

from tfhealth.client.api import Client, ServerError
from tfhealth.client.push import push

__all__ = ["Client", "ServerError", "push"]
