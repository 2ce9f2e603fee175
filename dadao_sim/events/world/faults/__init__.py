"""Everything that goes wrong, one file each; see ``fault`` for what such a file says."""
