"""OpsService: the only writer of sale settings, stock settings and the catalogue."""
