"""A class of cheats: what forging and stealing earn, here and with nbgrader alone.

    assignment.py     the assignment, with hidden parts that can be recognised wherever they turn up
    ideas/*.py        one cheat each: what one student hands in, and what its honest part is worth
    reading.py        both as notebooks
    grading.py        the class, graded and given feedback by nbgrader's own commands
    leaks.py          hidden parts in what a student gets, also reversed, encoded or drawn
    table.py          docs/cheating.md

`python -m tests.cheats` measures and prints the tables; with `--write` they go into docs/cheating.md. The attacks on the wall
are in tests/hostile.
"""
