"""What labels are worth: the card of those that are here, and the pilot before more are bought."""
