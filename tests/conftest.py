"""Settings of all tests."""

from hypothesis import settings

settings.register_profile("tfhealth", deadline=None)  # two cores are shared by whatever else runs
settings.load_profile("tfhealth")
