"""Several right options and reasoning that names its boxes: DrivingVQA."""
