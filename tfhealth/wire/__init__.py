"""What travels between a server and whoever speaks to it: deltas of runs, and every other document of the REST API."""
