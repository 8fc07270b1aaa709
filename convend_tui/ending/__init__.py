"""When the model may end a conversation. Pure: no input, no output, no clock."""
