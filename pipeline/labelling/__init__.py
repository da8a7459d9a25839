"""The part that can cost money: an answered request is never paid for twice.

The way of a label: `cases` (what is asked) → `prompt` (its words) → `key` (its identity) → `plan`
(what is here, in the journal, missing) → `budget` (may it be spent?) → `providers` (who answers)
→ `journal` (kept at once) → `store` (append-only parts) → `parse` (free, as often as one likes).
`buyer` walks that way. docs/labels.md says it for users.
"""
