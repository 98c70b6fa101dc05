"""Background work: what is due stands in the database, so that whoever dies in the middle loses nothing."""
