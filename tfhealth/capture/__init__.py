"""A fit that goes on -> a Run: the only TensorFlow in the package beside preflight."""
