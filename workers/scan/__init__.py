"""The residue scanner: looks for what should be gone, in every file of a folder and in every form it may have there."""
