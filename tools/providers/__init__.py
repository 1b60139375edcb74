"""A sandbox of the external APIs: wallet, carrier, invoices, loyalty coins."""
