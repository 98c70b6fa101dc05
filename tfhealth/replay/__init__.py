"""(run directory with a kept step, model) -> what that step computed, and what made the first NaN or Inf."""

from tfhealth.callable_package import make_callable

make_callable(__name__)
