"""Bulk runs that are killed, frozen and out of disk space, compared with the server's own count."""
