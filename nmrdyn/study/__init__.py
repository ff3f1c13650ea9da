"""study.toml -> the whole pipeline."""
