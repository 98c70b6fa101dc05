"""What watching costs: time of a step with the callback over the time of one without, of a trace, and memory.

    python benchmarks/overhead.py [--steps 2000] [--rounds 3] [--quick] [--cpu] [MODEL ...]

One fit a model, whose blocks of 20 steps take turns, in an order drawn anew each round: twice without any callback,
with the default schedule, with every step probed, with `exact=True`, and with an eager second pass over every batch
(what a callback must do that cannot see into the compiled step). Printed are ratios to the plain steps of the same fit,
of lower quartiles and of medians: other work on a machine only ever adds time, so the lower quartile says what the code
costs, and the median what a busy machine makes of it. The second plain mode shows how much of either is noise. Where
steps differ each kind counts by how many there were: plain and probed ones of the default schedule, and with every step
probed each of the seven of which one takes everything. Tracing is left out there and stands by itself: what the probed
step adds to the first steps of a fit, over what they take without it. Peaks of memory are those of processes that
train, and those with the report.
"""

import argparse
import statistics
import time

import numpy as np
from models import MODELS
from once import MODES, peaks, traces
from turns import measured

from tfhealth.capture.replica import SPACING

_WARM = 40  # steps of each mode that do not count: in them everything compiles


def spread(seconds):
    """Return lower quartile and median of seconds a step."""
    return np.quantile(seconds, [0.25, 0.5])


def of_sevens(seconds):
    """Return the mean of what `spread` has of each of the seven steps of which one takes everything."""
    return np.mean([spread(seconds[first::SPACING]) for first in range(SPACING)], 0)


def of_default(seconds, tables):
    """Return the mean of plain and of probed steps, each as `spread` has it, by their numbers; and the share probed."""
    probed = np.zeros(len(seconds), bool)
    for table in tables:
        probed[table.steps[table.steps < len(seconds)]] = True
    share, late = probed.mean(), np.arange(len(seconds)) >= _WARM
    return (1 - share) * spread(seconds[late & ~probed]) + share * spread(seconds[late & probed]), share


def report_time(name, steps, quick, clock):
    """Measure and print what steps take."""
    batch, seconds, tables = measured(name, steps, quick, clock)
    found = {mode: (of_sevens if mode == "every step" else spread)(one[_WARM:]) for mode, one in seconds.items()}
    found["default"], share = of_default(seconds["default"], tables)
    plain = found.pop("plain")
    print(f"{name}: batch {batch}, {1000 * plain[0]:.2f} ms a step, default probes {share:.1%} of {steps} steps")
    for mode, one in found.items():
        low, middle = one / plain
        print(f"  {mode:<12} {low:6.3f} x   (medians {middle:.3f} x)", flush=True)


def report_once(name, rounds):
    """Measure and print what a trace takes, and memory."""
    plain, *more = (statistics.median(one) for one in zip(*traces(name, rounds), strict=True))
    for mode, seconds in zip(MODES[1:], more, strict=True):
        print(f"  extra trace, {mode:<11} {seconds / plain:6.3f} x   ({seconds:.2f} s)", flush=True)
    (before, _), *watched = (peaks(name, mode, rounds) for mode in MODES)
    for mode, (trained, reported) in zip(MODES[1:], watched, strict=True):
        ratios = f"{trained / before:6.3f} x of {before / 2**20:.0f} MiB, with report {reported / before:.3f} x"
        print(f"  memory, {mode:<11} {ratios}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join(MODELS)}; all by default")
    parser.add_argument("--steps", type=int, default=2000, help="of each way of watching")
    parser.add_argument("--rounds", type=int, default=3, help="traces and processes of each way of watching")
    parser.add_argument("--quick", action="store_true", help="leave out exact=True and the eager pass, which take most")
    parser.add_argument("--cpu", action="store_true", help="CPU time, for a machine with other work to do")
    arguments = parser.parse_args()
    for name in arguments.models or MODELS:
        clock = time.process_time if arguments.cpu else time.perf_counter
        report_time(name, arguments.steps, arguments.quick, clock)
        report_once(name, arguments.rounds)


if __name__ == "__main__":
    main()
