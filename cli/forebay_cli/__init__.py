"""The `forebay` command: what runs on a person's machine."""
