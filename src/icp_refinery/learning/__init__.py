"""What is learned from pursuits and customers: pure functions from frame to frame."""
