"""What the probes add to the compiled step: bytes that its kernels read and write, and how many kernels there are.

    python benchmarks/compiled.py [MODEL ...]

Every model's train step is compiled by XLA for the first device there is, a GPU before a CPU, once as it is and once
with the probes of the built-in rules in it. Nothing is run. Counted are the instructions of the optimized program that
become kernels: fusions, matrix products, convolutions and the like, with the bytes of their operands and results; the
body of a loop as often as it runs, and a branch as often as it is taken: every seventh step, where all are probed. On a
GPU, where a step waits for memory, bytes are what a kernel costs, and a few microseconds for its launch. XLA for the
CPU never reads a tensor once for two reductions, as XLA for the GPU does, so its figures are an upper bound; what it
does to reductions for the sake of a CPU's caches is switched off.
"""

import argparse
import collections
import os
import re

os.environ.setdefault("XLA_FLAGS", "--xla_disable_hlo_passes=tree_reduction_rewriter")  # read when XLA is loaded

import tensorflow as tf
from models import MODELS, compiled, data

from tfhealth.capture.probes import Probes
from tfhealth.capture.replica import SPACING
from tfhealth.plan import Plan
from tfhealth.rules import load_checklist

_SIZES = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "s16": 2, "u16": 2, "s64": 8, "u64": 8, "f64": 8}
_SHAPE = re.compile(r"\b([a-z]+\d*)\[([\d,]*)\]")
_INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%?([\w.-]+) = (.*?)\s([\w-]+)\(([^)]*)\)(.*)$")
_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.-]+) .*\{$")
_FREE = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "while", "conditional", "call"}


def programs(text):
    """Return {computation: instructions} of a program in XLA's notation, and which of them comes first."""
    found, entry, name = collections.defaultdict(list), None, None
    for line in text.splitlines():
        computation, instruction = _COMPUTATION.match(line), _INSTRUCTION.match(line)
        if computation and not line.startswith(" "):
            name = computation[2]
            entry = name if computation[1] else entry
        elif instruction and name:
            found[name].append(instruction.groups())
    return found, entry


def size(shapes):
    """Return the bytes of all shapes in a text."""
    total = 0
    for dtype, dimensions in _SHAPE.findall(shapes):
        elements = 1
        for one in filter(None, dimensions.split(",")):
            elements *= int(one)
        total += elements * _SIZES.get(dtype, 4)
    return total


def counted(found, name):
    """Return (bytes, kernels) of one computation and of those that it calls."""
    results = {one: size(shape) for one, shape, *_ in found[name]}
    total, kernels = 0, 0
    for one, _, operation, operands, rest in found[name]:
        if operation in ("while", "conditional", "call"):
            trips = re.search(r'known_trip_count":\{"n":"(\d+)"', rest)
            times = int(trips[1]) if trips else 1 / SPACING if operation == "conditional" else 1
            for called in re.findall(
                r"(?:body|to_apply|true_computation|false_computation|branch_computations|called_computations)=\{?%?([\w.-]+)",
                rest,
            ):
                inner = counted(found, called)
                total += inner[0] * times
                kernels += inner[1] * times
        elif operation not in _FREE:
            names = [word.strip().split(" ")[-1].lstrip("%") for word in operands.split(",")]
            total += results[one] + sum(results.get(operand, 0) for operand in names)
            kernels += 1
    return total, kernels


def program(step, batch):
    """Return the optimized program of a step, in XLA's notation."""
    function = tf.function(step, jit_compile=True, autograph=False)
    return function.experimental_get_compiler_ir(batch)(stage="optimized_hlo")


def steps(name):
    """Return one batch, the train step of a model, and the same step with the probes of the built-in rules in it."""
    model, batch = compiled(name, jit_compile=True)
    model.optimizer.build(model.trainable_variables)
    x, y = (tf.constant(one) for one in data(model, batch))
    probes = Probes(
        model,
        model.distribute_strategy,
        Plan.of(load_checklist(None)),
        first_step=0,
        note=lambda subject, why: None,
        failed=lambda subject, error: print(f"{subject}: {error}"),
        seen=lambda located: None,
    )

    def probed(batch):
        with probes.tapped(batch):
            return model.train_step(batch)

    return (x, y), model.train_step, probed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join(MODELS)}; all by default")
    arguments = parser.parse_args()
    device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    print(f"compiled for {device}")
    for name in arguments.models or MODELS:
        with tf.device(device):
            batch, *both = steps(name)
            (plain, kernels), (probed, more) = (counted(*programs(program(step, batch))) for step in both)
        print(f"{name:<12} {plain / 1e6:7.1f} MB in {kernels:4.0f} kernels; ", end="")
        print(f"with probes {probed / plain:.3f} x bytes, {more - kernels:+.0f} kernels", flush=True)


if __name__ == "__main__":
    main()
