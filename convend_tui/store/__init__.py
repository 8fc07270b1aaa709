"""The disk: thread files, attachments, checkpoints."""
