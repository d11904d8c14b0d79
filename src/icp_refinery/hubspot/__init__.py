"""HubSpot: what is written there, and how."""
