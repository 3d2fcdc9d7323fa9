"""The loop: observe -> core.step -> write intent -> act -> verify -> record."""
