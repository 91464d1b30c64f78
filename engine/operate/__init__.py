"""What goes on beside a service and after it: the log of requests, drift, a shadow, a canary."""
