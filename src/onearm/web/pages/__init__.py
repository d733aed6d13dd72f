"""The pages, a file for each that a person comes for; overview holds what several of them show."""
