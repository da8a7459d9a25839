"""distilrec's core: active LLM-based knowledge distillation for session-based recommendation.

The stages in the data's order, one sentence each:

- fetch: raw files come from a folder of yours or the dataset's official download.
- sessions: raw events become sessions, a catalogue and three parts; nothing is lost unseen.
- baselines: popularity and item co-occurrence are counted, the bar for every model.
- teacher, student: a wide and a small recommender are trained by the same code.
- difficulty: the teacher lists candidates for each training session and says how hard it was.
- select: a max-min policy chooses the few hundred sessions that are worth a prompt.
- hints: the teacher's behaviour is summarised once a cell, for the prompts.
- label: an LLM ranks the candidates; raw answers go into a store and are never bought twice.
- labelled: rankings are read from the raw answers, for free, as often as one likes.
- distill: the student is fine-tuned on the rankings, beside a control that never sees them.
- evaluate: every model's true rank of every test target, and what follows from it.
- report: one page of tables and pictures, made from those figures alone.
"""

import os

# Threads that wait for each other sleep instead of spinning: with another process on the same cores
# spinning made training eight times slower. It must be said before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
