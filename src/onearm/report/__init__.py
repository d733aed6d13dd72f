"""What people read: the report of a trial, made from the study file and a data cut."""
