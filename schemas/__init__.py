"""Every message said on a topic: one file per noun, one class per fact."""
