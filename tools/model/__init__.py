"""What polling readers cost, computed from stated prices and checked by a simulation (docs/PERFORMANCE_MODEL.md)."""
