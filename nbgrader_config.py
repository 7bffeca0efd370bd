"""The course's nbgrader configuration."""

from autograder import configure

c = get_config()  # noqa: F821  nbgrader defines it
configure(c)  # with the import above, all it takes to grade any nbgrader course with this package

c.CourseDirectory.course_id = "ml_safety"
# SQLite (gradebook.db beside this file) is the default; a PostgreSQL gradebook needs only its address:
# c.CourseDirectory.db_url = "postgresql://user:password@localhost:5432/gradebook"
