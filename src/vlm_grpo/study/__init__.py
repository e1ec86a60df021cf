"""A whole study: what its YAML may say, the plan that the workflow runs, and the report of what came of it."""
