"""The pages, by what a person comes for: overview, entry, oversight, people."""
