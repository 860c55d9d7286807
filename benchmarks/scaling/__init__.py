"""What more scorers bring, and what their coming and going costs the patients concerned."""
