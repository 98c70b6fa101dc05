"""A server's address and a token -> a typed client of its REST API, and runs that are pushed there."""

from tfhealth.client.api import Client, ServerError
from tfhealth.client.push import Pushed, push
from tfhealth.wire.documents import RunFilter, RunSummary

__all__ = ["Client", "Pushed", "RunFilter", "RunSummary", "ServerError", "push"]
