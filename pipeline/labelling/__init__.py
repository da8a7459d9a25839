"""The part that can cost money: an answered request is never paid for twice.

The way of a label, which `buyer` walks: `cases` (what is asked) → `prompt` (its words) → `key` (its
identity) → `plan` (what is here, in the journal, missing) → `money` (may it be spent?) →
`providers` (who answers), `online` or in `batches` → `stores` (the journal at once, then
append-only parts) → `parse` and `rankings` (free, as often as one likes) → `quality` (what it is
worth). docs/labels.md says it for users.
"""
