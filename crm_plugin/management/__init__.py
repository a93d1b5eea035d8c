"""Django finds the command below."""
