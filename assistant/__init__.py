"""llmchat: the coding assistant that lives in your terminal and runs on your own machine."""

__version__ = "0.1.0"
