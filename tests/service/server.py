"""`python -m tests.service.server SETTINGS PORT`: a real service in a process of its own, which may be killed."""

from __future__ import annotations

import sys

import uvicorn

from tfhealth.service.app import create_app
from tfhealth.service.settings import Settings

if __name__ == "__main__":  # also read by the processes that a service starts
    uvicorn.run(create_app(Settings.model_validate_json(sys.argv[1])), port=int(sys.argv[2]), log_level="warning")
