"""What the data can't be trusted in: findings, each with its weight, its evidence and what to do."""
