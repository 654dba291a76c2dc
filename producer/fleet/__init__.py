"""The processes that serve devices: started here, or agents that run already."""
