"""Text for people: lines that fit and print, and names that can be drawn."""
