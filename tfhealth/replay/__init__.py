"""(run directory with a kept step, model) -> the operations of that step, and the one that made the first NaN or Inf.

`tfhealth.replay` is this package as soon as a module of it was imported, and it is also what users call: so the
package can be called, and calls the function of its own name.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from tfhealth.replay.run import replay

        return replay(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
