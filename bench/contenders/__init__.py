"""Each contender is a program that reads a task on its standard input and works until SIGTERM."""
