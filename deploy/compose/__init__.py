"""What runs once around the shop in containers: secrets before it, books and a first customer after it."""
