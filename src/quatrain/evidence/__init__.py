"""Evidence that can be checked by whoever has it, without asking anybody."""
