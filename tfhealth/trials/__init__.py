"""A pack: the examples of its rules and its test files -> what the rules say that they should not."""

from tfhealth.trials.model import TESTS_SCHEMA, Expectation, Trial, TrialFile, tests_schema
from tfhealth.trials.packs import check_pack, try_pack
from tfhealth.trials.tally import Tally

__all__ = ["TESTS_SCHEMA", "Expectation", "Tally", "Trial", "TrialFile", "check_pack", "tests_schema", "try_pack"]
