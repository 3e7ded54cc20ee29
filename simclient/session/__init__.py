"""Tasks: everything that owns a nursery, and what the user holds."""
