"""What can be shown, and finding it."""
