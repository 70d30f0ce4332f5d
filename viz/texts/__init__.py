"""What a model is, in words: descriptions, tables, captions, Mermaid."""
