"""A run that is stopped or killed at any moment goes on as if nothing had happened."""
