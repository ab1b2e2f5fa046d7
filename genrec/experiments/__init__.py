"""Assignment, logging and inference. Nothing lives here yet."""
