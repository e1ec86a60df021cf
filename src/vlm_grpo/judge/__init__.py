"""Asking a judge whether saved reasoning entails its answer: prompts, providers, runner, records."""
