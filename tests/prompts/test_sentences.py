"""What llmchat itself says to a model, word for word."""

from assistant.prompts.sentences import sentence


def test_the_final_texts() -> None:
    assert sentence("language", language="German") == "Answer in German."
    assert sentence("notes", name="AGENTS.md", text="Use tabs.") == (
        "Notes of this project, from AGENTS.md:\n\nUse tabs."
    )
    assert sentence("summary", summary="They spoke.") == (
        "Summary of our conversation so far:\n\nThey spoke."
    )
    assert sentence("compact", words=60) == (
        "Summarize our conversation so far, so that you can go on from the summary alone. In at "
        "most 60 words: what I want, what was decided, names, numbers and code that still matter, "
        "what is open. Write the summary and nothing else."
    )


def test_nothing_that_is_put_in_is_read_as_a_template() -> None:
    assert sentence("summary", summary="{{ x }} {% y %}").endswith("\n\n{{ x }} {% y %}")
