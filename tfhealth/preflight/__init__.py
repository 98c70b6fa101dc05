"""(compiled model, data) -> a Run of experiments on clones of the model, judged by rules like a training.

`tfhealth.preflight` is this package as soon as a module of it was imported, and it is also what users call: so the
package can be called, and calls the function of its own name.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from tfhealth.preflight.run import preflight

        return preflight(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
