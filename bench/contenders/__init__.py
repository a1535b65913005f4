"""The contenders: each a program that reads a task on its standard input and works until it is told to end."""
