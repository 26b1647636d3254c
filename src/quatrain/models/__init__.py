"""What the platforms send and take, as attrs classes: one flat module a platform, no I/O."""
