"""Policy tests: stories told in YAML, played by the real engine on a simulated world."""
