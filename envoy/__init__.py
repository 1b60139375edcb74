"""Configuration of the mesh's Envoy: gateway, operators' listener, egress and the inbound fault hops."""
