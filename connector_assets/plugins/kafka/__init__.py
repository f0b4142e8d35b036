"""Kafka topics as streams: a bounded part of each topic is read, and loaded exactly once.

`read` is the story: which topics there are (`topics`), from which offset to which they are read
(`offsets`), how messages come (`consume`) and what rows they become (`rows`, `formats`). Offsets
are stored with the rows, in one transaction; a consumer group is neither joined nor committed to.
"""
