"""Builds what the functions serve from their environment; adapters are chosen here alone.

One module a function, so that none imports what only another needs: `gateway`, `admin`, `settler`,
`controller` (the last two share `background`).
"""
