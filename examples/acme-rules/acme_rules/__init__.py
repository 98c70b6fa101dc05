"""Acme's training standards: data that tfhealth reads, and one statistic in Python."""
