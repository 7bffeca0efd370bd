"""Leave a process behind that gives full points in the gradebook a while later.

source: A3, B4
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise double
import os
import subprocess
import sys

later = """
import os, sqlite3, sys, time
path, student = sys.argv[1:]
for _ in range(10):
    time.sleep(1)
    try:
        with sqlite3.connect(path, timeout=1) as database:
            database.execute(
                "update grade set auto_score = (select max_score from grade_cells where grade_cells.id = grade.cell_id) "
                "where auto_score is not null and notebook_id in (select n.id from submitted_notebook n join submitted_assignment a "
                "on a.id = n.assignment_id where a.student_id = ?)", (student,))
        database.close()
    except sqlite3.Error:
        pass
"""
book = os.path.abspath("../../../gradebook.db")
if os.path.exists(book):
    student = os.path.basename(os.path.dirname(os.getcwd()))
    subprocess.Popen([sys.executable, "-c", later, book, student], start_new_session=True)


def double(xs):
    return None
