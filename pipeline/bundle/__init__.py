"""The artifact, its manifest and its store."""
