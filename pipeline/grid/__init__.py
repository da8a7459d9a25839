"""The grid: many trained and tested models, each made once, and the figures that follow from them.

A grid is a list of units. A unit is one trained and tested model, or one fine-tuning, with a key
made of everything that decides it; what is finished is never made again.
"""
