"""A trial of the model -> series: what can be tried before a training, built in or from installed packages.

An experiment names the statistics that it yields; `tfhealth.preflight` runs it on clones of the model, and rules judge
what it yielded, like everything else. This package needs no TensorFlow; an experiment imports it inside of itself.
"""

from tfhealth.experiments.builtin import EXPERIMENTS
from tfhealth.experiments.model import Experiment, Inapplicable, experiment
from tfhealth.experiments.plugins import find, load, names, quick, yielding

__all__ = ["EXPERIMENTS", "Experiment", "Inapplicable", "experiment", "find", "load", "names", "quick", "yielding"]
