"""The report of a whole study: summary, tables, figures, pages."""
