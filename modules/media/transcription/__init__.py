"""Speech → text: the service, and the languages that it knows by code and name."""
