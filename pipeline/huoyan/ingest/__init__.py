"""Live cameras: readers in a process of their own, what they report, and what they are told."""
