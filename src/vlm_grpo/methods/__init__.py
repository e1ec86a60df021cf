"""Training methods on TRL's trainers, configured by YAML and the command line."""
