"""One page of tables and pictures, made from the cells' figures alone."""
