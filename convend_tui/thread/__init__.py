"""A thread: a tree of messages made of records. Pure: no input, no output, no clock."""
