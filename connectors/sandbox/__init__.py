"""The sandbox: the platforms' HTTP APIs, served from one living market. It knows no Django."""
