"""The service: many runs in one place, over HTTP; the extra `tfhealth[service]` has what it needs."""
