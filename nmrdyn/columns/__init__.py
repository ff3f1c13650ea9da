"""Tables of text (CSV, and what spreadsheets export) whose header names quantities and units, as SI numbers."""
