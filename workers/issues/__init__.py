"""Issues: from a Markdown file to a mail for everybody who agreed."""
