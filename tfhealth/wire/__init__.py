"""What travels between a run's file and a server: stretches of its rows, and what the other side has."""
