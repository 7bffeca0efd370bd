"""JupyterLab, formgrader and feedback as people see them: a real server and a real browser (`make browser`)."""
