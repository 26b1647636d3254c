"""The connect page, asked as a browser asks."""
