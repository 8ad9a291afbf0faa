"""Random faults for as long as one likes, with the real loader at a real API server: `make soak`."""
