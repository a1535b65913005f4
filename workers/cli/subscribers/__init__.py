"""`lethe subscribers`: the newsletter lists, as the consent records make them."""
