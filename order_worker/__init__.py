"""The only writer of order rows (`consume`), and the reads of orders (`serve`)."""
