"""(compiled model, data) -> a Run of experiments on clones of the model, judged by rules like a training."""

from tfhealth.callable_package import make_callable

make_callable(__name__)
