"""Many runs in one SQL database, SQLite or PostgreSQL: what was received, and what was judged of it."""
