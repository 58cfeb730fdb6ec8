"""`python -m assistant` is `llmchat`."""

from assistant.cli.main import main

main()
