"""Tasks: what a row asks and what an answer to it is worth; one file (or folder) each."""
