"""Is the reasoning used? Perturbations of saved answers, the answer that reasoning ends on, and what both may tell."""
