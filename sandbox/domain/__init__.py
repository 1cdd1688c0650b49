"""The providers' own rules, without I/O."""
