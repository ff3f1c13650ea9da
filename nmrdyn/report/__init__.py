"""Step 6: posterior -> files. The only room that imports jinja2."""
