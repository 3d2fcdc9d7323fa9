"""What comes to the operator from others: alerts, Events, findings. A file for each way in."""
