"""Edit: ablate units that read a spurious cue, with controls (paper section 7)."""
