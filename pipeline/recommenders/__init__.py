"""Recommenders: one backbone a file, and how they are trained, stored and ranked with.

`counting`: the models that count, against which every trained one is measured. `compact`: trained
models in few bytes.
"""
