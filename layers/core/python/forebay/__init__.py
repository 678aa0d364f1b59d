"""Forebay, a serverless LLM gateway."""
