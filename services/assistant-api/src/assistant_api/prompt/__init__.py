"""What assistant-api writes into an assistant's prompt, and how it is taken out again."""
