"""From judged items to alignment tables: counts, intervals, tests, figures; and the audit of published scores."""
