"""Helpers given to students: staged next to each notebook, so that a released folder is self-contained."""
