"""The pages that people look at: rendered here from the database, with htmx where something moves."""
