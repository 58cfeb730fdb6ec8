"""The words sent to a model: prompt files are found, read and filled here."""
