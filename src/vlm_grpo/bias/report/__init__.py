"""What arms learnt of a planted shortcut."""
