"""Settings of all tests."""

import os

from hypothesis import settings

settings.register_profile("tfhealth", deadline=None)  # two cores are shared by whatever else runs
settings.load_profile("tfhealth")

# The commands print more in a job of GitHub Actions; the tests must not notice that they run in one.
for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
    os.environ.pop(name, None)
