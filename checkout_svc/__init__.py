"""The tap on "Buy": the flow that must survive."""
