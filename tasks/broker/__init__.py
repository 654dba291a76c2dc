"""What is in the broker around and beside the orders: queues, leases, signs of life, and how it is reached."""
