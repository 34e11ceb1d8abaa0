"""The recipes of papers as data, held against the configs that claim them; see `table.py`.

python -m tests.configs.published.page docs/reproduce.md
"""
