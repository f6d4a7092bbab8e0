"""How messages reach partners: in order, again when needed, one after another of the same requisition, none lost."""
