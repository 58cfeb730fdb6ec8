"""Models on PyTorch, through transformers. Importing anything below here takes seconds."""
