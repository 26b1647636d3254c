"""In a real browser: a Chromium of this machine, driven by Playwright."""
